"""Compares tests/tools/random_tool with the peer's data loader. Runs under the peer's Python:

    random_oracle.py RANDOM_TOOL

Prints differences and ends with status 1 when there are any."""
import subprocess
import sys
import warnings

import numpy as np
from polygraphy.common import TensorMetadata
from polygraphy.comparator import DataLoader
from polygraphy.logger import G_LOGGER

warnings.filterwarnings("ignore")
G_LOGGER.module_severity = G_LOGGER.CRITICAL
TOOL = sys.argv[1]
rng = np.random.default_rng(5)
TYPES = "float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool".split()
failures = 0


def bounds(dtype):
    """A pair as a user would give it: None for the default."""
    kind = rng.integers(0, 5)
    if kind == 0:
        return None
    if dtype == "bool":
        return [(0, 1), (0.0, 1.0), (1, 1), (0, 0)][rng.integers(0, 4)]
    if dtype.startswith("float"):
        return [(-1, 1), (0.25, 3.5), (-1e30, 1e30), (-np.inf, 2.0), (0.0, np.inf), (-np.inf, np.inf), (3, 3)][rng.integers(0, 7)]
    info = np.iinfo(dtype)
    top = min(info.max, 2**63 - 2)
    span = int(rng.integers(0, min(top, 2**62)))
    return [(0, 5), (info.min, top), (0, span), (max(info.min, -3), 3), (1.9, 7.9), (4, 4), (0, min(top, 2**32 - 1)),
            (0, min(top, 255)), (0, min(top, 65535))][rng.integers(0, 9)]


for trial in range(300):
    seed, iteration = int(rng.integers(0, 2**31)) if trial % 3 else 1, int(rng.integers(0, 3))
    metadata, ranges, words = TensorMetadata(), {}, []
    for i in range(int(rng.integers(1, 7))):
        dtype = TYPES[rng.integers(0, len(TYPES))]
        shape = [int(d) for d in rng.integers(0, 9, rng.integers(0, 4))]
        if trial % 10 == 0:
            shape = [int(rng.integers(1000, 20000))]
        open_shape = [None if rng.random() < 0.2 else d for d in shape]
        metadata.add(f"i{i}", np.dtype(dtype), open_shape)
        pair = bounds(dtype)
        if pair is not None:
            ranges[f"i{i}"] = pair
        words.append(dtype + "/" + (",".join("?" if d is None else str(d) for d in open_shape) or "-") + "/"
                     + "/".join(repr(float(b)) if isinstance(b, float) else str(int(b)) for b in pair or ()))
    loader = DataLoader(seed=seed, iterations=iteration + 1, val_range=ranges or None)
    loader.input_metadata = metadata
    expected = b"".join(np.ascontiguousarray(a).tobytes() for a in loader[iteration].values())
    found = subprocess.run([TOOL, str(seed), str(iteration), *words], stdout=subprocess.PIPE, check=True).stdout
    if found != expected:
        failures += 1
        if failures < 6:
            print("difference:", seed, iteration, " ".join(words))
print(f"{failures} difference(s) in 300 feeds")
sys.exit(failures != 0)
