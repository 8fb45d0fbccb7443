"""The losses of a mixture of experts, against transformers' own model and the formulas of the papers.

Load balancing: Switch Transformer (arXiv 2101.03961), equation 4, for several experts a token. z-loss: ST-MoE (arXiv
2202.08906), equation 5.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen3MoeConfig

from tests.engine.tiny import events, resolved_spec, train_here
from tests.engine.training.qwen3_moe import write_moe_model
from tests.engine.training.test_reference_curve import tokens_and_labels

AUX, Z = 0.3, 0.02
ANSWERS = ("It is 3.", "7, or so it seems to me.", "No.", "Nine hundred and ninety-nine, I should say.")
ROWS = [
    [{"role": "user", "content": f"1+{n}?"}, {"role": "assistant", "content": answer}]
    for n, answer in enumerate(ANSWERS)
]


@pytest.fixture(scope="module")
def moe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_moe_model(tmp_path_factory.mktemp("moe"))


@pytest.mark.parametrize("in_one_microbatch", [True, False])
def test_a_step_balances_experts_as_the_formulas_say(moe: Path, tmp_path: Path, in_one_microbatch: bool) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(json.dumps({"messages": row}) for row in ROWS))
    spec = resolved_spec(
        moe,
        data,
        data={"num_validation_rows": 0},
        batching={"train_iters": 1, "global_batch_size": 4, "max_tokens_per_gpu": 4096 if in_one_microbatch else 1},
        optimizer={"lr_warmup_iters": 0},
        experts={
            "moe_router_load_balancing_type": "aux_loss",
            "moe_aux_loss_coeff": AUX,
            "moe_z_loss_coeff": Z,
        },
    )
    assert train_here(spec, tmp_path / "run") == "succeeded"
    (step,) = events(tmp_path / "run", "step")
    told = step["metrics"]
    groups = [ROWS] if in_one_microbatch else [[row] for row in ROWS]
    assert told["num_microbatches"] == len(groups)
    loss, balances, sizes, grad_norm = reference(moe, groups)
    assert told["loss"] == pytest.approx(loss, abs=1e-4)
    assert told["load_balancing_loss"] == pytest.approx(sum(balances) / len(balances), rel=1e-4)
    assert told["z_loss"] == pytest.approx(sum(sizes) / len(sizes), rel=1e-4)
    assert told["grad_norm"] == pytest.approx(grad_norm, rel=1e-3)


def reference(folder: Path, groups: list[list[list[dict[str, str]]]]) -> tuple[float, list[float], list[float], float]:
    """Loss of the tokens, both other losses of each microbatch and layer, and the norm of the gradient of all."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    config = model.config
    token_losses: list[Tensor] = []
    others: list[tuple[int, Tensor, Tensor]] = []
    for rows in groups:
        logits_by_layer: list[list[Tensor]] = [[] for _ in range(config.num_hidden_layers)]
        for row in rows:
            tokens, labels = tokens_and_labels(tokenizer, row)
            output = model(input_ids=tokens.unsqueeze(0), output_router_logits=True)
            token_losses.append(
                torch.nn.functional.cross_entropy(output.logits[0, :-1], labels[1:], reduction="none")[labels[1:] >= 0]
            )
            for found, logits_TE in zip(logits_by_layer, output.router_logits, strict=True):
                found.append(logits_TE)
        for found in logits_by_layer:
            logits_TE = torch.cat(found)
            others.append((len(logits_TE), _imbalance(logits_TE, config), logits_TE.logsumexp(1).square().mean()))
    num_tokens = sum(count for count, _, _ in others) / config.num_hidden_layers
    loss = torch.cat(token_losses).mean()
    (loss + sum((AUX * aux + Z * z) * count for count, aux, z in others) / num_tokens).backward()
    grad_norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0))
    return (
        float(loss.detach()),
        [float(aux.detach()) for _, aux, _ in others],
        [float(z.detach()) for _, _, z in others],
        grad_norm,
    )


def _imbalance(logits_TE: Tensor, config: Qwen3MoeConfig) -> Tensor:
    """Experts × the sum over them of (their share of what was dealt out) × (their mean probability): 1 where even."""
    probabilities_TE = logits_TE.softmax(1)
    chosen_TK = probabilities_TE.topk(config.num_experts_per_tok).indices
    dealt_E = torch.nn.functional.one_hot(chosen_TK, config.num_experts).float().mean((0, 1))
    return config.num_experts * (dealt_E * probabilities_TE.mean(0)).sum()
