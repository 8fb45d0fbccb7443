from __future__ import annotations

import socket

import pytest

from tunedeck.errors import BadInput, Conflict
from tunedeck.up.port import base_url, free_port


def test_a_port_in_use_is_refused_by_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Conflict, match=f"port {port} of 127.0.0.1 is in use"):
            free_port("127.0.0.1", port)


def test_port_0_chooses_one_that_can_be_listened_on() -> None:
    port = free_port("127.0.0.1", 0)
    with socket.create_server(("127.0.0.1", port)):
        assert port > 0


def test_an_address_of_another_machine_is_refused_at_the_host_field() -> None:
    with pytest.raises(BadInput) as refusal:
        free_port("192.0.2.1", 0)  # RFC 5737: never assigned
    assert [problem.field for problem in refusal.value.problems] == ["host"]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("box.example", "http://box.example:80"),
    ],
)
def test_the_url_is_one_that_a_browser_here_can_open(host: str, url: str) -> None:
    assert base_url(host, 80) == url
