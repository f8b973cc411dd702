"""`diff A B`: what differs between two models, exit statuses, JSON, numbers, and the text for git."""

import json
import os
import shutil
import subprocess
import unittest

from support import PROGRAM, Case, bytes_field, model, node, number_field, relu_model, value_info, weight


def ints_attr(name, *values):
    return bytes_field(5, bytes_field(1, name) + b"".join(number_field(8, v) for v in values) + number_field(20, 7))


def graph_attr(name, nodes, outputs):
    graph = b"".join(bytes_field(1, n) for n in nodes) + bytes_field(2, "body") + b"".join(bytes_field(12, o) for o in outputs)
    return bytes_field(5, bytes_field(1, name) + bytes_field(6, graph) + number_field(20, 5))


X, Y = value_info("x", (1, 1, 4, 4)), value_info("y", (1, 2, 2, 2))
KERNEL = [i / 8 for i in range(18)]


def network(p="", ops=("Relu", "Abs"), kernel=KERNEL, strides=(1, 1), order=(0, 1, 2, 3), out="y", more=b"", x="x", opset=17):
    """x -> Conv -> (op, op) -> Add -> y, every inner name with a prefix."""
    nodes = [node("Conv", [x, p + "w"], [p + "c"], p + "conv") + ints_attr("strides", *strides),
             node(ops[0], [p + "c"], [p + "l"], p + "left"), node(ops[1], [p + "c"], [p + "r"], p + "right"),
             node("Add", [p + "l", p + "r"], [out], p + "add")]
    return model([nodes[i] for i in order], [value_info(x, (1, 1, 4, 4))], [value_info(out, (1, 2, 2, 2))],
                 [weight(p + "w", [2, 1, 3, 3], kernel)], opset=opset) + more


class Diff(Case):
    def diff(self, a, b, *words, rc):
        (self.folder / "a.onnx").write_bytes(a)
        (self.folder / "b.onnx").write_bytes(b)
        result = self.run_it("diff", "a.onnx", "b.onnx", "--json", "d.json", *words, rc=rc)
        report = json.loads((self.folder / "d.json").read_text())
        self.assertEqual(report["schema"], 1)
        self.assertEqual(report["same"], rc == 0)
        return result.out, report

    def counted(self, a, b):
        """What counts as a difference: (section, change, where, name, detail)."""
        _, report = self.diff(a, b, rc=1)
        return [(d["section"], d["change"], d["where"], d["name"], d["detail"]) for d in report["differences"] if d["counts"]]

    def test_the_same(self):
        out, report = self.diff(network(), network(), rc=0)
        self.assertEqual(out, "[I] The models are the same\n")
        self.assertEqual(report["differences"], [])

    def test_names_and_order_do_not_count(self):
        out, report = self.diff(network(), network("z_", order=(0, 2, 1, 3)), rc=0)
        self.assertIn("[I] The models are the same, but for names and the order of nodes\n", out)
        self.assertIn("    = 'conv' is called 'z_conv'\n", out)
        self.assertIn("    = 'w' is called 'z_w'\n", out)
        self.assertIn("the nodes have another order", out)
        self.assertEqual({d["counts"] for d in report["differences"]}, {False})

    def test_without_any_names(self):
        def nameless(op):
            return model([node("Relu", ["x"], ["1"]), node("Abs", ["1"], ["2"]), node(op, ["2"], ["3"]), node("Neg", ["3"], ["y"])], [X], [Y])
        self.diff(nameless("Exp"), nameless("Exp"), rc=0)
        self.assertEqual(self.counted(nameless("Exp"), nameless("Sin")), [("node", "changed", "", "#2 (Exp)", "operator: Exp -> Sin")])

    def test_attributes(self):
        for p in ("", "z_"):  # under other names, too
            self.assertEqual(self.counted(network(), network(p, strides=(2, 1))),
                             [("node", "changed", "", "conv", "attribute 'strides': [1, 1] -> [2, 1]")])

    def test_operators(self):
        self.assertEqual(self.counted(network(), network(ops=("Neg", "Abs"))), [("node", "changed", "", "left", "operator: Relu -> Neg")])

    def test_an_inserted_node(self):
        def chain(p, middle):
            first, last = [node("Relu", ["x"], [p + "a"], p + "first")], p + ("m" if middle else "a")
            between = [node("Tanh", [p + "a"], [p + "m"], p + "new")] if middle else []
            return model(first + between + [node("Abs", [last], ["y"], p + "last")], [X], [Y])
        for p in ("", "z_"):
            self.assertEqual(self.counted(chain("", False), chain(p, True)),
                             [("node", "changed", "", "last", f"input 0: 'a' -> '{p}m'"), ("node", "added", "", f"{p}new", "node 1, Tanh")])
            self.assertEqual(self.counted(chain("", True), chain(p, False)),
                             [("node", "removed", "", "new", "node 1, Tanh"), ("node", "changed", "", "last", f"input 0: 'm' -> '{p}a'")])

    def test_weights(self):
        changed = list(KERNEL)
        changed[3] += 0.5
        _, report = self.diff(network(), network("z_", kernel=changed), rc=1)
        found, = (d for d in report["differences"] if d["counts"])
        self.assertEqual((found["section"], found["name"], found["elements"], found["differing"], found["max_abs"]), ("weight", "w", 18, 1, 0.5))
        self.assertAlmostEqual(found["max_rel"], 0.5 / 0.875)
        shaped = model([node("Add", ["x", "w"], ["y"], "n")], [X], [Y], [weight("w", [2], [1, 2])])
        other = model([node("Add", ["x", "w"], ["y"], "n")], [X], [Y], [weight("w", [3], [1, 2, 3])])
        self.assertEqual(self.counted(shaped, other), [("weight", "changed", "", "w", "float32 (2,) -> float32 (3,)")])
        gone = model([node("Add", ["x", "x"], ["y"], "n")], [X], [Y])
        self.assertEqual(self.counted(shaped, gone),
                         [("node", "changed", "", "n", "input 1: 'w' -> 'x'"), ("weight", "removed", "", "w", "float32 (2,)")])

    def test_nan_weights_are_equal_to_themselves(self):
        nan = [float("nan")] * 18
        self.diff(network(kernel=nan), network(kernel=nan), rc=0)
        _, report = self.diff(network(), network(kernel=nan), rc=1)
        self.assertEqual((report["differences"][0]["differing"], report["differences"][0]["max_abs"]), (18, None))

    def test_the_model_itself(self):
        metadata = bytes_field(14, bytes_field(1, "k") + bytes_field(2, "v"))
        self.assertEqual(self.counted(network(), network(more=metadata)), [("model", "added", "", "metadata 'k'", "v")])
        self.assertEqual(self.counted(network(more=metadata), network()), [("model", "removed", "", "metadata 'k'", "v")])
        self.assertEqual(self.counted(network(), network(opset=18)), [("model", "changed", "", "opset ''", "17 -> 18")])
        self.assertEqual(self.counted(network(), network(more=bytes_field(2, "me"))), [("model", "changed", "", "producer", "'' -> 'me'")])

    def test_inputs_and_outputs(self):
        self.assertEqual(self.counted(network(), network(x="in")), [("input", "renamed", "", "x", "'in'")])
        self.assertEqual(self.counted(network(), network(out="o")), [("output", "renamed", "", "y", "'o'")])
        relu = [node("Relu", ["x"], ["y"], "n")]
        a = model(relu, [value_info("x", (1, 3))], [value_info("y", (1, 3))])
        b = model(relu, [value_info("x", ("N", 3), 10), value_info("q", (1,))], [value_info("y", (1, 3))])
        self.assertEqual(self.counted(a, b), [("input", "changed", "", "x", "float32 (1, 3) -> float16 ('N', 3)"), ("input", "added", "", "q", "")])
        two = [value_info("x", (1,)), value_info("z", (1,))]
        add = [node("Sub", ["x", "z"], ["y"], "n")]
        self.assertEqual(self.counted(model(add, two, [Y]), model(add, two[::-1], [Y])), [("input", "changed", "", "", "they have another order")])

    def test_bodies(self):
        def branch(op):
            body = graph_attr("then_branch", [node(op, ["x"], ["t"], "inner")], [value_info("t", (1,))])
            other = graph_attr("else_branch", [node("Neg", ["x"], ["e"], "e")], [value_info("e", (1,))])
            return model([node("If", ["c"], ["y"], "n") + body + other], [value_info("c", (), 9), X], [Y])
        self.diff(branch("Relu"), branch("Relu"), rc=0)
        self.assertEqual(self.counted(branch("Relu"), branch("Abs")), [("node", "changed", "n.then_branch", "inner", "operator: Relu -> Abs")])

    def test_numbers(self):
        changed = list(KERNEL)
        changed[0] = 1e-7
        small = model([node("Conv", ["x", "w"], ["y"], "conv")], [X], [Y], [weight("w", [2, 1, 3, 3], KERNEL)])
        near = model([node("Conv", ["in", "z"], ["out"], "conv")], [value_info("in", (1, 1, 4, 4))], [value_info("out", (1, 2, 2, 2))],
                     [weight("z", [2, 1, 3, 3], changed)])
        out, report = self.diff(small, near, "--native", rc=1)
        self.assertIn("PASSED | simple | All outputs matched", out)
        self.assertEqual(report["same_numbers"], True)
        out, report = self.diff(small, near, "--native", "--atol", "0", "--rtol", "0", "--seed", "3", rc=1)
        self.assertIn("FAILED | simple | Mismatched outputs: ['y']", out)
        self.assertEqual(report["same_numbers"], False)
        self.diff(small, small, "--native", "--compare", "l2", rc=0)

    def test_saved_outputs_are_not_models(self):
        (self.folder / "a.onnx").write_bytes(network())
        shutil.copy(self.folder / "a.onnx", self.folder / "b.onnx")
        out = self.run_it("inspect", "diff", "a.onnx", "b.onnx").out
        self.assertIn("[I] The models are the same\n", out)

    def test_text_for_version_control(self):
        (self.folder / "a.onnx").write_bytes(network())
        first = self.run_it("diff", "--textconv", "a.onnx").out
        self.assertEqual(first, self.run_it("diff", "--textconv", "a.onnx").out)
        self.assertIn("Node 0    | conv [Op: Conv]\n", first)
        self.assertRegex(first, r"\nw \[dtype=float32, shape=\(2, 1, 3, 3\), crc32=[0-9a-f]{8}\]\n$")
        (self.folder / "a.onnx").write_bytes(network(kernel=KERNEL[::-1]))
        lines = zip(first.splitlines(), self.run_it("diff", "--textconv", "a.onnx").out.splitlines())
        self.assertEqual([a.split(" ")[0] for a, b in lines if a != b], ["w"])

    @unittest.skipUnless(shutil.which("git"), "no git")
    def test_with_git(self):
        def git(*words):
            return subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *words], cwd=self.folder, env=env, capture_output=True, text=True,
                                  check=True).stdout
        env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(self.folder)}
        git("init", "-q")
        (self.folder / ".gitattributes").write_text("*.onnx diff=onnx\n")
        git("config", "diff.onnx.textconv", f"{PROGRAM} diff --textconv")
        (self.folder / "a.onnx").write_bytes(network())
        git("add", ".")
        git("commit", "-qm", "first")
        (self.folder / "a.onnx").write_bytes(network(ops=("Relu", "Neg")))
        shown = git("diff")
        self.assertIn("\n-Node 2    | right [Op: Abs]\n+Node 2    | right [Op: Neg]\n", shown)

    def test_bad_input(self):
        (self.folder / "a.onnx").write_bytes(relu_model())
        (self.folder / "no.onnx").write_text("no model")
        self.assertIn("no.onnx", self.run_it("diff", "a.onnx", "no.onnx", rc=1).err)
        self.assertIn("absent.onnx", self.run_it("diff", "a.onnx", "absent.onnx", rc=1).err)
        self.assertIn("two models are needed, not 1", self.run_it("diff", "a.onnx", rc=2).err)
        self.assertIn("--textconv takes one model", self.run_it("diff", "--textconv", "a.onnx", "a.onnx", rc=2).err)
        self.assertIn("--json", self.run_it("diff", "a.onnx", "a.onnx", "--json", "a.onnx/x.json", rc=1).err)
        self.assertIn("no.onnx", self.run_it("diff", "--textconv", "no.onnx", rc=1).err)


if __name__ == "__main__":
    unittest.main()
