"""Resolving a spec: figures worked out by hand, and one refusal for each thing that cannot run."""

from __future__ import annotations

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


def resolved(host: HostFacts, **fields: Any) -> ResolvedSpec:
    spec = JobSpec.model_validate({"name": "job", "model": "tiny", "dataset": "questions", **fields})
    return resolve(spec, MODEL, DATASET, [host])


def faulty_fields(host: HostFacts, **fields: Any) -> set[str]:
    with pytest.raises(SpecInvalid) as caught:
        resolved(host, **fields)
    assert all(problem.message and problem.mend for problem in caught.value.problems)
    return {problem.field for problem in caught.value.problems}


def test_steps_are_whole_batches_of_the_training_rows_times_epochs() -> None:
    # 1,000 trainable rows, 2% held out: 980 train; 980 // 32 = 30 steps an epoch, 3 epochs: 90; 10% warm-up: 9.
    spec = resolved(cpu_host(), batching={"num_epoch": 3, "global_batch_size": 32})
    assert spec.data.num_validation_rows == 20
    assert spec.batching.train_iters == 90
    assert spec.optimizer.lr_warmup_iters == 9


def test_a_cpu_host_gets_fp32_and_shares_its_cores() -> None:
    spec = resolved(cpu_host(num_cores=4), resources={"num_devices": 2})
    assert spec.precision.params_dtype == "fp32"
    assert spec.hardware.threads_per_process == 2
    assert spec.hardware.data_parallel_size == 2


def test_a_gpu_host_is_preferred_and_gets_bf16() -> None:
    spec = resolve(JobSpec(name="job", model="tiny", dataset="questions"), MODEL, DATASET, [cpu_host(), gpu_host()])
    assert spec.hardware.device == "cuda"
    assert spec.precision.params_dtype == "bf16"


def test_what_is_left_of_the_devices_is_data_parallel() -> None:
    layout = {"tensor_model_parallel_size": 2, "pipeline_model_parallel_size": 2}
    spec = resolved(gpu_host(), parallelism=layout, resources={"num_devices": 8})
    assert spec.hardware.data_parallel_size == 2


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        (
            {"parallelism": {"tensor_model_parallel_size": 3}, "resources": {"num_devices": 3}},
            "tensor_model_parallel_size",
        ),
        (
            {"parallelism": {"pipeline_model_parallel_size": 4}, "resources": {"num_devices": 4}},
            "pipeline_model_parallel_size",
        ),
        ({"parallelism": {"tensor_model_parallel_size": 2}}, "num_devices"),
        ({"resources": {"num_devices": 64}}, "num_devices"),
        ({"batching": {"num_epoch": 1, "train_iters": 5}}, "train_iters"),
        ({"batching": {"global_batch_size": 981}}, "global_batch_size"),
        ({"optimizer": {"lr_warmup_fraction": 0.1, "lr_warmup_iters": 5}}, "lr_warmup_iters"),
        ({"optimizer": {"lr_warmup_iters": 30}}, "lr_warmup_iters"),
        ({"optimizer": {"lr": 1e-5, "min_lr": 1e-4}}, "min_lr"),
        ({"optimizer": {"min_lr": 1e-6, "lr_decay_style": "constant"}}, "min_lr"),
        ({"recompute": {"recompute_num_layers": 2}}, "recompute_num_layers"),
        ({"recompute": {"recompute_granularity": "selective", "recompute_num_layers": 2}}, "recompute_num_layers"),
        ({"precision": {"fp8_format": "e4m3"}}, "fp8_format"),
        ({"precision": {"fp8_recipe": "blockwise"}}, "fp8_recipe"),
        ({"precision": {"fp8_param_gather": True}}, "fp8_param_gather"),
        ({"precision": {"params_dtype": "bf16"}}, "params_dtype"),
    ],
)
def test_what_cannot_run_on_a_laptop_is_refused_at_its_field(fields: dict[str, Any], field: str) -> None:
    assert field in {path.rsplit(".", 1)[-1] for path in faulty_fields(cpu_host(), **fields)}


@pytest.mark.parametrize(
    ("host", "recipe"),
    [
        (gpu_host(capability=(8, 0)), "blockwise"),
        (gpu_host(cuda="12.8"), "blockwise"),
        (gpu_host(engine="2.2.0"), "blockwise"),
        (gpu_host(), "mxfp8"),
        (gpu_host(capability=(8, 0)), "tensorwise"),
    ],
)
def test_an_fp8_recipe_that_the_host_cannot_do_is_refused_by_name(host: HostFacts, recipe: str) -> None:
    fields = faulty_fields(host, precision={"fp8_format": "e4m3", "fp8_recipe": recipe})
    assert fields == {"precision.fp8_recipe"}


def test_hopper_with_cuda_13_does_fp8_blockwise() -> None:
    spec = resolved(gpu_host(), precision={"fp8_format": "e4m3"})
    assert (spec.precision.fp8_format, spec.precision.fp8_recipe) == ("e4m3", "blockwise")


def test_every_fault_is_reported_not_only_the_first() -> None:
    fields = faulty_fields(cpu_host(), optimizer={"lr": 1e-5, "min_lr": 1.0}, precision={"fp8_format": "e4m3"})
    assert fields == {"optimizer.min_lr", "precision.fp8_format"}


def test_without_a_worker_the_spec_cannot_be_resolved() -> None:
    spec = JobSpec(name="job", model="tiny", dataset="questions")
    with pytest.raises(SpecInvalid, match="no worker is connected"):
        resolve(spec, MODEL, DATASET, [])
