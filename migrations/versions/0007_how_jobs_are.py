"""What is wrong with a job, its tokens and newest checkpoint, what its attempts cost; settings of the settings page

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not in batches: a table that is copied on SQLite loses its triggers and what hangs on its rows.
    op.add_column("jobs", sa.Column("num_tokens", sa.BigInteger(), nullable=True))
    op.add_column("jobs", sa.Column("num_trained_tokens", sa.BigInteger(), nullable=True))
    op.add_column("jobs", sa.Column("checkpoint_step", sa.Integer(), nullable=True))
    op.add_column("jobs", sa.Column("checkpoint_at", sa.Double(), nullable=True))
    op.add_column("jobs", sa.Column("heard_at", sa.Double(), nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("watch", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("jobs", sa.Column("conditions", sa.JSON(), nullable=False, server_default="[]"))
    _find_newest_checkpoints()
    op.add_column("attempts", sa.Column("device_name", sa.String(length=80), nullable=False, server_default=""))
    op.add_column("attempts", sa.Column("memory_bytes", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "preferences",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_preferences"),
    )


def downgrade() -> None:
    op.drop_table("preferences")
    for name in ("memory_bytes", "device_name"):
        op.drop_column("attempts", name)
    summary = ("num_tokens", "num_trained_tokens", "checkpoint_step", "checkpoint_at")
    for name in (*summary, "heard_at", "watch", "conditions"):
        op.drop_column("jobs", name)


def _find_newest_checkpoints() -> None:
    newest = (
        "SELECT {} FROM checkpoints WHERE checkpoints.job_id = jobs.id AND format = 'dist_checkpointing'"
        " ORDER BY attempt DESC, step DESC, path DESC LIMIT 1"
    )
    at, step = newest.format("created_at"), newest.format("step")
    op.execute(f"UPDATE jobs SET checkpoint_step = ({step}), checkpoint_at = ({at})")
