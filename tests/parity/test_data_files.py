"""Data files read and written by the peer, numpy and safetensors on one side and by this program on the other."""

import json
import os
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOL = Path(os.environ.get("PG_BUILD", ROOT / "build" / "release")) / "tests" / "tools" / "data_file"
PEER = os.environ.get("PG_PEER_PYTHON")

MAKE = r"""
import sys, os, json, collections
import numpy as np
from polygraphy.json import save_json, to_json
from polygraphy.comparator import RunResults
from polygraphy.comparator.struct import IterationResult
from polygraphy.json.serde import IterationWriter
os.chdir(sys.argv[1])
rng = np.random.RandomState(7)

def arrays(i):
    out = collections.OrderedDict()
    for name in ("float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()):
        out[name] = (rng.rand(2, 3 + i) * 100).astype(name)
    out["bool"] = rng.rand(5) > 0.5
    out["complex64"] = (rng.rand(2) + 1j * rng.rand(2)).astype(np.complex64)
    out["complex128"] = rng.rand(2) + 1j * rng.rand(2)
    out["scalar"] = np.array(3.25)
    out["empty"] = np.zeros((2, 0, 3), np.float32)
    out["one"] = np.ones((1,) * 16, np.int8)
    out["text"] = np.array(["ab", "cd\u00e9\U0001F600", ""])
    out["na/me: \"x\"\n\u00e9\U0001F600\x7f"] = np.arange(3)
    out["nan"] = np.array([np.nan, np.inf, -np.inf, -0.0], np.float32)
    return out

pair = [arrays(0), arrays(1)]
save_json(pair, "inputs.json")
save_json(arrays(2), "single.json")
save_json([], "none.json")
with IterationWriter("in_folder") as w:
    w.append(pair[0]); w.append(pair[1])
runs = RunResults()
runs.append(("onnxrt-runner-N0-11/21/26-08:14:32", [IterationResult(arrays(i), t, "onnxrt-runner-N0-11/21/26-08:14:32")
                                                    for i, t in enumerate((0.004392862319946289, 1e-5, None, 123.0))]))
runs.append(("second", [IterationResult({}, 5e-324, "second"), IterationResult(arrays(1), 1e16, "other name")]))
runs.append(("none", []))
runs.append(("second", [IterationResult({"y": np.arange(4, dtype=np.float32)}, 0.1, "second")]))
runs.save("results.json")
one = RunResults(); one.append(("r", [IterationResult({"y": np.arange(6, dtype=np.float32).reshape(2, 3)}, 0.5, "r")]))
one.save("one.json")
os.mkdir("res_folder")
for i, single in enumerate(runs.split()):
    single.save("res_folder/%010d.json" % i)

f = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
save_json({"c": f, "f": np.asfortranarray(f), "big": f.astype(">f4"), "t": np.asfortranarray(f).astype(">i2"),
           "s": np.array([b"ab", b"c"]), "ut": np.asfortranarray(np.array([["a", "bc"], ["d", ""]]))}, "odd.json")
np.save("f.npy", np.asfortranarray(f)); np.save("c.npy", f)
np.savez("stored.npz", x=f, y=f[0], **{"a/b:0": f[1]}); np.savez_compressed("packed.npz", x=f, y=f[0], **{"a/b:0": f[1]})
import io, base64
def old(kind):
    b = io.BytesIO(); np.savez(b, f, f[0]) if kind == "npz" else np.save(b, f)
    return b.getvalue()
json.dump({"b64npz": {"array": base64.b64encode(old("npz")).decode(), "polygraphy_class": "ndarray"},
           "latin": {"array": old("npy").decode("latin-1"), "__polygraphy_encoded_ndarray": "polygraphy_serialized_json_type"},
           "latinnpz": {"array": old("npz").decode("latin-1"), "__polygraphy_encoded_ndarray": "polygraphy_serialized_json_type"},
           "plain": {"array": base64.b64encode(old("npy")).decode(), "__polygraphy_encoded_ndarray": "polygraphy_serialized_json_type"}},
          open("legacy.json", "w"))
json.dump({"c": {"array": base64.b64encode(old("npy")).decode(), "polygraphy_class": "ndarray"}}, open("c.json", "w"))
"""

CHECK = r"""
import sys, os
import numpy as np
from polygraphy.json import load_json
from polygraphy.comparator import RunResults
os.chdir(sys.argv[1])
def same(a, b):
    assert list(a) == list(b), (list(a), list(b))
    for n in a:
        x, y = np.asarray(a[n]), np.asarray(b[n])
        assert x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes(), (n, x, y)
for a, b in zip(load_json("inputs.json"), load_json("out_inputs.json"), strict=True):
    same(a, b)
a, b = RunResults.load("results.json"), RunResults.load("out_results.json")
assert len(a) == len(b)
for (n, x), (m, y) in zip(a.items(), b.items()):
    assert n == m and len(x) == len(y)
    for i, j in zip(x, y):
        assert i.runtime == j.runtime and i.runner_name == j.runner_name
        same(dict(i.items()), dict(j.items()))
z = np.load("out.npz")
same({k: v for k, v in load_json("single.json").items()}, {k: z[k] for k in z.files})
assert np.load("out.npy").tobytes() == np.arange(6, dtype=np.float32).tobytes()
z = np.load("multi.npz")
assert "onnxrt-runner-N0-11/21/26-08:14:32/1/float32" in z.files and "second#3/0/y" in z.files, z.files
print("same")
"""


def run(*args, code=0):
    done = subprocess.run([str(TOOL), *map(str, args)], capture_output=True, text=True, errors="surrogateescape", check=False)
    if done.returncode != code:
        raise AssertionError(f"{args}: exit {done.returncode}: {done.stderr}")
    return done.stdout if code == 0 else done.stderr


class DataFiles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not PEER:
            raise unittest.SkipTest("PG_PEER_PYTHON is not set: no peer to compare with")
        if not TOOL.exists():
            raise unittest.SkipTest(f"{TOOL} is not built")
        cls.folder = tempfile.TemporaryDirectory()
        cls.at = Path(cls.folder.name)
        cls.peer(MAKE)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def peer(cls, script):
        done = subprocess.run([PEER, "-c", script, str(cls.at)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(done.stderr + done.stdout)
        return done.stdout

    def assert_same_file(self, a, b):
        self.assertEqual((self.at / a).read_bytes(), (self.at / b).read_bytes(), f"{a} and {b} differ")

    def test_inputs_come_back_byte_equal(self):
        for name in ("inputs", "none"):
            run("copy-inputs", self.at / f"eq_{name}.json", self.at / f"{name}.json")
            self.assert_same_file(f"{name}.json", f"eq_{name}.json")

    def test_folder_of_inputs(self):
        run("copy-inputs", self.at / "folder_in.json", self.at / "in_folder")
        self.assert_same_file("inputs.json", "folder_in.json")
        run("copy-inputs", self.at / "again", self.at / "inputs.json")
        for index in range(2):
            self.assert_same_file(f"in_folder/{index:010d}.json", f"again/{index:010d}.json")
        self.assertIn("is not empty", run("copy-inputs", self.at / "again", self.at / "inputs.json", code=1))

    def test_results_come_back_byte_equal(self):
        run("copy-results", self.at / "eq_results.json", self.at / "results.json")
        self.assert_same_file("results.json", "eq_results.json")

    def test_folder_of_results(self):
        run("copy-results", self.at / "res_again", self.at / "results.json")
        names = sorted(p.name for p in (self.at / "res_folder").iterdir())
        self.assertEqual(names, sorted(p.name for p in (self.at / "res_again").iterdir()))
        for name in names:
            self.assert_same_file(f"res_folder/{name}", f"res_again/{name}")
        self.assertIn("-- 3 onnxrt", run("load-results", self.at / "res_folder"))

    def test_every_format_keeps_results(self):
        wanted = run("load-results", self.at / "results.json").replace("other name", "second")
        for name in ("multi.npz",):
            run("copy-results", self.at / name, self.at / "results.json")
            got = run("load-results", self.at / name)
            self.assertEqual(wanted, got)
        wanted = run("load-results", self.at / "one.json")
        for name in ("one.npz", "one.safetensors"):
            run("copy-results", self.at / name, self.at / "one.json")
            self.assertEqual(wanted, run("load-results", self.at / name))
        self.assertIn("cannot hold", run("copy-results", self.at / "x.safetensors", self.at / "results.json", code=1))

    def test_several_iterations_of_inputs_in_archives(self):
        wanted = run("load-inputs", self.at / "inputs.json")
        run("copy-inputs", self.at / "two.npz", self.at / "inputs.json")
        self.assertEqual(wanted, run("load-inputs", self.at / "two.npz"))

    def test_peer_and_numpy_read_ours(self):
        run("copy-inputs", self.at / "out_inputs.json", self.at / "inputs.json")
        run("copy-results", self.at / "out_results.json", self.at / "results.json")
        run("copy-inputs", self.at / "out.npz", self.at / "single.json")
        run("copy-results", self.at / "out.npy", self.at / "one.json")
        run("copy-results", self.at / "multi.npz", self.at / "results.json")
        self.assertIn("same", self.peer(CHECK))

    def lines(self, *paths):
        return {line.split()[0]: line.split(" ", 1)[1] for line in run("load-inputs", *paths).splitlines()[1:]}

    def test_other_orders_and_old_forms(self):
        odd = self.lines(self.at / "odd.json")
        self.assertEqual(odd["f"], odd["c"])
        self.assertEqual(odd["big"], odd["c"])
        self.assertIn("int16 (2, 3, 4)", odd["t"])
        legacy = self.lines(self.at / "legacy.json")
        self.assertEqual(set(legacy.values()), {odd["c"]})

    def test_numpys_files(self):
        wanted = self.lines(self.at / "c.json")["c"]
        self.assertEqual(self.lines(f"x:{self.at / 'c.npy'}")["x"], wanted)
        self.assertEqual(self.lines(self.at / "f.npy")["f"], wanted)
        stored, packed = self.lines(self.at / "stored.npz"), self.lines(self.at / "packed.npz")
        self.assertEqual(stored, packed)
        self.assertEqual(stored["x"], wanted)
        self.assertEqual(list(stored), ["x", "y", "a/b:0"])

    def test_names_and_raw_files(self):
        (self.at / "z.bin").write_bytes(struct.pack("<6f", *range(6)))
        typed = self.lines(f"{self.at / 'z.bin'}:float32:[2,3]")
        self.assertIn("float32 (2, 3)", typed["z"])
        both = run("load-inputs", f"a:0:{self.at / 'c.npy'}", f"b:{self.at / 'f.npy'}", f"a:0:{self.at / 'c.npy'}")
        self.assertEqual([line.split()[0] for line in both.splitlines()], ["--", "a:0", "b", "--", "a:0"])
        self.assertIn("does not say its element type", run("load-inputs", self.at / "z.bin", code=1))
        self.assertIn("contradict", run("load-inputs", f"{self.at / 'z.bin'}:float32:[2,4]", code=1))
        self.assertIn("no file or folder", run("load-inputs", self.at / "absent.npy", code=1))

    def test_kinds(self):
        for name, kind in (("inputs.json", "inputs"), ("results.json", "results"), ("in_folder", "inputs"),
                           ("res_folder", "results"), ("stored.npz", "inputs"), ("c.npy", "inputs")):
            self.assertEqual(run("kind", self.at / name).strip(), kind, name)
        self.assertIn("data merge", run("load-inputs", self.at / "results.json", code=1))
        self.assertIn("RunResults) were expected", run("load-results", self.at / "inputs.json", code=1))

    def test_report(self):
        run("report", self.at / "report.json", self.at / "one.json")
        report = json.loads((self.at / "report.json").read_text())
        self.assertEqual(report, {"inference_results": {"r": {"y": [[0, 1, 2], [3, 4, 5]]}},
                                  "comparison_results": {"y": {"max_error": 0.001, "mean_error": 0.0001, "passed": True}}})

    def test_safetensors(self):
        script = ("import sys, os; os.chdir(sys.argv[1])\nimport numpy as np\nfrom safetensors import safe_open\n"
                  "f = safe_open('one.safetensors', 'np'); t = f.get_tensor('y')\n"
                  "assert t.dtype == np.float32 and t.tolist() == [[0, 1, 2], [3, 4, 5]]\n")
        run("copy-results", self.at / "one.safetensors", self.at / "one.json")
        if subprocess.run([PEER, "-c", "import safetensors"], capture_output=True, check=False).returncode != 0:
            self.skipTest("the peer's Python has no safetensors package")
        self.peer(script)


if __name__ == "__main__":
    unittest.main()
