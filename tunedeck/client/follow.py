"""Following one job to its end: its state and progress, or its log.

The stream only wakes us up about logs; the lines are fetched, so that none can be lost between two connections.
A job's state is final only after every event and log line of its attempt is stored, so whoever reads once more after
that has read all.
"""

from __future__ import annotations

from collections.abc import Iterator

from tunedeck.client.rest import Client
from tunedeck.client.stream import StreamMessage
from tunedeck.lifecycle import FINAL
from tunedeck.views.jobs import JobView
from tunedeck.views.logs import LogsView

CAUGHT_UP = StreamMessage("hello", {}, "")
NEW_CONNECTION = ("hello", "reset")


def follow_job(client: Client, job_id: str) -> Iterator[tuple[JobView, StreamMessage]]:
    """The job, as it is now and after each message about it; ends with the final state."""
    job: JobView = client.job(job_id)
    yield job, CAUGHT_UP
    if job.state in FINAL:
        return
    for message in client.stream([job_id]):
        if message.event in NEW_CONNECTION:
            job = client.job(job_id)
        elif message.event == "job":
            job = JobView.model_validate(message.data["payload"])
        yield job, message
        if job.state in FINAL:
            return


def follow_log(client: Client, job_id: str, num_last: int) -> Iterator[str]:
    """The last `num_last` lines of the newest attempt, then every new one, until the job has ended."""
    view = client.logs(job_id, first_line=-num_last)
    yield from view.lines
    attempt, next_line = view.attempt, max(1, view.first_line + len(view.lines))
    for job, message in follow_job(client, job_id):
        if message.event not in ("log", *NEW_CONNECTION) and job.state not in FINAL:
            continue
        for view in read_log(client, job_id, attempt, next_line):
            if view.attempt != attempt:
                yield f"--- attempt {view.attempt} ---"
            yield from view.lines
            attempt, next_line = view.attempt, view.first_line + len(view.lines)


def read_log(client: Client, job_id: str, attempt: int, first_line: int) -> Iterator[LogsView]:
    """Views of all stored lines from `first_line` on; from 1 where a newer attempt than `attempt` has a log."""
    while True:
        view = client.logs(job_id, first_line=first_line)
        if view.attempt != attempt:
            attempt, first_line = view.attempt, 1
            continue
        if not view.lines:
            return
        yield view
        first_line = view.first_line + len(view.lines)
