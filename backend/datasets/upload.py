"""An upload on its way to the disk: multipart parsed chunk by chunk, straight into the folder where it will stay.

Starlette's own form parser was rejected: it spools into the system's temporary folder first, which is often small,
needs the space twice, and tells a full disk as a bad request. The unfinished file lies in a folder of its own
(`.upload-<id>`) that goes whatever happens.
"""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pydantic import TypeAdapter, ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from backend.http.validation import problems_of
from tunedeck.errors import BadInput, Problem, TooLarge
from tunedeck.ids import new_id
from tunedeck.spec import Name

if TYPE_CHECKING:  # the library defines it for type checkers only
    from python_multipart.multipart import MultipartCallbacks

_UNFINISHED = ".upload-"
_LONGEST_FIELD_BYTES = 1024
_LONGEST_FILE_NAME = 80
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]|^\.")
_name_adapter: TypeAdapter[str] = TypeAdapter(Name)


@dataclass(frozen=True)
class Upload:
    """A complete upload: the name it shall have, what the user's file was called, and where it lies for now."""

    name: str
    file_name: str
    path: Path

    @property
    def suffix(self) -> str:
        return ".json" if self.path.suffix.lower() == ".json" else ".jsonl"


def remove_unfinished(folder: Path) -> None:
    """What uploads left in `folder` when the process was killed. Only for the start, before any upload runs."""
    for left in folder.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(left)


class UploadReader:
    """Takes the body of a multipart request in pieces. `close` removes what is left of it."""

    def __init__(self, content_type: str, folder: Path, max_bytes: int) -> None:
        self._folder = folder / f"{_UNFINISHED}{new_id()}"
        self._max_bytes = max_bytes
        self._num_bytes = 0
        self._fields: dict[str, bytearray] = {}
        self._file_name = ""
        self._file: BinaryIO | None = None
        self._field = ""
        self._header_name, self._header_value = bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._parser = MultipartParser(_boundary(content_type), self._callbacks())

    def feed(self, chunk: bytes) -> None:
        """Blocking. Raises BadInput, TooLarge, and OSError as the disk gives it."""
        self._num_bytes += len(chunk)
        if self._num_bytes > self._max_bytes:
            raise TooLarge(f"the upload is larger than {self._max_bytes:,} bytes", "raise TUNEDECK_MAX_UPLOAD_BYTES")
        try:
            self._parser.write(chunk)
        except FormParserError as fault:
            raise _malformed(str(fault)) from fault

    def finish(self) -> Upload:
        """The upload, all of it on disk. Raises BadInput with every field that is missing or wrong."""
        try:
            self._parser.finalize()
        except FormParserError as fault:
            raise _malformed("it ends too early") from fault
        problems: list[Problem] = []
        name = self._checked_name(problems)
        if self._file is None:
            problems.append(Problem("file", None, "file is missing", "add the file as a part named `file`"))
        if problems or self._file is None:
            raise BadInput(problems[0].message, problems[0].mend, tuple(problems))
        self._file.close()
        return Upload(name, self._file_name, Path(self._file.name))

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # what a full disk did not take is removed anyway
                self._file.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _checked_name(self, problems: list[Problem]) -> str:
        if "name" not in self._fields:
            problems.append(Problem("name", None, "name is missing", "add a part named `name`"))
            return ""
        try:
            return _name_adapter.validate_python(self._fields["name"].decode("utf-8", "replace"))
        except ValidationError as fault:
            errors = [{**error, "loc": ("name",)} for error in fault.errors(include_url=False)]
            problems.extend(problems_of(errors))
            return ""

    def _callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._on_part_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
        }

    def _on_part_begin(self) -> None:
        self._headers = {}

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[bytes(self._header_name).lower()] = bytes(self._header_value)
        self._header_name, self._header_value = bytearray(), bytearray()

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._field = options.get(b"name", b"").decode("utf-8", "replace")
        if self._field not in ("name", "file") or self._field in self._fields:
            raise BadInput.at(
                self._field, None, f"there is no field {self._field!r} or it came twice", "send name, file"
            )
        self._fields[self._field] = bytearray()
        if self._field == "file":
            self._file_name = Path(options.get(b"filename", b"").decode("utf-8", "replace")).name or "upload"
            self._file = self._open()

    def _open(self) -> BinaryIO:
        self._folder.mkdir(parents=True)
        return (self._folder / (_UNSAFE.sub("_", self._file_name)[-_LONGEST_FILE_NAME:])).open("wb")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field == "file" and self._file is not None:
            self._file.write(data[start:end])
            return
        self._fields[self._field] += data[start:end]
        if len(self._fields[self._field]) > _LONGEST_FIELD_BYTES:
            raise TooLarge(f"the field {self._field!r} is longer than {_LONGEST_FIELD_BYTES} bytes", "send less")


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise _malformed(f"its Content-Type is {content_type!r}")
    return boundary


def _malformed(why: str) -> BadInput:
    return BadInput(
        f"the upload is not a multipart form: {why}", "send multipart/form-data with the parts name and file"
    )
