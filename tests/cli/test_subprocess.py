"""run --use-subprocess: the same results from processes of their own, and a runtime that crashes is named."""

import os
import shutil
import subprocess
import unittest

from support import Case, relu_model

CRASHES = "void *OrtGetApiBase(void) { *(volatile int *)0 = 1; return 0; }\n"
LEAVES = "#include <stdlib.h>\nvoid *OrtGetApiBase(void) { _Exit(3); }\n"


class Subprocess(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "m.onnx").write_bytes(relu_model())

    def library(self, source):
        if not shutil.which("gcc"):
            self.skipTest("needs gcc")
        (self.folder / "fake.c").write_text(source)
        subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-o", "fake.so", "fake.c"], cwd=self.folder, check=True)
        return "./fake.so"

    def test_same_results(self):
        for more in ([], ["--sequential-runners"], ["--warm-up", "2"]):
            words = ["run", "m.onnx", "--native", "--native", "--iterations", "3", "--onnx-outputs", "mark", "all", *more]
            self.run_it(*words, "--save-outputs", "a.json")
            out = self.run_it(*words, "--save-outputs", "b.json", "--use-subprocess").out
            self.assertIn("Passed: 3/3 iterations", out)
            self.run_it("run", "--load-outputs", "a.json", "b.json", "--atol", "0", "--rtol", "0")
            self.assertEqual(out.count("Activating and starting inference"), 2)

    @unittest.skipUnless(os.environ.get("POLYGRAPHY_ONNXRUNTIME"), "needs ONNX Runtime")
    def test_two_runtimes(self):
        out = self.run_it("run", "m.onnx", "--onnxrt", "--native", "--use-subprocess").out
        self.assertIn("Passed: 1/1 iterations", out)

    def test_crash_is_named(self):
        fake = self.library(CRASHES)
        result = self.run_it("run", "m.onnx", "--native", "--onnxrt", "--ort-library", fake, "--use-subprocess",
                             "--save-outputs", "o.json", rc=1, env={"ASAN_OPTIONS": "handle_segv=0"})
        self.assertRegex(result.err, r"onnxrt-runner-N0\S* crashed with signal 11")
        self.assertIn("[E] FAILED | Runtime", result.out)

    def test_exit_is_named(self):
        fake = self.library(LEAVES)
        result = self.run_it("run", "m.onnx", "--onnxrt", "--ort-library", fake, "--use-subprocess", rc=1)
        self.assertRegex(result.err, r"onnxrt-runner-N0\S* ended its process with exit status 3")

    def test_errors_are_the_runtimes_own(self):
        result = self.run_it("run", "m.onnx", "--onnxrt", "--ort-library", "./none.so", "--use-subprocess", rc=1)
        self.assertIn("./none.so", result.err)

    def test_no_profile(self):
        err = self.run_it("run", "m.onnx", "--native", "--use-subprocess", "--profile", rc=1).err
        self.assertIn("'--profile'", err)


if __name__ == "__main__":
    unittest.main()
