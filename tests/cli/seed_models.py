"""The files that the command lines of seeds.py name: small models, saved inputs and outputs, tactic replays. Each case
runs in the folder `here`, two folders below the one that holds the tutorial's `models`."""

import json
import shutil
import struct
from pathlib import Path

from support import bytes_field, model, node, number_field, polygraphy, value_info, weight


def ints_attribute(name, values):
    """An attribute of several integers."""
    return bytes_field(5, bytes_field(1, name) + b"".join(number_field(8, v) for v in values) + number_field(20, 7))


def conv(inputs, output, name):
    return node("Conv", inputs, [output], name) + ints_attribute("kernel_shape", [1, 1])


def kernel(name, outs, ins):
    return weight(name, [outs, ins, 1, 1], [((7 * i) % 11 - 5) / 8 for i in range(outs * ins)])


def picture_model(source="input", dims=("N", 3, "H", "W")):
    """Two convolutions and a head of two outputs; every shape of the documents fits its input."""
    nodes = [conv([source, "w1"], "conv1_output", "conv1"), node("Relu", ["conv1_output"], ["relu1_output"], "relu1"),
             conv(["relu1_output", "w2"], "conv2_output", "conv2"), node("Relu", ["conv2_output"], ["relu2_output"], "relu2"),
             node("GlobalAveragePool", ["relu2_output"], ["intermediate"], "pool"),
             node("Neg", ["intermediate"], ["output1"], "sensitive_layer"),
             node("Exp", ["output1"], ["output2"], "problematic_layer"),
             node("Add", ["output1", "output2"], ["final_output"], "last")]
    return model(nodes, [value_info(source, dims)], [value_info("final_output", ["N", 5, "h", "w"])],
                 [kernel("w1", 4, 3), kernel("w2", 5, 4)])


def softmax_model():
    return model([conv(["x", "w1"], "features", "conv1"), node("Softmax", ["features"], ["probabilities"], "softmax")],
                 [value_info("x", ["N", 3, 224, 224])], [value_info("probabilities", ["N", 4, 224, 224])],
                 [kernel("w1", 4, 3)])


def two_input_model():
    return model([node("Mul", ["image", "mask"], ["masked"], "n_mul"), node("Relu", ["masked"], ["out"], "n_relu")],
                 [value_info("image", ["N", 3, 224, 224]), value_info("mask", ["N", 1, 224, 224])],
                 [value_info("out", ["N", 3, 224, 224])])


def labelled_model():
    return model([node("Flatten", ["image"], ["flat"], "flatten"), node("Concat", ["flat", "labels"], ["all"], "join")
                  + bytes_field(5, bytes_field(1, "axis") + number_field(3, 1) + number_field(20, 2))],
                 [value_info("image", ["N", 3, 224, 224]), value_info("labels", ["N", 1000])],
                 [value_info("all", ["N", 151528])])


def external_model():
    """Weights in weights/large.bin; without --external-data-dir they would be looked for beside the model."""
    entries = b"".join(bytes_field(13, bytes_field(1, k) + bytes_field(2, v))
                       for k, v in (("location", "large.bin"), ("offset", "0"), ("length", "48")))
    w = number_field(1, 4) + number_field(1, 3) + number_field(1, 1) + number_field(1, 1) + number_field(2, 1)
    w += bytes_field(8, "w") + entries + number_field(14, 1)
    return model([conv(["input", "w"], "out", "conv")], [value_info("input", ["N", 3, "H", "W"])],
                 [value_info("out", ["N", 4, "H", "W"])], [w])


def big_model():
    """A weight of more than a megabyte."""
    return model([node("MatMul", ["input", "w"], ["out"], "n_mm")], [value_info("input", ["N", 600])],
                 [value_info("out", ["N", 600])], [weight("w", [600, 600], [0.5] * 360000)])


def custom_model():
    """One node that no standard has, between two that there are."""
    own = node("CustomOp", ["a"], ["b"], "own")
    return model([node("Relu", ["x"], ["a"], "before"), own, node("Neg", ["b"], ["y"], "after")],
                 [value_info("x", [1, 3])], [value_info("y", [1, 3])])


def replay(tactic):
    info = {"dtype": "DataType.FLOAT", "strides": [12, 4, 1], "vectorized_dim": -1, "components_per_element": 1,
            "polygraphy_class": "TensorInfo"}
    algorithm = {"implementation": 2147483648, "tactic": tactic, "inputs": [info], "outputs": [info],
                 "polygraphy_class": "Algorithm"}
    return json.dumps({"replay": {"conv1": algorithm}, "polygraphy_class": "TacticReplayData"})


def ask(folder, *words):
    done = polygraphy(*words, cwd=folder)
    if done.rc != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.out}{done.err}")


def make(root):
    """Everything below `root`; returns the working folder."""
    here = Path(root, "work", "here")
    for folder in ("models", "changed_models", "weights", "results", "engines"):
        (here / folder).mkdir(parents=True)
    Path(root, "models").mkdir()
    for name in ("model", "resnet50", "clean", "dynamic_model", "huge_model", "reduced", "models/first", "models/second",
                 "changed_models/first"):
        (here / f"{name}.onnx").write_bytes(picture_model())
    Path(root, "models", "ResNet-18.onnx").write_bytes(picture_model("x"))
    (here / "multi_input_model.onnx").write_bytes(two_input_model())
    (here / "large_model.onnx").write_bytes(external_model())
    (here / "weights" / "large.bin").write_bytes(struct.pack("<12f", *[i / 4 - 1 for i in range(12)]))
    (here / "image_labels.onnx").write_bytes(labelled_model())
    (here / "big.onnx").write_bytes(big_model())
    (here / "custom.onnx").write_bytes(custom_model())
    for name in ("resnet_def", "resnet_cfg", "resnet_custom", "generate_data", "custom_loader", "data_loader",
                 "calibration_data"):
        (here / f"{name}.py").write_text("# a script for the peer\n")
    for name, tactic in (("build1", 1), ("build2", 2), ("bad_tactics", 3)):
        (here / f"{name}.json").write_text(replay(tactic))
    (here / "softmax.onnx").write_bytes(softmax_model())
    pictures = ("--input-shapes", "x:[1,3,224,224]")
    ask(here, "convert", "softmax.onnx", "-o", "resnet_fp32.engine", *pictures)
    ask(here, "convert", "softmax.onnx", "-o", "resnet_fp16.engine", "--fp16", *pictures)
    ask(here, "run", "resnet_fp32.engine", "--trt", "--save-inputs", "input.json", "--save-outputs", "output.josn")
    for name in ("first", "second"):
        ask(here, "convert", f"models/{name}.onnx", "-o", f"engines/{name}.engine")
    ask(here, "convert", "model.onnx", "-o", "engines/tactics.engine", "--save-tactics", "tactics.cache")
    small = ("--input-shapes", "input:[1,3,4,4]")
    ask(here, "run", "model.onnx", "--native", *small, "--save-inputs", "inputs.json",
        "--save-outputs", "outputs.json")
    ask(here, "run", "../../models/ResNet-18.onnx", "--native", "--input-shapes", "x:[1,3,224,224]",
        "--save-inputs", "custom_inputs.json", "--save-outputs", "torch_outputs.json")
    ask(here, "run", "model.onnx", "--native", "--save-outputs", "fp32_baseline.json")
    shutil.copy(here / "inputs.json", here / "real_data.json")
    for name in ("expected", "actual", "onnxrt_outputs", "results/model_fp32", "results/model_fp16"):
        shutil.copy(here / "outputs.json", here / f"{name}.json")
    return here
