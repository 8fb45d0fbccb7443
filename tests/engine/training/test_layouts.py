"""However the ranks are laid out, the curve is the same, and a checkpoint goes on under another layout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.tiny import events, losses, resolved_spec, run_engine, train_here, write_model
from tests.engine.training.train_together import train_together, training
from tunedeck.resolved import ResolvedSpec

TENSOR = {"tensor_model_parallel_size": 2}
LAYOUTS: dict[str, dict[str, Any]] = {
    "data": {"use_distributed_optimizer": True},
    "data without the distributed optimizer": {"use_distributed_optimizer": False},
    "data with overlap": {"overlap_grad_reduce": True, "overlap_param_gather": True},
    "tensor": TENSOR,
    "tensor and sequence": {**TENSOR, "sequence_parallel": True},
    "pipeline": {"pipeline_model_parallel_size": 2},
    "resumed as tensor and sequence": {**TENSOR, "sequence_parallel": True},
    "resumed as data": {},
}
# These go on from their own checkpoint, as a job does that is tried again on the same machine.
TRIED_AGAIN = ("data", "data without the distributed optimizer", "data with overlap", "tensor and sequence", "pipeline")
# (saved under, goes on under): tensor × data parallelism, and pipelines, in both directions.
MOVED = (
    ("data", "tensor and sequence"),
    ("tensor and sequence", "data"),
    ("tensor", "pipeline"),
    ("pipeline", "data with overlap"),
)


@pytest.fixture(scope="module")
def curves(tiny_qwen3: Path, sums: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """The run folders of one process and of every layout on two. Those that are resumed go on from one process."""
    root = tmp_path_factory.mktemp("layouts")
    folders = {name: root / name.replace(" ", "-") for name in ["one process", *LAYOUTS]}
    train_here(_spec(tiny_qwen3, sums, 1, {}), folders["one process"])
    trainings = []
    for name, parallelism in LAYOUTS.items():
        resume_from = folders["one process"] / "checkpoints" / "iter_0000003" if name.startswith("resumed") else None
        trainings.append(training(_spec(tiny_qwen3, sums, 2, parallelism), folders[name], resume_from))
    for name in TRIED_AGAIN:
        folder = folders[name].with_name(f"{folders[name].name}-again")
        folders[f"{name}, again"] = folder
        checkpoint = folders[name] / "checkpoints" / "iter_0000003"
        trainings.append(training(_spec(tiny_qwen3, sums, 2, LAYOUTS[name]), folder, checkpoint))
    for saved, moved_to in MOVED:
        name = f"{saved}, moved to {moved_to}"
        folders[name] = root / name.replace(" ", "-")
        checkpoint = folders[saved] / "checkpoints" / "iter_0000003"
        trainings.append(training(_spec(tiny_qwen3, sums, 2, LAYOUTS[moved_to]), folders[name], checkpoint))
    train_together(2, trainings, root, patience_s=180)
    yield folders


def _spec(model: Path, data: Path, num_devices: int, parallelism: dict[str, Any]) -> ResolvedSpec:
    return resolved_spec(
        model,
        data,
        num_devices,
        parallelism=parallelism,
        batching={"train_iters": 6, "max_tokens_per_gpu": 200},
        checkpointing={"save_interval": 3},
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_two_processes_draw_the_curve_of_one(curves: dict[str, Path], layout: str) -> None:
    one, two = curves["one process"], curves[layout]
    first = 3 if layout.startswith("resumed") else 0
    expected, got = losses(one)[first:], losses(two)
    assert len(got) == 6 - first
    torch.testing.assert_close(torch.tensor(got), torch.tensor(expected), atol=1e-4, rtol=0)
    final = [events(folder, "eval")[-1]["metrics"]["validation_loss"] for folder in (one, two)]
    assert final[0] == pytest.approx(final[1], abs=1e-4)


@pytest.mark.parametrize("layout", TRIED_AGAIN)
def test_two_processes_go_on_from_their_own_checkpoint_bit_for_bit(curves: dict[str, Path], layout: str) -> None:
    unbroken, resumed = (events(curves[name], "step") for name in (layout, f"{layout}, again"))
    assert [event["step"] for event in resumed] == [4, 5, 6]
    for name in ("loss", "grad_norm", "lr"):
        assert [event["metrics"][name] for event in resumed] == [event["metrics"][name] for event in unbroken[3:]]


@pytest.mark.parametrize(("saved", "moved_to"), MOVED)
def test_a_checkpoint_goes_on_under_another_layout(curves: dict[str, Path], saved: str, moved_to: str) -> None:
    unbroken, moved = (events(curves[name], "step") for name in (saved, f"{saved}, moved to {moved_to}"))
    assert [event["step"] for event in moved] == [4, 5, 6]
    for name, tolerance in (("loss", 1e-5), ("lr", 0.0), ("num_trained_tokens", 0.0)):
        expected = [event["metrics"][name] for event in unbroken[3:]]
        assert [event["metrics"][name] for event in moved] == pytest.approx(expected, rel=0, abs=tolerance)


def test_a_layout_whose_checkpoints_megatron_core_would_spoil_is_refused(sums: Path, tmp_path: Path) -> None:
    # 62 · 32 weights of the MLP leave the bucket before the embedding's own no multiple of 128.
    model = write_model(tmp_path / "model", intermediate_size=62)
    spec = _spec(model, sums, 2, {"pipeline_model_parallel_size": 2, "use_distributed_optimizer": True})
    returncode, output = run_engine(spec, tmp_path / "run")
    assert returncode == 1, output
    (error,) = events(tmp_path / "run", "error")
    assert error["code"] == "spec_invalid"
    assert "its checkpoints of the tied embedding would be wrong" in error["message"]
    assert not events(tmp_path / "run", "step")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_memory_of_every_rank_is_told(curves: dict[str, Path], layout: str) -> None:
    for event in events(curves[layout], "step"):
        told = event["metrics"]
        for name in ("memory_bytes", "peak_memory_bytes"):
            assert told[name] == max(told[f"{name}.rank0"], told[f"{name}.rank1"]) > 0
        assert "memory_bytes.rank2" not in told
        assert told["tokens_per_s_per_gpu"] == pytest.approx(told["tokens_per_s"] / 2)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_events_tell_the_layout_and_leave_nothing_behind(curves: dict[str, Path], layout: str) -> None:
    facts = events(curves[layout], "plan")[0]["facts"]
    assert facts["num_ranks"] == 2
    assert facts["data_parallel_size"] == (2 if "data" in layout else 1)
    assert not (curves[layout] / "samples").exists()
