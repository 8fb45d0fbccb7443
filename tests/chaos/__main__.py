"""`python -m tests.chaos`: every fault so many times, in an order drawn by lot, on one service.

Prints the table to standard output, one JSON object a row, and what it does meanwhile to standard error.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.chaos.faults import FAULTS
from tests.chaos.service import running_service
from tests.chaos.table import Table
from tests.chaos.trial import run


def main() -> int:
    arguments = _parser().parse_args()
    order = [FAULTS[name] for name in arguments.faults or FAULTS] * arguments.rounds
    random.Random(arguments.seed).shuffle(order)
    table = Table()
    with tempfile.TemporaryDirectory(prefix="td-") as folder, running_service(Path(folder)) as service:
        for number, fault in enumerate(order, start=1):
            print(f"{number} of {len(order)}: {fault.name}", file=sys.stderr, flush=True)
            table.add(fault.name, run(service, fault))
            for sentence in table.broken(fault.name):
                print(f"  BROKEN: {sentence}", file=sys.stderr, flush=True)
    for row in table.rows():
        print(row.model_dump_json())
    return 0 if table.is_clean() else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="times that each fault is tried")
    parser.add_argument("--seed", type=int, default=1, help="of the order")
    parser.add_argument("--faults", nargs="+", choices=sorted(FAULTS), metavar="NAME", help="only these")
    return parser


if __name__ == "__main__":
    sys.exit(main())
