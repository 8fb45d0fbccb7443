"""What to try when a run had too little memory: the settings that its own spec has not used yet, the cheapest first.

Read from `spec.json`, because the supervisor has to say it of an engine that the kernel has killed.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from tunedeck.resolved import ResolvedSpec


def what_to_try(spec_path: Path) -> str:
    """One sentence. Where the spec cannot be read, what always helps."""
    try:
        spec = ResolvedSpec.model_validate_json(spec_path.read_bytes())
    except (OSError, ValidationError):
        return "lower batching.max_tokens_per_gpu, use more devices, or switch on recompute"
    return "try, in this order: " + "; ".join(_settings(spec))


def _settings(spec: ResolvedSpec) -> list[str]:
    batching, precision, recompute = spec.batching, spec.precision, spec.recompute
    found = []
    if batching.use_dynamic_batch_size:
        found.append(f"lower batching.max_tokens_per_gpu (now {batching.max_tokens_per_gpu:,})")
    elif batching.micro_batch_size > 1:
        found.append(f"lower batching.micro_batch_size (now {batching.micro_batch_size})")
    if precision.fp8_format != "none" and not precision.fp8_param_gather:
        found.append("switch on precision.fp8_param_gather: without it FP8 keeps a second copy of the weights")
    if recompute.recompute_granularity != "full":
        now = recompute.recompute_granularity
        found.append(f"set recompute.recompute_granularity to full (now {now}): a third more time, far less memory")
    if not spec.parallelism.use_distributed_optimizer and spec.hardware.data_parallel_size > 1:
        found.append("switch on parallelism.use_distributed_optimizer: the ranks share the optimizer's state")
    if spec.hardware.device == "cuda" and not precision.use_precision_aware_optimizer:
        found.append("switch on precision.use_precision_aware_optimizer")
    found.append(f"use more than {spec.hardware.num_devices} devices" if spec.hardware.device == "cuda" else
                 "train a smaller model, or on a host with more memory")  # fmt: skip
    return found
