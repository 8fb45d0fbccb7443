from __future__ import annotations

from pathlib import Path

import pytest

from tests.client import samples
from tests.client.service import StandIn
from tunedeck.client import connect
from tunedeck.errors import BadInput, LoginRequired
from tunedeck.settings import Settings
from tunedeck.up.address import Address


def test_url_and_token_are_found_in_the_data_folder(service: StandIn, tmp_path: Path) -> None:
    Address(url=service.url, pid=1).write(tmp_path)
    (tmp_path / "token").write_text("from-the-file\n")
    service.on("GET /jobs/j1", samples.detail())
    with connect("", "", Settings(data_dir=tmp_path)) as client:
        client.job("j1")
    assert service.asked[0].headers["authorization"] == "Bearer from-the-file"


def test_what_is_given_goes_before_what_is_found(service: StandIn, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-the-file\n")
    with connect("http://127.0.0.1:1", "given", Settings(data_dir=tmp_path)) as client:
        assert client.url == "http://127.0.0.1:1"


def test_without_an_up_the_settings_say_where_it_should_be(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    with connect("", "", Settings(data_dir=tmp_path, port=8512)) as client:
        assert client.url == "http://127.0.0.1:8512"


def test_the_token_of_the_data_folder_is_never_sent_to_another_address(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    with pytest.raises(LoginRequired, match=r"no token was given for http://elsewhere\.example"):
        connect("http://elsewhere.example", "", Settings(data_dir=tmp_path))


@pytest.mark.parametrize("url", ["localhost:8500", "ftp://localhost", "http://", "http://127.0.0.1:port"])
def test_what_is_no_address_is_named(tmp_path: Path, url: str) -> None:
    with pytest.raises(BadInput) as refusal:
        connect(url, "given", Settings(data_dir=tmp_path))
    assert [(problem.field, problem.value) for problem in refusal.value.problems] == [("--url", url)]


def test_a_folder_that_never_served_says_how_to_start(tmp_path: Path) -> None:
    with pytest.raises(LoginRequired) as refusal:
        connect("", "", Settings(data_dir=tmp_path))
    assert "tunedeck up" in refusal.value.mend
