"""Runs the same command lines here and with Polygraphy 0.53, each in a folder of its own, and compares exit statuses,
logs and written files. What may differ is replaced first: dates, durations, the program's path."""

import os
import re
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


def execute(command, folder):
    env = {**os.environ}
    if PEER:
        env["VIRTUAL_ENV"] = str(Path(PEER).parent.parent)
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False,
                          stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def ours(line, folder):
    return execute([PROGRAM, *line.split()], folder)


def peers(line, folder, prelude=""):
    """`prelude` is Python that runs before the peer starts."""
    return execute([PEER, "-c", prelude + "\n" + PEER_MAIN, *line.split()], folder)


def clean(text, drop=()):
    text = re.sub(r"/\S*/pg-(ours|peer)-\w+/", "FOLDER/", text)
    text = re.sub(r"\d\d/\d\d/\d\d-\d\d:\d\d:\d\d", "DATE", text)
    text = re.sub(r"Runtime: [\d.]+s", "Runtime: Ts", text)
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
        for line in lines:
            with self.subTest(line=line):
                our_rc, our_out, our_err = ours(line, mine)
                rc, out, err = peers(line, other, self.prelude)
                self.assertEqual(clean(our_out, self.ours_only), clean(out, self.peer_only))
                self.assertEqual(our_rc, rc, our_err + err)
        if files:
            self.check_files(mine, other)

    def check_files(self, mine, other):
        names = sorted(str(path.relative_to(other)) for path in other.rglob("*") if path.is_file())
        self.assertEqual(sorted(str(path.relative_to(mine)) for path in mine.rglob("*") if path.is_file()), names)
        for name in names:
            a, b = Path(mine, name).read_bytes(), Path(other, name).read_bytes()
            if name.endswith(".onnx"):
                self.check_models(Path(mine, name), Path(other, name))
                continue
            if name.endswith(".json"):
                a, b = (re.sub(rb'"runtime": [\d.e-]+|\d\d/\d\d/\d\d-\d\d:\d\d:\d\d', b"", text) for text in (a, b))
            self.assertEqual(a, b, name)

    def check_models(self, mine, other):
        """The same messages and weights; where the weights lie may differ."""
        code, out, err = execute([PEER, "-c", COMPARE_MODELS, str(mine), str(other)], mine.parent)
        self.assertEqual((code, out), (0, ""), f"{mine.name}: {out}{err}")
