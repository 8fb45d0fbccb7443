"""From the JSON that a user sent to a spec that can run, or every reason why not.

Read first, resolved second: a spec whose types are wrong has no meaning to resolve. The names of model and data set
are looked up even so, because a form shows all faults at once.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from backend.cluster import queries as hosts
from backend.datasets import queries as datasets
from backend.db.tables import DatasetRow, ModelRow
from backend.http.validation import problems_of
from backend.models import queries as models
from tunedeck.architecture import architecture_of
from tunedeck.bus import HostFacts
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


def resolve_spec(session: Session, spec: JobSpec, now: float) -> ResolvedSpec:
    """`spec` with every default filled in from what is registered and connected. Raises SpecInvalid."""
    model, dataset = models.named(session, spec.model), datasets.named(session, spec.dataset)
    held_out = datasets.named(session, spec.data.validation_dataset) if spec.data.validation_dataset else None
    unknown = _unknown_names(spec, model, dataset, held_out)
    if unknown or model is None or dataset is None:
        raise spec_invalid(unknown)
    validation = _dataset_facts(held_out) if held_out else None
    return resolve(spec, _model_facts(model), _dataset_facts(dataset), _hosts(session, now), validation)


def check_spec(session: Session, spec: JobSpec, now: float) -> CheckedSpec:
    """What `spec` would become, and whether it fits the host that it is resolved for. Raises SpecInvalid."""
    resolved = resolve_spec(session, spec, now)
    model, host = models.named(session, spec.model), choose_host(spec, _hosts(session, now), [])
    if model is None or host is None:
        raise RuntimeError("a model or host that was there in this transaction is gone")
    capacity = capacity_bytes(host, resolved.hardware.num_devices)
    memory = estimate_memory(architecture_of(model.config), resolved, capacity)
    return CheckedSpec(resolved=resolved, memory=memory, problems=())


def spec_invalid(problems: tuple[Problem, ...]) -> SpecInvalid:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return SpecInvalid(f"the job cannot run: {problems[0].message}{more}", problems[0].mend, problems)


def _unknown_names(
    spec: JobSpec, model: ModelRow | None, dataset: DatasetRow | None, held_out: DatasetRow | None
) -> tuple[Problem, ...]:
    problems = []
    if model is None:
        message = f"no model is registered as {spec.model!r}"
        problems.append(Problem("model", spec.model, message, "register it, or choose one of GET /api/v1/models"))
    named = {"dataset": (spec.dataset, dataset), "data.validation_dataset": (spec.data.validation_dataset, held_out)}
    for field, (name, row) in named.items():
        if name is not None and row is None:
            message = f"no data set is registered as {name!r}"
            problems.append(Problem(field, name, message, "register it, or choose one of GET /api/v1/datasets"))
    return tuple(problems)


def _hosts(session: Session, now: float) -> list[HostFacts]:
    return [HostFacts.model_validate(row.facts) for row in hosts.alive(session, now)]


def _model_facts(row: ModelRow) -> ModelFacts:
    return ModelFacts(row.name, row.path, row.architecture, row.num_parameters, row.config)


def _dataset_facts(row: DatasetRow) -> DatasetFacts:
    return DatasetFacts(row.name, row.path, row.content_sha256, row.num_rows, row.num_trainable_rows)
