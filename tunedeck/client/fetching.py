"""A file from the service, written piece by piece: an artifact may be larger than the memory of who fetches it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx

from tunedeck.client.faults import from_transport, raise_for_error
from tunedeck.errors import BadInput


def _unseen(num_bytes: int) -> None: ...


def fetch_file(http: httpx.Client, path: str, target: Path, on_size: Callable[[int], None] = _unseen) -> None:
    """Write it to `target`, whose folders are made; `on_size` is told its bytes before the first comes, where the
    service says them. Raises what the service raises, and BadInput where the file cannot be written."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with http.stream("GET", path) as response:
            if response.is_error:
                response.read()
            raise_for_error(response)
            if "Content-Length" in response.headers:
                on_size(int(response.headers["Content-Length"]))
            with target.open("wb") as file:
                for piece in response.iter_bytes():
                    file.write(piece)
    except httpx.TransportError as error:
        raise from_transport(error, str(http.base_url)) from error
    except OSError as fault:
        message = f"{target} cannot be written: {fault.strerror}"
        raise BadInput.at("FILE", str(target), message, "name another file") from fault
