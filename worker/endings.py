"""Exit reports of attempts that no supervisor could report on, and what the end of the worker makes of a report."""

from __future__ import annotations

import errno
from typing import Literal

from tunedeck.bus import ExitReport
from tunedeck.errors import DiskFull, EngineFailed, HostLost


def failed_on_host(host: str, fault: OSError) -> ExitReport:
    """This host could not make the attempt's folder or its first process, or lost its files later."""
    if fault.errno == errno.ENOSPC:
        return _without_tree("failed", DiskFull.code, f"no space is left for {fault.filename}", "free some disk space")
    return _without_tree("failed", EngineFailed.code, f"the host {host} could not run the training processes: {fault}",
                         "look at the worker's log")  # fmt: skip


def stopped_before_start() -> ExitReport:
    return _without_tree("stopped", "", "stopped before a process was started", "")


def left_before_start() -> ExitReport:
    return _without_tree("fenced", HostLost.code, "the worker ended before a process was started", "")


def interrupted(report: ExitReport) -> ExitReport:
    """The engine stopped because the worker ends, not because anybody asked for it: the job shall be tried again."""
    if report.outcome != "stopped":
        return report
    return report.model_copy(
        update={"outcome": "fenced", "code": HostLost.code, "message": "the worker was told to end"}
    )


def ended_at_once(report: ExitReport) -> ExitReport:
    """The worker let go of the tree because that was asked for, not because the attempt was replaced."""
    if report.outcome != "fenced":
        return report
    return report.model_copy(
        update={"outcome": "stopped", "code": "", "message": "ended without a last checkpoint, as asked"}
    )


def _without_tree(outcome: Literal["stopped", "failed", "fenced"], code: str, message: str, mend: str) -> ExitReport:
    return ExitReport(outcome=outcome, returncode=0, code=code, message=message, mend=mend, log_tail=())
