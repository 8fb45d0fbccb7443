"""Where the service is and which token it wants: what was asked for, else what `up` left in the data folder."""

from __future__ import annotations

from tunedeck.client.rest import Client
from tunedeck.errors import LoginRequired
from tunedeck.settings import Settings
from tunedeck.up.address import Address
from tunedeck.up.port import base_url


def connect(url: str, token: str, settings: Settings) -> Client:
    """ "" means: find it. Raise LoginRequired if no token is to be found; nothing is sent yet."""
    return Client(url or local_url(settings), token or _local_token(url, settings))


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
