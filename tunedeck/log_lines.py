"""What a line of engine.log says of itself: its rank and how grave it is.

The log is what people and libraries print, so gravity is read from words, as a reader would. A line that names no rank
belongs to all of them.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

# So many are sent and stored at once, at most.
MOST_LINES_OF_CHUNK: Final = 500


class LogLevel(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


_RANK = re.compile(r"\[rank ?(\d+)\]")
# Case counts: OutOfMemoryError is one, terror is none.
_ERROR = re.compile(
    r"\b(?:\w*Error|\w*Exception|error|ERROR|exception|[Tt]raceback|[Cc]ritical|CRITICAL"
    r"|[Ff]atal|FATAL|[Ff]ail(?:ed|ure)|FAILED|[Kk]illed|[Aa]borted|[Oo]ut of memory)\b"
)
_WARNING = re.compile(r"\b(?:\w*Warning|[Ww]arn(?:ing)?|WARN(?:ING)?|[Dd]eprecated)\b")


def rank_prefix(rank: int) -> str:
    return f"[rank {rank}] "


def rank_of(line: str) -> int | None:
    """The rank at the head of a line; None where it names none. PyTorch's own `[rank3]:` counts, too."""
    found = _RANK.match(line)
    return int(found.group(1)) if found else None


def level_of(line: str) -> LogLevel:
    if _ERROR.search(line):
        return LogLevel.ERROR
    return LogLevel.WARNING if _WARNING.search(line) else LogLevel.INFO


def may_hold(text: str, levels: frozenset[LogLevel]) -> bool:
    """False only where no line of `text`, which may be thousands, has one of these levels.

    Found by the words alone: the expressions above take 80 ns a character, and a log has millions.
    """
    if LogLevel.INFO in levels or not levels:
        return True
    lowered = text.lower()
    return any(word in lowered for level in levels for word in _WORDS[level])


# Whatever matches an expression holds one of these in small letters.
_WORDS = {
    LogLevel.ERROR: (
        *("error", "exception", "traceback", "critical", "fatal", "failed", "failure", "killed", "aborted"),
        "out of memory",
    ),
    LogLevel.WARNING: ("warn", "deprecated"),
}
