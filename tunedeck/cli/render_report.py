"""A report about a file as a page of a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tunedeck.cli.render import console

if TYPE_CHECKING:
    from tunedeck.conversations.report import DatasetReport, FaultCount, LengthStatistics

_STYLES = {"fail": "red", "drop": "yellow", "truncate": "yellow", "keep": "default"}
_NUM_ROWS_SHOWN = 10


def print_report(file: Path, report: DatasetReport) -> None:
    out = console()
    compression = "" if report.compression == "none" else f", {report.compression}"
    out.print(
        f"{file.name}: {report.format}{compression}, shape {report.shape}, {report.size_bytes:,} bytes", markup=False
    )
    out.print(
        f"  {report.num_rows:,} rows: {report.num_trainable_rows:,} can be trained"
        f" ({report.num_truncated_rows:,} of them truncated), {report.num_dropped_rows:,} left out"
    )
    roles = ", ".join(f"{num:,} {role}" for role, num in sorted(report.num_turns_by_role.items()))
    out.print(f"  turns           {roles}", markup=False)
    _print_lengths("turns a row", report.turns)
    _print_lengths("characters", report.chars)
    if report.tokens:
        _print_lengths("tokens", report.tokens)
    for count in report.faults:
        _print_fault(count)
    if not report.faults:
        out.print("  no faults", style="green")


def _print_lengths(what: str, lengths: LengthStatistics) -> None:
    console().print(
        f"  {what:<15} {lengths.minimum:,} to {lengths.maximum:,}, mean {lengths.mean:,}, median {lengths.p50:,},"
        f" 90% {lengths.p90:,}, 99% {lengths.p99:,}"
    )


def _print_fault(count: FaultCount) -> None:
    out = console()
    rows = ", ".join(map(str, count.rows[:_NUM_ROWS_SHOWN])) + (", …" if count.num_rows > _NUM_ROWS_SHOWN else "")
    out.print(f"  {count.kind:<17} {count.num_rows:,} rows, {count.action}: {rows}", style=_STYLES[count.action])
    for example in count.examples[:2]:
        out.print(f"      row {example.row}: {example.message}; {example.mend}", markup=False)
