"""`inspect tactics` and `inspect diff-tactics` beside Polygraphy 0.53. The peer imports TensorRT for them, of which only
the names of the types are used: a stand-in module has these."""

import json
import re
import unittest

from sidebyside import SideBySide, clean, ours, peers
from seed_models import picture_model
from support import polygraphy

STAND_IN = """
import enum, sys, types
class DataType(enum.Enum):
    FLOAT = 0
    HALF = 1
    INT8 = 2
    __str__ = lambda self: "DataType." + self.name
DataType.__module__ = "tensorrt"
trt = types.ModuleType("tensorrt")
trt.DataType, trt.__version__ = DataType, "10.9.0"
trt.__path__ = []
sys.modules["tensorrt"] = trt
"""


def tensor(dtype="FLOAT", strides=(12, 4, 1), dim=-1, components=1):
    return {"dtype": f"DataType.{dtype}", "strides": list(strides), "vectorized_dim": dim,
            "components_per_element": components, "polygraphy_class": "TensorInfo"}


def algorithm(implementation, tactic, inputs=None, outputs=None):
    return {"implementation": implementation, "tactic": tactic, "inputs": [tensor()] if inputs is None else inputs,
            "outputs": [tensor()] if outputs is None else outputs, "polygraphy_class": "Algorithm"}


def replay(**layers):
    return {"replay": layers, "polygraphy_class": "TacticReplayData"}


class Tactics(SideBySide):
    prelude = STAND_IN
    peer_only = (r"Loaded Module", r"^\[I\] Loading tactic replay file from (\S*/)?(same|dir|bad|good|sub)/?$", r"^\[V\] good/?( |$)", r"^\[V\] bad/?( |$)",
                 r"^\[V\] (dir/)?(good|bad)(/sub)?/? does not look")
    ours_only = (r"There is no file or folder",
                 r"^\[I\] Loading tactic replay file from (good|bad|nope/good|nope/bad)$", r"^\[V\] (good|bad)")

    def prepare(self, folder):
        def save(path, content):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(json.dumps(content, indent=4))

        save("one.json", replay(conv1=algorithm(2147483648, -3), fc=algorithm(1, 9223372036854775807, [], [tensor("HALF", (), None, None)]),
                                two=algorithm(0, 0, [tensor("INT8", (1,)), tensor()], [])))
        save("empty.json", replay())
        save("dir/good/0.json", replay(layer0=algorithm(0, 0), layer1=algorithm(1, 1)))
        save("dir/good/sub/1.json", replay(layer0=algorithm(0, 0), layer1=algorithm(1, 2)))
        save("dir/good/notes.json", {"a": 1})
        save("dir/bad/0.json", replay(layer0=algorithm(0, 3), layer1=algorithm(1, 2), layer2=algorithm(5, 5)))
        save("dir/bad/1.json", replay(layer0=algorithm(0, 0), layer1=algorithm(1, 1)))
        save("dir/bad/.hidden.json", replay(layer0=algorithm(9, 9)))
        save("same/good/0.json", replay(layer0=algorithm(0, 0)))
        save("same/bad/0.json", replay(layer0=algorithm(0, 0)))

    def test_tactics(self):
        self.check_lines(["inspect tactics one.json", "inspect tactics empty.json", "inspect tactics", "inspect tactics one.json -q"])

    def test_replays_of_our_engines(self):
        """What --save-tactics writes is read by the peer, and differs where ours says so."""
        mine, other = self.folders()
        (mine / "m.onnx").write_bytes(picture_model())
        for level, name in (("1", "a.json"), ("0", "b.json")):
            done = polygraphy("convert", "m.onnx", "-o", "m.engine", "--builder-optimization-level", level, "--save-tactics",
                              name, "--input-shapes", "input:[1,3,8,8]", cwd=mine)
            self.assertEqual(done.rc, 0, done.err)
            (other / name).write_bytes((mine / name).read_bytes())
        for line in ("inspect tactics a.json", "inspect diff-tactics --good a.json --bad b.json"):
            code, out, err = ours(line, mine)
            peer_code, peer_out, _ = peers(line, other, STAND_IN)
            self.assertEqual((code, clean(out, self.ours_only)), (peer_code, clean(peer_out, self.peer_only)), err)
            self.assertIn("conv1" if "inspect tactics" in line else "relu1", out)

    def test_diff(self):
        self.check_lines(["inspect diff-tactics --dir same", "inspect diff-tactics --good dir/good/0.json --bad dir/bad/0.json",
                          "inspect diff-tactics",
                          "inspect diff-tactics --dir nope", "inspect diff-tactics --good one.json --bad one.json -v"])

    def test_folders(self):
        """Files are found in no certain order by the peer."""
        mine, other = self.folders()
        for line in ("inspect diff-tactics --bad dir/bad/1.json --dir dir", "inspect diff-tactics --dir dir", "inspect diff-tactics --dir dir -v"):
            code, out, err = ours(line, mine)
            peer_code, peer_out, _ = peers(line, other, STAND_IN)
            sort = lambda text, drop: sorted(re.sub(r"tactic replays: \[.*", "", x) for x in clean(text, drop))
            self.assertEqual((code, sort(out, self.ours_only)),
                             (peer_code, sort(peer_out, self.peer_only)), err)


if __name__ == "__main__":
    unittest.main()
