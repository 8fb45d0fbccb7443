"""Runs of the engine on the GPU, as a job would start them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.engine.tiny import events, resolved_spec, run_engine
from tunedeck.resolved import ResolvedSpec

ON_GPU = {"device": "cuda", "threads_per_process": 4}
BF16 = {"params_dtype": "bf16"}
BLOCKWISE = {**BF16, "fp8_format": "e4m3", "fp8_recipe": "blockwise"}


def gpu_spec(model: Path, data: Path, /, **changes: dict[str, Any]) -> ResolvedSpec:
    """BF16 on one GPU, 1,024 tokens a microbatch; `changes` are laid over it, section by section."""
    sections = {"hardware": ON_GPU, "precision": BF16, "batching": {"max_tokens_per_gpu": 1024}}
    merged = {name: sections.get(name, {}) | changes.get(name, {}) for name in {*sections, *changes}}
    return resolved_spec(model, data, **merged)


def trained(spec: ResolvedSpec, folder: Path) -> list[dict[str, float]]:
    """The metrics of every step of a run that must succeed, in a process of its own."""
    returncode, output = run_engine(spec, folder)
    assert returncode == 0, output
    return [event["metrics"] for event in events(folder, "step")]
