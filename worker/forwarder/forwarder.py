"""Publishes what the engine wrote: events first, then log lines, at last how it ended. One forwarder per attempt.

The files are the truth and the bus is a wire: what the bus lost is read from the files and sent again, from the
position that the bus still has, or, if it has none, from what the backend has in its database. The forwarder never
decides that an attempt is over; it only tells its caller what the bus answered.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from enum import Enum, auto

from tunedeck.bus import BusMessage, EndedMessage, EventsMessage, ExitReport, LogMessage, RunAttempt
from tunedeck.run_folder import RunFolder
from worker.forwarder.line_tail import LineTail
from worker.forwarder.log_text import shown
from worker.forwarder.position import START, Position
from worker.forwarder.rewind import position_after
from worker.publisher import Publisher, Verdict

logger = logging.getLogger(__name__)

MAX_EVENT_BYTES = 16 << 20  # an event is sent whole or not at all
MAX_LOG_LINE_BYTES = 16 << 10


class Progress(Enum):
    MORE = auto()  # more is waiting to be published at once
    MOVED_ON = auto()  # something was published
    IDLE = auto()  # all that is written is published
    BLOCKED = auto()  # the bus does not take more now
    FENCED = auto()  # the attempt has been replaced: publish nothing more


class Forwarder:
    """Methods that publish may raise redis.RedisError; calling again goes on where the bus stands."""

    def __init__(self, publisher: Publisher, folder: RunFolder, order: RunAttempt, host: str) -> None:
        self._publisher = publisher
        self._folder = folder
        self._order = order
        self._host = host
        self._events = LineTail(folder.events, MAX_EVENT_BYTES)
        self._log = LineTail(folder.engine_log, MAX_LOG_LINE_BYTES)
        self._position = START
        self._bus_lost_all = False
        self._ended_entry = ""

    def close(self) -> None:
        self._events.close()
        self._log.close()

    def forward(self, final: bool) -> Progress:
        """Publish one batch of each file. `final`: the processes are gone, so a torn last log line is a line."""
        if self._bus_lost_all and not self._rewind_to_ingested():
            return Progress.BLOCKED
        progress = self._forward_events()
        if progress in (Progress.IDLE, Progress.MOVED_ON):
            log_progress = self._forward_log(final)
            return progress if log_progress is Progress.IDLE else log_progress
        return progress

    def publish_end(self, report: ExitReport) -> Progress:
        """Publish how the attempt ended. Call it only after `forward(final=True)` was IDLE."""
        order = self._order
        message = EndedMessage(job_id=order.job_id, attempt=order.attempt, host=self._host, report=report)
        return self._publish(message, replace(self._position, ended=1), more_follow=False)

    def is_end_ingested(self) -> bool:
        """Whether the backend has committed the end: it trims an entry only after that.

        A bus that lost the end in between makes `end_is_published` false, and all goes on from where it stands.
        """
        on_bus = self._publisher.read_position()
        if on_bus != self._position:
            self._go_to(on_bus)
            return False
        return not self._publisher.has_entry(self._ended_entry)

    @property
    def end_is_published(self) -> bool:
        return self._position.ended == 1

    def _forward_events(self) -> Progress:
        found = self._events.read(self._position.events_offset)
        if not found.lines:
            return Progress.IDLE
        message = EventsMessage(
            job_id=self._order.job_id,
            attempt=self._order.attempt,
            lines=tuple(line.decode(errors="replace") for line in found.lines),
        )
        return self._publish(message, replace(self._position, events_offset=found.end_offset), found.more_follow)

    def _forward_log(self, final: bool) -> Progress:
        found = self._log.read(self._position.log_offset, final)
        if not found.lines:
            return Progress.IDLE
        message = LogMessage(
            job_id=self._order.job_id,
            attempt=self._order.attempt,
            first_line=self._position.log_line,
            lines=tuple(shown(line) for line in found.lines),
        )
        after = replace(
            self._position, log_offset=found.end_offset, log_line=self._position.log_line + len(found.lines)
        )
        return self._publish(message, after, found.more_follow)

    def _publish(self, message: BusMessage, after: Position, more_follow: bool) -> Progress:
        reply = self._publisher.publish(message, after)
        if reply.verdict is Verdict.SENT:
            self._position = after
            self._ended_entry = reply.entry if after.ended else ""
            return Progress.MORE if more_follow else Progress.MOVED_ON
        if reply.verdict is Verdict.MOVED:
            self._go_to(reply.position)
            return Progress.MORE
        return Progress.FENCED if reply.verdict is Verdict.FENCED else Progress.BLOCKED

    def _go_to(self, on_bus: Position) -> None:
        logger.warning(
            "job %s attempt %d: the bus stands at %s, we at %s; going there",
            self._order.job_id, self._order.attempt, on_bus, self._position,
        )  # fmt: skip
        self._bus_lost_all = on_bus == START
        self._position = on_bus

    def _rewind_to_ingested(self) -> bool:
        """The backend writes its control records again soon after a loss; until then nothing can be sent."""
        control = self._publisher.read_control()
        if control is None:
            return False
        if control.attempt == self._order.attempt:
            self._position = position_after(control, self._folder)
        self._bus_lost_all = False
        return True
