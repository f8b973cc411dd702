"""Pages and pictures as a browser shows them, against golden images.

    tests/golden/test_golden.py --update     # after looking at them; the images are small copies

Every picture is made small before it is compared, so that fonts, hinting and smoothing do not matter, and the fonts are fixed.
Chromium and its fonts come from scripts/setup.sh check; without them the tests of pages are skipped."""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import unittest
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))
from support import Case, array, model, node, value_info, weight  # noqa: E402

GOLDEN = Path(__file__).resolve().parent
UPDATE = "--update" in sys.argv
TOLERANCE = 0.12  # of what is drawn: the sum of the differences by the sum of what is not white
FONT = "DejaVu Sans"


# ---- Images ----


def unfilter(kind, line, above, step):
    """One row of a PNG, in place."""
    for i in range(len(line)):
        left = line[i - step] if i >= step else 0
        up = above[i]
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = up
        elif kind == 3:
            guess = (left + up) // 2
        else:
            corner = above[i - step] if i >= step else 0
            p, q, r = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
            guess = left if p <= q and p <= r else up if q <= r else corner
        line[i] = line[i] + guess & 255


def read_png(data):
    """Width, height and rows of red, green, blue; 8 bits, no palette."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", data[at + 8:at + 18])
        if kind == b"IDAT":
            packed += data[at + 8:at + 8 + length]
        at += 12 + length
    assert depth == 8 and colour in (2, 6), (depth, colour)
    step = 3 if colour == 2 else 4
    raw, stride, rows = zlib.decompress(packed), width * step + 1, []
    above = bytearray(width * step)
    for y in range(height):
        line = bytearray(raw[y * stride + 1:(y + 1) * stride])
        if raw[y * stride]:
            unfilter(raw[y * stride], line, above, step)
        above = line
        if step == 4:
            line = bytearray(b for i, b in enumerate(line) if i % 4 != 3)
        rows.append(line)
    return width, height, rows


def write_png(width, rows):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    raw = b"".join(b"\0" + bytes(row) for row in rows)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b""))


def shrink(image, factor):
    """Means over squares, in steps of 8 so that the file stays small."""
    width, height, rows = image
    small = []
    for y in range(height // factor):
        sums = [0] * (width // factor * 3)
        for row in rows[y * factor:(y + 1) * factor]:
            for channel in range(3):
                plane = row[channel::3]
                for x in range(width // factor):
                    sums[x * 3 + channel] += sum(plane[x * factor:(x + 1) * factor])
        small.append(bytearray(min(255, (s // factor**2 + 4) // 8 * 8) for s in sums))
    return width // factor, height // factor, small


def difference(a, b):
    """0 for equal images, 1 for ones that have nothing in common; None when the sizes differ."""
    if a[:2] != b[:2]:
        return None
    pairs = [pair for row, other in zip(a[2], b[2]) for pair in zip(row, other)]
    return sum(abs(p - q) for p, q in pairs) / max(1, sum(255 - min(p, q) for p, q in pairs))


# ---- The browser ----


def chromium():
    """Its path; skips where it or its fonts are not there."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    fonts = subprocess.run(["fc-list"], capture_output=True, text=True, check=False).stdout if shutil.which(
        "fc-list") else ""
    if found is None or FONT not in fonts:
        raise unittest.SkipTest(f"needs Chromium and the font '{FONT}': scripts/setup.sh check installs them as root")
    return found


def residual_model(blocks):
    """Blocks of two branches that meet, as in vision models."""
    nodes, last = [], "x"
    for i in range(blocks):
        scope = f"/block.{i}"
        nodes += [node("Relu", [last], [f"a{i}"], f"{scope}/relu"), node("Sigmoid", [f"a{i}"], [f"b{i}"], f"{scope}/gate"),
                  node("Mul", [f"a{i}", f"b{i}"], [f"c{i}"], f"{scope}/mul"),
                  node("Add", [f"c{i}", "w"], [f"d{i}"], f"{scope}/bias"),
                  node("Add", [f"d{i}", last], [f"e{i}"], f"{scope}/add")]
        last = f"e{i}"
    return model(nodes, [value_info("x", [1, 8])], [value_info(last, [1, 8])],
                 [weight("w", [8], [0.125 * i for i in range(8)])])


class Golden(Case):
    def shoot(self, path, width, height):
        browser = chromium()
        out = self.folder / "shot.png"
        words = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb",
                 "--font-render-hinting=none", "--disable-lcd-text", "--force-device-scale-factor=0.5",
                 f"--window-size={width},{height}", f"--screenshot={out}", f"--user-data-dir={self.folder / 'profile'}"]
        subprocess.run([*words, f"file://{path}"], capture_output=True, timeout=120, check=True,
                       env={**os.environ, "HOME": str(self.folder)})
        return shrink(read_png(out.read_bytes()), 2)

    def page(self, name, changes=()):
        """A page with fixed fonts and without what differs from run to run."""
        text = (self.folder / name).read_text()
        for pattern, replacement in changes:
            text, count = re.subn(pattern, replacement, text)
            self.assertGreater(count, 0, pattern)
        text = text.replace("</head>", f"<style>*{{font-family:'{FONT}'!important}}</style></head>")
        out = self.folder / f"fixed-{name}"
        out.write_text(text)
        return out

    def check(self, name, image):
        path = GOLDEN / f"{name}.png"
        if UPDATE:
            path.write_bytes(write_png(image[0], image[2]))
        golden = read_png(path.read_bytes())
        if not self.is_like(golden, image):
            keep = Path(os.environ.get("TMPDIR", "/tmp")) / f"polygraphy-{name}.png"
            keep.write_bytes(write_png(image[0], image[2]))
            self.fail(f"{name}: differs from {path} by {difference(golden, image)}, {TOLERANCE} is allowed; what was seen is in {keep}")
        return golden

    # ---- What is shown ----

    def results(self, name, change):
        """A run whose outputs are the same in every run of this test; `change` adds to some elements."""
        values = {"y": [((i * 37) % 101) / 50 - 1 for i in range(2 * 3 * 12 * 16)], "z": [float(i) for i in range(8)]}
        arrays = {key: array("(2, 3, 12, 16)" if key == "y" else "(8,)",
                             [v + change * ((i % 97) / 97)**4 for i, v in enumerate(numbers)])
                  for key, numbers in values.items()}
        iteration = {"outputs": arrays, "runtime": 0.1, "runner_name": name, "polygraphy_class": "IterationResult"}
        (self.folder / f"{name}.json").write_text(
            json.dumps({"lst": [[name, [iteration]]], "polygraphy_class": "RunResults"}))

    def two_runs(self):
        self.results("first", 0)
        self.results("second", 0.125)

    def test_heatmap(self):
        self.two_runs()
        self.run_it("run", "--load-outputs", "first.json", "second.json", "--save-heatmaps", "maps", rc=1)
        picture = next(path for path in sorted((self.folder / "maps").iterdir()) if "Absolute Error | y" in path.name)
        html = f"<html><head></head><body style='margin:0'>{picture.read_text()}</body></html>"
        (self.folder / "map.html").write_text(html)
        self.check("heatmap", self.shoot(self.page("map.html"), 1080, 240))

    def test_error_plot(self):
        self.two_runs()
        self.run_it("run", "--load-outputs", "first.json", "second.json", "--save-error-metrics-plot", "plots", rc=1)
        data = (self.folder / "plots" / "error_metrics_y.png").read_bytes()
        self.check("error_metrics", shrink(read_png(data), 6))

    def report(self):
        (self.folder / "m.onnx").write_bytes(residual_model(3))
        self.run_it("run", "m.onnx", "--native", "--onnx-outputs", "mark", "all", "--save-outputs", "first.json")
        results = json.loads((self.folder / "first.json").read_text())
        results["lst"][0][0] = "first"
        (self.folder / "first.json").write_text(json.dumps(results))
        outputs = results["lst"][0][1][0]["outputs"]
        for i, (name, step) in enumerate([("c1", 1e-6), ("d1", 1e-4), ("e1", 1e-4), ("a2", 1e-3), ("e2", 0.5)]):
            outputs[name] = array("(1, 8)", [i + step * k for k in range(8)])
        results["lst"][0][0] = "second"
        (self.folder / "second.json").write_text(json.dumps(results))
        self.run_it("run", "m.onnx", "--load-outputs", "first.json", "second.json", "--report", "report.html", rc=1)
        return [(r"\d{4}-\d\d-\d\dT[\d:]+Z, [\d.]+ s, polygraphy [\d.]+", "DATE, TIME, polygraphy VERSION"),
                (r"<pre>.*?</pre>", "<pre>polygraphy run m.onnx --load-outputs first.json second.json</pre>"),
                (r'(<div class="soft">in )[^<]*', r"\1FOLDER")]

    def test_report(self):
        changes = self.report()
        self.check("report", self.shoot(self.page("report.html", changes), 1240, 1500))

    def test_report_without_scripts(self):
        changes = self.report()
        image = self.shoot(self.page("report.html", [*changes, (r"(?s)<script>.*?</script>", ""),
                                                     (r'class="script" hidden', "")]), 1240, 1500)
        self.assertTrue(self.is_like(read_png((GOLDEN / "report.png").read_bytes()), image))

    def test_model_page(self):
        (self.folder / "m.onnx").write_bytes(residual_model(3))
        self.run_it("inspect", "model", "m.onnx", "--save-visual", "page.html", "--shape-inference")
        path = self.page("page.html", [(r"polygraphy [\d.]+", "polygraphy VERSION")])
        self.check("model_page", self.shoot(path, 1200, 900))

    def test_model_picture(self):
        (self.folder / "m.onnx").write_bytes(residual_model(500))  # 2500 nodes: boxes stand for several
        self.run_it("inspect", "model", "m.onnx", "--svg", "m.svg")
        text = (self.folder / "m.svg").read_text()
        (self.folder / "m.html").write_text(f"<html><head></head><body style='margin:0'>{text}</body></html>")
        self.check("collapsed", self.shoot(self.page("m.html"), 600, 900))

    def is_like(self, a, b):
        found = difference(a, b)
        return found is not None and found <= TOLERANCE

    def test_images_are_small_and_different(self):
        paths = sorted(GOLDEN.glob("*.png"))
        self.assertGreaterEqual(len(paths), 5)
        self.assertLess(sum(path.stat().st_size for path in paths), 100000)
        for path in paths:
            width, height, rows = read_png(path.read_bytes())
            drawn = [y for y in range(height) if min(rows[y]) < 200]
            middle = (drawn[0] + drawn[-1]) // 2
            for gone in (range(middle), range(middle, height)):
                cut = [bytearray(b"\xff" * len(row)) if y in gone else row for y, row in enumerate(rows)]
                self.assertFalse(self.is_like((width, height, rows), (width, height, cut)), path)
            self.assertTrue(self.is_like((width, height, rows), (width, height, rows)))


if __name__ == "__main__":
    unittest.main(argv=[word for word in sys.argv if word != "--update"])
