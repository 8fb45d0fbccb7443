"""FP8 is computed where it is asked for, by the word of Transformer Engine and of the kernels; else the run fails."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.engine.tiny import events, train_here
from tests.gpu.running import BF16, BLOCKWISE, gpu_spec, trained
from tunedeck.errors import Fp8NotEngaged
from worker.engine.model import build

DELAYED = {**BF16, "fp8_format": "hybrid", "fp8_recipe": "delayed"}
TENSORWISE = {**BF16, "fp8_format": "hybrid", "fp8_recipe": "tensorwise"}
RECIPES: dict[str, dict[str, Any]] = {
    "blockwise": BLOCKWISE,
    "blockwise with param-gather": {**BLOCKWISE, "fp8_param_gather": True},
    "tensorwise": TENSORWISE,
    "delayed": DELAYED,
}
CLASSES = {
    "blockwise": "Float8BlockScaling",
    "tensorwise": "Float8CurrentScaling",
    "delayed": "TEDelayedScaling",  # Megatron's own subclass
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_run_in_fp8_tells_modules_recipe_and_kernels(
    small_qwen3: Path, sums: Path, tmp_path: Path, name: str
) -> None:
    precision = RECIPES[name]
    steps = trained(gpu_spec(small_qwen3, sums, precision=precision), tmp_path)
    (proof,) = events(tmp_path, "fp8")
    details = json.loads((tmp_path / proof["path"]).read_text())
    # Four layers of attention's two and the MLP's two matrix modules.
    assert (proof["num_modules"], proof["num_fp8_modules"]) == (16, 16), details
    assert proof["recipes"] == {CLASSES[precision["fp8_recipe"]]: 16}
    assert ("power_2_scale=False" in details["recipes"][0]) == (precision["fp8_recipe"] != "delayed"), details[
        "recipes"
    ]
    assert proof["num_fp8_kernels"] > 0, details
    assert proof["num_unknown_kernels"] == 0, details["unknown"]
    assert proof["num_fp8_weights"] == (16 if precision.get("fp8_param_gather") else 0)
    assert steps[-1]["loss"] < steps[0]["loss"]
    assert ("fp8_saturated_share" in steps[-1]) == (precision["fp8_recipe"] == "delayed")


def test_a_run_in_bf16_claims_no_fp8(small_qwen3: Path, sums: Path, tmp_path: Path) -> None:
    trained(gpu_spec(small_qwen3, sums), tmp_path)
    assert not events(tmp_path, "fp8")
    assert events(tmp_path, "plan")[0]["facts"]["fp8"] == "none"


def test_a_run_that_silently_computes_in_bf16_fails(
    small_qwen3: Path, sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured = build.transformer_config
    monkeypatch.setattr(build, "transformer_config", lambda *args: replace(configured(*args), fp8=None))
    with pytest.raises(Fp8NotEngaged, match="none of 16 matrix modules computed in it"):
        train_here(gpu_spec(small_qwen3, sums, precision=BLOCKWISE), tmp_path)
    assert [event["step"] for event in events(tmp_path, "step")] == [1]
