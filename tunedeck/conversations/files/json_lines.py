"""One JSON object a line. A line that cannot be read is a fault of its row; the next one can still be.

orjson reads what the standard library reads too, twice as fast. Where it refuses, the standard library decides: half a
surrogate pair is valid JSON, and the checks shall name it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from tunedeck.conversations.faults import Fault, excerpt, file_fault
from tunedeck.conversations.files.bytestream import CHUNK_BYTES, ByteStream

MEND_JSON: Final = "write a JSON array of objects, or one JSON object a line (JSONL), in UTF-8"
_MOST_ROW_BYTES = 1 << 26


def line_rows(path: Path, stream: ByteStream) -> Iterator[tuple[int, dict[str, Any] | Fault]]:
    """Blank lines are no rows. Raises DatasetInvalid for a row of more than 64 MiB."""
    number = 0
    with stream:
        for line in lines(path, stream):
            number += 1
            yield number, parsed(line)


def lines(path: Path, stream: ByteStream) -> Iterator[bytes]:
    """The lines that are not blank, without white space around them."""
    for block in line_blocks(path, stream, CHUNK_BYTES):
        yield from lines_of(block)


def lines_of(block: bytes) -> Iterator[bytes]:
    """Blank lines are left out."""
    for line in block.split(b"\n"):
        if line := line.strip():
            yield line


def line_blocks(path: Path, stream: ByteStream, num_bytes: int) -> Iterator[bytes]:
    """Blocks of whole lines, of about `num_bytes` where no line is longer."""
    rest = b""
    start = 0
    while chunk := stream.read(max(num_bytes, len(rest))):
        block = rest + chunk if rest or start else chunk.removeprefix(b"\xef\xbb\xbf")
        end = block.rfind(b"\n") + 1
        if end:
            yield block[:end]
        rest = block[end:]
        start += end
        if len(rest) > _MOST_ROW_BYTES:
            what = f"a line is longer than {_MOST_ROW_BYTES:,} bytes"
            raise file_fault(path, f"behind byte {start:,}", what, "write one object a line, or split the conversation")
    if rest.strip():
        yield rest


def parsed(line: bytes) -> dict[str, Any] | Fault:
    try:
        value = orjson.loads(line)
    except ValueError:
        try:
            value = json.loads(line.decode())
        except UnicodeDecodeError as error:
            around = line[max(error.start - 10, 0) : error.start + 10]
            return Fault("encoding", f"not UTF-8 text near {around!r}", "save the file as UTF-8")
        except (ValueError, RecursionError) as error:
            return Fault("malformed", not_json(line[:60].decode(errors="replace"), error), MEND_JSON)
    if not isinstance(value, dict):
        return Fault("malformed", f"{excerpt(value)} is not a JSON object", MEND_JSON)
    return value


def not_json(text: str, error: Exception) -> str:
    reason = f"{error.msg} at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else str(error)
    return f"not valid JSON ({reason}): {excerpt(text)}"
