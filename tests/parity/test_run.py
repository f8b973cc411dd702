"""`run` beside Polygraphy 0.53 on ONNX Runtime: the same command here and there, the same exit status, log and files.
What may differ is replaced first: dates, durations, the program's path, and lines that one side has by design."""

import unittest
from pathlib import Path

import sidebyside
from run_cases import OURS_ONLY, PEER_ONLY, SCRIPTS, models


class SameAsPeer(sidebyside.Scripts):
    ours_only, peer_only = OURS_ONLY, PEER_ONLY

    def prepare(self, folder):
        for name, payload in models().items():
            Path(folder, name).write_bytes(payload)


SameAsPeer.add_scripts(SCRIPTS)

if __name__ == "__main__":
    unittest.main()
