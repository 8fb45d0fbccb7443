"""Series against a NumPy reference: whole across compaction and attempts, and small without losing a spike."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import func, select

from backend.db.database import Database
from backend.db.tables.events import EventRow
from backend.db.tables.jobs import AttemptRow, JobRow
from backend.db.tables.metrics import MetricChunkRow
from backend.metrics import queries, service, table
from backend.metrics.compactor import CHUNK_POINTS, SETTLE_S, Compactor
from backend.scheduler.leadership import Leadership
from tests.support.jobs import add_attempt, add_running_job
from tunedeck.errors import NotFound
from tunedeck.views.metrics import Series

LAST = 2**31 - 1


@pytest.fixture
def compactor(database: Database) -> Iterator[Compactor]:
    leadership = Leadership(database, lease_s=600)
    leadership.renew()
    yield Compactor(database, leadership)


@pytest.fixture
def job_id(database: Database) -> str:
    with database.writing() as session:
        return add_running_job(session, time.time()).id


def add_points(
    database: Database,
    job_id: str,
    values: NDArray[np.float64],
    attempt: int = 1,
    first_step: int = 1,
    age_s: float = 60,
) -> None:
    """One step event a value; NaN is written as null, as the engine does."""
    start = time.time() - age_s - len(values)
    with database.writing() as session:
        for place, value in enumerate(values):
            step, seq = first_step + place, place + 2
            metrics = {"loss": None if np.isnan(value) else float(value), "lr": step / 1000}
            payload = {"kind": "step", "seq": seq, "t": start + place, "step": step, "metrics": metrics}
            columns = {"job_id": job_id, "attempt": attempt, "seq": seq, "kind": "step", "step": step}
            session.add(EventRow(**columns, t=start + place, payload=payload))
        session.get_one(AttemptRow, (job_id, attempt)).ingested_seq = len(values) + 1


def add_plan(database: Database, job_id: str, attempt: int, first_step: int) -> None:
    payload = {"kind": "plan", "seq": 1, "t": 0.0, "train_iters": 99, "first_step": first_step, "facts": {}}
    with database.writing() as session:
        session.add(EventRow(job_id=job_id, attempt=attempt, seq=1, kind="plan", step=None, t=0.0, payload=payload))


def loss_of(
    database: Database, job_id: str, from_step: int = 0, to_step: int = LAST, max_points: int = 20_000
) -> Series:
    return service.metrics(database, job_id, frozenset({"loss"}), from_step, to_step, max_points).series["loss"]


def values_of(series: Series) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in series.values])


def num_rows(database: Database, row: type[EventRow] | type[MetricChunkRow]) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(row)) or 0


def test_compaction_loses_no_point_and_changes_no_bit(database: Database, compactor: Compactor, job_id: str) -> None:
    reference = np.random.default_rng(1).normal(size=2_500)
    reference[[3, 1_700]] = np.nan
    add_points(database, job_id, reference)
    before = loss_of(database, job_id)
    compactor.compact()
    after = loss_of(database, job_id)
    assert after == before
    np.testing.assert_array_equal(values_of(after), reference)
    assert after.steps == tuple(range(1, 2_501))
    assert num_rows(database, EventRow) == 500
    assert num_rows(database, MetricChunkRow) == 2 * 2  # two stretches of two metrics


def test_a_chunk_says_what_is_in_it(database: Database, compactor: Compactor, job_id: str) -> None:
    reference = np.linspace(5.0, 1.0, CHUNK_POINTS)
    reference[10] = np.nan
    add_points(database, job_id, reference)
    with database.reading() as session:
        newest = session.scalar(select(func.max(EventRow.id)))
    compactor.compact()
    with database.reading() as session:
        [chunk] = session.scalars(select(MetricChunkRow).where(MetricChunkRow.metric == "loss"))
    assert (chunk.minimum, chunk.maximum) == (1.0, 5.0)
    assert (chunk.first_step, chunk.last_step, chunk.num_points) == (1, CHUNK_POINTS, CHUNK_POINTS)
    assert chunk.last_event_id == newest
    assert len(chunk.values) == 8 * CHUNK_POINTS


def test_points_that_a_listener_may_still_replay_stay_rows(
    database: Database, compactor: Compactor, job_id: str
) -> None:
    add_points(database, job_id, np.ones(CHUNK_POINTS), age_s=-CHUNK_POINTS)
    compactor.compact()
    assert num_rows(database, EventRow) == CHUNK_POINTS


def test_points_behind_a_gap_stay_rows_because_they_may_come_again(
    database: Database, compactor: Compactor, job_id: str
) -> None:
    add_points(database, job_id, np.ones(CHUNK_POINTS))
    with database.writing() as session:
        session.get_one(AttemptRow, (job_id, 1)).ingested_seq = 900
    compactor.compact()
    assert num_rows(database, EventRow) == CHUNK_POINTS


def test_the_rest_is_compacted_when_the_attempt_has_ended(
    database: Database, compactor: Compactor, job_id: str
) -> None:
    add_points(database, job_id, np.arange(1_250.0))
    compactor.compact()
    assert num_rows(database, EventRow) == 250
    with database.writing() as session:
        session.get_one(AttemptRow, (job_id, 1)).ended_at = time.time() - SETTLE_S - 1
    compactor.compact()
    assert num_rows(database, EventRow) == 0
    np.testing.assert_array_equal(values_of(loss_of(database, job_id)), np.arange(1_250.0))


def test_of_the_views_of_a_job_the_newest_stays(database: Database, compactor: Compactor, job_id: str) -> None:
    old = time.time() - SETTLE_S - 10
    with database.writing() as session:
        for number in range(5):
            columns = {"job_id": job_id, "attempt": 1, "seq": None, "kind": "job", "step": number}
            session.add(EventRow(**columns, t=old + number, payload={"step": number}))
    compactor.compact()
    with database.reading() as session:
        assert list(session.scalars(select(EventRow.step))) == [4]


def test_only_attempts_with_something_to_compact_are_looked_at_one_by_one(
    database: Database, compactor: Compactor, job_id: str
) -> None:
    def found() -> list[str]:
        with database.reading() as session:
            return [attempt.job_id for attempt in queries.attempts_to_compact(session, 0.0, time.time() - SETTLE_S)]

    with database.writing() as session:
        other = add_running_job(session, time.time()).id
        session.get_one(AttemptRow, (other, 1)).ended_at = time.time() - SETTLE_S - 1
        columns: dict[str, Any] = {"attempt": 1, "seq": None, "kind": "job", "step": None, "payload": {}}
        session.add(EventRow(job_id=job_id, t=1.0, **columns))
    assert found() == []
    with database.writing() as session:
        session.add(EventRow(job_id=job_id, t=2.0, **columns))
    assert found() == [job_id]
    compactor.compact()
    assert found() == []
    add_points(database, other, np.ones(3))
    assert found() == [other]
    compactor.compact()
    assert found() == []


@pytest.mark.parametrize("max_points", [10, 100, 2_000])
def test_downsampling_keeps_ends_extremes_and_gaps(database: Database, job_id: str, max_points: int) -> None:
    reference = np.random.default_rng(2).normal(size=5_000)
    reference[1_234], reference[4_321], reference[3_000] = 1e6, -1e6, np.nan
    add_points(database, job_id, reference)
    shown = loss_of(database, job_id, max_points=max_points)
    assert len(shown.steps) <= max_points
    assert shown.num_points == 5_000
    assert (shown.steps[0], shown.steps[-1]) == (1, 5_000)
    values = values_of(shown)
    assert (np.nanmax(values), np.nanmin(values)) == (1e6, -1e6)
    assert None in shown.values
    np.testing.assert_array_equal(values, reference[np.array(shown.steps) - 1])
    assert list(shown.steps) == sorted(set(shown.steps))


def test_a_range_holds_both_of_its_ends(database: Database, compactor: Compactor, job_id: str) -> None:
    add_points(database, job_id, np.arange(1_500.0))
    compactor.compact()
    assert loss_of(database, job_id, from_step=990, to_step=1_010).steps == tuple(range(990, 1_011))


def test_a_later_attempt_takes_the_place_of_an_earlier_one_from_its_first_step_on(
    database: Database, compactor: Compactor, job_id: str
) -> None:
    add_plan(database, job_id, 1, first_step=1)
    add_points(database, job_id, np.full(1_200, 1.0))
    compactor.compact()
    with database.writing() as session:
        session.get_one(JobRow, job_id).attempt = 2
        add_attempt(session, job_id, 2, time.time(), first_step=801)
    add_plan(database, job_id, 2, first_step=801)
    add_points(database, job_id, np.full(100, 2.0), attempt=2, first_step=801)
    whole = loss_of(database, job_id)
    assert whole.steps == tuple(range(1, 901))
    np.testing.assert_array_equal(values_of(whole), np.r_[np.full(800, 1.0), np.full(100, 2.0)])
    # What the first attempt did beyond is gone for good, also where the second has not been yet.
    assert service.metrics(database, job_id, frozenset({"loss"}), 1_000, LAST, 100).series == {}


def test_validation_losses_are_a_series_of_their_own(database: Database, job_id: str) -> None:
    with database.writing() as session:
        for seq, (step, loss) in enumerate(((0, 5.0), (50, 2.0)), start=1):
            payload = {"kind": "eval", "seq": seq, "t": 1.0, "step": step, "metrics": {"validation_loss": loss}}
            columns = {"job_id": job_id, "attempt": 1, "seq": seq, "kind": "eval", "step": step}
            session.add(EventRow(**columns, t=1.0, payload=payload))
    found = service.metrics(database, job_id, frozenset(), 0, LAST, 100).series
    assert found["validation_loss"].steps == (0, 50)
    assert found["validation_loss"].values == (5.0, 2.0)


def test_the_cursor_is_the_newest_event_that_the_points_hold(database: Database, job_id: str) -> None:
    add_points(database, job_id, np.ones(7))
    view = service.metrics(database, job_id, frozenset(), 0, LAST, 100)
    assert view.cursor == "7"
    assert set(view.series) == {"loss", "lr"}


def test_an_unknown_job_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound, match="nobody"):
        service.metrics(database, "nobody", frozenset(), 0, LAST, 100)


def add_token_counts(database: Database, job_id: str, counts: dict[int, int], attempt: int = 1) -> None:
    with database.writing() as session:
        for seq, (step, count) in enumerate(counts.items(), start=10):
            payload = {"kind": "step", "seq": seq, "t": float(step), "step": step, "metrics": {"num_tokens": count}}
            columns = {"job_id": job_id, "attempt": attempt, "seq": seq, "kind": "step", "step": step}
            session.add(EventRow(**columns, t=float(step), payload=payload))


def test_tokens_so_far_count_each_step_once_whatever_attempt_trained_it(database: Database, job_id: str) -> None:
    add_plan(database, job_id, 1, 1)
    add_token_counts(database, job_id, {1: 100, 2: 200, 3: 400, 4: 800})
    with database.writing() as session:
        add_attempt(session, job_id, 2, time.time())
    add_plan(database, job_id, 2, 3)
    add_token_counts(database, job_id, {3: 50, 4: 60}, attempt=2)
    view = service.metrics(database, job_id, frozenset({"total_tokens"}), 2, LAST, 100)
    assert view.series["total_tokens"].steps == (2, 3, 4)
    assert view.series["total_tokens"].values == (300, 350, 410)


def test_the_table_has_every_point_and_leaves_empty_what_was_not_finite(database: Database, job_id: str) -> None:
    values = np.array([0.1, np.nan, 1 / 3])
    add_points(database, job_id, values)
    whole = service.points_of(database, job_id, frozenset({"loss", "lr"}), 0, LAST)[1]
    rows = list(csv.DictReader(io.StringIO("".join(table.lines(whole)))))
    assert [(row["step"], row["loss"], row["lr"]) for row in rows] == [
        ("1", "0.1", "0.001"),
        ("2", "", "0.002"),
        ("3", repr(1 / 3), "0.003"),
    ]
    assert float(rows[2]["time"]) - float(rows[0]["time"]) == pytest.approx(2)
