"""The ONNX Runtime backend against ONNX Runtime's own Python package: the same bytes come out."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOL = Path(os.environ.get("PG_BUILD", ROOT / "build" / "release")) / "tests" / "tools" / "run_model"
FETCH = ROOT / "scripts" / "fetch.py"

# name: options that make up its inputs
MODELS = {
    "ocrdet": ["--shape", "x=1x3x320x320"],
    "ocrrec": ["--shape", "x=2x3x48x320"],
    "ocrcls": ["--shape", "x=2x3x48x192"],
    "vad": ["--shape", "input=1x576", "--shape", "state=2x1x128", "--fill", "sr=16000"],
    "vadop15": ["--shape", "input=1x576", "--shape", "state=2x1x128", "--fill", "sr=16000"],
    "vadseq": ["--shape", "input=5x576"],
    "vadstatic": [],
    "magika": ["--shape", "bytes=2x2048"],
    "nmp": [],
    "pnet": ["--shape", "input_1=1x60x80x3"],
    "rnet": ["--shape", "input_2=2x24x24x3"],
    "onet": ["--shape", "input_3=2x48x48x3"],
}

FAKE_RUNTIME = """
static const void *get_api(unsigned version) { (void)version; return 0; }
static const char *get_version(void) { return "%s"; }
static const struct { const void *(*a)(unsigned); const char *(*v)(void); } base = {get_api, get_version};
const void *OrtGetApiBase(void) { return &base; }
"""


def run(*arguments, **environment):
    command = [str(TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, **environment), check=False)


def peer():
    try:
        import numpy
        import onnx
        import onnxruntime
    except ImportError as error:
        raise unittest.SkipTest(f"this Python has no {error.name}: set PG_PEER_PYTHON") from None
    return numpy, onnx, onnxruntime


def fetched(name):
    done = subprocess.run([sys.executable, str(FETCH), "path", name], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise unittest.SkipTest("models are not fetched: scripts/fetch.py models")
    return done.stdout.strip()


class InFolder(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="onnxrt-"))
        self.addCleanup(shutil.rmtree, self.folder)


class Values(InFolder):
    def peer_outputs(self, model, count):
        numpy, onnx, onnxruntime = peer()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        feed = {}
        for index in range(count):
            tensor = onnx.load_tensor(self.folder / f"input_{index}.pb")
            feed[tensor.name] = onnx.numpy_helper.to_array(tensor)
        names = [output.name for output in session.get_outputs()]
        return numpy, onnx, list(zip(names, session.run(None, feed)))

    def check_model(self, model, options, inputs=None):
        done = run("--threads", 1, "--save", self.folder, "--save-inputs", self.folder, *options, model)
        self.assertEqual(done.returncode, 0, done.stderr)
        count = inputs if inputs is not None else len(list(self.folder.glob("input_*.pb")))
        numpy, onnx, expected = self.peer_outputs(model, count)
        self.assertEqual(len(list(self.folder.glob("output_*.pb"))), len(expected))
        for index, (name, want) in enumerate(expected):
            tensor = onnx.load_tensor(self.folder / f"output_{index}.pb")
            got = onnx.numpy_helper.to_array(tensor)
            self.assertEqual(tensor.name, name)
            self.assertEqual((got.dtype, got.shape), (want.dtype, want.shape))
            self.assertTrue(numpy.array_equal(got, want, equal_nan=True), f"{name} differs")

    def test_models(self):
        for name, options in MODELS.items():
            with self.subTest(model=name):
                for old in self.folder.iterdir():
                    old.unlink()
                self.check_model(fetched(name), options)

    def identity(self, elem):
        _, onnx, _ = peer()
        value = [onnx.helper.make_tensor_value_info(n, elem, ["N", None, 2]) for n in "xy"]
        node = onnx.helper.make_node("Identity", ["x"], ["y"])
        opsets = [onnx.helper.make_opsetid("", 23)]
        graph = onnx.helper.make_graph([node], "g", value[:1], value[1:])
        path = self.folder / "identity.onnx"
        onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
        return path

    def test_every_element_type(self):
        numpy, onnx, onnxruntime = peer()
        ran = set()
        for name, elem in onnx.TensorProto.DataType.items():
            if name in ("UNDEFINED", "COMPLEX64", "COMPLEX128", "FLOAT8E8M0", "UINT2", "INT2", "FLOAT4E2M1"):
                continue  # the runtime has no Identity for these
            with self.subTest(type=name):
                path = self.identity(elem)
                if name == "STRING":
                    array = numpy.array([[["a", ""], ["gr\u00fc\u00df", "b c"]]], dtype=object)
                else:
                    numbers = numpy.array([[[0, 1], [1, 0]]], dtype=numpy.float32)
                    array = numbers.astype(onnx.helper.tensor_dtype_to_np_dtype(elem))
                tensor = onnx.numpy_helper.from_array(array, "x")
                self.assertEqual(tensor.data_type, elem)
                onnx.save_tensor(tensor, self.folder / "x.pb")
                try:
                    onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
                except Exception as error:  # the type the runtime has no kernel for is its own error here too
                    done = run(path, self.folder / "x.pb")
                    self.assertEqual(done.returncode, 2)
                    self.assertIn("ONNX Runtime: ", done.stderr, error)
                    continue
                done = run("--save", self.folder, "--expect", self.folder / "x.pb", path, self.folder / "x.pb")
                self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
                got = onnx.load_tensor(self.folder / "output_0.pb")
                self.assertEqual(onnx.numpy_helper.to_array(got).tolist(), onnx.numpy_helper.to_array(tensor).tolist())
                self.assertEqual((got.data_type, list(got.dims)), (elem, [1, 2, 2]))
                ran.add(name)
        self.assertLessEqual({"FLOAT", "FLOAT16", "BFLOAT16", "STRING", "BOOL", "INT64", "UINT8"}, ran)

    def test_external_data(self):
        numpy, onnx, _ = peer()
        weight = onnx.numpy_helper.from_array(numpy.arange(40000, dtype=numpy.float32).reshape(200, 200), "w")
        value = [onnx.helper.make_tensor_value_info(n, 1, ["N", 200]) for n in "xy"]
        node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
        graph = onnx.helper.make_graph([node], "g", value[:1], value[1:], [weight])
        path = self.folder / "m.onnx"
        model = onnx.helper.make_model(graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 21)])
        onnx.save(model, path, save_as_external_data=True, location="w.bin")
        self.check_model(path, ["--shape", "x=3x200"])
        elsewhere = self.folder / "data"
        elsewhere.mkdir()
        (self.folder / "w.bin").rename(elsewhere / "w.bin")
        refused = run(path)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("w.bin", refused.stderr)
        done = run("--threads", 1, "--data-dir", elsewhere, "--expect", self.folder / "output_0.pb", path,
                   self.folder / "input_0.pb")
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)


    def test_big_weights_stay_in_the_file(self):
        numpy, onnx, _ = peer()
        rows = numpy.arange(1 << 20, dtype=numpy.float32).reshape(1024, 1024) % 7 / 1024
        weights = [onnx.numpy_helper.from_array(rows + index, f"w{index}") for index in range(5)]
        names = ["x", *(f"h{index}" for index in range(5))]
        nodes = [onnx.helper.make_node("MatMul", [names[i], f"w{i}"], [names[i + 1]]) for i in range(5)]
        value = [onnx.helper.make_tensor_value_info(n, 1, ["N", 1024]) for n in ("x", "h4")]
        graph = onnx.helper.make_graph(nodes, "g", value[:1], value[1:], weights)
        path, other = self.folder / "big.onnx", self.folder / "other"
        onnx.save(onnx.helper.make_model(graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 21)]), path)
        self.check_model(path, [])
        other.mkdir()
        link = other / "link.onnx"
        link.symlink_to(path)
        for options in (["--output", "h4"], ["--output", "h4", "--output", "h1"]):
            for model in (path, link):
                done = run("--threads", 1, *options, "--expect", self.folder / "output_0.pb", model,
                           self.folder / "input_0.pb")
                self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
                self.assertEqual(len(done.stdout.splitlines()), 1 + len(options) // 2)


class Faults(InFolder):
    def test_a_runtime_that_is_too_old(self):
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise unittest.SkipTest("no C compiler")
        for version, text in (("1.15.1", "is too old: 1.16 or newer"), ("2.0.0", "does not offer version 16")):
            library = self.folder / "libonnxruntime.so.1"
            subprocess.run([compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", str(library)], text=True,
                           input=FAKE_RUNTIME % version, check=True)
            (self.folder / "m.onnx").write_bytes(b"\x08\x0a\x3a\x03\x12\x01g")
            for named in (library, self.folder):
                done = run(self.folder / "m.onnx", POLYGRAPHY_ONNXRUNTIME=str(named))
                self.assertEqual(done.returncode, 2)
                self.assertIn(text, done.stderr)
                self.assertIn(version, done.stderr)

    def test_no_runtime_at_all(self):
        (self.folder / "m.onnx").write_bytes(b"\x08\x0a\x3a\x03\x12\x01g")
        bare = {"PATH": "/nonexistent", "HOME": str(self.folder)}
        environment = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "POLYGRAPHY_ONNXRUNTIME")}
        done = subprocess.run([str(TOOL), str(self.folder / "m.onnx")], capture_output=True, text=True,
                              env=dict(environment, **bare), check=False)
        if done.returncode == 0:
            raise unittest.SkipTest("ONNX Runtime is installed in a system folder")
        self.assertIn("ONNX Runtime is not installed: install it with", done.stderr)
        self.assertIn("pip install onnxruntime", done.stderr)


if __name__ == "__main__":
    unittest.main()
