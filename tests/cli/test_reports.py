"""Metrics, accuracy results, pictures and reports of `run`, on the built-in engine: no other package is needed."""

import base64
import json
import re
import unittest
import xml.etree.ElementTree as ET

from support import Case, Page, array, model, node, png_size, relu_model, value_info

SVG = "{http://www.w3.org/2000/svg}"


class Reports(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "relu.onnx").write_bytes(relu_model())
        (self.folder / "wide.onnx").write_bytes(
            model([node("Exp", ["x"], ["y"])], [value_info("x", [2, 3, 20, 30])], [value_info("y", [2, 3, 20, 30])]))
        self.run_it("run", "wide.onnx", "--native", "--save-outputs", "one.json")
        self.run_it("run", "wide.onnx", "--native", "--seed", "2", "--save-outputs", "two.json")

    def compare(self, *words, rc=1):
        return self.run_it("run", "--load-outputs", "one.json", "two.json", *words, rc=rc)

    def test_json(self):
        self.compare("--compare", "simple", "quality_metrics", "--json", "out.json", "-qqqq")
        report = json.loads((self.folder / "out.json").read_text(), parse_constant=self.fail)
        self.assertEqual(report["schema"], 1)
        self.assertEqual(set(report), {"schema", "program", "command", "folder", "model", "started", "seconds",
                                       "verdict", "error", "judged_by_average", "runs", "inputs", "comparisons"})
        self.assertEqual((report["verdict"], report["model"]), ("failed", None))
        self.assertEqual([run["file"] for run in report["runs"]], ["one.json", "two.json"])
        functions = report["comparisons"][0]["iterations"][0]["functions"]
        self.assertEqual([f["function"] for f in functions], ["simple", "psnr", "snr"])
        output = functions[0]["outputs"][0]
        self.assertEqual((output["name0"], output["shape"], output["elements"]), ("y", [2, 3, 20, 30], 3600))
        self.assertGreater(output["absolute"]["max"], output["absolute"]["mean"])
        self.assertGreaterEqual(output["passing_atol"], output["absolute"]["p99"])
        self.assertEqual(len(output["worst"]["index"]), 4)

    def test_json_of_a_run(self):
        self.run_it("run", "relu.onnx", "--native", "--native", "--iterations", "3", "--json", "out.json")
        report = json.loads((self.folder / "out.json").read_text())
        self.assertEqual((report["verdict"], report["model"]), ("passed", "relu.onnx"))
        self.assertEqual([run["iterations"] for run in report["runs"]], [3, 3])
        self.assertLessEqual(report["runs"][0]["latency_ms"]["min"], report["runs"][0]["latency_ms"]["p99"])
        self.assertEqual((report["inputs"][0]["name"], report["inputs"][0]["shape"]), ("x", "(1, 3)"))

    def test_junit(self):
        self.compare("--compare", "simple", "l2", "--l2-threshold", "1e9", "--junit", "out.xml")
        root = ET.parse(self.folder / "out.xml").getroot()
        cases = root.findall(".//testcase")
        self.assertEqual((root.tag, root.get("tests"), root.get("failures")), ("testsuites", str(len(cases)), "1"))
        self.assertEqual([(c.get("classname"), c.get("name"), c.find("failure") is not None) for c in cases],
                         [("results.simple", "y", True), ("results.l2", "y", False), ("results", "run", False)])

    def test_sarif(self):
        self.compare("--sarif", "out.sarif")
        run = json.loads((self.folder / "out.sarif").read_text())["runs"][0]
        result = run["results"][0]
        self.assertEqual(run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"], result["ruleId"])
        self.assertEqual((result["ruleId"], result["level"]), ("simple", "error"))
        self.assertEqual(result["locations"][0]["logicalLocations"][0]["name"], "y")
        self.assertEqual((run["invocations"][0]["exitCode"], run["invocations"][0]["executionSuccessful"]), (1, True))
        first = result["partialFingerprints"]
        self.compare("--sarif", "again.sarif", "--atol", "1e-6")
        again = json.loads((self.folder / "again.sarif").read_text())["runs"][0]["results"][0]
        self.assertEqual(again["partialFingerprints"], first)

    def test_html(self):
        self.compare("--report", "out.html", "--compare", "simple", "psnr")
        text = (self.folder / "out.html").read_text()
        page = Page(text)
        self.assertEqual((page.open, page.outside), ([], []))
        self.assertEqual((page.tags.count("img"), page.tags.count("details")), (1, 2))
        self.assertNotIn("http", text)
        self.assertIn("FAILED", text)
        for picture in re.findall(r"data:image/png;base64,([\w+/=]+)", text):
            png_size(base64.b64decode(picture, validate=True))

    def test_html_shows_the_graph(self):
        self.run_it("run", "relu.onnx", "--native", "--save-outputs", "a.json", "--onnx-outputs", "mark", "all")
        results = json.loads((self.folder / "a.json").read_text())
        outputs = results["lst"][0][1][0]["outputs"]
        outputs["s"] = outputs["y"] = array("(1, 3)", [1, 2, 3])  # what the second run finds is something else
        (self.folder / "b.json").write_text(json.dumps(results))
        for words in [["--load-outputs", "a.json", "b.json"], ["--native", "--onnx-outputs", "mark", "all",
                                                               "--load-outputs", "b.json"]]:
            with self.subTest(words=words):
                self.run_it("run", "relu.onnx", *words, "--report", "out.html", rc=1)
                text = (self.folder / "out.html").read_text()
                page = Page(text)
                self.assertEqual((page.open, page.outside), ([], []))
                self.assertEqual(page.links, {"row0", "row1"})  # boxes of both nodes, the sentence
                self.assertIn("The first output that failed, in the order of the graph, is &#39;s&#39; of node 0, Add "
                              "&#39;n_add&#39;", text)
                self.assertEqual(text.count('<g class="node bad">'), 2)
                self.assertIn("<td>Relu</td><td class=\"n\">1</td>", text)

    def test_html_of_a_metric(self):
        self.run_it("run", "relu.onnx", "--native", "--save-outputs", "a.json")
        self.run_it("run", "relu.onnx", "--native", "--load-outputs", "a.json", "--compare", "psnr", "--report",
                    "out.html")
        text = (self.folder / "out.html").read_text()
        self.assertIn("(less is worse)", text)
        self.assertEqual((text.count('<g class="node bad">'), Page(text).links), (0, {"row0"}))

    def test_a_run_that_ends_in_an_error_is_reported(self):
        result = self.run_it("run", "none.onnx", "--native", "--json", "out.json", "--junit", "out.xml", "--sarif",
                             "out.sarif", "--report", "out.html", rc=1)
        self.assertIn("none.onnx", result.err)
        self.assertEqual(json.loads((self.folder / "out.json").read_text())["verdict"], "error")
        self.assertIsNotNone(ET.parse(self.folder / "out.xml").getroot().find(".//error"))
        sarif = json.loads((self.folder / "out.sarif").read_text())["runs"][0]
        self.assertFalse(sarif["invocations"][0]["executionSuccessful"])
        self.assertEqual(Page((self.folder / "out.html").read_text()).open, [])

    def test_averages_do_not_fail_single_cases(self):
        self.compare("--compare", "l2", "--check-average", "--junit", "out.xml")
        root = ET.parse(self.folder / "out.xml").getroot()
        self.assertEqual([c.get("name") for c in root.findall(".//testcase") if c.find("failure") is not None], ["run"])

    # ---- Pictures ----

    def test_heatmaps(self):
        self.compare("--save-heatmaps", "maps")
        names = sorted(path.name for path in (self.folder / "maps").iterdir())
        self.assertEqual(names, ["Absolute Error | y: (0,0,0:20,0:30) to (1,2,0:20,0:30).svg",
                                 "Relative Error | y (Log Scale): (0,0,0:20,0:30) to (1,2,0:20,0:30).svg"])
        for name in names:
            root = ET.parse(self.folder / "maps" / name).getroot()
            images = root.findall(f"{SVG}image")
            sizes = [png_size(base64.b64decode(i.get("href").split(",", 1)[1])) for i in images]
            self.assertEqual(sizes, [(30, 20)] * 6 + [(1, 64)])  # and the colour bar
            texts = [text.text for text in root.findall(f"{SVG}text")]
            self.assertEqual(texts[0], name[:-4])
            self.assertIn("(1,2,0:20,0:30)", texts)

    def test_error_plots(self):
        self.compare("--save-error-metrics-plot", "plots", "-q")
        self.assertEqual([path.name for path in (self.folder / "plots").iterdir()], ["error_metrics_y.png"])
        self.assertEqual(png_size((self.folder / "plots" / "error_metrics_y.png").read_bytes()), (1600, 1300))

    def test_sketches_on_a_terminal(self):
        result = self.run_it("run", "--load-outputs", "one.json", "two.json", "--show-heatmaps",
                             "--show-error-metrics-plot", rc=1, env={"DISPLAY": "", "WAYLAND_DISPLAY": ""})
        self.assertIn("\u2593", result.out)
        self.assertIn("the picture with the largest value", result.out)

    def viewer(self):
        """An environment whose desktop viewer notes what it is asked to open."""
        viewer = self.folder / "xdg-open"
        viewer.write_text('#!/bin/sh\necho "$1" >> opened.txt\n')
        viewer.chmod(0o755)
        return {"DISPLAY": ":7", "PATH": f"{self.folder}:/usr/bin:/bin", "TMPDIR": str(self.folder)}

    def test_shown_in_the_desktops_viewer(self):
        result = self.run_it("run", "--load-outputs", "one.json", "two.json", "--show-heatmaps", "--save-heatmaps", "maps",
                             "--show-error-metrics-plot", rc=1, env=self.viewer())
        opened = (self.folder / "opened.txt").read_text().splitlines()
        self.assertEqual(len(opened), 3)  # two heatmaps that were saved, and a plot that was not
        self.assertEqual([name.startswith("maps/") for name in sorted(opened, key=lambda n: not n.startswith("maps/"))],
                         [True, True, False])
        for name in opened:
            data = (self.folder / name).read_bytes()
            self.assertTrue(data.startswith(b"<svg") or png_size(data) == (1600, 1300), name)
        self.assertNotIn("\u2593", result.out)  # no sketch besides

    def save(self, name, arrays):
        iteration = {"outputs": arrays, "runtime": 0.1, "runner_name": name, "polygraphy_class": "IterationResult"}
        (self.folder / f"{name}.json").write_text(
            json.dumps({"lst": [[name, [iteration]]], "polygraphy_class": "RunResults"}))

    def test_pictures_of_scalars_empty_and_odd_values(self):
        inf, nan = float("inf"), float("nan")
        self.save("A", {"s": array("()", [1]), "e": array("(0, 3)", []), "n/a": array("(4,)", [1, nan, inf, -3e38])})
        self.save("B", {"s": array("()", [2]), "e": array("(0, 3)", []), "n/a": array("(4,)", [nan, 1, 0, 3e38])})
        self.run_it("run", "--load-outputs", "A.json", "B.json", "--save-heatmaps", "maps", "--save-error-metrics-plot",
                    "plots", "--report", "out.html", "--json", "out.json", rc=1)
        self.assertEqual(sorted(path.name for path in (self.folder / "plots").iterdir()),
                         ["error_metrics_n_a.png", "error_metrics_s.png"])
        self.assertEqual(len(list((self.folder / "maps").iterdir())), 4)
        for path in (self.folder / "maps").iterdir():
            ET.parse(path)
        self.assertEqual(Page((self.folder / "out.html").read_text()).open, [])
        json.loads((self.folder / "out.json").read_text(), parse_constant=self.fail)

    # ---- Wrong words ----

    def test_bad_values(self):
        for words, part in [
            (["--l2-threshold", "much"], "option '--l2-threshold': 'much'"),
            (["--psnr-threshold", "y:"], "option '--psnr-threshold'"),
            (["--psnr-threshold", "y:nan"], "not between"),
            (["--snr-threshold", "y:1", "y:2"], "option '--snr-threshold'"),
            (["--cosine-similarity-threshold", "[1]"], "option '--cosine-similarity-threshold'"),
            (["--compare", "perceptual_metrics"], "'torch' and 'lpips'"),
            (["--compare", "l2", "--check-average", "--fail-fast"], "--check-average cannot be combined"),
            (["--check-average"], "--check-error-stat"),
            (["--check-average", "--compare", "indices"], "averageable"),
            (["--save-accuracy-results", "one.json"], "overlaps"),
            (["--json", "one.json/x"], "is not a folder"),
            (["--report", "."], "overlaps"),
            (["--junit", "a", "--sarif", "a"], "two kinds of data"),
            (["--save-heatmaps", "one.json"], "is not a folder"),
        ]:
            with self.subTest(words=words):
                self.assertIn(part, self.compare(*words).err)

    def test_bad_choices(self):
        self.assertIn("invalid choice: 'l3'", self.compare("--compare", "l3", rc=2).err)
        self.assertIn("expected", self.compare("--l2-threshold", rc=2).err)

    # ---- Accuracy results ----

    def test_judged_again(self):
        self.compare("--compare", "psnr", "snr", "--save-accuracy-results", "acc.json")
        self.run_it("check", "accuracy", "acc.json", "--compare", "quality_metrics", "--psnr-threshold", "-99",
                    "--snr-threshold", "-99")
        self.run_it("check", "accuracy", "acc.json", "--compare", "psnr", "--psnr-threshold", "99", rc=1)
        for words, part in [(["--compare", "l2"], "['l2_norm']"), (["--compare", "psnr", "--psnr-threshold", "x"], "'x'"),
                            (["--compare", "psnr", "--save-accuracy-results", "acc.json/x"], "not a folder"),
                            (["--atol", "1"], "metric fields")]:
            with self.subTest(words=words):
                self.assertIn(part, self.run_it("check", "accuracy", "acc.json", *words, rc=1).err)

    def test_nothing_checked_is_said(self):
        self.compare("--compare", "psnr", "--save-accuracy-results", "acc.json")
        self.assertIn("[W] Nothing was checked", self.run_it("check", "accuracy", "acc.json").out)

    def test_options_without_effect_are_said(self):
        self.compare("--compare", "psnr", "--save-accuracy-results", "acc.json")
        result = self.run_it("check", "accuracy", "acc.json", "--compare", "psnr", "--psnr-threshold", "-99",
                             "--save-heatmaps", "maps", "--no-shape-check")
        self.assertIn("Option: --save-heatmaps is only valid for", result.out)
        self.assertIn("Option: --no-shape-check does nothing here", result.out)

    def test_wrong_files(self):
        self.assertIn("AccuracyResults", self.run_it("check", "accuracy", "one.json", rc=1).err)
        self.assertIn("none.json", self.run_it("check", "accuracy", "none.json", rc=1).err)
        self.run_it("check", "accuracy", rc=2)


if __name__ == "__main__":
    unittest.main()
