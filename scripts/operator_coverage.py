"""Which operators of the ONNX standard the built-in engine executes.

    python operator_coverage.py [--markdown FILE] [--missing] [--tools FOLDER] [--cases FOLDER]

Needs a Python with onnx. For every operator and version of the standard it says which kernel executes it: a row of the
engine's table (tests/tools/list_kernels), or the standard's own function body, where the model contains it. Prints what is
missing and exits with 1 if there is anything; --markdown writes docs/operators.md, for which it reads the standard's node
test cases (scripts/gen_node_cases.py writes them).
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
        return [files[table] for table in re.findall(r"(?<=[\s,])(pg_kernels_\w+),", file.read())]


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


def short_type(text):
    return text[7:-1] if text.startswith("tensor(") else text


def types_of(schema):
    """Each type parameter with the types that it stands for; those of one name only once."""
    parts = []
    for constraint in schema.type_constraints:
        names = sorted(short_type(t) for t in constraint.allowed_type_strs)
        text = f"{constraint.type_param_str}: {' '.join(names)}"
        for group, name in TYPE_GROUPS:
            if set(names) == group:
                text = f"{constraint.type_param_str}: {name}"
        parts.append(text)
    return "; ".join(parts)


def all_types(name):
    """What a type constraint of the newest version of an operator allows."""
    return frozenset(short_type(t) for t in onnx.defs.get_schema(name).type_constraints[0].allowed_type_strs)


TYPE_GROUPS = [(all_types("Identity") - {t for t in all_types("Identity") if "(" in t}, "all tensors"),
               (all_types("Identity"), "everything")]
NOTES = {"half": "float16, bfloat16 and 8-bit floats in float32", "volatile": "evaluated anew in every run"}


def read_cases(folder):
    """How many node test cases contain each operator, functions' bodies not counted."""
    counts = collections.Counter()
    for name in sorted(os.listdir(folder)):
        model = onnx.load(os.path.join(folder, name, "model.onnx"))
        counts.update({(node.domain or "ai.onnx", node.op_type) for node in model.graph.node})
    return counts


def read_unsupported():
    """The lines of tests/onnx/unsupported.txt: (pattern, reason)."""
    with open(os.path.join(ROOT, "tests", "onnx", "unsupported.txt"), encoding="utf-8") as file:
        return [line.strip().split(": ", 1) for line in file if line.strip() and not line.startswith("#")]


def anchor(domain, name):
    return f"{domain}-{name}".replace(".", "-").lower()


def index_lines(title, domain, names):
    links = ", ".join(f"[{name}](#{anchor(domain, name)})" for name in names)
    return [f"- **{title}** ({len(names)}): {links}"]


def row_lines(domain, name, group, cases):
    """One line of the table of a domain."""
    versions = ", ".join(str(r.version) if r.kernel else f"({r.version})" for r in group)
    files = sorted({r.kernel.file for r in group if r.kernel})
    notes = [EXCEPTIONS[domain, name]] if (domain, name) in EXCEPTIONS else []
    flags = {flag for r in group if r.kernel for flag in r.kernel.flags.split(",")}
    notes += [text for flag, text in NOTES.items() if flag in flags]
    return (f'| <a id="{anchor(domain, name)}"></a>{name} | {versions} | {types_of(group[-1].schema)} '
            f"| {', '.join(files) or 'none'} | {'; '.join(notes)} | {cases[domain, name] or ''} |")


HEAD = """# Operators of the built-in engine

Written by `make docs` from the engine's table of operators, the schemas of onnx {onnx} and the standard's node test cases; see
scripts/operator_coverage.py. {kernels} of the standard's {versions} versions of {operators} operators have a kernel.

- **versions**: the opset versions in which the operator changed, each executed by its own rules; one in parentheses has no kernel.
- **types**: what the newest version allows, per type parameter.
- **kernel**: the source file.
- **cases**: how many of the {cases} node test cases contain the operator. All pass, but for those under
  [Exceptions](#exceptions). Operators without a case are tested by tests/unit and by random graphs beside ONNX Runtime.

## Index
"""


def page(rows, kernels, cases, n_cases):
    by_name = collections.OrderedDict()
    for row in rows:
        by_name.setdefault((row.domain, row.name), []).append(row)
    domains = sorted({domain for domain, _ in by_name})
    others = sorted(key for key in kernels if key not in by_name and key[0] != "pg" and kernels[key])
    more = sorted({domain for domain, _ in others})
    count = sum(1 for row in rows if row.kernel is not None)
    lines = HEAD.format(onnx=onnx.__version__, kernels=count, versions=len(rows), operators=len(by_name), cases=n_cases).splitlines()
    for domain in domains:
        lines += [""] + index_lines(domain, domain, [name for d, name in by_name if d == domain])
    for domain in more:
        lines += [""] + index_lines(f"{domain}, beyond the standard", domain, [name for d, name in others if d == domain])
    for domain in domains:
        lines += ["", f"## {domain}", "", "| operator | versions | types | kernel | notes | cases |", "|---|---|---|---|---|---|"]
        lines += [row_lines(d, name, group, cases) for (d, name), group in by_name.items() if d == domain]
    for domain in more:
        lines += ["", f"## {domain}, beyond the standard", "", "| operator | since | kernel | notes |", "|---|---|---|---|"]
        for d, name in others:
            if d == domain:
                kernel = kernels[d, name][0]
                notes = "; ".join(text for flag, text in NOTES.items() if flag in kernel.flags.split(","))
                lines.append(f'| <a id="{anchor(d, name)}"></a>{name} | {kernel.since} | {kernel.file} | {notes} |')
    lines += ["", "## Exceptions", "", "Test cases of the standard and of the onnx wheel that the engine does not run:", "",
              "| cases | reason |", "|---|---|"]
    lines += [f"| {pattern} | {reason} |" for pattern, reason in read_unsupported()]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", metavar="FILE", help="write the page of all operators")
    parser.add_argument("--missing", action="store_true", help="print only what is missing, one per line")
    cache = os.environ.get("PG_CACHE") or os.path.expanduser("~/.cache/polygraphy-c")
    parser.add_argument("--cases", default=os.path.join(cache, f"node-cases-{onnx.__version__}"), help="the node test cases")
    parser.add_argument("--tools", default=os.path.join(ROOT, "build", "release", "tests", "tools"))
    options = parser.parse_args()
    kernels = read_kernels(options.tools)
    rows = read_rows(kernels)
    missing = [row for row in rows if row.kernel is None and (row.domain, row.name) not in EXCEPTIONS]
    if options.markdown:
        text = page(rows, kernels, read_cases(options.cases), len(os.listdir(options.cases)))
        with open(options.markdown, "w", encoding="utf-8") as file:
            file.write(text)
    for row in missing:
        body = " (its function body could be used)" if row.schema.has_function or row.schema.has_context_dependent_function else ""
        print(f"{row.domain} {row.name} {row.version}{body}")
    if not options.missing:
        names = {(row.domain, row.name) for row in rows}
        print(f"{len(rows) - len(missing)} of {len(rows)} versions of {len(names)} operators have a kernel")
    return bool(missing)


if __name__ == "__main__":
    sys.exit(main())
