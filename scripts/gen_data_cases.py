#!/usr/bin/env python3
"""Lays out the small models with data that the onnx wheel ships (kinds simple, pytorch-operator and
pytorch-converted, mostly of opsets below 7) for build/release/tests/tools/node_cases -d FOLDER.

    python scripts/gen_data_cases.py [FOLDER]

Needs Python with the onnx wheel that the tests pin. The layout is that of scripts/gen_node_cases.py; each data
set of a model is a case.
"""

import glob
import os
import shutil
import sys

import onnx
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
    print(f"{written} cases in {root}")


if __name__ == "__main__":
    main()
