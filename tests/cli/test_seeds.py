"""Every command line of seeds.py, run by a shell as it stands on small models."""

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import seed_models
from seeds import SEEDS
from support import PROGRAM, polygraphy

VARIABLES = {"model": "models/first.onnx", "model_name": "first", "bs": "2", "precision": "fp32"}
RUNNERS = ("--onnxrt", "--trt", "--onnx", "--trt-engine")


def files_below(root):
    return {str(path.relative_to(root)) for path in Path(root).rglob("*") if path.is_file()}


HAS_ONNXRT = bool(os.environ.get("POLYGRAPHY_ONNXRUNTIME"))
needs_onnxrt = unittest.skipUnless(HAS_ONNXRT, "ONNX Runtime is not there")


class Seeds(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.base = tempfile.TemporaryDirectory(prefix="pg-seeds-")
        cls.addClassCleanup(cls.base.cleanup)
        Path(cls.base.name, "bin").mkdir()
        Path(cls.base.name, "bin", "polygraphy").symlink_to(os.path.abspath(PROGRAM))
        seed_models.make(Path(cls.base.name, "files"))
        cls.path = f"{cls.base.name}/bin:{os.environ['PATH']}"

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="pg-seed-")
        self.addCleanup(shutil.rmtree, self.root)
        # Files are replaced, never written into: links are copies.
        shutil.copytree(Path(self.base.name, "files"), self.root, dirs_exist_ok=True, copy_function=os.link)
        self.here = Path(self.root, "work", "here")

    def shell(self, line, given):
        """The line as the body of a loop, as some lines leave one."""
        for name, source in given.items():
            if name not in VARIABLES:
                (self.here / name).unlink()
                os.link(self.here / source, self.here / name)
        values = {**VARIABLES, **{k: v for k, v in given.items() if k in VARIABLES}}
        script = "for once in 1; do\n" + "".join(f"{k}={v}\n" for k, v in values.items()) + line + "\ndone"
        return subprocess.run(["bash", "-c", script], cwd=self.here, env={**os.environ, "PATH": self.path},
                              capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL)

    def check(self, line, expected):
        before = files_below(self.root)
        done = self.shell(line, expected["given"])
        told = f"{line}\nstdout:\n{done.stdout}\nstderr:\n{done.stderr}"
        self.assertEqual(done.returncode, expected["rc"], told)
        written = {os.path.relpath(Path(self.root, name), self.here) for name in files_below(self.root) - before}
        log = re.search(r"--log-file (\S+)", line)
        if log:
            self.assertIn(log.group(1), written)
            written.discard(log.group(1))
            told_too = (self.here / log.group(1)).read_text()
            self.assertRegex(told_too, "PASSED \\| Runtime|TensorRT|Saving engine")
        if expected["kind"] == "works":
            self.check_work(line, expected, done, written, told)
        else:
            self.assertEqual(written, set(), told)
            self.assertRegex(done.stderr, r"(?m)^\[!\] |: error: ", told)
            for part in expected["says"]:
                self.assertIn(part, done.stderr, told)

    def check_work(self, line, expected, done, written, told):
        for part in expected["says"]:
            self.assertIn(part, done.stdout, told)
        for name in expected["files"]:
            self.assertGreater((self.here / name).stat().st_size, 0, told)
        self.assertLessEqual(written, set(expected["files"]), told)
        words = shlex.split(line)
        runners = [word for word in words if word in RUNNERS]
        if words[1] == "run" and "--gen-script" not in words:
            started = re.findall(r"(\S+-runner-N\d+)-\S+ +\| Activating and starting inference", done.stdout)
            self.assertEqual(len(started), len(runners), told)
            self.assertEqual("Accuracy Summary" in done.stdout, len(runners) != 1 or "--load-outputs" in words, told)
            if expected["rc"] == 0:
                self.assertRegex(done.stdout, r"\[I\] .*PASSED \| Runtime: ", told)

    @needs_onnxrt
    def test_saved_outputs_hold_every_tensor(self):
        """What a line with --mark-all saves can be read again, tensor by tensor."""
        done = self.shell("polygraphy run model.onnx --onnxrt --trt --mark-all --save-outputs layer_outputs.json", {})
        self.assertEqual(done.returncode, 0, done.stderr)
        text = polygraphy("inspect", "data", "layer_outputs.json", cwd=self.here).out
        self.assertIn("==== Run Results (2 runners) ====", text)
        for name in ("conv1_output", "relu1_output", "conv2_output", "relu2_output", "intermediate", "output1", "output2",
                     "final_output"):
            self.assertEqual(text.count(f"{name} [dtype=float32"), 2, name)

    @needs_onnxrt
    def test_automatic_installation_has_no_effect(self):
        line = "polygraphy run model.onnx --onnxrt --trt"
        plain = self.shell(line, {})
        asked = self.shell("export POLYGRAPHY_AUTOINSTALL_DEPS=1; " + line, {})
        self.assertEqual((plain.returncode, asked.returncode), (0, 0), asked.stderr)
        self.assertEqual(len(plain.stdout.splitlines()), len(asked.stdout.splitlines()))

    def test_any_command_takes_the_options_of_the_last_document(self):
        for command in ("inspect model model.onnx", "inspect data inputs.json", "convert model.onnx -o out.onnx",
                        "data concat inputs.json inputs.json -o both.json"):
            with self.subTest(command=command):
                done = self.shell(f"polygraphy {command} --verbose --extra-verbose --log-file debug.log", {})
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual((self.here / "debug.log").read_text().splitlines(), done.stdout.splitlines())

    def test_differing_outputs_fail(self):
        """`inspect diff` answers by its status."""
        shutil.copy(self.here / "torch_outputs.json", self.here / "other.json")
        done = self.shell("polygraphy inspect diff expected.json other.json --rtol=1e-3", {})
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("FAILED | simple | Mismatched outputs: ['final_output']", done.stdout)
        done = self.shell("polygraphy inspect diff expected.json", {})
        self.assertEqual(done.returncode, 1)
        self.assertIn("two saved outputs are needed", done.stderr)

    @needs_onnxrt
    def test_models_that_no_runtime_takes_are_not_compatible(self):
        done = self.shell("polygraphy check compatibility custom.onnx --onnxrt --native", {})
        self.assertEqual(done.returncode, 1, done.stdout)
        for name in ("onnxrt", "native"):
            self.assertRegex(done.stdout, rf"\[E\] FAILED \| {name} \| .*CustomOp")
        self.assertIn("name one or more", self.shell("polygraphy check compatibility model.onnx", {}).stderr)
        self.assertIn("No TensorRT was found: the built-in engine stands in",
                      self.shell("polygraphy check compatibility model.onnx --trt", {}).stdout)


def make_test(line, expected):
    def test(self):
        if "--onnxrt" in line and expected["kind"] == "works" and not HAS_ONNXRT:
            self.skipTest("ONNX Runtime is not there")
        self.check(line, expected)
    return test


for number, (command_line, wanted) in enumerate(SEEDS):
    setattr(Seeds, f"test_line_{number:03}", make_test(command_line, wanted))

if __name__ == "__main__":
    unittest.main()
