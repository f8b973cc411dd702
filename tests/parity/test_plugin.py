"""plugin match and replace beside the peer: the same YAML and the same model, byte for byte."""

import os
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))
from support import Case, relu_model  # noqa: E402

PEER = os.environ.get("PG_PEER_PYTHON")
PATTERN = """
def get_plugin_metadata():
    return {"name": "addRelu", "op": "CustomAddRelu"}

def get_matching_subgraphs(graph):
    return [{"inputs": [n.i().inputs[0].name], "outputs": [n.outputs[0].name], "attributes": {"k": 2, "names": ["a", "b"]}}
            for n in graph.nodes if n.op == "Relu" and n.i().op == "Add"]
"""


def has_packages():
    return PEER and subprocess.run([PEER, "-c", "import onnx_graphsurgeon, yaml"], capture_output=True,
                                   check=False).returncode == 0


@unittest.skipUnless(has_packages(), "needs onnx-graphsurgeon and pyyaml in the peer's environment")
class Plugins(Case):
    def both(self, *words):
        done = subprocess.run([Path(PEER).with_name("polygraphy"), *words, "-o", "peer"], cwd=self.folder, capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.run_it(*words, "-o", "ours", env={"VIRTUAL_ENV": str(Path(PEER).parent.parent)})
        self.assertEqual((self.folder / "ours").read_bytes(), (self.folder / "peer").read_bytes())

    def test_match_and_replace(self):
        (self.folder / "m.onnx").write_bytes(relu_model())
        (self.folder / "plugins" / "addRelu").mkdir(parents=True)
        (self.folder / "plugins" / "addRelu" / "pattern.py").write_text(PATTERN)
        self.both("plugin", "match", "m.onnx", "--plugin-dir", "plugins")
        (self.folder / "ours").rename(self.folder / "config.yaml")
        self.both("plugin", "replace", "m.onnx", "--plugin-dir", "plugins", "--config", "config.yaml")


if __name__ == "__main__":
    unittest.main()
