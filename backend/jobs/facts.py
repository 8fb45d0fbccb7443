"""What is registered and connected, as one session sees it: what a spec is resolved from.

Each thing is asked for once, so that specs which are resolved together share the questions. What the database holds as
JSON is taken apart once for each text that was ever read, which is as good as new as long as the text is the same: two
hundred hosts would otherwise be described anew for every job that is posted.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, NamedTuple, cast

from sqlalchemy import Select, Table, Text, bindparam, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session

from backend.db.tables.datasets import DatasetRow, DatasetVersionRow
from backend.db.tables.hosts import HostRow
from backend.db.tables.models import ModelRow
from tunedeck.bus import HostFacts
from tunedeck.conversations import Reading
from tunedeck.resolve import DatasetFacts, ModelFacts

# A spec is judged by the hosts that there are; one that restarts just now is still there.
FORGIVEN_SILENCE_S = 60.0

# Of tables and not of mapped classes, and put together once: that is half of what such a question costs.
_models, _datasets, _versions, _hosts = (
    cast(Table, row.__table__).c for row in (ModelRow, DatasetRow, DatasetVersionRow, HostRow)
)
_MODEL = select(
    *(_models.name, _models.path, _models.architecture, _models.num_parameters, sql_cast(_models.config, Text))
).where(_models.name == bindparam("name"))
_OF_VERSION = (_versions.path, sql_cast(_versions.report, Text), sql_cast(_versions.reading, Text))
_VERSION = select(*_OF_VERSION).where(
    _versions.dataset_id == bindparam("dataset_id"), _versions.number == bindparam("number")
)
# With its newest version, which most jobs ask for.
_DATASET = (
    select(_datasets.id, _datasets.newest_version, _datasets.trashed_at, *_OF_VERSION)
    .join(
        DatasetVersionRow.__table__,
        (_versions.dataset_id == _datasets.id) & (_versions.number == _datasets.newest_version),
    )
    .where(_datasets.owner == bindparam("owner"), _datasets.name == bindparam("name"))
)
_HOSTS = select(sql_cast(_hosts.facts, Text)).where(_hosts.last_seen_at >= bindparam("since")).order_by(_hosts.name)


class Dataset(NamedTuple):
    id: str
    newest_version: int
    trashed_at: float | None


class Facts:
    """`now` is unix time in seconds."""

    def __init__(self, session: Session, now: float) -> None:
        self._connection = session.connection()
        self._now = now
        self._models: dict[str, ModelFacts | None] = {}
        self._datasets: dict[tuple[str, str], Dataset | None] = {}
        self._versions: dict[tuple[str, int], DatasetFacts | None] = {}
        self._hosts: list[HostFacts] | None = None

    def model(self, name: str) -> ModelFacts | None:
        if name not in self._models:
            found = self._ask(_MODEL, name=name)
            self._models[name] = None if found is None else _model_facts(*found)
        return self._models[name]

    def dataset(self, owner: str, name: str) -> Dataset | None:
        """Also one that lies in the trash."""
        if (owner, name) not in self._datasets:
            self._datasets[owner, name] = self._find_dataset(owner, name)
        return self._datasets[owner, name]

    def _find_dataset(self, owner: str, name: str) -> Dataset | None:
        found = self._ask(_DATASET, owner=owner, name=name)
        if found is None:
            return None
        dataset, newest = Dataset(*found[:3]), found[3:]
        self._versions[dataset.id, dataset.newest_version] = _dataset_facts(name, dataset.newest_version, *newest)
        return dataset

    def version(self, dataset: Dataset, name: str, number: int) -> DatasetFacts | None:
        key = (dataset.id, number)
        if key not in self._versions:
            found = self._ask(_VERSION, dataset_id=dataset.id, number=number)
            self._versions[key] = None if found is None else _dataset_facts(name, number, *found)
        return self._versions[key]

    def hosts(self) -> list[HostFacts]:
        """Those for which a spec may be resolved. The scheduler, which sends work, is stricter."""
        if self._hosts is None:
            found = self._connection.execute(_HOSTS, {"since": self._now - FORGIVEN_SILENCE_S})
            self._hosts = [_host_facts(text) for (text,) in found]
        return self._hosts

    def _ask(self, question: Select[*tuple[Any, ...]], **values: Any) -> tuple[Any, ...] | None:
        found = self._connection.execute(question, values).one_or_none()
        return None if found is None else tuple(found)


@lru_cache(maxsize=256)
def _model_facts(name: str, path: str, architecture: str, num_parameters: int, config_json: str) -> ModelFacts:
    return ModelFacts(name, path, architecture, num_parameters, json.loads(config_json))


@lru_cache(maxsize=2048)
def _host_facts(text: str) -> HostFacts:
    return HostFacts.model_validate_json(text)


@lru_cache(maxsize=256)
def _dataset_facts(name: str, number: int, path: str, report_json: str, reading_json: str) -> DatasetFacts:
    report = json.loads(report_json)
    return DatasetFacts(
        name=name,
        path=path,
        content_sha256=report["content_sha256"],
        num_rows=report["num_rows"],
        num_trainable_rows=report["num_trainable_rows"],
        version=number,
        reading=Reading.model_validate_json(reading_json),
    )
