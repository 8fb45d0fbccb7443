"""What is computed twice to save memory."""

from __future__ import annotations

from tunedeck.errors import Problem
from tunedeck.resolved import ResolvedModel, ResolvedParallelism, ResolvedRecompute
from tunedeck.spec import Recompute


def resolve_recompute(
    asked: Recompute, layout: ResolvedParallelism, model: ResolvedModel, problems: list[Problem]
) -> ResolvedRecompute:
    if asked.recompute_granularity == "full":
        _check_num_layers(asked, layout, model, problems)
    else:
        _check_needs_full(asked, problems)
    return ResolvedRecompute(
        recompute_granularity=asked.recompute_granularity,
        recompute_method=asked.recompute_method or "uniform",
        recompute_num_layers=asked.recompute_num_layers or 1,
    )


def _check_needs_full(asked: Recompute, problems: list[Problem]) -> None:
    given = {"recompute_method": asked.recompute_method, "recompute_num_layers": asked.recompute_num_layers}
    for field, value in given.items():
        if value is not None:
            message = f"{field} {value} means nothing with recompute_granularity {asked.recompute_granularity}"
            mend = "leave it out, or set recompute_granularity to full"
            problems.append(Problem(f"recompute.{field}", value, message, mend))


def _check_num_layers(
    asked: Recompute, layout: ResolvedParallelism, model: ResolvedModel, problems: list[Problem]
) -> None:
    """Megatron recomputes within one piece of a pipeline stage, never across its border."""
    pieces = layout.pipeline_model_parallel_size * layout.virtual_pipeline_model_parallel_size
    num_layers = max(1, model.num_layers // pieces)
    wanted = asked.recompute_num_layers or 1
    if wanted > num_layers:
        message = f"recompute_num_layers {wanted} is more than the {num_layers} layers of a pipeline stage"
        problems.append(Problem("recompute.recompute_num_layers", wanted, message, f"use at most {num_layers}"))
