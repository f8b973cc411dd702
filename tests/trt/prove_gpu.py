#!/usr/bin/env python3
"""Runs engines of TensorRT-RTX on a GPU and compares them with ONNX Runtime; the last lines are a table.

    tests/trt/prove_gpu.py --models FOLDER --loop TRT_LOOP --bench FOLDER --out FOLDER

FOLDER holds the models of scripts/fetch.py, --bench resnet50, encoder12, decoder6 and decoder24 of bench_models. The program is
$POLYGRAPHY_BIN; POLYGRAPHY_TENSORRT and POLYGRAPHY_ONNXRUNTIME name the libraries."""
import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
import support as cli  # noqa: E402

# model: shapes of its inputs
MODELS = {
    "ocrdet": ["x:[1,3,320,320]"], "ocrrec": ["x:[2,3,48,320]"], "ocrcls": ["x:[2,3,48,48]"],
    "magika": ["bytes:[2,2048]"], "nmp": ["serving_default_input_2:0:[1,43844,1]"], "pnet": ["input_1:[1,60,80,3]"],
    "rnet": ["input_2:[2,24,24,3]"], "onet": ["input_3:[2,48,48,3]"], "vadseq": ["input:[5,576]"], "vadstatic": [],
}
LOOPS = (("resnet50", "x=1x3x224x224", 500), ("resnet50", "x=32x3x224x224", 200), ("encoder12", "x=1x128x768", 300),
         ("encoder12", "x=32x128x768", 100), ("decoder24", "ids=1x128", 200), ("decoder24", "ids=32x128", 50))
# types written into a model: option, model of --bench, shape, statistic of the difference, at most (outputs of encoder12 reach 16,
# where a unit in the last place of float16 is 1/64)
TYPES = (("--fp16", "decoder6", "ids:[2,64]", "max", "0.01"), ("--bf16", "decoder6", "ids:[2,64]", "max", "0.05"),
         ("--int8", "decoder6", "ids:[2,64]", "mean", "0.1"), ("--fp16", "encoder12", "x:[2,64,768]", "max", "0.0625"),
         ("--bf16", "resnet50", "x:[2,3,224,224]", "mean", "0.05"))


class Proof:
    def __init__(self, arguments):
        self.models, self.out = Path(arguments.models), Path(arguments.out)
        self.loop, self.bench = arguments.loop, Path(arguments.bench)
        self.rows, self.count = [], 0
        self.out.mkdir(parents=True, exist_ok=True)

    def run(self, *words, rc=0, program=cli.PROGRAM):
        self.count += 1
        start = time.time()
        done = subprocess.run([program, *map(str, words)], cwd=self.out, capture_output=True, text=True, timeout=300,
                              check=False)
        text = f"$ {' '.join(map(str, words))}\n{done.stdout}{done.stderr}exit status {done.returncode}, {time.time() - start:.1f} s\n\n"
        with open(self.out / "log.txt", "a", encoding="utf-8") as log:
            log.write(text)
        if done.returncode != rc:
            raise AssertionError(f"exit status {done.returncode}: {(done.stderr or done.stdout)[-600:]}")
        return done.stdout + done.stderr

    def check(self, title, function, *arguments):
        start = time.time()
        try:
            told = function(*arguments) or ""
            row = ("ok", title, told)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            row = ("FAILED", title, str(error).replace("\n", " ")[:500])
        self.rows.append(row)
        print(f"{row[0]:6} {row[1]:34} {time.time() - start:5.1f} s  {row[2]}", flush=True)

    # ---- One model ----

    def accuracy(self, name, shapes):
        words = ["--input-shapes", *shapes] if shapes else []
        out = self.run("run", self.models / f"{name}.onnx", "--trt", "--onnxrt", *words, "--atol", "1e-2", "--save-engine",
                       f"{name}.engine", "--save-inputs", f"{name}.in.json", "--save-outputs", f"{name}.out.json",
                       "--validate")
        errors = [float(value) for value in re.findall(r"elemwise error \| \[abs=([^\]]+)\]", out)]
        return f"largest difference {max(errors):.3g} of {len(errors)} output(s)"

    def reloaded(self, name):
        out = self.run("run", f"{name}.engine", "--trt", "--load-inputs", f"{name}.in.json", "--save-outputs",
                       f"{name}.again.json")
        assert "Loading bytes from" in out
        self.run("inspect", "diff", f"{name}.out.json", f"{name}.again.json", "--atol", "1e-2")
        self.run("run", self.models / f"{name}.onnx", "--onnxrt", "--trt-engine", f"{name}.engine", "--load-inputs",
                 f"{name}.in.json", "--atol", "1e-2")
        return "from its file, and beside ONNX Runtime"

    def inspected(self, name):
        plain = self.run("inspect", "model", f"{name}.engine")
        full = self.run("inspect", "model", f"{name}.engine", "--show", "layers", "attrs")
        count = int(re.search(r"---- (\d+) Layer\(s\) ----", plain).group(1))
        assert len(re.findall(r"^ +Layer \d+ +\| .* \[Op: .+\]$", full, re.M)) == count, "layers are missing"
        assert "Tactic = " in full and "dtype=float32" in full
        return f"{count} layers, {re.search(r'Device Memory: (.*)', plain).group(1)}"

    # ---- Features ----

    def profiles(self):
        model = self.models / "pnet.onnx"
        two = ["--trt-min-shapes", "input_1:[1,24,24,3]", "--trt-opt-shapes", "input_1:[1,48,48,3]", "--trt-max-shapes",
               "input_1:[2,96,96,3]", "--trt-min-shapes", "input_1:[1,100,100,3]", "--trt-opt-shapes",
               "input_1:[1,120,120,3]", "--trt-max-shapes", "input_1:[1,200,200,3]"]
        self.run("convert", model, "-o", "two.engine", *two)
        self.run("run", model, "--onnxrt", "--trt-engine", "two.engine", "--input-shapes", "input_1:[2,96,96,3]", "--atol", "1e-2")
        self.run("run", model, "--onnxrt", "--trt-engine", "two.engine", "--input-shapes", "input_1:[1,150,150,3]", "--atol",
                 "1e-2", "--optimization-profile", "1")
        out = self.run("run", "two.engine", "--trt", "--input-shapes", "input_1:[1,150,150,3]", rc=1)
        assert "has shape (1, 150, 150, 3), which profile 0 of the engine does not hold: min=(1, 24, 24, 3)" in out, out
        out = self.run("run", "two.engine", "--trt", "--optimization-profile", "2", rc=1)
        assert "has profiles 0 to 1, not 2" in out, out
        return "two profiles; a shape outside is refused"

    def debug_tensors(self):
        model, shapes = self.models / "pnet.onnx", ["--input-shapes", "input_1:[1,60,80,3]"]
        out = self.run("run", model, "--trt", "--mark-debug", "p_re_lu/add:0", "-v", *shapes)
        if "TensorRT-RTX 1.6.1 did not report 'p_re_lu/add:0'" in out:
            return "the library accepts the tensor and does not report it: there is a warning"
        assert "p_re_lu/add:0 [dtype=float32, shape=(1, 10, 58, 78)]" in out, out[-400:]
        return "the tensor is among the outputs"

    def unfused_tensors(self):
        out = self.run("run", self.models / "pnet.onnx", "--trt", "--mark-unfused-tensors-as-debug-tensors", "--input-shapes",
                       "input_1:[1,60,80,3]")
        found = len(re.findall(r"\[dtype=\w+, shape=", out[out.index("Inference Output(s)"):])) - 2
        assert found > 0, "only the outputs"
        return f"{found} tensors beside the outputs"

    def layer_times(self):
        out = self.run("run", self.models / "ocrcls.onnx", "--trt", "--profile", "3", "--iterations", "5", "--input-shapes",
                       "x:[2,3,48,48]")
        assert re.search(r"3 of \d+ layers by mean time:\n +\d+\.\d{4} ms +\d", out), out[-600:]
        return re.search(r"3 of \d+ layers", out).group(0)

    def allocation(self):
        for strategy in ("static", "profile", "runtime"):
            self.run("run", self.models / "onet.onnx", "--trt", "--onnxrt", "--allocation-strategy", strategy, "--input-shapes",
                     "input_3:[2,48,48,3]", "--atol", "1e-2")
        return "static, profile, runtime"

    def half(self):
        self.run("run", self.models / "ocrcls.onnx", "--trt", "--onnxrt", "--fp16", "--input-shapes", "x:[2,3,48,48]", "--atol",
                 "1e-2", "--rtol", "1e-2")
        return "--fp16 against float32, 1e-2"

    def types(self, option, name, shape, statistic, most):
        words = ["--val-range", "[0,4095]"] if name.startswith("decoder") else []
        out = self.run("run", self.bench / f"{name}.onnx", "--trt", "--onnxrt", option, "--input-shapes", shape, *words,
                       "--check-error-stat", statistic, "--atol", most, "--rtol", "0")
        assert "the types are written into the model" in out, out[-400:]
        found = re.search(rf"Absolute Difference \| Stats: .*?{statistic}=([^ ,]+)", out)
        return f"{statistic} difference {found[1]} against float32, {most} allowed"

    def refittable(self):
        """TensorRT-RTX 1.6.1 carries code for it that is newer than some drivers."""
        model = self.models / "ocrcls.onnx"
        done = subprocess.run([cli.PROGRAM, "convert", model, "-o", "refit.engine", "--refittable"], cwd=self.out, capture_output=True,
                              text=True, timeout=300, check=False)
        if done.returncode == 0:
            assert "Refittable" in self.run("inspect", "model", "refit.engine")
            return "built"
        assert "CUDA error 222" in done.stdout + done.stderr, done.stderr[-400:]
        return "the library cannot build it with this driver: CUDA error 222"

    def attributes(self):
        out = self.run("inspect", "model", self.models / "ocrcls.onnx", "--display-as", "trt", "--show", "layers", "attrs")
        return f"{len(re.findall(r'---- Attributes ----', out))} layers with attributes"

    def many_iterations(self):
        self.run("run", self.models / "rnet.onnx", "--trt", "--onnxrt", "--trt", "--iterations", "20", "--warm-up", "3",
                 "--input-shapes", "input_2:[2,24,24,3]", "--atol", "1e-2", "--sequential-runners")
        return "two runners of TensorRT in one process"

    def loops(self, name, shape, iterations):
        out = self.run(self.bench / f"{name}.onnx", iterations, shape, "--fp16", program=self.loop)
        return " | ".join(line for line in out.strip().splitlines() if "enqueue alone" in line or "1000 iter" in line)

    def all(self):
        for name, shapes in MODELS.items():
            self.check(f"{name}: against ONNX Runtime", self.accuracy, name, shapes)
        for name in MODELS:
            self.check(f"{name}: saved and loaded", self.reloaded, name)
        for name in ("pnet", "ocrdet", "vadstatic"):
            self.check(f"{name}: inspected", self.inspected, name)
        for title, function in (("profiles", self.profiles), ("debug tensors", self.debug_tensors), ("unfused tensors", self.unfused_tensors),
                                ("times of layers", self.layer_times), ("allocation", self.allocation),
                                ("float16", self.half), ("many iterations", self.many_iterations),
                                ("refittable", self.refittable), ("attributes", self.attributes)):
            self.check(title, function)
        for row in TYPES:
            self.check(f"types: {row[0]} {row[1]}", self.types, *row)
        for name, shape, iterations in LOOPS:
            self.check(f"loop {name} {shape}", self.loops, name, shape, iterations)
        failed = [row for row in self.rows if row[0] != "ok"]
        print(f"{len(self.rows) - len(failed)} of {len(self.rows)} ok")
        return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("models", "loop", "bench", "out"):
        parser.add_argument(f"--{name}", required=True)
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    return Proof(parser.parse_args()).all()


if __name__ == "__main__":
    sys.exit(main())
