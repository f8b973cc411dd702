#!/usr/bin/env python3
"""Speed and memory beside the peer, as Markdown on standard output; docs/benchmarks.md is made from it.

    scripts/bench.py [--rounds N] [--only TEXT] [--work FOLDER]

Every line runs both programs in turn, several rounds; the round with the least processor time counts. What counts
is user plus system time, because wall time on a shared machine does not repeat. Memory is the peak resident set.
A line that cannot be measured says why instead.

Needed beside the build (make tests): `scripts/fetch.py models`, `runtime` and `peer-venv`.
"""

import argparse
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import bench_data

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
TOOLS = BUILD / "tests" / "tools"

# name: how run_model is told the inputs
MODELS = {
    "ocrdet": ["--shape", "x=1x3x320x320"], "ocrrec": ["--shape", "x=2x3x48x320"],
    "ocrcls": ["--shape", "x=2x3x48x192"],
    "vad": ["--shape", "input=1x576", "--shape", "state=2x1x128", "--fill", "sr=16000"],
    "vadop15": ["--shape", "input=1x576", "--shape", "state=2x1x128", "--fill", "sr=16000"],
    "vadseq": ["--shape", "input=5x576"], "magika": ["--shape", "bytes=2x2048"], "nmp": [],
    "pnet": ["--shape", "input_1=1x60x80x3"], "rnet": ["--shape", "input_2=2x24x24x3"],
    "onet": ["--shape", "input_3=2x48x48x3"],
}
# The same for those that tests/tools/bench_models.c writes.
GENERATED = {
    "resnet50": ["--shape", "x=1x3x224x224"], "decoder6": ["--shape", "ids=1x128"],
    "decoder24": ["--shape", "ids=1x128"], "lstmstack": ["--shape", "x=1x100x64"],
    "qdqnet": ["--shape", "x=1x3x224x224"], "qdqformer": ["--shape", "x=1x128x256"],
}
QUANTISED = ("qdqnet", "qdqformer")  # those of them whose products have 8-bit factors


class Missing(Exception):
    """Why something cannot be measured."""


@dataclass
class Usage:
    user: float
    system: float
    wall: float
    kib: int
    status: int
    output: str = field(default="", repr=False)

    @property
    def cpu(self):
        return self.user + self.system


# ---- Programs ----

def fetched(name):
    done = subprocess.run([sys.executable, str(ROOT / "scripts" / "fetch.py"), "path", name], capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        raise Missing(done.stderr.strip().removeprefix("fetch: "))
    return done.stdout.strip()


def tool(name):
    path = TOOLS / name
    if not path.exists():
        raise Missing(f"{path.relative_to(ROOT)} is not built")
    return str(path)


def ours():
    path = BUILD / "polygraphy"
    if not path.exists():
        raise Missing("build/release/polygraphy is not built")
    return str(path)


def peer():
    return str(Path(fetched("peer-venv")) / "bin" / "polygraphy")


class Bench:
    def __init__(self, arguments, work):
        self.rounds, self.only, self.work = arguments.rounds, arguments.only, work
        self.heading = None  # printed before the next line of a table
        self.environment = dict(os.environ, NO_COLOR="1")
        self.environment.pop("VIRTUAL_ENV", None)
        try:
            self.environment["POLYGRAPHY_ONNXRUNTIME"] = fetched("onnxruntime")
            self.environment["POLYGRAPHY_ONEDNN"] = fetched("onednn")
        except Missing as reason:
            print(f"bench: {reason}", file=sys.stderr)

    def line(self, text):
        if self.heading is not None:
            print(f"\n{self.heading}")
            self.heading = None
        print(text, flush=True)

    def wanted(self, title):
        return self.only in title

    def file(self, name, make):
        """A file in the work folder, made once."""
        path = self.work / name
        if not path.exists():
            make(path)
        return str(path)

    def measure(self, command, may_fail=False):
        result = self.work / "usage.txt"
        done = subprocess.run([tool("measure"), str(result), *command], env=self.environment, capture_output=True,
                              text=True, errors="replace", cwd=self.work, check=False)
        user, system, wall, kib, status = result.read_text().split()
        usage = Usage(float(user), float(system), float(wall), int(kib), int(status), done.stdout + done.stderr)
        if usage.status != 0 and not may_fail:
            lines = usage.output.strip().splitlines() or ["no output"]
            failed = [line for line in lines if line.startswith(("[!]", "polygraphy", "run_model", "bare_ort"))]
            raise Missing(f"`{Path(command[0]).name}` ended with status {usage.status}: {(failed or lines)[-1][:160]}")
        return usage

    def best(self, commands, **options):
        """The cheapest round of each command, the commands in turn; a Missing in place of one that cannot run."""
        found = [None] * len(commands)
        for _ in range(self.rounds):
            for index, command in enumerate(commands):
                if isinstance(found[index], Missing):
                    continue
                try:
                    usage = self.measure(command() if callable(command) else command, **options)
                    if found[index] is None or usage.cpu < found[index].cpu:
                        found[index] = usage
                except Missing as reason:
                    found[index] = reason
        return found


# ---- Tables ----

def time_text(seconds):
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def cells(usage):
    if isinstance(usage, Missing):
        return f"not measured: {usage} | | "
    return f"{time_text(usage.cpu)} | {time_text(usage.wall)} | {usage.kib / 1024:.1f} MiB"


def ratio(left, right):
    if isinstance(left, Missing) or isinstance(right, Missing):
        return "| "
    cpu = f"{right.cpu / left.cpu:.1f}x" if left.cpu >= 0.001 else f"over {right.cpu / 0.001:.0f}x"
    return f"{cpu} | {right.kib / left.kib:.1f}x"


def pair(bench, title, arguments):
    """One line: the same arguments here and in the peer."""
    if not bench.wanted(title):
        return
    left, right = bench.best([lambda: [ours(), *arguments], lambda: [peer(), *arguments]])
    bench.line(f"| {title} | {cells(left)} | {cells(right)} | {ratio(left, right)} |")


PAIR_HEAD = """| what | CPU | wall | memory | peer: CPU | wall | memory | less CPU | less memory |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


BARE_HEAD = """The same beside a C program that does nothing else (tests/tools/bare_ort.c):

| what | CPU | wall | memory | bare: CPU | wall | memory | added CPU |
| --- | --- | --- | --- | --- | --- | --- | --- |"""


def overhead(left, right):
    if isinstance(left, Missing) or isinstance(right, Missing):
        return ""
    return f"{(left.cpu - right.cpu) * 1e3:+.1f} ms"


def cpu_name():
    match = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    return match[1] if match else "unknown processor"


def version_of(command):
    try:
        done = subprocess.run(command(), capture_output=True, text=True, check=False)
        lines = [line for line in done.stdout.splitlines() if "ersion" in line or "olygraphy" in line]
        text = (lines or done.stdout.splitlines() or ["unknown version"])[-1]
        return re.sub(r"\s*\| Path:.*", "", text).strip()
    except Missing as reason:
        return f"none ({reason})"


def print_head(bench):
    print(f"Processor: {cpu_name()}, {len(os.sched_getaffinity(0))} usable.\n"
          f"This program: {version_of(lambda: [ours(), '--version'])}. "
          f"Peer: {version_of(lambda: [peer(), '--version'])}, on ONNX Runtime 1.31.1 as here.\n"
          f"Best of {bench.rounds} rounds by user plus system time.")


# ---- Targets ----

class Targets:
    """What the built-in engine is to reach, and what was measured; a table at the end."""

    def __init__(self):
        self.rows = []

    def at_least(self, what, target, found, note=""):
        self.rows.append((what, f"at least {target:g}x", f"{found:.2f}x{note}", found >= target))

    def below(self, what, target, found, unit):
        self.rows.append((what, f"under {target:g} {unit}", f"{found:.1f} {unit}", found < target))

    def smallest(self, what, target, ratios):
        """The model with the smallest ratio has to reach the target."""
        if ratios:
            name = min(ratios, key=ratios.get)
            missed = sum(1 for ratio in ratios.values() if ratio < target)
            self.at_least(what, target, ratios[name], f" ({name}{f'; {missed} below' if missed > 1 else ''})")

    def table(self, threads, faster, loads, memory):
        """What follows from one table: model -> ratio."""
        label = f"{threads} thread{'s' if threads > 1 else ''}"
        floats = {name: ratio for name, ratio in faster.items() if name not in QUANTISED}
        if floats:
            self.at_least(f"speed of float32, {label}, geometric mean", 1.2, mean(list(floats.values())))
        self.smallest(f"speed of float32, {label}, slowest model", 0.9, floats)
        self.smallest(f"speed of 8-bit models, {label}, slowest", 1.1,
                      {name: ratio for name, ratio in faster.items() if name in QUANTISED})
        self.smallest(f"load and first run, {label}, slowest model", 1.5, loads)
        self.smallest(f"peak memory, {label}, largest beside ONNX Runtime", 1, memory)

    def print(self, bench):
        bench.heading = "## Targets\n\n| what | target | measured | met |\n| --- | --- | --- | --- |"
        for what, target, found, met in self.rows:
            bench.line(f"| {what} | {target} | {found} | {'yes' if met else '**no**'} |")


# ---- What is measured ----

def start_up(bench):
    bench.heading = f"## Start-up\n\n{PAIR_HEAD}"
    pair(bench, "`--version`", ["--version"])
    pair(bench, "`run --help`", ["run", "--help"])


def small_run(bench):
    title = "small model, one run"
    if not bench.wanted(title):
        return
    bench.heading = f"## A small model on ONNX Runtime\n\n{PAIR_HEAD}"
    try:
        model = fetched("onet")
    except Missing as reason:
        bench.line(f"| {title} | not measured: {reason} | | | | | | | |")
        return
    arguments = ["run", model, "--onnxrt"]
    pair(bench, title, arguments)
    bare = lambda: [tool("bare_ort"), fetched("onnxruntime"), model]  # noqa: E731
    left, right = bench.best([lambda: [ours(), *arguments], bare])
    bench.heading = BARE_HEAD
    bench.line(f"| {title} | {cells(left)} | {cells(right)} | {overhead(left, right)} |")


def inspection(bench):
    bench.heading = f"## Models and memory\n\n{PAIR_HEAD}"
    for title, name, make in (("inspect model, 500 MB inline", "inline.onnx", bench_data.inline_model),
                              ("inspect model, 2.5 GB external", "external.onnx", bench_data.external_model)):
        if bench.wanted(title):
            path = bench.file(name, make)
            pair(bench, title, ["inspect", "model", path])
            pair(bench, f"{title}, `--show layers attrs`", ["inspect", "model", path, "--show", "layers", "attrs"])
    title = "run, 500 MB inline"
    if bench.wanted(title):
        path = bench.file("inline.onnx", bench_data.inline_model)
        pair(bench, title, ["run", path, "--onnxrt", "--input-shapes", "x:[1,1024]"])


def results(bench):
    bench.heading = f"## Results\n\n{PAIR_HEAD}"
    title = "compare two result sets of 270 MB"
    make_a = lambda path: bench_data.results_file(path, "a")  # noqa: E731
    make_b = lambda path: bench_data.results_file(path, "b", 1e-6)  # noqa: E731
    if bench.wanted(title):
        files = [bench.file("a.json", make_a), bench.file("b.json", make_b)]
        pair(bench, title, ["run", "--load-outputs", *files, "--check-error-stat", "max"])
    title = "load 360 MB of JSON (`inspect data`)"
    if bench.wanted(title):
        pair(bench, title, ["inspect", "data", bench.file("a.json", make_a)])
    title = "run and save 280 MB of JSON"
    if bench.wanted(title):
        path = bench.file("expand.onnx", lambda target: bench_data.expand_model(target, 13_000_000))
        saved = bench.work / "saved.json"
        pair(bench, title, ["run", path, "--onnxrt", "--save-outputs", str(saved)])
        saved.unlink(missing_ok=True)


def run_model(bench, runner, path, options, *more):
    """What run_model prints and uses, runner by runner in turn."""
    return bench.measure([tool("run_model"), "--runner", runner, *options, *more, path])


def milliseconds(usage, before=""):
    return float(re.search(rf"^{before}([\d.]+) ms$", usage.output, re.M)[1])


def side_by_side(bench, rounds, figure):
    """The median of `figure(runner)` for both engines, measured in turn."""
    found = {"native": [], "onnxrt": []}
    for _ in range(rounds):
        for runner, values in found.items():
            values.append(figure(runner))
    return [statistics.median(values) for values in found.values()]


def model_path(bench, name):
    if name in MODELS:
        return fetched(name)
    return bench.file(f"{name}.onnx",
                      lambda path: subprocess.run([tool("bench_models"), str(path.parent), name], check=True))


def mean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def mean_ratio(ratios):
    return f"{mean(ratios):.2f}x" if ratios else ""


def speed(bench, threads):
    """One table: fastest run, load with the first run, and memory, each as a ratio; answers these by model."""
    bench.heading = (f"### {threads} thread{'s' if threads > 1 else ''}\n\n"
          "| model | built-in | ONNX Runtime | faster | load and first run | ONNX Runtime | faster "
          "| memory | ONNX Runtime | less |\n"
          "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    ratios = ({}, {}, {})
    for name, options in (MODELS | GENERATED).items():
        if not bench.wanted(f"native {name}"):
            continue
        try:
            path, options = model_path(bench, name), [*options, "--threads", str(threads)]
            kind = "cpu " if threads == 1 else ""  # with one thread the same, but not disturbed by others
            run = lambda runner: milliseconds(run_model(bench, runner, path, options, "--repeat", "30"), kind)  # noqa: E731, B023
            load = lambda runner: milliseconds(run_model(bench, runner, path, options, "--loads", "4"), "load ")  # noqa: E731, B023
            memory = lambda runner: run_model(bench, runner, path, options, "--repeat", "3").kib / 1024  # noqa: E731, B023
            pairs = [side_by_side(bench, bench.rounds, run), side_by_side(bench, bench.rounds, load),
                     side_by_side(bench, 1, memory)]
        except Missing as reason:
            bench.line(f"| {name} | not measured: {reason} | | | | | | | | |")
            continue
        cells_of = []
        for (ours_, theirs), unit, found in zip(pairs, ("ms", "ms", "MiB"), ratios):
            digits = 0 if unit == "MiB" else 3 if ours_ < 10 else 1
            found[name] = theirs / ours_
            cells_of += [f"{ours_:.{digits}f} {unit}", f"{theirs:.{digits}f} {unit}", f"{theirs / ours_:.2f}x"]
        bench.line(f"| {name} | {' | '.join(cells_of)} |")
    if ratios[0]:
        means = [mean_ratio(list(found.values())) for found in ratios]
        bench.line(f"| geometric mean | | | {means[0]} | | | {means[1]} | | | {means[2]} |")
    return ratios


def halves(bench, targets):
    """bfloat16 factors beside float32, where the processor has instructions for them."""
    if "avx512_bf16" not in Path("/proc/cpuinfo").read_text():
        return
    ratios = {}
    for name in ("resnet50", "decoder6", "decoder24"):
        if not bench.wanted(f"native {name}"):
            continue
        path, options = model_path(bench, name), [*GENERATED[name], "--threads", "1", "--repeat", "30"]
        run = lambda precision: milliseconds(run_model(bench, "native", path, options, "--precision", precision), "cpu ")  # noqa: E731, B023
        rounds = [(run("float32"), run("bfloat16")) for _ in range(bench.rounds)]
        ratios[name] = statistics.median(wide / half for wide, half in rounds)
    targets.smallest("bfloat16 beside the engine's float32, 1 thread", 2, ratios)


def planning(bench, targets):
    """A graph of 20,000 nodes: loading and running, less what the smallest model takes."""
    title = "plan 20,000 nodes"
    if not bench.wanted(f"native {title}"):
        return
    make = lambda path: subprocess.run([tool("make_models"), str(path.parent), path.stem], check=True,  # noqa: E731
                                       stdout=subprocess.DEVNULL)
    figures = []
    for name in ("nodes20000", "identity"):
        path = bench.file(f"{name}.onnx", make)
        options = ["--threads", "1", "--repeat", "1", "--loads", "10"]
        figures.append(min(milliseconds(run_model(bench, "native", path, options), "load ") for _ in range(bench.rounds)))
    targets.below("20,000 nodes loaded, planned and run once", 100, figures[0] - figures[1], "ms")


def engines(bench):
    if not any(bench.wanted(f"native {name}") for name in MODELS | GENERATED):
        return
    bench.heading = None
    bench.line("\n## The built-in engine beside ONNX Runtime\n\n"
               "Fastest of 30 runs, fastest of 4 loads with their first run, peak memory of a process that runs three\n"
               "times; medians of the rounds, both engines in turn.")
    targets = Targets()
    for threads in (1, 2):
        targets.table(threads, *speed(bench, threads))
    halves(bench, targets)
    planning(bench, targets)
    targets.print(bench)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="part of a line's title")
    parser.add_argument("--work", help="folder for the files (2 GB) and keep them there")
    arguments = parser.parse_args()
    work = Path(arguments.work or tempfile.mkdtemp(prefix="polygraphy-bench-")).resolve()
    work.mkdir(parents=True, exist_ok=True)
    try:
        bench = Bench(arguments, work)
        print_head(bench)
        for part in (start_up, small_run, inspection, results, engines):
            part(bench)
    finally:
        if not arguments.work:
            shutil.rmtree(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
