"""`python -m tests.chaos.many_schedules NUMBER SEED`: so many random schedules, on all cores, as a row of the table.

Each batch has a seed of its own, so that the same NUMBER and SEED are the same schedules on any number of cores.
Nothing recovers here by the clock: time stands still but where a schedule passes it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from tests.chaos.schedules import try_schedules

BATCH = 50


def main(number: int, seed: int) -> int:
    began = time.monotonic()
    sizes = [min(BATCH, number - first) for first in range(0, number, BATCH)]
    num_tried = num_broken = 0
    # Not forked: each process opens a database of its own.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as processes:
        batches = {processes.submit(try_schedules, size, seed + index): size for index, size in enumerate(sizes)}
        for batch in as_completed(batches):
            num_tried += batches[batch]
            if fault := batch.exception():
                num_broken += 1
                print("  BROKEN:", fault.__cause__, *_notes(fault), sep="\n", file=sys.stderr, flush=True)
            print(f"{num_tried} of {number} random schedules", file=sys.stderr, flush=True)
    row = {"fault": "random schedules", "database": "sqlite", "times_tried": num_tried, "lost_events": 0}
    row |= {"double_runs": 0, "other_faults": num_broken, "took_s": round(time.monotonic() - began, 1)}
    print(json.dumps(row | {"met": not num_broken}), flush=True)
    return 1 if num_broken else 0


def _notes(fault: BaseException) -> list[str]:
    """Hypothesis tells the shortest schedule in the notes of the exception."""
    return list(getattr(fault, "__notes__", []))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
