"""Layouts that do not divide the model or the devices are refused at the field, with the model's own numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.tunedeck.resolve.facts import MODEL, MOE, cpu_host, faulty_fields, gpu_host, resolved
from tunedeck.errors import SpecInvalid


@pytest.mark.parametrize(
    ("parallelism", "num_devices", "field"),
    [
        ({"tensor_model_parallel_size": 3}, 3, "tensor_model_parallel_size"),
        ({"tensor_model_parallel_size": 8}, 8, "tensor_model_parallel_size"),  # 8 heads, but 4 groups
        ({"pipeline_model_parallel_size": 4}, 4, "pipeline_model_parallel_size"),
        ({"tensor_model_parallel_size": 2}, 1, "num_devices"),
        ({"context_parallel_size": 2, "pipeline_model_parallel_size": 2}, 6, "num_devices"),
        ({"virtual_pipeline_model_parallel_size": 2}, 1, "virtual_pipeline_model_parallel_size"),
        (
            {"pipeline_model_parallel_size": 2, "virtual_pipeline_model_parallel_size": 2},
            2,
            "virtual_pipeline_model_parallel_size",
        ),
        ({"expert_model_parallel_size": 2}, 2, "expert_model_parallel_size"),
        ({"expert_tensor_parallel_size": 2}, 2, "expert_tensor_parallel_size"),
        ({"overlap_param_gather": True}, 2, "overlap_param_gather"),
        (
            {"overlap_param_gather": True, "overlap_grad_reduce": True, "use_distributed_optimizer": False},
            2,
            "overlap_param_gather",
        ),
    ],
)
def test_a_layout_that_cannot_be_is_refused(parallelism: dict[str, Any], num_devices: int, field: str) -> None:
    assert field in faulty_fields(gpu_host(), parallelism=parallelism, resources={"num_devices": num_devices})


def test_an_mlp_that_tensor_parallelism_does_not_divide_is_refused_with_its_width() -> None:
    wide = replace(MODEL, name="wide", config=MODEL.config | {"intermediate_size": 250})
    with pytest.raises(SpecInvalid, match=r"does not divide the 250 columns of the MLP \(intermediate_size\) of wide"):
        resolved(
            gpu_host(),
            model=wide,
            parallelism={"tensor_model_parallel_size": 4},
            resources={"num_devices": 4},
        )


@pytest.mark.parametrize(
    ("parallelism", "field"),
    [
        ({"expert_model_parallel_size": 4}, "expert_model_parallel_size"),  # of 6 experts
        ({"expert_tensor_parallel_size": 5}, "expert_tensor_parallel_size"),  # of 24 columns
        ({"expert_model_parallel_size": 3}, "num_devices"),
        ({"tensor_model_parallel_size": 2}, "sequence_parallel"),
    ],
)
def test_experts_that_cannot_be_shared_out_are_refused(parallelism: dict[str, Any], field: str) -> None:
    fields = faulty_fields(gpu_host(), model=MOE, parallelism=parallelism, resources={"num_devices": 8})
    assert field in fields


def test_sequence_parallelism_over_one_rank_is_none() -> None:
    assert resolved(cpu_host(), parallelism={"sequence_parallel": True}).parallelism.sequence_parallel is False
    layout = {"tensor_model_parallel_size": 2, "sequence_parallel": True}
    parted = resolved(cpu_host(), parallelism=layout, resources={"num_devices": 2}).parallelism
    assert parted.sequence_parallel


def test_experts_are_parted_like_everything_else_unless_told_otherwise_and_a_dense_model_has_none() -> None:
    layout = {"tensor_model_parallel_size": 2, "sequence_parallel": True}
    for model, asked, expected in ((MODEL, None, 1), (MOE, None, 2), (MOE, 1, 1)):
        parallelism = {**layout, "expert_tensor_parallel_size": asked}
        spec = resolved(cpu_host(), model=model, parallelism=parallelism, resources={"num_devices": 2})
        assert spec.parallelism.expert_tensor_parallel_size == expected


def test_what_is_left_of_the_devices_is_data_parallel() -> None:
    layout = {"tensor_model_parallel_size": 2, "pipeline_model_parallel_size": 2}
    spec = resolved(gpu_host(), parallelism=layout, resources={"num_devices": 8})
    assert spec.hardware.data_parallel_size == 2
