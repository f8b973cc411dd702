#!/usr/bin/env python3
"""Runs the tests and counts them.

    tests/run.py [--profiles release,asan,tsan] [--only TEXT] [-v]

release: unit programs, fuzz seeds, and the Python files of tests/cli, parity, models, onnx and golden.
asan:    unit programs, fuzz seeds, tests/cli and tests/onnx again, under AddressSanitizer and UndefinedBehaviorSanitizer.
tsan:    unit programs under ThreadSanitizer.

--only keeps the tests whose file path contains TEXT. Figures that tests print (lines that begin with "= ") come near the end: how
many of the standard's cases, random graphs and bad models there were. The last line is `N passed, N failed, N skipped`. Nothing but
Python's standard library is needed; what a test needs beyond that and is not there makes it skip, with the reason.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
PYTHON_FOLDERS = {"release": ("cli", "parity", "models", "onnx", "golden", "trt"), "asan": ("cli", "onnx"), "tsan": ()}
TIME_LIMIT = 1200


def sanitizer_env(env):
    supp = TESTS / "suppressions"
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:allocator_may_return_null=1")
    env.setdefault("LSAN_OPTIONS", f"suppressions={supp / 'lsan.txt'}:print_suppressions=0")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    env.setdefault("TSAN_OPTIONS", f"suppressions={supp / 'tsan.txt'}:halt_on_error=1")
    return env


def run(command, env, cwd=ROOT):
    try:
        done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, errors="replace",
                              timeout=TIME_LIMIT, check=False, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired:
        return -1, "", f"did not end within {TIME_LIMIT} s"


class Results:
    def __init__(self, verbose):
        self.passed = self.failed = self.skipped = 0
        self.failures, self.skips = [], {}
        self.figures = []
        self.verbose = verbose

    def ok(self, name):
        self.passed += 1
        if self.verbose:
            print(f"ok      {name}")

    def fail(self, name, detail):
        self.failed += 1
        self.failures.append((name, detail))
        print(f"FAILED  {name}\n" + "\n".join("        " + line for line in detail.strip().splitlines()[-40:]), flush=True)

    def skip(self, name, reason):
        self.skipped += 1
        self.skips.setdefault(reason, []).append(name)


def run_tap(results, program, label, env):
    code, out, err = run([str(program)], env)
    notes, seen, failed = [], 0, 0
    for line in out.splitlines():
        if line.startswith("# "):
            notes.append(line)
        elif line.startswith("ok "):
            seen += 1
            name, skipped, reason = f"{label} {line[3:]}".partition(" # SKIP ")
            if skipped:
                results.skip(name, reason)
            else:
                results.ok(name)
            notes = []
        elif line.startswith("not ok "):
            seen += 1
            failed += 1
            results.fail(f"{label} {line[7:]}", "\n".join(notes) or err)
            notes = []
    if code != 0 and failed == 0:
        results.fail(label, f"exit status {code} after {seen} tests\n{err or out}")
    elif seen == 0:
        results.fail(label, "no test ran")


def run_fuzz_seeds(results, program, label, env):
    seeds = sorted((TESTS / "fuzz" / "seeds" / program.name.removeprefix("fuzz_")).glob("*"))
    if not seeds:
        results.fail(label, "no seeds")
        return
    code, out, err = run([str(program), *map(str, seeds)], env)
    if code == 0:
        results.ok(f"{label} ({len(seeds)} seeds)")
    else:
        results.fail(label, f"exit status {code}\n{out}{err}")


def run_python(results, path, label, env):
    python = env.get("PG_PEER_PYTHON") or sys.executable
    code, out, err = run([python, str(TESTS / "pyrun.py"), str(path)], env)
    seen = 0
    for line in out.splitlines():
        if line.startswith("= "):
            results.figures.append(f"{label.partition(':')[0]}: {line[2:]}")
        if not line.startswith("@@"):
            continue
        row = json.loads(line[2:])
        seen += 1
        name = f"{label}::{row['name']}"
        if row["outcome"] == "ok":
            results.ok(name)
        elif row["outcome"] == "skip":
            results.skip(name, row["detail"])
        else:
            results.fail(name, row["detail"])
    if code != 0 or seen == 0:
        results.fail(label, f"exit status {code}, {seen} tests\n{err}")


def jobs_of(profile, only):
    build = ROOT / "build" / profile
    env = dict(os.environ, POLYGRAPHY_BIN=str(build / "polygraphy"), PG_BUILD=str(build), LC_ALL="C.UTF-8")
    env.pop("VIRTUAL_ENV", None)
    if profile != "release":
        env = sanitizer_env(env)
    jobs = []
    for source in sorted((TESTS / "unit").rglob("test_*.c")):
        program = build / "tests" / source.relative_to(TESTS).with_suffix("")
        jobs.append((run_tap, program, source, env))
    if profile != "tsan":
        for source in sorted((TESTS / "fuzz").glob("fuzz_*.c")):
            jobs.append((run_fuzz_seeds, build / "tests" / "fuzz" / source.stem, source, env))
    for folder in PYTHON_FOLDERS[profile]:
        for source in sorted((TESTS / folder).glob("test_*.py")):
            jobs.append((run_python, source, source, env))
    return [(kind, program, f"{profile}:{source.relative_to(ROOT)}", job_env)
            for kind, program, source, job_env in jobs if only in str(source)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profiles", default="release")
    parser.add_argument("--only", default="")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count())
    parser.add_argument("-v", "--verbose", action="store_true")
    args = parser.parse_args()
    results = Results(args.verbose)
    jobs = [job for profile in args.profiles.split(",") for job in jobs_of(profile, args.only)]

    def one(job):
        kind, program, label, env = job
        if not program.exists():
            results.fail(label, f"{program} was not built")
        else:
            kind(results, program, label, env)

    with ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(one, jobs))
    for reason, names in sorted(results.skips.items()):
        print(f"SKIPPED {len(names)} test(s): {reason} (first: {names[0]})")
    if results.failures:
        print("\nFailed:\n" + "\n".join("  " + name for name, _ in results.failures))
    for line in sorted(results.figures):
        print(line)
    print(f"{results.passed} passed, {results.failed} failed, {results.skipped} skipped")
    return 1 if results.failed or results.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
