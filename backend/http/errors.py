"""Every exception that leaves a route becomes one answer: JSON below /api/, a page elsewhere.

What nobody foresaw becomes a 500 without details (the log has them) and is raised again so that it is logged; it is
never swallowed.
"""

from __future__ import annotations

import errno
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from backend.db.faults import disk_full
from backend.http.error_body import error_json, presentable
from backend.http.headers import SECURITY_HEADERS
from backend.http.validation import problems_of
from backend.pages.rendering import render
from tunedeck.errors import BadInput, LoginRequired, TunedeckError

_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
_MENDS = {
    404: "look at the address",
    405: "look the method up in /api/v1/openapi.json",
    413: "send less",
}


def install_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(TunedeckError, _on_tunedeck_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(OSError, _on_os_error)
    app.add_exception_handler(Exception, _on_anything_else)


def error_response(request: Request, error: TunedeckError) -> Response:
    """What `request` gets for `error`. Pages without a login go to the login page and come back."""
    if isinstance(error, LoginRequired) and not _is_api(request) and request.method == "GET":
        return RedirectResponse(f"/login?next={quote(_asked(request), safe='')}", 303)
    return _answer(request, error.as_dict(), error.http_status)


def _asked(request: Request) -> str:
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def _is_api(request: Request) -> bool:
    return request.url.path.startswith("/api/")


def _answer(request: Request, error: dict[str, Any], status: int) -> Response:
    if _is_api(request):
        return error_json(error, status)
    shown = presentable(error) | {"status": status}
    return render(request.app.state.services.templates, "error.html", request, status=status, page="", error=shown)


async def _on_tunedeck_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, TunedeckError)
    return error_response(request, error)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = problems_of(error.errors())
    return error_response(request, BadInput(problems[0].message, problems[0].mend, problems))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code
    if status == 400:  # FastAPI's answer to a body that it cannot decode; all bad input is a 422 here
        return error_response(request, BadInput("the body cannot be read", "send valid JSON in UTF-8"))
    content = {
        "code": _CODES.get(status, "http_error"),
        "message": f"{request.method} {request.url.path}: {error.detail}",
        "mend": _MENDS.get(status, "look at the request"),
        "problems": [],
    }
    response = _answer(request, content, status)
    response.headers.update(error.headers or {})
    return response


async def _on_os_error(request: Request, error: Exception) -> Response:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return error_response(request, disk_full("what was sent"))
    raise error


async def _on_anything_else(request: Request, error: Exception) -> Response:
    """Starlette raises the error again after this answer, so the server logs it."""
    unforeseen = TunedeckError("something went wrong here that nobody foresaw", "look into the log of the backend")
    response = error_response(request, unforeseen)
    response.headers.update(SECURITY_HEADERS)  # this answer does not pass the middleware any more
    return response
