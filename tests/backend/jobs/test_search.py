"""The language of the search: what each term finds, on both databases, and what is said where one makes no sense."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, func, select

from backend.db.database import Database
from backend.db.tables.jobs import JobRow
from backend.db.tables.spec_index import JobSectionRow, SpecValueRow
from backend.jobs import spec_index
from backend.jobs.search.fields import Kind, spec_fields
from backend.jobs.search.terms import read_terms
from tests.support.backend import SPEC
from tunedeck.errors import BadInput

JOBS = "/api/v1/jobs"
SPECS = {
    "fox-small": {"optimizer": {"lr": 1e-5}, "seed": 1},
    "fox-large": {"optimizer": {"lr": 5e-4, "lr_decay_style": "linear"}, "seed": 2},
    "hen": {"optimizer": {"lr": 5e-4}, "checkpointing": {"async_save": False}, "queue": {"priority": 7}},
}

# q → the names that it finds
FINDS = {
    "": {"fox-small", "fox-large", "hen"},
    "FOX": {"fox-small", "fox-large"},
    "fox large": {"fox-large"},
    '"fox large"': set(),
    "-fox": {"hen"},
    "base": {"fox-small"},
    "name:fox -name=fox-small": {"fox-large"},
    "name=fox": set(),
    "tag:base": {"fox-small"},
    "tag=base": set(),
    "tag=baseline": {"fox-small"},
    "tag:baseline,old": {"fox-small", "hen"},
    "-tag:old": {"fox-small", "fox-large"},
    "state:cancelled": {"hen"},
    "state!=cancelled": {"fox-small", "fox-large"},
    "state:queued,cancelled model:tin dataset=CHATS": {"fox-small", "fox-large", "hen"},
    "priority>=7": {"hen"},
    "priority<0": set(),
    "optimizer.lr>1e-5": {"fox-large", "hen"},
    "lr<=0.00001": {"fox-small"},
    "lr=5e-4 optimizer.lr_decay_style=linear": {"fox-large"},
    "lr!=5e-4": {"fox-small"},
    "seed:1,42": {"fox-small", "hen"},
    "async_save:no": {"hen"},
    "precision.fp8_format:none": {"fox-small", "fox-large", "hen"},
    "precision.params_dtype=fp32": {"fox-small", "fox-large", "hen"},
    "data.validation_dataset:none": {"fox-small", "fox-large", "hen"},
    "hardware.device:cpu num_layers:2": {"fox-small", "fox-large", "hen"},
    'notes:"too hot"': {"fox-large"},
    "-notes:hot fox": {"fox-small"},
    "best_validation_loss<1": {"fox-small"},
    "-best_validation_loss<1": {"fox-large", "hen"},
    "archived:yes": set(),
    "%": set(),
}


@pytest.fixture
def three(stocked: TestClient) -> TestClient:
    ids = {name: stocked.post(JOBS, json={**SPEC, **spec, "name": name}).json()["id"] for name, spec in SPECS.items()}
    assert stocked.post(f"{JOBS}/{ids['fox-small']}/tag", json={"add": ["baseline"]}).status_code == 200
    stocked.post(f"{JOBS}/{ids['hen']}/tag", json={"add": ["old"]})
    stocked.post(f"{JOBS}/{ids['hen']}/cancel", json={})
    written = stocked.put(f"{JOBS}/{ids['fox-large']}/notes", json={"markdown": "ran **too hot**", "version": 0})
    assert written.status_code == 200, written.text
    database: Database = stocked.app.state.services.database  # type: ignore[attr-defined]
    with database.writing() as session:
        session.get_one(JobRow, ids["fox-small"]).best_validation_loss = 0.5
    return stocked


def test_each_term_finds_what_it_says(three: TestClient) -> None:
    for q, names in FINDS.items():
        answer = three.get(JOBS, params={"q": q})
        assert answer.status_code == 200, (q, answer.text)
        assert {job["name"] for job in answer.json()["items"]} == names, q


@pytest.mark.any_database
def test_every_field_of_a_spec_can_be_searched_for(three: TestClient) -> None:
    """A job is found by each value of its spec, under the path of it."""
    database: Database = three.app.state.services.database  # type: ignore[attr-defined]
    parts = select(JobSectionRow.section).join(JobRow, JobRow.id == JobSectionRow.job_id)
    with database.reading() as session:
        of_hen = SpecValueRow.section.in_(parts.where(JobRow.name == "hen"))
        values = dict(session.execute(select(SpecValueRow.path, SpecValueRow.text).where(of_hen)).tuples().all())
    assert values.keys() == spec_fields().keys()
    terms = [f'{path}="{text}"' for path, text in values.items()]
    for first in range(0, len(terms), 5):
        some = " ".join(terms[first : first + 5])
        answer = three.get(JOBS, params={"q": some})
        assert answer.status_code == 200, (some, answer.text)
        assert "hen" in {job["name"] for job in answer.json()["items"]}, some


@pytest.mark.any_database
def test_equal_sections_are_stored_once(stocked: TestClient) -> None:
    database: Database = stocked.app.state.services.database  # type: ignore[attr-defined]

    def num_values() -> int:
        with database.reading() as session:
            return session.scalar(select(func.count()).select_from(SpecValueRow)) or 0

    stocked.post(JOBS, json=SPEC)
    before = num_values()
    assert before >= len(spec_fields())
    stocked.post(JOBS, json={**SPEC, "name": "second"})
    assert num_values() == before
    stocked.post(JOBS, json={**SPEC, "name": "third", "optimizer": {"lr": 0.5}})
    num_of_optimizer = sum(path.startswith("optimizer.") for path in spec_fields())
    assert num_values() == before + num_of_optimizer


@pytest.mark.any_database
def test_jobs_that_were_stored_before_the_index_are_found_after_a_start(
    three: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spec_index, "_MISSING_AT_ONCE", 1)
    database: Database = three.app.state.services.database  # type: ignore[attr-defined]
    hen = select(JobRow.id).where(JobRow.name == "hen")
    with database.writing() as session:
        session.execute(delete(JobSectionRow).where(JobSectionRow.job_id.not_in(hen)))
        session.execute(delete(SpecValueRow))
    for _ in range(2):
        spec_index.add_missing(database)
        found = three.get(JOBS, params={"q": "lr>0"}).json()["items"]
        assert {job["name"] for job in found} == {"fox-small", "fox-large"}, "the index of hen is not touched"


@pytest.mark.any_database
def test_a_draft_is_found_by_what_it_becomes(stocked: TestClient) -> None:
    """Its spec is resolved again when it is released."""
    made = stocked.post(f"{JOBS}?draft=true", json=SPEC).json()
    stocked.post(f"{JOBS}/{made['id']}/release", json={})
    assert [job["id"] for job in stocked.get(JOBS, params={"q": "train_iters>0"}).json()["items"]] == [made["id"]]


@pytest.mark.parametrize(
    ("q", "message", "mend"),
    [
        ("optimzer.lr>1", "no field optimzer.lr", "did you mean optimizer.lr?"),
        ("fp8_recip:blockwise", "no field fp8_recip", "did you mean precision.fp8_recipe?"),
        ("http://host", "no field http", '"http://host"'),
        ("state:faild", "state is never 'faild'", "did you mean failed?"),
        ("lr>fast", "optimizer.lr is a number, and 'fast' is none", "optimizer.lr>0.5"),
        ("lr>", "lr> lacks a value", "optimizer.lr>0.5"),
        ("lr>1,2", "> wants one number", "optimizer.lr>0.5"),
        ("name>a", "name has no order", "use : or ="),
        ("async_save:perhaps", "true or false, not 'perhaps'", "async_save:true"),
        ("path:x", "path may be several fields", "model.path or data.path"),
        ('name:"a b', "has no partner", "close it"),
    ],
)
def test_what_makes_no_sense_is_told_with_what_was_meant(q: str, message: str, mend: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_terms(q)
    assert message in caught.value.message
    assert mend in caught.value.mend
    assert caught.value.problems[0].field == "q"


def test_kinds_of_fields_are_those_of_the_models() -> None:
    kinds = {name: each.kind for name, each in spec_fields().items()}
    assert kinds["optimizer.lr"] is kinds["batching.num_epoch"] is Kind.NUMBER
    assert kinds["tracking.use_wandb"] is Kind.FLAG
    assert kinds["precision.fp8_recipe"] is Kind.CHOICE
    assert kinds["model.path"] is Kind.TEXT
    assert "none" in spec_fields()["precision.fp8_recipe"].choices
