"""Files of conversations for tests: written in every format, read back as conversations."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tunedeck.conversations import Conversation, Message, Reading
from tunedeck.conversations.scan import read_conversations

HELLO = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
HELLO_MESSAGES = (Message("user", "hi", False), Message("assistant", "hello", True))
GOOD = json.dumps({"messages": HELLO})

Row = dict[str, Any]


def write(folder: Path, content: bytes | str | list[Any], name: str = "data.json") -> Path:
    """A file of the given bytes or text, or of rows in the format that the name ends in."""
    path = folder / name
    path.write_bytes(_encoded(content, name))
    return path


def read(path: Path, reading: Reading = Reading()) -> list[Conversation | None]:  # noqa: B008 - frozen
    return [conversation for _, conversation in read_conversations(path, reading)]


def _encoded(content: bytes | str | list[Any], name: str) -> bytes:
    if name.endswith(".gz"):
        return gzip.compress(_encoded(content, name.removesuffix(".gz")))
    if name.endswith(".zst"):
        return pa.compress(_encoded(content, name.removesuffix(".zst")), "zstd", asbytes=True)
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode()
    return _rows_as(content, name)


def _rows_as(rows: list[Any], name: str) -> bytes:
    if name.endswith(".jsonl"):
        return "\n".join(json.dumps(row) for row in rows).encode()
    if name.endswith(".csv"):
        return _csv(rows)
    sink = io.BytesIO()
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=2)
    elif name.endswith(".arrow"):
        _write_ipc(pa.ipc.new_file, sink, rows)
    elif name.endswith(".arrows"):
        _write_ipc(pa.ipc.new_stream, sink, rows)
    else:
        sink.write(json.dumps(rows).encode())
    return sink.getvalue()


def _write_ipc(new: Any, sink: io.BytesIO, rows: list[Row]) -> None:
    table = pa.Table.from_pylist(rows)
    with new(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def _csv(rows: list[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    for row in rows:
        writer.writerow({key: value if isinstance(value, str) else json.dumps(value) for key, value in row.items()})
    return text.getvalue().encode()
