"""`python -m bench.queue.measured_backend`: the backend, with a watch on its scheduler and its ingest.

What was measured is appended to `measured.jsonl` of the data folder, one JSON object an observation. Measuring from
outside was rejected: it would see how long a job waits, but not how long it takes to decide.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from backend.__main__ import main
from backend.ingest.ingest import Ingest
from backend.ingest.stream import EventStream
from backend.scheduler.scheduler import Scheduler
from tunedeck.bus import EVENTS_STREAM
from tunedeck.settings import Settings

FILE = "measured.jsonl"


def measure(settings: Settings) -> None:
    observations = (settings.data_dir / FILE).open("a", buffering=1)

    def observe(**values: float) -> None:
        observations.write(json.dumps(values | {"at": time.time()}) + "\n")

    planning: dict[str, float] = {"s": 0.0}
    _time(Scheduler, "_look_and_plan", lambda elapsed_s: planning.update(s=elapsed_s))
    # A decision is its plan, made without a lock, and what carries it out.
    _time(Scheduler, "_decide", lambda elapsed_s: observe(decision_s=planning["s"] + elapsed_s))
    _time(Scheduler, "tick", lambda elapsed_s: observe(tick_s=elapsed_s))
    _time(Ingest, "_commit", lambda elapsed_s: observe(ingest_s=elapsed_s))
    _watch_lag(lambda lag_s: observe(lag_s=lag_s))


def _time(owner: type, name: str, observe: Callable[[float], None]) -> None:
    original = getattr(owner, name)

    @wraps(original)
    def timed(*arguments: Any) -> Any:
        began = time.perf_counter()
        try:
            return original(*arguments)
        finally:
            observe(time.perf_counter() - began)

    setattr(owner, name, timed)


def _watch_lag(observe: Callable[[float], None]) -> None:
    """At each commit: how long ago the bus got the oldest message that it stored, in seconds."""
    remove_up_to = EventStream.remove_up_to

    def removing(stream: EventStream, last_id: str) -> None:
        now = time.time()
        [(oldest, _)] = cast("list[tuple[str, dict[str, str]]]", stream._bus.xrange(EVENTS_STREAM, count=1))
        observe(now - int(oldest.partition("-")[0]) / 1000)
        remove_up_to(stream, last_id)

    EventStream.remove_up_to = removing  # type: ignore[method-assign]


if __name__ == "__main__":
    measure(Settings())
    main()
