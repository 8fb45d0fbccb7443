"""Prints one JSON object a row; exit code 1 where a goal is missed.

python -m bench.dashboard [ROW ...] [--peers ENVIRONMENT | --no-peers] [--minutes N]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.dashboard import downsampling, first_paint, logging_cost, long_log, many_dashboards, many_runs, step_to_pixel
from bench.dashboard.peers.environment import Peers, no_peers, peers
from bench.dashboard.row import Row

ROWS: dict[str, Callable[[Peers, float], Row]] = {
    "step-to-pixel": lambda _, __: step_to_pixel.measure(),
    "first-paint": lambda _, __: first_paint.measure(),
    "many-runs": lambda _, minutes: many_runs.measure(minutes),
    "downsampling": lambda found, _: downsampling.measure(found),
    "dashboards": lambda _, __: many_dashboards.measure(),
    "logging": lambda found, _: logging_cost.measure(found),
    "log": lambda _, __: long_log.measure(),
}
WITH_PEERS = ("downsampling", "logging")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.dashboard", description="what the dashboard can take")
    parser.add_argument("rows", nargs="*", choices=("all", *ROWS), default="all")
    parser.add_argument("--peers", type=Path, help="an environment that has them; by default one is made")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long twenty live runs are watched")
    arguments = parser.parse_args()
    names = tuple(ROWS) if "all" in arguments.rows else arguments.rows
    with TemporaryDirectory(prefix="dashboard-") as folder:
        wants_peers = not arguments.no_peers and set(names) & set(WITH_PEERS)
        found = peers(arguments.peers, Path(folder)) if wants_peers else no_peers(Path(folder))
        rows = [_told(ROWS[name](found, arguments.minutes)) for name in names]
    return 0 if all(not row.missed for row in rows) else 1


def _told(row: Row) -> Row:
    print(row.line(), flush=True)
    return row


if __name__ == "__main__":
    sys.exit(main())
