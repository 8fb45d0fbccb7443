"""From what a worker says of its GPUs to what is set aside."""

from __future__ import annotations

from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.tables.hosts import SetAsideRow
from backend.ingest import device_faults
from backend.scheduler.queries import devices_set_aside
from tests.support.jobs import add_host
from tunedeck.bus import DeviceFault

NOW = 1_000_000.0


def fault(index: int, ecc: int = 0, xid: int = 0) -> DeviceFault:
    return DeviceFault(index=index, num_ecc_errors=ecc, num_xid_errors=xid, why=f"{ecc} ECC, {xid} Xid")


def hear(session: Session, *faults: DeviceFault, host: str = "box") -> dict[str, tuple[int, ...]]:
    """One hello; returns what is set aside afterwards."""
    device_faults.store(session, device_faults.known(session, {host}), host, faults, NOW)
    session.flush()
    return devices_set_aside(session)


def release(session: Session, index: int) -> None:
    session.get_one(SetAsideRow, ("box", index)).released_at = NOW
    session.flush()


def test_a_gpu_stays_set_aside_until_it_is_released_and_until_its_next_error(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW)
        assert hear(session, fault(3, ecc=1)) == {"box": (3,)}
        assert hear(session, fault(3, ecc=1), fault(5, xid=1)) == {"box": (3, 5)}
        release(session, 3)
        assert hear(session, fault(3, ecc=1), fault(5, xid=1)) == {"box": (5,)}
        assert hear(session, fault(3, ecc=2), fault(5, xid=1)) == {"box": (3, 5)}
        assert session.get_one(SetAsideRow, ("box", 3)).why == "2 ECC, 0 Xid"


def test_a_restart_releases_nothing_and_makes_the_next_error_a_new_one(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW)
        hear(session, fault(1, xid=4), fault(2, xid=4))
        release(session, 2)
        assert hear(session) == {"box": (1,)}
        assert hear(session, fault(2, xid=1)) == {"box": (1, 2)}


def test_one_host_says_nothing_of_another(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW)
        add_host(session, NOW, name="other")
        hear(session, fault(1, ecc=1))
        assert hear(session, fault(1, ecc=1), host="other") == {"box": (1,), "other": (1,)}
        assert hear(session, host="other") == {"box": (1,), "other": (1,)}
