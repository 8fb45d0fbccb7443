"""The states of a job and the only ways between them.

The database layer calls `check_transition` before it writes a state; nothing else may write one. A state machine
library was rejected: the whole rule is the table below.
"""

from __future__ import annotations

from enum import StrEnum

from tunedeck.errors import IllegalTransition


class JobState(StrEnum):
    QUEUED = "queued"  # stored, waits for devices
    PLACING = "placing"  # devices reserved, message sent, no sign of life yet
    STARTING = "starting"  # the worker has it: processes start, weights load
    RUNNING = "running"  # the first optimizer step is done
    STOPPING = "stopping"  # cancel was asked for while a worker had it
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})
HOLDS_DEVICES = frozenset({JobState.PLACING, JobState.STARTING, JobState.RUNNING, JobState.STOPPING})

_NEXT: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.PLACING, JobState.CANCELLED, JobState.FAILED}),
    # back to QUEUED: the host was lost and the job is tried again under a new attempt number
    JobState.PLACING: frozenset({JobState.STARTING, JobState.QUEUED, JobState.STOPPING, JobState.FAILED}),
    JobState.STARTING: frozenset(
        {JobState.RUNNING, JobState.QUEUED, JobState.STOPPING, JobState.FAILED, JobState.SUCCEEDED}
    ),
    JobState.RUNNING: frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.STOPPING, JobState.QUEUED}),
    # SUCCEEDED: the last step was done before the request reached the engine
    JobState.STOPPING: frozenset({JobState.CANCELLED, JobState.SUCCEEDED, JobState.FAILED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}


def is_allowed(current: JobState, wanted: JobState) -> bool:
    return wanted in _NEXT[current]


def check_transition(current: JobState, wanted: JobState) -> None:
    """Raise IllegalTransition unless a job may go from `current` to `wanted`."""
    if is_allowed(current, wanted):
        return
    allowed = ", ".join(sorted(_NEXT[current])) or "nothing: it has ended"
    raise IllegalTransition(f"a {current} job cannot become {wanted}", f"from {current} it can become: {allowed}")
