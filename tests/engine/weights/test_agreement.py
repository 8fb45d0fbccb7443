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
from tests.engine.tiny import free_port
from tests.engine.weights import one_rank
from tests.engine.weights.hf_models import BOUNDS, KINDS, pack, transformers_logits, write_hf_model

RECOMPUTE = {"recompute_granularity": "full"}
LAYOUTS: dict[str, tuple[str, dict[str, Any]]] = {
    "tensor+sequence": ("qwen3-tied", {"tensor_model_parallel_size": 2, "sequence_parallel": True}),
    "tensor, odd vocabulary": ("qwen2-bias", {"tensor_model_parallel_size": 2, "use_distributed_optimizer": False}),
    "pipeline, tied": ("qwen3-tied", {"pipeline_model_parallel_size": 2}),
    "interleaved pipeline": (
        "qwen3, four layers",
        {"pipeline_model_parallel_size": 2, "virtual_pipeline_model_parallel_size": 2},
    ),
    "expert": ("qwen3-moe", {"expert_model_parallel_size": 2}),
    "expert tensor": (
        "qwen3-moe",
        {"tensor_model_parallel_size": 2, "sequence_parallel": True, "expert_tensor_parallel_size": 2},
    ),
    "tensor, experts whole": (
        "qwen3-moe, plain softmax",
        {"tensor_model_parallel_size": 2, "sequence_parallel": True, "expert_model_parallel_size": 2},
    ),
    "pipeline of experts": ("qwen3-moe", {"pipeline_model_parallel_size": 2}),
}


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every layout run once on two ranks; the folder of each holds model, export and result.pt.

    The layouts share two processes, because starting one costs ten times what it then does.
    """
    folders = {layout: tmp_path_factory.mktemp("layout") for layout in LAYOUTS}
    jobs = []
    for layout, folder in folders.items():
        kind, parallelism = LAYOUTS[layout]
        job = {name: str(folder / name) for name in ("model", "export", "result")}
        write_hf_model(folder / "model", kind)
        spec = layout_spec(2, parallelism=parallelism, recompute=RECOMPUTE)
        jobs.append({**job, "spec": spec.model_dump(mode="json"), "port": free_port()})
    jobs_file = tmp_path_factory.mktemp("jobs") / "jobs.json"
    jobs_file.write_text(json.dumps(jobs))
    ranks = [_start_rank(rank, jobs_file) for rank in range(2)]
    outputs = [rank.communicate(timeout=240)[0] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], outputs[0][-3000:] + outputs[1][-3000:]
    return folders


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


@pytest.mark.parametrize("layout", LAYOUTS)
def test_two_ranks_agree_with_transformers_and_one_rank(
    layout: str, two_ranks: dict[str, Path], tmp_path: Path
) -> None:
    folder = two_ranks[layout]
    result = torch.load(folder / "result", weights_only=False)
    _check_agreement(result, folder / "model")
    _check_same_weights(folder / "model", folder / "export")
    alone = one_rank.main(layout_spec(), folder / "model", tmp_path / "export")
    assert result["grad_norm"] == pytest.approx(alone["grad_norm"], rel=1e-5)


def test_megatron_asks_for_cuda_only_where_it_was_reviewed(two_ranks: dict[str, Path]) -> None:
    results = [torch.load(folder / "result", weights_only=False) for folder in two_ranks.values()]
    unseen = set().union(*(sites for result in results for sites in result["call_sites"])) - KNOWN_CALL_SITES
    assert not unseen, f"review what cuda_on_cpu answers here, then list it: {sorted(unseen)}"


def test_whatever_is_recomputed_the_gradients_are_the_same(tmp_path: Path) -> None:
    model = write_hf_model(tmp_path / "model", "qwen3-tied")
    plain = one_rank.main(layout_spec(), model, tmp_path / "export")
    kinds: tuple[dict[str, Any], ...] = (
        RECOMPUTE,
        {**RECOMPUTE, "recompute_num_layers": 2},
        {**RECOMPUTE, "recompute_method": "block", "recompute_num_layers": 1},
        {"recompute_granularity": "selective"},
    )
    for number, recompute in enumerate(kinds):
        again = one_rank.main(layout_spec(recompute=recompute), model, tmp_path / f"export-{number}")
        assert again["grad_norm"] == pytest.approx(plain["grad_norm"], rel=1e-6), recompute


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


def _start_rank(rank: int, jobs_file: Path) -> subprocess.Popen[str]:
    world = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.engine.weights.one_rank", str(jobs_file)],
        cwd=Path(__file__).parents[3],
        env={**os.environ, **world, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
