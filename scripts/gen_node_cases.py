#!/usr/bin/env python3
"""Writes the ONNX standard's node test cases to a folder, for build/release/tests/tools/node_cases.

    python scripts/gen_node_cases.py [FOLDER]

Needs Python with the onnx wheel that the tests pin. Per case: model.onnx, input_<k>.pb, output_<k>.pb and
case.txt, whose lines are

    rtol 0.001
    atol 1e-07
    input tensor|sequence|optional|none NAME FILE
    output tensor|sequence|optional|none NAME FILE [RTOL ATOL]
"""

import os
import sys

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test import loader


def value_kind(type_proto):
    for kind in ("tensor", "sequence", "optional"):
        if type_proto.HasField(kind + "_type"):
            return kind
    return "tensor"


def to_message(value, kind, type_proto, name):
    if isinstance(value, onnx.TensorProto):
        return "tensor", value
    if kind == "optional":
        return "optional", numpy_helper.from_optional(value, name)
    if kind == "sequence":
        message = numpy_helper.from_list(value, name)
        if len(value) == 0:
            message.elem_type = onnx.SequenceProto.TENSOR
        return "sequence", message
    return "tensor", numpy_helper.from_array(np.asarray(value), name)


def write_side(folder, side, infos, values, lines):
    for k, (info, value) in enumerate(zip(infos, values)):
        kind, message = to_message(value, value_kind(info.type), info.type, info.name)
        file_name = f"{side}_{k}.pb"
        with open(os.path.join(folder, file_name), "wb") as file:
            file.write(message.SerializeToString())
        lines.append(f"{side} {kind} {info.name} {file_name}")


def main():
    default = os.path.expanduser(f"~/.cache/polygraphy-c/node-cases-{onnx.__version__}")
    root = sys.argv[1] if len(sys.argv) > 1 else default
    np.random.seed(0)
    written, skipped = 0, []
    for case in loader.load_model_tests(kind="node"):
        folder = os.path.join(root, case.name)
        os.makedirs(folder, exist_ok=True)
        lines = [f"rtol {case.rtol}", f"atol {case.atol}"]
        try:
            inputs, outputs = case.data_sets[0]
            write_side(folder, "input", case.model.graph.input, inputs, lines)
            write_side(folder, "output", case.model.graph.output, outputs, lines)
        except Exception as error:  # a value the wheel itself cannot serialise
            skipped.append(f"{case.name}: {type(error).__name__}: {error}")
            continue
        with open(os.path.join(folder, "model.onnx"), "wb") as file:
            file.write(case.model.SerializeToString())
        with open(os.path.join(folder, "case.txt"), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        written += 1
    print(f"{written} cases in {root}")
    for line in skipped:
        print(f"skipped {line}")


if __name__ == "__main__":
    main()
