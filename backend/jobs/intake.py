"""From the JSON that a user sent to a spec that can run, or every reason why not.

Read first, resolved second: a spec whose types are wrong has no meaning to resolve. The names of model and data set
are looked up even so, because a form shows all faults at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from backend.http.validation import problems_of
from backend.jobs.facts import Facts
from tunedeck.architecture import architecture_of
from tunedeck.bus import HostFacts
from tunedeck.errors import Problem, SpecInvalid
from tunedeck.memory import capacity_bytes, estimate_memory
from tunedeck.presets import apply_preset
from tunedeck.resolve import DatasetFacts, ModelFacts, choose_host, resolve
from tunedeck.resolved import ResolvedSpec
from tunedeck.spec import JobSpec
from tunedeck.views.jobs import CheckedSpec


def read_spec(raw: dict[str, Any]) -> JobSpec:
    """The spec with its preset laid under it. Raises BadInput or SpecInvalid with a problem at each faulty field."""
    try:
        return JobSpec.model_validate(apply_preset(raw))
    except ValidationError as fault:
        faults = fault.errors(include_url=False, include_context=True)
        raise spec_invalid(problems_of(faults, JobSpec)) from fault


@dataclass(frozen=True)
class Intake:
    """A spec that can run, on which model and for which hosts, and the ids of its data sets; "" for a validation data
    set that it has not."""

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


def resolve_spec(facts: Facts, owner: str, spec: JobSpec) -> Intake:
    """`spec` with every default filled in from what is registered and connected. Raises SpecInvalid."""
    problems: list[Problem] = []
    model = facts.model(spec.model)
    if model is None:
        message = f"no model is registered as {spec.model!r}"
        problems.append(Problem("model", spec.model, message, "register it, or choose one of GET /api/v1/models"))
    dataset = _dataset(facts, owner, "dataset", spec.dataset, spec.data.dataset_version, problems)
    asked = spec.data.validation_dataset
    held_out = _dataset(facts, owner, "data.validation_dataset", asked, None, problems) if asked else None
    if problems or model is None or dataset is None:
        raise spec_invalid(tuple(problems))
    resolved = resolve(spec, model, dataset[1], facts.hosts(), held_out[1] if held_out else None)
    return Intake(resolved, model, facts.hosts(), dataset[0], held_out[0] if held_out else "")


def check_spec(facts: Facts, owner: str, spec: JobSpec) -> CheckedSpec:
    """What `spec` would become, and whether it fits the host that it is resolved for. Raises SpecInvalid."""
    intake = resolve_spec(facts, owner, spec)
    host = choose_host(spec, intake.hosts, [])
    assert host is not None, "without a host nothing is resolved"
    capacity = capacity_bytes(host, intake.resolved.hardware)
    memory = estimate_memory(architecture_of(intake.model.config), intake.resolved, capacity)
    return CheckedSpec(resolved=intake.resolved, memory=memory, problems=())


def _dataset(
    facts: Facts, owner: str, field: str, name: str, number: int | None, problems: list[Problem]
) -> tuple[str, DatasetFacts] | None:
    """The id of the data set and the version that is asked for; None, with a problem, where it cannot be had."""
    dataset = facts.dataset(owner, name)
    if dataset is None:
        message = f"no data set is registered as {name!r}"
        problems.append(Problem(field, name, message, "register it, or choose one of GET /api/v1/datasets"))
        return None
    if dataset.trashed_at is not None:
        problems.append(Problem(field, name, f"the data set {name!r} lies in the trash", "restore it, or take another"))
        return None
    version = facts.version(dataset, name, dataset.newest_version if number is None else number)
    if version is None:
        mend = f"use 1 to {dataset.newest_version}, or leave it out for the newest"
        problems.append(Problem("data.dataset_version", number, f"{name!r} has no version {number}", mend))
        return None
    return dataset.id, version


def spec_invalid(problems: tuple[Problem, ...]) -> SpecInvalid:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return SpecInvalid(f"the job cannot run: {problems[0].message}{more}", problems[0].mend, problems)
