#!/usr/bin/env python3
"""Runs one file of unittest tests and prints a line per test for tests/run.py: "@@" and a JSON object."""

import importlib.util
import json
import sys
import unittest
from pathlib import Path


class Lines(unittest.TestResult):
    def line(self, test, outcome, detail=""):
        name = test.id().split(".", 1)[-1] if hasattr(test, "id") else str(test)
        print("@@" + json.dumps({"name": name, "outcome": outcome, "detail": detail}), flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.line(test, "ok")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.line(test, "fail", self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.line(test, "fail", self.errors[-1][1])

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line(test, "skip", reason)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.line(subtest, "fail", "".join(self._exc_info_to_string(err, test)))


def main():
    path = Path(sys.argv[1]).resolve()
    sys.path[:0] = [str(path.parent), str(path.parent.parent)]
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except unittest.SkipTest as skip:
        print("@@" + json.dumps({"name": path.stem, "outcome": "skip", "detail": str(skip)}))
        return 0
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    suite.run(Lines())
    return 0


if __name__ == "__main__":
    sys.exit(main())
