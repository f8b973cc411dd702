"""`doctor`: what is found, what is missing, and that nothing of it is an error."""

import json
import os
import subprocess
import unittest

from support import PROGRAM, Case

NOTHING = {"POLYGRAPHY_ONNXRUNTIME": "", "POLYGRAPHY_ONEDNN": "off", "POLYGRAPHY_TENSORRT": "", "VIRTUAL_ENV": "/nowhere", "PATH": "/nowhere",
           "HOME": "/nowhere", "DISPLAY": "", "LC_ALL": "xx_YY.UTF-8"}


class Doctor(Case):
    def report(self, env=None):
        result = self.run_it("doctor", "--json", env=env)
        report = json.loads(result.out)
        self.assertEqual((report["schema"], result.err), (1, ""))
        return report["machine"], {part["name"]: part for part in report["runtimes"]}

    def test_every_part(self):
        machine, parts = self.report()
        self.assertEqual(list(parts), ["ONNX Runtime", "oneDNN", "TensorRT", "TensorRT-RTX", "TensorFlow", "Python", "CUDA driver", "zlib", "picture viewer"])
        for part in parts.values():
            with self.subTest(part["name"]):
                if part["usable"]:
                    self.assertIsNone(part["problem"])
                    self.assertTrue(part["path"] is None or os.path.exists(part["path"]), part)
                else:
                    self.assertTrue(part["problem"] and part["disables"] and part["todo"], part)
        self.assertTrue(parts["zlib"]["usable"])
        self.assertRegex(machine["program"], r"^polygraphy \d")

    def test_the_machine(self):
        machine, _ = self.report()
        self.assertLessEqual(int(machine["processors"].split(" ")[0]), len(os.sched_getaffinity(0)))
        with open("/proc/meminfo", encoding="ascii") as file:
            total = int(file.readline().split()[1]) / 2**20
        self.assertTrue(machine["memory"].startswith(f"{total:.1f} GiB, "), machine["memory"])
        with open("/proc/cpuinfo", encoding="ascii") as file:
            flags = file.read()
        for feature in machine["processor_features"].split(" ") if "none" not in machine["processor_features"] else []:
            self.assertIn(feature, flags)

    def test_fewer_processors(self):
        if len(os.sched_getaffinity(0)) < 2:
            self.skipTest("one processor")
        one = min(os.sched_getaffinity(0))
        done = subprocess.run([PROGRAM, "doctor", "--json"], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
                              preexec_fn=lambda: os.sched_setaffinity(0, {one}))
        self.assertRegex(json.loads(done.stdout)["machine"]["processors"], r"^1 may be used of \d+: ")

    def test_nothing_is_there(self):
        machine, parts = self.report(NOTHING)
        for name in ("ONNX Runtime", "oneDNN", "TensorRT", "TensorRT-RTX", "TensorFlow", "Python", "picture viewer"):
            self.assertFalse(parts[name]["usable"], name)
            self.assertIsNone(parts[name]["path"], name)
        self.assertIn("pip install onnxruntime", parts["ONNX Runtime"]["todo"])
        self.assertIn("POLYGRAPHY_ONEDNN is off", parts["oneDNN"]["problem"])
        self.assertTrue(machine["locale"].startswith("xx_YY.UTF-8; "))
        out = self.run_it("doctor", env=NOTHING).out
        self.assertRegex(out, r"\[W\]     ONNX Runtime is missing\n +Why: .*\n +Disables: run --onnxrt.*\n +To do: python3 -m pip install onnxruntime")

    @unittest.skipUnless("POLYGRAPHY_ONNXRUNTIME" in os.environ, "no ONNX Runtime")
    def test_onnx_runtime(self):
        _, parts = self.report()
        part = parts["ONNX Runtime"]
        self.assertRegex(part["version"], r"^1\.\d+")
        self.assertEqual(os.path.realpath(part["path"]), os.path.realpath(os.environ["POLYGRAPHY_ONNXRUNTIME"]))
        self.assertEqual(part["how"], "named in POLYGRAPHY_ONNXRUNTIME")
        self.assertIn("CPUExecutionProvider", part["details"])

    def test_libraries_that_are_none(self):
        (self.folder / "lib.so").write_text("no library")
        env = {"POLYGRAPHY_ONNXRUNTIME": "lib.so", "POLYGRAPHY_ONEDNN": "lib.so", "POLYGRAPHY_TENSORRT": "lib.so"}
        _, parts = self.report(env)
        for name in ("ONNX Runtime", "oneDNN", "TensorRT", "TensorRT-RTX"):
            self.assertFalse(parts[name]["usable"], name)
            self.assertIn("lib.so", parts[name]["problem"])

    def test_a_file_for_the_findings(self):
        out = self.run_it("doctor", "--json", "found.json").out
        self.assertIn("==== Runtimes ====", out)
        self.assertEqual(json.loads((self.folder / "found.json").read_text())["schema"], 1)
        self.assertIn("--json", self.run_it("doctor", "--json", "found.json/x", rc=1).err)


if __name__ == "__main__":
    unittest.main()
