"""/api/v1/uploads: tus 1.0.0 (https://tus.io/protocols/resumable-upload) with creation, expiration, checksum and
termination.

A protocol that others keep and clients exist for, instead of one of our own; multipart forms were rejected because they
begin again at byte 0. When all bytes are here, `POST /datasets` with the id of the upload makes a data set of it.
"""

from __future__ import annotations

import base64
import binascii
import time
from email.utils import formatdate
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from backend.http.error_body import documented
from backend.http.services import OwnerDep, ServicesDep
from backend.uploads.metadata import MAX_HEADER_CHARS, announced_of
from backend.uploads.store import UploadStore
from tunedeck.errors import (
    BadInput,
    ChecksumMismatch,
    Conflict,
    NotFound,
    VersionRefused,
    WrongMediaType,
)
from tunedeck.views.datasets import UploadView
from tunedeck.views.page import Page

router = APIRouter(prefix="/uploads", tags=["uploads"])
TUS_VERSION = "1.0.0"
CONTENT_TYPE = "application/offset+octet-stream"
_UNLIMITED = 1 << 62  # the store has the limit of the settings, which are not known here
_EXTENSIONS = "creation,expiration,checksum,termination"

VersionHeader = Annotated[str, Header(alias="Tus-Resumable", max_length=20)]
COMMON = documented(VersionRefused)
OF_ONE = documented(VersionRefused, NotFound)
WRITING = documented(VersionRefused, NotFound, Conflict, ChecksumMismatch, WrongMediaType)


@router.options("", status_code=204)
def upload_protocol(services: ServicesDep) -> Response:
    """What of tus is spoken here."""
    headers = {
        "Tus-Resumable": TUS_VERSION,
        "Tus-Version": TUS_VERSION,
        "Tus-Extension": _EXTENSIONS,
        "Tus-Checksum-Algorithm": "sha256",
        "Tus-Max-Size": str(services.uploads.max_bytes),
    }
    return Response(status_code=204, headers=headers)


@router.get("")
def list_uploads(services: ServicesDep, owner: OwnerDep) -> Page[UploadView]:
    """Uploads that have not become data sets, newest first: what is missing of each can still be sent."""
    return Page[UploadView](items=services.uploads.all(owner))


@router.post("", status_code=201, response_class=Response, responses=COMMON)
def create_upload(
    services: ServicesDep,
    owner: OwnerDep,
    upload_length: Annotated[int, Header(ge=1, le=2**62)],
    upload_metadata: Annotated[str, Header(max_length=MAX_HEADER_CHARS)] = "",
    tus_resumable: VersionHeader = TUS_VERSION,
) -> Response:
    """Announce a file. Metadata: `filename`, and `lastmodified` in milliseconds, by which a client knows it again."""
    _check_version(tus_resumable)
    made = services.uploads.create(announced_of(owner, upload_length, upload_metadata, time.time()))
    return _answer(201, made, {"Location": f"/api/v1/uploads/{made.id}"})


@router.head("/{upload_id}", response_class=Response, responses=OF_ONE)
def upload_offset(
    upload_id: str, services: ServicesDep, owner: OwnerDep, tus_resumable: VersionHeader = TUS_VERSION
) -> Response:
    """Where to go on."""
    _check_version(tus_resumable)
    return _answer(200, services.uploads.get(owner, upload_id))


@router.patch("/{upload_id}", status_code=204, responses=WRITING, max_body_size=_UNLIMITED)
async def append_to_upload(
    upload_id: str,
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    upload_offset: Annotated[int, Header(ge=0, le=2**62)],
    upload_checksum: Annotated[str, Header(max_length=100, description="`sha256`, a space, base64")] = "",
    tus_resumable: VersionHeader = TUS_VERSION,
) -> Response:
    """Send bytes from `Upload-Offset` on. A coroutine, because the body comes in pieces and none is kept in memory."""
    _check_version(tus_resumable)
    if request.headers.get("content-type", "") != CONTENT_TYPE:
        raise WrongMediaType("the body does not say that it is a part of a file", f"send Content-Type: {CONTENT_TYPE}")
    digest = _digest_of(upload_checksum)
    view = await run_in_threadpool(services.uploads.get, owner, upload_id)
    offset = await _append(services.uploads, view, request, upload_offset, digest)
    return _answer(204, view.model_copy(update={"offset": offset}))


@router.delete("/{upload_id}", status_code=204, responses=documented(VersionRefused, NotFound, Conflict))
def remove_upload(
    upload_id: str, services: ServicesDep, owner: OwnerDep, tus_resumable: VersionHeader = TUS_VERSION
) -> Response:
    """Give an upload up; what has arrived of it is deleted."""
    _check_version(tus_resumable)
    services.uploads.remove(owner, upload_id)
    return Response(status_code=204, headers={"Tus-Resumable": TUS_VERSION})


async def _append(store: UploadStore, view: UploadView, request: Request, offset: int, sha256: bytes) -> int:
    with store.appending(view, offset, sha256) as appender:
        try:
            async for chunk in request.stream():
                await run_in_threadpool(appender.write, chunk)
        except ClientDisconnect as fault:
            raise BadInput("the connection broke off", "ask with HEAD where to go on") from fault
        return await run_in_threadpool(appender.finish)


def _answer(status: int, upload: UploadView, more: dict[str, str] | None = None) -> Response:
    headers = {
        "Tus-Resumable": TUS_VERSION,
        "Upload-Offset": str(upload.offset),
        "Upload-Length": str(upload.num_bytes),
        "Upload-Expires": formatdate(upload.expires_at, usegmt=True),
        "Cache-Control": "no-store",
    }
    return Response(status_code=status, headers=headers | (more or {}))


def _check_version(asked: str) -> None:
    if asked != TUS_VERSION:
        raise VersionRefused(f"tus {asked!r} is not spoken here", f"send Tus-Resumable: {TUS_VERSION}")


def _digest_of(header: str) -> bytes:
    """The digest of an Upload-Checksum header; empty where there is none."""
    if not header:
        return b""
    algorithm, _, encoded = header.partition(" ")
    try:
        digest = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        digest = b""
    if algorithm != "sha256" or len(digest) != 32:
        message = f"Upload-Checksum is {header!r}, not sha256 and 32 bytes in base64"
        raise BadInput.at("upload-checksum", header, message, "send `sha256 `, then the digest in base64")
    return digest
