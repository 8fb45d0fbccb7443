"""Bytes that are held from the first step to the last: weights, gradients and the optimizer's state.

Bytes per parameter, by what Megatron-core keeps: the weight (2 in bf16), its gradient in the buffer of
DistributedDataParallel (4, or 2), and for the optimizer a main parameter and two moments (4 each, or less under the
precision-aware optimizer), which the data-parallel ranks share under the distributed optimizer.
"""

from __future__ import annotations

from tunedeck.memory.parameters import LocalParameters
from tunedeck.resolved import ResolvedPrecision, ResolvedSpec

SIZE_OF = {"fp32": 4, "bf16": 2, "fp16": 2, "fp8": 1}


def weight_bytes(parameters: LocalParameters, precision: ResolvedPrecision) -> int:
    """FP8 keeps a matrix twice, by rows and by columns: with param-gather instead of the bf16 one, else beside it."""
    plain = SIZE_OF[precision.params_dtype]
    if precision.fp8_format == "none":
        return parameters.total * plain
    of_matrix = 2 * SIZE_OF["fp8"] + (0 if precision.fp8_param_gather else plain)
    return parameters.embedding * plain + parameters.linear * of_matrix


def gradient_bytes(parameters: LocalParameters, precision: ResolvedPrecision) -> int:
    return parameters.total * (4 if precision.accumulate_allreduce_grads_in_fp32 else 2)


def optimizer_bytes(parameters: LocalParameters, spec: ResolvedSpec) -> int:
    """What stays on the device; parameters that are fp32 themselves need no main copy."""
    precision, layout = spec.precision, spec.parallelism
    main = 0 if precision.params_dtype == "fp32" else SIZE_OF[precision.main_params_dtype]
    per_parameter = main + SIZE_OF[precision.exp_avg_dtype] + SIZE_OF[precision.exp_avg_sq_dtype]
    shared_by = spec.hardware.data_parallel_size * layout.context_parallel_size
    experts_shared_by = shared_by * layout.tensor_model_parallel_size // _expert_ranks(spec)
    if not layout.use_distributed_optimizer:
        shared_by = experts_shared_by = 1
    dense = parameters.total - parameters.experts
    held = dense / shared_by + parameters.experts / max(1, experts_shared_by)
    if precision.optimizer_cpu_offload:
        held *= 1.0 - precision.optimizer_offload_fraction
    return int(held * per_parameter)


def _expert_ranks(spec: ResolvedSpec) -> int:
    return spec.parallelism.expert_model_parallel_size * spec.parallelism.expert_tensor_parallel_size
