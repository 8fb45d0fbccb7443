"""Sends the Celery message that wakes a worker.

A bare Celery application without a backend and without retries: a message that cannot be sent now is sent again by the
scheduler, which knows whether it is still wanted. kombu's own retries would block the scheduler for as long as the bus
is away, because by default they never end.
"""

from __future__ import annotations

import logging

from celery import Celery

from backend.bus import SOCKET_TIMEOUT_S
from backend.scheduler.placement import Dispatch
from tunedeck.bus import RUN_ATTEMPT_TASK, broker_url, queue_of

log = logging.getLogger(__name__)


class Dispatcher:
    def __init__(self, redis_url: str) -> None:
        self._celery = Celery("tunedeck", broker=broker_url(redis_url), set_as_current=False)
        self._celery.conf.update(
            task_ignore_result=True,
            task_serializer="json",
            broker_connection_timeout=SOCKET_TIMEOUT_S,
            broker_transport_options={
                "socket_timeout": SOCKET_TIMEOUT_S,
                "socket_connect_timeout": SOCKET_TIMEOUT_S,
                "max_retries": 1,
                "interval_start": 0,
            },
        )

    def send(self, dispatch: Dispatch) -> None:
        """May raise kombu.exceptions.OperationalError."""
        self._celery.send_task(
            RUN_ATTEMPT_TASK,
            args=(dispatch.message.model_dump_json(),),
            queue=queue_of(dispatch.host),
            retry=False,
            ignore_result=True,
        )
        log.info("sent attempt %d of job %s to %s", dispatch.message.attempt, dispatch.message.job_id, dispatch.host)

    def close(self) -> None:
        self._celery.close()
