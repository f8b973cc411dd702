"""Combinations of options beside Polygraphy 0.53: functions of comparison, thresholds, averages, statistics, saved accuracy,
inputs of every kind, outputs chosen, folders, files of several runs, what is printed of saved data. Text, files and exit
statuses are the same; what one side has by design is listed in run_cases.py, with reasons."""

import unittest
from pathlib import Path

import sidebyside
from run_cases import OURS_ONLY, PEER_ONLY, SCRIPTS, models
from support import bytes_field, model, node, number_field, value_info, weight

F32, U8, I8, I32, I64, BOOL, F16, F64 = 1, 2, 3, 6, 7, 9, 10, 11


def int_attribute(name, number):
    return bytes_field(5, bytes_field(1, name) + number_field(3, number) + number_field(20, 2))


def cast(source, target, elem):
    return node("Cast", [source], [target], f"to_{target}") + int_attribute("to", elem)


def more_models():
    """One model per question."""
    kinds = {"f16": F16, "f64": F64, "i32": I32, "i64": I64, "u8": U8, "i8": I8, "bool": BOOL}
    types = model([node("Identity", [f"in_{name}"], [f"out_{name}"], f"n_{name}") for name in kinds],
                  [value_info(f"in_{name}", [2, 3], elem) for name, elem in kinds.items()],
                  [value_info(f"out_{name}", [2, 3], elem) for name, elem in kinds.items()])
    scalar = model([node("Neg", ["x"], ["y"], "n")], [value_info("x", [])], [value_info("y", [])])
    long = model([node("Exp", ["x"], ["y"], "n")], [value_info("x", ["N", 200])], [value_info("y", ["N", 200])])
    deep = model([node("Relu", ["x"], ["t/0"], "a"), node("Neg", ["t/0"], ["t/1"], "b"), node("Exp", ["t/1"], ["u"], "c"),
                  node("Abs", ["u"], ["y"], "d")], [value_info("x", ["N", 4])], [value_info("y", ["N", 4])])
    pair = model([node("Add", ["a", "b"], ["sum"], "n_add"), node("Mul", ["a", "b"], ["product"], "n_mul")],
                 [value_info("a", ["N", 3]), value_info("b", ["N", 3])],
                 [value_info("sum", ["N", 3]), value_info("product", ["N", 3])])
    half = model([cast("x", "h", F16), cast("h", "y", F32)], [value_info("x", ["N", 5])], [value_info("y", ["N", 5])])
    turned = model([node("Transpose", ["x"], ["y"], "n")], [value_info("x", [2, 3])], [value_info("y", [3, 2])])
    straight = model([node("Identity", ["x"], ["y"], "n")], [value_info("x", [2, 3])], [value_info("y", [2, 3])])
    constant = model([node("Sub", ["w", "w"], ["z"], "zero"), node("Mul", ["x", "z"], ["y"], "n")], [value_info("x", [1, 3])],
                     [value_info("y", [1, 3])], [weight("w", [3], [1, 2, 3])])
    inverse = model([node("Reciprocal", ["x"], ["y"], "n")], [value_info("x", [2, 2])], [value_info("y", [2, 2])])
    return {"types.onnx": types, "scalar.onnx": scalar, "long.onnx": long, "deep.onnx": deep, "pair.onnx": pair,
            "half.onnx": half, "turned.onnx": turned, "straight.onnx": straight, "constant.onnx": constant,
            "inverse.onnx": inverse, "deep.model": deep}


SAVE_TWO = ["run two.onnx --onnxrt --save-outputs out.json"]
OTHER = "run two.onnx --onnxrt --load-outputs out.json --seed 2"
SAME = "run two.onnx --onnxrt --load-outputs out.json"
METRICS = ("l2", "cosine_similarity", "psnr", "snr", "distance_metrics", "quality_metrics")

LINES = {
    "functions": SAVE_TWO + [f"{OTHER} --compare {name}" for name in METRICS] + [f"{SAME} --compare {name}" for name in METRICS],
    "functions together": SAVE_TWO + [
        f"{OTHER} --compare simple l2", f"{SAME} --compare l2 simple psnr cosine_similarity snr", f"{OTHER} --compare-func l2 l2"],
    "thresholds": SAVE_TWO + [
        f"{OTHER} --compare l2 --l2-threshold 10", f"{OTHER} --compare l2 --l2-tolerance y:10 z:0.1",
        f"{OTHER} --compare cosine_similarity --cosine-similarity-threshold 0.5 z:0.999", f"{OTHER} --compare psnr --psnr-threshold 1",
        f"{OTHER} --compare snr --snr-tolerance y:1 40", f"{OTHER} --compare l2 psnr --l2-threshold nothing:1"],
    "thresholds of other functions": SAVE_TWO + [
        f"{SAME} --l2-threshold 1", f"{SAME} --compare l2 --rtol 1 --psnr-threshold 3", f"{SAME} --compare indices --atol 1"],
    "statistics": SAVE_TWO + [f"{OTHER} --check-error-stat {name}" for name in ("max", "mean", "median", "quantile", "elemwise")],
    "statistics by output": SAVE_TWO + [
        f"{OTHER} --check-error-stat y:max z:quantile --error-quantile 0.5", f"{OTHER} --check-error-stat quantile --error-quantile y:0.1 0.9",
        f"{OTHER} --check-error-stat max --atol 2 --rtol 0", f"{OTHER} --atol y:5 --rtol y:0 z:100 1e-3",
        f"{OTHER} --rel-tol 1 --abs-tol nothing:3"],
    "averages": ["run two.onnx --onnxrt --iters 3 --save-outputs out.json",
                 "run two.onnx --onnxrt --iters 3 --load-outputs out.json --check-average --check-error-stat max",
                 "run two.onnx --onnxrt --iters 3 --seed 5 --load-outputs out.json --check-average --check-error-stat mean",
                 "run two.onnx --onnxrt --iters 3 --seed 5 --load-outputs out.json --check-average --compare l2 psnr",
                 "run two.onnx --onnxrt --iters 3 --load-outputs out.json --check-average",
                 "run two.onnx --onnxrt --iters 3 --load-outputs out.json --check-average --compare indices",
                 "run two.onnx --onnxrt --iters 3 --load-outputs out.json --check-average --fail-fast --compare l2"],
    "saved accuracy": SAVE_TWO + [
        f"{OTHER} --compare l2 cosine_similarity --save-accuracy-results l2.json", "inspect data l2.json",
        "check accuracy l2.json --compare l2 --l2-threshold 100", "check accuracy l2.json --compare l2 cosine_similarity",
        "check accuracy l2.json --compare psnr", f"{OTHER} --check-error-stat max --save-accuracy-results max.json",
        "inspect data max.json -a", "check accuracy max.json --check-error-stat max --atol 100",
        "check accuracy max.json --check-error-stat mean --rtol y:100 z:0.001 --atol 0", "check accuracy max.json"],
    "average accuracy": ["run two.onnx --onnxrt --iters 2 --save-outputs out.json",
                         "run two.onnx --onnxrt --iters 2 --seed 3 --load-outputs out.json --compare l2 --save-accuracy-results a.json",
                         "check accuracy a.json --compare l2 --check-average", "check accuracy a.json --compare l2 --fail-fast"],
    "failures": SAVE_TWO + [f"{OTHER} --fail-fast --compare l2 simple", f"{OTHER} -q", f"{OTHER} -qqq", f"{OTHER} -qqqq"],
    "shapes that differ": ["run straight.onnx --onnxrt --save-outputs out.json", "run turned.onnx --onnxrt --load-outputs out.json",
                           "run turned.onnx --onnxrt --load-outputs out.json --no-shape-check",
                           "run turned.onnx --onnxrt --load-outputs out.json --compare l2"],
    "outputs of other names": ["run straight.onnx --onnxrt --save-outputs out.json", "run pair.onnx --onnxrt --load-outputs out.json --input-shapes a:[2,3] b:[2,3]",
                               "run deep.onnx --onnxrt --onnx-outputs u --load-outputs out.json -qq"],
    "infinities": ["run inverse.onnx --onnxrt --onnxrt --val-range [0,0]",
                   "run inverse.onnx --onnxrt --onnxrt --val-range [0,0] --infinities-compare-equal",
                   "run inverse.onnx --onnxrt --onnxrt --val-range [0,0] --validate --fail-fast",
                   "run inverse.onnx --onnxrt --onnxrt --val-range [0,0] --compare l2 cosine_similarity psnr snr"],
    "zeros": ["run constant.onnx --onnxrt --onnxrt", "run constant.onnx --onnxrt --onnxrt --compare cosine_similarity psnr snr"],
    "indices": ["run long.onnx --onnxrt --save-outputs out.json --postprocess top-5",
                "run long.onnx --onnxrt --seed 3 --load-outputs out.json --postprocess top-5 --compare indices --index-tolerance 2",
                "run long.onnx --onnxrt --seed 3 --load-outputs out.json --postprocess y:top-5 --compare indices --index-tolerance y:200",
                "run long.onnx --onnxrt --load-outputs out.json --postprocess top-3,axis=0 --compare indices"],
    "types": ["run types.onnx --onnxrt --onnxrt", "run types.onnx --onnxrt --save-inputs in.json --save-outputs out.json --seed 4",
              "run types.onnx --onnxrt --load-inputs in.json --load-outputs out.json",
              "run types.onnx --onnxrt --val-range [-3,3] in_u8:[0,200] in_f16:[0.5,0.75] --save-inputs ranges.json",
              "run types.onnx --onnxrt --load-outputs out.json --val-range [0,5] --iters 2", "inspect data ranges.json -s",
              "inspect data out.json --histogram"],
    "scalars": ["run scalar.onnx --onnxrt --onnxrt --save-outputs out.json --save-inputs in.json", "inspect data out.json -s --histogram",
                "run scalar.onnx --onnxrt --load-inputs in.json --load-outputs out.json --compare simple l2"],
    "long rows": ["run long.onnx --onnxrt --onnxrt --input-shapes x:[3,200] --save-outputs out.json", "inspect data out.json -s",
                  "inspect data out.json -s -n 1", "inspect data out.json -s -n -1", "inspect data out.json -s --line-width 40",
                  "inspect data out.json -s --line-width -1 -n 6", "inspect data out.json --histogram -a"],
    "files of several runs": ["run pair.onnx --onnxrt --onnxrt --save-outputs two.json --iters 2",
                              "run pair.onnx --onnxrt --seed 2 --save-outputs one.json --iters 2", "run --load-outputs two.json one.json",
                              "run --load-outputs one.json one.json --compare l2 --iters 2", "inspect data two.json -a",
                              "run pair.onnx --onnxrt --load-outputs two.json --iters 2 --rtol 1",
                              "run pair.onnx --load-outputs two.json --onnx-outputs sum"],
    "several inputs": ["run pair.onnx --onnxrt --save-inputs a.json --iters 2", "run pair.onnx --onnxrt --save-inputs b.json --seed 9",
                       "run pair.onnx --onnxrt --onnxrt --load-inputs a.json b.json", "data concat a.json b.json -o ab.json",
                       "run pair.onnx --onnxrt --load-input-data ab.json --save-results all.json --seed 3", "inspect data ab.json -a -s"],
    "folders of iterations": ["run pair.onnx --onnxrt --onnxrt --iters 3 --save-outputs out --save-inputs in", "inspect data out -a",
                              "run --load-outputs out", "run pair.onnx --onnxrt --load-inputs in --save-outputs out2",
                              "run --load-outputs out out2 --compare l2"],
    "paths that overlap": ["run pair.onnx --onnxrt --save-inputs a.json", "run pair.onnx --onnxrt --load-inputs a.json --save-inputs a.json"],
    "ranges by input": ["run pair.onnx --onnxrt --val-range a:[5,6] b:[-1,0] --save-inputs in.json", "inspect data in.json -s",
                        "run pair.onnx --onnxrt --val-range [2,3] b:[-1,0] --input-shapes a:[2,3] b:[2,3] --save-inputs in2.json",
                        "run pair.onnx --onnxrt --val-range c:[0,1]"],
    "shapes by wildcard": ["run pair.onnx --onnxrt --input-shapes *:[4,3] --save-inputs in.json", "inspect data in.json"],
    "outputs chosen": ["run deep.onnx --onnxrt --onnx-outputs t/* --save-outputs t.json", "run deep.onnx --onnxrt --onnx-outputs mark all",
                       "run deep.onnx --onnxrt --onnx-outputs * --onnx-exclude-outputs y u", "run deep.onnx --onnxrt --onnx-outputs t/0 nope* -qq",
                       "run deep.onnx --onnxrt --onnx-outputs-by-type neg EXP Foo -qq", "run deep.onnx --onnxrt --onnx-outputs u --save-onnx u.onnx -qq"],
    "model types": ["run deep.model --model-type onnx --onnxrt", "inspect model deep.model --model-type onnx",
                    "convert deep.model --model-type onnx -o copy.onnx"],
    "optimization levels": [f"run two.onnx --onnxrt --onnxrt --graph-optimization-level {name}"
                            for name in ("ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL")],
    "sequential": ["run pair.onnx --onnxrt --onnxrt --sequential-runners", "run pair.onnx --onnxrt --sequential-runners --warm-up 1 --iters 2",
                   "run pair.onnx --onnxrt --onnxrt --sequential-runners --save-outputs out --iters 2",
                   "run pair.onnx --onnxrt --sequential-runners --save-outputs out.json --save-inputs in --iters 2",
                   "run pair.onnx --onnxrt --onnxrt --sequential-runners --load-inputs in --load-outputs out.json"],
    "half precision": ["run half.onnx --onnxrt --onnxrt --onnx-outputs h y --save-outputs out.json", "inspect data out.json -s",
                       "run half.onnx --onnxrt --onnx-outputs h y --load-outputs out.json --seed 8 --compare simple l2"],
    "printing models": ["inspect model deep.onnx --show layers -q", "inspect model pair.onnx --show layers attrs weights",
                        "inspect model constant.onnx --show weights", "inspect model two.onnx --ignore-external-data"],
    "words that are wrong": ["run two.onnx --onnxrt --compare simple nonsense", "run two.onnx --onnxrt --seed abc", "inspect data",
                             "check accuracy", "convert two.onnx --convert-to caffe -o x", "data concat", "inspect model two.onnx --show all"],
    "no comparison": ["run two.onnx --onnxrt --compare l2 --save-accuracy-results a.json", "run two.onnx --onnxrt --rtol 1 --fail-fast"],
}


class Lines(sidebyside.Scripts):
    ours_only, peer_only = OURS_ONLY, PEER_ONLY

    def prepare(self, folder):
        for name, payload in {**models(), **more_models()}.items():
            Path(folder, name).write_bytes(payload)

    def test_count(self):
        count = sum(len(lines) for table in (LINES, SCRIPTS) for lines in table.values())
        print(f"{count} invocations with text, files and exit status are compared here and in test_run.py")
        self.assertGreaterEqual(count, 150)


Lines.add_scripts(LINES)

if __name__ == "__main__":
    unittest.main()
