"""Runs the same command lines here and with Polygraphy 0.53, each in a folder of its own, and compares exit statuses,
logs and written files. What may differ is replaced first: dates, durations, the program's path."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))
from support import PROGRAM  # noqa: E402

PEER = os.environ.get("PG_PEER_PYTHON")
COLOUR_NOTE = r"'colored' module is not installed"  # an optional package of the peer

PEER_MAIN = ("import sys; from polygraphy.tools._main import main; sys.argv[0] = 'polygraphy'; sys.exit(main())")


# Answers many lines in one process: starting the peer takes most of a second. What one line leaves behind in the peer's
# modules is put back before the next.
PEER_BATCH = r"""
import collections, contextlib, io, json, os, sys, traceback
from polygraphy.backend.base.runner import BaseRunner
from polygraphy.logger import G_LOGGER
from polygraphy.tools._main import main
for folder, words in json.load(sys.stdin):
    os.chdir(folder)
    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["polygraphy"] + words
    G_LOGGER.module_severity = G_LOGGER.INFO
    G_LOGGER.once_logged.clear()
    G_LOGGER.log_file = None
    G_LOGGER.timestamp = G_LOGGER.line_info = False
    BaseRunner.RUNNER_COUNTS.clear()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main()
        except SystemExit as stop:
            code = stop.code
        except BaseException:
            traceback.print_exc()
            code = 1
    print(json.dumps([code or 0, out.getvalue(), err.getvalue()]), file=sys.__stdout__, flush=True)
"""

COMPARE_MODELS = """
import sys, onnx
a, b = (onnx.load(path) for path in sys.argv[1:])
for m in (a, b):
    for w in m.graph.initializer:
        w.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(w), w.name))
import difflib
if a != b:
    texts = [[line for line in str(m).splitlines() if "raw_data" not in line] for m in (a, b)]
    print("\\n".join(difflib.unified_diff(*texts, lineterm="")) or "other weights")
"""


def environment():
    """Ours finds ONNX Runtime where the peer has it."""
    return {**os.environ, "VIRTUAL_ENV": str(Path(PEER).parent.parent)} if PEER else dict(os.environ)


def execute(command, folder):
    env = environment()
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False,
                          stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def ours(line, folder):
    return execute([PROGRAM, *shlex.split(line)], folder)


def peers_batch(jobs, prelude=""):
    """What the peer answers to each (folder, line), in their order."""
    done = subprocess.run([PEER, "-c", prelude + "\n" + PEER_BATCH], capture_output=True, text=True, timeout=1000, check=False,
                          input=json.dumps([[str(folder), shlex.split(line)] for folder, line in jobs]), env=environment())
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    if len(answers) != len(jobs):
        raise RuntimeError(f"the peer answered {len(answers)} of {len(jobs)} lines\n{done.stderr[-2000:]}")
    return answers


def peers(line, folder, prelude=""):
    """`prelude` is Python that runs before the peer starts."""
    return execute([PEER, "-c", prelude + "\n" + PEER_MAIN, *shlex.split(line)], folder)


def clean(text, drop=()):
    text = re.sub(r"/\S*/pg-(ours|peer)-\w+/", "FOLDER/", text)
    text = re.sub(r"\d\d/\d\d/\d\d-\d\d:\d\d:\d\d", "DATE", text)
    text = re.sub(r"Runtime: [\d.]+s", "Runtime: Ts", text)
    text = re.sub(r"in [\d.e-]+ ms \| Average inference time: [\d.e-]+ ms", "in T ms", text)
    text = re.sub(r"Command: \S+", "Command: polygraphy", text)
    return [line for line in text.splitlines()
            if not any(re.search(pattern, line) for pattern in (COLOUR_NOTE, *drop))]


@unittest.skipUnless(PEER, "PG_PEER_PYTHON names no Python with Polygraphy 0.53")
class SideBySide(unittest.TestCase):
    maxDiff = None
    ours_only = ()  # patterns of lines that one side has by design
    peer_only = ()
    prelude = ""

    def prepare(self, folder):
        """Writes what the command lines read."""

    def folders(self):
        pair = [Path(tempfile.mkdtemp(prefix=prefix)) for prefix in ("pg-ours-", "pg-peer-")]
        for folder in pair:
            self.addCleanup(subprocess.run, ["rm", "-r", str(folder)], check=False)
            self.prepare(folder)
        return pair

    def check_lines(self, lines, files=True):
        mine, other = self.folders()
        self.check_answers(lines, peers_batch([(other, line) for line in lines], self.prelude), mine)
        if files:
            self.check_files(mine, other)

    def check_answers(self, lines, answers, mine):
        for line, (rc, out, err) in zip(lines, answers):
            with self.subTest(line=line):
                our_rc, our_out, our_err = ours(line, mine)
                self.assertEqual(clean(our_out, self.ours_only), clean(out, self.peer_only), our_err + err)
                self.assertEqual(our_rc, rc, our_err + err)

    def check_files(self, mine, other):
        names = sorted(str(path.relative_to(other)) for path in other.rglob("*") if path.is_file())
        self.assertEqual(sorted(str(path.relative_to(mine)) for path in mine.rglob("*") if path.is_file()), names)
        for name in names:
            a, b = Path(mine, name).read_bytes(), Path(other, name).read_bytes()
            if a == b:
                continue
            if name.endswith(".onnx"):
                self.check_models(Path(mine, name), Path(other, name))
                continue
            if name.endswith(".json"):
                a, b = self.without_times(a), self.without_times(b)
            self.assertEqual(a, b, name)

    @staticmethod
    def without_times(text):
        return re.sub(rb'"runtime": [\d.e-]+|\d\d/\d\d/\d\d-\d\d:\d\d:\d\d', b"", text)

    def check_models(self, mine, other):
        """The same messages and weights; where the weights lie may differ."""
        code, out, err = execute([PEER, "-c", COMPARE_MODELS, str(mine), str(other)], mine.parent)
        self.assertEqual((code, out), (0, ""), f"{mine.name}: {out}{err}")


class Scripts(SideBySide):
    """Tables of command lines; each entry is a script in a folder of its own. One process of the peer answers all of them."""

    scripts = {}

    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix="pg-scripts-")
        cls.addClassCleanup(shutil.rmtree, cls.root)
        jobs = []
        for number, lines in enumerate(cls.scripts.values()):
            for side in ("pg-ours-x", "pg-peer-x"):
                folder = Path(cls.root, str(number), side)
                folder.mkdir(parents=True)
                cls.prepare(cls, folder)
            jobs += [(Path(cls.root, str(number), "pg-peer-x"), line) for line in lines]
        answers = iter(peers_batch(jobs, cls.prelude)) if jobs else iter(())
        cls.answers = [[next(answers) for _ in lines] for lines in cls.scripts.values()]

    @classmethod
    def add_scripts(cls, scripts):
        """Makes a test of each script."""
        cls.scripts = scripts
        for number, (title, lines) in enumerate(scripts.items()):
            setattr(cls, "test_" + re.sub(r"\W+", "_", title), cls.one_script(number, lines))
        print(f"{cls.__name__}: {sum(map(len, scripts.values()))} invocations")

    @staticmethod
    def one_script(number, lines):
        def test(self):
            mine, other = (Path(self.root, str(number), side) for side in ("pg-ours-x", "pg-peer-x"))
            self.check_answers(lines, self.answers[number], mine)
            self.check_files(mine, other)
        return test
