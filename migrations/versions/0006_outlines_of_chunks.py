"""A tenth of the points of each chunk, from which long series are read; chunks that were there before have none

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

FEED_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "metric_outlines",
        sa.Column("chunk_id", FEED_ID, nullable=False, autoincrement=False),
        sa.Column("points", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("chunk_id", name="pk_metric_outlines"),
        sa.ForeignKeyConstraint(
            ["chunk_id"], ["metric_chunks.id"], name="fk_metric_outlines_chunk_id", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    op.drop_table("metric_outlines")
