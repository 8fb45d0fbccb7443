"""`python -m backend`: one process that serves pages, REST and the stream, and runs the scheduler and ingest threads.

Settings come from `TUNEDECK_*`.
"""

from __future__ import annotations

import gc
import logging
import os

from tunedeck.settings import Settings

# Where there is no GPU, training keeps every core busy: a rank that waits for a core makes all ranks wait.
_NICENESS = 5
_OBJECTS_BETWEEN_LOOKS = 10_000


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # It logs the address of each request, and that of a webhook is a secret.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # While a killed backend imports itself anew nothing is scheduled. A fifth of that time went into looking for cycles
    # among three hundred thousand objects of which none is garbage. They stay for ever and are never looked at again.
    gc.disable()
    from backend.server import server_of

    server = server_of(Settings())
    gc.freeze()
    # Python's 700 are what a dozen requests make, of which hardly any is garbage: looking that often takes 2.5% of the
    # processor time of a busy backend.
    gc.set_threshold(_OBJECTS_BETWEEN_LOOKS)
    gc.enable()
    os.nice(_NICENESS)  # only now, for the same reason: what trains meanwhile would have three quarters of the core
    server.run()


if __name__ == "__main__":
    main()
