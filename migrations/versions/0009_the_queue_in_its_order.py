"""The index of the queue in the order in which placing looks at waiting jobs, so that nothing has to be sorted

ix_jobs_state gives way to one that also tells which of the queued jobs wait for another attempt. On PostgreSQL the
pages of what every step changes keep room for the next version of a row, which then changes no index.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

QUEUE = "ix_jobs_queue"
IN_ORDER = [
    *("state", "owner", "priority", "launcher", "device", "num_devices", "preemptible"),
    *("created_at", "id", "not_before"),
]
BEFORE = [
    *("state", "not_before", "id", "owner", "priority"),
    *("created_at", "launcher", "device", "num_devices", "preemptible"),
]
TRIED = "ix_jobs_tried"
FILLED_PERCENT = {"jobs": 70, "attempts": 50, "hosts": 50}


def upgrade() -> None:
    op.drop_index(QUEUE, "jobs")
    op.create_index(QUEUE, "jobs", IN_ORDER)
    op.drop_index("ix_jobs_state", "jobs")
    op.create_index(TRIED, "jobs", ["state", "attempt", "id"])
    if _is_postgres():
        for table, percent in FILLED_PERCENT.items():
            op.execute(f"ALTER TABLE {table} SET (fillfactor = {percent})")


def downgrade() -> None:
    if _is_postgres():
        for table in FILLED_PERCENT:
            op.execute(f"ALTER TABLE {table} RESET (fillfactor)")
    op.drop_index(TRIED, "jobs")
    op.create_index("ix_jobs_state", "jobs", ["state"])
    op.drop_index(QUEUE, "jobs")
    op.create_index(QUEUE, "jobs", BEFORE)


def _is_postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"
