"""One message as every channel gets it, and why it could not be delivered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


class NotDelivered(Exception):
    """The channel did not take it. The sentence is shown to whoever may see the channels: it names no secret."""


@dataclass(frozen=True)
class Outcome:
    """`said`: why it was not delivered, or, where it was, for whom it was refused; shown as the sentence above is."""

    is_delivered: bool
    said: str = ""


@dataclass(frozen=True)
class Letter:
    """`id` stays the same however often it is sent. `url` is the page of the run, "" for a test."""

    id: str
    message: dict[str, Any]
    url: str

    @property
    def subject(self) -> str:
        event, text = self.message["event"], str(self.message["alert"]["text"])
        return f"Over: {text}" if event == "resolved" else text

    def body(self) -> bytes:
        """The same bytes at each try."""
        whole = {"id": self.id, "url": self.url, **self.message}
        return json.dumps(whole, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
