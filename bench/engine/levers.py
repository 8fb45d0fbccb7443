"""What can be switched, one at a time, to see what it brings. A lever is a change of the engine as it runs by default.

Fields of the spec are changed in the spec; what the engine decides by itself is changed in Megatron's configuration,
or, for the loss, in LanguageModel. CUDA graphs are not among them: they record fixed shapes, and packed conversations
give every microbatch another length and another number of sequences.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

from megatron.core.models.gpt import GPTModel
from megatron.core.transformer.enums import AttnBackend
from torch import Tensor

from worker.engine.model import build
from worker.engine.model.language_model import LanguageModel, TrainedRows
from worker.engine.platform import Platform


@dataclass(frozen=True)
class Lever:
    """`spec`: sections of a JobSpec. `config`: fields of TransformerConfig. `whole_logits`: GPTModel's own loss.
    `microbatch_factor`: how many times as many tokens as were asked for. `waits`: for the end of each step."""

    spec: dict[str, dict[str, Any]] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    whole_logits: bool = False
    microbatch_factor: int = 1
    waits: bool = False


LEVERS: dict[str, Lever] = {
    "no-rope-fusion": Lever(config={"apply_rope_fusion": False}),
    "no-wgrad-fusion": Lever(config={"gradient_accumulation_fusion": False}),
    # Megatron's own output layer fuses the weight gradient with a kernel of apex alone, which is rarely installed.
    "whole-logits": Lever(whole_logits=True, config={"gradient_accumulation_fusion": False}),
    "native-cross-entropy": Lever(config={"cross_entropy_fusion_impl": "native"}),
    "no-cross-entropy-fusion": Lever(config={"cross_entropy_loss_fusion": False}),
    "flash-attention": Lever(config={"attention_backend": AttnBackend.flash}),
    "fused-attention": Lever(config={"attention_backend": AttnBackend.fused}),
    "unbalanced": Lever(spec={"batching": {"balance_data": False}}),
    "overlap": Lever(spec={"parallelism": {"overlap_grad_reduce": True, "overlap_param_gather": True}}),
    "param-gather": Lever(spec={"precision": {"fp8_param_gather": True}}),
    "recompute": Lever(spec={"recompute": {"recompute_granularity": "full"}}),
    "bf16-moments": Lever(
        spec={
            "precision": {
                "use_precision_aware_optimizer": True,
                "main_grads_dtype": "fp32",
                "exp_avg_dtype": "bf16",
                "exp_avg_sq_dtype": "bf16",
            }
        }
    ),
    "fp8-input-store": Lever(spec={"precision": {"activation_func_fp8_input_store": True}}),
    "double-microbatch": Lever(microbatch_factor=2),
    "no-lead": Lever(waits=True),
}


@contextmanager
def pulled(names: list[str]) -> Iterator[None]:
    """Build models inside as the levers say. What they leave in the environment is cleared afterwards."""
    config = {key: value for name in names for key, value in LEVERS[name].config.items()}
    configured = build.transformer_config

    def with_changes(*args: Any) -> Any:
        return replace(configured(*args), **config)

    whole = any(LEVERS[name].whole_logits for name in names)
    postprocess = _whole_logits_loss if whole else LanguageModel._postprocess
    runs_behind = False if any(LEVERS[name].waits for name in names) else Platform.runs_behind
    try:
        with (
            patch.object(build, "transformer_config", with_changes),
            patch.object(LanguageModel, "_postprocess", postprocess),
            patch.object(Platform, "runs_behind", runs_behind),
        ):
            yield
    finally:
        _choose_attention_anew()


def _choose_attention_anew() -> None:
    """megatron-core fixes the attention backend for the whole process, and Transformer Engine remembers its choice."""
    for name in ("NVTE_FLASH_ATTN", "NVTE_FUSED_ATTN", "NVTE_UNFUSED_ATTN"):
        os.environ.pop(name, None)
    if attention := sys.modules.get("transformer_engine.pytorch.attention.dot_product_attention"):
        attention._attention_backends["attention_params"] = None


def _whole_logits_loss(
    self: LanguageModel, hidden_states: Tensor, *, labels: Tensor, loss_mask: TrainedRows, **rest: Any
) -> Tensor:
    """Megatron's own way: the logits of all tokens at once, then the losses of those that count."""
    losses = GPTModel._postprocess(self, hidden_states, labels=labels, loss_mask=None, **rest)
    if not self.post_process:
        return losses
    return (losses[0].float().index_select(0, loss_mask.positions_N) * loss_mask.weights_N).sum()
