"""Series whose right answer was worked out by hand, the noisy curve of the demo as it was measured, and curves of noise
that nothing is wrong with."""

from __future__ import annotations

import json
import math
import random
import re
from pathlib import Path

import pytest

from backend.db.database import Database
from backend.health import conditions
from backend.health.watch import Watch
from tests.support.jobs import add_job
from tunedeck.events import EvalEvent, StepEvent

pytestmark = pytest.mark.any_database
CAPACITY = 80 << 30
DEMO = Path(__file__).parent / "demo_curve.json"


def step(number: int, **metrics: float | None) -> StepEvent:
    values: dict[str, float | None] = {"loss": 1.0, "grad_norm": 1.0, "tokens_per_s": 1000.0}
    return StepEvent(seq=number, t=float(number), step=number, metrics=values | metrics)


def watched(watch: Watch, steps: list[StepEvent]) -> Watch:
    for event in steps:
        watch.apply(event, CAPACITY)
    return watch


def quiet(num_steps: int = 100, first: int = 1) -> list[StepEvent]:
    """Losses 1.0 ± 0.02 in turn: the level is 1.0, the deviation 0.02, and so a spike is above 1.3."""
    return [step(n, loss=1.0 + (0.02 if n % 2 else -0.02)) for n in range(first, first + num_steps)]


def test_two_losses_above_the_limit_are_a_spike_and_one_is_not() -> None:
    watch = watched(Watch(), quiet())
    assert watched(watch, [step(101, loss=1.4), *quiet(5, 102)]).spike.is_on is False
    watched(watch, [step(107, loss=1.4), step(108, loss=1.45)])
    assert (watch.spike.is_on, watch.spike.since_step) == (True, 107)


def test_one_loss_above_twice_the_limit_is_a_spike_at_once() -> None:
    watch = watched(Watch(), quiet())
    assert watched(watch, [step(101, loss=1.59)]).spike.is_on is False
    assert watched(Watch.of({}), [*quiet(), step(101, loss=1.65)]).spike.is_on is True


def test_a_spike_is_over_after_five_usual_losses() -> None:
    watch = watched(Watch(), [*quiet(), step(101, loss=9.0), *quiet(4, 102)])
    assert watch.spike.is_on
    assert watched(watch, quiet(1, 106)).spike.is_on is False


def test_a_level_that_stays_becomes_usual_in_the_end() -> None:
    """3.0 instead of 1.0: the level must come to 2.7 or so, at a weight of 1/400 a step after some 760 steps."""
    watch = watched(Watch(), [*quiet(), *(step(n, loss=3.0) for n in range(101, 701))])
    assert watch.spike.is_on
    assert watched(watch, [step(n, loss=3.0) for n in range(701, 1200)]).spike.is_on is False


def test_before_thirty_steps_no_loss_is_a_spike() -> None:
    assert watched(Watch(), [*quiet(29), step(30, loss=50.0)]).spike.is_on is False


def test_what_is_not_a_number_is_told_at_once_and_until_five_steps_are_well() -> None:
    watch = watched(Watch(), [*quiet(10), step(11, loss=None)])
    assert (watch.not_finite.is_on, watch.not_finite.since_step) == (True, 11)
    assert watched(watch, quiet(4, 12)).not_finite.is_on
    assert watched(watch, quiet(1, 16)).not_finite.is_on is False
    watch.apply(EvalEvent(seq=17, t=17.0, step=16, metrics={"validation_loss": None}), CAPACITY)
    assert watch.not_finite.is_on


def test_throughput_that_fell_by_40_percent_is_told_and_by_20_percent_is_not() -> None:
    """From 1000 to 600: the mean of ten steps, 600 + 400 × 0.9^n, comes below 70% of the level, then at 930, after some
    20 steps, and it is told 20 steps later."""
    watch = watched(Watch(), [*quiet(), *(step(n, tokens_per_s=800.0) for n in range(101, 201))])
    assert watch.fell.is_on is False
    watch = watched(Watch(), [*quiet(), *(step(n, tokens_per_s=600.0) for n in range(101, 133))])
    assert watch.fell.is_on is False
    watched(watch, [step(n, tokens_per_s=600.0) for n in range(133, 146)])
    assert watch.fell.is_on
    assert watched(watch, quiet(30, 146)).fell.is_on is False


def test_a_slow_step_now_and_then_is_no_fall() -> None:
    slow = [step(n, tokens_per_s=300.0 if n % 50 == 0 else 1000.0) for n in range(1, 1001)]
    assert watched(Watch(), slow).fell.is_on is False


def test_idle_gpus_are_told_with_the_wait_for_data() -> None:
    idle = [step(n, gpu_utilization=0.1, step_time_s=1.0, data_time_s=0.8) for n in range(1, 25)]
    watch = watched(Watch(), idle)
    assert watch.idle.is_on
    assert math.isclose(watch.recent_data_share.mean, 0.8)


def test_memory_is_near_its_edge_above_95_percent() -> None:
    assert watched(Watch(), [step(1, peak_memory_bytes=0.94 * CAPACITY)]).edge.is_on is False
    assert watched(Watch(), [step(1, peak_memory_bytes=0.96 * CAPACITY)]).edge.is_on is True


def test_a_watch_that_was_kept_goes_on_as_if_it_had_not_been() -> None:
    straight = watched(Watch(), [*quiet(), step(101, loss=1.4), step(102, loss=1.45)])
    broken = watched(Watch(), [*quiet(), step(101, loss=1.4)])
    broken = watched(Watch.of(json.loads(json.dumps(broken.kept()))), [step(102, loss=1.45)])
    assert broken == straight
    assert Watch.of({"loss": {"of": "another version"}, "unknown": 1}) == Watch()


def test_nothing_is_wrong_with_the_demo_as_it_was_measured() -> None:
    curve = json.loads(DEMO.read_text())
    assert (
        ever_wrong([step(n + 1, **{name: curve[name][n] for name in curve if name != "t"}) for n in range(400)]) == []
    )


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_wrong_with_ordinary_noise(seed: int) -> None:
    """Small batches: losses with 20% noise of heavy tails over a falling curve, throughput with 10% and slow steps."""
    draw = random.Random(seed)
    steps = []
    for n in range(1, 2001):
        loss = (0.4 + 2.0 * math.exp(-n / 200)) * math.exp(draw.gauss(0, 0.2))
        rate = 18_000 * (1 + draw.gauss(0, 0.1)) * (0.4 if n % 100 == 0 else 1.0)
        steps.append(step(n, loss=loss, tokens_per_s=rate, gpu_utilization=0.9, peak_memory_bytes=0.9 * CAPACITY))
    assert ever_wrong(steps) == []


def ever_wrong(steps: list[StepEvent]) -> list[tuple[str, int]]:
    watch, found = Watch(), []
    for event in steps:
        watch.apply(event, CAPACITY)
        alarms = {"spike": watch.spike, "not finite": watch.not_finite, "fell": watch.fell, "edge": watch.edge}
        found += [(name, event.step) for name, alarm in alarms.items() if alarm.is_on]
    return found


def test_the_gravest_is_said_first_and_each_in_one_sentence(database: Database) -> None:
    watch = watched(
        Watch(),
        [
            *quiet(),
            *(step(n, tokens_per_s=600.0, peak_memory_bytes=0.96 * CAPACITY) for n in range(101, 140)),
            step(140, loss=9.0, tokens_per_s=600.0),
        ],
    )
    with database.writing() as session:
        job = add_job(session, 1.0, state="running", attempt=1)
        conditions.after_events(job, watch, CAPACITY)
        spike, edge, fell = (condition.sentence for condition in conditions.of_job(job))
    assert spike == "Loss spike: up to 9.000 since step 140, from about 1.020."
    assert edge == "Memory is near its edge: a rank used 76.8 GiB of 80.0 GiB, 96%, since step 101."
    assert re.fullmatch(r"Throughput fell by 3\d%: 606 tokens/s since step 1[12]\d, 9\d\d before\.", fell)
