"""Rows of data sets as REST sends them out."""

from __future__ import annotations

from typing import Any

from backend.db.tables.datasets import DatasetRow, DatasetVersionRow
from tunedeck.conversations import DatasetReport
from tunedeck.views.datasets import DatasetView

_FACTS = ("shape", "num_rows", "num_trainable_rows", "size_bytes", "content_sha256")


def dataset_view(dataset: DatasetRow, version: DatasetVersionRow) -> DatasetView:
    report = version.report
    return DatasetView(
        id=dataset.id,
        owner=dataset.owner,
        name=dataset.name,
        version=version.number,
        newest_version=dataset.newest_version,
        source=version.source,
        origin=version.origin,
        path=version.path,
        **{name: report[name] for name in _FACTS},
        sample=tuple(sendable(turn) for turn in report["sample"]),
        reading=version.reading,
        report=DatasetReport.model_validate(sendable(report)) if is_whole(report) else None,
        created_at=version.created_at,
        trashed_at=dataset.trashed_at,
    )


def is_whole(report: dict[str, Any]) -> bool:
    """Not of what was registered before files were checked row by row: there the report has only the first facts."""
    return "faults" in report


def sendable(value: Any) -> Any:
    """Half a surrogate pair is valid in JSON but cannot be sent as UTF-8: it is shown as a question mark."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {sendable(key): sendable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [sendable(item) for item in value]
    return value
