#!/usr/bin/env python3
"""Prints compile_commands.json: compile_commands.py FLAGS... -- SOURCES..."""

import json
import os
import sys

cut = sys.argv.index("--")
flags, sources = sys.argv[1:cut], sys.argv[cut + 1:]
json.dump([{"directory": os.getcwd(), "file": source, "arguments": ["gcc", *flags, "-c", source]} for source in sources],
          sys.stdout, indent=1)
