"""What a run in FP8 leaves behind: a folder of bf16 weights that transformers loads and that answers as the run did."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from bench.engine.hugging_face import _padded, samples_of
from tests.engine.tiny import events
from tests.gpu.running import gpu_spec, trained
from tests.gpu.test_fp8 import RECIPES
from tunedeck.packing import split
from tunedeck.resolved import ResolvedSpec

LAST_STEP = 6
BLOCK = 128


@pytest.mark.parametrize("name", ["blockwise with param-gather", "delayed"])
def test_an_fp8_run_exports_bf16_weights_that_answer_as_it_did(
    small_qwen3: Path, sums: Path, tmp_path: Path, name: str
) -> None:
    exporting = {"evaluation": {"eval_interval": LAST_STEP}, "checkpointing": {"export_hf": True}}
    spec = gpu_spec(small_qwen3, sums, precision=RECIPES[name], **exporting)
    trained(spec, tmp_path)
    (told,) = (event["metrics"]["validation_loss"] for event in events(tmp_path, "eval") if event["step"] == LAST_STEP)
    assert validation_loss(spec, tmp_path) == pytest.approx(told, rel=0.02)
    weights = load_file(tmp_path / "export" / "model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.bfloat16}


def test_weights_kept_in_fp8_are_exported_as_the_values_that_were_computed_with(
    small_qwen3: Path, sums: Path, tmp_path: Path
) -> None:
    precision = RECIPES["blockwise with param-gather"]
    trained(gpu_spec(small_qwen3, sums, precision=precision, checkpointing={"export_hf": True}), tmp_path)
    weight_OI = load_file(tmp_path / "export" / "model.safetensors")["model.layers.0.mlp.down_proj.weight"]
    for rows in weight_OI.split(BLOCK):
        for block in rows.split(BLOCK, dim=1):
            # A sign, and 127 magnitudes with zero among them, each times the one scale of the block.
            assert block.unique().numel() <= 253


def validation_loss(spec: ResolvedSpec, folder: Path) -> float:
    """By transformers, with the exported weights, on the conversations that the run held out."""
    samples = samples_of(spec, folder / "samples")
    model = AutoModelForCausalLM.from_pretrained(folder / "export", dtype="auto").to(spec.hardware.device)
    assert model.dtype is torch.bfloat16
    held_out = split(len(samples), spec.data.num_validation_rows, spec.seed).validation
    tokens_BL, labels_BL = (part.to(model.device) for part in _padded(samples, list(held_out)))
    with torch.no_grad():
        logits_BLV = model(input_ids=tokens_BL).logits[:, :-1].float()
    return float(torch.nn.functional.cross_entropy(logits_BLV.flatten(0, 1), labels_BL[:, 1:].flatten()))
