"""Single-node models on ONNX Runtime, written as cases for tests/tools/node_cases.

Run with a Python that has numpy, onnx and onnxruntime:

    python op_oracle.py NODE_CASES MODULE [PATTERN ...]

MODULE is a file beside this one with a function `cases(add)`, which calls

    add(name, op_type, inputs, attributes, n_outputs=1, domain="", opset=..., rtol=..., atol=..., extra=...)

once per case. Inputs are arrays, or None for an omitted one. What ONNX Runtime answers is the expectation; a case
that it refuses is an error of the test, unless the case says `refused=True`: then it must be refused here as well.
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
        if array is not None:
            inputs.append(helper.make_tensor_value_info(f"in{i}", element_type(array), [None] * array.ndim))
    outputs = [f"out{i}" for i in range(case["n_outputs"])]
    node = helper.make_node(case["op_type"], names, outputs, name="node", domain=case["domain"], **case["attributes"])
    opsets = [helper.make_opsetid("", case["base_opset"])]
    if case["domain"]:
        opsets.append(helper.make_opsetid(case["domain"], case["opset"]))
    graph = helper.make_graph([node], "graph", inputs, [onnx.ValueInfoProto(name=name) for name in outputs])
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def write_tensor(folder, name, array):
    path = os.path.join(folder, name + ".pb")
    array = np.asarray(array)
    if array.dtype.kind in "OUS":
        tensor = helper.make_tensor(name, TensorProto.STRING, array.shape, [str(s).encode() for s in array.ravel()])
    else:
        tensor = numpy_helper.from_array(array, name)
    with open(path, "wb") as file:
        file.write(tensor.SerializeToString())


def run_reference(model, case):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feed = {f"in{i}": a.astype(object) if a.dtype.kind in "US" else a
            for i, a in enumerate(case["inputs"]) if a is not None}
    return session.run(None, feed)


def write_case(root, case):
    model = build(case)
    folder = os.path.join(root, case["name"])
    os.makedirs(folder)
    onnx.save(model, os.path.join(folder, "model.onnx"))
    try:
        results = run_reference(model, case)
        refusal = None
    except Exception as error:
        results, refusal = [], error
    lines = [f"rtol {case['rtol']}", f"atol {case['atol']}"]
    for i, array in enumerate(case["inputs"]):
        if array is not None:
            write_tensor(folder, f"in{i}", array)
            lines.append(f"input tensor in{i} in{i}.pb")
    for i, array in enumerate(results):
        write_tensor(folder, f"out{i}", array)
        lines.append(f"output tensor out{i} out{i}.pb")
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
            refused=False):
        assert name not in names, name
        names.add(name)
        if any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            wanted.append(dict(name=name, op_type=op_type, inputs=inputs, attributes=attributes or {},
                               n_outputs=n_outputs, domain=domain, opset=opset, base_opset=base_opset, rtol=rtol, atol=atol,
                               refused=refused))

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
