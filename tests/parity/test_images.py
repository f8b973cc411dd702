"""Input specs against Pillow and NumPy: resizing, cropping, grey, JPEG, and the usual preparation of vision models."""

import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))
from support import Case, model, node, value_info  # noqa: E402

PYTHONS = [os.environ.get(name) for name in ("PG_PIL_PYTHON", "PG_PEER_PYTHON")]


def oracle():
    """A Python with Pillow and NumPy."""
    for python in filter(None, PYTHONS):
        if subprocess.run([python, "-c", "import PIL, numpy"], capture_output=True, check=False).returncode == 0:
            return python
    raise unittest.SkipTest("neither PG_PIL_PYTHON nor PG_PEER_PYTHON names a Python with Pillow and NumPy")


MAKE = """
import numpy as np
from PIL import Image
noise = np.random.default_rng(3)
y, x = np.mgrid[0:97, 0:131]
smooth = np.stack([(x * 2) % 256, (y * 3) % 256, (x + y) % 256], -1).astype(np.uint8)
mixed = np.clip(smooth.astype(int) + noise.integers(-40, 40, smooth.shape), 0, 255).astype(np.uint8)
Image.fromarray(mixed).save('a.png')
Image.fromarray(mixed[:, :60].copy()).save('tall.png', optimize=True)
Image.fromarray(mixed).convert('L').save('grey.png')
Image.fromarray(mixed).quantize(64).save('palette.png')
Image.fromarray(np.dstack([mixed, mixed[:, :, :1]])).save('alpha.png')
Image.fromarray(smooth).save('a.jpg', quality=90)
Image.fromarray(smooth).save('b.jpg', quality=75, progressive=True, subsampling=2)
Image.fromarray(smooth).convert('L').save('grey.jpeg')
"""

COMPARE = """
import base64, io, json, sys
import numpy as np
from PIL import Image

for fields, path, limit in json.load(open('cases.json')):
    got = np.load(io.BytesIO(base64.b64decode(json.load(open(path))[0]['x']['array'])))
    image = Image.open(fields['from']).convert('L' if fields.get('colour') == 'GRAY' else 'RGB')
    if 'resize' in fields:
        filters = {'nearest': 0, 'bilinear': 2, 'bicubic': 3, 'box': 4}
        size = fields['resize']
        if isinstance(size, int):
            w, h = image.size
            size = [int(size * h / w), size] if h > w else [size, int(size * w / h)]
        image = image.resize((size[1], size[0]), filters[fields.get('filter', 'bilinear')])
    want = np.asarray(image)
    if want.ndim == 2:
        want = want[:, :, None]
    if 'crop' in fields:
        h, w = fields['crop']
        top, left = (want.shape[0] - h) // 2, (want.shape[1] - w) // 2
        want = want[top:top + h, left:left + w]
    if fields.get('colour') == 'BGR':
        want = want[:, :, ::-1]
    want = want.astype(np.float32)
    if 'mean' in fields:
        want = (want / np.float32(fields['divide']) - np.float32(fields['mean'])) / np.float32(fields['std'])
    if fields.get('layout', 'NCHW')[-1] == 'W':
        want = want.transpose(2, 0, 1)
    if fields.get('layout', 'NCHW')[0] == 'N':
        want = want[None]
    assert got.shape == want.shape and got.dtype == np.float32, (fields, got.shape, want.shape, got.dtype)
    worst = np.abs(got.astype(float) - want.astype(float)).max()
    assert worst <= limit, (fields, worst)
    print('ok', fields, worst)
"""

STEP = 1.001  # of 255: a sample may be rounded the other way
CASES = [
    *[({"from": name}, 0) for name in ("a.png", "grey.png", "palette.png", "alpha.png")],
    *[({"from": "a.png", "resize": size, "filter": kind}, 0 if kind == "nearest" else STEP)
      for kind in ("nearest", "box", "bilinear", "bicubic") for size in ([40, 50], [97, 300], [200, 33], [1, 1], 64)],
    ({"from": "tall.png", "resize": 32}, STEP),
    ({"from": "a.png", "colour": "GRAY"}, STEP),
    ({"from": "a.png", "colour": "BGR", "layout": "NHWC"}, 0),
    ({"from": "a.png", "crop": [50, 61], "layout": "CHW"}, 0),
    ({"from": "a.png", "resize": 72, "crop": [64, 64], "divide": 255, "mean": [0.485, 0.456, 0.406],
      "std": [0.229, 0.224, 0.225]}, 0.02),
]
JPEGS = [({"from": name}, 2.001) for name in ("a.jpg", "b.jpg", "grey.jpeg")]


class Images(Case):
    def compare(self, cases):
        python = oracle()
        subprocess.run([python, "-c", MAKE], cwd=self.folder, check=True)
        listed = []
        for number, (fields, limit) in enumerate(cases):
            dims = ["d"] * (4 if fields.get("layout", "NCHW")[0] == "N" else 3)
            (self.folder / "m.onnx").write_bytes(
                model([node("Identity", ["x"], ["y"])], [value_info("x", dims)], [value_info("y", dims)]))
            (self.folder / "spec.json").write_text(json.dumps({"input_spec": 1, "inputs": {"x": fields}}))
            self.run_it("run", "m.onnx", "--native", "--load-inputs", "spec.json", "--save-inputs", f"{number}.json", "-q")
            listed.append([fields, f"{number}.json", limit])
        (self.folder / "cases.json").write_text(json.dumps(listed))
        done = subprocess.run([python, "-c", COMPARE], cwd=self.folder, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.count("ok "), len(cases))

    def test_pictures(self):
        self.compare(CASES)

    def test_jpeg(self):
        probe = subprocess.run(["sh", "-c", "ldconfig -p | grep -q libturbojpeg.so.0"], check=False)
        if probe.returncode != 0 and "POLYGRAPHY_TURBOJPEG" not in os.environ:
            self.skipTest("libturbojpeg is not installed: apt-get install libturbojpeg0")
        self.compare(JPEGS)


if __name__ == "__main__":
    unittest.main()
