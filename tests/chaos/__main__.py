"""`python -m tests.chaos`: every fault so many times, in an order drawn by lot, on one service.

Prints the table to standard output, one JSON object a row, and what it does meanwhile to standard error.
"""

from __future__ import annotations

import argparse
import random
import sys
from contextlib import ExitStack

from tests.chaos.faults import FAULTS
from tests.chaos.service import Service, running_service
from tests.chaos.table import Table
from tests.chaos.trial import Fault, run
from tests.support.postgres import running_postgres

# What is committed outlives a crash of the server, though not one of the machine.
DURABLE = ("fsync=off",)


def main() -> int:
    arguments = _parser().parse_args()
    wanted = [FAULTS[name] for name in arguments.faults or FAULTS]
    table = Table(arguments.database)
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres(DURABLE)) if arguments.database == "postgresql" else None
        order = wanted * arguments.rounds
        random.Random(f"{arguments.seed} {arguments.database}").shuffle(order)
        while order:
            with running_service(postgres) as service:
                _try_all(service, order, table, arguments.database)
    for row in table.rows():
        print(row.model_dump_json(), flush=True)  # a line at a time: the other database's go to the same place
    return 0 if table.is_clean() else 1


def _try_all(service: Service, order: list[Fault], table: Table, database: str) -> None:
    """Until nothing is left of `order`, or the service is no longer whole."""
    while order:
        fault = order.pop()
        if not fault.needs(service):
            continue
        result = run(service, fault)
        said = f"{database}: {fault.name}: recovered in {result.recovery_s:.1f} s; {len(order)} to go"
        print(said, file=sys.stderr, flush=True)
        table.add(fault, result)
        for sentence in result.findings.broken:
            print(f"  BROKEN: {sentence}", file=sys.stderr, flush=True)
        if not result.is_whole:
            return


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="times that each fault is tried")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1, help="of the order, which is another for each database")
    parser.add_argument("--faults", nargs="+", choices=sorted(FAULTS), metavar="NAME", help="only these")
    return parser


if __name__ == "__main__":
    sys.exit(main())
