"""What the tests of the command line share: the program, and models made from bytes."""

import base64
import os
import struct
import subprocess
import tempfile
import unittest
import zlib
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("POLYGRAPHY_BIN", str(ROOT / "build" / "polygraphy"))


class Result:
    def __init__(self, done):
        self.rc = done.returncode
        self.out = done.stdout
        self.err = done.stderr


def polygraphy(*words, cwd=None, env=None):
    done = subprocess.run([PROGRAM, *words], cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True,
                          text=True, timeout=120, check=False, stdin=subprocess.DEVNULL)
    return Result(done)


class Case(unittest.TestCase):
    """A test with a folder of its own as the working folder."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pg-cli-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_it(self, *words, rc=0, env=None):
        result = polygraphy(*words, cwd=self.folder, env=env)
        self.assertEqual(result.rc, rc, f"{' '.join(words)}\nstdout:\n{result.out}\nstderr:\n{result.err}")
        return result


# ---- Files that the program reads and writes ----


def array(shape, values):
    """A float32 array as result files hold it."""
    header = ("{'descr': '<f4', 'fortran_order': False, 'shape': %s, }" % shape).ljust(117) + "\n"
    raw = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header.encode() + struct.pack(f"<{len(values)}f", *values)
    return {"values": {"array": base64.b64encode(raw).decode(), "polygraphy_class": "ndarray"},
            "polygraphy_class": "LazyArray"}


def png_size(data):
    """Width and height of a PNG whose chunks and checksums are right."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, size, pixels = 8, None, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack(">I", data[at + 8 + length:at + 12 + length])[0]
        if kind == b"IHDR":
            size = struct.unpack(">II", body[:8])
        if kind == b"IDAT":
            pixels += body
        at += 12 + length
    assert len(zlib.decompress(pixels)) == (size[0] * 3 + 1) * size[1]
    return size


class Page(HTMLParser):
    """Tags in balance, nothing from outside, links that lead somewhere."""

    VOID = {"meta", "input", "img", "br"}

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.outside, self.ids, self.links = [], [], [], set(), set()
        self.feed(text)
        assert self.links <= self.ids, self.links - self.ids

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "action") and not value.startswith(("data:", "#")):
                self.outside.append(value)
            if name == "href" and value.startswith("#"):
                self.links.add(value[1:])
            if name == "id":
                assert value not in self.ids, value
                self.ids.add(value)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag


# ---- Models, written as protobuf without any package ----


def varint(number):
    out = b""
    while True:
        byte, number = number & 0x7F, number >> 7
        out += bytes([byte | (0x80 if number else 0)])
        if not number:
            return out


def number_field(field, value):
    return varint(field << 3) + varint(value)


def bytes_field(field, payload):
    payload = payload.encode() if isinstance(payload, str) else payload
    return varint(field << 3 | 2) + varint(len(payload)) + payload


def tensor_type(dims, elem=1):
    shape = b"".join(
        bytes_field(1, bytes_field(2, d) if isinstance(d, str) else number_field(1, d)) for d in dims)
    return bytes_field(1, number_field(1, elem) + bytes_field(2, shape))


def value_info(name, dims, elem=1):
    return bytes_field(1, name) + bytes_field(2, tensor_type(dims, elem))


def node(op, inputs, outputs, name=""):
    return (b"".join(bytes_field(1, i) for i in inputs) + b"".join(bytes_field(2, o) for o in outputs) +
            bytes_field(3, name) + bytes_field(4, op))


def weight(name, dims, values):
    return (b"".join(number_field(1, d) for d in dims) + number_field(2, 1) + bytes_field(8, name) +
            bytes_field(9, struct.pack(f"<{len(values)}f", *values)))


def model(nodes, inputs, outputs, weights=(), opset=17):
    graph = (b"".join(bytes_field(1, n) for n in nodes) + bytes_field(2, "g") +
             b"".join(bytes_field(5, w) for w in weights) + b"".join(bytes_field(11, i) for i in inputs) +
             b"".join(bytes_field(12, o) for o in outputs))
    return number_field(1, 8) + bytes_field(7, graph) + bytes_field(8, bytes_field(1, "") + number_field(2, opset))


def relu_model(dims=(1, 3)):
    """y = Relu(Add(x, b)), with a tensor 's' between them."""
    return model([node("Add", ["x", "b"], ["s"], "n_add"), node("Relu", ["s"], ["y"], "n_relu")],
                 [value_info("x", dims)], [value_info("y", dims)], [weight("b", [3], [-0.5, 0.25, 1.0])])
