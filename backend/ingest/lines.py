"""Lines of events.jsonl become events, and the place in the file that they reach is worked out.

A line that is not an event is logged and left out. It still takes up a sequence number, or everything behind it would
look like a gap for ever.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from pydantic import ValidationError

from tunedeck.bus import EventsMessage
from tunedeck.events import Event, event_adapter

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ParsedLines:
    """The events of one message, which were consecutive lines: sequence numbers `first_seq` to `last_seq`."""

    events: tuple[Event, ...]
    first_seq: int
    last_seq: int

    def contiguous_after(self, seq: int) -> int:
        """Up to which number everything is there, where everything up to `seq` was there before."""
        return max(seq, self.last_seq) if self.first_seq <= seq + 1 else seq


def parse(message: EventsMessage, expected_seq: int) -> ParsedLines:
    """`expected_seq` numbers the first line where no line of the message says its own number."""
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
    if not events:
        return ParsedLines((), expected_seq, expected_seq + len(message.lines) - 1)
    return ParsedLines(tuple(events), first_seq, last_seq)


def _parse_line(message: EventsMessage, line: str) -> Event | None:
    try:
        return event_adapter.validate_json(line)
    except ValidationError as fault:
        where = (message.job_id, message.attempt, line[:200], fault)
        log.error("job %s, attempt %d: a line that is no event is left out: %s: %s", *where)
        return None
