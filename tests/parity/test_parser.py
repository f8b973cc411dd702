"""The command line of `run` beside Polygraphy 0.53: the same lines are accepted or refused, with the same exit status
and the same first words. Needs the peer (PG_PEER_PYTHON); differences that are meant are listed with their reason."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))
from support import polygraphy  # noqa: E402
from test_differences import PAGE, listed  # noqa: E402

PEER = os.environ.get("PG_PEER_PYTHON")

# One child answers for all lines: importing the peer takes most of a second.
PEER_SCRIPT = r"""
import contextlib, io, json, sys, traceback
from polygraphy.tools._main import main
from polygraphy.logger import G_LOGGER
for line in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["polygraphy"] + line
    G_LOGGER.module_severity = G_LOGGER.INFO
    G_LOGGER.once_logged.clear()
    G_LOGGER.timestamp = G_LOGGER.line_info = False
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            rc = main()
        except SystemExit as e:
            rc = e.code or 0
        except BaseException:
            traceback.print_exc()
            rc = 1
    print(json.dumps([rc, out.getvalue(), err.getvalue()]), file=sys.__stdout__, flush=True)
"""

# Lines that neither runs a model for: what counts is what the parser makes of them.
SAME = """
run
run -v
run -vvv
run -vvqq
run -q -q
run --silent
run --verb
run --verbosity
run --verbosity info
run --log-format timestamp line-info
run --log-format colors
run --log-format
run --bogus
run --bogus 3
run --bogus=3 x y
run -x
run -vx
run -v3
run --seed
run --seed x
run --seed 1.5
run --seed 1_000
run --seed -1_x
run --seed=7
run --seed= 7
run --see 3
run --iter 3
run --iterations 3
run --iters=3
run --val-range
run --val-range [0,1] x:[-1,1]
run --val-range -1
run --warm-up x
run --warm-up=
run --compare foo
run --compare simple indices
run --compare
run --load-inputs a --data-loader-script b
run --data-loader-script b --load-inputs a
run --save-tactics a --load-tactics b
run --precision-constraints obey --precision-constraints maybe
run --precision-constraints fast
run --allocation-strategy dynamic
run --data-loader-backend-module jax
run --model-type foo
run --model-type
run --rtol
run --rtol=1e-5
run --rtol -1e-5
run --quantile x
run --opset x
run --no
run --trt-
run --save
run --save-o
run --check
run --check-e
run --tf-outputs
run --gpu-memory-fraction many
run --fail-fast=1
run --silent=
run -h --bogus
run --help
run --hel
run --onnxrt
run a.onnx b.onnx
run a.onnx --bogus b.onnx
run --bogus -- --silent
run -- --silent
run --seed 1 -- a.onnx b.onnx
run --providers cpu -- --bogus x
run --rel-tol
run --onnxr
run --tensor-d
run --input-sh
run --extern
run --ext
run --external-data-size-threshold
run --save-external-data --save-external-data
run --pool-limit
run --tactic-sources
run --max-aux-streams 1.0
run --builder-optimization-level five
run --use
run --show
run --cosine
run --psnr-t
-v
--version
-h
--ver
--bogus

bogus
inspect
inspect bogus
inspect -v
check
surgeon
debug
data -h
run -- -v
""".strip("\n").split("\n")

# Where we differ on purpose: line, exit status of the peer, ours, reason.
DIFFERENT = listed(PAGE.read_text(), "Command lines", 4)


def ask_peer(lines):
    with tempfile.TemporaryDirectory(prefix="pg-peer-") as folder:
        done = subprocess.run([PEER, "-c", PEER_SCRIPT], input=json.dumps(lines), capture_output=True, text=True,
                              cwd=folder, timeout=600, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]


def last_error(text):
    """The message of argparse, without the usage before it and the suggestion after it."""
    errors = re.findall(r"(?m)^(polygraphy.*: error: .*)$", text)
    return errors[-1].split("; did you mean")[0] if errors else ""


def head(text):
    """The first line of the log that is not the peer's note on colours."""
    lines = [line for line in text.splitlines() if "'colored' module" not in line and line]
    return re.sub(r"Command: \S*polygraphy", "Command: polygraphy", lines[0]) if lines else ""


@unittest.skipUnless(PEER, "PG_PEER_PYTHON names no Python with Polygraphy 0.53")
class Parser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lines = [line.split() for line in SAME]
        cls.peer = ask_peer(cls.lines + [row[0].split() for row in DIFFERENT])
        assert len(cls.peer) == len(cls.lines) + len(DIFFERENT)

    def test_same_lines(self):
        for words, (rc, out, err) in zip(self.lines, self.peer):
            line = " ".join(words)
            if any(line == row[0] for row in DIFFERENT):
                continue
            with self.subTest(line=line), tempfile.TemporaryDirectory(prefix="pg-cli-") as folder:
                ours = polygraphy(*words, cwd=folder)
                if "is not available in this version" in ours.err:
                    # It was parsed; what would happen then is another system's business.
                    self.assertNotEqual(rc, 2, f"the peer says: {last_error(err)}")
                    self.assertEqual(ours.rc, 1)
                    continue
                self.assertEqual(ours.rc, rc, f"ours: {ours.out}{ours.err}\npeer: {out}{err}"[:4000])
                if rc == 2:
                    self.check_error(last_error(ours.err), last_error(err))
                elif "Unrecognized Options" in out:
                    self.assertEqual(head(ours.out), head(out))

    def check_error(self, mine, other):
        """The same words; where a command is looked for, ours may be more."""
        if " tools: " in other or " subtool: " in other:
            (mine, ours), (other, theirs) = ((text.partition("(choose")[0], set(re.findall(r"'([\w-]+)'", text)))
                                             for text in (mine, other))
            self.assertLessEqual(theirs, ours)
        self.assertEqual(mine, other)

    def test_differences_are_as_listed(self):
        for (line, peer_rc, our_rc, _), (rc, out, err) in zip(DIFFERENT, self.peer[len(self.lines):]):
            with self.subTest(line=line), tempfile.TemporaryDirectory(prefix="pg-cli-") as folder:
                self.assertNotEqual(peer_rc, our_rc)
                mine = polygraphy(*line.split(), cwd=folder)
                self.assertEqual((rc, mine.rc), (int(peer_rc), int(our_rc)), out + err + mine.out + mine.err)


if __name__ == "__main__":
    unittest.main()
