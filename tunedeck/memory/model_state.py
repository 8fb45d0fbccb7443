"""Bytes that are held from the first step to the last: weights, gradients and the optimizer's state.

Bytes per parameter, by what Megatron-core keeps: the weight (2 in bf16), its gradient in the buffer of
DistributedDataParallel (4, or 2), and for the optimizer a main parameter and two moments (4 each, or less under the
precision-aware optimizer), which the data-parallel ranks share under the distributed optimizer. What the update of the
weights makes for a moment counts where it is more than what a microbatch needs.
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
    precision = spec.precision
    per_parameter = _main_bytes(precision) + SIZE_OF[precision.exp_avg_dtype] + SIZE_OF[precision.exp_avg_sq_dtype]
    held = _shared(parameters.total - parameters.experts, parameters.experts, spec)
    if precision.optimizer_cpu_offload:
        held *= 1.0 - precision.optimizer_offload_fraction
    return int(held * per_parameter)


def update_bytes(parameters: LocalParameters, spec: ResolvedSpec) -> int:
    """What the optimizer's step makes and frees again: gradients in fp32 where they were summed in bf16 and Adam cannot
    read them so, and main parameters in bf16, all at once, from which FP8 weights are cast."""
    precision = spec.precision
    sum_in_bf16 = not precision.accumulate_allreduce_grads_in_fp32
    gradients = 4 if sum_in_bf16 and not _adam_reads_any_gradient(precision) else 0
    casts = SIZE_OF[precision.params_dtype] if precision.fp8_param_gather else 0
    every = _shared(parameters.total - parameters.experts, parameters.experts, spec)
    matrices = _shared(parameters.linear - parameters.experts, parameters.experts, spec)
    return int(every * gradients + matrices * casts)


def _main_bytes(precision: ResolvedPrecision) -> int:
    """Beside a bf16 weight the precision-aware Adam keeps of an fp32 main parameter only the sixteen bits it lacks."""
    if precision.params_dtype == "fp32":
        return 0
    is_whole = precision.main_params_dtype != "fp32" or precision.fp8_param_gather or precision.optimizer_cpu_offload
    if _adam_reads_any_gradient(precision) and not is_whole:
        return 2
    return SIZE_OF[precision.main_params_dtype]


def _adam_reads_any_gradient(precision: ResolvedPrecision) -> bool:
    """Megatron's `use_precision_aware_optimizer_no_fp8_or_ds_fp8`: with any other FP8 recipe than delayed scaling the
    optimizer keeps main parameters and their gradients itself, in fp32."""
    has_own_main = precision.fp8_format != "none" and precision.fp8_recipe != "delayed"
    is_left_to_adam = precision.main_params_dtype != "fp32" or precision.optimizer_cpu_offload or not has_own_main
    return precision.use_precision_aware_optimizer and is_left_to_adam


def _shared(dense: int, experts: int, spec: ResolvedSpec) -> float:
    """Parameters of which one rank holds the optimizer's state."""
    layout = spec.parallelism
    if not layout.use_distributed_optimizer:
        return float(dense + experts)
    shared_by = spec.hardware.data_parallel_size * layout.context_parallel_size
    experts_shared_by = shared_by * layout.tensor_model_parallel_size // _expert_ranks(spec)
    return dense / shared_by + experts / max(1, experts_shared_by)


def _expert_ranks(spec: ResolvedSpec) -> int:
    return spec.parallelism.expert_model_parallel_size * spec.parallelism.expert_tensor_parallel_size
