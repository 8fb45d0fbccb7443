"""Tags, notes and the archive, what a search looks at, saved views, the small curve of each row

The index of specs begins empty: the backend fills it when it starts, since how a spec is cut into sections changes with
the code and a migration must not.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SEARCHED = ["id", "archived_at", "state", "name", "model", "dataset", "owner", "priority", "tags"]


def upgrade() -> None:
    # Not in batches: a table that is copied on SQLite loses its triggers and what hangs on its rows.
    op.add_column("jobs", sa.Column("tags", sa.Text(), nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("archived_at", sa.Double(), nullable=True))
    op.add_column("jobs", sa.Column("loss_curve", sa.JSON(), nullable=False, server_default="{}"))
    op.create_index("ix_jobs_search", "jobs", SEARCHED)
    op.create_table(
        "job_notes",
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("markdown", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("edited_at", sa.Double(), nullable=False),
        sa.Column("edited_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_notes_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name="pk_job_notes"),
    )
    op.create_table(
        "saved_views",
        sa.Column("page", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("saved_by", sa.String(length=80), nullable=False),
        sa.Column("saved_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("page", "name", name="pk_saved_views"),
    )
    _make_spec_index()


def _make_spec_index() -> None:
    op.create_table(
        "spec_values",
        sa.Column("section", sa.String(length=32), nullable=False),
        sa.Column("path", sa.String(length=120), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("number", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("section", "path", name="pk_spec_values"),
    )
    op.create_index("ix_spec_values_path_number", "spec_values", ["path", "number"])
    op.create_table(
        "job_sections",
        sa.Column("section", sa.String(length=32), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_sections_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("section", "job_id", name="pk_job_sections"),
    )
    op.create_index("ix_job_sections_job_id", "job_sections", ["job_id"])


def downgrade() -> None:
    for table in ("job_sections", "spec_values", "saved_views", "job_notes"):
        op.drop_table(table)
    op.drop_index("ix_jobs_search", "jobs")
    for name in ("loss_curve", "archived_at", "tags"):
        op.drop_column("jobs", name)
