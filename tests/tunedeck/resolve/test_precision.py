"""Precision that a host, a recipe or another field rules out is refused by name, before anything waits in a queue."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.tunedeck.resolve.facts import MODEL, cpu_host, faulty_fields, gpu_host, resolved
from tunedeck.bus import HostFacts

E4M3 = {"fp8_format": "e4m3"}
GATHERED = {**E4M3, "fp8_param_gather": True}
AWARE = {"use_precision_aware_optimizer": True}
OFFLOADED = {**AWARE, "optimizer_cpu_offload": True}
EDGES = {**E4M3, "first_last_layers_bf16": True}


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
    assert fields == {"fp8_recipe"}


def test_hopper_with_cuda_13_does_fp8_blockwise() -> None:
    spec = resolved(gpu_host(), precision={"fp8_format": "e4m3"})
    assert (spec.precision.fp8_format, spec.precision.fp8_recipe) == ("e4m3", "blockwise")


@pytest.mark.parametrize(
    ("precision", "field"),
    [
        ({"params_dtype": "bf16"}, "params_dtype"),
        (E4M3, "fp8_format"),
        ({"activation_func_fp8_input_store": True}, "activation_func_fp8_input_store"),
        (AWARE, "use_precision_aware_optimizer"),
        ({"accumulate_allreduce_grads_in_fp32": False}, "accumulate_allreduce_grads_in_fp32"),
    ],
)
def test_what_a_cpu_cannot_do_is_refused(precision: dict[str, Any], field: str) -> None:
    assert faulty_fields(cpu_host(), precision=precision) == {field}


@pytest.mark.parametrize(
    ("precision", "field"),
    [
        ({"fp8_recipe": "blockwise"}, "fp8_recipe"),
        ({"fp8_param_gather": True}, "fp8_param_gather"),
        ({"first_last_layers_bf16": True}, "first_last_layers_bf16"),
        ({"num_layers_at_end_in_bf16": 2}, "num_layers_at_end_in_bf16"),
        ({**E4M3, "params_dtype": "fp32"}, "params_dtype"),
        ({**EDGES, "fp8_recipe": "delayed"}, "first_last_layers_bf16"),
        ({**EDGES, "num_layers_at_start_in_bf16": 7}, "num_layers_at_start_in_bf16"),
        ({**GATHERED, "reuse_grad_buf_for_mxfp8_param_ag": True}, "reuse_grad_buf_for_mxfp8_param_ag"),
        ({"attention_softmax_in_fp32": False}, "attention_softmax_in_fp32"),
        ({"exp_avg_dtype": "bf16"}, "exp_avg_dtype"),
        ({**AWARE, "main_grads_dtype": "bf16"}, "main_grads_dtype"),
        ({**AWARE, "accumulate_allreduce_grads_in_fp32": False}, "main_grads_dtype"),
        ({**AWARE, "params_dtype": "fp32"}, "use_precision_aware_optimizer"),
        ({**AWARE, **GATHERED, "fp8_recipe": "delayed", "exp_avg_dtype": "bf16"}, "exp_avg_dtype"),
        ({**AWARE, **GATHERED, "main_params_dtype": "fp16"}, "main_params_dtype"),
        ({"optimizer_cpu_offload": True}, "optimizer_cpu_offload"),
        ({**OFFLOADED, **GATHERED}, "optimizer_cpu_offload"),
        ({**OFFLOADED, "exp_avg_dtype": "bf16"}, "exp_avg_dtype"),
        ({"optimizer_offload_fraction": 0.5}, "optimizer_offload_fraction"),
    ],
)
def test_fields_that_rule_each_other_out_are_refused_on_hopper(precision: dict[str, Any], field: str) -> None:
    assert faulty_fields(gpu_host(), precision=precision) == {field}


@pytest.mark.parametrize(
    "precision",
    [
        EDGES,
        {**GATHERED, **AWARE, "exp_avg_dtype": "bf16", "exp_avg_sq_dtype": "bf16"},
        {**AWARE, "accumulate_allreduce_grads_in_fp32": False, "main_grads_dtype": "bf16"},
        {**OFFLOADED, "optimizer_offload_fraction": 0.5},
        {"activation_func_fp8_input_store": True},
    ],
)
def test_fields_that_go_together_are_taken_as_they_are(precision: dict[str, Any]) -> None:
    taken = resolved(gpu_host(), precision=precision).precision.model_dump()
    assert {name: taken[name] for name in precision} == precision


def test_blackwell_does_mxfp8_through_the_gradient_buffer() -> None:
    precision = {**GATHERED, "fp8_recipe": "mxfp8", "reuse_grad_buf_for_mxfp8_param_ag": True}
    assert resolved(gpu_host(capability=(10, 0)), precision=precision).precision.fp8_recipe == "mxfp8"


def test_weights_in_fp8_need_the_distributed_optimizer() -> None:
    fields = faulty_fields(gpu_host(), precision=GATHERED, parallelism={"use_distributed_optimizer": False})
    assert fields == {"fp8_param_gather"}


def test_a_matrix_with_a_side_that_16_does_not_divide_is_refused_for_fp8() -> None:
    narrow = replace(MODEL, config=MODEL.config | {"intermediate_size": 248})
    assert faulty_fields(gpu_host(), model=narrow, precision=E4M3) == {"fp8_format"}
