"""What an engine's file holds and how it uses memory: processors, plain weights, weight streaming, room for tensors, and what
a killed build leaves."""

import os
import random
import signal
import subprocess
import sys
import time
import unittest

from seed_models import picture_model
from support import PROGRAM, Case, bytes_field, model, node, number_field, polygraphy, value_info

LAYERS, WIDTH = 12, 1000


def matrix(name, seed):
    """A weight of 4 MB, as raw bytes."""
    block = random.Random(seed).randbytes(WIDTH)
    floats = b"".join(bytes([0, 0, value & 0x7F, 0x3C | (value & 0x80)]) for value in block) * WIDTH
    return number_field(1, WIDTH) * 2 + number_field(2, 1) + bytes_field(8, name) + bytes_field(9, floats)


def tall_model(layers=LAYERS, seed=0):
    names = ["x", *(f"t{i}" for i in range(layers - 1)), "y"]
    nodes = [node("MatMul", [names[i], f"w{i}"], [names[i + 1]], f"layer{i}") for i in range(layers)]
    return model(nodes, [value_info("x", [1, WIDTH])], [value_info("y", [1, WIDTH])],
                 [matrix(f"w{i}", seed + i) for i in range(layers)])


class Plans(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "m.onnx").write_bytes(tall_model())

    def build(self, *words, rc=0):
        return self.run_it("convert", "m.onnx", "-o", "m.engine", *words, rc=rc)

    def size(self, name):
        return (self.folder / name).stat().st_size

    def megabytes(self, *words):
        """The most memory that a command held. Its parent is small, since the system counts a parent's memory at the fork."""
        measure = ("import os, subprocess, sys; child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL);"
                   "_, status, usage = os.wait4(child.pid, 0); print(status, usage.ru_maxrss)")
        done = subprocess.run([sys.executable, "-c", measure, PROGRAM, *words], cwd=self.folder, capture_output=True, text=True,
                              check=True)
        status, kilobytes = map(int, done.stdout.split())
        self.assertEqual(status, 0, words)
        return kilobytes / 1024


class Files(Plans):
    def test_plain_weights_for_other_processors(self):
        model_size = self.size("m.onnx")
        for words, low, high, elsewhere in (((), 1, 1.05, 1), (("--version-compatible",), 2, 2.05, 0),
                                            (("--hardware-compatibility-level", "AMPERE_PLUS"), 1, 1.05, 0),
                                            (("--hardware-compatibility-level", "same_compute_capability"), 1, 1.05, 1),
                                            (("--hardware-compatibility-level", "none"), 1, 1.05, 1)):
            with self.subTest(words):
                self.build(*words)
                self.assertTrue(low <= self.size("m.engine") / model_size < high, self.size("m.engine"))
                self.run_it("run", "m.engine", "--trt", "--save-inputs", "in.json", "--save-outputs", "out.json")
                done = polygraphy("run", "m.engine", "--trt", "--load-inputs", "in.json", "--load-outputs", "out.json",
                                  "--atol", "1e-3", cwd=self.folder, env={"POLYGRAPHY_SIMD": "base"})
                self.assertEqual(done.rc, elsewhere, done.err)
                if elsewhere == 1:
                    self.assertIn("--version-compatible or --hardware-compatibility-level ampere_plus", done.err)

    def test_loaded_engines_give_the_outputs_of_built_ones(self):
        for words in ((), ("--version-compatible",), ("--fp16",), ("--int8",), ("--weight-streaming",)):
            with self.subTest(words):
                self.run_it("run", "m.onnx", "--trt", *words, "--save-engine", "m.engine", "--save-inputs", "in.json",
                            "--save-outputs", "out.json")
                out = self.run_it("run", "m.engine", "--trt", "--load-inputs", "in.json", "--load-outputs", "out.json",
                                  "--atol", "0", "--rtol", "0").out
                self.assertIn("Pass Rate: 100.00%", out)

    def test_words_that_are_refused(self):
        for words, part in ((["--hardware-compatibility-level", "turing"], "is none of none, same_compute_capability"),
                            (["--runtime-platform", "windows_amd64"], "does not run on windows_amd64"),
                            (["--runtime-platform", "mars"], "neither same_as_build nor windows_amd64"),
                            (["--hardware-compatibility-level", "ampere_plus", "--weight-streaming"], "it has none")):
            with self.subTest(words):
                self.assertIn(part, self.build(*words, rc=1).err)
                self.assertFalse((self.folder / "m.engine").exists())
        self.build("--runtime-platform", "same_as_build", "--version-compatible", "--exclude-lean-runtime")
        self.assertIn("need no runtime library", self.run_it("run", "m.engine", "--trt", "--load-runtime", "lean.so", rc=1).err)


class Streaming(Plans):
    def test_weights_stay_within_the_budget(self):
        self.build("--weight-streaming", "--strongly-typed")
        words = ("run", "m.engine", "--trt", "--iterations", "3")
        self.run_it(*words, "--save-inputs", "in.json", "--save-outputs", "out.json")
        whole = self.megabytes(*words, "--weight-streaming-budget", "-2")
        for budget, share in (("0", 0), ("25%", 0.25), ("24M", 0.5)):
            with self.subTest(budget):
                out = self.run_it(*words, "--weight-streaming-budget", budget, "--load-inputs", "in.json", "--load-outputs",
                                  "out.json", "--atol", "0", "--rtol", "0").out
                self.assertIn("Weight streaming:", out)
                saved = whole - self.megabytes(*words, "--weight-streaming-budget", budget)
                # One weight is in memory beside those that stay.
                self.assertGreater(saved, 46 * (1 - share) - 8)

    def test_a_built_engine_streams_too(self):
        words = ("run", "m.onnx", "--trt", "--weight-streaming", "--weight-streaming-budget", "4M")
        env = {"TMPDIR": str(self.folder)}
        self.assertIn("Weight streaming:", self.run_it(*words, env=env).out)
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["m.onnx"])
        self.assertIn("Weight streaming:", self.run_it(*words, "--save-engine", "m.engine").out)

    def test_budgets_that_cannot_be_kept(self):
        self.build()
        err = self.run_it("run", "m.engine", "--trt", "--weight-streaming-budget", "1M", rc=1).err
        self.assertIn("the engine was built without --weight-streaming", err)
        self.run_it("run", "m.engine", "--trt", "--weight-streaming-budget", "-2")
        err = self.run_it("run", "m.engine", "--trt", "--weight-streaming-budget", "120%", rc=1).err
        self.assertIn("is not a percentage from 0% to 100%", err)


class Refitting(Plans):
    def setUp(self):
        super().setUp()
        (self.folder / "m.onnx").write_bytes(tall_model(4))
        (self.folder / "new.onnx").write_bytes(tall_model(4, seed=50))

    def same(self, engine, fresh, *words):
        """Whether two commands compute the same, bit for bit."""
        self.run_it("run", fresh, "--trt", "--save-inputs", "in.json", "--save-outputs", "out.json")
        out = self.run_it("run", engine, "--trt", *words, "--load-inputs", "in.json", "--load-outputs", "out.json", "--atol", "0",
                          "--rtol", "0").out
        self.assertIn("Pass Rate: 100.00%", out)

    def test_new_weights_give_the_engine_of_the_new_model(self):
        for words in ((), ("--fp16",), ("--int8", "--calibration-cache", "c.cache"), ("--version-compatible",)):
            for kind in ("--refittable", "--strip-plan"):
                with self.subTest(words=words, kind=kind):
                    self.build(*words, kind)
                    self.run_it("convert", "new.onnx", "-o", "fresh.engine", *words)
                    self.run_it("convert", "m.engine", "--refit-from", "new.onnx", "-o", "fitted.engine")
                    self.same("fitted.engine", "fresh.engine")
                    self.same("m.engine", "fresh.engine", "--refit-from", "new.onnx")

    def test_stripped_engines(self):
        self.build("--strip-plan")
        self.assertLess(self.size("m.engine"), 10000)
        self.run_it("inspect", "model", "m.engine", "--show", "layers")
        err = self.run_it("run", "m.engine", "--trt", rc=1).err
        self.assertIn("'m.engine' has no weights (it was built with --strip-plan): give them with --refit-from MODEL.onnx", err)
        self.run_it("convert", "m.engine", "--refit-from", "m.onnx", "-o", "whole.engine")
        self.run_it("convert", "m.onnx", "-o", "fresh.engine")
        self.same("whole.engine", "fresh.engine")

    def test_weights_that_do_not_fit(self):
        self.build("--refittable")
        good = tall_model(4)
        (self.folder / "name.onnx").write_bytes(good.replace(b"w2", b"v2"))
        (self.folder / "few.onnx").write_bytes(tall_model(2))
        (self.folder / "shape.onnx").write_bytes(good.replace(number_field(1, WIDTH) * 2, number_field(1, WIDTH // 2) +
                                                              number_field(1, WIDTH * 2), 1))
        for name, part in (("name.onnx", "weight 'w2' is not in the model; did you mean"),
                           ("few.onnx", "weight 'w2' is not in the model; did you mean"),
                           ("shape.onnx", "'w0' is float32 of shape (1000, 1000) in the engine and float32 of shape (500, 2000)"),
                           ("none.onnx", "none.onnx")):
            with self.subTest(name):
                self.assertIn(part, self.run_it("run", "m.engine", "--trt", "--refit-from", name, rc=1).err)
                self.run_it("convert", "m.engine", "--refit-from", name, "-o", "bad.engine", rc=1)
                self.assertFalse((self.folder / "bad.engine").exists())
        self.build()
        err = self.run_it("run", "m.engine", "--trt", "--refit-from", "m.onnx", rc=1).err
        self.assertIn("was built without --refittable and --strip-plan", err)
        err = self.run_it("run", "m.onnx", "--trt", "--refit-from", "m.onnx", rc=1).err
        self.assertIn("'--refit-from' needs a stored engine", err)


class Room(Plans):
    def test_room_is_made_before_the_first_run(self):
        (self.folder / "m.onnx").write_bytes(picture_model())
        self.build(*(word for batch in (2, 64) for word in
                     ("--trt-min-shapes", "input:[1,3,8,8]", "--trt-opt-shapes", "input:[1,3,8,8]",
                      "--trt-max-shapes", f"input:[{batch},3,8,8]")))
        room = {}
        for name in ("static", "profile", "runtime"):
            out = self.run_it("run", "m.engine", "--trt", "--allocation-strategy", name).out
            line = next((line for line in out.splitlines() if "Room for" in line), "Room for 0 bytes")
            room[name] = int(line.split("Room for ")[1].split()[0])
        self.assertGreater(room["profile"], room["runtime"])
        self.assertGreater(room["static"], 8 * room["profile"])


class Killed(Plans):
    @staticmethod
    def is_gone(group):
        """Nobody of the group is left, or about to end with the process that was killed."""
        for _ in range(200):
            try:
                os.killpg(group, 0)
            except ProcessLookupError:
                return True
            time.sleep(0.05)
        return False

    def leftovers(self, number, wait, *words):
        """Ends a build after some time; what is in the folder then, but for the model."""
        with subprocess.Popen([PROGRAM, *words], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              start_new_session=True) as child:
            time.sleep(wait)
            child.send_signal(number)
            child.wait(30)
            self.assertTrue(self.is_gone(child.pid), "a process of the build is left")
        return sorted(p.name for p in self.folder.iterdir() if p.name != "m.onnx")

    def test_whole_files_or_none(self):
        begin = time.monotonic()
        self.build()
        whole, seconds = self.size("m.engine"), time.monotonic() - begin
        (self.folder / "m.engine").unlink()
        chance = random.Random(5)
        for number in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
            for words in (("convert", "m.onnx", "-o", "m.engine"), ("run", "m.onnx", "--trt", "--save-engine", "m.engine")):
                for _ in range(7):
                    wait = chance.uniform(0, seconds)
                    left = self.leftovers(number, wait, *words)
                    with self.subTest(signal=number, words=words[0], wait=wait):
                        self.assertIn(left, ([], ["m.engine"]))
                        if left:
                            self.assertEqual(self.size("m.engine"), whole)
                            self.run_it("inspect", "model", "m.engine")
                            (self.folder / "m.engine").unlink()


if __name__ == "__main__":
    unittest.main()
