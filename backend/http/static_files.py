"""Static files and how long browsers keep them.

Under `/static/<file>` a browser asks each time whether its copy is still good (ETag). Under `/static/v-<hash>/<file>`,
where the hash is that of all files together, it keeps the copy for a year; as the hash is a folder, ES modules that
import each other by relative paths carry it along. A query (`?v=`) was rejected, because it would be lost there.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from functools import cached_property
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

PLOTLY_PATH = "plotly.min.js"
_VERSIONED = re.compile(r"^v-[0-9a-f]{12}/")
_FOREVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


def mount_static_files(app: FastAPI, folder: Path) -> None:
    app.mount("/static", VersionedFiles(folder), name="static")


def content_hash(folder: Path) -> str:
    """Of every file below `folder`, names and bytes, and of the version of plotly: 12 hex digits."""
    digest = hashlib.sha256(version("plotly").encode())
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


class VersionedFiles(StaticFiles):
    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder)
        self.plotly = PlotlyScript()

    async def get_response(self, path: str, scope: Scope) -> Response:
        bare = _VERSIONED.sub("", path)
        if bare == PLOTLY_PATH and scope["method"] == "GET":
            response = await run_in_threadpool(self.plotly.response, Headers(scope=scope))
        else:
            response = await super().get_response(bare, scope)
        response.headers["Cache-Control"] = _ASK_AGAIN if bare == path else _FOREVER
        return response


class PlotlyScript:
    """The plotly.js that the plotly package ships, so that figures made in Python and in the browser agree.

    It is by far the largest file (4.8 MB, 1.5 MB compressed), so it is compressed once, not for each request.
    """

    def response(self, headers: Headers) -> Response:
        etag = f'"plotly-{version("plotly")}"'
        own = {"ETag": etag, "Vary": "Accept-Encoding"}
        if etag in headers.get("if-none-match", ""):
            return NotModifiedResponse(Headers(own))
        if "gzip" in headers.get("accept-encoding", ""):
            return Response(self._compressed, headers=own | {"Content-Encoding": "gzip"}, media_type="text/javascript")
        return Response(plotly_source(), headers=own, media_type="text/javascript")

    @cached_property
    def _compressed(self) -> bytes:
        return gzip.compress(plotly_source(), compresslevel=6, mtime=0)


def plotly_source() -> bytes:
    return (files("plotly") / "package_data" / PLOTLY_PATH).read_bytes()
