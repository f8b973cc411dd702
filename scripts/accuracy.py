#!/usr/bin/env python3
"""Accuracy of engines in every precision on real and generated models, as Markdown; docs/accuracy.md is made from it.

    scripts/accuracy.py [--only TEXT] [--work FOLDER]

Every model is built in each precision, calibrated with inputs of its own, run on other inputs and compared with the
built-in engine's float64 mode. ONNX Runtime in float32 stands beside them.

Needed beside the build (make tests): `scripts/fetch.py models` and `runtime`.
"""

import argparse
import ast
import math
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
import zipfile
from array import array
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build" / "release" / "polygraphy"
TOOLS = ROOT / "build" / "release" / "tests" / "tools"
CALIBRATE, EVALUATE = 4, 4

PICTURES = {  # name: inputs of pictures, channels first (c) or last (l)
    "ocrdet": ("c", {"x": (1, 3, 320, 320)}), "ocrrec": ("c", {"x": (2, 3, 48, 320)}), "ocrcls": ("c", {"x": (2, 3, 48, 192)}),
    "pnet": ("l", {"input_1": (1, 60, 80, 3)}), "rnet": ("l", {"input_2": (8, 24, 24, 3)}), "onet": ("l", {"input_3": (8, 48, 48, 3)}),
    "resnet50": ("c", {"x": (2, 3, 224, 224)}), "qdqnet": ("c", {"x": (1, 3, 224, 224)}),
}
OTHERS = {  # name: shapes for inputs that the program draws
    "vadop15": ["input:[1,576]", "state:[2,1,128]"], "vadseq": ["input:[5,576]"], "magika": ["bytes:[8,2048]"], "nmp": [],
    "decoder6": ["ids:[1,128]"], "qdqformer": ["x:[1,128,256]"],
}
GENERATED = ("resnet50", "decoder6", "qdqnet", "qdqformer")
CLASSIFIERS = ("ocrcls", "ocrrec", "rnet", "onet", "magika", "resnet50")  # the last axis holds classes
PRECISIONS = {"float32": ["--tf32"], "float16": ["--fp16"], "bfloat16": ["--bf16"], "fp8": ["--fp8"], "int8": ["--int8"]}


MEMBER = re.compile(r".*?-\d\d:\d\d:\d\d/(\d+)/(.*)\.npy")  # the runner's name, the iteration, the output
# What helps a model: name, precision -> how the row is called, and more options.
HELPED = {("magika", p): (f"{p}, LayerNorm in float32",
                          ["--layer-precisions", "*LayerNorm*:float32", "--precision-constraints", "obey"])
          for p in ("float16", "bfloat16")}


class Failed(Exception):
    """What a command said."""


def run(folder, *words):
    done = subprocess.run([str(PROGRAM), *map(str, words)], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.startswith("[!]")]
        raise Failed(lines[-1][4:] if lines else f"exit {done.returncode}")


# ---- Arrays ----

def npy(shape, values):
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (63 - (10 + len(head)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + values.tobytes()


def read_npy(data):
    """Shape and numbers of an array of floats; None for other types."""
    size = struct.unpack("<H", data[8:10])[0]
    head = ast.literal_eval(data[10:10 + size].decode())
    code = {"<f4": "f", "<f8": "d"}.get(head["descr"])
    return (head["shape"], array(code, data[10 + size:])) if code else None


GLYPHS = {  # rows of five pixels
    "A": (14, 17, 17, 31, 17, 17, 17), "E": (31, 16, 16, 30, 16, 16, 31), "H": (17, 17, 17, 31, 17, 17, 17),
    "L": (16, 16, 16, 16, 16, 16, 31), "N": (17, 25, 21, 19, 17, 17, 17), "O": (14, 17, 17, 17, 17, 17, 14),
    "R": (30, 17, 17, 30, 20, 18, 17), "S": (15, 16, 16, 14, 1, 1, 30), "T": (31, 4, 4, 4, 4, 4, 4),
    "2": (14, 17, 1, 2, 4, 8, 31), "4": (2, 6, 10, 18, 31, 2, 2), "7": (31, 1, 2, 4, 8, 8, 8),
}


def text_mask(height, width, draw):
    """Rows of letters, as 0 and 1."""
    mask = [bytearray(width) for _ in range(height)]
    size = max(1, min(height // 9, 5)) if height < 100 else 3
    for top_row in range(size, height - 7 * size, 12 * size):
        for left in range(size, width - 6 * size, 6 * size):
            rows = GLYPHS[draw.choice(sorted(GLYPHS))] if draw.random() < 0.85 else (0,) * 7
            for y in range(7 * size):
                for x in range(5 * size):
                    mask[top_row + y][left + x] = rows[y // size] >> (4 - x // size) & 1
    return mask


def picture(shape, order, seed):
    """Dark letters on a bright ground of smooth waves and grain, between -1 and 1 as pictures are once normalised."""
    draw = random.Random(seed)
    batch, *rest = shape
    channels, height, width = rest if order == "c" else (rest[2], rest[0], rest[1])
    values = array("f", bytes(4 * math.prod(shape)))
    for n in range(batch):
        mask = text_mask(height, width, draw)
        waves = [(draw.uniform(0, 9), draw.uniform(0, 9), draw.uniform(0, 6.3), draw.uniform(0.05, 0.15)) for _ in range(4)]
        for c in range(channels):
            light, dark = draw.uniform(0.3, 0.7), draw.uniform(-0.9, -0.5)
            for y in range(height):
                across = [(a * y / height + phase, b / width, gain) for a, b, phase, gain in waves]
                for x in range(width):
                    v = dark if mask[y][x] else light
                    v += sum(gain * math.sin(base + step * x) for base, step, gain in across) + draw.uniform(-0.05, 0.05)
                    at = ((n * channels + c) * height + y) * width + x if order == "c" else ((n * height + y) * width + x) * channels + c
                    values[at] = max(-1.0, min(1.0, v))
    return values


def write_pictures(folder, name, first, count):
    """One file per inference."""
    order, inputs = PICTURES[name]
    paths = [folder / f"{name}-{first + i}.npz" for i in range(count)]
    for i, path in enumerate(paths):
        with zipfile.ZipFile(path, "w") as out:
            for tensor, shape in inputs.items():
                out.writestr(f"{tensor}.npy", npy(shape, picture(shape, order, first + i)))
    return paths


def outputs_of(path):
    """{(iteration, output): (shape, numbers)}"""
    found = {}
    with zipfile.ZipFile(path) as data:
        for member in data.namelist():
            value = read_npy(data.read(member))
            if value is not None:
                found[MEMBER.fullmatch(member).groups()] = value
    return found


# ---- Figures ----

@dataclass
class Figures:
    """Of the output that differs most."""
    largest: float = 0.0
    relative: float = 0.0
    snr: float = math.inf
    agree: int = 0
    rows: int = 0

    def text(self):
        snr = "exact" if self.snr == math.inf else f"{self.snr:.1f} dB"
        top = f", {100 * self.agree / self.rows:.0f} %" if self.rows else ""
        return f"{self.largest:.1e}, {self.relative:.1e}, {snr}{top}"


def top(values, row, width):
    part = values[row * width:(row + 1) * width]
    return max(range(width), key=part.__getitem__)


def compare(reference, found, classifier):
    figures = Figures()
    sums = {}
    for key, (shape, want) in reference.items():
        got = found[key][1]
        if len(got) != len(want):
            raise Failed(f"output '{key[1]}' has another shape")
        of = sums.setdefault(key[1], [0.0, 0.0, 0.0, math.inf, -math.inf])
        for a, b in zip(want, got):
            of[0] += a * a
            of[1] += (a - b) * (a - b)
            of[2] = max(of[2], abs(a - b))
            of[3], of[4] = min(of[3], a), max(of[4], a)
        width = shape[-1] if shape else 1
        if classifier and 2 <= width < len(want) + 1 and len(shape) > 1:
            rows = len(want) // width
            figures.rows += rows
            figures.agree += sum(top(want, r, width) == top(got, r, width) for r in range(rows))
    for power, lost, largest, low, high in sums.values():
        if power == 0 or high == low:
            continue
        snr = 10 * math.log10(power / lost) if lost > 0 else math.inf
        if snr <= figures.snr:
            figures.snr, figures.largest, figures.relative = snr, largest, largest / (high - low)
    return figures


# ---- Models ----

def fetched(name):
    done = subprocess.run([sys.executable, str(ROOT / "scripts" / "fetch.py"), "path", name], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def path_of(name, work):
    if name not in GENERATED:
        path = fetched(name)
        return Path(path) if path else None
    subprocess.run([str(TOOLS / "bench_models"), str(work), name], check=True)
    return work / f"{name}.onnx"


def inputs_of(name, model, work):
    """Files to calibrate with and to evaluate on, and the words that fix shapes."""
    if name in PICTURES:
        shapes = [f"{k}:[{','.join(map(str, v))}]" for k, v in PICTURES[name][1].items()]
        calibration, evaluation = write_pictures(work, name, 1, CALIBRATE), write_pictures(work, name, 100, EVALUATE)
    else:
        shapes = OTHERS[name]
        fixed = ["--input-shapes", *shapes] if shapes else []
        calibration, evaluation = [work / f"{name}-calibrate.npz"], [work / f"{name}-evaluate.npz"]
        for (path,), seed, count in ((calibration, 1, CALIBRATE), (evaluation, 100, EVALUATE)):
            run(work, "run", model, "--native", *fixed, "--seed", seed, "--iterations", count, "--save-inputs", path)
    return calibration, evaluation, shapes


def rows_of(name, model, work):
    calibration, evaluation, shapes = inputs_of(name, model, work)
    profile = [word for kind in ("min", "opt", "max") for word in (f"--trt-{kind}-shapes", *shapes)] if shapes else []
    on = ["--load-inputs", *evaluation, "--save-outputs"]
    run(work, "run", model, "--native", "--native-precision", "float64", *on, "reference.npz")
    reference = outputs_of(work / "reference.npz")

    def figures(*words):
        try:
            run(work, *words, *on, "found.npz")
            return compare(reference, outputs_of(work / "found.npz"), name in CLASSIFIERS).text()
        except Failed as error:
            return f"not possible: {error}"

    yield "ONNX Runtime, float32", figures("run", model, "--onnxrt"), ""
    columns = [row for p, options in PRECISIONS.items()
               for row in [(p, options)] + [(title, options + more) for title, more in [HELPED.get((name, p), (None, None))] if title]]
    for precision, options in columns:
        data = ["--load-inputs", *calibration] if precision in ("fp8", "int8") else []
        try:
            run(work, "convert", model, "-o", "m.engine", *options, *profile, *data)
        except Failed as error:
            yield precision, f"not possible: {error}", ""
            continue
        yield precision, figures("run", "m.engine", "--trt"), f"{(work / 'm.engine').stat().st_size / 1e6:.1f} MB"


HEAD = """# Accuracy of engines

Made with `make accuracy`. Every model is built by the built-in engine in each precision and run on {count} inputs; fp8 and int8 are
calibrated with {calibrate} others (IInt8EntropyCalibrator2), but for models with QuantizeLinear nodes, which keep their own scales. The
reference is the built-in engine's float64 mode. Pictures are letters on a ground of waves and grain, made by the script; other inputs are random
numbers of the data loader, so the figures of `nmp`, `vad...`, `magika` and of the generated models with their random weights (resnet50,
decoder6, qdqnet, qdqformer) tell how rounding spreads, not how often an answer is right. `magika` takes a variance as the mean
of squares less the square of the mean, over sums that float16 cannot hold and bfloat16 cannot tell apart: those layers need float32.
`run --range-report` finds such tensors.

Each cell: the largest difference, the same as a part of the reference's range, the signal-to-noise ratio (power of the reference
over power of the difference) of the output that differs most; and, of classifiers, how often the largest of the classes is the same.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="models whose name contains this")
    parser.add_argument("--work", help="a folder to work in")
    arguments = parser.parse_args()
    os.environ.setdefault("POLYGRAPHY_ONNXRUNTIME", fetched("onnxruntime") or "")
    print(HEAD.format(count=EVALUATE, calibrate=CALIBRATE))
    print("| model | precision | difference, of range, signal-to-noise[, same class] | engine |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(dir=arguments.work, prefix="accuracy-") as folder:
        for name in [*PICTURES, *OTHERS]:
            model = path_of(name, Path(folder)) if arguments.only in name else None
            if model is None:
                continue
            for precision, text, size in rows_of(name, model, Path(folder)):
                print(f"| {name} | {precision} | {text} | {size} |", flush=True)


if __name__ == "__main__":
    main()
