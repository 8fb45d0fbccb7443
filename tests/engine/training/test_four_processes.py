"""Two kinds of parallelism at once, on four processes: the curve is that of one process, whatever is combined."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.tiny import events, losses, resolved_spec, train_here, write_model
from tests.engine.training.qwen3_moe import write_moe_model
from tests.engine.training.train_together import train_together, training
from tunedeck.errors import Conflict
from tunedeck.resolved import ResolvedSpec

STEPS = 3
TENSOR = {"tensor_model_parallel_size": 2, "sequence_parallel": True}
PIPELINE = {"pipeline_model_parallel_size": 2}
CONTEXT = {"context_parallel_size": 2}
EXPERT = {"expert_model_parallel_size": 2}
DENSE: dict[str, dict[str, Any]] = {
    "tensor and context": {**TENSOR, **CONTEXT},
    "pipeline and context": {**PIPELINE, **CONTEXT},
    "interleaved pipeline and tensor": {**PIPELINE, **TENSOR, "virtual_pipeline_model_parallel_size": 2},
}
EXPERTS: dict[str, dict[str, Any]] = {
    "expert and pipeline": {**EXPERT, **PIPELINE},
    "expert and context": {**EXPERT, **CONTEXT},
    "expert and tensor": {**EXPERT, **TENSOR},
    "expert and expert tensor": {**EXPERT, **TENSOR, "expert_tensor_parallel_size": 2},
}

BALANCED_TOO = ("expert and pipeline", "expert and context", "expert and tensor")


@pytest.fixture(scope="module")
def curves(sums: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """The run folders of every layout, and of both models on one process."""
    root = tmp_path_factory.mktemp("four")
    models = {
        "dense": write_model(root / "dense", num_hidden_layers=4, tie_word_embeddings=False),
        "experts": write_moe_model(root / "experts"),
    }
    folders, trainings = {}, []
    for kind, layouts in {"dense": DENSE, "experts": EXPERTS}.items():
        folders[kind] = root / f"one-{kind}"
        train_here(_spec(models[kind], sums, 1, {}, save_interval=2), folders[kind])
        for name, parallelism in layouts.items():
            folders[name] = root / name.replace(" ", "-")
            save_interval = 2 if name == "expert and tensor" else 0
            trainings.append(training(_spec(models[kind], sums, 4, parallelism, save_interval), folders[name]))
    folders["resumed"] = root / "resumed"
    checkpoint = folders["expert and tensor"] / "checkpoints" / "iter_0000002"
    resumed = _spec(models["experts"], sums, 4, EXPERTS["expert and pipeline"])
    trainings.append(training(resumed, folders["resumed"], checkpoint))
    folders["parted"] = root / "parted"
    whole = folders["experts"] / "checkpoints" / "iter_0000002"
    trainings.append(training(resumed, folders["parted"], whole))
    folders["balanced"] = root / "one-balanced"
    train_here(_balanced(models["experts"], sums, 1, {}), folders["balanced"])
    for name in BALANCED_TOO:
        folders[f"{name}, balanced"] = root / f"balanced-{name.replace(' ', '-')}"
        spec = _balanced(models["experts"], sums, 4, EXPERTS[name])
        trainings.append(training(spec, folders[f"{name}, balanced"]))
    train_together(4, trainings, root, patience_s=240)
    yield folders


def _spec(
    model: Path, data: Path, num_devices: int, parallelism: dict[str, Any], save_interval: int = 0
) -> ResolvedSpec:
    return resolved_spec(
        model,
        data,
        num_devices,
        parallelism=parallelism,
        batching={"train_iters": STEPS, "max_tokens_per_gpu": 200},
        checkpointing={"save_interval": save_interval},
    )


def _balanced(model: Path, data: Path, num_devices: int, parallelism: dict[str, Any]) -> ResolvedSpec:
    """One step that cares for little but its experts. Each conversation is a microbatch: whichever rank gets it, the
    experts of a microbatch see the same tokens, but for a few of padding."""
    return resolved_spec(
        model,
        data,
        num_devices,
        parallelism=parallelism,
        batching={"train_iters": 1, "max_tokens_per_gpu": 1},
        optimizer={"lr_warmup_iters": 0},
        experts={"moe_router_load_balancing_type": "aux_loss", "moe_aux_loss_coeff": 10.0, "moe_z_loss_coeff": 1.0},
    )


@pytest.mark.parametrize("layout", BALANCED_TOO)
def test_the_losses_of_experts_weigh_the_same_on_four_processes(curves: dict[str, Path], layout: str) -> None:
    one, four = (events(curves[name], "step")[0]["metrics"] for name in ("balanced", f"{layout}, balanced"))
    for name in ("load_balancing_loss", "z_loss", "grad_norm"):
        assert four[name] == pytest.approx(one[name], rel=0.05), name


@pytest.mark.parametrize("layout", [*DENSE, *EXPERTS])
def test_four_processes_draw_the_curve_of_one(curves: dict[str, Path], layout: str) -> None:
    one, four = curves["dense" if layout in DENSE else "experts"], curves[layout]
    for name in ("loss", "grad_norm"):
        expected, got = ([event["metrics"][name] for event in events(folder, "step")] for folder in (one, four))
        torch.testing.assert_close(torch.tensor(got), torch.tensor(expected), atol=1e-4, rtol=1e-4)
    assert len(losses(four)) == STEPS
    final = [events(folder, "eval")[-1]["metrics"]["validation_loss"] for folder in (one, four)]
    assert final[0] == pytest.approx(final[1], abs=1e-4)


def test_a_mixture_of_experts_goes_on_under_another_layout(curves: dict[str, Path]) -> None:
    (loss,) = losses(curves["resumed"])
    assert loss == pytest.approx(losses(curves["experts"])[-1], abs=1e-4)


def test_experts_go_on_parted_over_ranks_and_whole_again(curves: dict[str, Path], sums: Path, tmp_path: Path) -> None:
    model = curves["experts"].parent / "experts"
    checkpoint = curves["expert and tensor"] / "checkpoints" / "iter_0000002"
    train_here(_spec(model, sums, 1, {}), tmp_path, checkpoint)
    expected = events(curves["experts"], "step")[-1]["metrics"]
    for folder in (curves["parted"], tmp_path):
        (step,) = events(folder, "step")
        for name in ("loss", "lr", "grad_norm"):
            assert step["metrics"][name] == pytest.approx(expected[name], abs=1e-4)


def test_parted_experts_without_the_distributed_optimizer_are_refused_where_they_are_whole(
    curves: dict[str, Path], sums: Path, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "iter_0000002"
    shutil.copytree(curves["expert and tensor"] / "checkpoints" / "iter_0000002", checkpoint)
    common = torch.load(checkpoint / "common.pt", weights_only=False)
    torch.save(common | {"use_distributed_optimizer": False}, checkpoint / "common.pt")
    spec = _spec(curves["experts"].parent / "experts", sums, 1, {"use_distributed_optimizer": False})
    with pytest.raises(Conflict, match="expert_model_parallel_size above 1"):
        train_here(spec, tmp_path / "run", checkpoint)
