#!/usr/bin/env python3
"""Writes TensorRT's C++ classes, as far as its binary interface goes: slots.tsv and enums.tsv as a header.

    classes.py trt10|trt11|rtx14|rtx15 > classes.h

The two tables were read from the public headers of TensorRT 10.16, 11.1 and TensorRT-RTX 1.4, 1.6. No package of PyPI or
Debian has these headers, so the compiler of C++ gets the classes from here: it chooses the slots, the pointers to the parts
of an object, and how structs travel. Nothing here is taken from the program under test. A method that nobody overrides
ends the program with its name."""
import re
import sys
from pathlib import Path

FAMILIES = ("trt10", "trt11", "rtx14", "rtx15")
FOLDER = Path(__file__).resolve().parent

BASICS = """#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>
[[noreturn]] void missing(const char *method);
struct CUstream_st;
struct CUevent_st;
using cudaStream_t = CUstream_st *;
using cudaEvent_t = CUevent_st *;
using AsciiChar = char;
using ErrorDesc = const char *;
using RefCount = int32_t;
using PluginLibraryHandle = void *;
using SubGraphCollection_t = std::vector<std::pair<std::vector<size_t>, bool>>;
struct Dims { int32_t nbDims; int64_t d[8]; };
struct Permutation { int32_t order[8]; };
struct InterfaceInfo { const char *kind; int32_t major, minor; };
struct TimingCacheKey { uint8_t data[16]; };
struct TimingCacheValue { uint64_t tacticHash; float timingMSec; };
class INoCopy { public: virtual ~INoCopy() = default; };
"""
FLAG_SETS = ("AllocatorFlags", "BuilderFlags", "NetworkDefinitionCreationFlags", "OnnxParserFlags", "QuantizationFlags",
             "SerializationFlags", "TacticSources", "TempfileControlFlags", "TensorFormats")
WEIGHTS = "struct Weights { DataType type; const void *values; int64_t count; };\n"


def rows_of(name):
    return [line.split("\t") for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()[1:]]


def slots(family):
    """{class: {slot: method}} of one family."""
    column, found = 2 + FAMILIES.index(family), {}
    for row in rows_of("slots.tsv"):
        if row[column] != "-":
            methods = found.setdefault(row[0], {})
            assert int(row[column]) not in methods, f"two methods in one slot: {row}"
            methods[int(row[column])] = row[1]
    return found


def enums(family):
    """{enumeration: {enumerator: value}} of one family."""
    column, found = 2 + FAMILIES.index(family), {}
    for row in rows_of("enums.tsv"):
        values = found.setdefault(row[0], {})
        if row[column] != "-":
            values[row[1]] = int(row[column])
    return found


def implementation_of(name):
    """VBuilder is behind IBuilder."""
    return "I" + name[1:]


def used_names(classes):
    text = " ".join(method for methods in classes.values() for method in methods.values())
    return set(re.findall(r"\b[A-Z]\w+", text))


def class_text(name, methods):
    lines = [f"class {name}", "{", "  public:"]
    for slot in range(max(methods) + 1):
        method = methods.get(slot)
        if method == "~complete":
            lines.append(f"    virtual ~{name}() = default;")
        elif method is None:
            lines.append(f'    virtual void gap{slot}() {{ missing("{name}, slot {slot}"); }}')
        elif method != "~deleting":
            method = method.replace("IVersionedInterface::", "")
            title = re.search(r"(\w+)\(", method).group(1)
            lines.append(f'    virtual {method} {{ missing("{name}::{title}"); }}')
    return "\n".join([*lines, "};", ""])


def facade_text(name):
    """The object that a program holds: its own table, then a pointer to the implementation. A layer has two."""
    layer = name.endswith("Layer") and name != "VLayer"
    base, member = ("ILayer", "mImpl") if layer else ("INoCopy", "mLayer" if name == "VLayer" else "mImpl")
    facade = implementation_of(name)
    return f"class {facade} : public {base}\n{{\n  public:\n    {name} *{member};\n}};\n"


def header(family):
    classes, types = slots(family), enums(family)
    implementations = sorted((name for name in classes if name.startswith("V")), key=lambda name: (name != "VLayer", name))
    facades = {implementation_of(name) for name in implementations}
    out = [BASICS]
    out += [f"using {name} = uint32_t;" for name in FLAG_SETS]
    for name, values in sorted(types.items()):
        out.append(f"enum class {name} : int32_t {{ {', '.join(f'{key} = {value}' for key, value in values.items())} }};")
    known = set(types) | set(FLAG_SETS) | set(re.findall(r"(?:struct|class|using) (\w+)", BASICS)) | {"Weights"}
    for name in sorted(used_names(classes) - known | facades | set(classes)):
        kind = f"class {name};" if re.match(r"[IV][A-Z]", name) else f"enum class {name} : int32_t {{}};"
        out.append(kind)
    out.append(WEIGHTS)
    out.append(f"const int FAMILY = {FAMILIES.index(family)};\n#define FAKE_{family.upper()}")
    out += [class_text(name, methods) for name, methods in sorted(classes.items()) if name not in facades]
    out += [facade_text(name) for name in implementations]
    return "\n".join(out)


if __name__ == "__main__":
    print(header(sys.argv[1]))
