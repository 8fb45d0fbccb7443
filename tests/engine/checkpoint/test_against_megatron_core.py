"""What is written is what megatron-core's own `save` writes of the same state: the same names, types, places and bits.

Both are read by torch's own reader, which knows neither.
"""

from __future__ import annotations

import queue
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed.checkpoint as dcp
from megatron.core import dist_checkpointing
from megatron.core.dist_checkpointing.strategies import filesystem_async
from torch.distributed.checkpoint.metadata import BytesStorageMetadata, TensorStorageMetadata

from tests.engine.tiny import resolved_spec, train_here
from tests.engine.training.qwen3_moe import write_moe_model
from worker.engine.checkpoint import checkpoints
from worker.engine.checkpoint.content import METADATA, sharded_models, sharded_rng
from worker.engine.checkpoint.state import Position, TrainState


@pytest.mark.parametrize(("has_experts", "use_distributed_optimizer"), [(False, True), (True, True), (False, False)])
def test_a_checkpoint_equals_that_of_megatron_core(
    tiny_qwen3: Path,
    sums: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    has_experts: bool,
    use_distributed_optimizer: bool,
) -> None:
    common_state = checkpoints.common_state

    def save_theirs_too(state: TrainState, position: Position, description: Any) -> dict[str, Any]:
        common = common_state(state, position, description)
        save_theirs(state, common, tmp_path / f"theirs-{position.step}")
        return common

    monkeypatch.setattr(checkpoints, "common_state", save_theirs_too)
    # Their own is a process that imports everything again: five seconds.
    monkeypatch.setattr(filesystem_async, "_get_write_results_queue", queue.Queue)
    wanted = resolved_spec(
        write_moe_model(tmp_path / "moe") if has_experts else tiny_qwen3,
        sums,
        parallelism={"use_distributed_optimizer": use_distributed_optimizer},
        batching={"train_iters": 3},
        checkpointing={"save_interval": 2, "keep_last": 9, "async_save": True},
    )
    train_here(wanted, tmp_path / "run")
    for step in (2, 3):  # beside the training, and at its end
        ours, theirs = tmp_path / "run" / "checkpoints" / f"iter_{step:07d}", tmp_path / f"theirs-{step}"
        assert_same(contents(ours), contents(theirs))
        assert torch.load(ours / "common.pt", weights_only=False) == torch.load(
            theirs / "common.pt", weights_only=False
        )


def save_theirs(state: TrainState, common: dict[str, Any], folder: Path) -> None:
    models = sharded_models(state)
    optimizer = state.optimizer.sharded_state_dict(models, metadata=dict(METADATA))
    content = {**common, **models, "optimizer": optimizer, "rng": sharded_rng()}
    del content["content_metadata"]
    folder.mkdir()
    dist_checkpointing.save(content, str(folder), content_metadata=dict(METADATA))


def contents(folder: Path) -> dict[str, Any]:
    """All tensors, whole, and what torch.load makes of the rest."""
    reader = dcp.FileSystemReader(folder)
    metadata = reader.read_metadata()
    found: dict[str, Any] = {
        key: torch.full(about.size, torch.nan, dtype=about.properties.dtype)
        for key, about in metadata.state_dict_metadata.items()
        if isinstance(about, TensorStorageMetadata)
    }
    dcp.load(found, storage_reader=reader, no_dist=True)
    for index, place in metadata.storage_data.items():
        if isinstance(metadata.state_dict_metadata[index.fqn], BytesStorageMetadata):
            with (folder / place.relative_path).open("rb") as file:
                file.seek(place.offset)
                found[index.fqn] = file.read(place.length)
    return found


def assert_same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert ours.keys() == theirs.keys()
    assert any(key.startswith("optimizer.state.exp_avg_sq.") for key in ours)
    for key, value in ours.items():
        if isinstance(value, torch.Tensor):
            assert value.dtype == theirs[key].dtype
            assert torch.equal(value, theirs[key]), key
        else:
            assert value == theirs[key], key
