"""What came of the trials: a row for each fault, and whether it meets the goals."""

from __future__ import annotations

import math
from collections import defaultdict
from statistics import median

from tests.chaos.service import LEASE_S
from tests.chaos.trial import Result
from tunedeck.spec import Component

GOAL_S = LEASE_S + 5.0


class Row(Component):
    fault: str
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
    def __init__(self) -> None:
        self._results: dict[str, list[Result]] = defaultdict(list)

    def add(self, fault: str, result: Result) -> None:
        self._results[fault].append(result)

    def broken(self, fault: str) -> tuple[str, ...]:
        """What the last trial of `fault` found broken."""
        return self._results[fault][-1].findings.broken

    def rows(self) -> list[Row]:
        return [_row(fault, results) for fault, results in self._results.items()]

    def is_clean(self) -> bool:
        return all(row.met for row in self.rows())


def _row(fault: str, results: list[Result]) -> Row:
    recoveries = sorted(result.recovery_s for result in results)
    findings = [result.findings for result in results]
    p99_s = recoveries[math.ceil(0.99 * len(recoveries)) - 1]
    num_broken = sum(len(found.broken) for found in findings)
    lost, doubled = (sum(f.num_lost_events for f in findings), sum(f.num_double_runs for f in findings))
    return Row(
        fault=fault,
        times_tried=len(results),
        lost_events=lost,
        double_runs=doubled,
        other_faults=num_broken - lost - doubled,
        recovery_p50_s=round(median(recoveries), 2),
        recovery_p99_s=round(p99_s, 2),
        recovery_max_s=round(recoveries[-1], 2),
        goal_s=GOAL_S,
        met=not num_broken and p99_s <= GOAL_S,
    )
