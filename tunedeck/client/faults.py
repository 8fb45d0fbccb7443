"""From an HTTP answer, or from none, to an error of errors.py: what the service raised is raised here again.

A code that this version does not know becomes the general error of its HTTP status; its words are kept.
"""

from __future__ import annotations

from typing import Any

import httpx

from tunedeck import errors
from tunedeck.errors import Problem, TunedeckError, Unavailable


def raise_for_error(response: httpx.Response) -> None:
    """Do nothing for 2xx. The body of an error must have been read."""
    if response.is_success:
        return
    raise from_response(response)


def from_response(response: httpx.Response) -> TunedeckError:
    fault = _fault_of(response)
    if fault is None:
        return _not_ours(response)
    kind = _class_of(str(fault.get("code", "")), response.status_code)
    problems = tuple(
        Problem(str(each.get("field", "")), each.get("value"), str(each.get("message", "")), str(each.get("mend", "")))
        for each in fault.get("problems", ())
    )
    return kind(str(fault.get("message", "")), str(fault.get("mend", "")), problems)


def from_transport(error: httpx.TransportError, url: str) -> Unavailable:
    if isinstance(error, httpx.TimeoutException):
        return Unavailable(f"{url} did not answer in time", "look at the service's logs, or try again")
    mend = "start the service with `tunedeck up`, or say where it is with --url or TUNEDECK_URL"
    if isinstance(error, httpx.ConnectError):
        return Unavailable(f"nothing answers at {url}", mend)
    return Unavailable(f"the connection to {url} broke: {error}", "try again; is the service still running?")


def _fault_of(response: httpx.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    fault = body.get("error") if isinstance(body, dict) else None
    return fault if isinstance(fault, dict) else None


def _not_ours(response: httpx.Response) -> TunedeckError:
    """A proxy, or another program on the port: its page is no use to anybody, its first words may be."""
    words = " ".join(response.text.split())[:200]
    message = f"{response.url} answered {response.status_code}, which is no answer of Tunedeck: {words or '(nothing)'}"
    return _general(response.status_code)(message, "is this the address of a Tunedeck service?")


def _class_of(code: str, status: int) -> type[TunedeckError]:
    return errors.by_code().get(code) or _general(status)


def _general(status: int) -> type[TunedeckError]:
    by_status: dict[int, type[TunedeckError]] = {
        400: errors.BadInput,
        401: errors.LoginRequired,
        403: errors.OriginRefused,
        404: errors.NotFound,
        409: errors.Conflict,
        413: errors.TooLarge,
        422: errors.BadInput,
    }
    return by_status.get(status, Unavailable if status > 500 else TunedeckError)
