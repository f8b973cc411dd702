#!/usr/bin/env python3
"""Writes the reference of the C interface, docs/api.md, from the comments of include/polygraphy.h.

    scripts/api_docs.py > docs/api.md
    scripts/api_docs.py --check        # each declaration of a type or function has a comment

"/* ==== Title ==== */" begins a section. A comment belongs to the declarations below it, up to an empty line; the
comment at the top is the introduction.
"""

import re
import sys
from pathlib import Path

HEADER = Path(__file__).resolve().parent.parent / "include" / "polygraphy.h"


def blocks(text):
    """The header's paragraphs between the first #include and the end, without what only the compiler needs."""
    body = text[text.index("#include <stdint.h>"):]
    for part in re.split(r"\n\s*\n", body):
        part = part.strip()
        if part.startswith(("#include", "#ifdef __cplusplus", "#endif")):
            continue
        yield part


def comment_text(comment):
    lines = [re.sub(r"^\s*\* ?", "", line) for line in comment.strip()[2:-2].splitlines()]
    return "\n".join(line.strip() for line in lines).strip()


def split_comment(part):
    if not part.startswith("/*"):
        return None, part
    end = part.index("*/") + 2
    return comment_text(part[:end]), part[end:].strip()


def clean(code):
    code = code.replace("POLYGRAPHY_API ", "")
    return re.sub(r"\n {20,}", "\n        ", code)


def linked(text):
    return re.sub(r"\b(polygraphy_[a-z0-9_]+|POLYGRAPHY_[A-Z0-9_]+)\b", r"`\1`", text)


def main():
    text = HEADER.read_text()
    introduction = comment_text(text[:text.index("*/") + 2])
    out = ["# The C interface", "", "Made from `include/polygraphy.h` by `scripts/api_docs.py`; programs that use it are in "
           "`examples/`.", "", linked(introduction.replace("libpolygraphy: ", "`libpolygraphy`: ", 1))]
    naked = []
    for part in blocks(text):
        title = re.match(r"/\* ==== (.*) ==== \*/", part)
        if title:
            out += ["", f"## {title[1]}"]
            continue
        comment, code = split_comment(part)
        if comment is None:
            naked.append(code.splitlines()[0])
            comment = ""
        if code.startswith("#define POLYGRAPHY_API"):
            continue
        out += ["", linked(comment)] + (["", "```c", clean(code), "```"] if code else [])
    if "--check" in sys.argv[1:]:
        for line in naked:
            print(f"no comment: {line}", file=sys.stderr)
        return 1 if naked else 0
    print("\n".join(out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
