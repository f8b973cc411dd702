"""Runs under a Python with Polygraphy 0.53: makes result files in the folder argv[1], runs each case's commands in its
subfolder "peer", and prints, as JSON, the commands and what Polygraphy printed and returned."""

import json
import os
import sys
import warnings

import numpy as np
from compare_oracle import array, f16, f32, f64, grid, i32, i64, run_case, save, u8, u64
from polygraphy.logger import G_LOGGER

warnings.simplefilter("ignore")
RNG = np.random.default_rng(11)
ALL = "--compare l2 cosine_similarity psnr snr"
CASES = []


def case(name, a, b, *commands):
    """a and b: an array (one output, one iteration), or a list of iterations that map names to arrays. {runs} stands for
    loading both; results are saved as acc.json."""
    CASES.append((name, a if isinstance(a, list) else [{"y": a}], b if isinstance(b, list) else [{"y": b}],
                  commands or [f"run {{runs}} {ALL} -q --save-accuracy-results acc.json"]))


def types():
    small = array(1, 2, 3, 4), array(1, 2.001, 3, 0)
    case("f32", *small)
    case("equal", small[0], small[0])
    case("zeros", array(0, 0), array(0, 0))
    case("one zero", array(0, 0), array(0, 1))
    case("other zero", array(1, 1), array(0, 0))
    case("negative peak", array(-1, -2), array(-1, -2.1))
    case("nan", array(1, np.nan, 3), array(1, 2, 3))
    case("nan there", array(1, 2, 3), array(1, np.nan, 3))
    case("inf", array(1, np.inf, 3), array(1, np.inf, 3))
    case("inf there", array(1, 2, 3), array(1, -np.inf, 3))
    case("f16", array(1, 2, 3.5, t=f16), array(1, 2.01, 3.5, t=f16))
    case("f64", array(1, 2, 3.5, t=f64), array(1, 2.01, 3.5, t=f64))
    case("i32", array(1, 2, 70000, t=i32), array(1, 0, 0, t=i32))
    case("i32 product wraps", array(70000, 3, t=i32), array(70001, 5, t=i32))
    case("i64 wraps", array(2**40, 2, t=i64), array(5, 2, t=i64))
    case("i32 and i64", array(7, 2, t=i32), array(5, 2, t=i64))
    case("u8", array(1, 255, t=u8), array(255, 1, t=u8))
    case("i8", array(-100, 100, 3, t=np.int8), array(100, -100, 3, t=np.int8))
    case("u32", array(1, 2**32 - 1, t=np.uint32), array(3, 5, t=np.uint32))
    case("u64", array(1, 5, t=u64), array(2, 5, t=u64))
    case("u64 and i64", array(1, 5, t=u64), array(2, 5, t=i64))
    case("bool and int", array(1, 0, 1, t=bool), array(1, 1, 1, t=i32))
    case("bool and float", array(1, 0, 1, t=bool), array(1, 1, 0.5))
    case("float and bool", array(1, 1, 0.5), array(1, 0, 1, t=bool))
    case("bool cosine", array(1, 0, 1, t=bool), array(1, 1, 0, t=bool),
         "run {runs} --compare cosine_similarity --save-accuracy-results acc.json")
    case("float and double", array(1, 2, 3), array(1, 2, 3.1, t=f64))
    case("int and float", array(1, 2, 3, t=i32), array(1, 2, 4.5))
    case("scalar", np.array(1.5, f32), np.array(1.25, f32))
    for n in (7, 8, 9, 127, 128, 129, 1000, 8192, 8193, 20000, 100003, 300007):
        x = RNG.normal(size=n).astype(f32)
        case(f"normal {n}", x, (x * (1 + RNG.normal(size=n) * 1e-3)).astype(f32))
    case("f16 large", RNG.normal(size=20001).astype(f16), RNG.normal(size=20001).astype(f16))
    case("f64 large", RNG.normal(size=30001), RNG.normal(size=30001))
    case("i32 large", RNG.integers(-9999, 9999, 30001).astype(i32), RNG.integers(-9999, 9999, 30001).astype(i32))
    case("i64 large", RNG.integers(-10**6, 10**6, 30001), RNG.integers(-10**6, 10**6, 30001))
    case("mixed large", RNG.normal(size=9000).astype(f32), RNG.normal(size=9000))
    case("bool large", RNG.random(9000) < 0.5, RNG.normal(size=9000).astype(f32))


def texts():
    near = array(1, 2, 3, 4), array(1, 2.001, 3, 4.5)
    for level in ("-v", "-vv", "-vvv", "", "-q", "-qq", "-qqq"):
        case(f"level {level}", *near, f"run {{runs}} --compare distance_metrics quality_metrics simple {level}")
    case("aliases", *near, "run {runs} --compare distance_metrics l2 cosine_similarity quality_metrics psnr -q")
    case("thresholds", *near, "run {runs} --compare l2 psnr snr --l2-threshold 1 --psnr-threshold y:20 q:3 100 "
                              "--snr-threshold 1e1 --save-accuracy-results acc.json -q")
    case("tolerance spellings", *near, "run {runs} --compare l2 psnr snr --l2-tolerance 1 --psnr-tol 20 "
                                       "--snr-tolerance 5 -q")
    case("near the threshold", array(0, 0), array(3, 4), "run {runs} --compare l2 --l2-threshold 4.9999999 -q",
         "run {runs} --compare l2 --l2-threshold 5 -q", "run {runs} --compare l2 --l2-threshold 5.0 -q")
    case("options of others", *near,
         "run {runs} --compare l2 --rtol 1 --index-tolerance 3 --psnr-threshold 2 --infinities-compare-equal -q",
         "run {runs} --l2-threshold 3 --snr-threshold 3 --cosine-similarity-threshold 1 --lpips-threshold 1 -q",
         "run {runs} --compare quality_metrics --l2-threshold 3 --atol 1 -q")
    case("shapes", array(1, 2, 3), array(1, 2, 3, 4), f"run {{runs}} {ALL} simple indices "
         "--save-accuracy-results acc.json", "check accuracy acc.json --compare l2",
         "check accuracy acc.json --check-error-stat max")
    case("permuted", grid(2, 3), grid(2, 3).T.copy(), f"run {{runs}} {ALL} simple --no-shape-check",
         f"run {{runs}} {ALL} --no-shape-check -vv")
    case("reshaped", grid(2, 3), grid(2, 3).reshape(6), f"run {{runs}} {ALL} --no-shape-check -v")
    case("fail fast", [{"y": array(1), "z": array(1)}], [{"y": array(2), "z": array(1.5)}],
         "run {runs} --compare l2 simple --fail-fast --save-accuracy-results acc.json")
    case("names", [{"out": array(1), "z": array(2)}], [{"OUT_1": array(1), "q": array(2)}],
         "run {runs} --compare l2 simple --save-accuracy-results acc.json")
    case("nothing in common", [{"y": array(1)}], [{}], "run {runs} --compare l2")


def averages():
    first = [{"y": array(1, 2, 3), "z": grid(2, 3)} for _ in range(3)]
    second = [{"y": array(1, 2, 3) + f32(i * 1e-3), "z": grid(2, 3) + f32(0.5 - i / 4)} for i in range(3)]
    case("average", first, second,
         "run {runs} --compare l2 psnr --check-average --l2-threshold 1 y:2e-3 --save-accuracy-results acc.json",
         "run {runs} --compare simple l2 --check-error-stat mean z:max --check-average --atol 1e-2 --rtol 1 -q",
         "run {runs} --compare cosine_similarity simple --check-error-stat quantile --check-average -q",
         "check accuracy acc.json --compare l2", "check accuracy acc.json --compare psnr --check-average",
         "check accuracy acc.json --compare l2 psnr --check-average --l2-threshold z:9 0.1",
         "inspect data acc.json", "inspect data acc.json --all")
    case("average refused", first, second, "run {runs} --check-average",
         "run {runs} --check-average --check-error-stat y:max", "run {runs} --check-average --fail-fast --compare l2",
         "run {runs} --check-average --compare indices", "run {runs} --check-average --compare l2 indices",
         "run {runs} --check-average --compare simple l2 --check-error-stat mean z:elemwise")
    odd = [second[0], {"y": array(1, 2), "z": grid(2, 3)}, second[2]]
    case("average without numbers", first, odd, "run {runs} --compare l2 --check-average -q")
    case("judged again", first, second,
         f"run {{runs}} {ALL} simple --save-accuracy-results acc.json -q",
         "check accuracy acc.json --compare l2 --l2-threshold 1",
         "check accuracy acc.json --compare l2 psnr --l2-threshold 1 y:1e-9 --psnr-threshold 50 "
         "--save-accuracy-results again.json",
         "check accuracy again.json --compare psnr --psnr-threshold 1",
         "check accuracy acc.json --check-error-stat max --atol 1 --rtol y:1",
         "check accuracy acc.json --check-error-stat mean z:median --atol 0.1",
         "check accuracy acc.json --check-error-stat quantile", "check accuracy acc.json --atol 1",
         "check accuracy acc.json --check-average --atol 1",
         "check accuracy acc.json --compare quality_metrics --check-average --psnr-threshold 40 --snr-threshold 60",
         "check accuracy acc.json --check-error-stat mean --check-average --atol 1",
         "check accuracy acc.json --compare perceptual_metrics", "check accuracy acc.json --compare l2 -q",
         "check accuracy acc.json --compare l2 -qqq", "check accuracy acc.json --compare l2 --rtol 3",
         "inspect data acc.json", "inspect data acc.json -a")
    case("statistics", first, second,
         "run {runs} --check-error-stat quantile y:mean z:median --rtol 1 --save-accuracy-results acc.json -q",
         "check accuracy acc.json --check-error-stat quantile --atol 1",
         "check accuracy acc.json --check-error-stat quantile y:max --atol 1 z:0.01 --rtol 1e-3 "
         "--save-accuracy-results again.json", "inspect data again.json")


def main():
    folder = sys.argv[1]
    os.makedirs(os.path.join(folder, "peer"))
    os.chdir(os.path.join(folder, "peer"))
    answers = []
    with G_LOGGER.verbosity(G_LOGGER.CRITICAL):
        types()
        texts()
        averages()
        for number, (_, a, b, _) in enumerate(CASES):
            save(f"../a{number}.json", "A", a)
            save(f"../b{number}.json", "B", b)
    for number, (name, _, _, commands) in enumerate(CASES):
        folder = f"case{number}"
        os.mkdir(folder)
        os.chdir(folder)
        for command in commands:
            words = command.format(runs=f"--load-outputs ../../a{number}.json ../../b{number}.json").split()
            text, code = run_case(words)
            answers.append({"name": name, "folder": folder, "words": words, "text": text, "code": code})
        os.chdir("..")
    json.dump(answers, sys.stderr)


main()
