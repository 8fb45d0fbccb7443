"""Run by torchrun in the tests: the engine, in which rank 1 breaks in its third step. Arguments: SPEC RUN_DIR."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from tunedeck.run_folder import RunFolder
from worker.engine.launch import run_attempt
from worker.engine.training import loop


def main() -> int:
    if os.environ["RANK"] == "1":
        real = loop.forward_backward
        calls = iter(range(100))

        def broken(*arguments: Any, **settings: Any) -> float:
            if next(calls) == 3:
                raise KeyError("a fault of rank 1 alone")
            return real(*arguments, **settings)

        loop.forward_backward = broken
    return run_attempt(Path(sys.argv[1]), RunFolder(Path(sys.argv[2])), None)


if __name__ == "__main__":
    sys.exit(main())
