"""The imported model computes what transformers computes, however it is cut, and comes back bit for bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from tests.engine.model.specs import layout_spec
from tests.engine.platform.known_call_sites import KNOWN_CALL_SITES
from tests.engine.weights import one_rank
from tests.engine.weights.hf_models import BOUNDS, KINDS, pack, transformers_logits, write_hf_model
from tunedeck.resolved import ResolvedSpec

TP2_SP = {"tensor_model_parallel_size": 2, "sequence_parallel": True}
TP2 = {"tensor_model_parallel_size": 2, "use_distributed_optimizer": False}
PP2 = {"pipeline_model_parallel_size": 2}
RECOMPUTE = {"recompute_granularity": "full"}


@pytest.mark.parametrize("kind", KINDS)
def test_one_rank_agrees_with_transformers(kind: str, tmp_path: Path) -> None:
    model = write_hf_model(tmp_path / "model", kind)
    result = one_rank.main(layout_spec(), model, tmp_path / "export")
    _check_agreement(result, model)
    _check_same_weights(model, tmp_path / "export")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_export_is_bit_exact_in_the_dtype_of_training(dtype: torch.dtype, tmp_path: Path) -> None:
    model = write_hf_model(tmp_path / "model", "qwen2-bias", dtype)
    precision = {"params_dtype": {torch.float32: "fp32", torch.bfloat16: "bf16"}[dtype]}
    one_rank.main(layout_spec(precision=precision), model, tmp_path / "export")
    _check_same_weights(model, tmp_path / "export")
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "export").dtype is dtype


@pytest.mark.parametrize(
    "kind, parallelism",
    [("qwen3-tied", TP2_SP), ("qwen2-bias", TP2), ("qwen3-tied", PP2)],
    ids=["tensor+sequence", "tensor, odd vocabulary, untied", "pipeline, tied"],
)
def test_two_ranks_agree_with_transformers_and_one_rank(kind: str, parallelism: dict[str, Any], tmp_path: Path) -> None:
    model = write_hf_model(tmp_path / "model", kind)
    alone = one_rank.main(layout_spec(), model, tmp_path / "export-alone")
    result = _under_torchrun(layout_spec(2, parallelism=parallelism, recompute=RECOMPUTE), model, tmp_path)
    _check_agreement(result, model)
    _check_same_weights(model, tmp_path / "export")
    assert result["grad_norm"] == pytest.approx(alone["grad_norm"], rel=1e-5)
    unseen = set().union(*result["call_sites"]) - KNOWN_CALL_SITES
    assert not unseen, f"megatron-core relies on cuda_on_cpu in new places; review them: {sorted(unseen)}"


def test_full_recompute_gives_the_same_gradients(tmp_path: Path) -> None:
    model = write_hf_model(tmp_path / "model", "qwen3-tied")
    plain = one_rank.main(layout_spec(), model, tmp_path / "export")
    again = one_rank.main(layout_spec(recompute=RECOMPUTE), model, tmp_path / "export-again")
    assert again["grad_norm"] == pytest.approx(plain["grad_norm"], rel=1e-6)


def test_gradient_norm_agrees_with_transformers(tmp_path: Path) -> None:
    model = write_hf_model(tmp_path / "model", "llama-untied")
    result = one_rank.main(layout_spec(), model, tmp_path / "export")
    reference = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    logits = torch.cat([reference(pack()[:, start:end]).logits for start, end in pairwise(BOUNDS)], dim=1)
    cross_entropy(logits[0], pack().roll(-1, dims=1)[0]).backward()
    expected = torch.cat([parameter.grad.flatten() for parameter in reference.parameters()]).norm()
    assert result["grad_norm"] == pytest.approx(expected.item(), rel=1e-4)


def _check_agreement(result: dict[str, Any], model: Path) -> None:
    expected_1TV = transformers_logits(model, pack())
    torch.testing.assert_close(result["logits"], expected_1TV, rtol=0, atol=1e-4)
    expected_loss_T = cross_entropy(expected_1TV[0], pack().roll(-1, dims=1)[0], reduction="none")
    torch.testing.assert_close(result["loss"][0], expected_loss_T, rtol=0, atol=1e-4)


def _check_same_weights(model: Path, export: Path) -> None:
    expected, exported = _weights(model), _weights(export)
    assert exported.keys() == expected.keys()
    for name, weight in expected.items():
        assert exported[name].dtype is weight.dtype
        assert torch.equal(exported[name], weight), name


def _weights(folder: Path) -> dict[str, Tensor]:
    return {name: weight for file in folder.glob("*.safetensors") for name, weight in load_file(file).items()}


def _under_torchrun(spec: ResolvedSpec, model: Path, folder: Path) -> dict[str, Any]:
    spec_file, result_file = folder / "spec.json", folder / "result.pt"
    spec_file.write_text(json.dumps(spec.model_dump(mode="json")))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    arguments = map(str, (spec_file, model, folder / "export", result_file))
    process = subprocess.run(
        [*launcher, "-m", "tests.engine.weights.one_rank", *arguments],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert process.returncode == 0, process.stderr[-4000:]
    return torch.load(result_file, weights_only=False)
