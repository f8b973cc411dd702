"""Compares tests/tools/text_tool with NumPy's str(). Runs under the peer's Python:

    array_text_oracle.py TEXT_TOOL [SEED]

Prints differences and ends with status 1 when there are any."""
import struct
import subprocess
import sys
import warnings

import ml_dtypes
import numpy as np

warnings.filterwarnings("ignore")
TOOL = sys.argv[1]
rng = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
PLAIN = "float16 float32 float64 complex64 complex128 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool".split()
ML = "bfloat16 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz float4_e2m1fn float8_e8m0fnu int4 uint4 int2".split()
BITS = {"uint4": 4, "int4": 4, "float4_e2m1fn": 4, "uint2": 2, "int2": 2}
WORDS = ["", "a", "it's", 'say "x"', "both '\"", "tab\t", "new\nline", "back\\slash", "été", "日本語", "\x00\x7f", "\u200b",
         "😀", "long word " * 4, "\xa0", "\ue000"]
LARGE = [(1500,), (40, 40), (12, 11, 10), (7, 1001), (2, 2, 400), (1, 1, 1, 1001)]
records, expected, names = [], [], []


def numbers(shape):
    """Doubles of one of several characters: ordinary, wide range, integers, tiny, huge, with specials."""
    kind = rng.integers(0, 9)
    x = rng.standard_normal(shape)
    if kind == 1:
        x = x * 10.0 ** rng.uniform(-8, 8, shape)
    elif kind == 2:
        x = np.round(x * 100)
    elif kind == 3:
        x = x * 10.0 ** rng.uniform(-300, 300)
    elif kind == 4:
        x = np.round(x, 2)
    elif kind == 5:
        x = np.abs(x) * 10.0 ** rng.integers(-6, 10)
    elif kind == 6:
        x = np.where(rng.random(shape) < 0.5, 0.0, x) * rng.choice([1, -1, 1e-3, 1e6])
    elif kind == 7:
        x = np.exp2(rng.integers(-40, 40, shape))
    if rng.random() < 0.25:
        x = np.where(rng.random(shape) < 0.3, rng.choice([np.nan, np.inf, -np.inf, -0.0], shape), x)
    return x


def make(name):
    rank = int(rng.integers(0, 5))
    shape = tuple(int(d) for d in rng.integers(0, (40, 14, 9, 6)[max(rank - 1, 0)] + 1, rank))
    if rng.random() < 0.2:
        shape = LARGE[rng.integers(0, len(LARGE))]
    if name == "str":
        flat = [WORDS[i] for i in rng.integers(0, len(WORDS), int(np.prod(shape)))]
        array = np.empty(len(flat), dtype=object)
        array[:] = flat
        return array.reshape(shape)
    if name == "bool":
        return rng.random(shape) < 0.5
    if name.startswith("complex"):
        z = np.empty(shape, dtype=np.complex128)
        z.real, z.imag = numbers(shape), numbers(shape)
        return z.astype(name)
    if name in PLAIN and "int" in name:
        info = np.iinfo(name)
        bits = int(rng.integers(1, info.bits))
        low = 0 if info.min == 0 or rng.random() < 0.3 else -(1 << (bits - 1))
        high = (1 << bits) - 1 if info.min == 0 else 1 << (bits - 1)
        return rng.integers(low, high, shape, np.int64 if low < 0 else np.uint64).astype(name)
    dtype = np.dtype(getattr(ml_dtypes, name, None) or name)
    if name in ("int4", "uint4", "int2"):
        return rng.integers(-8, 8, shape).astype(np.int8).astype(dtype)
    return np.asarray(numbers(shape)).astype(dtype)


def encode(array, name):
    if name == "str":
        return b"".join(struct.pack("<I", len(s.encode())) + s.encode() for s in array.ravel())
    bits = BITS.get(name)
    if bits is None:
        return array.tobytes()
    codes = np.ascontiguousarray(array).reshape(-1).view(np.uint8) & ((1 << bits) - 1)
    per_byte = 8 // bits
    codes = np.concatenate([codes, np.zeros(-len(codes) % per_byte, np.uint8)]).reshape(-1, per_byte)
    return sum(codes[:, k] << (bits * k) for k in range(per_byte)).astype(np.uint8).tobytes()


def add(array, name, threshold=1000, edge=3, width=75):
    big = sys.maxsize
    data = encode(array, name)
    header = f"{'STRING' if name == 'str' else name} {threshold} {edge} {width} {array.ndim} "
    records.append((header + "".join(f"{d} " for d in array.shape) + f"{len(data)}\n").encode() + data)
    with np.printoptions(threshold=big if threshold == -1 else threshold, edgeitems=big if edge == -1 else edge,
                         linewidth=big if width == -1 else width):
        expected.append(str(array))
    names.append(f"{name}{array.shape} threshold={threshold} edge={edge} width={width}")


for _ in range(60):
    for kind in PLAIN + ML + ["str"]:
        value = make(kind)
        add(value, kind)
        threshold = int(rng.choice([-1, 0, 5, 50, 1000]))
        edge = int(rng.choice([-1, 0, 1, 2, 3, 5]))
        add(value, kind, threshold, edge, int(rng.choice([-1, 1, 10, 40, 75, 120])))
for kind in PLAIN + ML:
    width = np.dtype(getattr(ml_dtypes, kind, None) or kind).itemsize
    if width <= 2 and kind not in BITS and kind != "bool":
        codes = np.arange(1 << (8 * width)).astype(np.uint8 if width == 1 else np.uint16)
        for row in rng.permutation(codes).view(np.dtype(getattr(ml_dtypes, kind, None) or kind)).reshape(-1, 64):
            add(row, kind)

found = subprocess.run([TOOL, "batch"], input=b"".join(records), stdout=subprocess.PIPE, check=True).stdout.decode().split("\0")
failures = 0
position = 0
for name, text in zip(names, expected):
    pieces = text.count("\0") + 1  # a rank-0 string may hold a zero byte itself
    got = "\0".join(found[position:position + pieces])
    position += pieces
    if got != text:
        failures += 1
        if failures < 6:
            print(f"---- {name}\n{got}\n---- expected\n{text}")
print(f"{failures} difference(s) in {len(expected)} texts")
sys.exit(failures != 0)
