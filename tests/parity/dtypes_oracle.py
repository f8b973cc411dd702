"""Compares tests/tools/cast_tool with NumPy and ml_dtypes. Runs under the peer's Python:

    dtypes_oracle.py CAST_TOOL

Prints one line per difference and ends with status 1 when there are any. NaN equals NaN whatever its payload."""
import subprocess
import sys
import warnings

import ml_dtypes
import numpy as np
from onnx import numpy_helper

warnings.filterwarnings("ignore")
TOOL = sys.argv[1]
TYPES = {
    name: np.dtype(getattr(ml_dtypes, name, None) or name)
    for name in (
        "float32 uint8 int8 uint16 int16 int32 int64 bool float16 float64 uint32 uint64 complex64 complex128 bfloat16 "
        "float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz uint4 int4 float4_e2m1fn float8_e8m0fnu uint2 int2"
    ).split()
}
BITS = {"uint4": 4, "int4": 4, "float4_e2m1fn": 4, "uint2": 2, "int2": 2}
INTEGERS = {name for name, dtype in TYPES.items() if "int" in name}
SMALL_FLOATS = [name for name in TYPES if name.startswith("float8") or name.startswith("float4")]
failures = 0


def pack(array, name):
    bits = BITS.get(name)
    if bits is None:
        return array.tobytes()
    codes = array.view(np.uint8) & ((1 << bits) - 1)
    per_byte = 8 // bits
    codes = np.concatenate([codes, np.zeros(-len(codes) % per_byte, np.uint8)]).reshape(-1, per_byte)
    return sum(codes[:, k] << (bits * k) for k in range(per_byte)).astype(np.uint8).tobytes()


def unpack(data, name, count):
    bits = BITS.get(name)
    if bits is None:
        return np.frombuffer(data, TYPES[name])
    raw = np.frombuffer(data, np.uint8)
    codes = np.stack([raw >> (bits * k) & ((1 << bits) - 1) for k in range(8 // bits)], axis=1).ravel()[:count]
    return codes.astype(np.uint8).view(TYPES[name]) if "float" in name else codes.astype(np.int8).astype(TYPES[name])


def convert(array, source, target, *flags):
    done = subprocess.run(
        [TOOL, source, target, str(len(array)), *flags], input=pack(array, source), stdout=subprocess.PIPE, check=True
    )
    return unpack(done.stdout, target, len(array))


def check(array, source, target, expected, *flags):
    global failures
    found = convert(array, source, target, *flags)
    width = expected.dtype.itemsize
    same = (found.view(f"V{width}") == expected.view(f"V{width}")) if width != 1 else (
        found.view(np.uint8) == expected.view(np.uint8)
    )
    if expected.dtype.name not in INTEGERS and expected.dtype.name != "bool":
        same |= (found != found) & (expected != expected)
    for index in np.flatnonzero(~same)[:3]:
        print(f"{source} -> {target} {' '.join(flags)}: {array[index]!r} ({array[index].tobytes().hex()}) gives "
              f"{found[index]!r}, expected {expected[index]!r}; {np.count_nonzero(~same)} of {len(array)}")
        failures += 1


def every_value(name):
    """All bit patterns of types up to 16 bits."""
    width = TYPES[name].itemsize * 8
    codes = np.arange(1 << BITS.get(name, width)).astype(np.uint8 if width == 8 else np.uint16)
    if name in ("int4", "int2"):
        return codes.astype(np.int8).astype(TYPES[name])
    if name == "bool":
        return np.array([False, True])
    return codes.view(TYPES[name])


def edge_floats(dtype):
    """Random bit patterns, then every boundary of every narrower type with its neighbours."""
    rng = np.random.default_rng(7)
    unsigned = {4: np.uint32, 8: np.uint64}[np.dtype(dtype).itemsize]
    random = rng.integers(0, np.iinfo(unsigned).max, 200000, unsigned, endpoint=True).view(dtype)
    middle = rng.standard_normal(100000) * np.exp2(rng.uniform(-30, 20, 100000))
    points = [np.array([0.0, -0.0, np.inf, -np.inf, np.nan])]
    for name in ["float16", "bfloat16", *SMALL_FLOATS]:
        values = np.unique(every_value(name).astype(np.float64))
        values = values[np.isfinite(values)]
        points += [values, (values[:-1] + values[1:]) / 2, values * 1.5]
    for bits in (2, 4, 8, 16, 32, 64):
        for sign in (-1.0, 1.0):
            for offset in (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5):
                points.append(np.array([sign * 2.0**bits + offset, sign * 2.0 ** (bits - 1) + offset]))
    exact = np.concatenate([middle] + points).astype(dtype)
    return np.concatenate([random, exact, np.nextafter(exact, dtype(np.inf)), np.nextafter(exact, dtype(-np.inf))])


def some_values(name):
    dtype = TYPES[name]
    if dtype.itemsize <= 2:
        return every_value(name)
    if name in ("float32", "float64"):
        return edge_floats(dtype.type)
    if name.startswith("complex"):
        part = {"complex64": np.float32, "complex128": np.float64}[name]
        reals = edge_floats(part)[:50000]
        return (reals + 1j * np.roll(reals, 1)).astype(dtype)
    info = np.iinfo(dtype)
    rng = np.random.default_rng(3)
    values = [rng.integers(info.min, info.max, 20000, dtype, endpoint=True)]
    for power in range(info.bits):
        for offset in (-1, 0, 1):
            for sign in (1, -1):
                value = sign * (1 << power) + offset
                if info.min <= value <= info.max:
                    values.append(np.array([value], dtype))
    return np.concatenate(values)


def to_uint32(reals):
    """The conversion around 2^31 of a vectorised x86 build (and of ONNX Runtime); NumPy's own depends on the length."""
    def cut(x):
        fits = (x > -2147483649.0) & (x < 2147483648.0)
        return np.where(fits, np.trunc(np.where(fits, x, 0)), -2147483648.0).astype(np.int64)

    big = reals >= 2.0**31
    return np.where(big, (cut(reals - 2.0**31) & 0xFFFFFFFF) ^ 0x80000000, cut(reals) & 0xFFFFFFFF).astype(np.uint32)


def expected_numpy(array, source, target):
    wide_sources = ("float32", "float64", "bfloat16", "complex64", "complex128")
    if target == "uint32" and (source in wide_sources or source in SMALL_FLOATS):
        return to_uint32(array.real.astype(np.float64) if "complex" in source else array.astype(np.float64))
    if source in SMALL_FLOATS and (target in INTEGERS or target in SMALL_FLOATS):
        # ml_dtypes turns NaN into 0 as an integer and lacks some pairs; here these types act as the float32 they equal.
        array = array.astype(np.float32)
    if source in ("int4", "uint4", "int2", "uint2"):
        array = array.astype(np.int8)
    if target in ("int4", "uint4", "int2", "uint2"):
        # A cast through int32 keeps the bits that matter and is the same everywhere.
        wide = array.astype(np.int64 if source in INTEGERS else np.int32) if source != "bool" else array.astype(np.int32)
        return wide.astype(np.int8).astype(TYPES[target])
    if "complex" in source and target in SMALL_FLOATS + ["bfloat16"]:
        array = array.real
    return array.astype(TYPES[target])


for source in TYPES:
    values = some_values(source)
    for target in TYPES:
        if source != target:
            check(values, source, target, expected_numpy(values, source, target), "numpy")

f32 = edge_floats(np.float32)
for target in ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"):
    check(f32, "float32", target, numpy_helper.saturate_cast(f32, TYPES[target]))
    f16 = every_value("float16")
    check(f16, "float16", target, numpy_helper.saturate_cast(f16.astype(np.float32), TYPES[target]))
for mode in ("up", "down", "nearest"):
    for saturate in (True, False):
        flags = [mode] + ([] if saturate else ["nosaturate"])
        expected = numpy_helper.to_float8e8m0(f32, saturate, mode)
        check(f32, "float32", "float8_e8m0fnu", expected, *flags)
print(f"{failures} difference(s)")
sys.exit(failures != 0)
