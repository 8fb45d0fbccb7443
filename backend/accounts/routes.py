"""/login and /logout."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from backend.accounts import service
from backend.http.services import Services, ServicesDep
from backend.pages.rendering import render
from tunedeck.errors import LoginRequired

router = APIRouter(include_in_schema=False)


@router.get("/login")
def login_page(request: Request, services: ServicesDep, token: str = "", next: str = "/") -> Response:
    if token:
        return _log_in(request, services, token, next)
    return _form(request, services, next, 200, None)


@router.post("/login")
def log_in(
    request: Request,
    services: ServicesDep,
    token: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    return _log_in(request, services, token, next)


@router.post("/logout")
def log_out(request: Request, services: ServicesDep) -> Response:
    service.log_out(services.database, request.cookies.get(service.SESSION_COOKIE, ""))
    response = RedirectResponse("/login", 303)
    response.delete_cookie(service.SESSION_COOKIE)
    return response


def _log_in(request: Request, services: Services, token: str, wanted: str) -> Response:
    try:
        secret = service.log_in(services.database, token, time.time())
    except LoginRequired as error:
        return _form(request, services, wanted, error.http_status, error)
    response = RedirectResponse(service.local_path(wanted), 303)
    response.set_cookie(
        service.SESSION_COOKIE,
        secret,
        max_age=service.SESSION_LIFETIME_S,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


def _form(request: Request, services: Services, wanted: str, status: int, error: LoginRequired | None) -> Response:
    context = {"next": service.local_path(wanted), "error": error.as_dict() if error else None}
    return render(services.templates, "login.html", request, status=status, page="login", **context)
