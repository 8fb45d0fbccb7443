"""On two GPUs, in bf16: every kind of parallelism draws the curve of one GPU.

The same code runs on the CPU in tests/engine/training/test_four_processes.py, exact to six digits. Here Transformer
Engine attends, and experts are grouped GEMMs; what is checked is that they are told the same layout. In bf16 sums
depend on their order, so the bound is that of rounding, not of equality.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.conftest import sums as sums
from tests.engine.tiny import events, losses, resolved_spec, write_model
from tests.engine.training.qwen3_moe import write_moe_model
from tests.engine.training.train_together import train_together, training
from tunedeck.resolved import ResolvedSpec

pytestmark = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there are no two GPUs")

TENSOR = {"tensor_model_parallel_size": 2, "sequence_parallel": True}
PIPELINE = {"pipeline_model_parallel_size": 2}
LAYOUTS: dict[str, tuple[str, dict[str, Any]]] = {
    "tensor": ("dense", TENSOR),
    "pipeline": ("dense", PIPELINE),
    "interleaved pipeline": ("dense", {**PIPELINE, "virtual_pipeline_model_parallel_size": 2}),
    "context": ("dense", {"context_parallel_size": 2}),
    "expert": ("experts", {"expert_model_parallel_size": 2}),
    "expert and tensor": ("experts", {**TENSOR, "expert_model_parallel_size": 2}),
    "expert tensor": ("experts", {**TENSOR, "expert_tensor_parallel_size": 2}),
}
STEPS = 4


@pytest.fixture(scope="module")
def curves(sums: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The run folders of every layout on two GPUs, and of both models on one."""
    root = tmp_path_factory.mktemp("gpus")
    models = {
        "dense": write_model(root / "dense", num_hidden_layers=4, tie_word_embeddings=False),
        "experts": write_moe_model(root / "experts"),
    }
    folders = {name: root / f"run-{name.replace(' ', '-')}" for name in [*models, *LAYOUTS]}
    one = [training(_spec(models[kind], sums, 1, {}), folders[kind]) for kind in models]
    two = [training(_spec(models[kind], sums, 2, layout), folders[name]) for name, (kind, layout) in LAYOUTS.items()]
    for num_gpus, trainings in ((1, one), (2, two)):
        train_together(num_gpus, trainings, root, patience_s=500)
    return folders


@pytest.mark.parametrize("layout", LAYOUTS)
def test_two_gpus_draw_the_curve_of_one(curves: dict[str, Path], layout: str) -> None:
    one, two = curves[LAYOUTS[layout][0]], curves[layout]
    assert len(losses(two)) == STEPS
    torch.testing.assert_close(torch.tensor(losses(two)), torch.tensor(losses(one)), rtol=0.01, atol=0)
    expected, norms = ([event["metrics"]["grad_norm"] for event in events(run, "step")] for run in (one, two))
    torch.testing.assert_close(torch.tensor(norms), torch.tensor(expected), rtol=0.05, atol=0)


def _spec(model: Path, data: Path, num_devices: int, parallelism: dict[str, Any]) -> ResolvedSpec:
    return resolved_spec(
        model,
        data,
        num_devices,
        parallelism=parallelism,
        precision={"params_dtype": "bf16"},
        hardware={"device": "cuda"},
        batching={"train_iters": STEPS, "max_tokens_per_gpu": 200},
    )
