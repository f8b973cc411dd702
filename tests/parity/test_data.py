"""`data concat` and `data merge` beside Polygraphy 0.53."""

import json
import unittest

from sidebyside import PEER, SideBySide, execute, ours, peers

# Written by the peer, so that its own files are read here.
MAKE = """
import sys, numpy as np
from polygraphy.comparator import RunResults, IterationResult
from polygraphy.json import save_json
def feed(names, seed):
    rng = np.random.default_rng(seed)
    return {n: rng.standard_normal((2, 3)).astype(np.float32) for n in names}
def results(runners, names, count):
    r = RunResults()
    for k, name in enumerate(runners):
        r.append((name, [IterationResult(feed(names, 100 * k + i), runtime=0.5, runner_name=name) for i in range(count)]))
    return r
save_json([feed("xy", 1)], "one.json")
save_json([feed("xy", 2), feed("xy", 3)], "two.json")
save_json(feed("z", 4), "bare.json")
save_json([feed("yx", 5), feed("x", 6)], "other.json")
save_json([], "none.json")
save_json(results(["a"], "uv", 1), "a1.json")
save_json(results(["a"], "uv", 3), "a3.json")
save_json(results(["a", "b"], "uv", 1), "ab.json")
save_json(results(["b"], "w", 1), "b1.json")
"""


class Data(SideBySide):
    def prepare(self, folder):
        code, _, err = execute([PEER, "-c", MAKE], folder)
        self.assertEqual(code, 0, err)

    def test_concat_inputs(self):
        self.check_lines(["data concat one.json -o out1.json", "data concat one.json two.json -o out2.json",
                          "data concat two.json bare.json one.json -o out3.json",
                          "data concat one.json other.json --output out4.json",
                          "data concat none.json one.json -o out5.json", "data concat none.json -o out6.json"])

    def test_concat_results(self):
        self.check_lines(["data concat a1.json a3.json -o out1.json", "data concat a1.json b1.json ab.json -o out2.json",
                          "data concat ab.json b1.json a3.json -o out3.json"])

    def test_merge(self):
        self.check_lines(["data merge one.json bare.json -o out1.json", "data merge one.json a1.json -o out2.json",
                          "data merge one.json one.json -o out3.json", "data merge a1.json b1.json -o out4.json",
                          "data merge ab.json -o out5.json", "data merge one.json -q -o out6.json"])

    def test_refused(self):
        self.check_lines(["data concat one.json a1.json -o out.json", "data concat a1.json one.json -o out.json",
                          "data concat nope.json -o out.json", "data merge nope.json -o out.json",
                          "data concat one.json", "data merge -o out.json"])

    def test_merge_keeps_iterations_apart(self):
        """The peer pads with one and the same dictionary, so that every iteration becomes the last one."""
        mine, other = self.folders()
        line = "data merge two.json bare.json a3.json -o out.json"
        self.assertEqual(ours(line, mine)[0], 0)
        self.assertEqual(peers(line, other)[0], 0)
        two = json.loads((mine / "two.json").read_text())
        got = json.loads((mine / "out.json").read_text())
        self.assertEqual([list(i) for i in got], [["x", "y", "z", "u", "v"], ["x", "y", "u", "v"], ["u", "v"]])
        self.assertEqual([i["x"] for i in got[:2]], [i["x"] for i in two])
        bad = json.loads((other / "out.json").read_text())
        self.assertEqual(bad[0]["x"], bad[1]["x"])


if __name__ == "__main__":
    unittest.main()
