"""Runs that are put away, and the words by which they are found again."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from tests.support.backend import SPEC

JOBS = "/api/v1/jobs"
# What SQL there is in it, test_search.py tries on both databases.
pytestmark = pytest.mark.any_database


def listed(client: TestClient, **query: str) -> set[str]:
    return {job["name"] for job in client.get(JOBS, params=query).json()["items"]}


def made(client: TestClient, name: str) -> str:
    job_id: str = client.post(JOBS, json={**SPEC, "name": name}).json()["id"]
    return job_id


def test_an_archived_job_is_listed_only_where_the_archive_is_asked_for(stocked: TestClient) -> None:
    away, kept = made(stocked, "away"), made(stocked, "kept")
    refusal = stocked.post(f"{JOBS}/{away}/archive")
    assert refusal.status_code == 409
    assert "queued" in refusal.json()["error"]["message"]
    for job_id in (away, kept):
        stocked.post(f"{JOBS}/{job_id}/cancel", json={})
    archived = stocked.post(f"{JOBS}/{away}/archive").json()
    assert archived["archived_at"] > 0
    assert (archived["actions"][-1], archived["transitions"][-1]["why"]) == ("unarchive", "archived")
    assert stocked.post(f"{JOBS}/{away}/archive").json() == archived
    assert listed(stocked) == listed(stocked, q="archived:no") == {"kept"}
    assert listed(stocked, archived="yes") == listed(stocked, q="archived:yes") == {"away"}
    assert listed(stocked, archived="any") == {"kept", "away"}
    stocked.post(f"{JOBS}/{away}/unarchive")
    assert listed(stocked) == {"kept", "away"}


def test_many_are_archived_at_once_and_each_refusal_stands_alone(stocked: TestClient) -> None:
    over, waiting = made(stocked, "over"), made(stocked, "waiting")
    stocked.post(f"{JOBS}/{over}/cancel", json={})
    asked = {"jobs": [over, waiting], "action": {"action": "archive"}}
    results = stocked.post(f"{JOBS}/actions", json=asked).json()["results"]
    assert [result["error"] is None for result in results] == [True, False]
    assert listed(stocked) == {"waiting"}


def test_a_retry_takes_a_job_out_of_the_archive(stocked: TestClient) -> None:
    job_id = made(stocked, "again")
    stocked.post(f"{JOBS}/{job_id}/cancel", json={})
    stocked.post(f"{JOBS}/{job_id}/archive")
    assert stocked.post(f"{JOBS}/{job_id}/retry", json={}).json()["archived_at"] is None
    assert listed(stocked) == {"again"}


def test_tags_are_added_and_removed_and_told_in_the_history(stocked: TestClient) -> None:
    job_id = made(stocked, "tagged")
    tag = f"{JOBS}/{job_id}/tag"
    assert stocked.post(tag, json={"add": ["b", "a", "lr=1e-5"]}).json()["tags"] == ["a", "b", "lr=1e-5"]
    detail = stocked.post(tag, json={"add": ["c", "a"], "remove": ["b", "x"]}).json()
    assert detail["tags"] == ["a", "c", "lr=1e-5"]
    assert detail["transitions"][-1]["why"] == "tags: +c, −b"
    assert stocked.post(tag, json={"add": ["a"], "remove": ["b"]}).json() == detail, "asked twice"
    assert stocked.get(JOBS).json()["items"][0]["tags"] == ["a", "c", "lr=1e-5"]


@pytest.mark.parametrize("tag", ["two words", "", "a,b", 'a"b', "<b>", "x" * 41])
def test_what_is_no_tag_is_refused_at_its_field(stocked: TestClient, tag: str) -> None:
    answer = stocked.post(f"{JOBS}/{made(stocked, 'n')}/tag", json={"add": [tag]})
    assert answer.status_code == 422
    assert answer.json()["error"]["problems"][0]["field"] == "add.0"


def test_a_job_has_a_bounded_number_of_tags(stocked: TestClient) -> None:
    tag = f"{JOBS}/{made(stocked, 'n')}/tag"
    assert stocked.post(tag, json={"add": [f"t{number}" for number in range(30)]}).status_code == 200
    answer = stocked.post(tag, json={"add": ["one-more"]})
    assert answer.status_code == 409
    assert "at most 30" in answer.json()["error"]["mend"]
    assert stocked.post(tag, json={"add": ["one-more"], "remove": ["t0"]}).status_code == 200


def test_the_list_says_up_to_where_of_the_feed_it_tells(stocked: TestClient) -> None:
    """What the stream says beyond is newer than the list, and nothing else is."""
    job_id = made(stocked, "told")
    seen = stocked.get(JOBS).json()
    stocked.post(f"{JOBS}/{job_id}/cancel", json={})
    later = stocked.get(f"{JOBS}/{job_id}/events", params={"kind": "job"}).json()["items"]
    assert [int(event["id"]) <= int(seen["as_of"]) for event in later] == [True, False]
    only = stocked.get(JOBS, params={"id": [job_id, "nosuch"], "state": "cancelled"}).json()
    assert [job["id"] for job in only["items"]] == [job_id]
    assert int(only["as_of"]) >= int(later[-1]["id"])
