"""How a call that may take long answers: with its result if that comes soon, else with the work."""

from __future__ import annotations

from typing import Any, TypeVar

from fastapi import Response
from pydantic import BaseModel

from backend.works.work import Work
from backend.works.works import Works
from tunedeck.errors import Conflict
from tunedeck.views.works import WorkView

V = TypeVar("V", bound=BaseModel)
WAIT_S = 5.0
LATER: dict[int | str, dict[str, Any]] = {202: {"model": WorkView, "description": "it takes longer: ask for the work"}}


def now_or_later(works: Works, answer: V | Work, response: Response, wait_s: float = WAIT_S) -> V | WorkView:
    """Waits a little for a work; then 202. Raises what the work failed with."""
    if not isinstance(answer, Work):
        return answer
    if not works.wait(answer, wait_s):
        response.status_code = 202
        return answer.view()
    if answer.fault is not None:
        raise answer.fault
    if answer.result is None:
        raise Conflict(f"the {answer.kind} was cancelled", "ask again")
    result: V = answer.result
    return result
