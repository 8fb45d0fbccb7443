"""All that placing reads of a waiting job, in one index: in the table it lies behind the specs, kilobytes a row

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NAME = "ix_jobs_queue"
COLUMNS = [
    *("state", "not_before", "id", "owner", "priority"),
    *("created_at", "launcher", "device", "num_devices", "preemptible"),
]


def upgrade() -> None:
    op.create_index(NAME, "jobs", COLUMNS)


def downgrade() -> None:
    op.drop_index(NAME, "jobs")
