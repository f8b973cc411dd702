"""What test_run.py and test_lines.py share: models, lines that one side of a log has by design, and the command lines of
test_run.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))
from support import model, node, relu_model, value_info, weight  # noqa: E402

# Lines of one side only, with the reason.
OURS_ONLY = [
    r"^\[I\] +Worst Element: ",  # an addition: the element to look at
    r"^\[I\] +Output: \S+ \| \d+ (NaN|Inf|infinite)",  # an addition: how many, and where
    r"^\[I\] Loading input data from b\.json",  # all files are opened before the first iteration
    r"^ +Note: items requested were: ",
    r"^ +Note: no input has this name$",  # the peer prints two sets there, in any order
    r"^\[W\] Option: --fail-fast does nothing here",  # saved accuracy has one verdict per output
    r"^\[W\] Nothing was checked",  # the peer says nothing, and passes
    r"^\[E\] First NaN( or Inf from finite inputs)?: ",  # an addition: the node to look at
    r"^\[I\] Loading model: ",  # here before the runners start, there by each runner
    r"^\[I\] Loading (input data|inference results) from (in|out)\d*(/|$)",  # folders are opened as a whole
    r"^\[I\] \S+ +\| Latency of \d+ iterations: ",  # percentiles are an addition
]
PEER_ONLY = [
    r"^\[I\] Loading input data from b\.json",
    r"^\[I\] Loading model: ",
    r"^ +Note: items requested were: ",
    r"^\[W\] 'mark all' is deprecated",  # documents of all ages use it
    r"^\[I\] Loading (input data|inference results) from (in|out)\d*(/|$)",
    r"'colored' module is not installed",  # an optional package of the peer
    r"^\[W\] Saving streamed results to a single file accumulates every iteration in memory",  # inputs stream here
]


def models():
    two = model([node("MatMul", ["x", "w"], ["m"], "n_mm"), node("Relu", ["m"], ["y"], "n_relu"),
                 node("Neg", ["m"], ["z"], "n_neg")],
                [value_info("x", ["N", 3])], [value_info("y", ["N", 4]), value_info("z", ["N", 4])],
                [weight("w", [3, 4], [i / 10 - 0.4 for i in range(12)])])
    log = model([node("Log", ["x"], ["y"])], [value_info("x", [2, 3])], [value_info("y", [2, 3])])
    ids = model([node("Mul", ["a", "a"], ["y"])], [value_info("a", [2, 5], elem=7)], [value_info("y", [2, 5], elem=7)])
    return {"relu.onnx": relu_model(), "two.onnx": two, "log.onnx": log, "ids.onnx": ids}


# Each entry is a script of commands run in one folder.
SCRIPTS = {
    "one runner": ["run two.onnx --onnxrt"],
    "two runners": ["run two.onnx --onnxrt --onnxrt"],
    "two iterations": ["run two.onnx --onnxrt --onnxrt --iterations 2 --seed 7"],
    "sequential": ["run two.onnx --onnxrt --onnxrt --sequential-runners --iterations 3 --warm-up 2"],
    "ranges": ["run two.onnx --onnxrt --val-range [-2,2] --save-inputs in.json"],
    "integers": ["run ids.onnx --onnxrt --onnxrt --val-range [0,9] --save-inputs in.json --save-outputs out.json"],
    "shapes": ["run two.onnx --onnxrt --input-shapes x:[5,3] --save-inputs in.json"],
    "all outputs": ["run two.onnx --onnxrt --onnx-outputs * --save-outputs out.json"],
    "some outputs": ["run two.onnx --onnxrt --onnx-outputs m y", "run two.onnx --onnxrt --onnx-exclude-outputs z"],
    "outputs by type": ["run two.onnx --onnxrt --onnx-outputs-by-type matmul relu"],
    "save and load": ["run relu.onnx --onnxrt --save-inputs in.json --save-outputs out.json --iters 2",
                      "run relu.onnx --onnxrt --load-inputs in.json --load-outputs out.json",
                      "run --load-outputs out.json out.json"],
    "folders": ["run relu.onnx --onnxrt --save-inputs in --save-outputs out --save-input-blob raw --iters 2",
                "run relu.onnx --onnxrt --load-inputs in --load-outputs out"],
    "ragged": ["run relu.onnx --onnxrt --save-outputs out.json --iters 2",
               "run relu.onnx --onnxrt --iters 3 --load-outputs out.json",
               "run relu.onnx --onnxrt --iters 1 --load-outputs out.json"],
    "mismatch": ["run two.onnx --onnxrt --save-outputs out.json",
                 "run two.onnx --onnxrt --load-outputs out.json --seed 2",
                 "run two.onnx --onnxrt --load-outputs out.json --seed 2 --fail-fast",
                 "run two.onnx --onnxrt --load-outputs out.json --seed 2 --rtol 0 y:10 --atol 1 z:2.5",
                 "run two.onnx --onnxrt --load-outputs out.json --seed 2 --check-error-stat max z:mean"],
    "indices": ["run two.onnx --onnxrt --onnxrt --postprocess top-3 --compare indices",
                "run two.onnx --onnxrt --onnxrt --postprocess y:top-2,axis=1 --compare simple indices"],
    "validate": ["run relu.onnx --onnxrt --validate --iters 2",
                 "run log.onnx --onnxrt --validate --val-range [-1,0]",
                 "run log.onnx --onnxrt --validate --val-range [-1,0] --sequential-runners"],
    "verbosity": ["run relu.onnx --onnxrt --onnxrt -q", "run relu.onnx --onnxrt --onnxrt -qq",
                  "run relu.onnx --onnxrt --onnxrt -qqq"],
    "no runner": ["run relu.onnx", "run"],
    "providers": ["run relu.onnx --onnxrt --providers cpu"],
}
