"""Closed by default: every page and call wants a login, and only our own pages may ask."""

from __future__ import annotations

import stat

import pytest
from fastapi.testclient import TestClient

from backend.accounts.service import SESSION_COOKIE, SESSION_LIFETIME_S, local_path, log_in, require_login
from backend.accounts.token_file import ensure_token
from backend.db.database import Database
from tests.backend.conftest import ADDRESS
from tunedeck.errors import LoginRequired
from tunedeck.settings import Settings


def _token(settings: Settings) -> str:
    return settings.token_file.read_text().strip()


def test_the_first_start_makes_a_token_that_only_its_owner_can_read(stranger: TestClient, settings: Settings) -> None:
    assert len(_token(settings)) >= 43
    assert stat.S_IMODE(settings.token_file.stat().st_mode) == 0o600


def test_every_documented_call_wants_a_login(stranger: TestClient, client: TestClient) -> None:
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    assert len(paths) > 15
    for path, methods in paths.items():
        for method in methods:
            answer = stranger.request(method, path, headers={"Authorization": ""})
            assert answer.status_code == 401, path
            assert method == "head" or answer.json()["error"]["code"] == "login_required", path
    assert stranger.get("/api/v1/openapi.json", headers={"Authorization": ""}).status_code == 401


def test_a_page_without_a_login_leads_to_the_login_and_back(stranger: TestClient, subtests: pytest.Subtests) -> None:
    for path in ["/", "/runs", "/runs/x", "/new", "/data", "/models", "/cluster", "/nowhere"]:
        with subtests.test(path=path):
            answer = stranger.get(f"{path}?a=b")
            assert answer.status_code == 303
            assert answer.headers["location"] == "/login?next=" + path.replace("/", "%2F") + "%3Fa%3Db"


def test_the_link_sets_a_cookie_that_opens_pages_and_calls(stranger: TestClient, settings: Settings) -> None:
    answer = stranger.get("/login", params={"token": _token(settings), "next": "/runs/x"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs/x")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and f"Max-Age={SESSION_LIFETIME_S}" in cookie
    assert stranger.get("/api/v1/jobs").status_code == 200
    assert stranger.get("/runs").status_code == 200


def test_the_form_logs_in_too(stranger: TestClient, settings: Settings) -> None:
    answer = stranger.post("/login", data={"token": _token(settings), "next": "/new"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/new")


def test_a_wrong_token_shows_the_form_again(stranger: TestClient) -> None:
    for answer in (stranger.get("/login?token=wrong"), stranger.post("/login", data={"token": "wrong"})):
        assert answer.status_code == 401
        assert "not valid" in answer.text
        assert "set-cookie" not in answer.headers


def test_a_wrong_bearer_token_is_not_saved_by_a_good_cookie(stranger: TestClient, settings: Settings) -> None:
    stranger.get("/login", params={"token": _token(settings)})
    assert stranger.get("/api/v1/jobs", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert stranger.get("/api/v1/jobs", headers={"Authorization": f"Basic {_token(settings)}"}).status_code == 401


def test_logging_out_ends_the_session(stranger: TestClient, settings: Settings) -> None:
    stranger.get("/login", params={"token": _token(settings)})
    secret = stranger.cookies[SESSION_COOKIE]
    assert stranger.post("/logout").status_code == 303
    stranger.cookies.set(SESSION_COOKIE, secret)
    assert stranger.get("/api/v1/jobs").status_code == 401


def test_a_session_ends_by_itself(database: Database, settings: Settings) -> None:
    secret = log_in(database, ensure_token(settings.token_file, database, 0.0), now=0.0)
    require_login(database, "", secret, SESSION_LIFETIME_S - 1.0)
    with pytest.raises(LoginRequired):
        require_login(database, "", secret, SESSION_LIFETIME_S + 1.0)


@pytest.mark.sqlite_only
def test_the_database_holds_neither_tokens_nor_session_secrets(database: Database, settings: Settings) -> None:
    token = ensure_token(settings.token_file, database, 0.0)
    secret = log_in(database, token, 0.0)
    database.close()
    stored = b"".join(file.read_bytes() for file in settings.data_dir.glob("tunedeck.db*"))
    assert token.encode() not in stored and secret.encode() not in stored


def test_another_token_in_the_file_ends_the_logins_made_with_the_old_one(
    database: Database, settings: Settings
) -> None:
    old = ensure_token(settings.token_file, database, 0.0)
    secret = log_in(database, old, 0.0)
    assert ensure_token(settings.token_file, database, 1.0) == old
    require_login(database, "", secret, 2.0)
    settings.token_file.write_text("a-new-token\n")
    assert ensure_token(settings.token_file, database, 3.0) == "a-new-token"
    require_login(database, "Bearer a-new-token", "", 4.0)
    for authorization, cookie in ((f"Bearer {old}", ""), ("", secret)):
        with pytest.raises(LoginRequired):
            require_login(database, authorization, cookie, 4.0)


@pytest.mark.parametrize("wanted", ["https://evil.example", "//evil.example", "/\\evil.example", "", "/a\r\nb", "runs"])
def test_a_login_leads_nowhere_but_here(wanted: str) -> None:
    assert local_path(wanted) == "/"


def test_a_foreign_origin_is_refused_even_with_a_login(client: TestClient, subtests: pytest.Subtests) -> None:
    for origin in ["https://evil.example", "null", "http://127.0.0.1:9999", "http://[", ""]:
        with subtests.test(origin=origin):
            for answer in (
                client.get("/api/v1/jobs", headers={"Origin": origin}),
                client.post("/api/v1/jobs", json={}, headers={"Origin": origin}),
            ):
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, "origin_refused")
            assert client.get("/runs", headers={"Origin": origin}).status_code == 403


def test_our_own_origin_is_served(client: TestClient) -> None:
    assert client.get("/api/v1/jobs", headers={"Origin": ADDRESS}).status_code == 200


def test_a_foreign_host_is_refused_everywhere(client: TestClient, subtests: pytest.Subtests) -> None:
    for host in ["evil.example", "127.0.0.1.evil.example:8500", "", "[::1", "user@evil.example"]:
        with subtests.test(host=host):
            for path in ("/api/v1/jobs", "/runs", "/login", "/static/css/base.css"):
                assert client.get(path, headers={"Host": host}).status_code == 403


def test_local_names_are_ours_at_any_port(client: TestClient, subtests: pytest.Subtests) -> None:
    for host in ["127.0.0.1:8500", "localhost:1", "LOCALHOST", "[::1]:8500"]:
        with subtests.test(host=host):
            assert client.get("/api/v1/jobs", headers={"Host": host}).status_code == 200
