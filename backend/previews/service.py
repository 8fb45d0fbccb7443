"""Rows and tokens at once; lengths and packing after work in the background, whose results are kept."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.datasets import service as datasets
from backend.db.database import Database
from backend.db.tables.datasets import DatasetRow, DatasetStatisticsRow
from backend.jobs.facts import Facts
from backend.jobs.intake import read_spec, resolve_spec
from backend.models import service as models
from backend.previews.preview import Preview
from backend.previews.views import DataForecast, RowsView, SampleView
from backend.works.work import Work
from backend.works.works import Works
from tunedeck.packing import layout_of
from tunedeck.resolved import ResolvedSpec
from tunedeck.settings import Settings
from tunedeck.spec import LossMaskType
from tunedeck.tokens.cache import key_of
from tunedeck.tokens.preparation import TokenSource
from tunedeck.views.datasets import DatasetView

_LENGTHS_PROCESS = "backend.previews.lengths_process"


@dataclass(frozen=True)
class Previews:
    settings: Settings
    database: Database
    works: Works
    preview: Preview

    def rows(self, owner: str, name: str, number: int | None, first: int, limit: int) -> RowsView:
        """Rows of a version as conversations, from row number `first` on."""
        version = datasets.get(self.database, owner, name, number)
        answer = self.preview.ask("rows", file=_file_of(version), first=first, limit=limit)
        return RowsView.model_validate(answer)

    def tokens(
        self, owner: str, name: str, number: int | None, row: int, model: str, loss_mask_type: LossMaskType
    ) -> SampleView:
        """The tokens of one row as they would be trained."""
        version = datasets.get(self.database, owner, name, number)
        answer = self.preview.ask(
            "tokens",
            file=_file_of(version),
            row=row,
            model_path=models.get(self.database, model).path,
            loss_mask_type=loss_mask_type,
        )
        return SampleView.model_validate(answer)

    def forecast(self, owner: str, raw: dict[str, Any], now: float) -> DataForecast | Work:
        """Lengths and packing under a spec. Work, where the lengths are not known yet. Raises BadInput."""
        spec = read_spec(raw)
        with self.database.reading() as session:
            intake = resolve_spec(Facts(session, now), owner, spec)
        key = key_of(_token_source(intake.resolved))
        known = self._known(key)
        if known is not None:
            return self._forecast(intake.resolved, key, known)
        # Resolved now: after a restart no host may have said yet what it can do.
        request = {"resolved": intake.resolved.model_dump(mode="json"), "dataset_id": intake.dataset_id}
        return self.works.start(Work(owner, "statistics", f"{spec.dataset} for {spec.model}", request))

    def measured(self, work: Work) -> DataForecast:
        """What a work of the kind `statistics` does."""
        resolved = ResolvedSpec.model_validate(work.request["resolved"])
        key = key_of(_token_source(resolved))
        # Another work may have measured the same samples for another layout meanwhile.
        statistics = self._known(key) or self._measured(resolved, key, work)
        return self._forecast(resolved, key, statistics)

    def _known(self, key: str) -> dict[str, Any] | None:
        with self.database.reading() as session:
            row = session.get(DatasetStatisticsRow, key)
        return row.statistics if row is not None and self._file(key).exists() else None

    def _measured(self, resolved: ResolvedSpec, key: str, work: Work) -> dict[str, Any]:
        data = resolved.data
        request = {
            "path": data.path,
            "content_sha256": data.content_sha256,
            "reading": data.reading.model_dump(mode="json"),
            "num_rows": data.num_rows,
            "model_path": resolved.model.path,
            "loss_mask_type": data.loss_mask_type,
            "token_cache": str(self.settings.token_cache_dir.resolve()),
            "lengths": str(self._file(key)),
        }
        statistics: dict[str, Any] = work.ask(_LENGTHS_PROCESS, request, "rows")
        self._keep(work.request["dataset_id"], key, statistics)
        return statistics

    def _keep(self, dataset_id: str, key: str, statistics: dict[str, Any]) -> None:
        with self.database.writing() as session:
            if session.get(DatasetRow, dataset_id) is None:
                return  # deleted for good meanwhile
            row = DatasetStatisticsRow(key=key, dataset_id=dataset_id, statistics=statistics, created_at=time.time())
            session.merge(row)

    def _forecast(self, spec: ResolvedSpec, key: str, statistics: dict[str, Any]) -> DataForecast:
        packing = self.preview.ask("packing", spec=spec.model_dump(mode="json"), lengths=str(self._file(key)))
        return DataForecast.model_validate(
            {
                **statistics,
                "capacity": layout_of(spec).capacity,
                "max_position_embeddings": spec.model.max_position_embeddings,
                "packing": packing,
            }
        )

    def _file(self, key: str) -> Path:
        return self.settings.data_dir.resolve() / "lengths" / key


def _file_of(version: DatasetView) -> dict[str, Any]:
    """What the child must know to find a row."""
    report = version.report
    return {
        "path": version.path,
        "reading": version.reading.model_dump(mode="json"),
        "shape": version.shape,
        "format": report.format if report else "json",
        "compression": report.compression if report else "none",
        "num_rows": report.num_rows if report else 0,
    }


def _token_source(spec: ResolvedSpec) -> TokenSource:
    data = spec.data
    return TokenSource(Path(data.path), data.content_sha256, data.reading, Path(spec.model.path), data.loss_mask_type)
