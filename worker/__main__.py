"""`python -m worker`: takes attempts for this host until SIGTERM or SIGINT, then ends them and itself.

Ending is kind: every engine is asked for a last checkpoint and has `stop_grace_s` for it. Being killed is safe: the
supervisors notice and end their trees. `tunedeck up` ties the worker to its own life (`tether.py`); a worker that was
started by hand is tied to nobody.
"""

from __future__ import annotations

import argparse
import logging
import sys

from tunedeck.errors import TunedeckError
from tunedeck.settings import Settings
from worker.app import make_app
from worker.attempt import Attempt, Host
from worker.attempts import Attempts
from worker.greeter import Greeter
from worker.joining import joined
from worker.offer import Offer, offer_of
from worker.publisher import connect
from worker.readings import Readings
from worker.tasks import register_tasks


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    parser.add_argument("--engine-module", default="worker.engine", help="what runs as `python -m MODULE SPEC RUN_DIR`")
    parser.add_argument("--join", action="store_true", help="ask the bus where the service's data folder is")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    try:
        settings = _settings(arguments.join)
        return serve(settings, offer_of(settings), arguments.engine_module)
    except TunedeckError as fault:
        logging.getLogger(__name__).error("%s; %s", fault.message, fault.mend)
        return 1


def _settings(join: bool) -> Settings:
    settings = Settings()
    return joined(settings, connect(settings.resolved_redis_url())) if join else settings


def serve(settings: Settings, offer: Offer, engine_module: str) -> int:
    """Runs until a signal ends it; returns the exit code."""
    bus = connect(settings.resolved_redis_url())
    host = Host(offer.name, settings, bus, offer.devices, engine_module)
    attempts = Attempts(lambda order: Attempt(order, host))
    app = make_app(settings, offer.name)
    register_tasks(app, attempts)
    greeter = Greeter(bus, offer.facts, attempts, settings.heartbeat_s, offer.faults)
    greeter.start()
    readings = Readings(bus, offer.read, settings.heartbeat_s)
    readings.start()
    # A sign of life for other Celery workers (gossip, mingle, heartbeat) would fill the bus for nobody.
    celery_worker = app.Worker(without_gossip=True, without_mingle=True, without_heartbeat=True, loglevel="INFO")
    try:
        celery_worker.start()
    finally:
        attempts.leave()
        readings.stop()
        greeter.stop()
        offer.stop()
    return int(celery_worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main())
