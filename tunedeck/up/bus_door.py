"""The embedded bus's door for workers on other hosts: a TCP port with a password, and only where `bus_listen` asks.

Whoever has the password can make every worker run what they like, so it is 256 random bits, in a file that only its
owner reads, and on no command line. Traffic is not encrypted: the port belongs into a private network or a tunnel.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from tunedeck.secret_file import read_or_make
from tunedeck.settings import Settings
from tunedeck.up.port import free_port

EVERYWHERE = ("0.0.0.0", "::", "*")


@dataclass(frozen=True)
class BusDoor:
    """`config`: what Valkey reads the password from."""

    address: str
    port: int
    password: str
    config: Path

    @classmethod
    def of(cls, settings: Settings) -> BusDoor | None:
        """None where nobody asked for one. Raises Conflict where the port is taken. Makes the password once."""
        if not settings.bus_listen:
            return None
        address, _, port = settings.bus_listen.rpartition(":")
        address = address.strip("[]")
        settings.bus_dir.mkdir(mode=0o700, exist_ok=True)
        password = read_or_make(settings.bus_dir / "password")
        config = settings.bus_dir / "valkey.conf"
        config.touch(mode=0o600)
        config.write_text(f"requirepass {password}\n")
        return cls(address, free_port("0.0.0.0" if address == "*" else address, int(port)), password, config)

    def arguments(self) -> tuple[str, ...]:
        """Of the server: the configuration first, which the others are laid over."""
        bind = ("*", "-::*") if self.address in EVERYWHERE else ("127.0.0.1", self.address)
        return (str(self.config), "--bind", " ".join(dict.fromkeys(bind)), "--port", str(self.port))

    def local_url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def join_url(self) -> str:
        """As another host would call it."""
        host = socket.getfqdn() if self.address in EVERYWHERE else self.address
        return f"redis://:{self.password}@{f'[{host}]' if ':' in host else host}:{self.port}/0"
