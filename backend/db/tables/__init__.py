"""Every table, as SQLAlchemy sees it; migrations/ makes the same ones, and a test compares the two.

Times are unix seconds as floats: SQLite has no time zone, and everything that we show is a difference or a local time
of the browser. Documents (specs, payloads) are JSON text, because nothing queries inside them; what is queried has a
column of its own. Enumerations are plain strings: SQLite cannot alter a CHECK constraint without copying the table.
A `server_default` is what a migration gave to the rows that were there when it added the column.

All of them are loaded together, so that `Base.metadata` is whole whoever asks for it.
"""

from backend.db.tables import (
    accounts,
    alerts,
    datasets,
    events,
    hosts,
    jobs,
    leaders,
    metrics,
    models,
    pages,
    run_files,
    spec_index,
)

__all__ = [
    "accounts",
    "alerts",
    "datasets",
    "events",
    "hosts",
    "jobs",
    "leaders",
    "metrics",
    "models",
    "pages",
    "run_files",
    "spec_index",
]
