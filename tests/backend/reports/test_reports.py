"""What stands in a report, and what it must never contain."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend.db.database import Database
from backend.db.tables.events import EventRow
from backend.reports import content
from tests.support.jobs import add_running_job
from tunedeck.spec import JobSpec

pytestmark = pytest.mark.any_database
HOSTILE = "</script><script>alert(1)</script><img src=https://example.org/x>"
NUM_STEPS = 6_000
SPIKE_AT = 4_321


def database_of(client: TestClient) -> Database:
    database: Database = client.app.state.services.database  # type: ignore[attr-defined]
    return database


def add_run(client: TestClient, num_steps: int, **columns: Any) -> str:
    """A run whose loss is 1 but for one spike, with the events of its beginning and a hostile end."""
    spec = JobSpec(name="first", model="tiny", dataset="chats", seed=columns.pop("seed", 42))
    with database_of(client).writing() as session:
        job = add_running_job(session, time.time(), spec=spec.model_dump(mode="json", exclude_unset=True), **columns)
        said: list[dict[str, Any]] = [
            {"kind": "plan", "train_iters": num_steps, "first_step": 1, "facts": {}},
            *({"kind": "step", "step": step, "metrics": _metrics(step)} for step in range(1, num_steps + 1)),
            {"kind": "error", "code": "x", "message": HOSTILE, "mend": "", "scene": {}},
        ]
        session.add_all(
            EventRow(
                job_id=job.id, attempt=1, seq=seq, kind=one["kind"], step=one.get("step"), t=seq * 1.0, payload=one
            )
            for seq, one in enumerate(said, start=1)
        )
        return job.id


def _metrics(step: int) -> dict[str, float | None]:
    return {
        "loss": 987.5 if step == SPIKE_AT else 1.0 + step % 7 / 100,
        "peak_memory_bytes": 3.0 * 2**20,
        "peak_memory_bytes.rank1": 2.0 * 2**20,
        "mfu": None,
    }


def values_in(report: str) -> dict[str, Any]:
    packed = re.search(r'<script type="text/plain" id="values">([^<]*)</script>', report)
    assert packed
    values: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(packed[1])))
    return values


def charts_in(report: str) -> dict[str, dict[str, Any]]:
    return {chart["title"]: chart for chart in values_in(report)["charts"]}


def test_every_spike_is_drawn_and_what_was_never_told_has_no_chart(client: TestClient) -> None:
    report = client.get(f"/api/v1/jobs/{add_run(client, NUM_STEPS)}/report.html").text
    charts = charts_in(report)
    [loss] = charts["Training loss"]["lines"]
    assert len(loss["x"]) <= 2_000 < NUM_STEPS
    assert loss["y"][loss["x"].index(SPIKE_AT)] == 987.5
    assert (loss["x"][0], loss["x"][-1]) == (1, NUM_STEPS)
    memory = charts["Peak memory, largest rank"]
    assert memory["unit"] == "MiB"
    assert {line["label"]: set(line["y"]) for line in memory["lines"]} == {
        "peak memory bytes": {3.0},
        "peak memory bytes rank1": {2.0},
    }
    assert "Learning rate" not in charts
    assert f"steps 1 to {NUM_STEPS}" in report


def test_it_asks_nobody_for_anything_and_takes_every_text_for_text(client: TestClient) -> None:
    fault = {"code": "x", "message": HOSTILE, "mend": HOSTILE, "log_tail": []}
    job_id = add_run(client, 3, name=HOSTILE, owner=HOSTILE, model=HOSTILE, fault=fault)
    report = client.get(f"/api/v1/jobs/{job_id}/report.html").text
    assert "default-src 'none'" in report
    assert HOSTILE not in report
    assert report.count(html.escape(HOSTILE)) >= 5
    assert not re.search(r"""<[^>]*(src|href)=["']?(https?:)?//|@import|url\(""", report)
    assert report.count("<script") == 3


def test_runs_are_compared_with_their_differences_and_the_best_of_each_column(client: TestClient) -> None:
    common = {"latest": {"loss": 1.25}, "best_validation_loss": 0.5}
    first = add_run(client, 3, name="slow", resolved={"name": "slow", "lr": {"peak": 1e-3}, "seed": 1}, **common)
    second = add_run(
        client, 3, name="fast", resolved={"name": "fast", "lr": {"peak": 2e-3}, "seed": 1}, latest={"loss": 1}
    )
    answer = client.get("/api/v1/compare/report.html", params={"run": [first, second, first]})
    rows = re.findall(r'<th scope="row" class="mono">(.*?)</th>(.*?)</tr>', answer.text)
    assert [(path, re.findall(r">([^<]+)</td>", values)) for path, values in rows] == [("lr.peak", ["0.001", "0.002"])]
    assert re.findall(r'<td class="num best">([^<]+)</td>', answer.text) == ["1.000"]
    assert [line["label"] for line in charts_in(answer.text)["Training loss"]["lines"]] == ["slow", "fast"]
    assert 'filename="comparison.html"' in answer.headers["content-disposition"]


def test_each_new_attempt_is_marked_also_where_more_has_happened_than_is_listed(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "MOST_HAPPENINGS", 1)
    job_id = add_run(client, 9)
    with database_of(client).writing() as session:
        for attempt, step in ((2, 7), (3, 4)):
            plan = {"kind": "plan", "train_iters": 9, "first_step": step, "facts": {}}
            session.add(EventRow(job_id=job_id, attempt=attempt, seq=1, kind="plan", t=1.0, payload=plan))
    report = client.get(f"/api/v1/jobs/{job_id}/report.html").text
    assert values_in(report)["starts"] == [{"run": 0, "steps": [7, 4]}]
    assert "Later events of the engine are left out." in report


def test_a_short_run_makes_a_report_that_can_be_sent_by_mail(client: TestClient) -> None:
    answer = client.get(f"/api/v1/jobs/{add_run(client, 3)}/report.html")
    assert int(answer.headers["content-length"]) == len(answer.content) < 2_500_000


def test_a_run_that_is_not_there_is_named(client: TestClient) -> None:
    known = add_run(client, 3)
    for address in ["/api/v1/jobs/nosuchjob/report.html", f"/api/v1/compare/report.html?run={known}&run=nosuchjob"]:
        answer = client.get(address)
        assert (answer.status_code, "nosuchjob" in answer.json()["error"]["message"]) == (404, True)
