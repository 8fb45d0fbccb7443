"""The order in which the parts of a spec are resolved: host, model, layout, data, steps, schedule, precision."""

from __future__ import annotations

from collections.abc import Sequence

from tunedeck.bus import HostFacts
from tunedeck.errors import Problem, SpecInvalid
from tunedeck.resolve.batching import resolve_batching, resolve_data
from tunedeck.resolve.evaluation import check_evaluation
from tunedeck.resolve.experts import resolve_experts
from tunedeck.resolve.facts import DatasetFacts, ModelFacts
from tunedeck.resolve.hardware import choose_host, resolve_hardware
from tunedeck.resolve.layout import check_layout, resolve_model, resolve_parallelism
from tunedeck.resolve.precision import resolve_precision
from tunedeck.resolve.recompute import resolve_recompute
from tunedeck.resolve.schedule import resolve_optimizer
from tunedeck.resolve.tracking import resolve_tracking
from tunedeck.resolved import ResolvedSpec
from tunedeck.spec import JobSpec


def resolve(
    spec: JobSpec,
    model: ModelFacts,
    dataset: DatasetFacts,
    hosts: Sequence[HostFacts],
    validation_dataset: DatasetFacts | None = None,
) -> ResolvedSpec:
    """The job as the engine will get it. Raises SpecInvalid with every problem that was found.

    `validation_dataset` are the facts of the data set that `spec.data.validation_dataset` names, None without one.
    """
    problems: list[Problem] = []
    host = choose_host(spec, hosts, problems)
    if host is None:
        raise _invalid(problems)
    resolved_model = resolve_model(model)
    parallelism = resolve_parallelism(spec.parallelism, resolved_model)
    hardware = resolve_hardware(spec, parallelism, host, problems)
    check_layout(spec.parallelism, resolved_model, problems)
    data = resolve_data(spec.data, dataset, validation_dataset, problems)
    batching = resolve_batching(spec.batching, data, dataset.num_trainable_rows, hardware, problems)
    resolved = ResolvedSpec(
        name=spec.name,
        seed=spec.seed,
        model=resolved_model,
        data=data,
        batching=batching,
        optimizer=resolve_optimizer(spec.optimizer, batching.train_iters, problems),
        parallelism=parallelism,
        precision=resolve_precision(spec, resolved_model, host, problems),
        experts=resolve_experts(spec.experts, resolved_model, problems),
        recompute=resolve_recompute(spec.recompute, parallelism, resolved_model, problems),
        evaluation=spec.evaluation,
        checkpointing=spec.checkpointing,
        tracking=resolve_tracking(spec.tracking, batching.train_iters, host, problems),
        hardware=hardware,
    )
    check_evaluation(spec.evaluation, data, problems)
    if problems:
        raise _invalid(problems)
    return resolved


def _invalid(problems: list[Problem]) -> SpecInvalid:
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return SpecInvalid(f"the job cannot run: {first.message}{more}", first.mend, tuple(problems))
