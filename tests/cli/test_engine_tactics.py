"""The tactics of engines: timed, cached, saved and followed."""

import json
import os
import re
import subprocess
import unittest

from seed_models import ints_attribute
from support import PROGRAM, Case, model, node, value_info, weight

WITHOUT_LIBRARY = {"POLYGRAPHY_ONEDNN": "off"}
TAPS, WINOGRAD = (0, 1), (1, 4)  # implementation and tactic


def values(count):
    return [((7 * i) % 11 - 5) / 32 for i in range(count)]


def conv(inputs, output, name):
    return (node("Conv", inputs, [output], name) + ints_attribute("kernel_shape", [3, 3])
            + ints_attribute("pads", [1, 1, 1, 1]))


def network(channels=16, size=32):
    """Convolutions that Winograd's sums can do, but the first; then a layer of one way, then a product."""
    nodes = [conv(["x", "w0"], "a", "first"), conv(["a", "w1"], "b", "second"), node("Softmax", ["b"], ["c"], "bend"),
             conv(["c", "w1"], "d", "third"), node("GlobalAveragePool", ["d"], ["e"], "pool"),
             node("Flatten", ["e"], ["f"], "flat"), node("MatMul", ["f", "w2"], ["y"], "")]
    return model(nodes, [value_info("x", [1, 3, size, size])], [value_info("y", [1, 5])],
                 [weight("w0", [channels, 3, 3, 3], values(channels * 27)),
                  weight("w1", [channels, channels, 3, 3], values(channels * channels * 9)),
                  weight("w2", [channels, 5], values(channels * 5))])


class Tactics(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "m.onnx").write_bytes(network())

    def build(self, *words, rc=0, env=None):
        return self.run_it("convert", "m.onnx", "-o", "m.engine", *words, rc=rc, env={**WITHOUT_LIBRARY, **(env or {})})

    def replay(self, name="t.json"):
        return json.loads((self.folder / name).read_text())["replay"]

    def change(self, layer, choice, name="t.json", **members):
        content = json.loads((self.folder / name).read_text())
        content["replay"][layer].update(implementation=choice[0], tactic=choice[1], **members)
        (self.folder / name).write_text(json.dumps(content))

    def shown(self, path="m.engine"):
        """Layer name to tactic, as inspect shows them."""
        out = self.run_it("inspect", "model", path, "--show", "layers", "attrs").out
        return dict(re.findall(r"Layer \d+ +\| (\S*) \[Op:.*?Tactic = (\w+)", out, re.S))

    def memory(self, path="m.engine"):
        return int(re.search(r"Device Memory: (\d+) bytes", self.run_it("inspect", "model", path).out)[1])


class Replays(Tactics):
    def test_saved_and_followed(self):
        self.build("--save-tactics", "t.json")
        replay = self.replay()
        self.assertEqual(list(replay), ["first", "second", "bend", "third", "pool", "flat", " -> y"])
        self.assertEqual(replay["bend"]["tactic"], 0)
        self.assertEqual(replay["second"]["inputs"][0]["dtype"], "DataType.FLOAT")
        self.assertEqual(len(replay["second"]["inputs"][0]["strides"]), 4)
        self.build("--load-tactics", "t.json")
        for tactic, name in ((TAPS, "taps"), ((0, 2), "gather"), (WINOGRAD, "winograd")):
            with self.subTest(name):
                self.change("second", tactic)
                self.build("--load-tactics", "t.json")
                self.assertEqual(self.shown()["second"], name)
                out = self.run_it("run", "m.onnx", "--native", "--trt", "--load-tactics", "t.json", "--atol", "1e-5",
                                  "--save-engine", "n.engine", env=WITHOUT_LIBRARY).out
                self.assertIn("Pass Rate: 100.00%", out)
                self.assertEqual(self.shown("n.engine")["second"], name)
        self.assertIn("Layer: second", self.run_it("inspect", "tactics", "t.json").out)

    def test_two_builds_differ_where_their_replays_do(self):
        self.build("--save-tactics", "a.json", "--builder-optimization-level", "1")
        (self.folder / "b.json").write_text((self.folder / "a.json").read_text())
        self.change("third", (0, 2), "b.json")
        out = self.run_it("debug", "diff-tactics", "a.json", "b.json").out
        self.assertIn("Layer: third", out)
        self.assertIn("1 layer(s) differ", out)

    def test_replays_that_do_not_fit(self):
        self.build("--save-tactics", "good.json")
        good = (self.folder / "good.json").read_text()
        entry = self.replay("good.json")["second"]
        cases = ((lambda r: r.pop("third"), "layer 'third' is not in it"),
                 (lambda r: r.update(more=entry), "layer 'more' is none of its layers"),
                 (lambda r: r["second"].update(implementation=2147483648, tactic=-3),
                  "layer 'second' has tactic -3 of implementation 2147483648 there, and offers taps, gather, winograd"),
                 (lambda r: r["first"].update(implementation=1, tactic=4),
                  "layer 'first' has the tactic 'winograd' there, and offers taps, gather"),
                 (lambda r: r["bend"].update(tactic=1), "layer 'bend' has the tactic 'taps' there, and has one way only"),
                 (lambda r: r["second"]["inputs"].pop(), "layer 'second' has tensors of other types or ranks there"),
                 (lambda r: r["second"]["outputs"][0].update(dtype="DataType.HALF"), "other types or ranks"))
        for edit, words in cases:
            with self.subTest(words):
                content = json.loads(good)
                edit(content["replay"])
                (self.folder / "bad.json").write_text(json.dumps(content))
                err = self.build("--load-tactics", "bad.json", rc=1).err
                self.assertIn("the tactic replay 'bad.json' does not fit this network", err)
                self.assertIn(words, err)
                self.assertFalse((self.folder / "bad.engine").exists())
        self.assertIn("no such file", self.build("--load-tactics", "nope.json", rc=1).err)
        (self.folder / "bad.json").write_text("[]")
        self.assertIn("a tactic replay (TacticReplayData) was expected", self.build("--load-tactics", "bad.json", rc=1).err)

    def test_excluded(self):
        self.build("--save-tactics", "t.json", "--builder-optimization-level", "1")
        was = self.replay()
        self.assertEqual(was["second"]["tactic"], WINOGRAD[1])
        out = self.build("--exclude-tactics", "t.json", "--save-tactics", "u.json").out
        for layer, entry in self.replay("u.json").items():
            if layer in ("first", "second", "third"):
                self.assertNotEqual(entry["tactic"], was[layer]["tactic"], layer)
            else:
                self.assertEqual(entry["tactic"], was[layer]["tactic"], layer)
        self.assertIn("of the excluded tactics are used all the same: their layers have no other", out)


class Sources(Tactics):
    def test_own_kernels_only(self):
        for words in (["--tactic-sources"], ["--tactic-sources", "native"]):
            for level in ("1", "3"):
                self.build(*words, "--save-tactics", "t.json", "--builder-optimization-level", level)
                self.assertNotIn(WINOGRAD[1], [entry["tactic"] for entry in self.replay().values()])

    def test_sources_that_are_not_there(self):
        out = self.build("--tactic-sources", "CUBLAS", "cudnn").out
        self.assertIn("Tactic source CUBLAS is TensorRT's: here it stands for ONEDNN.", out)
        self.assertIn("Tactic source cudnn is TensorRT's: here it stands for WINOGRAD and ONEDNN.", out)
        err = self.build("--tactic-sources", "CUDA", rc=1).err
        self.assertIn("the built-in engine has no source 'CUDA'; its own kernels (NATIVE) are always used, beside them there are "
                      "WINOGRAD and ONEDNN", err)
        self.assertIn("ONEDNN is not there: POLYGRAPHY_ONEDNN is off", self.build("--tactic-sources", "ONEDNN", rc=1).err)
        err = self.build("--disable-compilation-cache", rc=1).err
        self.assertIn("it compiles no kernels", err)


@unittest.skipUnless(os.environ.get("POLYGRAPHY_ONEDNN", "off") != "off", "oneDNN is not there")
class Library(Tactics):
    def test_layers_of_the_library(self):
        """An engine of them is whole without the library, too."""
        (self.folder / "m.onnx").write_bytes(network(channels=64))
        library = {"POLYGRAPHY_ONEDNN": os.environ["POLYGRAPHY_ONEDNN"]}
        self.build("--tactic-sources", "onednn", "--save-tactics", "t.json", env=library)
        for layer in ("first", "second", "third"):
            self.change(layer, (2, 6))
        self.build("--load-tactics", "t.json", env=library)
        self.assertEqual([self.shown()[name] for name in ("first", "second", "third")], ["onednn"] * 3)
        plain = (self.folder / "m.onnx").stat().st_size
        self.assertLess((self.folder / "m.engine").stat().st_size, 2 * plain)  # nothing is packed beside
        self.run_it("run", "m.onnx", "--native", "--save-inputs", "in.json", "--save-outputs", "out.json", env=WITHOUT_LIBRARY)
        for env in (library, WITHOUT_LIBRARY):
            out = self.run_it("run", "m.engine", "--trt", "--load-inputs", "in.json", "--load-outputs", "out.json",
                              "--atol", "1e-5", env=env).out
            self.assertIn("Pass Rate: 100.00%", out)


class Levels(Tactics):
    def test_what_is_timed(self):
        """A level that times nothing needs no times."""
        for level in ("0", "1"):
            self.build("--builder-optimization-level", level, "--error-on-timing-cache-miss")
            self.assertEqual(set(self.shown().values()), {"default"})
        for level in ("2", "3", "4", "5"):
            self.assertIn("has no time of layer 'first' (Conv)",
                          self.build("--builder-optimization-level", level, "--error-on-timing-cache-miss", rc=1).err)
            self.build("--builder-optimization-level", level)
            self.assertNotEqual(self.shown()["second"], "default")


class Workspace(Tactics):
    def test_tactics_drop_out(self):
        (self.folder / "m.onnx").write_bytes(network(channels=32, size=48))
        sizes = {}
        self.build("--save-tactics", "t.json", "--builder-optimization-level", "1")
        for tactic in (TAPS, WINOGRAD):
            for layer in ("second", "third"):
                self.change(layer, tactic)
            self.build("--load-tactics", "t.json")
            sizes[tactic] = self.memory()
        self.assertLess(sizes[TAPS], sizes[WINOGRAD])
        limit = ("--workspace", str(sizes[TAPS]))
        for level in ("1", "3"):
            out = self.build(*limit, "--builder-optimization-level", level, "-v").out
            self.assertIn("Layer 'second': tactic 'winograd' does not fit into the workspace", out)
            self.assertNotIn("winograd", self.shown().values())
            self.assertLessEqual(self.memory(), sizes[TAPS])
        err = self.build(*limit, "--load-tactics", "t.json", rc=1).err
        self.assertIn(f"the workspace of {sizes[TAPS]} bytes has no room for layer 'second' by any of its tactics (winograd)", err)
        err = self.build("--workspace", "300K", rc=1).err
        self.assertRegex(err, "has no room for layer '(first|second)' by any of its tactics|no memory for a tensor")
        out = self.run_it("run", "m.engine", "--trt").out
        self.assertIn("PASSED", out)


class TimingCaches(Tactics):
    def times(self, name="c.cache"):
        first, *lines, last = (self.folder / name).read_text().splitlines()
        self.assertEqual(first, "polygraphy timing cache 1")
        self.assertEqual(last.split()[:2], ["end", str(len(lines))])
        return [line.split("\t") for line in lines]

    def test_saved_and_used(self):
        self.build("--save-timing-cache", "c.cache", "--save-tactics", "a.json")
        times = self.times()
        self.assertEqual({row[2] for row in times}, {"taps", "gather", "winograd"})
        self.assertEqual(sum(row[3].startswith("Conv float32[1,16,32,32]") for row in times), 3)  # of two layers
        self.assertTrue(all(int(row[0]) > 0 and "threads" in row[1] for row in times))
        before = (self.folder / "c.cache").read_bytes()
        self.build("--load-timing-cache", "c.cache", "--error-on-timing-cache-miss", "--save-tactics", "b.json")
        self.assertEqual((self.folder / "a.json").read_bytes(), (self.folder / "b.json").read_bytes())
        self.assertEqual((self.folder / "c.cache").read_bytes(), before)

    def test_what_the_cache_says_decides(self):
        self.build("--timing-cache", "c.cache")
        for winner in ("taps", "gather", "winograd"):
            rows = [[str(1000 if row[2] == winner else 2000), *row[1:]] for row in self.times()]
            self.write(["\t".join(row) for row in rows])
            self.build("--timing-cache", "c.cache")
            self.assertEqual(self.shown()["second"], winner)

    def write(self, lines, name="c.cache"):
        import zlib
        text = "".join(line + "\n" for line in ["polygraphy timing cache 1", *lines])
        (self.folder / name).write_text(text + f"end {len(lines)} {zlib.crc32(text.encode())}\n")

    def test_misses(self):
        self.assertIn("There is no timing cache 'none.cache'", self.build("--load-timing-cache", "none.cache").out)
        self.build("--timing-cache", "c.cache")
        rows = self.times()
        self.write(["\t".join(row) for row in rows if not (row[2] == "gather" and row[3].startswith("Conv float32[1,16"))])
        err = self.build("--load-timing-cache", "c.cache", "--error-on-timing-cache-miss", rc=1).err
        self.assertIn("the timing cache 'c.cache' has no time of layer 'second' (Conv) by gather on this device", err)
        self.build("--timing-cache", "c.cache")
        self.assertEqual(sorted(row[1:] for row in self.times()), sorted(row[1:] for row in rows))

    def test_other_devices_are_kept(self):
        other = ["5", "another processor, avx9, 7 threads", "taps", "Conv float32[1]"]
        self.write(["\t".join(other)])
        self.assertNotIn("warning", self.build("--timing-cache", "c.cache").out)
        self.assertIn(other, self.times())
        self.assertGreater(len(self.times()), 3)

    def test_damaged(self):
        self.build("--timing-cache", "c.cache")
        good = (self.folder / "c.cache").read_bytes()
        for name, bad, part in (("cut", good[:-10], "its last line is missing"), ("empty", b"", "is no timing cache"),
                                ("other", b"ptrt" + good, "is no timing cache"),
                                ("newer", good.replace(b"cache 1\n", b"cache 2\n", 1), "of format 2; this program reads format 1"),
                                ("changed", good.replace(b"taps", b"tips", 1), "its checksum does not fit")):
            with self.subTest(name):
                (self.folder / "bad.cache").write_bytes(bad)
                for option in ("--load-timing-cache", "--save-timing-cache", "--timing-cache"):
                    err = self.build(option, "bad.cache", rc=1).err
                    self.assertIn(part, err)
                    self.assertIn("bad.cache", err)
                self.assertEqual((self.folder / "bad.cache").read_bytes(), bad)
        self.write(["nonsense"])
        self.assertIn("one of its lines is no time of a layer", self.build("--timing-cache", "c.cache", rc=1).err)

    def test_builds_share_a_file(self):
        (self.folder / "n.onnx").write_bytes(network(size=24))
        processes = [subprocess.Popen([str(PROGRAM), "convert", f"{name}.onnx", "-o", f"{name}.engine", "--timing-cache",
                                       "c.cache"], cwd=self.folder, stdout=subprocess.DEVNULL) for name in "mnmn"]
        self.assertEqual([process.wait() for process in processes], [0, 0, 0, 0])
        for name in "mn":
            self.run_it("convert", f"{name}.onnx", "-o", "o.engine", "--load-timing-cache", "c.cache",
                        "--error-on-timing-cache-miss")

    def test_killed_builds_leave_no_half_cache(self):
        for delay in (0.002, 0.01, 0.02, 0.03, 0.04, 0.06, 0.1):
            process = subprocess.Popen([str(PROGRAM), "convert", "m.onnx", "-o", "k.engine", "--timing-cache", "k.cache"],
                                       cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                process.wait(delay)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if (self.folder / "k.cache").exists():
                self.times("k.cache")
                (self.folder / "k.cache").unlink()
            self.run_it("convert", "m.onnx", "-o", "k.engine", "--timing-cache", "k.cache")  # nobody holds a lock
            self.times("k.cache")
            (self.folder / "k.cache").unlink()


class Profiles(Tactics):
    def test_every_profile_counts(self):
        text = model([conv(["x", "w"], "y", "only")], [value_info("x", ["N", 16, "H", "W"])],
                     [value_info("y", ["N", 16, "H", "W"])], [weight("w", [16, 16, 3, 3], values(2304))])
        (self.folder / "d.onnx").write_bytes(text)
        words = [word for size in (8, 24) for name in ("min", "opt", "max")
                 for word in (f"--trt-{name}-shapes", f"x:[{1 + (name == 'max')},16,{size},{size}]")]
        self.run_it("convert", "d.onnx", "-o", "d.engine", *words, "--timing-cache", "d.cache", env=WITHOUT_LIBRARY)
        text = (self.folder / "d.cache").read_text()
        self.assertIn("Conv float32[1,16,8,8] ", text)
        self.assertIn("Conv float32[1,16,24,24] ", text)
        for profile in ("0", "1"):
            self.run_it("run", "d.engine", "--trt", "--optimization-profile", profile)


if __name__ == "__main__":
    unittest.main()
