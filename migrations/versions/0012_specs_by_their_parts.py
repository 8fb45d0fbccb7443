"""Which part of its spec a section of a job is, so that a search by a field reads nothing of the other parts

The index of specs is made anew: a backend that starts adds the jobs that have none (backend/jobs/spec_index.py).

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _make_anew(sa.Column("part", sa.String(length=40), nullable=False))


def downgrade() -> None:
    _make_anew()


def _make_anew(*part: sa.Column[str]) -> None:
    op.drop_table("job_sections")
    op.execute("DELETE FROM spec_values")
    op.create_table(
        "job_sections",
        *part,
        sa.Column("section", sa.String(length=32), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_sections_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint(*(column.name for column in part), "section", "job_id", name="pk_job_sections"),
    )
    op.create_index("ix_job_sections_job_id", "job_sections", ["job_id"])
