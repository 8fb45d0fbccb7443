"""Work in a process of its own: what imports heavy packages, takes minutes, or reads what strangers send.

Both ends of the pipe. The parent writes one JSON object a line and reads lines of progress, then one of a result or an
error; `answer` is the child's loop. A child has a bound of memory, gives way to everything else, and dies with its
parent. multiprocessing was rejected: its children import the parent's main module and unpickle what they are sent.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tunedeck.errors import DiskFull, TunedeckError, Unavailable, error_of
from tunedeck.up import tether

Progress = Callable[[int, int], None]
Handler = Callable[[dict[str, Any], Progress], Any]

_NICENESS = 10
_LAST_WORDS_BYTES = 4096


class Child:
    """`python -m module`, started at once. Not thread-safe but for `kill`; `stop` must be called in the end."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop; a pipe would fill up and block the child
        self._process = subprocess.Popen(
            (sys.executable, "-S", "-E", tether.__file__, str(os.getpid()), sys.executable, "-m", module),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            start_new_session=True,
        )

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: dict[str, Any], on_progress: Progress, timeout_s: float = float("inf")) -> Any:
        """The child's result. Raises what the child raised; Unavailable where it ended or was late."""
        late = threading.Event()
        timer = threading.Timer(min(timeout_s, threading.TIMEOUT_MAX), self._kill_late, (late,))
        timer.daemon = True
        timer.start()
        try:
            return self._exchange(request, on_progress)
        except (BrokenPipeError, EOFError) as fault:
            if late.is_set():
                raise Unavailable(f"no answer within {timeout_s:g} s", "try a smaller part of the data") from fault
            raise self._ended() from fault
        finally:
            timer.cancel()

    def kill(self) -> None:
        """End the child, whatever it is doing; who waits for its answer gets Unavailable. From any thread."""
        self._process.kill()

    def stop(self) -> None:
        """End the child and let go of what belongs to it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._words.close()

    def _kill_late(self, late: threading.Event) -> None:
        late.set()
        self._process.kill()

    def _exchange(self, request: dict[str, Any], on_progress: Progress) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            said = json.loads(line)
            if "error" in said:
                raise error_of(said["error"])
            if "result" in said:
                return said["result"]
            on_progress(*said["progress"])
        raise EOFError

    def _ended(self) -> Unavailable:
        status = self._process.wait()
        self._words.seek(max(0, self._words.seek(0, os.SEEK_END) - _LAST_WORDS_BYTES))
        words = self._words.read().decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        message = f"the process {self._module} ended with status {status}: {words[0]}"
        return Unavailable(message, "try again; if it happens again, the data or the memory of the machine is at fault")


def answer(handler: Handler, memory_bytes: int) -> None:
    """The child's side: answer requests until the parent closes the pipe. Standard output belongs to the answers;
    whatever libraries print goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", errors="backslashreplace")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _be_modest(memory_bytes)

    def say(**said: Any) -> None:
        answers.write(json.dumps(said) + "\n")
        answers.flush()

    for line in sys.stdin:
        try:
            say(result=handler(json.loads(line), lambda done, total: say(progress=(done, total))))
        except TunedeckError as error:
            say(error=error.as_dict())
        except MemoryError:
            limit = f"{memory_bytes / (1 << 30):g} GiB"
            say(
                error=Unavailable(
                    f"it needs more than {limit} of memory, which is the bound", "split the file"
                ).as_dict()
            )
        except OSError as fault:
            if fault.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            mend = "make room; kept tokens are listed by: tunedeck data cache ls"
            say(error=DiskFull(f"the disk is full: {fault.filename or 'while writing'}", mend).as_dict())
        except ModuleNotFoundError as fault:
            missing = f"{fault.name} is not installed beside the backend"
            say(error=Unavailable(missing, "pip install 'tunedeck[server,hub]'").as_dict())


def _be_modest(memory_bytes: int) -> None:
    os.nice(_NICENESS)
    if sys.platform == "linux":
        import resource  # not everywhere

        # What the process writes to, not what it maps: Arrow maps whole files.
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
