"""What REST takes, refuses and never gives."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from backend.accounts.secret import sha256_of
from backend.alerts import service
from backend.db.tables.accounts import TokenRow

pytestmark = pytest.mark.any_database
ALERTS = "/api/v1/alerts"
HOOK = {"kind": "webhook", "url": "https://hooks.example.org/services/very-secret", "secret": "x" * 20}
MAIL = {
    "kind": "email",
    "host": "mail.example.org",
    "sender": "t@example.org",
    "recipients": ["a@example.org"],
    "password": "very-secret",
}


def test_a_secret_is_taken_and_never_given(client: TestClient) -> None:
    hook = client.post(f"{ALERTS}/channels", json={"name": "hook", "to": HOOK}).json()
    client.post(f"{ALERTS}/channels", json={"name": "mail", "to": MAIL})
    made = client.post(
        f"{ALERTS}/channels", json={"name": "made", "to": {"kind": "webhook", "url": HOOK["url"]}}
    ).json()
    assert hook["secret"] == ""
    assert len(made["secret"]) > 30, "a key that was made is shown once"
    shown = client.get(f"{ALERTS}/channels")
    assert [channel["where"] for channel in shown.json()["items"]] == [
        "https://hooks.example.org/…",
        "a@example.org by mail.example.org:587",
        "https://hooks.example.org/…",
    ]
    assert "very-secret" not in shown.text and "xxxx" not in shown.text and made["secret"] not in shown.text
    kept = {"name": "hook-2", "enabled": False, "to": {"kind": "webhook"}}
    changed = client.put(f"{ALERTS}/channels/{hook['id']}", json=kept).json()
    assert (changed["name"], changed["enabled"], changed["where"], changed["secret"]) == (
        "hook-2",
        False,
        "https://hooks.example.org/…",
        "",
    )


@pytest.mark.parametrize(
    "to",
    [
        {"kind": "webhook", "url": "ftp://example.org/"},
        {"kind": "webhook", "url": "https://me:word@example.org/"},
        {"kind": "webhook", "url": ""},
        {"kind": "webhook", "url": "https://example.org/", "secret": "short"},
        MAIL | {"sender": "a@example.org\r\nBcc: b@example.org"},
    ],
)
def test_a_channel_that_cannot_be_meant_is_refused(client: TestClient, to: dict[str, object]) -> None:
    answer = client.post(f"{ALERTS}/channels", json={"name": "hook", "to": to})
    assert answer.status_code == 422
    assert "word@" not in answer.text and "short" not in answer.text


def test_where_alerts_go_is_for_the_administrator(client: TestClient) -> None:
    with client.app.state.services.database.writing() as session:  # type: ignore[attr-defined]
        session.add(TokenRow(id="second", name="second", sha256=sha256_of("their token"), created_at=0.0))
    theirs = {"Authorization": "Bearer their token"}
    refused = client.post(f"{ALERTS}/channels", json={"name": "hook", "to": HOOK}, headers=theirs)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "admin_required")
    assert client.get(f"{ALERTS}/rules", headers=theirs).status_code == 200


def test_the_rules_of_the_start_can_be_changed_and_removed(client: TestClient) -> None:
    rules = {rule["id"]: rule for rule in client.get(f"{ALERTS}/rules").json()["items"]}
    assert set(rules) == {"failed", "finished", "not-a-number", "silent", "loss-spike"}
    failed = {key: value for key, value in rules["failed"].items() if key != "id"}
    assert client.put(f"{ALERTS}/rules/failed", json=failed | {"enabled": False}).json()["enabled"] is False
    assert client.delete(f"{ALERTS}/rules/silent").status_code == 200
    assert client.delete(f"{ALERTS}/rules/silent").status_code == 404
    unknown = {"kind": "metric", "metric": "lose", "comparison": "above", "threshold": 1}
    answer = client.post(f"{ALERTS}/rules", json={"name": "mine", "when": unknown})
    assert (answer.status_code, answer.json()["error"]["problems"][0]["field"]) == (422, "when.metric")


def test_there_is_an_end_to_rules(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_RULES", 6)
    mine = {"name": "mine", "when": {"kind": "state", "state": "paused"}}
    added = client.post(f"{ALERTS}/rules", json=mine)
    assert added.status_code == 201
    assert client.post(f"{ALERTS}/rules", json=mine).status_code == 409
    assert client.put(f"{ALERTS}/rules/{added.json()['id']}", json=mine).status_code == 200


def test_a_test_lies_in_the_outbox_and_can_be_sent_again(client: TestClient) -> None:
    channel = client.post(f"{ALERTS}/channels", json={"name": "hook", "to": HOOK}).json()
    sent = client.post(f"{ALERTS}/channels/{channel['id']}/test").json()
    assert (sent["event"], sent["state"], sent["channel"]) == ("test", "waiting", "hook")
    assert client.get(f"{ALERTS}/deliveries").json()["items"][0]["id"] == sent["id"]
    assert client.post(f"{ALERTS}/deliveries/{sent['id']}/resend").status_code == 200
    assert client.post(f"{ALERTS}/deliveries/nobody/resend").status_code == 404
