"""Celery's consumer, but one that comes back to the bus a second after the bus has come back.

Celery waits two seconds longer after each failed try, up to thirty, and has no setting for it. After an outage a
worker would hear of no attempt for so long that the lease of one that was placed on it is over, and the next one's too.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from celery.worker.consumer import Consumer

RETRY_EVERY_S = 1.0


class SteadyConsumer(Consumer):  # type: ignore[misc]
    def ensure_connected(self, conn: Any) -> Any:
        conn.ensure_connection = partial(
            conn.ensure_connection, interval_start=RETRY_EVERY_S, interval_step=0, interval_max=RETRY_EVERY_S
        )
        return super().ensure_connected(conn)
