from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tunedeck.cli.spec_file import read_spec


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e-4", 1e-4),
        ("5E+3", 5000.0),
        ("0.1", 0.1),
        ("32", 32),
        ("true", True),
        ("null", None),
        ("bf16", "bf16"),
        ("2026-11-23", "2026-11-23"),
        ('"32"', "32"),
    ],
)
def test_values_mean_the_same_in_the_file_and_in_set(tmp_path: Path, written: str, meant: Any) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(f"optimizer:\n  lr: {written}\n")
    assert read_spec(file, ["optimizer.min_lr=" + written]) == {"optimizer": {"lr": meant, "min_lr": meant}}


def test_set_makes_groups_and_keeps_their_other_fields(tmp_path: Path) -> None:
    file = tmp_path / "spec.json"
    file.write_text('{"name": "a", "batching": {"train_iters": 5}}')
    assert read_spec(file, ["batching.global_batch_size=8", "data.loss_mask_type=qwen3", "name=b=c"]) == {
        "name": "b=c",
        "batching": {"train_iters": 5, "global_batch_size": 8},
        "data": {"loss_mask_type": "qwen3"},
    }
