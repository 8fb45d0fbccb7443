"""How both parts of this bench start several ranks of a module on this host."""

from __future__ import annotations

import sys


def under_torchrun(num_processes: int, module: str, *arguments: str) -> list[str]:
    """The command line of `python -m MODULE ARGUMENTS`, as so many ranks."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={num_processes}"]
    return [*launcher, "-m", module, *arguments]
