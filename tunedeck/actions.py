"""What a user may ask of a job, as REST and command line send it, and in which states it makes sense.

Every action names the state of affairs that it wants, not a change: asked twice, the second changes nothing. One model
per action was preferred to one with optional fields, in which a priority could be sent along with a cancel.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tunedeck.component import Component
from tunedeck.lifecycle import FINAL, JobState
from tunedeck.spec import Priority

TagName = Annotated[
    str, Field(pattern=r"^[\w.:/=+-]{1,40}$", description="letters, digits, and . : / = + - _, up to 40 of them")
]
MAX_TAGS = 30


class Cancel(Component):
    """End the job. What it has trained is kept in a last checkpoint, unless that is declined."""

    action: Literal["cancel"] = "cancel"
    checkpoint: bool = Field(True, description="off: the processes end at once, and newer steps are lost")


class Pause(Component):
    """Write a checkpoint and give the devices back, until the job is resumed."""

    action: Literal["pause"] = "pause"


class Resume(Component):
    """Let a paused job wait for devices again; a new attempt goes on from the checkpoint."""

    action: Literal["resume"] = "resume"


class Retry(Component):
    """Try a job again that failed, was cancelled or is paused. Without `step`: from its last complete checkpoint."""

    action: Literal["retry"] = "retry"
    step: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = Field(
        None, description="of the checkpoint to go on from; 0: from the beginning"
    )
    attempt: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(
        None, description="whose checkpoint of that step; None: the newest attempt that has one"
    )


class Hold(Component):
    """Keep a queued job out of the queue."""

    action: Literal["hold"] = "hold"


class Release(Component):
    """Let a held job or a draft into the queue. A draft is resolved again, by what is registered and connected now."""

    action: Literal["release"] = "release"


class Reprioritise(Component):
    """Change the priority of a job that has not ended."""

    action: Literal["reprioritise"] = "reprioritise"
    priority: Priority


class Archive(Component):
    """Leave an ended job or a draft out of lists, unless they ask for the archive. It keeps all that it has."""

    action: Literal["archive"] = "archive"


class Unarchive(Component):
    """Take a job out of the archive."""

    action: Literal["unarchive"] = "unarchive"


class Tag(Component):
    """Add some tags to a job and remove others; what is in both is removed."""

    action: Literal["tag"] = "tag"
    add: Annotated[tuple[TagName, ...], Field(max_length=MAX_TAGS)] = ()
    remove: Annotated[tuple[TagName, ...], Field(max_length=MAX_TAGS)] = ()


Action = Annotated[
    Cancel | Pause | Resume | Retry | Hold | Release | Reprioritise | Archive | Unarchive | Tag,
    Field(discriminator="action"),
]
ActionName = Literal[
    "cancel", "pause", "resume", "retry", "hold", "release", "reprioritise", "archive", "unarchive", "tag"
]

ARCHIVABLE = FINAL | {JobState.DRAFT}
_UNENDED = frozenset(JobState) - FINAL
# By the state alone. Archiving depends on the archive, and any job can be tagged.
APPLIES_TO: dict[ActionName, frozenset[JobState]] = {
    "cancel": _UNENDED,
    "pause": frozenset({JobState.PLACING, JobState.STARTING, JobState.RUNNING}),
    "resume": frozenset({JobState.PAUSING, JobState.PAUSED}),
    "retry": frozenset({JobState.FAILED, JobState.CANCELLED, JobState.PAUSED}),
    "hold": frozenset({JobState.QUEUED}),
    "release": frozenset({JobState.DRAFT, JobState.HELD}),
    "reprioritise": _UNENDED - {JobState.STOPPING},
}


def actions_in(state: JobState) -> tuple[ActionName, ...]:
    """The actions that change something in `state`, in the order of the page's buttons."""
    return tuple(name for name, states in APPLIES_TO.items() if state in states)


class BulkAction(Component):
    """One action for many jobs. Each job is changed, or refused, by itself."""

    jobs: Annotated[tuple[Annotated[str, Field(pattern="^[0-9a-z]{1,32}$")], ...], Field(min_length=1, max_length=500)]
    action: Action
