"""Jobs and hosts put straight into a database, and what a worker would say of them."""

from __future__ import annotations

import itertools
import json
from typing import Any

from sqlalchemy.orm import Session

from backend.db.tables.hosts import HostRow
from backend.db.tables.jobs import AttemptRow, JobRow
from tests.support.resolved import resolved
from tunedeck.bus import Device, EndedMessage, EventsMessage, ExitReport, HeartbeatMessage, HostFacts, LogMessage
from tunedeck.resolved import ResolvedSpec
from tunedeck.spec import JobSpec

_numbers = itertools.count(1)


def resolved_spec(device: str = "cpu", num_devices: int = 1) -> ResolvedSpec:
    hardware = {"device": device, "num_devices": num_devices, "data_parallel_size": num_devices}
    return resolved(hardware=hardware)


def add_job(session: Session, now: float, device: str = "cpu", num_devices: int = 1, **columns: Any) -> JobRow:
    """A queued job; later ones are younger."""
    job = job_row(now, device, num_devices, **columns)
    session.add(job)
    session.flush()
    return job


def job_row(now: float, device: str = "cpu", num_devices: int = 1, **columns: Any) -> JobRow:
    number = next(_numbers)
    values: dict[str, Any] = {
        "id": f"job{number:06d}",
        "name": "first",
        "state": "queued",
        "desired": "run",
        "model": "tiny",
        "dataset": "chats",
        "spec": JobSpec(name="first", model="tiny", dataset="chats").model_dump(mode="json"),
        "resolved": resolved_spec(device, num_devices).model_dump(mode="json"),
        "owner": "first",
        "device": device,
        "num_devices": num_devices,
        "preemptible": False,
        "attempt": 0,
        "created_at": now + number * 1e-6,
        "phase": "",
        "facts": {},
        "step": 0,
        "train_iters": 100,
        "latest": {},
    }
    return JobRow(**(values | columns))


def add_running_job(session: Session, now: float, host: str = "box", lease_s: float = 60.0, **columns: Any) -> JobRow:
    """A job whose first attempt runs on `host` and holds one device."""
    job = add_job(session, now, **({"state": "running", "attempt": 1, "started_at": now} | columns))
    add_attempt(session, job.id, 1, now, host=host, lease_expires_at=now + lease_s)
    return job


def add_attempt(session: Session, job_id: str, number: int, now: float, **columns: Any) -> AttemptRow:
    values: dict[str, Any] = {
        "host": "box",
        "num_devices": 1,
        "lease_expires_at": now + 60.0,
        "message_sent_at": now,
        "placed_at": now,
        "ended_at": None,
        "ingested_seq": 0,
        "ingested_line": 0,
    }
    attempt = AttemptRow(job_id=job_id, number=number, **(values | columns))
    session.add(attempt)
    session.flush()
    return attempt


def facts_of(name: str, kind: str = "cuda", num_devices: int = 8, device: str = "GPU") -> HostFacts:
    described = {"name": device, "memory_bytes": 80 << 30, "compute_capability": (9, 0)}
    return HostFacts(
        name=name,
        kind="cuda" if kind == "cuda" else "cpu",
        devices=tuple(Device.model_validate(described | {"index": index}) for index in range(num_devices)),
        memory_bytes=512 << 30,
        cuda_version="13.0",
        transformer_engine_version="",
        worker_version="0.1.0",
    )


def add_host(
    session: Session, now: float, name: str = "box", kind: str = "cuda", num_devices: int = 8, device: str = "GPU"
) -> None:
    facts = facts_of(name, kind, num_devices, device).model_dump(mode="json")
    session.add(HostRow(name=name, facts=facts, num_devices=num_devices, last_seen_at=now))
    session.flush()


def timeless(view: dict[str, Any]) -> dict[str, Any]:
    """A JobView or JobDetail without what grows by itself while devices are held."""
    return {name: value for name, value in view.items() if name != "usage"}


def step_line(seq: int, step: int, t: float = 0.0, **metrics: float | None) -> str:
    """A line of events.jsonl."""
    values = metrics or {"loss": 1.0 / step}
    return json.dumps({"kind": "step", "seq": seq, "t": t or float(seq), "step": step, "metrics": values})


def event_line(kind: str, seq: int, **fields: Any) -> str:
    return json.dumps({"kind": kind, "seq": seq, "t": float(seq)} | fields)


def events_message(job_id: str, lines: list[str], attempt: int = 1) -> EventsMessage:
    return EventsMessage(job_id=job_id, attempt=attempt, lines=tuple(lines))


def log_message(job_id: str, first_line: int, lines: list[str], attempt: int = 1) -> LogMessage:
    return LogMessage(job_id=job_id, attempt=attempt, first_line=first_line, lines=tuple(lines))


def heartbeat(job_id: str, attempt: int = 1, host: str = "box") -> HeartbeatMessage:
    return HeartbeatMessage(job_id=job_id, attempt=attempt, host=host)


def ended_message(job_id: str, outcome: str, attempt: int = 1, host: str = "box", **report: Any) -> EndedMessage:
    values: dict[str, Any] = {"returncode": 0, "code": "", "message": "", "mend": "", "log_tail": ()}
    found = ExitReport.model_validate(values | report | {"outcome": outcome})
    return EndedMessage(job_id=job_id, attempt=attempt, host=host, report=found)
