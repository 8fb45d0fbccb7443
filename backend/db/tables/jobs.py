"""Jobs, what was decided about them, and where they were placed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text, true
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base, FeedId


class JobRow(Base):
    """A job. The columns from `phase` on are a summary of its events, kept by ingest so that lists need no join.

    A trigger refuses every change of `state` that `allowed_transitions` lacks; copying the table, as an Alembic batch
    does on SQLite, would lose it. `max_attempts` 0: the setting's. A queued job is tried at `not_before` and no sooner.
    `num_failures` counts failed attempts in a row without a new checkpoint. `resume_from` is where the next attempt
    begins: a path, FROM_START, or "" for where the last one got to. `request_key` names the request that made the job.
    `heard_at` is when the newest event was stored, `watch` what backend/health goes by, `conditions` what it found.
    `tags` are joined as backend/jobs/tags.py says, so that one is found by LIKE. `loss_curve` is one of ingest's.
    `rule_alarms` is how far each alert rule about a metric is.
    """

    __tablename__ = "jobs"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), index=True)
    state: Mapped[str] = mapped_column(String(16))
    desired: Mapped[str] = mapped_column(String(16), default="run")
    model: Mapped[str] = mapped_column(String(80), index=True)
    dataset: Mapped[str] = mapped_column(String(80), index=True)
    dataset_id: Mapped[str] = mapped_column(String(32), index=True, default="", server_default="")
    validation_dataset_id: Mapped[str] = mapped_column(String(32), index=True, default="", server_default="")
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    resolved: Mapped[dict[str, Any]] = mapped_column(JSON)
    owner: Mapped[str] = mapped_column(String(80), default="", server_default="first")
    priority: Mapped[int] = mapped_column(default=0, server_default="0")
    preemptible: Mapped[bool] = mapped_column(default=True, server_default=true())
    max_attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    not_before: Mapped[float] = mapped_column(default=0.0, server_default="0")
    num_failures: Mapped[int] = mapped_column(default=0, server_default="0")
    resume_from: Mapped[str] = mapped_column(Text, default="", server_default="")
    request_key: Mapped[str | None] = mapped_column(String(80))
    device: Mapped[str] = mapped_column(String(8), default="cuda", server_default="cuda")
    num_devices: Mapped[int] = mapped_column(default=1, server_default="1")
    launcher: Mapped[str] = mapped_column(String(16), default="local", server_default="local")
    attempt: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[float]
    started_at: Mapped[float | None]
    ended_at: Mapped[float | None]
    fault: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    phase: Mapped[str] = mapped_column(String(16), default="")
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    step: Mapped[int] = mapped_column(default=0)
    train_iters: Mapped[int]
    latest: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    first_validation_loss: Mapped[float | None]
    best_validation_loss: Mapped[float | None]
    step_time_ema_s: Mapped[float | None]
    num_tokens: Mapped[int | None] = mapped_column(BigInteger)
    num_trained_tokens: Mapped[int | None] = mapped_column(BigInteger)
    checkpoint_step: Mapped[int | None]
    checkpoint_at: Mapped[float | None]
    heard_at: Mapped[float] = mapped_column(default=0.0, server_default="0")
    watch: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")
    conditions: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list, server_default="[]")
    tags: Mapped[str] = mapped_column(Text, default="", server_default="")
    archived_at: Mapped[float | None]
    loss_curve: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")
    rule_alarms: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")
    __table_args__ = (
        Index("uq_jobs_owner_request_key", "owner", "request_key", unique=True),
        # All that placing reads (scheduler/rooms.py), in its order: in the table it lies behind the specs.
        Index(
            "ix_jobs_queue",
            *("state", "owner", "priority", "launcher", "device", "num_devices", "preemptible"),
            *("created_at", "id", "not_before"),
        ),
        # All that a search looks at but for the spec (backend/jobs/search), for the same reason.
        Index("ix_jobs_search", "id", "archived_at", "state", "name", "model", "dataset", "owner", "priority", "tags"),
        # Of the queued jobs, those that wait for another attempt: few among thousands that wait for their first.
        Index("ix_jobs_tried", "state", "attempt", "id"),
    )


class JobNotesRow(Base):
    """What people wrote about a job, in Markdown. `version` counts the changes, so that none overwrites one unseen."""

    __tablename__ = "job_notes"
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    markdown: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    edited_at: Mapped[float]
    edited_by: Mapped[str] = mapped_column(String(80))


class AllowedTransitionRow(Base):
    """NEXT of tunedeck/lifecycle.py, for the trigger on `jobs`; only migrations write it."""

    __tablename__ = "allowed_transitions"
    from_state: Mapped[str] = mapped_column(String(16), primary_key=True)
    to_state: Mapped[str] = mapped_column(String(16), primary_key=True)


class AttemptRow(Base):
    """One placement of a job on a host. It holds devices from placing until `ended_at` is set.

    `device_name` is what the price goes by, `memory_bytes` what one rank may use; both are known when it starts.
    """

    __tablename__ = "attempts"
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    host: Mapped[str] = mapped_column(String(255), index=True)
    num_devices: Mapped[int]
    lease_expires_at: Mapped[float]
    message_sent_at: Mapped[float]
    placed_at: Mapped[float]
    ended_at: Mapped[float | None] = mapped_column(index=True)
    resume_from: Mapped[str] = mapped_column(Text, default="")
    ingested_seq: Mapped[int] = mapped_column(default=0)
    ingested_line: Mapped[int] = mapped_column(default=0)
    first_step: Mapped[int] = mapped_column(default=1)
    device_name: Mapped[str] = mapped_column(String(80), default="", server_default="")
    memory_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")


class TransitionRow(Base):
    """A line of a job's history. Where both states are the same, it tells of a wish that changed, as of a priority."""

    __tablename__ = "transitions"
    id: Mapped[int] = mapped_column(FeedId, primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    at: Mapped[float]
    from_state: Mapped[str] = mapped_column(String(16))
    to_state: Mapped[str] = mapped_column(String(16))
    who: Mapped[str] = mapped_column(String(80))
    why: Mapped[str] = mapped_column(Text)
