"""The Upload-Metadata header of tus: `key base64,key base64`."""

from __future__ import annotations

import base64
import binascii
from pathlib import PurePosixPath, PureWindowsPath

from backend.uploads.store import Announced
from tunedeck.errors import BadInput

MAX_HEADER_CHARS = 4096
_LONGEST_FILE_NAME = 200


def announced_of(owner: str, num_bytes: int, header: str, now: float) -> Announced:
    """What the header says of a file. Unknown keys are left out, as tus wants it. Raises BadInput."""
    told = _decoded(header)
    modified = told.get("lastmodified", "0")
    return Announced(
        owner=owner,
        file_name=_base_name(told.get("filename", "")) or "upload",
        num_bytes=num_bytes,
        last_modified_ms=int(modified) if modified.isascii() and modified.isdigit() and len(modified) < 16 else 0,
        created_at=now,
    )


def _decoded(header: str) -> dict[str, str]:
    pairs = (part.strip().partition(" ") for part in header.split(",") if part.strip())
    try:
        return {key: base64.b64decode(value, validate=True).decode() for key, _, value in pairs}
    except (binascii.Error, UnicodeDecodeError, ValueError) as fault:
        message = f"Upload-Metadata is not pairs of a key and base64: {fault}"
        raise BadInput.at("upload-metadata", header, message, "send `filename ` and the name in base64") from fault


def _base_name(name: str) -> str:
    """The last part of a path of any system, so that it can never name a place of ours."""
    last = PureWindowsPath(PurePosixPath(name).name).name
    return "".join(sign for sign in last if sign.isprintable()).strip(". ")[-_LONGEST_FILE_NAME:]
