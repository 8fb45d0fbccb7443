"""A small dense model, a small mixture of experts, a data set, hosts, and the way from fields to what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tunedeck.bus import Device, HostFacts
from tunedeck.errors import SpecInvalid
from tunedeck.resolve import DatasetFacts, ModelFacts, resolve
from tunedeck.resolved import ResolvedSpec
from tunedeck.spec import JobSpec

GIB = 1 << 30
MODEL = ModelFacts(
    name="tiny",
    path="/models/tiny",
    architecture="Qwen3ForCausalLM",
    num_parameters=1_000_000,
    config={
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "head_dim": 16,
        "rms_norm_eps": 1e-6,
        "num_hidden_layers": 6,
        "hidden_size": 96,
        "intermediate_size": 256,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "vocab_size": 512,
        "max_position_embeddings": 2048,
    },
)
MOE = replace(
    MODEL,
    name="tiny-moe",
    architecture="Qwen3MoeForCausalLM",
    config=MODEL.config
    | {
        "architectures": ["Qwen3MoeForCausalLM"],
        "model_type": "qwen3_moe",
        "num_experts": 6,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 24,
        "norm_topk_prob": True,
    },
)
DATASET = DatasetFacts(
    name="questions", path="/data/q.jsonl", content_sha256="0" * 64, num_rows=1010, num_trainable_rows=1000
)


def cpu_host(num_cores: int = 4) -> HostFacts:
    devices = tuple(Device(index=i, name="cpu", memory_bytes=GIB, compute_capability=(0, 0)) for i in range(num_cores))
    return HostFacts(
        name="laptop",
        kind="cpu",
        devices=devices,
        memory_bytes=8 * GIB,
        cuda_version="",
        transformer_engine_version="",
        worker_version="0",
    )


def gpu_host(capability: tuple[int, int] = (9, 0), cuda: str = "13.0", engine: str = "2.20.2") -> HostFacts:
    devices = tuple(Device(index=i, name="GPU", memory_bytes=80 * GIB, compute_capability=capability) for i in range(8))
    return HostFacts(
        name="gpu-1",
        kind="cuda",
        devices=devices,
        memory_bytes=512 * GIB,
        cuda_version=cuda,
        transformer_engine_version=engine,
        worker_version="0",
    )


def resolved(
    host: HostFacts, *, model: ModelFacts = MODEL, validation: DatasetFacts | None = None, **fields: Any
) -> ResolvedSpec:
    spec = JobSpec.model_validate({"name": "job", "model": "tiny", "dataset": "questions", **fields})
    return resolve(spec, model, DATASET, [host], validation)


def faulty_fields(host: HostFacts, **fields: Any) -> set[str]:
    """The last part of each field that is refused."""
    with pytest.raises(SpecInvalid) as caught:
        resolved(host, **fields)
    assert all(problem.message and problem.mend for problem in caught.value.problems)
    return {problem.field.rsplit(".", 1)[-1] for problem in caught.value.problems}
