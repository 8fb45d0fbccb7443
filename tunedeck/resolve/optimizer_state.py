"""Which types the optimizer's state may have, and where it may lie.

Sources: the checks of Megatron-LM's own argument parser and of megatron-core 0.16.1 (OptimizerConfig.__post_init__,
DistributedOptimizer, HybridDeviceOptimizer, which knows no other type than fp32).
"""

from __future__ import annotations

from tunedeck.bus import HostFacts
from tunedeck.errors import Problem
from tunedeck.spec import JobSpec, Precision

_TYPES = ("main_grads_dtype", "main_params_dtype", "exp_avg_dtype", "exp_avg_sq_dtype")


def optimizer_state_problems(spec: JobSpec, params_dtype: str, host: HostFacts) -> list[Problem]:
    """`params_dtype` is the resolved one."""
    asked = spec.precision
    problems = _gradient_problems(asked, params_dtype)
    if asked.use_precision_aware_optimizer:
        problems += _precision_aware_problems(spec, params_dtype, host)
    else:
        problems += _only_precision_aware(asked)
    return problems + _offload_problems(asked, host)


def _gradient_problems(asked: Precision, params_dtype: str) -> list[Problem]:
    field, in_fp32 = "precision.accumulate_allreduce_grads_in_fp32", asked.accumulate_allreduce_grads_in_fp32
    if not in_fp32 and params_dtype == "fp32":
        return [Problem(field, False, "the gradients of fp32 parameters are in fp32", "leave it on, or use bf16")]
    if in_fp32 and asked.main_grads_dtype == "bf16":
        message = "main_grads_dtype is bf16, but gradients are summed in fp32"
        return [Problem("precision.main_grads_dtype", "bf16", message, f"switch {field} off")]
    if not in_fp32 and asked.use_precision_aware_optimizer and asked.main_grads_dtype == "fp32":
        message = "gradients summed in bf16 reach the precision-aware optimizer in bf16, not in fp32"
        return [Problem("precision.main_grads_dtype", "fp32", message, f"set it to bf16, or leave {field} on")]
    return []


def _only_precision_aware(asked: Precision) -> list[Problem]:
    return [
        Problem(
            f"precision.{field}",
            getattr(asked, field),
            f"{field} {getattr(asked, field)} needs use_precision_aware_optimizer",
            "switch it on, or leave the field out",
        )
        for field in _TYPES
        if getattr(asked, field) != "fp32"
    ]


def _precision_aware_problems(spec: JobSpec, params_dtype: str, host: HostFacts) -> list[Problem]:
    lacking = []
    if host.kind == "cpu" or not host.transformer_engine_version:
        lacking.append(f"Transformer Engine's FusedAdam on a GPU, which {host.name} does not have")
    if not spec.parallelism.use_distributed_optimizer:
        lacking.append("use_distributed_optimizer")
    if host.kind == "cuda" and params_dtype != "bf16":
        lacking.append("bf16 parameters")
    field, mend = "precision.use_precision_aware_optimizer", "switch it off, or mend what it needs"
    return [Problem(field, True, f"the precision-aware optimizer needs {what}", mend) for what in lacking] + (
        _fp8_parameter_problems(spec.precision)
    )


def _fp8_parameter_problems(asked: Precision) -> list[Problem]:
    """FP8 weights are updated by Adam's kernel with delayed scaling, from fp32 main parameters with the others."""
    if not (asked.fp8_format and asked.fp8_param_gather):
        return []
    if asked.fp8_recipe != "delayed":
        if asked.main_params_dtype == "fp32":
            return []
        message = f"FP8 weights are cast from fp32 main parameters, not from {asked.main_params_dtype}"
        return [Problem("precision.main_params_dtype", asked.main_params_dtype, message, "use fp32")]
    moments = {"exp_avg_dtype": asked.exp_avg_dtype, "exp_avg_sq_dtype": asked.exp_avg_sq_dtype}
    message = "Transformer Engine's Adam wants fp32 moments for FP8 weights with delayed scaling"
    mend = "use fp32, another fp8_recipe, or no fp8_param_gather"
    return [Problem(f"precision.{field}", dtype, message, mend) for field, dtype in moments.items() if dtype != "fp32"]


def _offload_problems(asked: Precision, host: HostFacts) -> list[Problem]:
    field = "precision.optimizer_cpu_offload"
    if not asked.optimizer_cpu_offload:
        fraction = asked.optimizer_offload_fraction
        if fraction is None:
            return []
        message = f"optimizer_offload_fraction {fraction} means nothing without optimizer_cpu_offload"
        return [Problem("precision.optimizer_offload_fraction", fraction, message, "switch it on, or leave this out")]
    if host.kind == "cpu":
        message = f"the optimizer's state lies on the host already: {host.name} has no GPU"
        return [Problem(field, True, message, "switch it off")]
    problems = []
    if not asked.use_precision_aware_optimizer:
        message = "optimizer_cpu_offload goes the way of the precision-aware optimizer"
        problems.append(Problem(field, True, message, "switch use_precision_aware_optimizer on too"))
    if asked.fp8_param_gather:
        message = "Adam on the CPU cannot update FP8 weights"
        problems.append(Problem(field, True, message, "switch it off, or fp8_param_gather off"))
    problems += [
        Problem(f"precision.{name}", getattr(asked, name), "Adam on the CPU keeps its state in fp32", "use fp32")
        for name in _TYPES[1:]
        if getattr(asked, name) != "fp32"
    ]
    return problems
