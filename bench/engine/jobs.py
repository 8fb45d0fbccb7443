"""From the arguments of a row to the ResolvedSpec that the engine trains, by the product's own resolving."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from bench.engine.levers import LEVERS
from tunedeck.bus import Device, HostFacts
from tunedeck.conversations.scan import scan
from tunedeck.resolve import DatasetFacts, ModelFacts, resolve
from tunedeck.resolved import ResolvedSpec
from tunedeck.spec import JobSpec

PRECISIONS: dict[str, dict[str, Any]] = {
    "bf16": {},
    "fp32": {},
    "fp8-delayed": {"fp8_format": "hybrid", "fp8_recipe": "delayed"},
    "fp8-tensorwise": {"fp8_format": "hybrid", "fp8_recipe": "tensorwise"},
    "fp8-blockwise": {"fp8_format": "e4m3", "fp8_recipe": "blockwise"},
    "fp8-mxfp8": {"fp8_format": "e4m3", "fp8_recipe": "mxfp8"},
}


@dataclass(frozen=True)
class Workload:
    """What every row of one call has in common."""

    shape: str
    model: Path
    data: Path
    num_devices: int
    tensor_model_parallel_size: int
    max_tokens_per_gpu: int
    global_batch_size: int
    num_steps: int
    num_warm_up: int
    threads: int
    settings: dict[str, Any] = field(default_factory=dict)  # "section.field": what the spec shall say there


def job_of(work: Workload, precision: str, levers: list[str]) -> ResolvedSpec:
    """Raises SpecInvalid for what this machine cannot do, by name."""
    asked: dict[str, Any] = {
        "name": "bench",
        "model": work.shape,
        "dataset": "bench",
        "data": {"validation_fraction": 0.0},
        "batching": {
            "max_tokens_per_gpu": work.max_tokens_per_gpu,
            "global_batch_size": work.global_batch_size,
            "train_iters": work.num_warm_up + work.num_steps,
        },
        "optimizer": {"lr": 1e-5, "lr_warmup_iters": 0},
        "parallelism": {
            "tensor_model_parallel_size": work.tensor_model_parallel_size,
            "sequence_parallel": work.tensor_model_parallel_size > 1,
        },
        "precision": PRECISIONS[precision],
        "evaluation": {"eval_interval": 0},
        "checkpointing": {"save_interval": 0, "export_hf": False},
        "resources": {"num_devices": work.num_devices},
    }
    for name in levers:
        for section, fields in LEVERS[name].spec.items():
            asked[section] = asked.get(section, {}) | fields
        asked["batching"]["max_tokens_per_gpu"] *= LEVERS[name].microbatch_factor
    for path, value in work.settings.items():
        section, _, name = path.partition(".")
        asked[section] = asked.get(section, {}) | {name: value}
    config = json.loads((work.model / "config.json").read_text())
    report = scan(work.data)
    data = DatasetFacts("bench", str(work.data), report.content_sha256, report.num_rows, report.num_trainable_rows)
    model = ModelFacts(work.shape, str(work.model), config["architectures"][0], 1, config)
    return resolve(JobSpec.model_validate(asked), model, data, [_host(work)])


def _host(work: Workload) -> HostFacts:
    is_gpu = torch.cuda.is_available()
    return HostFacts(
        name="this machine",
        kind="cuda" if is_gpu else "cpu",
        devices=tuple(_device(index) for index in range(work.num_devices)),
        memory_bytes=1 << 40,
        cuda_version=torch.version.cuda or "",
        transformer_engine_version=_transformer_engine_version() if is_gpu else "",
        worker_version="bench",
    )


def _device(index: int) -> Device:
    if not torch.cuda.is_available():
        return Device(index=index, name="core", memory_bytes=1 << 34, compute_capability=(0, 0))
    properties = torch.cuda.get_device_properties(0)
    capability = (properties.major, properties.minor)
    return Device(
        index=index, name=properties.name, memory_bytes=properties.total_memory, compute_capability=capability
    )


def _transformer_engine_version() -> str:
    for name in ("transformer-engine", "transformer_engine", "transformer_engine_torch"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return ""
