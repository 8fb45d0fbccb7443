"""Where the service is and which token it wants: what was asked for, else what `up` left in the data folder."""

from __future__ import annotations

import httpx

from tunedeck.client.rest import Client
from tunedeck.errors import BadInput, LoginRequired
from tunedeck.settings import Settings
from tunedeck.up.address import Address
from tunedeck.up.port import base_url


def connect(url: str, token: str, settings: Settings) -> Client:
    """ "" means: find it. Raise BadInput for no address, LoginRequired if no token is found; nothing is sent yet."""
    if url:
        _require_address(url)
    return Client(url or local_url(settings), token or _local_token(url, settings))


def _require_address(url: str) -> None:
    mend = "write it like http://127.0.0.1:8500"
    try:
        is_address = httpx.URL(url).scheme in ("http", "https") and bool(httpx.URL(url).host)
    except httpx.InvalidURL as fault:
        raise BadInput.at("--url", url, f"{url!r} is no address: {fault}", mend) from None
    if not is_address:
        raise BadInput.at("--url", url, f"{url!r} is no address of a service", mend)


def local_url(settings: Settings) -> str:
    address = Address.read(settings.data_dir)
    return address.url if address is not None else base_url(settings.host, settings.port)


def _local_token(url: str, settings: Settings) -> str:
    """The token of the data folder is for its own service only: it is never sent to another address."""
    if url and url.rstrip("/") != local_url(settings):
        raise LoginRequired(f"no token was given for {url}", "give one with --token or TUNEDECK_TOKEN")
    try:
        return settings.token_file.read_text().strip()
    except FileNotFoundError:
        raise LoginRequired(
            f"there is no token in {settings.data_dir.absolute()}",
            "start the service with `tunedeck up`, run this in the folder where it runs, or give --url and --token",
        ) from None
