from __future__ import annotations

import socket

import pytest

from tests.client import samples
from tests.client.service import StandIn
from tunedeck import errors
from tunedeck.client import Client
from tunedeck.errors import TunedeckError
from tunedeck.spec import JobSpec


def test_every_call_carries_the_token(service: StandIn, client: Client) -> None:
    service.on("GET /jobs/j1", samples.detail())
    assert client.job("j1").latest["loss"] == 1.25
    assert service.asked[0].headers["authorization"] == "Bearer secret"


def test_a_spec_is_sent_as_asked_without_the_defaults(service: StandIn, client: Client) -> None:
    service.on("POST /jobs", samples.detail(state="queued"), status=201)
    client.submit(JobSpec(name="demo", model="demo-base", dataset="demo-questions"))
    assert service.asked[0].body == samples.SPEC


def test_a_number_that_json_has_not_reaches_the_service_which_names_its_field(service: StandIn, client: Client) -> None:
    service.on("POST /jobs", samples.fault("spec_invalid", "optimizer.lr is nan"), status=422)
    with pytest.raises(errors.SpecInvalid, match=r"optimizer\.lr is nan"):
        client.submit({"optimizer": {"lr": float("nan")}})


def test_an_id_with_the_signs_of_an_address_stays_one_part_of_it(service: StandIn, client: Client) -> None:
    for job_id in ("j1?x=1", "j1#x", "../models"):
        with pytest.raises(errors.NotFound):
            client.job(job_id)
    sent = [asked.path.removeprefix("/api/v1/jobs/") for asked in service.asked]
    assert sent == ["j1%3Fx%3D1", "j1%23x", "..%2Fmodels"]


def test_jobs_go_on_over_all_pages(service: StandIn, client: Client) -> None:
    first = samples.page(samples.job("j3"), samples.job("j2"), next_cursor="after-j2")
    service.on("GET /jobs", first, samples.page(samples.job("j1")))
    assert [job.id for job in client.jobs(state=["running", "queued"])] == ["j3", "j2", "j1"]
    assert service.asked[0].query == {"state": ["running", "queued"], "limit": ["50"]}
    assert service.asked[1].query["cursor"] == ["after-j2"]


def test_no_page_is_asked_for_that_nobody_wants(service: StandIn, client: Client) -> None:
    service.on("GET /jobs", samples.page(samples.job("j2"), next_cursor="more"))
    assert next(client.jobs()).id == "j2"
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (422, "spec_invalid", errors.SpecInvalid),
        (409, "illegal_transition", errors.IllegalTransition),
        (507, "disk_full", errors.DiskFull),
        (404, "not_found", errors.NotFound),
        (422, "a_code_of_tomorrow", errors.BadInput),
        (503, "a_code_of_tomorrow", errors.Unavailable),
        (500, "internal", TunedeckError),
    ],
)
def test_what_the_service_raised_is_raised_here(
    service: StandIn, client: Client, status: int, code: str, kind: type[TunedeckError]
) -> None:
    service.on("GET /jobs/j1", samples.fault(code, "the sentence", "the mend"), status=status)
    with pytest.raises(TunedeckError) as caught:
        client.job("j1")
    assert type(caught.value) is kind
    assert (caught.value.message, caught.value.mend) == ("the sentence", "the mend")


def test_every_fault_of_a_spec_arrives_with_its_field(service: StandIn, client: Client) -> None:
    problems = [
        {"field": "optimizer.lr", "value": -1, "message": "must be above 0", "mend": "choose 1e-5"},
        {"field": "model", "value": "x", "message": "is not registered", "mend": "register it"},
    ]
    service.on("POST /jobs", samples.fault("spec_invalid", "2 faults", "", *problems), status=422)
    with pytest.raises(errors.SpecInvalid) as caught:
        client.submit(samples.SPEC)
    assert [(problem.field, problem.value) for problem in caught.value.problems] == [
        ("optimizer.lr", -1),
        ("model", "x"),
    ]


def test_another_program_on_the_port_is_recognised(service: StandIn, client: Client) -> None:
    service.on("GET /health", "<h1>Bad gateway</h1>", status=502)
    with pytest.raises(errors.Unavailable, match=r"answered 502, which is no answer of Tunedeck: <h1>Bad gateway</h1>"):
        client.health()


def test_a_newer_service_is_an_error_that_says_so(service: StandIn, client: Client) -> None:
    service.on("GET /jobs/j1", samples.detail() | {"colour": "blue"})
    with pytest.raises(TunedeckError, match="does not understand") as caught:
        client.job("j1")
    assert "same version" in caught.value.mend


def test_nobody_there_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with (
        Client(url, "secret") as client,
        pytest.raises(errors.Unavailable, match=f"nothing answers at {url}") as caught,
    ):
        client.health()
    assert "tunedeck up" in caught.value.mend


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    service: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    service.on("GET /jobs/j1", samples.detail())
    with Client(service.url, "secret") as client:
        assert client.job("j1").id == "j1"
