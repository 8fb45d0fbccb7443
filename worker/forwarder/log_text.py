"""Makes a line of engine.log fit to be shown: valid text, of bounded length, as a terminal would leave it.

A carriage return puts the cursor back, so of a progress bar only the last state is kept. Colours and other terminal
sequences are removed. What was cut says so.
"""

from __future__ import annotations

import re

MAX_LOG_LINE_CHARS = 4_000

_TERMINAL_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


def shown(line: bytes) -> str:
    """The text of one line; bytes that are no UTF-8 become U+FFFD."""
    text = line.rstrip(b"\r\n").rpartition(b"\r")[2].decode(errors="replace")
    text = _TERMINAL_SEQUENCE.sub("", text)
    if len(text) <= MAX_LOG_LINE_CHARS:
        return text
    return f"{text[:MAX_LOG_LINE_CHARS]} [cut: the line has {len(text):,} characters or more; engine.log has all of it]"
