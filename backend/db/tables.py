"""Every table, as SQLAlchemy sees it; migrations/ makes the same ones, and a test compares the two.

Times are unix seconds as floats: SQLite has no time zone, and everything that we show is a difference or a local time
of the browser. Documents (specs, payloads) are JSON text, because nothing queries inside them; what is queried has a
column of its own. Enumerations are plain strings: SQLite cannot alter a CHECK constraint without copying the table.
A `server_default` is what a migration gave to the rows that were there when it added the column.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    true,
)
from sqlalchemy import text as sql_text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
# SQLite gives AUTOINCREMENT only to a column of type INTEGER.
FeedId = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class TokenRow(Base):
    """A bearer token; only its SHA-256 is kept (tokens are 256 random bits, so a slow hash adds nothing)."""

    __tablename__ = "tokens"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[float]


class SessionRow(Base):
    """A browser's login; the cookie holds the secret, the table its SHA-256."""

    __tablename__ = "sessions"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    token_id: Mapped[str] = mapped_column(ForeignKey("tokens.id", ondelete="CASCADE"))
    created_at: Mapped[float]
    expires_at: Mapped[float]


class ModelRow(Base):
    __tablename__ = "models"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    path: Mapped[str] = mapped_column(Text)
    architecture: Mapped[str] = mapped_column(String(80))
    num_parameters: Mapped[int] = mapped_column(BigInteger)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    config: Mapped[dict[str, Any]] = mapped_column(JSON)
    from_job: Mapped[str] = mapped_column(String(32), default="")
    created_at: Mapped[float]


class DatasetRow(Base):
    """The name of a data set, kept for it also while it lies in the trash (`trashed_at`)."""

    __tablename__ = "datasets"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str] = mapped_column(String(80), server_default="first")
    name: Mapped[str] = mapped_column(String(80))
    newest_version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[float]
    trashed_at: Mapped[float | None] = mapped_column(index=True)
    __table_args__ = (UniqueConstraint("owner", "name"),)


class DatasetVersionRow(Base):
    """One state of a data set: a file, how it is read, and what was found in it. A row is never changed.

    `source` is path, upload or hub, and `origin` what the user named it by; files of uploads and of the hub are ours.
    """

    __tablename__ = "dataset_versions"
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(16))
    origin: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text)
    reading: Mapped[dict[str, Any]] = mapped_column(JSON)
    report: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[float]


class DatasetStatisticsRow(Base):
    """Lengths and packing of one version under one model, mask and layout: `key` is the SHA-256 of what was asked."""

    __tablename__ = "dataset_statistics"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"), index=True)
    statistics: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[float]


class HostRow(Base):
    """A machine with a worker on it, as its last hello described it. While `drained_at` is set it gets no new jobs."""

    __tablename__ = "hosts"
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    num_devices: Mapped[int]
    last_seen_at: Mapped[float]
    drained_at: Mapped[float | None]
    drained_by: Mapped[str] = mapped_column(String(80), default="", server_default="")
    drained_why: Mapped[str] = mapped_column(Text, default="", server_default="")


class SetAsideRow(Base):
    """A GPU that had errors, and gets no new jobs until somebody has released it.

    The numbers are those of the last hello: once it is released, only a greater one sets it aside again.
    """

    __tablename__ = "set_aside_devices"
    host: Mapped[str] = mapped_column(ForeignKey("hosts.name", ondelete="CASCADE"), primary_key=True)
    device_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    why: Mapped[str] = mapped_column(Text)
    num_ecc_errors: Mapped[int] = mapped_column(BigInteger)
    num_xid_errors: Mapped[int] = mapped_column(BigInteger)
    set_aside_at: Mapped[float]
    released_at: Mapped[float | None]
    released_by: Mapped[str] = mapped_column(String(80), default="")


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


class SpecValueRow(Base):
    """A field of a section of specs. Jobs whose sections are equal in every field share it: `section` is its SHA-256.

    `text` is what is searched for as text; `number` is set where the value is one.
    """

    __tablename__ = "spec_values"
    section: Mapped[str] = mapped_column(String(32), primary_key=True)
    path: Mapped[str] = mapped_column(String(120), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    number: Mapped[float | None]
    __table_args__ = (Index("ix_spec_values_path_number", "path", "number"),)


class JobSectionRow(Base):
    """Which sections the spec of a job is made of, and which `part` of it each is: optimizer, precision …, or ""."""

    __tablename__ = "job_sections"
    part: Mapped[str] = mapped_column(String(40), primary_key=True)
    section: Mapped[str] = mapped_column(String(32), primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, index=True)


class SavedViewRow(Base):
    """A way to look at a page that somebody named for all: the page's address without its path."""

    __tablename__ = "saved_views"
    page: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    query: Mapped[str] = mapped_column(Text)
    saved_by: Mapped[str] = mapped_column(String(80))
    saved_at: Mapped[float]


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


class EventRow(Base):
    """The feed: engine events as they came, and `job` events of our own (their `seq` is None). `id` only grows."""

    __tablename__ = "events"
    id: Mapped[int] = mapped_column(FeedId, primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    seq: Mapped[int | None]
    kind: Mapped[str] = mapped_column(String(24))
    step: Mapped[int | None]
    t: Mapped[float]
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    __table_args__ = (
        UniqueConstraint("job_id", "attempt", "seq"),
        Index("ix_events_job_id_kind_id", "job_id", "kind", "id"),
        {"sqlite_autoincrement": True},
    )


class MetricChunkRow(Base):
    """Up to 1,000 finished points of one metric: int64 steps, float64 times and values, little-endian.

    `last_event_id` is the newest feed id among the rows that it replaced: who has seen less cannot be replayed to.
    """

    __tablename__ = "metric_chunks"
    id: Mapped[int] = mapped_column(FeedId, primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    metric: Mapped[str] = mapped_column(String(80))
    first_step: Mapped[int]
    last_step: Mapped[int]
    last_event_id: Mapped[int] = mapped_column(BigInteger, index=True)
    num_points: Mapped[int]
    minimum: Mapped[float | None]
    maximum: Mapped[float | None]
    steps: Mapped[bytes] = mapped_column(LargeBinary)
    times: Mapped[bytes] = mapped_column(LargeBinary)
    values: Mapped[bytes] = mapped_column(LargeBinary)
    __table_args__ = (UniqueConstraint("job_id", "metric", "attempt", "first_step"),)


class MetricOutlineRow(Base):
    """A tenth of a chunk's points (backend/metrics/outlines.py): float64 [P, 3], step, time and value of each."""

    __tablename__ = "metric_outlines"
    chunk_id: Mapped[int] = mapped_column(
        ForeignKey("metric_chunks.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    points: Mapped[bytes] = mapped_column(LargeBinary)


class LogChunkRow(Base):
    """Consecutive lines of engine.log, joined by newlines."""

    __tablename__ = "log_chunks"
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    first_line: Mapped[int] = mapped_column(primary_key=True)
    num_lines: Mapped[int]
    text: Mapped[str] = mapped_column(Text)


class CheckpointRow(Base):
    """A checkpoint or export that is complete on disk. `path` is absolute."""

    __tablename__ = "checkpoints"
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(String(4096), primary_key=True)
    step: Mapped[int]
    format: Mapped[str] = mapped_column(String(24))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[float]


class PreferenceRow(Base):
    """What is set on the settings page, by name; a name that is missing has its default."""

    __tablename__ = "preferences"
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[dict[str, Any]] = mapped_column(JSON)


class AlertChannelRow(Base):
    """Where alerts go. `config` is what may be shown, `secret` what may not: a password, or a webhook's URL and key."""

    __tablename__ = "alert_channels"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    enabled: Mapped[bool]
    config: Mapped[dict[str, Any]] = mapped_column(JSON)
    secret: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[float]


class AlertRuleRow(Base):
    """`when`, `scope` and `channels` are those of AlertRule, as JSON."""

    __tablename__ = "alert_rules"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    enabled: Mapped[bool]
    when: Mapped[dict[str, Any]] = mapped_column(JSON)
    scope: Mapped[dict[str, Any]] = mapped_column(JSON)
    channels: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[float]


class AlertRow(Base):
    """A rule that was met by a job, until `resolved_at`. An index allows one open alert for each rule and job."""

    __tablename__ = "alerts"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    rule_id: Mapped[str] = mapped_column(ForeignKey("alert_rules.id", ondelete="CASCADE"))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    text: Mapped[str] = mapped_column(Text)
    step: Mapped[int]
    opened_at: Mapped[float] = mapped_column(index=True)
    resolved_at: Mapped[float | None]
    __table_args__ = (
        Index(
            "uq_alerts_open",
            *("rule_id", "job_id"),
            unique=True,
            sqlite_where=sql_text("resolved_at IS NULL"),
            postgresql_where=sql_text("resolved_at IS NULL"),
        ),
    )


class DeliveryRow(Base):
    """The outbox: a message to one channel, written in the transaction of what it tells. Due at `next_try_at`; None:
    delivered, or given up."""

    __tablename__ = "deliveries"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    channel_id: Mapped[str] = mapped_column(ForeignKey("alert_channels.id", ondelete="CASCADE"), index=True)
    event: Mapped[str] = mapped_column(String(16))
    message: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[float] = mapped_column(index=True)
    num_tries: Mapped[int]
    next_try_at: Mapped[float | None] = mapped_column(index=True)
    delivered_at: Mapped[float | None]
    last_error: Mapped[str] = mapped_column(Text)


class LeaderRow(Base):
    """Which backend process runs the scheduler and ingest: whoever holds an unexpired row."""

    __tablename__ = "leaders"
    role: Mapped[str] = mapped_column(String(32), primary_key=True)
    holder: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[float]
