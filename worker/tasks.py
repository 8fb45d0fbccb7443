"""The one Celery task. It turns a wake-up message into an attempt, or into nothing if the message is no longer true."""

from __future__ import annotations

import logging

from celery import Celery
from pydantic import ValidationError

from tunedeck.bus import RUN_ATTEMPT_TASK, RunAttempt
from worker.attempts import Attempts

logger = logging.getLogger(__name__)


def register_tasks(app: Celery, attempts: Attempts) -> None:
    @app.task(name=RUN_ATTEMPT_TASK)  # type: ignore[untyped-decorator]
    def run_attempt(order_json: str) -> None:
        try:
            order = RunAttempt.model_validate_json(order_json)
        except ValidationError:
            # The scheduler sends what it holds to be right, so backend and worker are of different versions.
            logger.exception("a message was refused; do backend and worker have the same version?")
            return
        attempts.start(order)
