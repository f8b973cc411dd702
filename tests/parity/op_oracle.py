"""Single-node models on ONNX Runtime, written as cases for tests/tools/node_cases.

Run with a Python that has numpy, onnx and onnxruntime:

    python op_oracle.py NODE_CASES MODULE [PATTERN ...]

MODULE is a file beside this one with a function `cases(add)`, which calls

    add(name, op_type, inputs, attributes, n_outputs=1, domain="", opset=..., rtol=..., atol=..., extra=...)

once per case. Inputs are arrays, or None for an omitted one. What ONNX Runtime answers is the expectation; a case
that it refuses is an error of the test, unless the case says `refused=True`: then it must be refused here as well.
With `expected=[...]` the case knows its answer, for operators that ONNX Runtime does not have. An input that is a pair
(keys, values) is a map; an output that is a pair (keys, rows of values) is a sequence of maps.
"""
import fnmatch
import importlib
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

ort.set_default_logger_severity(4)


def element_type(array):
    return TensorProto.STRING if array.dtype.kind in "OUS" else helper.np_dtype_to_tensor_dtype(array.dtype)


def build(case):
    inputs, names = [], []
    for i, array in enumerate(case["inputs"]):
        names.append("" if array is None else f"in{i}")
        if isinstance(array, tuple):
            keys, values = (element_type(part) for part in array)
            inputs.append(helper.make_value_info(f"in{i}", helper.make_map_type_proto(
                keys, helper.make_tensor_type_proto(values, None))))
        elif array is not None:
            # The runtime's own operators may ask for known dims.
            dims = list(array.shape) if case["domain"] == "com.microsoft" else [None] * array.ndim
            inputs.append(helper.make_tensor_value_info(f"in{i}", element_type(array), dims))
    outputs = [f"out{i}" for i in range(case["n_outputs"])]
    node = helper.make_node(case["op_type"], names, outputs, name="node", domain=case["domain"], **case["attributes"])
    opsets = [helper.make_opsetid("", case["base_opset"])]
    if case["domain"]:
        opsets.append(helper.make_opsetid(case["domain"], case["opset"]))
    graph = helper.make_graph([node], "graph", inputs, [onnx.ValueInfoProto(name=name) for name in outputs])
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def tensor_of(name, array):
    array = np.asarray(array)
    if array.dtype.kind in "OUS":
        return helper.make_tensor(name, TensorProto.STRING, array.shape, [str(s).encode() for s in array.ravel()])
    return numpy_helper.from_array(array, name)


def write_value(folder, name, value):
    """Writes the file of a value and answers its kind, as case.txt names it. Maps are sequences of keys and values."""
    if isinstance(value, tuple):
        proto = onnx.SequenceProto(elem_type=onnx.SequenceProto.TENSOR)
        proto.tensor_values.extend([tensor_of("", part) for part in value])
    else:
        proto = tensor_of(name, value)
    with open(os.path.join(folder, name + ".pb"), "wb") as file:
        file.write(proto.SerializeToString())
    return "map" if isinstance(value, tuple) else "tensor"


def run_reference(model, case):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feed = {f"in{i}": a
            for i, a in enumerate(case["inputs"]) if a is not None}
    feed = {name: dict(zip(value[0].tolist(), value[1].tolist())) if isinstance(value, tuple) else value
            for name, value in feed.items()}
    return [maps_of(result) for result in session.run(None, feed)]


def maps_of(result):
    if not isinstance(result, list) or not isinstance(result[0], dict):
        return result
    keys = np.array(list(result[0]), dtype=object if isinstance(next(iter(result[0])), str) else np.int64)
    return keys, np.array([[row[key] for key in keys] for row in result], np.float32)


def write_case(root, case):
    model = build(case)
    folder = os.path.join(root, case["name"])
    os.makedirs(folder)
    onnx.save(model, os.path.join(folder, "model.onnx"))
    try:
        results = run_reference(model, case) if case["expected"] is None else case["expected"]
        refusal = None
    except Exception as error:
        results, refusal = [], error
    lines = [f"rtol {case['rtol']}", f"atol {case['atol']}"]
    for i, array in enumerate(case["inputs"]):
        if array is not None:
            lines.append(f"input {write_value(folder, f'in{i}', array)} in{i} in{i}.pb")
    for i, array in enumerate(results):
        kind = write_value(folder, f"out{i}", array)
        lines.append(f"output {'maps' if kind == 'map' else kind} out{i} out{i}.pb")
    with open(os.path.join(folder, "case.txt"), "w") as file:
        file.write("\n".join(lines) + "\n")
    return refusal


def judge(case, refusal, outcome):
    """None, or what is wrong with a case; `outcome` is the line of node_cases, which prints none for what passes."""
    kind = outcome.split()[0] if outcome else "pass"
    if (refusal is not None) != case["refused"]:
        return f"{case['name']}: ONNX Runtime: {refusal or 'accepted'}"
    if case["refused"]:
        return None if kind in ("FAIL", "unsupported") else f"{case['name']}: expected to be refused, {kind}"
    return outcome


def main():
    tool, module, patterns = sys.argv[1], sys.argv[2], sys.argv[3:] or ["*"]
    wanted, names = [], set()

    def add(name, op_type, inputs, attributes=None, n_outputs=1, domain="", opset=1, base_opset=21, rtol=1e-5, atol=1e-6,
            refused=False, expected=None):
        assert name not in names, name
        names.add(name)
        if any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            wanted.append(dict(name=name, op_type=op_type, inputs=inputs, attributes=attributes or {},
                               n_outputs=n_outputs, domain=domain, opset=opset, base_opset=base_opset, rtol=rtol, atol=atol,
                               refused=refused, expected=expected))

    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    importlib.import_module(module).cases(add)
    with tempfile.TemporaryDirectory(prefix="op-cases-") as root:
        root = os.environ.get("PG_KEEP_OP_CASES", root)
        refusals = [write_case(root, case) for case in wanted]
        done = subprocess.run([tool, "-d", root], capture_output=True, text=True)
        outcomes = {line.split()[1].rstrip(":"): line for line in done.stdout.splitlines()[:-1]}
        wrong = [judge(case, refusal, outcomes.get(case["name"])) for case, refusal in zip(wanted, refusals)]
        wrong = [text for text in wrong if text]
        print("\n".join(wrong + [f"{len(wanted) - len(wrong)} of {len(wanted)} cases agree"]))
        return len(wrong) != 0 or done.returncode not in (0, 1) or not wanted


if __name__ == "__main__":
    sys.exit(main())
