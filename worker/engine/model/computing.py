"""The fields of TransformerConfig that say in which precision and with which kernels a device computes.

What a spec asks for and a device cannot do is refused here by field, for runs without the service too. Megatron itself
accepts `fp8` without Transformer Engine and then computes in full precision without a word.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from tunedeck.errors import SpecInvalid
from tunedeck.resolved import ResolvedPrecision, ResolvedSpec


def computing_fields(spec: ResolvedSpec) -> dict[str, Any]:
    """Raises SpecInvalid where the device cannot compute as the spec asks."""
    precision = spec.precision
    if not precision.attention_softmax_in_fp32:
        message = "the attention kernels of Transformer Engine and PyTorch compute their softmax in fp32"
        raise SpecInvalid.at("precision.attention_softmax_in_fp32", False, message, "leave it on")
    on_device = _on_cuda(precision) if spec.hardware.device == "cuda" else _on_cpu(precision)
    return {"attention_softmax_in_fp32": True, **on_device}


def _on_cpu(precision: ResolvedPrecision) -> dict[str, Any]:
    if precision.fp8_format != "none":
        raise _no_fp8(precision, "a CPU has no FP8 arithmetic")
    for field in ("activation_func_fp8_input_store", "use_precision_aware_optimizer", "optimizer_cpu_offload"):
        if getattr(precision, field):
            raise SpecInvalid.at(f"precision.{field}", True, f"{field} needs a GPU", "switch it off")
    return {
        "use_cpu_initialization": True,
        "gradient_accumulation_fusion": False,
        "apply_rope_fusion": False,
        "persist_layer_norm": False,
        # The switch that lets MLP take its activation from the layer spec; there it is our SwiGLU.
        "use_te_activation_func": True,
        # torch.compile would want a C++ compiler on the user's machine, and a minute of it.
        "bias_activation_fusion": False,
        "bias_dropout_fusion": False,
    }


def _on_cuda(precision: ResolvedPrecision) -> dict[str, Any]:
    if find_spec("transformer_engine") is None:
        if precision.fp8_format != "none":
            raise _no_fp8(precision, "Transformer Engine is not installed")
        raise SpecInvalid.at(
            "hardware.device",
            "cuda",
            "training on a GPU needs Transformer Engine, which is not installed",
            "install transformer-engine[pytorch] in the worker's environment",
        )
    return {
        # Transformer Engine's layers add weight gradients straight to Megatron's buffer, and so does our output layer.
        "gradient_accumulation_fusion": True,
        "apply_rope_fusion": True,
        "persist_layer_norm": True,
        "bias_activation_fusion": True,
        "bias_dropout_fusion": True,
        "cross_entropy_loss_fusion": True,
        "cross_entropy_fusion_impl": "te",
        "activation_func_fp8_input_store": precision.activation_func_fp8_input_store,
        **_fp8(precision),
    }


def _fp8(precision: ResolvedPrecision) -> dict[str, Any]:
    if precision.fp8_format == "none":
        if precision.fp8_param_gather:
            raise SpecInvalid.at(
                "precision.fp8_param_gather", True, "fp8_param_gather needs an fp8_format", "set fp8_format = e4m3"
            )
        return {}
    fields: dict[str, Any] = {
        "fp8": precision.fp8_format,
        "fp8_recipe": precision.fp8_recipe,
        "fp8_param": precision.fp8_param_gather,
        "first_last_layers_bf16": precision.first_last_layers_bf16,
        "num_layers_at_start_in_bf16": precision.num_layers_at_start_in_bf16,
        "num_layers_at_end_in_bf16": precision.num_layers_at_end_in_bf16,
    }
    if precision.fp8_recipe == "delayed":
        # Transformer Engine's own defaults; Megatron's history of one step is current scaling, a step late.
        fields |= {"fp8_amax_history_len": 1024, "fp8_amax_compute_algo": "max"}
    return fields


def _no_fp8(precision: ResolvedPrecision, why: str) -> SpecInvalid:
    return SpecInvalid.at(
        "precision.fp8_format",
        precision.fp8_format,
        f"fp8_format = {precision.fp8_format} cannot be run: {why}",
        "run on a Hopper or newer GPU with Transformer Engine, or leave fp8_format out",
    )
