"""Compares tests/tools/stats_tool with the peer's statistics and histogram text. Runs under the peer's Python:

    stats_oracle.py STATS_TOOL [SEED]

Prints differences and ends with status 1 when there are any."""
import re
import subprocess
import sys
import warnings

import numpy as np
from polygraphy.comparator import util as peer
from polygraphy.logger import G_LOGGER

warnings.filterwarnings("ignore")
G_LOGGER.module_severity = G_LOGGER.CRITICAL
TOOL = sys.argv[1]
rng = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
TYPES = "float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool".split()
records, expected, names = [], [], []


def values(shape, dtype):
    if dtype == "bool":
        return rng.random(shape) < rng.random()
    if "int" in dtype:
        info = np.iinfo(dtype)
        if rng.random() < 0.5:
            return rng.integers(info.min, info.max, shape, dtype, endpoint=True)
        return rng.integers(0 if info.min == 0 else -5, 100, shape).astype(dtype)
    kind = rng.integers(0, 8)
    x = rng.standard_normal(shape)
    if kind == 0:
        x = rng.random(shape)
    elif kind == 1:
        x = np.maximum(x, 0)
    elif kind == 2:
        x = x * 10.0 ** rng.uniform(-6, 4, shape)
    elif kind == 3:
        x = np.round(x * 3)
    elif kind == 4:
        x = np.full(shape, rng.standard_normal())
    elif kind == 5:
        x = x * rng.choice([1e-40, 1e30, 1e4])
    elif kind == 6 and x.size:
        x = np.where(rng.random(shape) < 2 / x.size, rng.choice([np.nan, np.inf, -np.inf]), x)
    return np.asarray(x).astype(dtype)


def add(array, ranged=False):
    low = high = 0.0
    hist_range = None
    if ranged:
        other = values(array.shape, array.dtype.name)
        hist_range = (min(peer.compute_min(array), peer.compute_min(other)), max(peer.compute_max(array), peer.compute_max(other)))
        low, high = float(hist_range[0]), float(hist_range[1])
    dims = "".join(f"{d} " for d in array.shape)
    records.append(f"{array.dtype.name} {int(ranged)} {low!r} {high!r} {array.ndim} {dims}{array.nbytes}\n".encode() + array.tobytes())
    # An empty array's histogram is None there, which prints as the word; here there is none.
    expected.append(peer.str_output_stats(array) + (peer.str_histogram(array, hist_range) or ""))
    names.append(f"{array.dtype.name}{array.shape} ranged={ranged} {array.ravel()[:6]}")


for dtype in TYPES:
    for n in (0, 1, 2, 3, 7, 8, 9, 100, 127, 128, 129, 1000, 1025, 8191, 8192, 8193, 20000, 70001):
        add(values((n,), dtype))
    for _ in range(40):
        shape = tuple(int(d) for d in rng.integers(1, 12, rng.integers(0, 5)))
        add(values(shape, dtype))
        # Python integers beyond int64 make NumPy refuse the range; here the histogram is simply right.
        add(values(shape, dtype), ranged=dtype not in ("bool", "uint64"))
    add(values((0, 3), dtype))
    add(values((300, 700), dtype))
    add(values((3, 41, 1, 1777), dtype))
add(values((2_000_003,), "float32"))
add(values((1_000_003,), "float64"))
add(values((1_500_000,), "float16"))
for special in ([-1, -0.0], [1, np.inf, 2], [1, -np.inf, np.inf], [np.nan], [np.inf], [1e38, 3e38, -3e38], [1e-45, 0], [16777216, 16777217]):
    add(np.array(special, dtype=np.float32))
add(np.array([60000, -60000, 1.5], dtype=np.float16))
add(np.array([-128, 100, -100, 127], dtype=np.int8))
add(np.array([-32768, 32767, 5], dtype=np.int16))

found = subprocess.run([TOOL], input=b"".join(records), stdout=subprocess.PIPE, check=True).stdout.decode().split("\0")[:-1]


def plain_zeros(text):
    """Which of two equal zeros a minimum or quantile shows depends on NumPy's vector width."""
    return re.sub(r"=-0(?=[ ,\n])", "=0", text)


failures = 0
for name, got, text in zip(names, found, expected):
    if plain_zeros(got) != plain_zeros(text):
        failures += 1
        if failures < 8:
            print(f"---- {name}\n{got}\n---- expected\n{text}")
if len(found) != len(expected):
    failures += 1
print(f"{failures} difference(s) in {len(expected)} texts")
sys.exit(failures != 0)
