"""What the charts are drawn from: snapshot and stream put together, gaps, smoothing. The modules run in the browser."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

# Runs `body` with the modules of the page's own static folder.
WITH_MODULES = """async ([body, given]) => {
    const root = document.querySelector('script[type="module"]').src;
    const load = (path) => import(new URL(`../${path}`, root));
    const { RunHistory } = await load("run/history.js");
    const { Detail } = await load("run/detail.js");
    const { gapsOf, withGaps } = await load("charts/series.js");
    const { movingAverage } = await load("charts/smoothing.js");
    const { usualRange } = await load("charts/outliers.js");
    const { xAxisOf } = await load("charts/x_axis.js");
    const { asYaml } = await load("spec_text.js");
    const { Turns } = await load("charts/turns.js");
    const { GroupCurves, nameOf } = await load("compare/group_curves.js");
    const lines = { RunHistory, Detail, gapsOf, withGaps, movingAverage, usualRange, xAxisOf, Turns };
    const tools = { ...lines, asYaml, GroupCurves, nameOf };
    const history = new RunHistory();
    const take = (events) => events.map((event) => history.apply(event));
    const points = (name) => history.seriesOf(name).steps.map((step, at) => [step, history.seriesOf(name).values[at]]);
    return BODIES[body]({ ...tools, history, take, points, given });
}"""
BODIES = {
    "joined": """({ history, take, points, given }) => {
        history.load(given.view);
        const gaps = take(given.events).map(({ isGap }) => isGap);
        return { loss: points("loss"), validation: points("validation_loss"), gaps, cursor: history.cursor };
    }""",
    "outline": """({ RunHistory, given }) => {
        const history = new RunHistory({ isOutline: true });
        history.load(given.view);
        for (const event of given.events) history.apply(event);
        const { steps, values, numPoints } = history.seriesOf("loss");
        return { steps, values, numPoints };
    }""",
    "turns": """({ Turns }) => new Promise((resolve) => {
        const [turns, done] = [new Turns(), []];
        turns.add("hover", () => done.push("old"));
        // What fails is reported, which would fail the test.
        addEventListener("error", (event) => event.preventDefault(), { once: true });
        turns.add("fails", () => { throw new Error("a piece that fails"); });
        turns.add("hover", () => done.push("new"));
        turns.add("promises", () => Promise.resolve().then(() => done.push("kept")));
        // Its successor is done in the same turn, which must not leave a turn without work.
        turns.add("follows", () => turns.add("last", () => {
            done.push("last");
            setTimeout(() => resolve(done), 100);
        }));
        done.push("the reader");
    })""",
    "gaps": """({ gapsOf, withGaps, given: { steps, values, isThinned } }) =>
        withGaps(steps, values, gapsOf(steps, isThinned))""",
    "zoomed": """async ({ RunHistory, Detail, gapsOf, given: { whole, fine } }) => {
        const history = new RunHistory();
        history.load(whole);
        const detail = new Detail("a-run", history);
        window.fetch = () => Promise.resolve(Response.json(fine));
        await detail.show([300, 400], ["loss"]);
        const { steps, isThinned, coarse } = detail.seriesOf("loss");
        return gapsOf(steps, isThinned, coarse).map((at) => steps[at]);
    }""",
    "average": "({ movingAverage, given }) => movingAverage(given.values, given.weight)",
    "usual range": "({ usualRange, given }) => usualRange([given])",
    "places": """({ xAxisOf, history, given }) => {
        history.load(given.view);
        const axis = xAxisOf(given.axis, history.seriesOf);
        const series = history.seriesOf("loss");
        return { places: axis.placesOf(series), back: series.steps.map((step) => axis.stepAt(axis.placeOf(step))) };
    }""",
    "yaml": "({ asYaml, given }) => asYaml(given)",
    "means": """({ GroupCurves, nameOf, history, given }) => {
        const curves = new GroupCurves();
        curves.define([{ label: "all", place: 0, runs: [{ history }] }]);
        return given.map((view) => {
            history.load(view);
            return curves.seriesOf(nameOf(0, "mean"), "loss").values;
        });
    }""",
}


@pytest.fixture
def in_browser(page: Page) -> Any:
    page.goto("/runs")
    bodies = "{" + ",".join(f'"{name}": {body}' for name, body in BODIES.items()) + "}"
    return lambda body, given: page.evaluate(WITH_MODULES.replace("BODIES", f"({bodies})"), [body, given])


def view(cursor: int, steps: list[int], evals: list[int] = []) -> dict[str, Any]:  # noqa: B006  # never changed
    def series(at: list[int]) -> dict[str, Any]:
        return {"steps": at, "times": at, "values": [1.0] * len(at), "num_points": len(at)}

    return {"cursor": str(cursor), "series": {"loss": series(steps), "validation_loss": series(evals)}}


def step(feed_id: int, number: int, value: float = 2.0, attempt: int = 1) -> dict[str, Any]:
    payload = {"step": number, "metrics": {"loss": value}}
    return {"id": str(feed_id), "attempt": attempt, "kind": "step", "t": 0, "payload": payload}


def test_what_comes_to_an_outline_is_thinned_without_losing_an_extreme(in_browser: Any) -> None:
    """A point in forty of the first 4,000 steps, then a thousand steps one by one."""
    outline = view(10, list(range(40, 4_001, 40)))
    outline["series"]["loss"]["num_points"] = 4_000
    values = np.random.default_rng(1).normal(size=1_000)
    values[[123, 456]] = 40.0, -40.0
    events = [step(11 + at, 4_001 + at, float(value)) for at, value in enumerate(values)]
    held = in_browser("outline", {"view": outline, "events": events})
    assert held["numPoints"] == 5_000
    assert held["steps"][:100] == outline["series"]["loss"]["steps"]
    # Of the last stretch more wait, but not two of its forty.
    assert len(held["steps"]) < 100 + 2 * 1_000 / 40 + 40
    assert held["steps"] == sorted(set(held["steps"]))
    assert held["values"][100:] == [values[number - 4_001] for number in held["steps"][100:]]
    assert {40.0, -40.0} < set(held["values"])
    assert held["steps"][-8:] == list(range(4_993, 5_001))


def test_of_work_between_frames_the_newest_wish_counts_and_a_failure_holds_up_nothing(in_browser: Any) -> None:
    assert in_browser("turns", None) == ["the reader", "new", "kept", "last"]


def test_what_the_snapshot_holds_is_not_added_again(in_browser: Any) -> None:
    events = [step(8, 2), step(9, 3), step(11, 4), step(12, 4), step(13, 5)]
    joined = in_browser("joined", {"view": view(10, [1, 2, 3]), "events": events})
    assert joined["loss"] == [[1, 1], [2, 1], [3, 1], [4, 2], [5, 2]]
    assert joined["cursor"] == 13


def test_a_missing_step_is_noticed(in_browser: Any) -> None:
    joined = in_browser("joined", {"view": view(10, [1, 2]), "events": [step(11, 3), step(12, 5)]})
    assert joined["gaps"] == [False, True]


def test_a_new_attempt_overrides_from_its_first_step_on(in_browser: Any) -> None:
    plan = {"id": "11", "attempt": 2, "kind": "plan", "t": 0, "payload": {"first_step": 3}}
    late = step(13, 6, attempt=1)
    events = [plan, step(12, 3, 9.0, attempt=2), late]
    joined = in_browser("joined", {"view": view(10, [1, 2, 3, 4, 5], evals=[0, 2, 4]), "events": events})
    assert joined["loss"] == [[1, 1], [2, 1], [3, 9]]
    assert [at for at, _ in joined["validation"]] == [0, 2]


def test_missing_steps_break_the_line_but_thinned_ones_do_not(in_browser: Any) -> None:
    gap = in_browser("gaps", {"steps": [1, 2, 5, 6], "values": [1, 1, 1, 1], "isThinned": False})
    assert gap == {"x": [1, 2, 2, 5, 6], "y": [1, 1, None, 1, 1]}
    thinned = [1, 9, 14, 22, 31, 37, 44, 52, 60, 66, 75, 81]
    assert in_browser("gaps", {"steps": thinned, "values": [1] * 12, "isThinned": True})["x"] == thinned


def test_the_moving_average_is_the_weighted_mean_of_the_past(in_browser: Any) -> None:
    values, weight = np.array([3.0, 1.0, 4.0, 1.0, 5.0]), 0.8
    expected = []
    for number in range(1, len(values) + 1):
        weights = weight ** np.arange(number)[::-1]
        expected.append(float(values[:number] @ weights / weights.sum()))
    assert in_browser("average", {"values": values.tolist(), "weight": weight}) == pytest.approx(expected)
    assert in_browser("average", {"values": [1, None, 1], "weight": weight})[1] is None


def test_where_the_detail_of_a_zoom_ends_is_no_gap(in_browser: Any) -> None:
    """Every step from 300 to 400, but for 350, and one of ten of the others; from 600 to 700 none was measured."""
    whole = view(10, [*range(10, 601, 10), *range(700, 1_001, 10)])
    fine = view(10, [*range(300, 350), *range(351, 401)])
    whole["series"]["loss"]["num_points"] = 900
    assert in_browser("zoomed", {"whole": whole, "fine": fine}) == [351, 700]


def test_only_a_range_that_cuts_something_off_is_told(in_browser: Any) -> None:
    usual = np.random.default_rng(3).normal(10, 1, 500)
    low, high = in_browser("usual range", [*usual, 4000.0, None])
    assert low == pytest.approx(usual.min(), abs=0.5)
    assert usual.max() < high + 0.5 < 20
    assert in_browser("usual range", [1.0, 500.0]) is None


@pytest.mark.parametrize(("axis", "expected"), [("step", [1, 2, 4]), ("tokens", [10, 30, 70]), ("relative", [0, 2, 6])])
def test_a_point_has_a_place_on_every_axis_and_a_place_a_step(in_browser: Any, axis: str, expected: list[int]) -> None:
    steps, times = [1, 2, 4], [100.0, 102.0, 106.0]
    loss = {"steps": steps, "times": times, "values": [3, 2, 1], "num_points": 3}
    view = {"cursor": "9", "series": {"loss": loss, "total_tokens": {**loss, "values": [10, 30, 70]}}}
    told = in_browser("places", {"view": view, "axis": axis})
    assert told["places"] == pytest.approx(expected)
    assert told["back"] == pytest.approx(steps)


def test_the_yaml_to_copy_reads_as_the_same_spec(in_browser: Any) -> None:
    import yaml

    spec = {
        "name": "1e3",
        "model": "on",
        "dataset": "2026-11-23",
        "optimizer": {"lr": 1e-7, "min_lr": 0, "lr_decay_style": "cosine"},
        "batching": {"rollout_shuffle": False, "num_epoch": 2.5},
        "data": {},
    }
    assert yaml.safe_load(in_browser("yaml", spec)) == spec


def test_a_group_follows_points_that_change_between_the_same_ends(in_browser: Any) -> None:
    before, after = view(1, [1, 2, 3]), view(2, [1, 2, 3])
    after["series"]["loss"]["values"] = [1.0, 5.0, 1.0]
    assert in_browser("means", [before, after]) == [[1.0, 1.0, 1.0], [1.0, 5.0, 1.0]]
