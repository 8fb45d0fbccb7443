"""engine.log of a job: a window of it, what was searched for in it, all of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.known_jobs import no_such_job
from backend.logs import queries
from tunedeck.log_lines import LogLevel, level_of, may_hold, rank_of
from tunedeck.views.logs import LogLine, LogMatches, LogsView

# Shown in place of lines that the bus lost and that are on their way again.
MISSING = "…"
_LINES_AT_ONCE = 5_000
# A search answers within a second or so, and says from where it goes on.
MOST_LINES_SEARCHED = 1_000_000


@dataclass(frozen=True)
class LineFilter:
    """What a line must have; an empty value asks for nothing."""

    text: str = ""
    rank: int | None = None
    levels: frozenset[LogLevel] = frozenset()

    @cached_property
    def _needle(self) -> str:
        return self.text.casefold()

    def matches(self, line: str) -> bool:
        if self._needle and self._needle not in line.casefold():
            return False
        if self.rank is not None and rank_of(line) not in (self.rank, None):
            return False
        return not self.levels or level_of(line) in self.levels

    def may_match(self, text: str) -> bool:
        """False only where no line of `text` matches: so most of a long log is passed over, a chunk at once."""
        return (not self._needle or self._needle in text.casefold()) and may_hold(text, self.levels)


def logs(database: Database, job_id: str, attempt: int, first_line: int, limit: int) -> LogsView:
    """At most `limit` lines from `first_line` on, counted from 1; -10 means the last ten. `attempt` 0 is the newest.
    Raises NotFound."""
    with database.reading() as session:
        attempt = _attempt(session, job_id, attempt)
        num_lines = queries.num_lines(session, job_id, attempt)
        first = max(1, num_lines + first_line + 1 if first_line < 0 else first_line)
        lines = _window(session, job_id, attempt, first, min(num_lines, first + limit - 1))
    return LogsView(attempt=attempt, first_line=first, lines=tuple(lines), num_lines=num_lines)


def search(
    database: Database, job_id: str, attempt: int, wanted: LineFilter, from_line: int, limit: int, *, backwards: bool
) -> LogMatches:
    """The first `limit` matching lines from `from_line` on, or going back from it; 0 stands for the end that the search
    begins at. Raises NotFound."""
    with database.reading() as session:
        attempt = _attempt(session, job_id, attempt)
        num_lines = queries.num_lines(session, job_id, attempt)
        start = min(from_line, num_lines) if from_line else (num_lines if backwards else 1)
        numbers = range(start, 0, -1) if backwards else range(start, num_lines + 1)
        searched, rest = numbers[:MOST_LINES_SEARCHED], numbers[MOST_LINES_SEARCHED:]
        found = list(islice(_matches(session, job_id, attempt, searched, wanted), limit))
    if len(found) == limit:
        rest = numbers[numbers.index(found[-1].number) + 1 :]
    next_line = rest[0] if rest else 0
    ordered = found[::-1] if backwards else found
    return LogMatches(attempt=attempt, lines=tuple(ordered), next_line=next_line, num_lines=num_lines)


def whole(database: Database, job_id: str, attempt: int) -> Iterator[str]:
    """All lines that are stored, in pieces. Raises NotFound before the first of them."""
    with database.reading() as session:
        attempt = _attempt(session, job_id, attempt)
        num_lines = queries.num_lines(session, job_id, attempt)
    return _pieces(database, job_id, attempt, num_lines)


def _pieces(database: Database, job_id: str, attempt: int, num_lines: int) -> Iterator[str]:
    for first in range(1, num_lines + 1, _LINES_AT_ONCE):
        with database.reading() as session:
            lines = _window(session, job_id, attempt, first, min(num_lines, first + _LINES_AT_ONCE - 1))
        yield "\n".join(lines) + "\n"


def _attempt(session: Session, job_id: str, asked: int) -> int:
    newest = queries.newest_attempt(session, job_id)
    if newest is None:
        raise no_such_job(job_id)
    return asked or newest


def _matches(session: Session, job_id: str, attempt: int, numbers: range, wanted: LineFilter) -> Iterator[LogLine]:
    """In the order of `numbers`, which go up or down by one."""
    for start in range(0, len(numbers), _LINES_AT_ONCE):
        part = numbers[start : start + _LINES_AT_ONCE]
        found = queries.lines(session, job_id, attempt, min(part), max(part), wanted.may_match)
        for number in sorted(found, reverse=numbers.step < 0):
            if wanted.matches(text := found[number]):
                yield LogLine(number=number, text=text, rank=rank_of(text), level=level_of(text))


def _window(session: Session, job_id: str, attempt: int, first: int, last: int) -> list[str]:
    found = queries.lines(session, job_id, attempt, first, last)
    return [found.get(number, MISSING) for number in range(first, last + 1)]
