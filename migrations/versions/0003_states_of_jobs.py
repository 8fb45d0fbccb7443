"""States of jobs that the database itself guards, and what queue, retries and actions need to know of a job

The trigger asks a table, so that a later state is a row more and no new trigger. A CHECK constraint was rejected: it
sees only the new row. Compare-and-set updates were rejected: they guard only those who write them. The way back turns
the states that 0002 does not know into the nearest that it does.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ALLOWED = {
    "draft": ("queued", "cancelled"),
    "queued": ("placing", "held", "cancelled", "failed"),
    "held": ("queued", "cancelled", "failed"),
    "placing": ("starting", "queued", "pausing", "stopping", "failed"),
    "starting": ("running", "queued", "pausing", "stopping", "failed", "succeeded"),
    "running": ("succeeded", "failed", "pausing", "stopping", "queued"),
    "pausing": ("paused", "queued", "stopping", "succeeded", "failed"),
    "paused": ("queued", "cancelled"),
    "stopping": ("cancelled", "succeeded", "failed"),
    "failed": ("queued",),
    "cancelled": ("queued",),
}
# What the first part of the message is recognised by is in backend/db/faults.py.
MESSAGE = "illegal_transition: a job cannot change its state like this"
NOT_ALLOWED = """NEW.state <> OLD.state AND NOT EXISTS (
    SELECT 1 FROM allowed_transitions WHERE from_state = OLD.state AND to_state = NEW.state)"""
SQLITE_TRIGGER = f"""
CREATE TRIGGER jobs_guard_state BEFORE UPDATE OF state ON jobs WHEN {NOT_ALLOWED}
BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"""
POSTGRES_FUNCTION = f"""
CREATE FUNCTION jobs_guard_state() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF {NOT_ALLOWED} THEN
        RAISE EXCEPTION '{MESSAGE} (% from % to %)', OLD.id, OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$"""
POSTGRES_TRIGGER = """
CREATE TRIGGER jobs_guard_state BEFORE UPDATE OF state ON jobs FOR EACH ROW EXECUTE FUNCTION jobs_guard_state()"""

FIRST_TOKEN = "first"
COLUMNS = (
    sa.Column("owner", sa.String(length=80), nullable=False, server_default=FIRST_TOKEN),
    sa.Column("priority", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("preemptible", sa.Boolean(), nullable=False, server_default=sa.true()),
    sa.Column("max_attempts", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("not_before", sa.Double(), nullable=False, server_default="0"),
    sa.Column("num_failures", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("resume_from", sa.Text(), nullable=False, server_default=""),
    sa.Column("request_key", sa.String(length=80), nullable=True),
)
NEAREST = {"draft": "cancelled", "held": "queued", "pausing": "stopping", "paused": "cancelled"}


def upgrade() -> None:
    # Not in a batch, here and below: `jobs` would be copied and dropped, and with it everything that hangs on its rows.
    for column in COLUMNS:
        op.add_column("jobs", column._copy())
    op.create_index("uq_jobs_owner_request_key", "jobs", ["owner", "request_key"], unique=True)
    allowed = op.create_table(
        "allowed_transitions",
        sa.Column("from_state", sa.String(length=16), nullable=False),
        sa.Column("to_state", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("from_state", "to_state", name="pk_allowed_transitions"),
    )
    op.bulk_insert(
        allowed, [{"from_state": before, "to_state": after} for before, every in ALLOWED.items() for after in every]
    )
    if _is_postgres():
        op.execute(POSTGRES_FUNCTION)
        op.execute(POSTGRES_TRIGGER)
    else:
        op.execute(SQLITE_TRIGGER)


def downgrade() -> None:
    if _is_postgres():
        op.execute("DROP TRIGGER jobs_guard_state ON jobs")
        op.execute("DROP FUNCTION jobs_guard_state")
    else:
        op.execute("DROP TRIGGER jobs_guard_state")
    op.drop_table("allowed_transitions")
    for unknown, nearest in NEAREST.items():
        op.execute(f"UPDATE jobs SET state = '{nearest}' WHERE state = '{unknown}'")
    op.execute("UPDATE jobs SET desired = 'cancel' WHERE state IN ('cancelled', 'stopping')")
    op.execute("UPDATE jobs SET desired = 'run' WHERE desired IN ('pause', 'requeue')")
    op.drop_index("uq_jobs_owner_request_key", "jobs")
    for column in COLUMNS:
        op.drop_column("jobs", column.name)


def _is_postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"
