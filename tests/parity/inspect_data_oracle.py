"""Compares `inspect data` with the peer's, on files of inputs, results and accuracy results that the peer wrote. Runs under
the peer's Python:

    inspect_data_oracle.py PROGRAM

Prints differences and ends with status 1 when there are any."""
import contextlib
import io
import os
import subprocess
import sys
import tempfile
import warnings

import numpy as np
from polygraphy.comparator import (
    AccuracyResult,
    AccuracyResults,
    IterationResult,
    L2Result,
    OutputCompareResult,
    PerceptualMetricsResult,
    PsnrResult,
    RunResults,
)
from polygraphy.comparator.compare import L2Threshold, LpipsThreshold, PsnrThreshold, SimpleThreshold
from polygraphy.json import save_json
from polygraphy.logger import G_LOGGER
from polygraphy import tools as peer

PROGRAM = sys.argv[1]
FOLDER = tempfile.mkdtemp()
G_LOGGER.module_severity = G_LOGGER.WARNING
rng = np.random.default_rng(11)


def path(name):
    return os.path.join(FOLDER, name)


def arrays(count):
    shapes = [(3, 4), (), (5,), (2, 3, 4), (40, 40), (1, 1500), (2, 2, 2, 2)]
    types = ["float32", "float16", "float64", "int32", "int64", "int8", "uint8", "bool", "uint16"]
    made = {}
    for i in range(count):
        dtype, shape = types[i % len(types)], shapes[(i * 3 + count) % len(shapes)]
        x = rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 3)
        made[f"t{i}"] = np.asarray(x > 0 if dtype == "bool" else np.asarray(x * (1 if "float" in dtype else 10)).astype(dtype))
    return made


special = {
    "nan": np.array([[1, np.nan], [2, 3]], dtype=np.float32),
    "inf": np.array([1, -np.inf], dtype=np.float64),
    "same": np.full((2, 2), 7, dtype=np.int32),
    "negative zero": np.array([-0.0, -1], dtype=np.float32),
}
save_json([arrays(9)], path("inputs1.json"))
save_json([arrays(4), arrays(4), arrays(4)], path("inputs3.json"))
save_json([], path("inputs0.json"))
save_json(special, path("single.json"))

results = RunResults()
for name, count in (("onnxrt-runner-N0-11/21/26-08:14:32", 2), ("trt-runner-N0-1", 1), ("none", 0)):
    results.append((name, [IterationResult(arrays(5), runtime=0.25, runner_name=name) for _ in range(count)]))
results.save(path("results.json"))
RunResults().save(path("results0.json"))
os.makedirs(path("inputs_folder"))
for i in range(2):
    save_json(arrays(3), path(f"inputs_folder/{i:010}.json"))
os.makedirs(path("results_folder"))
for i in range(2):
    one = RunResults()
    one.append(("a", [IterationResult(arrays(2), runner_name="a")]))
    one.append(("runner b", [IterationResult(arrays(2), runner_name="runner b")]))
    one.save(path(f"results_folder/{i:010}.json"))


def simple(value, stat, passed=None, quantile=None):
    return OutputCompareResult(value, value * 2, value / 2, value, value / 3, value / 4, quantile, quantile,
                               SimpleThreshold(stat, 1e-3, 1e-3), passed)


first, second = AccuracyResult(), AccuracyResult(aggregation="average")
first[("r0", "r1")] = [
    {"y": simple(1e-4, "elemwise", True), "z": simple(0.5, "max"), "w": False},
    {"y": simple(0.1, "mean"), "z": simple(1e-5, "median"), "q": simple(1e-9, "quantile", None, 1e-4)},
]
first[("r1", "r2")] = [{"y": L2Result(1e-6, L2Threshold(1e-5)), "p": PsnrResult(float("inf"), PsnrThreshold(30.0))}]
second[("r0", "r1")] = [{"y": PsnrResult(12.5, PsnrThreshold(30.0)), "n": L2Result(float("nan"), L2Threshold(1.0)),
                         "l": PerceptualMetricsResult(None, LpipsThreshold(0.1))}]
AccuracyResults([first, second]).save(path("accuracy.json"))

G_LOGGER.module_severity = G_LOGGER.INFO
MODES = [[], ["-a"], ["-s"], ["--histogram"], ["-a", "-s", "--histogram"], ["-s", "-n", "1", "--line-width", "30"],
         ["-a", "-s", "-n", "-1", "--line-width", "-1"], ["-s", "-n", "0"], ["-s", "-n", "20", "--line-width", "200"]]


def theirs(args):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            code = peer.main(args) or 0
        except SystemExit as stop:
            code = stop.code
    return code, "".join(line for line in out.getvalue().splitlines(keepends=True) if "'colored' module" not in line)


def ours(args):
    done = subprocess.run([PROGRAM, *args], stdout=subprocess.PIPE, check=False)
    return done.returncode, done.stdout.decode()


failures = checks = 0
for name in sorted(os.listdir(FOLDER)):
    for mode in MODES:
        args = ["inspect", "data", path(name), *mode]
        expected, found = theirs(args), ours(args)
        checks += 1
        if found == expected:
            continue
        failures += 1
        print("----", name, *mode, "status", found[0], expected[0])
        for mine, other in zip(found[1].split("\n"), expected[1].split("\n")):
            if mine != other:
                print(f"ours: {mine!r}\npeer: {other!r}")
                break
print(f"{failures} difference(s) in {checks} outputs")
sys.exit(failures != 0)
