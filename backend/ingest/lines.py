"""Lines of events.jsonl become events and rows of the feed, and the place in the file that they reach is worked out.

A line that is not an event is logged and left out. It still takes up a sequence number, or everything behind it would
look like a gap for ever.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from tunedeck.bus import EventsMessage
from tunedeck.events import Event, event_adapter

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ParsedLines:
    """The events of one message, which were `num_lines` consecutive lines: sequence numbers `first_seq` to `last_seq`.
    Where no line says its own number they are taken for those that are expected next. `rows` are what EventRow keeps of
    the events, one each."""

    events: tuple[Event, ...]
    rows: tuple[dict[str, Any], ...]
    first_seq: int
    last_seq: int
    num_lines: int

    def is_next_after(self, seq: int) -> bool:
        """Whether nothing is missing between these lines and everything up to `seq`."""
        return self.first_seq <= seq + 1

    def contiguous_after(self, seq: int) -> int:
        """Up to which number everything is there, where everything up to `seq` was there before."""
        if not self.events:
            return seq + self.num_lines
        return max(seq, self.last_seq) if self.is_next_after(seq) else seq


def parse(message: EventsMessage) -> ParsedLines:
    events: list[Event] = []
    first_seq = last_seq = 0
    for place, line in enumerate(message.lines):
        event = _parse_line(message, line)
        if event is None:
            last_seq += 1
            continue
        first_seq = first_seq or max(1, event.seq - place)
        last_seq = event.seq
        events.append(event)
    rows = tuple(_row(message, event) for event in events)
    return ParsedLines(tuple(events), rows, first_seq, last_seq, len(message.lines))


def _parse_line(message: EventsMessage, line: str) -> Event | None:
    try:
        return event_adapter.validate_json(line)
    except ValidationError as fault:
        where = (message.job_id, message.attempt, line[:200], fault)
        log.error("job %s, attempt %d: a line that is no event is left out: %s: %s", *where)
        return None


def _row(message: EventsMessage, event: Event) -> dict[str, Any]:
    return {
        "job_id": message.job_id,
        "attempt": message.attempt,
        "seq": event.seq,
        "kind": event.kind,
        "step": getattr(event, "step", None),
        "t": event.t,
        "payload": event.model_dump(mode="json"),
    }
