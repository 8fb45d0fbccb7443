"""Versions of data sets, their owners, their trash and their statistics

What was registered before becomes version 1 and belongs to the only token that there was. The way back keeps the newest
version of each, and of two owners' data sets of one name the older one.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

FIRST_TOKEN = "first"
REPORTED = ("shape", "num_rows", "num_trainable_rows", "size_bytes", "content_sha256", "sample")
DATASETS = sa.table(
    "datasets",
    *(sa.column(name) for name in ("id", "name", "path", "created_at", *REPORTED[:-1])),
    sa.column("sample", sa.JSON),
)
VERSIONS = sa.table(
    "dataset_versions",
    *(sa.column(name) for name in ("dataset_id", "number", "source", "origin", "path", "created_at")),
    sa.column("reading", sa.JSON),
    sa.column("report", sa.JSON),
)


def upgrade() -> None:
    before = [dict(row) for row in op.get_bind().execute(sa.select(DATASETS)).mappings()]
    # Nothing refers to `datasets` yet, so the copy that SQLite makes of it takes nothing else with it.
    with op.batch_alter_table("datasets") as table:
        table.drop_constraint("uq_datasets_name", type_="unique")
        for name in ("path", *REPORTED):
            table.drop_column(name)
        table.add_column(sa.Column("owner", sa.String(length=80), nullable=False, server_default=FIRST_TOKEN))
        table.add_column(sa.Column("newest_version", sa.Integer(), nullable=False, server_default="1"))
        table.add_column(sa.Column("trashed_at", sa.Double(), nullable=True))
        table.create_unique_constraint("uq_datasets_owner_name", ["owner", "name"])
    op.create_index("ix_datasets_trashed_at", "datasets", ["trashed_at"])
    _create_versions()
    if before:
        op.bulk_insert(VERSIONS, [_first_version(row) for row in before])
    _create_statistics()
    # Not in a batch: `jobs` would be copied and dropped, and with it everything that hangs on its rows.
    op.add_column("jobs", sa.Column("dataset_id", sa.String(length=32), nullable=False, server_default=""))
    same = "SELECT datasets.id FROM datasets WHERE datasets.name = jobs.dataset"
    op.execute(f"UPDATE jobs SET dataset_id = COALESCE(({same}), '')")
    op.add_column("jobs", sa.Column("validation_dataset_id", sa.String(length=32), nullable=False, server_default=""))
    for name in ("dataset_id", "validation_dataset_id"):
        op.create_index(f"ix_jobs_{name}", "jobs", [name])


def downgrade() -> None:
    kept = [dict(row) for row in op.get_bind().execute(_newest_versions()).mappings()]
    for name in ("dataset_id", "validation_dataset_id"):
        op.drop_index(f"ix_jobs_{name}", "jobs")
        op.drop_column("jobs", name)
    op.drop_table("dataset_statistics")
    op.drop_table("dataset_versions")
    op.drop_table("datasets")
    _create_datasets_of_0001()
    if kept:
        op.bulk_insert(DATASETS, [_as_in_0001(row) for row in kept])


def _first_version(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "dataset_id": row["id"],
        "number": 1,
        "source": "path",
        "origin": row["path"],
        "path": row["path"],
        "reading": {},
        "report": {name: row[name] for name in REPORTED},
        "created_at": row["created_at"],
    }


def _newest_versions() -> sa.Select[Any]:
    datasets = sa.table("datasets", *(sa.column(name) for name in ("id", "name", "newest_version")))
    first = sa.select(sa.func.min(datasets.c.id)).group_by(datasets.c.name)
    joined = datasets.join(
        VERSIONS, sa.and_(VERSIONS.c.dataset_id == datasets.c.id, VERSIONS.c.number == datasets.c.newest_version)
    )
    columns = (datasets.c.id, datasets.c.name, VERSIONS.c.path, VERSIONS.c.report, VERSIONS.c.created_at)
    return sa.select(*columns).select_from(joined).where(datasets.c.id.in_(first))


def _as_in_0001(row: dict[str, Any]) -> dict[str, Any]:
    report = row.pop("report")
    return row | {name: report[name] for name in REPORTED}


def _create_versions() -> None:
    op.create_table(
        "dataset_versions",
        sa.Column("dataset_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("reading", sa.JSON(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name="fk_dataset_versions_dataset_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("dataset_id", "number", name="pk_dataset_versions"),
    )


def _create_statistics() -> None:
    op.create_table(
        "dataset_statistics",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("dataset_id", sa.String(length=32), nullable=False),
        sa.Column("statistics", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name="fk_dataset_statistics_dataset_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name="pk_dataset_statistics"),
    )
    op.create_index("ix_dataset_statistics_dataset_id", "dataset_statistics", ["dataset_id"])


def _create_datasets_of_0001() -> None:
    op.create_table(
        "datasets",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("shape", sa.String(length=32), nullable=False),
        sa.Column("num_rows", sa.BigInteger(), nullable=False),
        sa.Column("num_trainable_rows", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("sample", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_datasets"),
        sa.UniqueConstraint("name", name="uq_datasets_name"),
    )
