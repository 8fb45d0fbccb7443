"""How what a worker says moves a job from state to state, and what is kept of it."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest
from sqlalchemy import select

from backend.db.database import Database
from backend.db.tables.events import EventRow
from backend.db.tables.jobs import AttemptRow, JobRow, TransitionRow
from backend.db.tables.models import ModelRow
from backend.db.tables.run_files import CheckpointRow
from backend.logs import service as logs
from tests.backend.ingest.conftest import Ingesting
from tests.support.backend import write_model
from tests.support.jobs import (
    add_attempt,
    add_job,
    ended_message,
    event_line,
    events_message,
    heartbeat,
    log_message,
    step_line,
)
from tunedeck.fault import FaultScene
from tunedeck.run_folder import RunFolder


@pytest.fixture
def job_id(database: Database) -> str:
    """A job that was placed a moment ago."""
    now = time.time()
    with database.writing() as session:
        job = add_job(session, now, state="placing", attempt=1)
        add_attempt(session, job.id, 1, now)
        return job.id


def job_of(database: Database, job_id: str) -> JobRow:
    with database.reading() as session:
        return session.get_one(JobRow, job_id)


def states_of(database: Database, job_id: str) -> list[str]:
    with database.reading() as session:
        query = select(TransitionRow.to_state).where(TransitionRow.job_id == job_id).order_by(TransitionRow.id)
        return list(session.scalars(query))


def test_why_a_run_ended_early_stands_in_its_history(ingesting: Ingesting, database: Database, job_id: str) -> None:
    ingesting.hear(heartbeat(job_id))
    ingesting.hear(ended_message(job_id, "succeeded", message="stopped early: 3 validation losses were not better"))
    with database.reading() as session:
        last = session.scalars(select(TransitionRow).where(TransitionRow.job_id == job_id)).all()[-1]
        assert (last.to_state, last.why) == ("succeeded", "stopped early: 3 validation losses were not better")


def test_a_job_starts_runs_and_succeeds(ingesting: Ingesting, database: Database, job_id: str) -> None:
    ingesting.hear(heartbeat(job_id))
    assert job_of(database, job_id).state == "starting"
    ingesting.hear(events_message(job_id, [event_line("phase", 1, phase="training")]))
    assert job_of(database, job_id).state == "starting"
    ingesting.hear(events_message(job_id, [step_line(2, 1)]))
    assert job_of(database, job_id).state == "running"
    ingesting.hear(ended_message(job_id, "succeeded"))
    ended = job_of(database, job_id)
    assert (ended.state, ended.fault) == ("succeeded", None)
    with database.reading() as session:
        assert session.get_one(AttemptRow, (job_id, 1)).ended_at is not None


def test_the_feed_tells_the_end_after_everything_that_came_before_it(
    ingesting: Ingesting, database: Database, job_id: str
) -> None:
    ingesting.hear(events_message(job_id, [step_line(1, 1), step_line(2, 2)]), ended_message(job_id, "succeeded"))
    with database.reading() as session:
        of_the_job = select(EventRow.kind, EventRow.payload).where(EventRow.kind != "alert").order_by(EventRow.id)
        rows = session.execute(of_the_job).all()
    told = [payload["state"] if kind == "job" else kind for kind, payload in rows]
    assert told == ["starting", "step", "step", "running", "succeeded"]
    assert states_of(database, job_id) == ["starting", "running", "succeeded"]


@pytest.mark.parametrize(
    ("outcome", "states"),
    [
        ("succeeded", ["starting", "succeeded"]),
        ("failed", ["starting", "failed"]),
        ("stopped", ["starting", "stopping", "cancelled"]),
        ("fenced", ["starting", "queued"]),
    ],
)
def test_an_attempt_may_end_before_its_first_heartbeat(
    ingesting: Ingesting, database: Database, job_id: str, outcome: str, states: list[str]
) -> None:
    ingesting.hear(ended_message(job_id, outcome))
    assert states_of(database, job_id) == states
    assert ingesting.scheduler_wakes == 1


def test_an_attempt_that_is_given_back_says_why(ingesting: Ingesting, database: Database, job_id: str) -> None:
    ingesting.hear(ended_message(job_id, "fenced", message="the worker was told to end"))
    with database.reading() as session:
        whys = session.scalars(select(TransitionRow.why).order_by(TransitionRow.id)).all()
    assert "gave it back: the worker was told to end; tried again in 1 s" in whys[-1]


def test_a_failure_keeps_what_the_worker_saw(ingesting: Ingesting, database: Database, job_id: str) -> None:
    report: dict[str, Any] = {
        "code": "out_of_memory",
        "message": "rank 1 was killed",
        "mend": "use less",
        "log_tail": ("a", "b"),
    }
    scene = FaultScene(rank=1, step=43, doing="optimizer", memory_bytes=2**36)
    ingesting.hear(ended_message(job_id, "failed", returncode=-9, scene=scene, **report))
    fault = job_of(database, job_id).fault
    assert fault == {**report, "log_tail": ["a", "b"], "scene": scene.model_dump()}


def test_a_success_registers_its_export_as_a_model(ingesting: Ingesting, database: Database, job_id: str) -> None:
    export = write_model(RunFolder.of(ingesting.settings.data_dir.resolve(), job_id, 1).export)
    line = event_line("checkpoint", 1, step=9, path="export", size_bytes=3, format="huggingface")
    ingesting.hear(events_message(job_id, [line]), ended_message(job_id, "succeeded"))
    with database.reading() as session:
        [model] = session.scalars(select(ModelRow))
    assert (model.path, model.from_job) == (str(export.resolve()), job_id)


def test_an_export_that_is_no_model_does_not_make_the_job_fail(
    ingesting: Ingesting, database: Database, job_id: str
) -> None:
    line = event_line("checkpoint", 1, step=9, path="export", size_bytes=3, format="huggingface")
    ingesting.hear(events_message(job_id, [line]), ended_message(job_id, "succeeded"))
    assert job_of(database, job_id).state == "succeeded"


def test_the_summary_follows_the_events(ingesting: Ingesting, database: Database, job_id: str) -> None:
    lines = [
        event_line("plan", 1, train_iters=40, first_step=1, facts={"samples": 7}),
        event_line("phase", 2, phase="training"),
        event_line("eval", 3, step=0, metrics={"validation_loss": 5.0}),
        step_line(4, 1, loss=4.0, step_time_s=1.0),
        step_line(5, 2, loss=3.0, step_time_s=2.0),
        event_line("eval", 6, step=2, metrics={"validation_loss": 2.5}),
        event_line("eval", 7, step=3, metrics={"validation_loss": 2.75}),
        step_line(8, 3, grad_norm=None),
    ]
    ingesting.hear(events_message(job_id, lines))
    job = job_of(database, job_id)
    assert (job.step, job.train_iters, job.phase, job.facts) == (3, 40, "training", {"samples": 7})
    assert job.latest == {"loss": 3.0, "step_time_s": 2.0, "validation_loss": 2.75, "grad_norm": None}
    assert (job.first_validation_loss, job.best_validation_loss) == (5.0, 2.5)
    assert job.step_time_ema_s == pytest.approx(0.9 * 1.0 + 0.1 * 2.0)


def test_a_job_that_trains_is_announced_at_most_once_a_second_and_in_the_end(
    ingesting: Ingesting, database: Database, job_id: str
) -> None:
    for step in range(1, 21):
        ingesting.hear(events_message(job_id, [step_line(step, step)]))
    deadline = time.monotonic() + 5
    while announced_steps(database)[-1] != 20 and time.monotonic() < deadline:
        ingesting.ingest.round()
    assert announced_steps(database)[-1] == 20
    with database.reading() as session:
        times = list(session.scalars(select(EventRow.t).where(EventRow.kind == "job").order_by(EventRow.id)))
    unforced = times[1:]  # the first two are changes of state, in one message
    assert all(later - earlier >= 0.99 for earlier, later in itertools.pairwise(unforced))


def announced_steps(database: Database) -> list[int]:
    with database.reading() as session:
        payloads = session.scalars(select(EventRow.payload).where(EventRow.kind == "job").order_by(EventRow.id))
        return [payload["step"] for payload in payloads]


def test_checkpoints_come_and_go_under_absolute_paths(ingesting: Ingesting, database: Database, job_id: str) -> None:
    path = "checkpoints/iter_0000005"
    made = event_line("checkpoint", 1, step=5, path=path, size_bytes=3, format="dist_checkpointing")
    kept = event_line("checkpoint", 2, step=9, path="kept", size_bytes=3, format="dist_checkpointing")
    gone = event_line("checkpoint_removed", 3, step=5, path=path)
    ingesting.hear(events_message(job_id, [made, kept, gone]))
    with database.reading() as session:
        assert list(session.scalars(select(CheckpointRow.path))) == [
            str(RunFolder.of(ingesting.settings.data_dir.resolve(), job_id, 1).root / "kept")
        ]


def test_log_lines_are_stored_once_and_a_gap_is_filled_later(
    ingesting: Ingesting, database: Database, job_id: str
) -> None:
    ingesting.hear(
        log_message(job_id, 1, ["one", "two"]),
        log_message(job_id, 2, ["two", "three"]),
        log_message(job_id, 6, ["six", "seven"]),
    )
    shown = logs.logs(database, job_id, 0, 1, 100)
    assert shown.lines == ("one", "two", "three", "…", "…", "six", "seven")
    ingesting.hear(log_message(job_id, 4, ["four", "five", "six", "seven", "eight"]))
    assert logs.logs(database, job_id, 0, 1, 100).lines == (*shown.lines[:3], "four", "five", *shown.lines[5:], "eight")
    assert logs.logs(database, job_id, 0, -2, 100).lines == ("seven", "eight")
    assert logs.logs(database, job_id, 0, 3, 2).lines == ("three", "four")
    with database.reading() as session:
        assert session.get_one(AttemptRow, (job_id, 1)).ingested_line == 8


def test_tokens_count_along_the_line_of_training(ingesting: Ingesting, database: Database, job_id: str) -> None:
    """Six steps of 10 tokens, then an attempt from step 4 on with steps of 100: 3 × 10 + 2 × 100."""
    plan = {"train_iters": 9, "facts": {}}
    first = [event_line("plan", 1, first_step=1, **plan)]
    first += [step_line(n + 1, n, loss=1.0, num_tokens=10, num_trained_tokens=4) for n in range(1, 7)]
    ingesting.hear(events_message(job_id, first))
    ingesting.hear(events_message(job_id, first[2:]))
    assert job_of(database, job_id).num_tokens == 60, "what is sent again counts once"
    with database.writing() as session:
        session.get_one(AttemptRow, (job_id, 1)).ended_at = time.time()
        session.get_one(JobRow, job_id).attempt = 2
        add_attempt(session, job_id, 2, time.time())
    second = [event_line("plan", 1, first_step=4, **plan)]
    second += [step_line(n - 2, n, loss=1.0, num_tokens=100, num_trained_tokens=50) for n in (4, 5)]
    ingesting.hear(events_message(job_id, second, attempt=2))
    job = job_of(database, job_id)
    assert (job.num_tokens, job.num_trained_tokens) == (230, 112)


def test_what_is_wrong_is_kept_with_the_job_and_gone_when_it_has_ended(
    ingesting: Ingesting, database: Database, job_id: str
) -> None:
    ingesting.hear(events_message(job_id, [step_line(n, n, loss=1.0) for n in range(1, 41)]))
    assert job_of(database, job_id).conditions == []
    ingesting.hear(events_message(job_id, [step_line(41, 41, loss=9.0)]))
    assert [kept["code"] for kept in job_of(database, job_id).conditions] == ["loss_spike"]
    ingesting.hear(ended_message(job_id, "succeeded"))
    assert job_of(database, job_id).conditions == []


def test_a_run_that_failed_because_its_loss_was_not_a_number_says_so(
    ingesting: Ingesting, database: Database, job_id: str
) -> None:
    ingesting.hear(heartbeat(job_id))
    ingesting.hear(ended_message(job_id, "failed", code="loss_not_finite", message="the loss of step 21 is nan"))
    assert [kept["sentence"] for kept in job_of(database, job_id).conditions] == ["The loss of step 21 is nan."]
