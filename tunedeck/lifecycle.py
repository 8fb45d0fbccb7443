"""The states of a job and the only ways between them.

The database holds the same table (`allowed_transitions`) and refuses every other change of `jobs.state` by a trigger,
whoever writes it; `check_transition` says the same earlier and in a sentence. A state machine library was rejected: the
whole rule is the table below.
"""

from __future__ import annotations

from enum import StrEnum

from tunedeck.errors import IllegalTransition


class JobState(StrEnum):
    DRAFT = "draft"  # stored and checked, not yet let into the queue
    QUEUED = "queued"  # waits for devices, or for the time of its next try
    HELD = "held"  # kept out of the queue until somebody releases it
    PLACING = "placing"  # devices reserved, message sent, no sign of life yet
    STARTING = "starting"  # the worker has it: processes start, weights load
    RUNNING = "running"  # the first optimizer step is done
    PAUSING = "pausing"  # asked to write a checkpoint and to give its devices back
    PAUSED = "paused"  # holds no device; goes on from its checkpoint when it is resumed
    STOPPING = "stopping"  # cancel was asked for while a worker had it
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Desired(StrEnum):
    """What shall become of a job, whatever its attempt is doing now."""

    RUN = "run"
    PAUSE = "pause"
    REQUEUE = "requeue"  # pause, then wait in the queue: preempted, or resumed before the pause was over
    CANCEL = "cancel"
    CANCEL_NOW = "cancel_now"  # without a last checkpoint


FINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})
HOLDS_DEVICES = frozenset({JobState.PLACING, JobState.STARTING, JobState.RUNNING, JobState.PAUSING, JobState.STOPPING})
# On its way, and nobody has asked for its end.
WAITS_OR_RUNS = HOLDS_DEVICES - {JobState.STOPPING} | {JobState.QUEUED}

NEXT: dict[JobState, frozenset[JobState]] = {
    JobState.DRAFT: frozenset({JobState.QUEUED, JobState.CANCELLED}),
    JobState.QUEUED: frozenset({JobState.PLACING, JobState.HELD, JobState.CANCELLED, JobState.FAILED}),
    JobState.HELD: frozenset({JobState.QUEUED, JobState.CANCELLED, JobState.FAILED}),
    # back to QUEUED: the attempt is lost and the job is tried again under a new attempt number
    JobState.PLACING: frozenset(
        {JobState.STARTING, JobState.QUEUED, JobState.PAUSING, JobState.STOPPING, JobState.FAILED}
    ),
    JobState.STARTING: frozenset(
        {
            JobState.RUNNING,
            JobState.QUEUED,
            JobState.PAUSING,
            JobState.STOPPING,
            JobState.FAILED,
            JobState.SUCCEEDED,
        }
    ),
    JobState.RUNNING: frozenset(
        {JobState.SUCCEEDED, JobState.FAILED, JobState.PAUSING, JobState.STOPPING, JobState.QUEUED}
    ),
    # SUCCEEDED, here and from STOPPING: the last step was done before the request reached the engine
    JobState.PAUSING: frozenset(
        {JobState.PAUSED, JobState.QUEUED, JobState.STOPPING, JobState.SUCCEEDED, JobState.FAILED}
    ),
    JobState.PAUSED: frozenset({JobState.QUEUED, JobState.CANCELLED}),
    JobState.STOPPING: frozenset({JobState.CANCELLED, JobState.SUCCEEDED, JobState.FAILED}),
    JobState.SUCCEEDED: frozenset(),
    # An end that only a user's retry undoes; nothing in the service does by itself.
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
}


def is_allowed(current: JobState, wanted: JobState) -> bool:
    return wanted in NEXT[current]


def check_transition(current: JobState, wanted: JobState) -> None:
    """Raise IllegalTransition unless a job may go from `current` to `wanted`."""
    if is_allowed(current, wanted):
        return
    allowed = ", ".join(sorted(NEXT[current])) or "nothing: it has ended"
    raise IllegalTransition(f"a {current} job cannot become {wanted}", f"from {current} it can become: {allowed}")
