#!/usr/bin/env python3
"""Lays out the models with data that the onnx wheel ships (kinds simple, pytorch-operator and pytorch-converted, mostly of
opsets below 7, and the image networks of "light") for build/release/tests/tools/node_cases -d FOLDER.

    python scripts/gen_data_cases.py [FOLDER]

Needs Python with the onnx wheel that the tests pin. The layout is that of scripts/gen_node_cases.py; each data
set of a model is a case.
"""

import glob
import os
import shutil
import sys

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test import loader

from gen_node_cases import value_kind

KINDS = ("simple", "pytorch-operator", "pytorch-converted")


def write_case(folder, case, data, model):
    weights = {w.name for w in model.graph.initializer}
    sides = {
        "input": [i for i in model.graph.input if i.name not in weights],
        "output": list(model.graph.output),
    }
    lines = [f"rtol {case.rtol}", f"atol {case.atol}"]
    os.makedirs(folder, exist_ok=True)
    shutil.copyfile(os.path.join(case.model_dir, "model.onnx"), os.path.join(folder, "model.onnx"))
    for side, infos in sides.items():
        for k, info in enumerate(infos):
            file_name = f"{side}_{k}.pb"
            shutil.copyfile(os.path.join(data, file_name), os.path.join(folder, file_name))
            lines.append(f"{side} {value_kind(info.type)} {info.name} {file_name}")
    with open(os.path.join(folder, "case.txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def write_tensor(folder, file_name, array):
    with open(os.path.join(folder, file_name), "wb") as file:
        file.write(numpy_helper.from_array(array).SerializeToString())


def write_light_case(root, path):
    """A network whose weights are made by nodes; the wheel's own runner feeds it k/n for element k of n."""
    model = onnx.load(path)
    folder = os.path.join(root, os.path.basename(path).removesuffix(".onnx"))
    os.makedirs(folder, exist_ok=True)
    weights = {w.name for w in model.graph.initializer}
    lines = ["rtol 0.001", "atol 1e-07"]
    for k, info in enumerate(i for i in model.graph.input if i.name not in weights):
        shape = [d.dim_value for d in info.type.tensor_type.shape.dim]
        count = int(np.prod(shape))
        write_tensor(folder, f"input_{k}.pb", (np.arange(count).reshape(shape) / count).astype(np.float32))
        lines.append(f"input tensor {info.name} input_{k}.pb")
    for k, info in enumerate(model.graph.output):
        shutil.copyfile(path.removesuffix(".onnx") + f"_output_{k}.pb", os.path.join(folder, f"output_{k}.pb"))
        lines.append(f"output tensor {info.name} output_{k}.pb")
    shutil.copyfile(path, os.path.join(folder, "model.onnx"))
    with open(os.path.join(folder, "case.txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def main():
    default = os.path.expanduser(f"~/.cache/polygraphy-c/data-cases-{onnx.__version__}")
    root = sys.argv[1] if len(sys.argv) > 1 else default
    written = 0
    for kind in KINDS:
        for case in loader.load_model_tests(kind=kind):
            model = onnx.load(os.path.join(case.model_dir, "model.onnx"))
            for k, data in enumerate(sorted(glob.glob(os.path.join(case.model_dir, "test_data_set_*")))):
                name = case.name if k == 0 else f"{case.name}_{k}"
                write_case(os.path.join(root, name), case, data, model)
                written += 1
    light = os.path.join(os.path.dirname(loader.__file__), "..", "data", "light")
    for path in sorted(glob.glob(os.path.join(light, "*.onnx"))):
        write_light_case(root, path)
        written += 1
    print(f"{written} cases in {root}")


if __name__ == "__main__":
    main()
