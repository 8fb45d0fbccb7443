"""Fifty steps on real weights: the engine in BF16 against a plain transformers loop, and FP8 against BF16.

The loop shares the batches with the engine, and nothing else: transformers' own model in bf16, padding in place of
packing, gradients summed in fp32, AdamW on fp32 copies of the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from bench.engine.hugging_face import _padded, microbatches, samples_of
from tests.gpu.running import BLOCKWISE, gpu_spec, trained
from tunedeck.packing import EpochOrder, split
from tunedeck.resolved import ResolvedSpec
from worker.engine.data.samples import Samples

STEPS = 50
WANTED: dict[str, dict[str, Any]] = {
    "batching": {"train_iters": STEPS, "global_batch_size": 32, "max_tokens_per_gpu": 8192},
    "optimizer": {"lr": 2e-5, "min_lr": 0.0, "lr_decay_style": "constant", "lr_warmup_iters": 0},
    "data": {"num_validation_rows": 0},
}


@pytest.fixture(scope="module")
def bf16_losses(smollm2: Path, conversations: Path, tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    spec = gpu_spec(smollm2, conversations, **WANTED)
    return [step["loss"] for step in trained(spec, tmp_path_factory.mktemp("bf16"))]


def test_bf16_follows_a_transformers_loop_within_half_a_percent(
    bf16_losses: list[float],
    smollm2: Path,
    conversations: Path,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    expected = reference_losses(gpu_spec(smollm2, conversations, **WANTED), tmp_path)
    differences = [abs(ours - theirs) / theirs for ours, theirs in zip(bf16_losses, expected, strict=True)]
    record_property("largest", max(differences))
    assert len(differences) == STEPS
    assert max(differences) < 0.005, differences


def test_fp8_blockwise_follows_bf16_within_a_percent(
    bf16_losses: list[float],
    smollm2: Path,
    conversations: Path,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    steps = trained(gpu_spec(smollm2, conversations, **WANTED, precision=BLOCKWISE), tmp_path)
    differences = [abs(step["loss"] - bf16) / bf16 for step, bf16 in zip(steps, bf16_losses, strict=True)]
    mean = sum(differences) / STEPS
    record_property("mean", mean)
    record_property("largest", max(differences))
    assert mean < 0.01, differences


def reference_losses(spec: ResolvedSpec, folder: Path) -> list[float]:
    """The loss of each step of the loop, on the GPU."""
    samples = samples_of(spec, folder)
    order = EpochOrder(split(len(samples), 0, spec.seed).training, spec.seed, shuffle=True)
    model = AutoModelForCausalLM.from_pretrained(spec.model.path, dtype=torch.bfloat16, attn_implementation="sdpa")
    model = model.cuda().train()
    masters = [parameter.detach().float().clone().requires_grad_() for parameter in model.parameters()]
    optimizer = _adamw(masters, spec)
    size = spec.batching.global_batch_size
    curve = []
    for step in range(STEPS):
        loss, grads = _loss_and_gradients(model, samples, list(order.take(step * size, size)), spec)
        for master, grad in zip(masters, grads, strict=True):
            master.grad = grad
        torch.nn.utils.clip_grad_norm_(masters, spec.optimizer.clip_grad)
        optimizer.step()
        with torch.no_grad():
            for parameter, master in zip(model.parameters(), masters, strict=True):
                parameter.copy_(master)
        curve.append(loss)
    return curve


def _adamw(masters: list[torch.Tensor], spec: ResolvedSpec) -> torch.optim.AdamW:
    wanted = spec.optimizer
    decayed = [master for master in masters if master.ndim > 1]
    plain = [master for master in masters if master.ndim == 1]
    return torch.optim.AdamW(
        [{"params": decayed, "weight_decay": wanted.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=wanted.lr,
        betas=(wanted.adam_beta1, wanted.adam_beta2),
        eps=wanted.adam_eps,
    )


def _loss_and_gradients(
    model: Any, samples: Samples, indices: list[int], spec: ResolvedSpec
) -> tuple[float, list[torch.Tensor]]:
    num_trained = int(sum(samples.num_learned_S[index] for index in indices))
    grads = [torch.zeros_like(parameter, dtype=torch.float32) for parameter in model.parameters()]
    total = 0.0
    for group in microbatches(samples, indices, spec.batching.max_tokens_per_gpu):
        tokens_BL, labels_BL = (part.cuda() for part in _padded(samples, group))
        logits_BLV = model(input_ids=tokens_BL).logits[:, :-1].float()
        loss = torch.nn.functional.cross_entropy(
            logits_BLV.flatten(0, 1), labels_BL[:, 1:].flatten(), ignore_index=-100, reduction="sum"
        )
        loss = loss / num_trained
        for grad, part in zip(grads, torch.autograd.grad(loss, list(model.parameters())), strict=True):
            grad += part
        total += float(loss.detach())
    return total, grads
