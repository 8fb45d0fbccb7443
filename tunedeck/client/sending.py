"""A large file on its way to the service, over tus 1.0: in parts with a checksum each, and never twice.

A part that fails because the connection broke is sent again from where the service has got to; what an earlier program
run left unfinished is found by file name, size and time of change. tus-py-client was rejected: it needs requests beside
httpx, and knows no checksum of parts.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx

from tunedeck.client.faults import from_response, from_transport, raise_for_error
from tunedeck.errors import BadInput, Unavailable
from tunedeck.views.datasets import UploadView

PART_BYTES = 8 << 20
_TRIES = 8
_FIRST_PAUSE_S = 0.5
_TUS = {"Tus-Resumable": "1.0.0"}
_AGAIN = (409, 423, 460, 500, 502, 503, 504)


def send_file(
    http: httpx.Client, api: str, file: Path, unfinished: Sequence[UploadView], on_sent: Callable[[int, int], None]
) -> tuple[str, str]:
    """The id of the complete upload and the SHA-256 of the file in hexadecimal. Raises BadInput for no such file, and
    what the service raises."""
    try:
        facts = file.stat()
    except OSError as fault:
        raise BadInput.at("FILE", str(file), f"{file} cannot be read: {fault.strerror}", "name a file") from fault
    modified_ms = facts.st_mtime_ns // 1_000_000
    upload = _begun_before(file, facts.st_size, modified_ms, unfinished) or _begin(
        http, api, file, facts.st_size, modified_ms
    )
    whole = hashlib.sha256()
    with file.open("rb") as content:
        sent = 0
        while part := content.read(PART_BYTES):
            whole.update(part)
            sent += len(part)
            if sent > upload.offset:
                _send_part(http, f"{api}/uploads/{upload.id}", part, sent - len(part))
            on_sent(sent, facts.st_size)
    return upload.id, whole.hexdigest()


def _begun_before(file: Path, num_bytes: int, modified_ms: int, unfinished: Sequence[UploadView]) -> UploadView | None:
    wanted = (file.name, num_bytes, modified_ms)
    return next(
        (each for each in unfinished if (each.file_name, each.num_bytes, each.last_modified_ms) == wanted), None
    )


def _begin(http: httpx.Client, api: str, file: Path, num_bytes: int, modified_ms: int) -> UploadView:
    told = {"filename": file.name, "lastmodified": str(modified_ms)}
    metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in told.items())
    headers = _TUS | {"Upload-Length": str(num_bytes), "Upload-Metadata": metadata}
    try:
        response = http.post(f"{api}/uploads", headers=headers)
    except httpx.TransportError as fault:
        raise from_transport(fault, str(http.base_url)) from fault
    raise_for_error(response)
    return UploadView(
        id=response.headers["Location"].rsplit("/", 1)[-1],
        file_name=file.name,
        num_bytes=num_bytes,
        offset=0,
        last_modified_ms=modified_ms,
        created_at=time.time(),
        expires_at=0.0,
    )


def _send_part(http: httpx.Client, address: str, part: bytes, start: int) -> None:
    """Until all of it is there: a part may have arrived though its answer was lost."""
    pause_s = _FIRST_PAUSE_S
    for attempt in range(_TRIES):
        try:
            offset = _offset(http, address) if attempt else start
            skipped = offset - start
            if skipped >= len(part):
                return None
            response = _patch(http, address, part[skipped:], offset)
            if response.status_code not in _AGAIN:
                return raise_for_error(response)
            fault: Exception = from_response(response)
        except httpx.TransportError as broken:
            fault = broken
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 10.0)
    message = f"the upload broke off at byte {start:,}: {fault}"
    raise Unavailable(message, "give the same command again; it goes on from there") from fault


def _offset(http: httpx.Client, address: str) -> int:
    response = http.head(address, headers=_TUS)
    raise_for_error(response)
    return int(response.headers["Upload-Offset"])


def _patch(http: httpx.Client, address: str, part: bytes, offset: int) -> httpx.Response:
    digest = base64.b64encode(hashlib.sha256(part).digest()).decode()
    headers = _TUS | {
        "Content-Type": "application/offset+octet-stream",
        "Upload-Offset": str(offset),
        "Upload-Checksum": f"sha256 {digest}",
    }
    return http.patch(address, content=part, headers=headers)
