"""Resolving a spec: what is filled in, by figures worked out by hand, and how faults are reported."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.tunedeck.resolve.facts import DATASET, MODEL, cpu_host, faulty_fields, gpu_host, resolved
from tunedeck.errors import SpecInvalid
from tunedeck.resolve import resolve
from tunedeck.spec import JobSpec


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


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"resources": {"num_devices": 8}}, "num_devices"),
        ({"batching": {"num_epoch": 1, "train_iters": 5}}, "train_iters"),
        ({"batching": {"global_batch_size": 981}}, "global_batch_size"),
        ({"batching": {"global_batch_size": 3}, "resources": {"num_devices": 4}}, "global_batch_size"),
        ({"batching": {"micro_batch_size": 2}}, "micro_batch_size"),
        ({"optimizer": {"lr_warmup_fraction": 0.1, "lr_warmup_iters": 5}}, "lr_warmup_iters"),
        ({"optimizer": {"lr_warmup_iters": 30}}, "lr_warmup_iters"),
        ({"optimizer": {"lr": 1e-5, "min_lr": 1e-4}}, "min_lr"),
        ({"optimizer": {"min_lr": 1e-6, "lr_decay_style": "constant"}}, "min_lr"),
        ({"optimizer": {"lr_wsd_decay_iters": 3}}, "lr_wsd_decay_iters"),
        ({"optimizer": {"lr_wsd_decay_style": "linear"}}, "lr_wsd_decay_style"),
        ({"optimizer": {"lr_decay_style": "WSD", "lr_wsd_decay_iters": 28}}, "lr_wsd_decay_iters"),
        ({"recompute": {"recompute_num_layers": 2}}, "recompute_num_layers"),
        ({"recompute": {"recompute_granularity": "selective", "recompute_method": "block"}}, "recompute_method"),
        ({"recompute": {"recompute_granularity": "full", "recompute_num_layers": 7}}, "recompute_num_layers"),
        ({"tracking": {"wandb_project": "mine"}}, "wandb_project"),
        ({"evaluation": {"early_stop_min_delta": 0.1}}, "early_stop_min_delta"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_field(fields: dict[str, Any], field: str) -> None:
    assert faulty_fields(cpu_host(), **fields) == {field}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"tracking": {"record_memory_history": True}}, "record_memory_history"),
        ({"tracking": {"profile_step_start": 31, "profile_step_end": 33}}, "profile_step_start"),
        ({"tracking": {"profile_step_start": 5}}, "profile_step_end"),
        ({"tracking": {"profile_step_start": 5, "profile_step_end": 5}}, "profile_step_end"),
        ({"evaluation": {"keep_best": True, "eval_interval": 0}}, "keep_best"),
        ({"evaluation": {"early_stop_patience": 3}, "data": {"validation_fraction": 0.0}}, "early_stop_patience"),
        ({"batching": {"use_dynamic_batch_size": False, "max_tokens_per_gpu": 64}}, "max_tokens_per_gpu"),
        ({"batching": {"use_dynamic_batch_size": False, "micro_batch_size": 5}}, "global_batch_size"),
    ],
)
def test_what_would_never_happen_is_refused_at_its_field(fields: dict[str, Any], field: str) -> None:
    assert field in faulty_fields(cpu_host(), **fields)


def test_a_validation_data_set_takes_the_place_of_held_out_rows() -> None:
    held_out = replace(DATASET, name="held-out", path="/data/held-out.jsonl")
    both = {"validation_dataset": "held-out", "validation_fraction": 0.1}
    assert "validation_dataset" in faulty_fields(cpu_host(), validation=held_out, data=both)


def test_wsd_decays_over_a_tenth_of_the_steps_if_not_told_otherwise() -> None:
    optimizer = resolved(cpu_host(), optimizer={"lr_decay_style": "WSD"}).optimizer
    assert (optimizer.lr_warmup_iters, optimizer.lr_wsd_decay_iters) == (3, 3)
    assert optimizer.lr_wsd_decay_style == "exponential"


def test_every_fault_is_reported_not_only_the_first() -> None:
    fields = faulty_fields(cpu_host(), optimizer={"lr": 1e-5, "min_lr": 1.0}, precision={"fp8_format": "e4m3"})
    assert fields == {"min_lr", "fp8_format"}


def test_without_a_worker_the_spec_cannot_be_resolved() -> None:
    spec = JobSpec(name="job", model="tiny", dataset="questions")
    with pytest.raises(SpecInvalid, match="no worker is connected"):
        resolve(spec, MODEL, DATASET, [])
