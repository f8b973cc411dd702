"""Which operators of the ONNX standard the built-in engine executes.

    python operator_coverage.py [--markdown FILE] [--missing] [--tools FOLDER]

Needs a Python with onnx. For every operator and version of the standard it says which kernel executes it: a row of the
engine's table (tests/tools/list_kernels), or the standard's own function body, where the model contains it. Prints what is
missing and exits with 1 if there is anything; --markdown writes the whole table.
"""
import argparse
import collections
import os
import re
import subprocess
import sys

import onnx

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Operators that are no computation of the engine's kind, with the reason.
EXCEPTIONS = {
    ("ai.onnx.preview.training", "Gradient"): "asks for automatic differentiation of the graph",
    ("ai.onnx", "Constant"): "becomes a weight when the model is read",
}

Kernel = collections.namedtuple("Kernel", "file since until flags")
Row = collections.namedtuple("Row", "domain name version schema kernel")


def family_files():
    """The source file of each table, in the order of registry.c."""
    folder = os.path.join(ROOT, "src", "native")
    files = {}
    for place, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".c"):
                path = os.path.join(place, name)
                with open(path, encoding="utf-8") as file:
                    for table in re.findall(r"^const pg_kernel (pg_kernels_\w+)\[\]", file.read(), re.M):
                        files[table] = os.path.relpath(path, ROOT)
    with open(os.path.join(folder, "registry.c"), encoding="utf-8") as file:
        return [files[table] for table in re.findall(r"^    (pg_kernels_\w+),", file.read(), re.M)]


def read_kernels(tools):
    files = family_files()
    lines = subprocess.run([os.path.join(tools, "list_kernels")], capture_output=True, text=True, check=True).stdout.splitlines()
    kernels = collections.defaultdict(list)
    for line in lines:
        family, domain, name, since, until, flags = line.split("\t")
        # Later families come first when versions overlap.
        kernels[domain, name].insert(0, Kernel(files[int(family)], int(since), int(until), flags))
    return kernels


def find_kernel(kernels, domain, name, version):
    for kernel in kernels[domain, name]:
        if kernel.since <= version and (kernel.until == 0 or version <= kernel.until):
            return kernel
    return None


def read_rows(kernels):
    rows = []
    for schema in onnx.defs.get_all_schemas_with_history():
        domain = schema.domain or "ai.onnx"
        if not schema.deprecated:
            rows.append(Row(domain, schema.name, schema.since_version, schema,
                            find_kernel(kernels, domain, schema.name, schema.since_version)))
    return sorted(rows, key=lambda row: (row.domain, row.name, row.version))


def short_types(schema):
    """The types that the first input (or output) may have."""
    parameters = list(schema.inputs) or list(schema.outputs)
    if not parameters:
        return ""
    text = parameters[0].type_str
    allowed = next((c.allowed_type_strs for c in schema.type_constraints if c.type_param_str == text), [text])
    return " ".join(sorted(t.replace("tensor(", "").replace(")", "") if t.startswith("tensor(") else t for t in allowed))


def write_markdown(path, rows, kernels):
    by_name = collections.OrderedDict()
    for row in rows:
        by_name.setdefault((row.domain, row.name), []).append(row)
    lines = ["# Operators of the built-in engine", "", "Made by scripts/operator_coverage.py. Versions are those of the standard in "
             f"which the operator changed; one in parentheses has no kernel. Types are those of the first input.", ""]
    for domain in sorted({domain for domain, _ in by_name}):
        lines += [f"## {domain}", "", "| operator | versions | types | kernel |", "|---|---|---|---|"]
        for (d, name), group in by_name.items():
            if d == domain:
                versions = ", ".join(str(r.version) if r.kernel else f"({r.version})" for r in group)
                files = sorted({r.kernel.file for r in group if r.kernel}) or [EXCEPTIONS.get((d, name), "none")]
                lines.append(f"| {name} | {versions} | {short_types(group[-1].schema)} | {', '.join(files)} |")
        lines.append("")
    others = sorted(key for key in kernels if key not in by_name and key[0] != "pg" and kernels[key])
    lines += ["## Beyond the standard", "", "| domain | operator | kernel |", "|---|---|---|"]
    lines += [f"| {domain} | {name} | {kernels[domain, name][0].file} |" for domain, name in others]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", metavar="FILE", help="write the table of all operators")
    parser.add_argument("--missing", action="store_true", help="print only what is missing, one per line")
    parser.add_argument("--tools", default=os.path.join(ROOT, "build", "release", "tests", "tools"))
    options = parser.parse_args()
    kernels = read_kernels(options.tools)
    rows = read_rows(kernels)
    missing = [row for row in rows if row.kernel is None and (row.domain, row.name) not in EXCEPTIONS]
    if options.markdown:
        write_markdown(options.markdown, rows, kernels)
    for row in missing:
        body = " (its function body could be used)" if row.schema.has_function or row.schema.has_context_dependent_function else ""
        print(f"{row.domain} {row.name} {row.version}{body}")
    if not options.missing:
        names = {(row.domain, row.name) for row in rows}
        print(f"{len(rows) - len(missing)} of {len(rows)} versions of {len(names)} operators have a kernel")
    return bool(missing)


if __name__ == "__main__":
    sys.exit(main())
