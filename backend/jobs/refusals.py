"""The sentence for an action that a job's state does not allow."""

from __future__ import annotations

from backend.db.tables.jobs import JobRow
from tunedeck.actions import ActionName, actions_in
from tunedeck.errors import Conflict
from tunedeck.lifecycle import JobState


def refused(job: JobRow, action: ActionName) -> Conflict:
    possible = ", ".join(actions_in(JobState(job.state))) or "clone"
    return Conflict(f"{job.name} is {job.state}: {action} does not apply to it", f"what can be done now: {possible}")
