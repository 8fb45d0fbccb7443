"""The Celery application of a worker: it takes wake-up messages from one queue and keeps nothing.

A message is acknowledged before its task runs and the task only starts a thread, so Celery never holds a job: late
acknowledgement would run a job again after the visibility timeout, and revoke(terminate=True) leaves the processes of
a training job alive. What must not be lost is in the backend's database, and what runs is known by `attempts.py`.
"""

from __future__ import annotations

from celery import Celery

from tunedeck.bus import broker_url, queue_of
from tunedeck.settings import Settings
from worker.publisher import SOCKET_TIMEOUT_S

# More than one only so that a message that waits for a slow disk does not hold up the next.
CONCURRENCY = 4


def make_app(settings: Settings, host: str) -> Celery:
    app = Celery("tunedeck", broker=broker_url(settings.resolved_redis_url()), set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_acks_late=False,
        task_default_queue=queue_of(host),
        task_serializer="json",
        accept_content=["json"],
        worker_pool="threads",
        worker_consumer="worker.consumer:SteadyConsumer",
        worker_concurrency=CONCURRENCY,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,  # a bus that refuses writes, because its disk is full, must not end the worker
        broker_connection_timeout=SOCKET_TIMEOUT_S,
        broker_transport_options={
            "socket_timeout": SOCKET_TIMEOUT_S,
            "socket_connect_timeout": SOCKET_TIMEOUT_S,
            "socket_keepalive": not settings.resolved_redis_url().startswith("unix:"),
            "health_check_interval": 15,
        },
    )
    return app
