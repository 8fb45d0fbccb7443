"""PostgreSQL's text cannot hold the character NUL, which SQLite's can: a log line or a search may contain one."""

from __future__ import annotations

from psycopg.abc import Buffer
from psycopg.types.string import StrDumperUnknown

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class NulFreeDumper(StrDumperUnknown):
    """Sends U+FFFD in place of each NUL. Refusing was rejected: one odd byte in a log would stop its whole message."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\0", REPLACEMENT) if "\0" in obj else obj)
