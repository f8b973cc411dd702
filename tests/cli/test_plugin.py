"""plugin list, match, replace: which patterns are asked, what is written, what is refused. The packages that patterns stand
on are stand-ins here; with the real ones the files are compared with the peer's in tests/parity."""

import json
import unittest

from support import ROOT, Case, relu_model

ONNX = """
def load(path):
    return open(path, 'rb').read()
def save(model, path):
    open(path, 'w').write(repr(model))
"""
GS = """
class Tensor:
    def __init__(self, name):
        self.name, self.inputs, self.outputs = name, [], []
class Graph:
    def __init__(self, data):
        self.data, self.log, self.all = data, [], {n: Tensor(n) for n in ('x', 'y', 's')}
    def tensors(self):
        return self.all
    def layer(self, op, inputs, outputs, attrs):
        self.log.append((op, [t.name for t in inputs], [t.name for t in outputs], attrs))
    def cleanup(self):
        return self
    def toposort(self):
        return self
def import_onnx(data):
    return Graph(data)
def export_onnx(graph):
    return graph.log
"""
YAML = """
import json
def dump_all(documents, stream, default_flow_style, sort_keys):
    json.dump(documents, stream)
def safe_load_all(stream):
    return json.load(stream)
"""
ABOUT = "def get_plugin_metadata():\n    return {'name': 'one', 'op': 'One'}\n"
FINDS = ABOUT + """
def get_matching_subgraphs(graph):
    print('looking')
    return [{'inputs': ['x'], 'outputs': ['y'], 'attributes': {'k': len(graph.data) > 0}}] * 2
"""


class Plugin(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "m.onnx").write_bytes(relu_model())
        for name, text in (("onnx", ONNX), ("onnx_graphsurgeon", GS), ("yaml", YAML)):
            (self.folder / "lib").mkdir(exist_ok=True)
            (self.folder / "lib" / f"{name}.py").write_text(text)
        self.pattern("one", FINDS)
        self.pattern("two", "def get_matching_subgraphs(graph):\n    return []\n")
        (self.folder / "plugins" / "no_pattern").mkdir()
        self.env = {"PYTHONPATH": str(self.folder / "lib"), "VIRTUAL_ENV": ""}

    def pattern(self, name, text):
        (self.folder / "plugins" / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "plugins" / name / "pattern.py").write_text(text)

    def plugin(self, command, *words, rc=0, env=None):
        return self.run_it("plugin", command, "m.onnx", "--plugin-dir", "plugins", *words, rc=rc, env=env or self.env)

    def test_list(self):
        result = self.plugin("list")
        self.assertIn("[I] checking one in model\n[I] checking two in model\n", result.out)
        self.assertIn("[I] {'one': 2, 'two': 0}\n", result.out)
        self.assertIn("looking", result.err)
        self.assertFalse((self.folder / "config.yaml").exists())

    def test_examples_of_the_help(self):
        (self.folder / "m.onnx").rename(self.folder / "model.onnx")
        text = (ROOT / "docs" / "options.md").read_text()
        lines = [line for line in text.splitlines() if line.startswith("polygraphy plugin ")]
        self.assertEqual(len(lines), 3)
        for line in sorted(lines):
            self.run_it(*line.split()[1:], env=self.env)
        self.assertTrue((self.folder / "replaced.onnx").exists())

    def test_options_without_effect(self):
        self.assertIn("[W] Option: --seed does nothing here", self.plugin("list", "--seed", "3").out)

    def test_choice(self):
        self.assertIn("{'two': 0}", self.plugin("list", "--include", "two").out)
        self.assertIn("{'two': 0}", self.plugin("list", "--exclude", "one").out)
        self.assertIn("no plugin 'three'", self.plugin("list", "--include", "three", rc=1).err)
        self.assertIn("not allowed with", self.plugin("list", "--include", "one", "--exclude", "two", rc=2).err)

    def test_match_and_replace(self):
        self.plugin("match")
        found = json.loads((self.folder / "config.yaml").read_text())
        place = {"inputs": ["x"], "outputs": ["y"], "attributes": {"k": True}}
        self.assertEqual(found, [{"name": "one", "op": "One", "instances": [place, place]}])
        self.assertIn("replaced 2 instances of one plugin", self.plugin("replace").out)
        self.assertEqual((self.folder / "replaced.onnx").read_text(), repr([("One", ["x"], ["y"], {"k": True})] * 2))

    def test_own_replacement(self):
        self.pattern("one", FINDS + "def replace_with_plugin(graph, input_tensors, output_tensors, attrs, op):\n"
                                    "    graph.log.append(op)\n    return len(graph.log) < 2\n")
        self.plugin("match", "-o", "c.yaml")
        out = self.plugin("replace", "--config", "c.yaml", "-o", "r.onnx").out
        self.assertIn("replaced 1 instances of one plugin", out)
        self.assertIn("[W] 1 of the 2 instances of 'one' were not replaced.", out)
        self.assertEqual((self.folder / "r.onnx").read_text(), "['One', 'One']")

    def test_changed_model(self):
        before = "def get_matching_subgraphs(graph):\n    return [] if b'relu' in graph.data.lower() else [1]\n"
        self.pattern("two", ABOUT + before)
        self.assertIn("'two': 0", self.plugin("list").out)
        self.pattern("two", ABOUT + before.replace("b'relu'", "b'Cast'").replace(".lower()", ""))
        self.assertIn("'two': 0", self.plugin("list", "--fp-to-fp16").out)

    def test_failures(self):
        self.pattern("two", "raise ValueError('a broken pattern')\n")
        self.assertIn("ValueError: a broken pattern", self.plugin("match", rc=1).err)
        self.assertFalse((self.folder / "config.yaml").exists())
        self.assertEqual(list(self.folder.glob("config.yaml*")), [])
        self.pattern("two", "import os\nos.kill(os.getpid(), 11)\n")
        self.assertIn("crashed with signal 11", self.plugin("list", rc=1).err)
        self.assertIn("no '" , self.plugin("replace", rc=1).err)
        (self.folder / "c.yaml").write_text(json.dumps(
            [{"name": "one", "op": "One", "instances": [{"inputs": ["q"], "outputs": ["y"]}]}]))
        self.assertIn("the tensor 'q', which the model lacks", self.plugin("replace", "--config", "c.yaml", rc=1).err)

    def test_missing_packages(self):
        (self.folder / "lib" / "yaml.py").unlink()
        (self.folder / "lib" / "onnx_graphsurgeon.py").unlink()
        env = {**self.env, "PYTHONPATH": str(self.folder / "lib"), "PYTHONNOUSERSITE": "1"}
        result = self.plugin("list", rc=1, env=env)
        self.assertRegex(result.err, r"lacks the modules .*onnx_graphsurgeon.*: install")

    def test_no_python(self):
        result = self.plugin("list", rc=1, env={**self.env, "PATH": str(self.folder)})
        self.assertIn("'python3'", result.err)


if __name__ == "__main__":
    unittest.main()
