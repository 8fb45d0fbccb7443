"""Answers of the service, as JSON."""

from __future__ import annotations

import json
from typing import Any

from tests.support.resolved import resolved_json

SPEC: dict[str, Any] = {"name": "demo", "model": "demo-base", "dataset": "demo-questions"}
RESOLVED: dict[str, Any] = resolved_json(
    name="demo",
    model={"name": "demo-base", "path": "/data/models/demo-base", "num_parameters": 1_723_136, "num_layers": 6},
    data={"name": "demo-questions", "num_rows": 8000, "num_validation_rows": 160},
    batching={"max_tokens_per_gpu": 2048, "global_batch_size": 24, "train_iters": 300},
    optimizer={"min_lr": 1e-5, "lr_warmup_iters": 20},
    hardware={"num_devices": 2, "data_parallel_size": 2},
)


def job(job_id: str = "j1", state: str = "running", **changes: Any) -> dict[str, Any]:
    return {
        "id": job_id,
        "name": "demo",
        "state": state,
        "desired": "run",
        "owner": "first",
        "priority": 0,
        "actions": ["cancel", "pause", "reprioritise"],
        "next_try_at": None,
        "model": "demo-base",
        "dataset": "demo-questions",
        "attempt": 1,
        "host": "laptop",
        "created_at": 1.0,
        "started_at": 2.0,
        "ended_at": None,
        "phase": "training",
        "step": 7,
        "train_iters": 300,
        "eta_s": 90.0,
        "latest": {"loss": 1.25, "tokens_per_s": 15900.0},
        "first_validation_loss": 4.5,
        "best_validation_loss": 1.1,
        "num_tokens": 31_000,
        "num_trained_tokens": 12_000,
        "total_tokens": 1_300_000,
        "memory_capacity_bytes": 16 << 30,
        "checkpoint_step": 5,
        "checkpoint_at": 3.0,
        "usage": {"device": "cuda", "device_hours": 2.5, "cost": 5.0, "currency": "EUR"},
        "conditions": [{"code": "silent", "sentence": "No event since step 7.", "step": 7, "since": 9.0}],
        "fault": None,
        "tags": [],
        "archived_at": None,
        "loss_curve": [],
    } | changes


def detail(job_id: str = "j1", state: str = "running", **changes: Any) -> dict[str, Any]:
    return job(job_id, state, **changes) | {
        "spec": SPEC,
        "resolved": RESOLVED,
        "facts": {},
        "transitions": [{"at": 1.0, "from_state": "queued", "to_state": "placing", "who": "scheduler", "why": "free"}],
    }


def page(*items: Any, next_cursor: str = "") -> dict[str, Any]:
    return {"items": list(items), "next_cursor": next_cursor}


def fault(code: str, message: str, mend: str = "", *problems: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "mend": mend, "problems": list(problems)}}


def message(event: str, data: Any, event_id: str = "") -> str:
    """One message of the stream as it goes over the wire."""
    lines = [f"event: {event}", f"data: {json.dumps(data)}", *([f"id: {event_id}"] if event_id else [])]
    return "\n".join(lines) + "\n\n"


def job_message(event_id: str, view: dict[str, Any]) -> str:
    event = {"id": event_id, "job_id": view["id"], "attempt": 1, "kind": "job", "t": 3.0, "payload": view}
    return message("job", event, event_id)
