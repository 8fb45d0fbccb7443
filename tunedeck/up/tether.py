"""Becomes another program that dies with its parent: `python tether.py PARENT_PID COMMAND [ARGUMENT…]`.

`up` may be killed with SIGKILL and can then clean up nothing, so the kernel has to: PR_SET_PDEATHSIG survives exec and
kills the child as soon as the thread that started it is gone. It is set in a program of its own, because code between
fork and exec (`preexec_fn`) may deadlock where the parent has threads, and asyncio has one per child on Python 3.11.
SIGKILL rather than SIGTERM: a child that hangs must go too, and every child stands a kill -9 anyway.

Runs as a file, with the standard library only, so that it costs some 15 ms. Elsewhere than on Linux the kernel has no
such promise, and kill -9 of `up` leaves its children running.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main(parent_pid: int, command: list[str]) -> None:
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent_pid:
        sys.exit("the process that started this one is already gone")
    try:
        os.execv(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]} cannot be started: {error.strerror}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
