"""The worker's side of one supervisor process: starts it, lets go of it, reads what it left.

The pipe to its standard input is the leash: closing it, or dying, makes the supervisor end its tree. A supervisor that
is told to end and does not, because it is stopped or hangs, is killed, and its tree after it: devices must come free.
"""

from __future__ import annotations

import logging
import math
import subprocess
import sys
import time

from pydantic import ValidationError

from tunedeck.bus import ExitReport, RunAttempt
from tunedeck.errors import HostLost
from tunedeck.run_folder import RunFolder
from tunedeck.settings import Settings
from worker.launchers.choice import launcher_named
from worker.launchers.launch_arguments import as_arguments
from worker.launchers.launcher import Launch
from worker.supervisor.leftovers import remove_leftovers
from worker.supervisor.strays import end_strays

logger = logging.getLogger(__name__)

# For SIGKILL and the exit report of a supervisor that is well, after what its launcher needs for SIGTERM.
ENDING_S = 5.0


class SupervisorProcess:
    """A running `python -m worker.supervisor`."""

    def __init__(self, process: subprocess.Popen[bytes], folder: RunFolder, term_wait_s: float) -> None:
        self._process = process
        self._folder = folder
        self._ending_s = term_wait_s + ENDING_S
        self._overdue_at = math.inf

    @classmethod
    def start(
        cls, order: RunAttempt, folder: RunFolder, devices: tuple[int, ...], settings: Settings, engine_module: str
    ) -> SupervisorProcess:
        """May raise OSError."""
        command = [
            *(sys.executable, "-m", "worker.supervisor", *as_arguments(_launch(order, folder, devices, engine_module))),
            *("--launcher", order.spec.hardware.launcher),
            *("--ray-address", settings.ray_address),
            *("--stop-grace-s", str(settings.stop_grace_s)),
            *("--distributed-timeout-s", str(60 * order.spec.parallelism.distributed_timeout_minutes)),
        ]
        # A session of its own: Ctrl-C in a terminal is for the worker, which then decides what becomes of its trees.
        process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        launcher = launcher_named(order.spec.hardware.launcher, settings.ray_address)
        return cls(process, folder, launcher.term_wait_s)

    @property
    def pid(self) -> int:
        return self._process.pid

    def has_ended(self) -> bool:
        if time.monotonic() > self._overdue_at:
            self._kill()
        return self._process.poll() is not None

    def must_end_within(self, stop_grace_s: float) -> None:
        """From now on, or from the first call: it enforces this itself, unless something is wrong with it."""
        self._overdue_at = min(self._overdue_at, time.monotonic() + stop_grace_s + self._ending_s)

    def release(self) -> None:
        """Have the tree ended at once. Returns immediately; may be called again."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()

    def wait(self) -> None:
        """Returns when every process of the attempt is gone and nothing is half done, also if the supervisor died."""
        self.release()
        try:
            self._process.wait(self._ending_s)
        except subprocess.TimeoutExpired:
            self._kill()
        if self._process.wait() != 0:
            end_strays(self._folder)
            remove_leftovers(self._folder)

    def _kill(self) -> None:
        logger.error("the supervisor %d did not end when it was told to, and is killed", self.pid)
        self._process.kill()

    def exit_report(self) -> ExitReport:
        """What it wrote last of all; where it was killed before that, an end without outcome, so that the backend
        tries again."""
        try:
            return ExitReport.model_validate_json(self._folder.exit_report.read_bytes())
        except (OSError, ValidationError) as fault:
            logger.error("the supervisor %d left no exit report: %s", self.pid, fault)
        return ExitReport(
            outcome="fenced",
            returncode=self._process.returncode,
            code=HostLost.code,
            message=f"the supervisor ended with return code {self._process.returncode} and left no report",
            mend="look at the worker's log",
            log_tail=(),
        )


def _launch(order: RunAttempt, folder: RunFolder, devices: tuple[int, ...], engine_module: str) -> Launch:
    hardware = order.spec.hardware
    return Launch(
        folder=folder,
        engine_module=engine_module,
        num_processes=hardware.num_devices,
        threads_per_process=hardware.threads_per_process,
        device=hardware.device,
        device_indices=devices,
        resume_from=order.resume_from,
        num_nodes=hardware.num_nodes,
        is_spread=hardware.is_spread,
    )
