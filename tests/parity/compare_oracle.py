"""Runs under a Python with Polygraphy 0.53: makes result files for the named cases in the folder argv[1] and prints,
as JSON, each case's arguments and what Polygraphy printed and returned. One process is forked per case, so that the
imports are paid once."""

import io
import json
import os
import sys

import numpy as np
from polygraphy.comparator import RunResults
from polygraphy.comparator.struct import IterationResult
from polygraphy.logger import G_LOGGER

f32, f64, f16, i32, i64, u8, u64 = np.float32, np.float64, np.float16, np.int32, np.int64, np.uint8, np.uint64
RNG = np.random.default_rng(5)
CASES = {}


def array(*values, t=f32):
    return np.array(values, t)


def grid(rows, columns, t=f32):
    return np.arange(rows * columns, dtype=t).reshape(rows, columns)


def case(name, a, b, args=""):
    """a and b: an array (one output, one iteration), or a list of iterations that map names to arrays."""
    CASES[name] = (a if isinstance(a, list) else [{"y": a}], b if isinstance(b, list) else [{"y": b}], args)


def small_cases():
    near = array(1, 2, 3, 4), array(1, 2.001, 3, 0)
    for level in ("", "-v", "-vv", "-vvv", "-q", "-qqq"):
        case(f"fails {level}", near[0].reshape(2, 2), near[1].reshape(2, 2), level)
        case(f"passes {level}", near[0], near[0], level)
    case("nan", array(1, np.nan, 3), array(1, np.nan, 3))
    case("inf", array(1, np.inf, 3), array(1, np.inf, 3), "-v")
    case("equal inf", array(1, np.inf, 3), array(1, np.inf, 3), "--infinities-compare-equal")
    case("equal inf fails", array(1, -np.inf, 3), array(1, -np.inf, 4), "--infinities-compare-equal")
    case("equal inf f64", array(1, np.inf, t=f64), array(2, np.inf, t=f64), "--infinities-compare-equal")
    case("equal inf i32", array(1, 7, t=i32), array(2, 7, t=i32), "--infinities-compare-equal")
    case("opposite inf", array(np.inf), array(-np.inf), "--infinities-compare-equal")
    case("types", array(1, 2, 3), array(1, 2, 4, t=f64))
    case("int and float", array(1, 2, 3, t=i32), array(1, 2, 4))
    case("i32", array(1, 2, 0, t=i32), array(1, 0, 0, t=i32))
    case("i64 wraps", array(2**63 - 1, 2, t=i64), array(-5, 2, t=i64))
    case("i32 and i64", array(7, 2, t=i32), array(5, 2, t=i64))
    case("u8", array(1, 255, t=u8), array(255, 1, t=u8))
    case("i8 wraps", array(-100, 100, 3, t=np.int8), array(100, -100, 3, t=np.int8))
    case("u32", array(1, 2**32 - 1, t=np.uint32), array(3, 5, t=np.uint32))
    case("u64 wraps", array(1, 5, t=u64), array(2, 5, t=u64))
    case("u64 and i64", array(1, 5, t=u64), array(2, 5, t=i64))
    case("bool", array(1, 0, 1, t=bool), array(1, 1, 1, t=bool))
    case("bool passes", array(1, 0, 1, t=bool), array(1, 0, 1, t=bool))
    case("bool and int", array(1, 0, 1, t=bool), array(1, 1, 1, t=i32))
    case("bool and float", array(1, 0, 1, t=bool), array(1, 1, 0.5))
    case("float and bool", array(1, 1, 0.5), array(1, 0, 1, t=bool))
    case("f16", array(1, 2, 3.5, t=f16), array(1, 2.01, 3.5, t=f16))
    case("f16 validate", array(1, 2, 3.5, t=f16), array(1, 2, 3.5, t=f16), "--validate -v")
    case("empty", np.zeros((0, 3), f32), np.zeros((0, 3), f32))
    case("empty mean", np.zeros((0, 3), f32), np.zeros((0, 3), f32), "--check-error-stat mean")
    case("empty verbose", np.zeros((0, 3), f32), np.zeros((0, 3), f32), "-v")
    case("scalar", np.array(1.5, f32), np.array(1.25, f32), "-vvv")


def option_cases():
    a, b = array(1, 2, 3, 4), array(1, 2, 3, 4.5)
    for stat in ("max", "mean", "median", "quantile", "elemwise"):
        case(f"stat {stat}", a, b, f"--check-error-stat {stat}")
    case("quantile", a, b, "--check-error-stat quantile --error-quantile 0.5")
    case("quantile by name", a, b, "--check-error-stat y:quantile max --error-quantile 0.25 y:0.999 -q")
    two = {"y": array(1), "z": array(1)}, {"y": array(2), "z": array(1.5)}
    case("tolerances", [two[0]], [two[1]], "--atol y:1 z:0.1 --rtol 1e-3 q:2")
    case("whole tolerances", [two[0]], [two[1]], "--atol 1 --rtol 0")
    case("large tolerances", [two[0]], [two[1]], "--atol 1e22 --rtol 123456789.25")
    case("fail fast", [two[0], two[0]], [two[1], two[0]], "--fail-fast")
    case("iterations", [two[0], two[0], two[1]], [two[1], two[0]])
    case("iterations sequential", [two[0], two[0], two[1]], [two[1], two[0]], "--sequential-runners")
    case("shapes", array(1, 2, 3), array(1, 2, 3, 4))
    case("shapes twice", [{"y": array(1), "z": array(1)}], [{"y": array(1, 2), "z": array(1, 2)}])
    case("permuted", grid(2, 3), grid(2, 3).T.copy(), "--no-shape-check")
    case("permuted fails", grid(2, 3), grid(3, 2), "--no-shape-check -vv")
    case("permuted 3d", np.arange(24, dtype=f32).reshape(2, 3, 4), np.arange(24, dtype=f32).reshape(4, 3, 2),
         "--no-shape-check")
    case("reshaped", grid(2, 3), grid(2, 3).reshape(6), "--no-shape-check")
    case("reshaped same rank", grid(2, 6), grid(3, 4), "--no-shape-check -vv")
    case("unit axes", grid(2, 3), grid(2, 3).reshape(1, 2, 3), "--no-shape-check")
    case("missing", [two[0]], [{"y": array(1)}])
    case("extra", [{"y": array(1)}], [two[0]])
    case("alike", [{"out": array(1), "z": array(2)}], [{"OUT_1": array(1), "q": array(2)}])
    case("partner has its own", [{"out": array(1), "z": array(2)}], [{"z": array(1), "out_3": array(2)}], "-v")
    case("taken", [{"y": array(1), "long_y": array(2)}], [{"y": array(1)}], "-v")
    case("nothing in common", [{"y": array(1)}], [{}])
    case("validate", array(1, 2), array(1, 2), "--validate")
    case("validate nan", array(1, np.nan), array(1, 1), "--validate")
    case("validate inf", array(1, np.inf), array(1, 1), "--validate -vv")
    case("validate nan verbose", array(1, np.nan), array(1, 1), "--validate -vv")
    case("validate sequential", array(1, np.nan), array(1, np.inf), "--validate --sequential-runners")


def index_cases():
    case("indices", array(0, 1, 2, t=i64), array(1, 0, 2, t=i64), "--compare indices")
    case("indices within", array(0, 1, 2, t=i64), array(1, 0, 2, t=i64), "--compare indices --index-tolerance 1")
    case("indices missing", array(0, 1, 2, t=i64), array(0, 2, 3, t=i64), "--compare indices --index-tolerance y:1")
    case("indices shapes", array(0, 1, 2, t=i64), array(0, 2, t=i64), "--compare indices")
    case("indices of floats", array(0, 1, 2.5), array(0, 2.5, 7), "--compare indices")
    case("indices rows", array(0, 1, 2, 3, 4, 5, t=i64).reshape(2, 3), array(0, 2, 1, 5, 4, 3, t=i64).reshape(2, 3),
         "--compare indices --index-tolerance 1")
    case("indices fail fast", array(0, 1, 2, 3, t=i64), array(3, 2, 1, 0, t=i64), "--compare indices --fail-fast")
    case("indices empty", np.zeros((2, 0), i64), np.zeros((2, 0), i64), "--compare indices")
    case("both functions", array(0, 1, 2, t=i64), array(1, 0, 2, t=i64), "--compare simple indices")
    case("top-k", array(3, 1, 2, 7, np.nan), array(3, 1, 2, np.nan, 7.5), "--postprocess top-3 --compare indices")
    case("top-k axis", grid(2, 3), grid(2, 3), "--postprocess y:top-1,axis=0")
    case("top-k ties", array(1, 1, 0, 0, 2), array(1, 1, 0, 0, 2), "--postprocess top-9 -v")
    case("top-k u8", array(0, 3, 200, 3, t=u8), array(0, 3, 200, 3, t=u8), "--postprocess top-4 -v")


def large_cases():
    for n in (101, 1000, 8193, 100003, 300007):
        x = RNG.normal(size=n).astype(f32)
        case(f"normal {n}", x, (x * (1 + RNG.normal(size=n) * 1e-5)).astype(f32))
        case(f"normal {n} passes", x, x + f32(1e-7))
    relu = np.maximum(RNG.normal(size=100000), 0).astype(f32)
    case("relu", relu.reshape(10, 100, 100), (relu + (RNG.random(100000) < 0.01)).astype(f32).reshape(10, 100, 100))
    case("f16 large", relu.astype(f16), (relu * 1.001).astype(f16))
    case("f64 large", RNG.normal(size=70001), RNG.normal(size=70001))
    case("i32 large", RNG.integers(-99, 99, 70001).astype(i32), RNG.integers(-99, 99, 70001).astype(i32))
    case("i64 large", RNG.integers(-2**40, 2**40, 9000), RNG.integers(-2**40, 2**40, 9000))
    case("u8 large", RNG.integers(0, 256, 9000).astype(u8), RNG.integers(0, 256, 9000).astype(u8))
    case("bool large", RNG.random(9000) < 0.5, RNG.random(9000) < 0.5)
    case("mixed large", RNG.normal(size=9000).astype(f32), RNG.normal(size=9000))
    case("magnitudes", np.exp(RNG.normal(size=70001) * 20).astype(f32), np.exp(RNG.normal(size=70001) * 20).astype(f32))
    case("constant", np.full(70001, 1.7, f32), np.full(70001, 1.7000005, f32))
    case("ends of many mismatches", np.arange(2000, dtype=f32).reshape(2, 1000),
         np.arange(2000, dtype=f32).reshape(2, 1000) + f32(0.01), "-vvv")
    case("all mismatches shown", np.arange(400, dtype=f32), np.arange(400, dtype=f32) + f32(0.01), "-vvv")


def save(path, name, iterations):
    results = RunResults()
    results.append((name, [IterationResult(outputs=dict(outputs), runner_name=name, runtime=0.0)
                           for outputs in iterations]))
    results.save(path)


def run_case(words):
    """What Polygraphy prints and returns, from a child process."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(readable)
        os.dup2(writable, 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb"), write_through=True)
        from polygraphy.tools._main import main  # noqa: PLC0415
        sys.argv = ["polygraphy", *words]
        code = 1
        try:
            code = main()
        except SystemExit as stop:
            code = stop.code
        finally:
            sys.stdout.flush()
            os._exit(code if isinstance(code, int) else 0 if code is None else 1)
    os.close(writable)
    with os.fdopen(readable, encoding="utf-8") as stream:
        text = stream.read()
    return text, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main():
    folder = sys.argv[1]
    os.chdir(folder)
    with G_LOGGER.verbosity(G_LOGGER.CRITICAL):
        small_cases()
        option_cases()
        index_cases()
        large_cases()
        answers = {}
        for number, (name, (a, b, _)) in enumerate(CASES.items()):
            save(f"a{number}.json", "A", a)
            save(f"b{number}.json", "B", b)
    for number, (name, (_, _, args)) in enumerate(CASES.items()):
        words = ["run", "--load-outputs", f"a{number}.json", f"b{number}.json", *args.split()]
        text, code = run_case(words)
        answers[name] = {"words": words, "text": text, "code": code}
    json.dump(answers, sys.stderr)


if __name__ == "__main__":
    main()
