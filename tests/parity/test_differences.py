"""docs/differences.md holds every difference between the two programs' parsers, and nothing else."""

import re
import unittest
from collections import defaultdict
from pathlib import Path

import parsers

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "differences.md"


def default_of(text):
    """A list of one default is that default."""
    single = re.fullmatch(r"\['(.*)'\]", text)
    return single.group(1) if single else text


def exclusive_sets(options):
    groups = defaultdict(set)
    for name, option in options.items():
        if option["exclusive"]:
            groups[option["exclusive"]].add(name)
    return {tuple(sorted(names)) for names in groups.values() if len(names) > 1}


def option_differences(theirs, mine):
    """What our option does otherwise; the peer's None as a default says nothing about the one that holds."""
    for name in sorted(set(mine["names"]) - set(theirs["names"])):
        yield f"also named {name}"
    for name in sorted(set(theirs["names"]) - set(mine["names"])):
        yield f"not named {name}"
    for what, key in (("type", "kind"), ("words", "words")):
        if theirs[key] != mine[key]:
            yield f"{what} {mine[key]}, there {theirs[key]}"
    for word in sorted(set(mine["choices"]) - set(theirs["choices"])):
        yield f"also takes {word}"
    for word in sorted(set(theirs["choices"]) - set(mine["choices"])):
        yield f"does not take {word}"
    if theirs["required"] != mine["required"]:
        yield "required" if mine["required"] else "not required"
    if theirs["deprecated"] != mine["deprecated"]:
        yield "deprecated" if mine["deprecated"] else "not deprecated"
    if theirs["default"] and default_of(theirs["default"]) != mine["default"]:
        yield f"default {mine['default'] or 'none'}, there {default_of(theirs['default'])}"


def command_differences(theirs, mine):
    by_name = {name: option for option in mine["options"].values() for name in option["names"]}
    matched = set()
    for name, option in theirs["options"].items():
        ours = next((by_name[other] for other in option["names"] if other in by_name), None)
        if ours is None:
            yield name, "only there"
            continue
        matched.add(ours["names"][0])
        yield from ((name, text) for text in option_differences(option, ours))
    for name in mine["options"]:
        if name not in matched:
            yield name, "only here"
    for names in exclusive_sets(mine["options"]) - exclusive_sets(theirs["options"]):
        yield " ".join(names), "exclude each other"
    for names in exclusive_sets(theirs["options"]) - exclusive_sets(mine["options"]):
        yield " ".join(names), "do not exclude each other"
    if theirs["exact"] != mine["exact"]:
        yield "", "no abbreviations" if mine["exact"] else "abbreviations"


def differences(theirs, mine):
    found = set()
    for tool in sorted(set(theirs) | set(mine)):
        if tool not in mine or tool not in theirs:
            found.add((tool, "", "only here" if tool in mine else "only there"))
        else:
            found |= {(tool, name, text) for name, text in command_differences(theirs[tool], mine[tool])}
    return found


def listed(page, title, columns):
    """The rows of the table below a heading, without the code marks."""
    section = page.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    rows = [[cell.strip().replace("`", "") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in section.splitlines() if line.startswith("|")][2:]
    assert all(len(row) == columns and row[-1] for row in rows), f"a row of '{title}' has no reason"
    return rows


def listed_differences(page, commands):
    for tools, options, text, _ in listed(page, "Commands and options", 4):
        for tool in commands if tools == "all" else tools.split(", "):
            for option in options.split(", "):
                yield tool, option, text


@unittest.skipUnless(parsers.PEER, "PG_PEER_PYTHON names no Python with Polygraphy 0.53")
class Differences(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.theirs, cls.mine = parsers.peers(), parsers.ours()
        cls.found = differences(cls.theirs, cls.mine)
        both = sorted((set(cls.theirs) & set(cls.mine)) - {"(root)"})
        cls.written = list(listed_differences(PAGE.read_text(), both))

    def test_every_difference_is_listed(self):
        rows = [f"| {tool} | {option} | {text} | why |" for tool, option, text in sorted(self.found - set(self.written))]
        self.assertEqual(rows, [], f"{PAGE.name} lacks these")

    def test_every_listed_difference_exists(self):
        self.assertEqual(sorted(set(self.written) - self.found), [], f"{PAGE.name} lists these, but there are none")

    def test_nothing_is_listed_twice(self):
        self.assertEqual(len(self.written), len(set(self.written)))

    def test_the_walk_sees_differences(self):
        """A difference of each kind, made by hand, is found."""
        option = {"names": ["--a"], "kind": "str", "words": "1", "choices": ["x"], "required": False, "default": "x",
                  "exclusive": "", "deprecated": False}
        changes = {"names": (["--a", "--b"], "also named --b"), "kind": ("int", "type int, there str"),
                   "words": ("+", "words +, there 1"), "choices": (["x", "y"], "also takes y"),
                   "required": (True, "required"), "default": ("", "default none, there x"),
                   "deprecated": (True, "deprecated")}
        for key, (value, text) in changes.items():
            with self.subTest(key):
                self.assertEqual(list(option_differences(option, {**option, key: value})), [text])
        tool = {"exact": False, "options": {"--a": option}}
        self.assertEqual(list(command_differences(tool, {"exact": True, "options": {}})),
                         [("--a", "only there"), ("", "no abbreviations")])
        pair = {"--a": {**option, "exclusive": "g"}, "--b": {**option, "names": ["--b"], "exclusive": "g"}}
        self.assertEqual(differences({"t": {"exact": False, "options": {}}}, {"t": {"exact": False, "options": pair}}),
                         {("t", "--a", "only here"), ("t", "--b", "only here"), ("t", "--a --b", "exclude each other")})
        self.assertEqual(differences({"t": tool}, {"u": tool}), {("t", "", "only there"), ("u", "", "only here")})


if __name__ == "__main__":
    unittest.main()
