"""What is computed in which type: the parameters, FP8, and the state of the optimizer."""

from __future__ import annotations

from typing import Any, Literal

from tunedeck.bus import HostFacts
from tunedeck.errors import Problem
from tunedeck.resolve.fp8 import fp8_problems
from tunedeck.resolve.optimizer_state import optimizer_state_problems
from tunedeck.resolved import ResolvedModel, ResolvedPrecision
from tunedeck.spec import JobSpec, Precision


def resolve_precision(
    spec: JobSpec, model: ResolvedModel, host: HostFacts, problems: list[Problem]
) -> ResolvedPrecision:
    asked = spec.precision
    problems.extend(_host_problems(asked, host))
    problems.extend(fp8_problems(spec, model, host))
    problems.extend(optimizer_state_problems(spec, params_dtype(asked, host), host))
    given: dict[str, Any] = asked.model_dump(exclude_none=True)
    edges = 1 if asked.first_last_layers_bf16 else 0
    defaults: dict[str, Any] = {
        "params_dtype": params_dtype(asked, host),
        "fp8_format": "none",
        "fp8_recipe": "blockwise",
        "num_layers_at_start_in_bf16": edges,
        "num_layers_at_end_in_bf16": edges,
        "optimizer_offload_fraction": 1.0 if asked.optimizer_cpu_offload else 0.0,
    }
    return ResolvedPrecision.model_validate(defaults | given)


def params_dtype(asked: Precision, host: HostFacts) -> Literal["bf16", "fp32"]:
    return asked.params_dtype or ("bf16" if host.kind == "cuda" else "fp32")


def _host_problems(asked: Precision, host: HostFacts) -> list[Problem]:
    problems = []
    if host.kind == "cpu" and asked.params_dtype == "bf16":
        message = f"bf16 was asked for, and {host.name} has no GPU: the CPU path computes in fp32"
        problems.append(Problem("precision.params_dtype", "bf16", message, "leave it out, or use fp32"))
    if host.kind == "cpu" and asked.activation_func_fp8_input_store:
        message = f"keeping the input of SwiGLU in FP8 needs a GPU, and {host.name} has none"
        field = "precision.activation_func_fp8_input_store"
        problems.append(Problem(field, True, message, "switch it off"))
    if not asked.attention_softmax_in_fp32:
        message = "attention kernels of Transformer Engine and PyTorch compute their softmax in fp32, always"
        problems.append(Problem("precision.attention_softmax_in_fp32", False, message, "leave it on"))
    return problems
