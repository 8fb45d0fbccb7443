"""`python -m worker.launchers.torchrun …`: torchrun, which ends as soon as all ranks have ended and it has said how.

Python takes 1.2 s of a free core to take torch apart at the end of a process that has nothing left to do, and on a busy
machine five. For so long the devices of the job would stay taken, and its next attempt would wait.
"""

from __future__ import annotations

import os
import sys
import traceback

from torch.distributed.run import main


def run() -> int:
    """The return code of torchrun."""
    try:
        main()
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    returncode = run()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(returncode)
