"""What placing reads of a job without its spec, hosts that are drained, devices that are set aside

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

JOBS = sa.table(
    "jobs",
    *(sa.column(name) for name in ("id", "device", "num_devices")),
    sa.column("resolved", sa.JSON),
)


def upgrade() -> None:
    # Not in batches: a table that is copied on SQLite loses its triggers and what hangs on its rows.
    op.add_column("jobs", sa.Column("device", sa.String(length=8), nullable=False, server_default="cuda"))
    op.add_column("jobs", sa.Column("num_devices", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("jobs", sa.Column("launcher", sa.String(length=16), nullable=False, server_default="local"))
    _read_devices_of_old_jobs()
    op.add_column("hosts", sa.Column("drained_at", sa.Double(), nullable=True))
    op.add_column("hosts", sa.Column("drained_by", sa.String(length=80), nullable=False, server_default=""))
    op.add_column("hosts", sa.Column("drained_why", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "set_aside_devices",
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("device_index", sa.Integer(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("num_ecc_errors", sa.BigInteger(), nullable=False),
        sa.Column("num_xid_errors", sa.BigInteger(), nullable=False),
        sa.Column("set_aside_at", sa.Double(), nullable=False),
        sa.Column("released_at", sa.Double(), nullable=True),
        sa.Column("released_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["host"], ["hosts.name"], name="fk_set_aside_devices_host", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("host", "device_index", name="pk_set_aside_devices"),
    )
    op.create_index("ix_attempts_ended_at", "attempts", ["ended_at"])


def downgrade() -> None:
    op.drop_index("ix_attempts_ended_at", "attempts")
    op.drop_table("set_aside_devices")
    for name in ("drained_why", "drained_by", "drained_at"):
        op.drop_column("hosts", name)
    for name in ("launcher", "num_devices", "device"):
        op.drop_column("jobs", name)


def _read_devices_of_old_jobs() -> None:
    connection = op.get_bind()
    for job_id, resolved in connection.execute(sa.select(JOBS.c.id, JOBS.c.resolved)).all():
        hardware = (resolved or {}).get("hardware", {})
        devices = {name: hardware[name] for name in ("device", "num_devices") if name in hardware}
        if devices:
            connection.execute(sa.update(JOBS).where(JOBS.c.id == job_id).values(**devices))
