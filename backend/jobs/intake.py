"""From the JSON that a user sent to a spec that can run, or every reason why not.

Read first, resolved second: a spec whose types are wrong has no meaning to resolve. The names of model and data set
are looked up even so, because a form shows all faults at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from backend.cluster import queries as hosts
from backend.datasets import queries as datasets
from backend.db.tables import DatasetRow, DatasetVersionRow, ModelRow
from backend.http.validation import problems_of
from backend.models import queries as models
from tunedeck.architecture import architecture_of
from tunedeck.bus import HostFacts
from tunedeck.conversations import Reading
from tunedeck.errors import Problem, SpecInvalid
from tunedeck.memory import capacity_bytes, estimate_memory
from tunedeck.presets import apply_preset
from tunedeck.resolve import DatasetFacts, ModelFacts, choose_host, resolve
from tunedeck.resolved import ResolvedSpec
from tunedeck.spec import JobSpec
from tunedeck.views import CheckedSpec


def read_spec(raw: dict[str, Any]) -> JobSpec:
    """The spec with its preset laid under it. Raises BadInput or SpecInvalid with a problem at each faulty field."""
    try:
        return JobSpec.model_validate(apply_preset(raw))
    except ValidationError as fault:
        faults = fault.errors(include_url=False, include_context=True)
        raise spec_invalid(problems_of(faults, JobSpec)) from fault


@dataclass(frozen=True)
class Intake:
    """A spec that can run, on which model and for which hosts, and the ids of the data sets that it needs; "" for a
    validation data set that it has not."""

    resolved: ResolvedSpec
    model: ModelFacts
    hosts: Sequence[HostFacts]
    dataset_id: str
    validation_dataset_id: str

    def columns(self) -> dict[str, Any]:
        """What a job's row keeps of it; placing reads the devices without the spec."""
        return {
            "dataset_id": self.dataset_id,
            "validation_dataset_id": self.validation_dataset_id,
            "resolved": self.resolved.model_dump(mode="json"),
            "train_iters": self.resolved.batching.train_iters,
            "device": self.resolved.hardware.device,
            "num_devices": self.resolved.hardware.num_devices,
            "launcher": self.resolved.hardware.launcher,
        }

    def has_its_data(self, session: Session) -> bool:
        """Whether none of its data sets was put into the trash or deleted since."""
        needed = {self.dataset_id, self.validation_dataset_id} - {""}
        return datasets.num_in_use(session, needed) == len(needed)


def resolve_spec(session: Session, owner: str, spec: JobSpec, now: float) -> Intake:
    """`spec` with every default filled in from what is registered and connected. Raises SpecInvalid."""
    problems: list[Problem] = []
    model = models.named(session, spec.model)
    if model is None:
        message = f"no model is registered as {spec.model!r}"
        problems.append(Problem("model", spec.model, message, "register it, or choose one of GET /api/v1/models"))
    dataset = _dataset(session, owner, "dataset", spec.dataset, spec.data.dataset_version, problems)
    asked = spec.data.validation_dataset
    held_out = _dataset(session, owner, "data.validation_dataset", asked, None, problems) if asked else None
    if problems or model is None or dataset is None:
        raise spec_invalid(tuple(problems))
    validation = _dataset_facts(*held_out) if held_out else None
    facts, alive = _model_facts(model), _hosts(session, now)
    resolved = resolve(spec, facts, _dataset_facts(*dataset), alive, validation)
    return Intake(resolved, facts, alive, dataset[0].id, held_out[0].id if held_out else "")


def check_spec(session: Session, owner: str, spec: JobSpec, now: float) -> CheckedSpec:
    """What `spec` would become, and whether it fits the host that it is resolved for. Raises SpecInvalid."""
    intake = resolve_spec(session, owner, spec, now)
    host = choose_host(spec, intake.hosts, [])
    assert host is not None, "without a host nothing is resolved"
    capacity = capacity_bytes(host, intake.resolved.hardware)
    memory = estimate_memory(architecture_of(intake.model.config), intake.resolved, capacity)
    return CheckedSpec(resolved=intake.resolved, memory=memory, problems=())


def _dataset(
    session: Session, owner: str, field: str, name: str, number: int | None, problems: list[Problem]
) -> tuple[DatasetRow, DatasetVersionRow] | None:
    """The version that is asked for; None, with a problem, where it cannot be had."""
    dataset = datasets.named(session, owner, name)
    if dataset is None:
        message = f"no data set is registered as {name!r}"
        problems.append(Problem(field, name, message, "register it, or choose one of GET /api/v1/datasets"))
        return None
    if dataset.trashed_at is not None:
        problems.append(Problem(field, name, f"the data set {name!r} lies in the trash", "restore it, or take another"))
        return None
    version = datasets.version(session, dataset, number)
    if version is None:
        mend = f"use 1 to {dataset.newest_version}, or leave it out for the newest"
        problems.append(Problem("data.dataset_version", number, f"{name!r} has no version {number}", mend))
        return None
    return dataset, version


def spec_invalid(problems: tuple[Problem, ...]) -> SpecInvalid:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return SpecInvalid(f"the job cannot run: {problems[0].message}{more}", problems[0].mend, problems)


def _hosts(session: Session, now: float) -> list[HostFacts]:
    return [HostFacts.model_validate(row.facts) for row in hosts.alive(session, now)]


def _model_facts(row: ModelRow) -> ModelFacts:
    return ModelFacts(row.name, row.path, row.architecture, row.num_parameters, row.config)


def _dataset_facts(dataset: DatasetRow, version: DatasetVersionRow) -> DatasetFacts:
    report = version.report
    return DatasetFacts(
        name=dataset.name,
        path=version.path,
        content_sha256=report["content_sha256"],
        num_rows=report["num_rows"],
        num_trainable_rows=report["num_trainable_rows"],
        version=version.number,
        reading=Reading.model_validate(version.reading),
    )
