"""Which FP8 a host can really compute. Megatron-core itself accepts FP8 anywhere and, without Transformer Engine,
silently computes in full precision; so it is refused here, by name, before the queue.

Sources: Transformer Engine's own checks (tensorwise from 2.2, blockwise from 2.3 on compute capability 9.0 and CUDA
12.9, mxfp8 from 2.1 on compute capability 10.0; FP8 matrix units from 8.9; matrix sides that 16 divides), and those of
megatron-core 0.16.1 (TransformerConfig.__post_init__) and Megatron-LM's argument parser.
"""

from __future__ import annotations

from dataclasses import dataclass

from tunedeck.bus import HostFacts
from tunedeck.errors import Problem
from tunedeck.resolved import ResolvedModel
from tunedeck.spec import JobSpec, Parallelism, Precision

MATRIX_MULTIPLE = 16


@dataclass(frozen=True)
class RecipeNeeds:
    compute_capability: tuple[int, int]
    hardware: str
    cuda: tuple[int, int]
    transformer_engine: tuple[int, int]


RECIPES: dict[str, RecipeNeeds] = {
    "delayed": RecipeNeeds((8, 9), "an Ada, Hopper or newer GPU", (12, 1), (1, 0)),
    "tensorwise": RecipeNeeds((8, 9), "an Ada, Hopper or newer GPU", (12, 1), (2, 2)),
    "blockwise": RecipeNeeds((9, 0), "a Hopper GPU", (12, 9), (2, 3)),
    "mxfp8": RecipeNeeds((10, 0), "a Blackwell GPU", (12, 8), (2, 1)),
}


def fp8_problems(spec: JobSpec, model: ResolvedModel, host: HostFacts) -> list[Problem]:
    """Every reason why `host` cannot compute `model` in the FP8 that was asked for."""
    asked = spec.precision
    problems = _edge_fields(asked)
    if asked.fp8_format is None:
        return problems + _fp8_fields_without_fp8(asked)
    problems += _combination_problems(asked, spec.parallelism)
    problems += _edge_problems(asked, model, spec.parallelism)
    problems += _shape_problems(asked, model, spec.parallelism)
    if asked.params_dtype == "fp32":
        message = "FP8 matrix products want bf16 parameters beside them, not fp32"
        problems.append(Problem("precision.params_dtype", "fp32", message, "use bf16 or leave it out"))
    return problems + _host_problems(asked, host)


def _fp8_fields_without_fp8(asked: Precision) -> list[Problem]:
    given: dict[str, object] = {}
    if asked.fp8_recipe is not None:
        given["fp8_recipe"] = asked.fp8_recipe
    for field in ("fp8_param_gather", "reuse_grad_buf_for_mxfp8_param_ag", "first_last_layers_bf16"):
        if getattr(asked, field):
            given[field] = True
    return [
        Problem(f"precision.{field}", value, f"{field} is set, but fp8_format is not", "set fp8_format: e4m3 or hybrid")
        for field, value in given.items()
    ]


def _combination_problems(asked: Precision, layout: Parallelism) -> list[Problem]:
    recipe = asked.fp8_recipe or "blockwise"
    problems = []
    if asked.fp8_param_gather and not layout.use_distributed_optimizer:
        message = "only the distributed optimizer can update weights that are kept in FP8"
        mend = "switch parallelism.use_distributed_optimizer on, or fp8_param_gather off"
        problems.append(Problem("precision.fp8_param_gather", True, message, mend))
    if asked.reuse_grad_buf_for_mxfp8_param_ag and not (recipe == "mxfp8" and asked.fp8_param_gather):
        message = f"the gradient buffer can be reused with mxfp8 and fp8_param_gather, not with {recipe}"
        if recipe == "mxfp8":
            message = "the gradient buffer can be reused with fp8_param_gather only"
        field = "precision.reuse_grad_buf_for_mxfp8_param_ag"
        problems.append(Problem(field, True, message, "switch it off, or set both"))
    return problems


def _edge_fields(asked: Precision) -> list[Problem]:
    if asked.first_last_layers_bf16:
        return []
    fields = {
        "num_layers_at_start_in_bf16": asked.num_layers_at_start_in_bf16,
        "num_layers_at_end_in_bf16": asked.num_layers_at_end_in_bf16,
    }
    mend = "switch first_last_layers_bf16 on, or leave it out"
    return [
        Problem(f"precision.{field}", number, f"{field} {number} means nothing without first_last_layers_bf16", mend)
        for field, number in fields.items()
        if number is not None
    ]


def _edge_problems(asked: Precision, model: ResolvedModel, layout: Parallelism) -> list[Problem]:
    if not asked.first_last_layers_bf16:
        return []
    problems = []
    if asked.fp8_recipe == "delayed":
        message = "delayed scaling cannot leave the first and last layers in bf16"
        problems.append(Problem("precision.first_last_layers_bf16", True, message, "choose another fp8_recipe"))
    most = model.num_layers // layout.pipeline_model_parallel_size
    for field in ("num_layers_at_start_in_bf16", "num_layers_at_end_in_bf16"):
        number = getattr(asked, field)
        if number is not None and number > most:
            message = f"{field} {number} is more than the {most} layers of a pipeline stage"
            problems.append(Problem(f"precision.{field}", number, message, f"use at most {most}"))
    return problems


def _shape_problems(asked: Precision, model: ResolvedModel, layout: Parallelism) -> list[Problem]:
    """An expert's columns are parted by its own tensor-parallel size; a dense MLP's by the common one."""
    size = layout.tensor_model_parallel_size
    sides = {"hidden_size": model.hidden_size, "intermediate_size": model.ffn_hidden_size // size}
    if model.num_experts:
        columns = model.moe_ffn_hidden_size // (layout.expert_tensor_parallel_size or size)
        sides = {"hidden_size": model.hidden_size, "moe_intermediate_size": columns}
    return [
        Problem(
            "precision.fp8_format",
            asked.fp8_format,
            f"FP8 matrices need sides that {MATRIX_MULTIPLE} divides; {name} of {model.name} is {side} on each rank",
            "leave fp8_format out, or choose another tensor-parallel size",
        )
        for name, side in sides.items()
        if side % MATRIX_MULTIPLE
    ]


def _host_problems(asked: Precision, host: HostFacts) -> list[Problem]:
    if host.kind == "cpu":
        message = f"FP8 ({asked.fp8_format}) needs a Hopper GPU and Transformer Engine; {host.name} has no GPU"
        return [Problem("precision.fp8_format", asked.fp8_format, message, "leave fp8_format out")]
    if not host.transformer_engine_version:
        message = f"FP8 needs Transformer Engine, and {host.name} cannot import it"
        return [Problem("precision.fp8_format", asked.fp8_format, message, "install transformer-engine on that host")]
    return _recipe_problems(asked.fp8_recipe or "blockwise", host)


def _recipe_problems(recipe: str, host: HostFacts) -> list[Problem]:
    needs = RECIPES[recipe]
    weakest = min(device.compute_capability for device in host.devices)
    lacking = []
    if weakest < needs.compute_capability:
        lacking.append(
            f"{needs.hardware} (compute capability {_dotted(needs.compute_capability)}, not {_dotted(weakest)})"
        )
    if _version(host.cuda_version) < needs.cuda:
        lacking.append(f"CUDA {_dotted(needs.cuda)}, not {host.cuda_version or 'none'}")
    if _version(host.transformer_engine_version) < needs.transformer_engine:
        lacking.append(f"Transformer Engine {_dotted(needs.transformer_engine)}, not {host.transformer_engine_version}")
    if not lacking:
        return []
    message = f"the FP8 recipe {recipe} needs {' and '.join(lacking)} on {host.name}"
    return [Problem("precision.fp8_recipe", recipe, message, "choose another recipe or leave fp8_format out")]


def _version(text: str) -> tuple[int, int]:
    parts = [*text.split("."), "0", "0"]
    return (int(parts[0]) if parts[0].isdigit() else 0, int(parts[1]) if parts[1].isdigit() else 0)


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
