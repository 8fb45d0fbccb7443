"""Long series are read from outlines: what is drawn of them is as if every point had been read."""

from __future__ import annotations

import time

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray
from sqlalchemy import delete, func, select

from backend.db.database import Database
from backend.db.tables.jobs import JobRow
from backend.db.tables.metrics import MetricChunkRow, MetricOutlineRow
from backend.metrics import service
from backend.metrics.compactor import Compactor
from backend.metrics.encoding import encoded
from backend.metrics.outlines import OUTLINE_POINTS, outline_of, packed, unpacked
from backend.metrics.points import Points
from backend.scheduler.leadership import Leadership
from tests.backend.metrics.test_metrics import LAST, add_plan, add_points, loss_of, values_of
from tests.support.jobs import add_attempt, add_running_job

NUM_POINTS = 2_900
TAKEN_FROM = 1_801
SPIKES = tuple(range(150, 1_800, 300))
# Few enough that the outlines are read.
DRAWN = 70


@pytest.fixture
def reference() -> NDArray[np.float64]:
    """What the run is, attempt 2 from TAKEN_FROM on."""
    values = np.random.default_rng(5).normal(size=NUM_POINTS)
    values[list(SPIKES)] = 50.0
    values[700:710] = np.nan
    return values


@pytest.fixture
def job_id(database: Database, reference: NDArray[np.float64]) -> str:
    with database.writing() as session:
        found = add_running_job(session, time.time()).id
    leadership = Leadership(database, lease_s=600)
    leadership.renew()
    add_plan(database, found, 1, first_step=1)
    # The first attempt went on for a while, with larger values than any that count.
    add_points(database, found, np.r_[reference[: TAKEN_FROM - 1], np.full(200, 900.0)])
    Compactor(database, leadership).compact()
    with database.writing() as session:
        session.get_one(JobRow, found).attempt = 2
        add_attempt(session, found, 2, time.time(), first_step=TAKEN_FROM)
    add_plan(database, found, 2, first_step=TAKEN_FROM)
    add_points(database, found, reference[TAKEN_FROM - 1 :], attempt=2, first_step=TAKEN_FROM)
    Compactor(database, leadership).compact()
    return found


def test_no_spike_no_end_and_no_gap_is_lost(database: Database, job_id: str, reference: NDArray[np.float64]) -> None:
    shown = loss_of(database, job_id, max_points=DRAWN)
    values = values_of(shown)
    assert len(shown.steps) <= DRAWN
    assert shown.num_points == NUM_POINTS
    assert (shown.steps[0], shown.steps[-1]) == (1, NUM_POINTS)
    np.testing.assert_array_equal(values, reference[np.array(shown.steps) - 1])
    assert {step - 1 for step, value in zip(shown.steps, values, strict=True) if value == 50.0} == set(SPIKES)
    assert np.nanmin(values) == np.nanmin(reference)
    assert shown.values[shown.steps.index(701)] is None


@pytest.mark.any_database
def test_a_zoom_reads_every_point(database: Database, job_id: str, reference: NDArray[np.float64]) -> None:
    near = loss_of(database, job_id, from_step=995, to_step=1_900, max_points=1_500)
    np.testing.assert_array_equal(values_of(near), reference[994:1_900])


@pytest.mark.any_database
def test_chunks_without_an_outline_are_read_whole(database: Database, job_id: str) -> None:
    with database.writing() as session:
        first = session.scalar(select(func.min(MetricChunkRow.id)).where(MetricChunkRow.metric == "loss"))
        session.execute(delete(MetricOutlineRow).where(MetricOutlineRow.chunk_id == first))
    shown = loss_of(database, job_id, max_points=DRAWN)
    assert (shown.steps[0], shown.num_points) == (1, NUM_POINTS)
    assert values_of(shown)[1:].max(initial=0, where=np.isfinite(values_of(shown)[1:])) == 50.0


@pytest.mark.any_database
def test_an_outline_holds_the_extremes_of_every_stretch_and_survives_packing() -> None:
    values = np.random.default_rng(7).normal(size=1_000)
    values[500:520] = np.nan
    points = Points(np.arange(7, 1_007), np.linspace(0.5, 9.5, 1_000), values)
    outline = outline_of(points)
    assert len(outline) <= OUTLINE_POINTS + 3
    stretches = np.array_split(values[np.isfinite(values)], 10)
    assert {each for stretch in stretches for each in (stretch.min(), stretch.max())} <= set(outline.values)
    twice = unpacked(packed(outline) + packed(outline))
    for part in (twice.take(np.arange(len(outline))), twice.take(np.arange(len(outline), 2 * len(outline)))):
        for column in ("steps", "times", "values"):
            np.testing.assert_array_equal(getattr(part, column), getattr(outline, column))


@pytest.mark.any_database
def test_the_answer_reads_as_the_view(database: Database, job_id: str) -> None:
    asked = (database, job_id, frozenset({"loss", "lr"}), 0, LAST, 60)
    told = orjson.loads(encoded(*service.thinned(*asked)))
    view = orjson.loads(service.metrics(*asked).model_dump_json())
    for series in view["series"].values():
        series["times"] = [round(each, 3) for each in series["times"]]
    assert told == view
