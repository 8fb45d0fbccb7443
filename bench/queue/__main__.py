"""Prints one JSON object a row; exit code 1 where a goal is missed.

python -m bench.queue [scale|posting|starting ...] [--databases sqlite postgresql] [--seconds N]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from bench.queue import posting, scale, starting
from bench.queue.databases import KINDS

SUBJECTS = ("posting", "starting", "scale")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.queue", description="what the queue can take")
    parser.add_argument("subjects", nargs="*", choices=("all", *SUBJECTS), default="all")
    parser.add_argument("--databases", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long a full cluster is watched")
    parser.add_argument("--requests", type=int, default=1_000, help="how many jobs a round posts")
    parser.add_argument("--jobs", type=int, default=200, help="how many are started one after the other")
    arguments = parser.parse_args()
    all_met = True
    for row in _rows(arguments):
        print(json.dumps(row), flush=True)
        all_met = all_met and row.get("goals_met", True)
    return 0 if all_met else 1


def _rows(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    subjects = SUBJECTS if "all" in arguments.subjects else arguments.subjects
    for kind in arguments.databases:
        if "posting" in subjects:
            yield posting.measure(kind, arguments.requests)
        if "starting" in subjects:
            yield from starting.measure(kind, arguments.jobs)
        if "scale" in subjects:
            yield scale.measure(kind, scale.FULL if kind == "postgresql" else scale.TENTH, arguments.seconds)


if __name__ == "__main__":
    sys.exit(main())
