"""A checkpoint that is copied off the GPU while the next step computes holds what a synchronous one holds, bit for bit,
and the training does not notice.

The delay is real here: a model that takes long to copy and short to compute, so that the update has to wait.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.metadata import TensorStorageMetadata

from tests.engine.tiny import events, losses, run_engine
from tests.gpu.running import BF16, BLOCKWISE, gpu_spec, trained

PRECISIONS: dict[str, dict[str, Any]] = {
    "bf16": BF16,
    "fp8 weights": {**BLOCKWISE, "fp8_param_gather": True},
    "fp8 with delayed scaling": {**BF16, "fp8_format": "hybrid", "fp8_recipe": "delayed"},
    "precision-aware": {
        **BF16,
        "use_precision_aware_optimizer": True,
        "exp_avg_dtype": "bf16",
        "exp_avg_sq_dtype": "bf16",
    },
}
SAVING = {
    "none": {"save_interval": 0},
    "sync": {"save_interval": 2, "async_save": False},
    "async": {"save_interval": 2, "async_save": True},
}
NUM_STEPS = 7


@pytest.fixture(autouse=True)
def the_same_sums_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs without any checkpoint are bitwise equal only so."""
    monkeypatch.setenv("NVTE_ALLOW_NONDETERMINISTIC_ALGO", "0")
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_asynchronous_checkpoint_equals_a_synchronous_one_and_changes_no_loss(
    small_qwen3: Path, sums: Path, tmp_path: Path, precision: str
) -> None:
    for name, saving in SAVING.items():
        wanted = gpu_spec(
            small_qwen3,
            sums,
            precision=PRECISIONS[precision],
            batching={"train_iters": NUM_STEPS, "global_batch_size": 8},
            checkpointing={**saving, "keep_last": 9},
        )
        trained(wanted, tmp_path / name)
    assert losses(tmp_path / "async") == losses(tmp_path / "none")
    assert losses(tmp_path / "sync") == losses(tmp_path / "none")
    for step in (2, 4, 6, NUM_STEPS):
        sync, beside = (tmp_path / name / "checkpoints" / f"iter_{step:07d}" for name in ("sync", "async"))
        assert_same(tensors(beside), tensors(sync))


def test_a_run_goes_on_bit_for_bit_from_an_asynchronous_checkpoint(
    small_qwen3: Path, sums: Path, tmp_path: Path
) -> None:
    changes = {"batching": {"train_iters": NUM_STEPS}, "checkpointing": {"save_interval": 4, "keep_last": 9}}
    wanted = gpu_spec(small_qwen3, sums, **changes)
    trained(wanted, tmp_path / "first")
    checkpoint = tmp_path / "first" / "checkpoints" / "iter_0000004"
    returncode, output = run_engine(wanted, tmp_path / "second", "--resume-from", str(checkpoint))
    assert returncode == 0, output
    assert losses(tmp_path / "second") == losses(tmp_path / "first")[4:]
    assert [event["step"] for event in events(tmp_path / "second", "checkpoint")] == [NUM_STEPS]


def tensors(checkpoint: Path) -> dict[str, torch.Tensor]:
    """All tensors of a checkpoint, whole, as torch reads them."""
    reader = dcp.FileSystemReader(checkpoint)
    found = {
        key: torch.full(about.size, torch.nan).to(about.properties.dtype)
        for key, about in reader.read_metadata().state_dict_metadata.items()
        if isinstance(about, TensorStorageMetadata)
    }
    dcp.load(found, storage_reader=reader, no_dist=True)
    return found


def assert_same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    assert sum(key.startswith("optimizer.state.exp_avg_sq.") for key in ours) >= 10, sorted(ours)
    for key, tensor in ours.items():
        assert torch.equal(tensor, theirs[key]), key
