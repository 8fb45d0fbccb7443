"""The engine, in which rank 1 runs out of memory in its third step. Run by torchrun in the tests: SPEC RUN_DIR."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import Any

import psutil
import torch

from tunedeck.run_folder import RunFolder
from worker.engine.launch import run_attempt
from worker.engine.training import loop


def main() -> int:
    if os.environ["RANK"] == "1":
        real = loop.forward_backward
        calls = iter(range(100))

        def too_large(*arguments: Any, **settings: Any) -> Any:
            if next(calls) == 3:
                resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms, -1))
                torch.zeros(1 << 30)
            return real(*arguments, **settings)

        loop.forward_backward = too_large
    return run_attempt(Path(sys.argv[1]), RunFolder(Path(sys.argv[2])), None)


if __name__ == "__main__":
    sys.exit(main())
