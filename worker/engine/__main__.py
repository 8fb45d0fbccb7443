"""`python -m worker.engine SPEC.json RUN_DIR [--resume-from CHECKPOINT]`, alone or under torchrun."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tunedeck.run_folder import RunFolder
from worker.engine.launch import run_attempt


def main() -> int:
    """Returns the exit code of `run_attempt`; argparse itself ends with 2 for arguments that it does not know."""
    parser = argparse.ArgumentParser(prog="python -m worker.engine", description="Train as a resolved spec says.")
    parser.add_argument("spec", type=Path, help="spec.json: a ResolvedSpec")
    parser.add_argument("run_dir", type=Path, help="folder of this attempt: events, checkpoints, export")
    parser.add_argument("--resume-from", type=Path, help="a complete checkpoint: .../checkpoints/iter_0000100")
    arguments = parser.parse_args()
    return run_attempt(arguments.spec, RunFolder(arguments.run_dir.resolve()), arguments.resume_from)


# Tokens are made with the help of multiprocessing, which imports this module again.
if __name__ == "__main__":
    sys.exit(main())
