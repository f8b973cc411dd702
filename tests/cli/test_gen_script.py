"""run --gen-script: the programs do what the command does; what they cannot do is refused by name."""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import PROGRAM, ROOT, Case, polygraphy, relu_model

PEER = os.environ.get("PG_PEER_PYTHON")
ONNXRUNTIME = os.environ.get("POLYGRAPHY_ONNXRUNTIME")
INSTALLED = {}


def installed():
    """libpolygraphy, installed once."""
    if "prefix" not in INSTALLED:
        INSTALLED["folder"] = tempfile.TemporaryDirectory(prefix="pg-gen-")
        INSTALLED["prefix"] = INSTALLED["folder"].name
        done = subprocess.run(["make", "-s", "install", f"PREFIX={INSTALLED['prefix']}"], cwd=ROOT, capture_output=True,
                              text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)
    return INSTALLED["prefix"]


def tearDownModule():
    if "folder" in INSTALLED:
        INSTALLED["folder"].cleanup()


def outputs_of(path):
    """Arrays of a results file, by place; the runners' names hold the time."""
    return [[(i["outputs"]) for i in iterations] for _, iterations in json.loads(Path(path).read_text())["lst"]]


class Scripts(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "m.onnx").write_bytes(relu_model())
        (self.folder / "free.onnx").write_bytes(relu_model(("N", 3)))
        (self.folder / "inf.onnx").write_bytes(relu_model())

    def execute_c(self, rc):
        prefix = installed()
        lib = f"{prefix}/lib"
        done = subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", f"-I{prefix}/include", "-o", "p", "p.c", f"-L{lib}",
                               "-lpolygraphy"], cwd=self.folder, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = subprocess.run(["./p"], cwd=self.folder, env={**os.environ, "LD_LIBRARY_PATH": lib}, capture_output=True,
                              text=True, check=False, timeout=120)
        self.assertEqual(done.returncode, rc, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def execute_python(self, rc):
        self.assertTrue(os.access(self.folder / "p.py", os.X_OK))
        done = subprocess.run([PEER, "p.py"], cwd=self.folder, capture_output=True, text=True, check=False, timeout=300)
        self.assertEqual(done.returncode, rc, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def same(self, words, rc=0, languages=("c", "py")):
        """The command, then each language's program; the outputs saved to out.json are the same."""
        if "--onnxrt" in words and not ONNXRUNTIME:
            self.skipTest("needs ONNX Runtime (POLYGRAPHY_ONNXRUNTIME)")
        out = self.folder / "out.json"
        result = self.run_it("run", *words, rc=rc)
        expected = outputs_of(out) if out.exists() else None
        for language in languages:
            if language == "py" and not PEER:
                continue
            out.unlink(missing_ok=True)
            for name in ("in.json", "acc.json"):
                if f"--load-inputs {name}" not in " ".join(words):
                    (self.folder / name).unlink(missing_ok=True)
            written = self.run_it("run", *words, "--gen-script", f"p.{language}")
            self.assertNotIn("RUNNING", written.out)
            text = self.execute_c(rc) if language == "c" else self.execute_python(rc)
            if expected is not None:
                self.assertEqual(outputs_of(out), expected, language)
            for saved in ("in.json", "acc.json", "saved.onnx"):
                if saved in words:
                    self.assertTrue((self.folder / saved).exists(), f"{language}: {saved}")
            yield language, result, text

    def check(self, *words, rc=0, **more):
        return list(self.same(words, rc, **more))

    # ---- Both languages ----

    def test_one_runner(self):
        self.check("m.onnx", "--onnxrt", "--save-outputs", "out.json", "--save-inputs", "in.json", "--seed", "7",
                   "--iterations", "3", "--val-range", "x:[-2,2.5]")

    def test_two_runners_pass(self):
        self.check("m.onnx", "--onnxrt", "--onnxrt", "--save-outputs", "out.json", "--validate")

    def test_shapes_and_every_tensor(self):
        self.check("free.onnx", "--onnxrt", "--input-shapes", "x:[4,3]", "--onnx-outputs", "mark", "all",
                   "--save-outputs", "out.json", "--save-onnx", "saved.onnx")

    def test_chosen_outputs(self):
        self.check("m.onnx", "--onnxrt", "--onnx-outputs", "s", "y", "--onnx-exclude-outputs", "y", "--save-outputs",
                   "out.json", "--shape-inference", "--graph-optimization-level", "ort_disable_all")
        self.check("m.onnx", "--onnxrt", "--onnx-outputs-by-type", "Add", "--save-outputs", "out.json")

    def mismatch(self):
        """Files whose outputs differ by 0.1."""
        self.run_it("run", "m.onnx", "--native", "--val-range", "x:[0,1]", "--iterations", "2", "--save-outputs", "a.json")
        self.run_it("run", "m.onnx", "--native", "--val-range", "x:[0.1,1.1]", "--iterations", "2", "--save-outputs",
                    "b.json")

    def test_loaded_outputs_differ(self):
        self.mismatch()
        for language, _, text in self.check("--load-outputs", "a.json", "b.json", rc=1):
            self.assertIn("FAILED", text, language)
        self.check("--load-outputs", "a.json", "b.json", "--atol", "0.2", "--rtol", "0.5", "--save-accuracy-results",
                   "acc.json")
        self.check("--load-outputs", "a.json", "b.json", "--atol", "1e-6", "y:0.2")
        self.check("--load-outputs", "a.json", "b.json", "--atol", "0.2", "y:1e-6", rc=1)

    def test_every_function(self):
        self.mismatch()
        files = ("--load-outputs", "a.json", "b.json")
        self.check(*files, "--compare", "l2", "cosine_similarity", "psnr", "snr", "--l2-threshold", "1",
                   "--cosine-similarity-threshold", "0.5", "--psnr-threshold", "1", "--snr-threshold", "y:0.5")
        self.check(*files, "--compare", "l2", "--l2-threshold", "0.01", rc=1)
        self.check(*files, "--compare", "simple", "--check-error-stat", "max", "y:mean", "--atol", "0.2")
        self.check(*files, "--check-error-stat", "quantile", "--error-quantile", "0.5", "--atol", "0.2", "--rtol", "1")
        self.check(*files, "--check-average", "--check-error-stat", "max", "--atol", "0.2", "--rtol", "1")
        self.check(*files, "--postprocess", "top-2,axis=1", "--compare", "indices", "--index-tolerance", "2")
        self.check(*files, "--postprocess", "top-1", "y:top-3", "--compare", "indices", "--fail-fast")

    def test_loaded_inputs_and_warm_up(self):
        self.run_it("run", "m.onnx", "--native", "--iterations", "2", "--save-inputs", "in.json")
        self.check("m.onnx", "--onnxrt", "--load-inputs", "in.json", "--warm-up", "1", "--save-outputs", "out.json",
                   "--sequential-runners", "--validate")

    def test_awkward_names(self):
        path = 'a "b" \\ é\'*//*.onnx'.replace("/", "_")
        (self.folder / path).write_bytes(relu_model())
        self.check(path, "--onnxrt", "--save-outputs", "out.json", "-q")
        self.check("m.onnx", "--onnxrt", "--onnx-exclude-outputs", '*/', '/*', '"""*', "--save-outputs", "out.json")

    def test_python_on_standard_output(self):
        text = self.run_it("run", "m.onnx", "--onnxrt", "--gen-script", "-").out
        self.assertTrue(text.startswith("#!/usr/bin/env python3\n"), text)
        compile(text, "script", "exec")

    # ---- One language ----

    def test_native_engine_in_c(self):
        self.check("m.onnx", "--native", "--native-precision", "float64", "--save-outputs", "out.json", "--threads", "1",
                   languages=("c",))

    def test_float16_in_c(self):
        self.check("m.onnx", "--native", "--fp-to-fp16", "--save-onnx", "saved.onnx", "--save-outputs", "out.json",
                   languages=("c",))

    def test_log_of_the_python_script(self):
        for _, _, text in self.check("m.onnx", "--onnxrt", "--log-format", "no-colors", "--silent", languages=("py",)):
            self.assertNotIn("Inference Output", text)

    def test_tensorrt_in_python_needs_tensorrt(self):
        self.run_it("run", "m.onnx", "--trt", "--gen-script", "p.py")
        text = (self.folder / "p.py").read_text()
        compile(text, "p.py", "exec")
        if PEER:
            done = subprocess.run([PEER, "p.py"], cwd=self.folder, capture_output=True, text=True, check=False)
            self.assertIn("tensorrt", done.stdout + done.stderr)
            self.assertNotIn("ImportError: cannot import name", done.stdout + done.stderr)

    # ---- Refused ----

    def refused(self, script, *words):
        result = self.run_it("run", "m.onnx", *words, "--gen-script", script, rc=1)
        self.assertFalse((self.folder / script).exists())
        return result.out + result.err

    def test_refused_by_name(self):
        self.assertIn("'--native'", self.refused("p.py", "--native"))
        self.assertIn("write a C program", self.refused("p.py", "--native"))
        self.assertIn("'--trt'", self.refused("p.c", "--trt"))
        self.assertIn("'--save-heatmaps'", self.refused("p.c", "--native", "--save-heatmaps", "h"))
        self.assertIn("'--report'", self.refused("p.py", "--onnxrt", "--report", "r.html"))
        self.assertIn("'a.npz'", self.refused("p.py", "--onnxrt", "--load-outputs", "a.npz"))
        self.assertIn("runner:info", self.refused("p.py", "--onnxrt", "--verbosity", "runner:info"))

    def test_every_option_is_expressed_or_refused(self):
        """No option is given and then missing from the program without a word."""
        rows = [line.split("\t") for line in polygraphy("--dump-options").out.splitlines()]
        head = rows[0]
        seen, same = 0, []
        for row in rows[1:]:
            row = dict(zip(head, row + [""] * len(head)))
            if row["tool"] != "run" or row["missing"] or not row["flags"].startswith("-"):
                continue
            flag = row["flags"].split()[0]
            if flag in ("-v", "-q", "--gen", "--gen-script", "-h"):
                continue
            words = [flag] + self.value_of(row, flag)
            for script in ("p.py", "p.c"):
                (self.folder / script).unlink(missing_ok=True)
                base = ["run", "m.onnx", "--onnxrt"]
                result = polygraphy(*base, *words, "--gen-script", script, cwd=self.folder)
                with_flag = self.folder / script
                if result.rc != 0:
                    self.assertIn(flag, result.out + result.err, words)
                    continue
                text = with_flag.read_text()
                plain = polygraphy(*base, "--gen-script", script, cwd=self.folder)
                self.assertEqual(plain.rc, 0)
                body = lambda t: "\n".join(line for line in t.splitlines() if "polygraphy run" not in line)
                if flag not in WITHOUT_EFFECT.get(script, ()):
                    same += [f"{script}: {words}"] if body(text) == body(with_flag.read_text()) else []
                seen += 1
        self.assertEqual(same, [])
        self.assertGreater(seen, 60)

    def value_of(self, row, flag):
        if row["nargs"] == "0":
            return []
        if flag in VALUES:
            return VALUES[flag]
        if row["choices"]:
            return [row["choices"].split("|")[-1]]
        return {"int": ["1"], "float": ["1"]}.get(row["type"], ["1"])


VALUES = {"--compare": ["l2"], "--input-shapes": ["x:[1,3]"], "--val-range": ["[0,2]"], "--verbosity": ["warning"],
          "--postprocess": ["top-1"], "--check-error-stat": ["max"], "--graph-optimization-level": ["ORT_ENABLE_ALL"],
          "--load-inputs": ["in.json"], "--load-outputs": ["a.json"], "--onnx-outputs": ["y"], "--error-quantile": ["0.5"],
          "--external-data-size-threshold": ["1M"], "--model-type": ["onnx"], "--iterations": ["2"], "--seed": ["2"],
          "--warm-up": ["2"], "--warm-up-runs": ["2"], "--tolerance": ["auto"], "--data-loader-backend-module": ["numpy"]}
# Options that say what holds anyway, or that do something only together with another.
PLAIN = ("--model-type", "--data-loader-backend-module", "--no-onnxruntime-shape-inference", "--save-external-data",
         "--external-data-size-threshold", "--no-save-all-tensors-to-one-file")
NEEDS_COMPARE = ("--index-tolerance", "--l2-threshold", "--cosine-similarity-threshold", "--psnr-threshold",
                 "--snr-threshold")
WITHOUT_EFFECT = {
    "p.py": PLAIN + NEEDS_COMPARE + ("--check-average",),
    "p.c": PLAIN + ("--sequential-runners", "--check-average"),
}


if __name__ == "__main__":
    unittest.main()
