"""Files that the benchmark works on, written with the standard library alone and the same every time."""

import base64
import json
import random
import struct
from array import array
from pathlib import Path

WIDTH = 1024  # of the square weights
BLOCK = 1 << 18  # floats that are repeated to fill a big array


# ---- Protobuf ----

def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def block(field, payload):
    payload = payload.encode() if isinstance(payload, str) else payload
    return varint(field << 3 | 2) + varint(len(payload)) + payload


def tensor_value(name, dims):
    shape = b"".join(block(1, block(2, dim) if isinstance(dim, str) else number(1, dim)) for dim in dims)
    return block(1, name) + block(2, block(1, number(1, 1) + block(2, shape)))


def node(op, inputs, output):
    return block(1, b"".join(block(1, name) for name in inputs) + block(2, output) + block(3, f"node_{output}")
                 + block(4, op))


def model_head():
    return number(1, 10) + block(2, "bench") + block(8, block(1, "") + number(2, 21))


# ---- Models ----

def chain(count):
    """Nodes x -> MatMul -> Tanh -> ..., and the graph's name, input and output."""
    graph, last = b"", "x"
    for index in range(count):
        graph += node("MatMul", [last, f"w{index}"], f"h{index}") + node("Tanh", [f"h{index}"], f"t{index}")
        last = f"t{index}"
    return graph + block(2, "chain") + block(11, tensor_value("x", ["N", WIDTH])) \
        + block(12, tensor_value(last, ["N", WIDTH]))


def weight_head(index, width=WIDTH):
    return number(1, width) + number(1, width) + number(2, 1) + block(8, f"w{index}")


def inline_model(path: Path, count=125):
    """`count` weights of 4 MiB inside the file."""
    data = random_floats(WIDTH * WIDTH, 0.12).tobytes()  # keeps the signal's size from layer to layer
    prefix = chain(count)
    heads = [weight_head(index) + varint(9 << 3 | 2) + varint(len(data)) for index in range(count)]
    heads = [varint(5 << 3 | 2) + varint(len(head) + len(data)) + head for head in heads]
    size = len(prefix) + sum(len(head) + len(data) for head in heads)
    with open(path, "wb") as file:
        file.write(model_head() + varint(7 << 3 | 2) + varint(size) + prefix)
        for head in heads:
            file.write(head)
            file.write(data)


def external_model(path: Path, count=10, width=8192):
    """`count` weights of 256 MiB in a sparse file beside the model."""
    size, graph = width * width * 4, chain(count)
    for index in range(count):
        pairs = {"location": path.stem + ".bin", "offset": index * size, "length": size}
        external = b"".join(block(13, block(1, key) + block(2, str(value))) for key, value in pairs.items())
        graph += block(5, weight_head(index, width) + external + number(14, 1))
    path.write_bytes(model_head() + block(7, graph))
    with open(path.with_suffix(".bin"), "wb") as file:
        file.truncate(count * size)


def expand_model(path: Path, floats, outputs=4):
    """Outputs of `floats` elements each from one number."""
    graph = block(5, number(1, 1) + number(2, 7) + block(8, "shape") + block(9, struct.pack("<q", floats)))
    for index in range(outputs):
        graph += node("Expand", ["x", "shape"], f"y{index}") + block(12, tensor_value(f"y{index}", [floats]))
    path.write_bytes(model_head() + block(7, graph + block(2, "expand") + block(11, tensor_value("x", [1]))))


# ---- Results ----

def random_floats(count, scale=1.0):
    generator = random.Random(1)
    values = array("f", (scale * (generator.random() - 0.5) for _ in range(min(count, BLOCK))))
    return values * (count // len(values))


def npy(values):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(values)},), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + values.tobytes()


def results_file(path: Path, runner, change=0.0, outputs=4, blocks=64):
    """One iteration of `outputs` arrays of `blocks` MiB in the peer's format; `change` scales every element."""
    values = array("f", (value * (1 + change) for value in random_floats(BLOCK))) * blocks
    text = base64.b64encode(npy(values)).decode()
    arrays = {f"y{index}": {"values": {"array": text, "polygraphy_class": "ndarray"},
                            "polygraphy_class": "LazyArray"} for index in range(outputs)}
    iteration = {"outputs": arrays, "runtime": 0.001, "runner_name": runner, "polygraphy_class": "IterationResult"}
    results = {"lst": [[runner, [iteration]]], "polygraphy_class": "RunResults"}
    with open(path, "w", encoding="ascii") as file:
        json.dump(results, file, indent=4)
