"""Inputs described in JSON: pictures of every kind of PNG, arrays of archives, and what is wrong with them. The pictures are
written here; what becomes of them is read back from what `run --save-inputs` wrote."""

import base64
import json
import struct
import unittest
import zlib

from support import Case, model, node, value_info

PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
SAMPLES = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def pack_row(samples, depth):
    if depth == 16:
        return b"".join(struct.pack(">H", s) for s in samples)
    bits = "".join(format(s, f"0{depth}b") for s in samples)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def filter_row(kind, row, above, step):
    out = bytearray()
    for i, value in enumerate(row):
        left, up = row[i - step] if i >= step else 0, above[i]
        corner = above[i - step] if i >= step else 0
        p, q, r = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
        paeth = left if p <= q and p <= r else up if q <= r else corner
        out.append(value - (0, left, up, (left + up) // 2, paeth)[kind] & 255)
    return bytes(out)


def png(pixels, kind, depth, interlaced=False, palette=(), extra=b"", pieces=1):
    """A PNG of rows of pixels, each a tuple of samples; rows take the filters in turn."""
    height, width = len(pixels), len(pixels[0])
    raw, step = b"", max(1, SAMPLES[kind] * depth // 8)
    for x, y, dx, dy in PASSES if interlaced else [(0, 0, 1, 1)]:
        rows = [pack_row([s for pixel in row[x::dx] for s in pixel], depth) for row in pixels[y::dy] if row[x::dx]]
        above = bytes(len(rows[0])) if rows else b""
        for i, row in enumerate(rows):
            raw += bytes([i % 5]) + filter_row(i % 5, row, above, step)
            above = row
    packed = zlib.compress(raw)
    size = -(-len(packed) // pieces)
    data = b"".join(chunk(b"IDAT", packed[i:i + size]) for i in range(0, len(packed), size))
    colours = chunk(b"PLTE", bytes(c for colour in palette for c in colour)) if palette else b""
    return (b"\x89PNG\r\n\x1a\n" +
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)) + colours + extra +
            data + chunk(b"IEND", b""))


def pattern(width, height, samples, most):
    return [[tuple((x * 7 + y * 13 + c * 29 + x * y) % (most + 1) for c in range(samples)) for x in range(width)]
            for y in range(height)]


def npy(shape, values, code="f"):
    kinds = {"f": "<f4", "q": "<i8", "B": "|u1"}
    header = (f"{{'descr': '{kinds[code]}', 'fortran_order': False, 'shape': {shape}, }}").ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header.encode() + struct.pack(f"<{len(values)}{code}", *values)


def npz(members):
    """A stored archive."""
    out, directory = b"", b""
    for name, body in members.items():
        head = struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 0, zlib.crc32(body), len(body), len(body), len(name) + 4, 0)
        directory += b"PK\x01\x02" + struct.pack("<H", 20) + head + struct.pack("<HHHII", 0, 0, 0, 0, len(out)) + (
            name + ".npy").encode()
        out += b"PK\x03\x04" + head + (name + ".npy").encode() + body
    return out + directory + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory),
                                                         len(out), 0)


class Images(Case):
    def inputs(self, fields, shape=("n", "c", "h", "w"), elem=1, rc=0, raw=None):
        """The iterations a model of one input 'x' gets: shapes and values."""
        (self.folder / "m.onnx").write_bytes(
            model([node("Identity", ["x"], ["y"])], [value_info("x", shape, elem)], [value_info("y", shape, elem)]))
        spec = raw if raw is not None else {"input_spec": 1, "inputs": {"x": fields}}
        (self.folder / "spec.json").write_text(json.dumps(spec))
        result = self.run_it("run", "m.onnx", "--native", "--load-inputs", "spec.json", "--save-inputs", "in.json", "-q",
                             rc=rc)
        if rc != 0:
            return result.err
        found = []
        for iteration in json.loads((self.folder / "in.json").read_text()):
            data = base64.b64decode(iteration["x"]["array"])
            start = 10 + struct.unpack("<H", data[8:10])[0]
            header = eval(data[10:start].decode())  # the tests' own program wrote it
            code = {"<f4": "f", "<f8": "d", "|u1": "B", "<i8": "q", "<f2": "e"}[header["descr"]]
            count = (len(data) - start) // struct.calcsize(code)
            found.append((header["shape"], list(struct.unpack(f"<{count}{code}", data[start:]))))
        return found

    def picture(self, name, width, height, kind=RGB, depth=8, **options):
        pixels = pattern(width, height, SAMPLES[kind], (1 << depth) - 1)
        (self.folder / name).write_bytes(png(pixels, kind, depth, **options))
        return pixels

    # ---- Decoding ----

    def test_every_kind_of_png(self):
        palette = [(i * 3 % 256, i * 5 % 256, 255 - i) for i in range(256)]
        for kind, depths in [(GREY, (1, 2, 4, 8, 16)), (RGB, (8, 16)), (PALETTE, (1, 2, 4, 8)), (GREY_ALPHA, (8, 16)),
                             (RGBA, (8, 16))]:
            for depth in depths:
                for width, height, interlaced in [(1, 1, False), (13, 11, False), (13, 11, True), (3, 2, True), (1, 9, True)]:
                    with self.subTest(kind=kind, depth=depth, size=(width, height), interlaced=interlaced):
                        pixels = self.picture("p.png", width, height, kind, depth, interlaced=interlaced, pieces=3,
                                              palette=palette[:1 << depth] if kind == PALETTE else ())
                        expected = []
                        for row in pixels:
                            for pixel in row:
                                if kind == PALETTE:
                                    colour = palette[pixel[0]]
                                else:
                                    most = (1 << min(depth, 8)) - 1
                                    colour = [(s >> 8 if depth == 16 else s) * 255 // most for s in pixel]
                                    colour = colour[:3] if kind in (RGB, RGBA) else [colour[0]] * 3
                                expected += colour
                        self.assertEqual(self.inputs({"from": "p.png", "layout": "HWC", "dtype": "uint8"}, ("h", "w", "c"), 2),
                                         [((height, width, 3), expected)])

    def test_damaged_pngs(self):
        good = png(pattern(5, 4, 3, 255), RGB, 8)
        packed = good.index(b"IDAT") + 4
        for name, data, part in [
            ("cut", good[:60], "'cut.png'"),
            ("empty", b"", "neither a PNG nor a JPEG"),
            ("text", b"hello, this is text", "neither a PNG nor a JPEG"),
            ("crc", good[:packed + 3] + b"\x00" + good[packed + 4:], "checksum of the PNG chunk at byte 33"),
            ("size", good[:16] + struct.pack(">I", 40000) + good[20:], "checksum"),
            ("large", good[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 40000, 2, 8, 2, 0, 0, 0)) + good[33:],
             "more than 32768 a side"),
            ("bomb", good[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 32768, 32768, 16, 6, 0, 0, 0)) + good[33:],
             "268435456 in all"),
            ("flat", good[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 2, 8, 2, 0, 0, 0)) + good[33:], "no pixels"),
            ("kind", good[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 5, 4, 8, 5, 0, 0, 0)) + good[33:], "does not exist"),
            ("few", good[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 5, 9, 8, 2, 0, 0, 0)) + good[33:],
             "holds 64 of the 144 bytes"),
            ("palette", png([[(200,)]], PALETTE, 8, palette=[(1, 2, 3)]), "colour 200 of a palette of 1"),
            ("critical", png([[(1,)]], GREY, 8, extra=chunk(b"ABCD", b"")), "extension 'ABCD'"),
            ("filter", good[:33] + chunk(b"IDAT", zlib.compress((b"\x07" + bytes(15)) * 4)) + chunk(b"IEND", b""),
             "unknown filter 7"),
            ("deflate", good[:33] + chunk(b"IDAT", b"\x78\x9c" + bytes(20)) + chunk(b"IEND", b""), "cannot be unpacked"),
            ("order", good[:8] + good[33:], "does not start with its header"),
        ]:
            with self.subTest(name):
                (self.folder / f"{name}.png").write_bytes(data)
                error = self.inputs({"from": f"{name}.png"}, rc=1)
                self.assertIn(part, error)
                self.assertIn(f"{name}.png", error)

    def test_every_flipped_byte_ends_well(self):
        good = bytearray(png(pattern(5, 4, 3, 255), RGB, 8, interlaced=True))
        for at in range(0, len(good), 7):
            bad = bytearray(good)
            bad[at] ^= 0x55
            (self.folder / "p.png").write_bytes(bad)
            self.assertIn("p.png", self.inputs({"from": "p.png"}, rc=1))

    # ---- What is done to a picture ----

    def test_layouts_and_colours(self):
        pixels = self.picture("p.png", 3, 2)
        flat = [pixel for row in pixels for pixel in row]
        planes = [pixel[c] for c in range(3) for pixel in flat]
        for layout, shape in [("NCHW", (1, 3, 2, 3)), ("NHWC", (1, 2, 3, 3)), ("CHW", (3, 2, 3)), ("HWC", (2, 3, 3))]:
            values = planes if "CHW" in layout else [s for pixel in flat for s in pixel]
            self.assertEqual(self.inputs({"from": "p.png", "layout": layout}, ["d"] * len(shape)), [(shape, values)])
        self.assertEqual(self.inputs({"from": "p.png", "colour": "BGR"})[0][1], [p[c] for c in (2, 1, 0) for p in flat])
        grey = [round(0.299 * r + 0.587 * g + 0.114 * b) for r, g, b in flat]
        self.assertEqual(self.inputs({"from": "p.png", "colour": "GRAY"}), [((1, 1, 2, 3), grey)])
        self.assertEqual(self.inputs("p.png"), [((1, 3, 2, 3), planes)])

    def test_scaling_and_types(self):
        pixels = self.picture("p.png", 3, 2)
        mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
        fields = {"from": "p.png", "divide": 255, "mean": mean, "std": std}
        expected = [(p[c] / 255 - mean[c]) / std[c] for c in range(3) for row in pixels for p in row]
        for dtype, elem, delta in [(None, 1, 1e-6), ("float16", 10, 2e-3), ("float64", 11, 0)]:
            found = self.inputs({**fields, **({"dtype": dtype} if dtype else {})}, elem=elem)[0][1]
            self.assertLessEqual(max(abs(a - b) for a, b in zip(found, expected)), delta)
        plain = [float(p[c]) - 10 for c in range(3) for row in pixels for p in row]
        self.assertEqual(self.inputs({"from": "p.png", "mean": 10})[0][1], plain)
        self.assertEqual(self.inputs({"from": "p.png", "dtype": "int64"}, elem=7)[0][1], [int(v + 10) for v in plain])

    def test_crop_and_nearest(self):
        pixels = self.picture("p.png", 9, 6)
        found = self.inputs({"from": "p.png", "crop": [4, 3], "layout": "HWC"}, ["d"] * 3)[0]
        self.assertEqual(found, ((4, 3, 3), [s for row in pixels[1:5] for p in row[3:6] for s in p]))
        found = self.inputs({"from": "p.png", "resize": [3, 3], "filter": "nearest", "layout": "HWC"}, ["d"] * 3)[0]
        self.assertEqual(found, ((3, 3, 3), [s for row in pixels[1::2] for p in row[1::3] for s in p]))
        found = self.inputs({"from": "p.png", "resize": 3, "filter": "box", "crop": 3})  # the shorter side: 3 x 4
        self.assertEqual(found[0][0], (1, 3, 3, 3))

    def test_iterations(self):
        for i in range(3):
            self.picture(f"{i}.png", 2 + i, 2)
        self.assertEqual([shape for shape, _ in self.inputs({"from": ["2.png", "0.png"]})], [(1, 3, 2, 4), (1, 3, 2, 2)])
        (self.folder / "set").mkdir()
        for name in ["b.png", "a.PNG", "notes.txt"]:
            (self.folder / "set" / name).write_bytes((self.folder / ("0.png" if "a" in name else "1.png")).read_bytes())
        self.assertEqual([shape for shape, _ in self.inputs({"from": "set"})], [(1, 3, 2, 2), (1, 3, 2, 3)])

    # ---- Arrays ----

    def test_arrays(self):
        values = [float(i) for i in range(24)]
        (self.folder / "a.npz").write_bytes(npz({"x": npy("(2, 3, 4)", values), "other": npy("(2,)", [5, 6], "q")}))
        self.assertEqual(self.inputs("a.npz", ["d"] * 3), [((2, 3, 4), values)])
        self.assertEqual(self.inputs({"from": "a.npz", "array": "other"}, ["d"], 7), [((2,), [5, 6])])
        found = self.inputs({"from": "a.npz", "split": True}, ["d"] * 3)
        self.assertEqual(found, [((1, 3, 4), values[:12]), ((1, 3, 4), values[12:])])
        found = self.inputs({"from": "a.npz", "axes": [2, 0, 1], "divide": 2, "mean": 1, "std": 4}, ["d"] * 3)
        expected = [(values[b * 12 + c * 4 + a] / 2 - 1) / 4 for a in range(4) for b in range(2) for c in range(3)]
        self.assertEqual(found, [((4, 2, 3), expected)])
        self.assertEqual(self.inputs({"from": "a.npz", "array": "other", "dtype": "float32"}, ["d"]), [((2,), [5.0, 6.0])])
        (self.folder / "b.npy").write_bytes(npy("(2,)", [7, 8], "q"))
        self.assertEqual(self.inputs({"from": ["b.npy", "a.npz"], "array": "other"}, ["d"], 7),
                         [((2,), [7, 8]), ((2,), [5, 6])])

    # ---- Wrong words ----

    def test_wrong_fields(self):
        self.picture("p.png", 4, 4)
        (self.folder / "a.npz").write_bytes(npz({"x": npy("(2, 3)", [0.0] * 6), "z": npy("(2,)", [1, 2], "q")}))
        (self.folder / "j.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
        (self.folder / "void").mkdir()
        for fields, parts in [
            ({"from": "p.png", "resise": 3}, ["inputs.x.resise", "no field 'resise'", "resize"]),
            ({"from": "none.png"}, ["inputs.x.from", "there is no file '", "none.png'"]),
            ({"from": "void"}, ["the folder '", "holds no .png"]),
            ({"from": "spec.json"}, ["is no .png, .jpg"]),
            ({"from": []}, ["empty list"]),
            ({"from": 3}, ["a path was expected"]),
            ({"from": ["p.png", "a.npz"]}, ["one input is one of them"]),
            ({}, ["\"from\" is missing"]),
            (5, ["a path or an object was expected, found a number"]),
            ({"from": "p.png", "resize": [3]}, ["[height, width] was expected, found a list of 1"]),
            ({"from": "p.png", "resize": 0}, ["from 1 to 32768"]),
            ({"from": "p.png", "resize": 40000}, ["from 1 to 32768"]),
            ({"from": "p.png", "resize": [30000, 30000]}, ["268435456 in all"]),
            ({"from": "p.png", "crop": [5, 4]}, ["a crop of 5 x 4", "4 x 4", "resize it first"]),
            ({"from": "p.png", "filter": "lanczos"}, ["'lanczos' is none of nearest|box|bilinear|bicubic"]),
            ({"from": "p.png", "colour": "rgb"}, ["'rgb' is none of RGB|BGR|GRAY"]),
            ({"from": "p.png", "layout": 1}, ["a string was expected, found a number"]),
            ({"from": "p.png", "divide": 0}, ["other than 0"]),
            ({"from": "p.png", "std": [1, 0, 1]}, ["deviation of 0"]),
            ({"from": "p.png", "mean": [1, 2]}, ["one number or three"]),
            ({"from": "p.png", "mean": "0.5"}, ["a finite number was expected"]),
            ({"from": "p.png", "mean": [1, 2, 3, 4]}, ["up to 3 of them were expected, found 4"]),
            ({"from": "p.png", "colour": "GRAY", "mean": [1, 2, 3]}, ["\"mean\" and \"std\" are one number here"]),
            ({"from": "p.png", "divide": 255, "dtype": "uint8"}, ["floating-point \"dtype\", not uint8"]),
            ({"from": "p.png", "dtype": "float33"}, ["'float33' is no type of numbers"]),
            ({"from": "p.png", "split": True}, ["\"split\" is for arrays"]),
            ({"from": "a.npz", "layout": "NCHW"}, ["\"layout\" is for pictures"]),
            ({"from": "a.npz", "array": "y"}, ["no array 'y'; it has 'x', 'z'"]),
            ({"from": "a.npz", "axes": [0, 0]}, ["every axis from 0 to 1"]),
            ({"from": "a.npz", "axes": [1, 0, 2]}, ["lists 3 axes, the array has 2"]),
            ({"from": "a.npz", "split": 1}, ["true or false was expected"]),
            ({"from": ["a.npz", "a.npz"], "split": True}, ["takes one file, not 2"]),
            ({"from": "j.jpg"}, ["j.jpg"]),
        ]:
            with self.subTest(fields=fields):
                error = self.inputs(fields, rc=1)
                for part in ["spec.json", *parts]:
                    self.assertIn(part, error)
        for raw, part in [({"input_spec": 2, "inputs": {}}, "version 1"), ({"input_spec": 1}, "\"inputs\" must be"),
                          ({"input_spec": 1, "inputs": []}, "\"inputs\" must be"),
                          ({"input_spec": 1, "inputs": {"x": "p.png"}, "more": 1}, "input_spec and inputs only"),
                          ({"input_spec": 1, "inputs": {"x": ["p.png"] * 2, "y": {"from": ["p.png"] * 3}}}, "a path or an object"),
                          ({"input_spec": 1, "inputs": {"x": {"from": ["p.png"] * 2}, "y": {"from": ["p.png"] * 3}}},
                           "3 iterations, the inputs before have 2")]:
            with self.subTest(raw=raw):
                self.assertIn(part, self.inputs(None, rc=1, raw=raw))

    def test_a_picture_without_a_spec(self):
        self.picture("p.png", 2, 2)
        self.inputs("p.png")
        for word in ["p.png", "x:p.png"]:
            error = self.run_it("run", "m.onnx", "--native", "--load-inputs", word, rc=1).err
            self.assertIn("'p.png' is a picture", error)
            self.assertIn("input_spec", error)

    def test_jpeg_without_the_library(self):
        (self.folder / "j.jpeg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
        self.inputs({"from": "j.jpeg"}, rc=1)
        error = self.run_it("run", "m.onnx", "--native", "--load-inputs", "spec.json", rc=1,
                            env={"POLYGRAPHY_TURBOJPEG": "/nonexistent.so"}).err
        for part in ["j.jpeg", "libturbojpeg", "POLYGRAPHY_TURBOJPEG", "/nonexistent.so"]:
            self.assertIn(part, error)

    def test_inspect_data(self):
        self.picture("p.png", 4, 3)
        self.inputs({"from": "p.png"})
        self.assertIn("shape=(1, 3, 3, 4)", self.run_it("inspect", "data", "spec.json").out)


if __name__ == "__main__":
    unittest.main()
