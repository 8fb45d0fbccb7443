"""Sets a GPU aside when its worker has seen an error of it, and again when there are more than at its release.

A worker repeats what it has seen with every hello, so what counts is the number: that of the driver begins anew when
the machine restarts, that of Xid events when the worker does, and then the next error is a new one.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.tables.hosts import SetAsideRow
from tunedeck.bus import DeviceFault

log = logging.getLogger(__name__)

Known = dict[tuple[str, int], SetAsideRow]


def known(session: Session, hosts: Collection[str]) -> Known:
    """Every device of `hosts` that is set aside, or was, by host and index."""
    query = select(SetAsideRow).where(SetAsideRow.host.in_(hosts))
    return {(row.host, row.device_index): row for row in session.scalars(query)} if hosts else {}


def store(session: Session, known: Known, host: str, faults: Iterable[DeviceFault], now: float) -> None:
    """What the newest hello of `host` says. The row of the host must have been flushed."""
    said = {fault.index: fault for fault in faults}
    for (of_host, index), row in list(known.items()):
        if of_host == host and index not in said:
            _begins_anew(session, known, row)
    for index, fault in said.items():
        if (host, index) in known:
            _count(known[host, index], fault, now)
        else:
            known[host, index] = _set_aside(session, host, fault, now)


def _set_aside(session: Session, host: str, fault: DeviceFault, now: float) -> SetAsideRow:
    log.warning("device %d of %s is set aside: %s", fault.index, host, fault.why)
    row = SetAsideRow(
        host=host,
        device_index=fault.index,
        why=fault.why,
        num_ecc_errors=fault.num_ecc_errors,
        num_xid_errors=fault.num_xid_errors,
        set_aside_at=now,
    )
    session.add(row)
    return row


def _count(row: SetAsideRow, fault: DeviceFault, now: float) -> None:
    has_more = fault.num_ecc_errors > row.num_ecc_errors or fault.num_xid_errors > row.num_xid_errors
    row.num_ecc_errors, row.num_xid_errors = fault.num_ecc_errors, fault.num_xid_errors
    if not has_more:
        return
    row.why = fault.why
    if row.released_at is not None:
        log.warning("device %d of %s is set aside again: %s", row.device_index, row.host, fault.why)
        row.set_aside_at, row.released_at, row.released_by = now, None, ""


def _begins_anew(session: Session, known: Known, row: SetAsideRow) -> None:
    """The counters are at 0. One that nobody has released stays aside: a restart mends no memory."""
    if row.released_at is None:
        row.num_ecc_errors = row.num_xid_errors = 0
    else:
        session.delete(row)
        del known[row.host, row.device_index]
