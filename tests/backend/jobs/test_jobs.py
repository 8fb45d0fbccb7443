"""Jobs over REST, on a real database."""

from __future__ import annotations

from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import select

from backend.db.tables.events import EventRow
from backend.db.tables.jobs import AttemptRow, JobRow
from backend.db.tables.run_files import CheckpointRow
from backend.jobs.transitions import transition
from tests.support.backend import SPEC
from tests.support.jobs import timeless
from tunedeck.lifecycle import JobState

JOBS = "/api/v1/jobs"


def _create(client: TestClient, **changes: Any) -> dict[str, Any]:
    answer = client.post(JOBS, json=SPEC | changes)
    assert answer.status_code == 201, answer.text
    return answer.json()


def _problems(client: TestClient, spec: Any) -> dict[str, dict[str, Any]]:
    answer = client.post(JOBS, json=spec)
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert error["message"] and error["mend"]
    return {problem["field"]: problem for problem in error["problems"]}


def _num_jobs(client: TestClient) -> int:
    return len(client.get(JOBS).json()["items"])


def test_a_new_job_is_queued_with_both_forms_of_its_spec_and_its_first_event(stocked: TestClient) -> None:
    job = _create(stocked)
    assert (job["state"], job["desired"], job["attempt"], job["host"]) == ("queued", "run", 0, "")
    assert job["spec"] == SPEC, "what nobody asked for is not in the spec as asked"
    # 40 rows, 1 held out (2%), 4 conversations a step
    assert job["resolved"]["batching"]["train_iters"] == job["train_iters"] == 9
    assert [(line["from_state"], line["to_state"]) for line in job["transitions"]] == [("", "queued")]
    with stocked.app.state.services.database.reading() as session:  # type: ignore[attr-defined]
        event = session.scalars(select(EventRow)).one()
    assert (event.kind, event.job_id, event.payload["state"]) == ("job", job["id"], "queued")


def test_every_faulty_field_is_named_with_its_value_and_a_mend(stocked: TestClient) -> None:
    problems = _problems(stocked, {"model": "tiny", "optimizer": {"learning_rate": 1, "lr": -1}, "seed": "x"})
    assert set(problems) == {"name", "dataset", "optimizer.learning_rate", "optimizer.lr", "seed"}
    assert problems["optimizer.lr"]["value"] == -1
    assert problems["optimizer.lr"]["mend"] == "use more than 0.0"
    assert problems["seed"]["value"] == "x"
    assert _num_jobs(stocked) == 0


def test_a_misspelt_key_is_answered_with_the_likely_one(stocked: TestClient) -> None:
    problems = _problems(stocked, SPEC | {"batching": {"max_token_per_gpu": 64}})
    assert "max_tokens_per_gpu" in problems["batching.max_token_per_gpu"]["mend"]


def test_unknown_model_and_data_set_are_both_reported(stocked: TestClient) -> None:
    assert set(_problems(stocked, SPEC | {"model": "none", "dataset": "nothing"})) == {"model", "dataset"}
    assert _num_jobs(stocked) == 0


def test_what_the_resolver_refuses_comes_in_the_same_form(stocked: TestClient) -> None:
    problems = _problems(stocked, SPEC | {"parallelism": {"tensor_model_parallel_size": 3}})
    assert "parallelism.tensor_model_parallel_size" in problems
    assert _num_jobs(stocked) == 0


def test_a_body_that_is_no_object_or_no_json_is_refused(stocked: TestClient) -> None:
    assert stocked.post(JOBS, json=[1]).status_code == 422
    broken = stocked.post(JOBS, content=b"{", headers={"content-type": "application/json"})
    latin = stocked.post(JOBS, content=b'{"name": "\xe9"}', headers={"content-type": "application/json"})
    assert "at character 1" in broken.json()["error"]["message"]
    for answer in (broken, latin):
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_input")


def test_a_body_that_does_not_say_that_it_is_json_is_told_the_header(stocked: TestClient) -> None:
    error = stocked.post("/api/v1/jobs", content='{"name": "a"}').json()["error"]
    assert error["mend"] == "send the header Content-Type: application/json"


def test_a_misspelt_filter_is_refused_rather_than_left_out(stocked: TestClient) -> None:
    answer = stocked.get("/api/v1/jobs", params={"states": "failed", "foo": "1"})
    assert answer.status_code == 422
    problems = answer.json()["error"]["problems"]
    assert [(each["field"], each["value"]) for each in problems] == [("states", "failed"), ("foo", "1")]
    assert problems[0]["mend"] == "did you mean state?"
    assert problems[1]["mend"] == "leave it out, or use one of: state, id, model, dataset, q, archived, limit, cursor"


def test_numbers_that_json_cannot_carry_back_are_reported_and_not_a_500(stocked: TestClient) -> None:
    body = b'{"name": "a", "model": "tiny", "dataset": "chats", "optimizer": {"lr": 1e999}, "seed": NaN}'
    answer = stocked.post(JOBS, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert {problem["field"] for problem in answer.json()["error"]["problems"]} == {"optimizer.lr", "seed"}


def test_a_preset_is_laid_under_the_given_fields(stocked: TestClient) -> None:
    job = _create(stocked, preset="quick-look")
    assert job["spec"]["batching"]["train_iters"] == 50
    assert job["spec"]["batching"]["global_batch_size"] == 4


def test_an_unknown_preset_is_a_problem_at_its_field(stocked: TestClient) -> None:
    assert set(_problems(stocked, SPEC | {"preset": "nope"})) == {"preset"}


def test_check_stores_nothing_and_says_what_would_run_or_why_not(stocked: TestClient) -> None:
    good = stocked.post(f"{JOBS}/check", json=SPEC).json()
    assert good["problems"] == [] and good["resolved"]["model"]["name"] == "tiny"
    bad = stocked.post(f"{JOBS}/check", json=SPEC | {"model": "none", "seed": -1})
    assert bad.status_code == 200
    assert bad.json()["resolved"] is None
    assert [problem["field"] for problem in bad.json()["problems"]] == ["seed"]
    assert _num_jobs(stocked) == 0


def test_a_list_is_paged_newest_first_and_new_jobs_shift_nothing(stocked: TestClient) -> None:
    names = [_create(stocked, name=f"run-{number}")["name"] for number in range(5)]
    first = stocked.get(JOBS, params={"limit": 2}).json()
    _create(stocked, name="later")
    second = stocked.get(JOBS, params={"limit": 2, "cursor": first["next_cursor"]}).json()
    third = stocked.get(JOBS, params={"limit": 2, "cursor": second["next_cursor"]}).json()
    seen = [job["name"] for page in (first, second, third) for job in page["items"]]
    assert seen == list(reversed(names))
    assert third["next_cursor"] == ""


def test_a_list_can_be_narrowed(stocked: TestClient) -> None:
    kept = _create(stocked, name="alpha")
    stocked.post(f"{JOBS}/{_create(stocked, name='beta')['id']}/cancel")

    def names(**params: Any) -> list[str]:
        return [job["name"] for job in stocked.get(JOBS, params=params).json()["items"]]

    assert names(state="queued") == ["alpha"]
    assert names(state=["queued", "cancelled"]) == ["beta", "alpha"]
    assert names(q="ALPH") == ["alpha"]
    assert names(q="%") == []
    assert names(q=kept["id"]) == ["alpha"]
    assert names(model="other") == []
    assert names(dataset="chats") == ["beta", "alpha"]
    assert stocked.get(JOBS, params={"state": "lost"}).status_code == 422


def test_cancelling_a_queued_job_ends_it_at_once_and_only_once(stocked: TestClient) -> None:
    job = _create(stocked)
    cancelled = stocked.post(f"{JOBS}/{job['id']}/cancel").json()
    assert (cancelled["state"], cancelled["desired"]) == ("cancelled", "cancel")
    assert cancelled["ended_at"] is not None
    assert stocked.post(f"{JOBS}/{job['id']}/cancel").json() == cancelled


def test_cancelling_a_job_that_a_worker_has_asks_it_to_stop(stocked: TestClient) -> None:
    job_id = _create(stocked)["id"]
    _place(stocked, job_id)
    asked = stocked.post(f"{JOBS}/{job_id}/cancel").json()
    assert (asked["state"], asked["desired"], asked["host"]) == ("stopping", "cancel", "box")
    assert timeless(stocked.post(f"{JOBS}/{job_id}/cancel").json()) == timeless(asked)


def test_the_time_left_is_the_steps_left_times_the_smoothed_step_time(stocked: TestClient) -> None:
    job_id = _create(stocked)["id"]
    _place(stocked, job_id)
    with stocked.app.state.services.database.writing() as session:  # type: ignore[attr-defined]
        job = session.get_one(JobRow, job_id)
        transition(session, job, JobState.STARTING, "test", "", 2.0)
        transition(session, job, JobState.RUNNING, "test", "", 3.0)
        job.step, job.step_time_ema_s = 4, 0.5
    view = stocked.get(f"{JOBS}/{job_id}").json()
    assert view["eta_s"] == (9 - 4) * 0.5
    assert view["started_at"] == 2.0


def test_check_estimates_the_memory_of_a_rank_against_its_share_of_the_host(stocked: TestClient) -> None:
    memory = stocked.post(f"{JOBS}/check", json=SPEC | {"resources": {"num_devices": 2}}).json()["memory"]
    assert memory["capacity_bytes"] == 4 << 30, "the host has 8 GiB"
    assert memory["total_bytes"] == sum(part["bytes"] for part in memory["parts"])
    assert memory["verdict"] == "fits"
    huge = SPEC | {"batching": {"global_batch_size": 4, "max_tokens_per_gpu": 2**22}, "resources": {"num_devices": 4}}
    too_much = stocked.post(f"{JOBS}/check", json=huge).json()["memory"]
    assert (too_much["verdict"], too_much["largest_max_tokens_per_gpu"] < 2**22) == ("does_not_fit", True)


def test_checkpoints_come_newest_first(stocked: TestClient) -> None:
    job_id = _create(stocked)["id"]
    with stocked.app.state.services.database.writing() as session:  # type: ignore[attr-defined]
        for step in (5, 9):
            session.add(
                CheckpointRow(
                    job_id=job_id,
                    attempt=1,
                    path=f"/runs/{step}",
                    step=step,
                    format="dist_checkpointing",
                    size_bytes=7,
                    created_at=float(step),
                )
            )
    items = stocked.get(f"{JOBS}/{job_id}/checkpoints").json()["items"]
    assert [item["step"] for item in items] == [9, 5]


def test_a_job_that_does_not_exist_is_not_found(client: TestClient) -> None:
    for answer in (
        client.get(f"{JOBS}/none"),
        client.post(f"{JOBS}/none/cancel"),
        client.get(f"{JOBS}/none/checkpoints"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
        assert "none" in answer.json()["error"]["message"]


def _place(client: TestClient, job_id: str) -> None:
    with client.app.state.services.database.writing() as session:  # type: ignore[attr-defined]
        job = session.get_one(JobRow, job_id)
        job.attempt = 1
        session.add(
            AttemptRow(
                job_id=job_id,
                number=1,
                host="box",
                num_devices=1,
                lease_expires_at=2e10,
                message_sent_at=2e10,
                placed_at=1.0,
            )
        )
        transition(session, job, JobState.PLACING, "test", "", 1.0)
