"""Shape inference against onnx.shape_inference: on real models and on the standard's node test cases, everything that it knows is
known here and is the same."""

import os
import subprocess
import sys
import unittest
from pathlib import Path

try:
    import onnx
    from onnx import shape_inference
except ImportError as error:
    raise unittest.SkipTest(f"needs the onnx package of the peer's environment ({error})") from error

CACHE = Path(os.environ.get("PG_CACHE") or Path.home() / ".cache" / "polygraphy-c")
TOOL = Path(os.environ.get("PG_BUILD", "build/release")) / "tests" / "tools" / "list_shapes"


def ours(path):
    done = subprocess.run([TOOL, path], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None, done.stderr
    rows = {}
    for line in done.stdout.splitlines():
        name, elem, dims = line.split("\t")
        rows[name] = (elem, None if dims == "-" else dims.split(",") if dims else [])
    return rows, done.stderr


def theirs(path):
    model = onnx.load(path)
    try:
        inferred = shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # an invalid model: nothing to compare
        return {}
    rows = {}
    for info in list(inferred.graph.value_info) + list(inferred.graph.output):
        if not info.type.HasField("tensor_type"):
            continue
        tensor = info.type.tensor_type
        dims = None
        if tensor.HasField("shape"):
            dims = [str(d.dim_value) if d.HasField("dim_value") else d.dim_param or "?" for d in tensor.shape.dim]
        rows[info.name] = (onnx.TensorProto.DataType.Name(tensor.elem_type), dims)
    return rows


ELEM = {"FLOAT": "float32", "DOUBLE": "float64", "INT64": "int64", "INT32": "int32", "BOOL": "bool", "UINT8": "uint8",
        "INT8": "int8", "FLOAT16": "float16", "BFLOAT16": "bfloat16", "UINT16": "uint16", "INT16": "int16",
        "UINT32": "uint32", "UINT64": "uint64", "STRING": "object"}


def is_number(dim):
    return dim.lstrip("-").isdigit() and int(dim) >= 0


def differences(path):
    mine, problem = ours(path)
    if mine is None:
        return [problem]
    found = []
    for name, (elem, dims) in theirs(path).items():
        if not name:
            continue
        if name not in mine:
            found.append(f"{name}: unknown here, {elem} {dims} there")
            continue
        my_elem, my_dims = mine[name]
        if elem in ELEM and my_elem != ELEM[elem]:
            found.append(f"{name}: {my_elem} here, {elem} there")
        if dims is None:
            continue
        if my_dims is None or len(my_dims) != len(dims):
            found.append(f"{name}: {my_dims} here, {dims} there")
            continue
        for a, b in zip(my_dims, dims):
            if is_number(b) and a != b:
                found.append(f"{name}: {my_dims} here, {dims} there")
                break
    return found


class Shapes(unittest.TestCase):
    def check(self, paths):
        for path in paths:
            with self.subTest(path=path.parent.name + "/" + path.name):
                self.assertEqual(differences(path), [])

    def test_real_models(self):
        models = sorted((CACHE / "models").glob("*.onnx"))
        if not models:
            self.skipTest("the real models were not fetched")
        self.check(models)

    def test_wheel_models(self):
        models = sorted((CACHE / "onnx-data").rglob("model.onnx")) + sorted((CACHE / "onnx-data").rglob("light_*.onnx"))
        if not models:
            self.skipTest("the onnx wheel's models were not fetched")
        self.check(models)


if __name__ == "__main__":
    unittest.main()
