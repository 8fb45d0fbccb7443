"""What came of the trials: a row for each fault, and whether it meets the goals."""

from __future__ import annotations

import math
from collections import defaultdict
from statistics import median

from tests.chaos.trial import Fault, Result
from tunedeck.spec import Component


class Row(Component):
    fault: str
    database: str
    times_tried: int
    lost_events: int
    double_runs: int
    other_faults: int
    recovery_p50_s: float
    recovery_p99_s: float
    recovery_max_s: float
    goal_s: float
    met: bool


class Table:
    def __init__(self, database: str) -> None:
        self._database = database
        self._results: dict[Fault, list[Result]] = defaultdict(list)

    def add(self, fault: Fault, result: Result) -> None:
        self._results[fault].append(result)

    def rows(self) -> list[Row]:
        return [_row(fault, self._database, results) for fault, results in self._results.items()]

    def is_clean(self) -> bool:
        return all(row.met for row in self.rows())


def _row(fault: Fault, database: str, results: list[Result]) -> Row:
    recoveries = sorted(result.recovery_s for result in results)
    findings = [result.findings for result in results]
    p99_s = recoveries[math.ceil(0.99 * len(recoveries)) - 1]
    num_broken = sum(len(found.broken) for found in findings)
    lost, doubled = (sum(f.num_lost_events for f in findings), sum(f.num_double_runs for f in findings))
    return Row(
        fault=fault.name,
        database=database,
        times_tried=len(results),
        lost_events=lost,
        double_runs=doubled,
        other_faults=num_broken - lost - doubled,
        recovery_p50_s=round(median(recoveries), 2),
        recovery_p99_s=round(p99_s, 2),
        recovery_max_s=round(recoveries[-1], 2),
        goal_s=fault.goal_s,
        met=not num_broken and p99_s <= fault.goal_s,
    )
