"""The claim that the engine stands on: it trains like a plain transformers + torch AdamW loop on the same batches.

The loop below shares no code with the engine: its own split, order, mask, padding instead of packing, loss, clipping
and schedule, each written down from its definition.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from tests.engine.tiny import events, losses, resolved_spec, train_here
from tunedeck.resolved import ResolvedSpec

STEPS = 50


@pytest.mark.parametrize("per_token", [True, False])
def test_fifty_steps_agree_with_a_plain_transformers_loop(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, per_token: bool
) -> None:
    spec = resolved_spec(
        tiny_qwen3,
        sums,
        data={"calculate_per_token_loss": per_token},
        batching={"train_iters": STEPS},
        optimizer={"lr_warmup_iters": 5},
    )
    assert train_here(spec, tmp_path) == "succeeded"
    expected, expected_norms, expected_validation = reference(spec)
    norms = [event["metrics"]["grad_norm"] for event in events(tmp_path, "step")]
    first, last = (event["metrics"]["validation_loss"] for event in events(tmp_path, "eval"))
    torch.testing.assert_close(torch.tensor(losses(tmp_path)), torch.tensor(expected), atol=1e-3, rtol=0)
    torch.testing.assert_close(torch.tensor(norms), torch.tensor(expected_norms), atol=5e-3, rtol=0)
    torch.testing.assert_close(torch.tensor([first, last]), torch.tensor(expected_validation), atol=1e-3, rtol=0)
    assert expected[-1] < expected[0] / 3


def test_a_step_on_weighted_messages_agrees_with_transformers(tiny_qwen3: Path, tmp_path: Path) -> None:
    """Two conversations of which one weighs a quarter: loss and gradient."""
    rows: list[list[dict[str, Any]]] = [
        [{"role": "user", "content": "1+2?"}, {"role": "assistant", "content": answer, "weight": weight}]
        for answer, weight in (("It is 3.", 1), ("7, or so it seems to me.", 0.25))
    ]
    data = tmp_path / "weighted.jsonl"
    data.write_text("\n".join(json.dumps({"messages": row}) for row in rows))
    spec = resolved_spec(
        tiny_qwen3,
        data,
        data={"num_validation_rows": 0},
        batching={"train_iters": 1, "global_batch_size": 2},
        optimizer={"lr_warmup_iters": 0},
    )
    assert train_here(spec, tmp_path / "run") == "succeeded"
    tokenizer = AutoTokenizer.from_pretrained(tiny_qwen3)
    model = AutoModelForCausalLM.from_pretrained(tiny_qwen3, dtype=torch.float32, attn_implementation="eager")
    weighted, sum_of_weights = torch.zeros(()), 0.0
    for row in rows:
        num_trained = len(tokens_and_labels(tokenizer, row)[1].ge(0).nonzero())
        weight = float(row[1]["weight"])
        weighted = weighted + weight * num_trained * mean_loss(model, tokenizer, [row], True)
        sum_of_weights += weight * num_trained
    (weighted / sum_of_weights).backward()
    (step,) = events(tmp_path / "run", "step")
    assert step["metrics"]["loss"] == pytest.approx(float(weighted.detach()) / sum_of_weights, abs=1e-4)
    norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0))
    assert step["metrics"]["grad_norm"] == pytest.approx(norm, rel=1e-3)


def reference(spec: ResolvedSpec) -> tuple[list[float], list[float], list[float]]:
    """Losses, gradient norms and (first, last) validation loss of a loop without Megatron, in fp32."""
    tokenizer = AutoTokenizer.from_pretrained(spec.model.path)
    model = AutoModelForCausalLM.from_pretrained(spec.model.path, dtype=torch.float32, attn_implementation="eager")
    per_token = spec.data.calculate_per_token_loss
    decayed = [p for p in model.parameters() if p.ndim > 1]
    norms_and_biases = [p for p in model.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.1}, {"params": norms_and_biases, "weight_decay": 0.0}],
        betas=(0.9, 0.95),
        eps=1e-8,
    )
    rows = [json.loads(line)["messages"] for line in Path(spec.data.path).read_text().splitlines()]
    shuffled = list(range(len(rows)))
    random.Random(spec.seed).shuffle(shuffled)
    validation = [rows[index] for index in sorted(shuffled[:8])]
    order = in_order([rows[index] for index in sorted(shuffled[8:])], spec.seed)
    curve, grad_norms, evaluated = [], [], [float(mean_loss(model, tokenizer, validation, per_token).detach())]
    for step in range(STEPS):
        loss = mean_loss(model, tokenizer, [next(order) for _ in range(8)], per_token)
        optimizer.zero_grad()
        loss.backward()
        grad_norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, spec)
        optimizer.step()
        curve.append(float(loss.detach()))
    evaluated.append(float(mean_loss(model, tokenizer, validation, per_token).detach()))
    return curve, grad_norms, evaluated


def in_order(rows: list[list[dict[str, str]]], seed: int) -> Iterator[list[dict[str, str]]]:
    epoch = 0
    while True:
        shuffled = list(rows)
        random.Random(seed + epoch).shuffle(shuffled)
        yield from shuffled
        epoch += 1


def learning_rate(step: int, spec: ResolvedSpec) -> float:
    """Linear from 0 over the warm-up, then half a cosine down to min_lr."""
    wanted = spec.optimizer
    if step <= wanted.lr_warmup_iters:
        return wanted.lr * step / wanted.lr_warmup_iters
    done = (step - wanted.lr_warmup_iters) / (STEPS - wanted.lr_warmup_iters)
    return wanted.min_lr + (wanted.lr - wanted.min_lr) * (1 + math.cos(math.pi * done)) / 2


def mean_loss(
    model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase, rows: list[list[dict[str, str]]], per_token: bool
) -> torch.Tensor:
    """Cross-entropy of the assistants' words: the mean over all of them, or over the means of the conversations."""
    tokens, labels = zip(*(tokens_and_labels(tokenizer, row) for row in rows), strict=True)
    tokens_BL = torch.nn.utils.rnn.pad_sequence(tokens, batch_first=True, padding_value=0)
    labels_BL = torch.nn.utils.rnn.pad_sequence(labels, batch_first=True, padding_value=-100)
    present_BL = torch.nn.utils.rnn.pad_sequence([torch.ones_like(t) for t in tokens], batch_first=True)
    logits_BLV = model(input_ids=tokens_BL, attention_mask=present_BL).logits
    targets_BL = labels_BL[:, 1:]
    losses_BL = torch.nn.functional.cross_entropy(
        logits_BLV[:, :-1].transpose(1, 2), targets_BL, ignore_index=-100, reduction="none"
    )
    num_trained_B = (targets_BL != -100).sum(1)
    if per_token:
        return losses_BL.sum() / num_trained_B.sum()
    return (losses_BL.sum(1) / num_trained_B).mean()


def tokens_and_labels(
    tokenizer: PreTrainedTokenizerBase, row: list[dict[str, str]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """ChatML by hand, message by message; only what follows an assistant's header is learned."""
    tokens: list[int] = []
    labels: list[int] = []
    for message in row:
        header = tokenizer.encode(f"<|im_start|>{message['role']}\n", add_special_tokens=False)
        body = tokenizer.encode(f"{message['content']}<|im_end|>\n", add_special_tokens=False)
        tokens += header + body
        labels += [-100] * len(header) + (body if message["role"] == "assistant" else [-100] * len(body))
    assert tokenizer.decode(tokens) == tokenizer.apply_chat_template(row, tokenize=False)
    return torch.tensor(tokens), torch.tensor(labels)
