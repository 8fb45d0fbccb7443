"""How a worker on another host finds what it needs: the bus tells it where the service's folders are.

It waits a while for a bus and a backend that may be starting, then ends with a sentence: what starts it (systemd,
Kubernetes, a shell) is who tries again.
"""

from __future__ import annotations

import logging
import time

import redis

from tunedeck import __version__
from tunedeck.bus import SERVICE_KEY, ServiceRecord
from tunedeck.errors import Unavailable
from tunedeck.settings import Settings
from tunedeck.shared_folder import require_here

logger = logging.getLogger(__name__)

PATIENCE_S = 30.0
POLL_S = 0.5


def joined(settings: Settings, bus: redis.Redis, patience_s: float = PATIENCE_S) -> Settings:
    """The settings with the service's data folder. Raises Unavailable."""
    record = _service_of(bus, patience_s)
    data_dir = require_here(record)
    if record.version != __version__:
        logger.warning("the service has version %s, this worker %s: install the same", record.version, __version__)
    logger.info("joins the service whose data folder is %s", data_dir)
    return settings.model_copy(update={"data_dir": data_dir})


def _service_of(bus: redis.Redis, patience_s: float) -> ServiceRecord:
    deadline = time.monotonic() + patience_s
    while True:
        missing = "no backend has spoken on this bus"
        try:
            if found := bus.get(SERVICE_KEY):
                return ServiceRecord.model_validate_json(found)
        except redis.AuthenticationError as fault:
            raise Unavailable(
                f"the bus refuses the password: {fault}", "copy the address that `tunedeck up` prints"
            ) from None
        except redis.RedisError as fault:
            missing = f"the bus does not answer: {fault}"
        if time.monotonic() > deadline:
            raise Unavailable(missing, "check the address, the firewall, and that the service runs")
        time.sleep(POLL_S)
