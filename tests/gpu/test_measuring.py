"""What a GPU tells of each step, the profile of its kernels, and the snapshot of a memory that ran out."""

from __future__ import annotations

import gzip
import json
import pickle
from pathlib import Path

import pytest
import torch

from tests.engine.tiny import train_here
from tests.gpu.running import gpu_spec, trained
from tunedeck.peak_rates import peak_bf16_flops


def test_every_step_tells_flops_memory_and_where_its_time_went(small_qwen3: Path, sums: Path, tmp_path: Path) -> None:
    tracking = {"profile_step_start": 4, "profile_step_end": 5}
    steps = trained(gpu_spec(small_qwen3, sums, tracking=tracking), tmp_path)
    for told in steps:
        parts = ("data_time_s", "forward_backward_time_s", "optimizer_time_s", "wait_time_s")
        assert sum(told[part] for part in parts) == pytest.approx(told["step_time_s"], rel=0.02)
        assert 0 < told["memory_bytes"] <= told["peak_memory_bytes"] <= told["reserved_memory_bytes"]
        assert told["tflops_per_gpu"] > 0
        assert 0 < told["power_w"] < 1500 and 0 < told["temperature_c"] < 110
        assert 0 <= told["gpu_utilization"] <= 1
    peak = peak_bf16_flops(torch.cuda.get_device_name())
    if peak:
        assert steps[-1]["mfu"] == pytest.approx(steps[-1]["tflops_per_gpu"] * 1e12 / peak)
    (trace,) = (tmp_path / "artifacts" / "profile").iterdir()
    kernels = [
        event
        for event in json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]
        if event.get("cat") == "kernel"
    ]
    assert any("nvjet" in event["name"] or "gemm" in event["name"] for event in kernels)


def test_memory_that_runs_out_leaves_a_snapshot(small_qwen3: Path, sums: Path, tmp_path: Path) -> None:
    torch.cuda.empty_cache()  # what earlier tests of this process have left would be taken first
    torch.cuda.set_per_process_memory_fraction(0.002)
    try:
        with pytest.raises(torch.OutOfMemoryError):
            train_here(gpu_spec(small_qwen3, sums, tracking={"record_memory_history": True}), tmp_path)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    snapshot = pickle.loads((tmp_path / "artifacts" / "memory" / "rank0-oom.pickle").read_bytes())
    assert snapshot["segments"]
