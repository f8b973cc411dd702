"""The options of both programs in one form: the peer's from its argparse parsers, ours from --dump-options."""

import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))
from support import polygraphy  # noqa: E402

PEER = os.environ.get("PG_PEER_PYTHON")

WALK = r"""
import argparse, json, polygraphy
from polygraphy.tools.registry import TOOL_REGISTRY

def walk(parser, path, out):
    exclusive = {id(a): f"group {i}" for i, g in enumerate(parser._mutually_exclusive_groups) for a in g._group_actions}
    rows = {}
    for a in parser._actions:
        if isinstance(a, argparse._SubParsersAction):
            for name, child in a.choices.items():
                walk(child, (path + " " + name).strip(), out)
        elif not isinstance(a, argparse._HelpAction):
            flag = a.nargs == 0 or type(a).__name__ in ("_VersionAction",)
            kind = "count" if "Count" in type(a).__name__ else "bool" if flag else getattr(a.type, "__name__", "str")
            rows[(a.option_strings or [a.dest])[0]] = dict(
                names=a.option_strings or [a.dest], kind=kind,
                words="0" if flag else "1" if a.nargs is None else "R" if a.nargs == "..." else str(a.nargs),
                choices=[str(c) for c in a.choices or []], required=a.required,
                default="" if flag or a.default in (None, [], argparse.SUPPRESS) else str(a.default),
                exclusive=exclusive.get(id(a), ""), deprecated="DEPRECATED" in (a.help or "").upper()[:20])
    out[path or "(root)"] = dict(exact=not parser.allow_abbrev, options=rows)

root = argparse.ArgumentParser()
root.add_argument("-v", "--version", action="version", version="")
tools = root.add_subparsers()
for tool in TOOL_REGISTRY:
    tool.setup_parser(tools)
found = {}
walk(root, "", found)
print(json.dumps(found))
"""


def peers():
    done = subprocess.run([PEER, "-c", WALK], capture_output=True, text=True, timeout=120, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def ours():
    lines = polygraphy("--dump-options").out.splitlines()
    found = {}
    for row in (dict(zip(lines[0].split("\t"), line.split("\t"))) for line in lines[1:]):
        tool = found.setdefault(row["tool"], {"exact": False, "options": {}})
        tool["exact"] = row["names"] == "exact"
        names = row["flags"].split()
        tool["options"][names[0]] = {
            "names": names, "kind": row["type"], "words": row["nargs"] or "1",
            "choices": [c for c in row["choices"].split("|") if c], "required": row["required"] == "yes",
            "default": row["default"], "exclusive": row["mutex"], "deprecated": row["deprecated"] != "",
            "missing": row["missing"], "origin": row["origin"]}
    return found
