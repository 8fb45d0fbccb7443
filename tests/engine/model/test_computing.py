"""Each field of the spec lands in the field of megatron-core that it names, with its value.

Megatron's own dataclasses are built, as they are installed. What runs on a GPU only is configured as if Transformer
Engine were there: a configuration asks whether it is, and calls nothing of it.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from megatron.core import utils as megatron_utils
from megatron.core.models.common.embeddings import rope_utils
from packaging.version import Version

from tests.engine.model.specs import layout_spec
from tests.engine.model.test_configuration import ARCHITECTURE
from tunedeck.errors import SpecInvalid
from worker.engine.model import computing, transformer_config
from worker.engine.training.data_parallel import ddp_config
from worker.engine.training.optimizer import optimizer_config

FP8 = {"params_dtype": "bf16", "fp8_format": "e4m3"}
AWARE = {"params_dtype": "bf16", "use_precision_aware_optimizer": True}


class FusedAdam:
    """The signature that megatron-core looks for."""

    def __init__(
        self, master_weight_dtype: Any, exp_avg_dtype: Any, exp_avg_sq_dtype: Any, use_decoupled_grad: Any
    ) -> None: ...


@pytest.fixture
def on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computing, "find_spec", lambda name: object() if name == "transformer_engine" else None)
    monkeypatch.setattr(rope_utils, "fused_apply_rotary_pos_emb", object())
    monkeypatch.setattr(megatron_utils, "get_te_version", lambda: Version("2.20.2"))
    optimizers = ModuleType("transformer_engine.pytorch.optimizers")
    optimizers.FusedAdam = FusedAdam  # type: ignore[attr-defined]
    for name in ("transformer_engine", "transformer_engine.pytorch"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "transformer_engine.pytorch.optimizers", optimizers)


@pytest.mark.usefixtures("on_a_gpu")
@pytest.mark.parametrize(
    ("precision", "fields"),
    [
        ({"params_dtype": "bf16"}, {"bf16": True, "params_dtype": torch.bfloat16, "fp8": None}),
        ({}, {"bf16": False, "params_dtype": torch.float32, "attention_softmax_in_fp32": True}),
        (FP8 | {"fp8_param_gather": True}, {"fp8": "e4m3", "fp8_recipe": "blockwise", "fp8_param": True}),
        (FP8 | {"fp8_format": "hybrid", "fp8_recipe": "tensorwise"}, {"fp8": "hybrid", "fp8_recipe": "tensorwise"}),
        (FP8 | {"fp8_recipe": "mxfp8"}, {"fp8_recipe": "mxfp8"}),
        (FP8 | {"fp8_recipe": "delayed"}, {"fp8_recipe": "delayed", "fp8_amax_history_len": 1024}),
        (
            FP8
            | {
                "first_last_layers_bf16": True,
                "num_layers_at_start_in_bf16": 2,
                "num_layers_at_end_in_bf16": 1,
            },
            {"first_last_layers_bf16": True, "num_layers_at_start_in_bf16": 2, "num_layers_at_end_in_bf16": 1},
        ),
        (
            {"params_dtype": "bf16", "activation_func_fp8_input_store": True},
            {"activation_func_fp8_input_store": True, "fp8": None},
        ),
    ],
)
def test_precision_reaches_the_transformer_config(precision: dict[str, Any], fields: dict[str, Any]) -> None:
    config = transformer_config(ARCHITECTURE, layout_spec(device="cuda", precision=precision))
    assert {name: getattr(config, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({}, {"grad_reduce_in_fp32": True, "use_distributed_optimizer": True, "overlap_grad_reduce": False}),
        ({"precision": {"accumulate_allreduce_grads_in_fp32": False}}, {"grad_reduce_in_fp32": False}),
        (
            {"parallelism": {"overlap_grad_reduce": True, "overlap_param_gather": True}},
            {"overlap_grad_reduce": True, "overlap_param_gather": True},
        ),
        ({"parallelism": {"use_distributed_optimizer": False}}, {"use_distributed_optimizer": False}),
        (
            {"precision": FP8 | {"fp8_param_gather": True, "reuse_grad_buf_for_mxfp8_param_ag": True}},
            {"fp8_param_gather": True, "reuse_grad_buf_for_mxfp8_param_ag": True},
        ),
    ],
)
def test_layout_and_precision_reach_data_parallelism(changes: dict[str, Any], fields: dict[str, Any]) -> None:
    config = ddp_config(layout_spec(**changes))
    assert {name: getattr(config, name) for name in fields} == fields


@pytest.mark.usefixtures("on_a_gpu")
@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        (
            {"optimizer": {"lr": 2e-5, "min_lr": 1e-6, "weight_decay": 0.2, "clip_grad": 0.5}},
            {"lr": 2e-5, "min_lr": 1e-6, "weight_decay": 0.2, "clip_grad": 0.5, "optimizer": "adam"},
        ),
        (
            {"optimizer": {"adam_beta1": 0.8, "adam_beta2": 0.9, "adam_eps": 1e-6}},
            {"adam_beta1": 0.8, "adam_beta2": 0.9, "adam_eps": 1e-6, "decoupled_weight_decay": True},
        ),
        ({"precision": FP8 | {"fp8_recipe": "delayed"}}, {"fp8_recipe": "delayed", "bf16": True}),
        ({"precision": {"params_dtype": "bf16"}}, {"fp8_recipe": None, "params_dtype": torch.bfloat16}),
        (
            {
                "precision": AWARE
                | {
                    "main_grads_dtype": "bf16",
                    "main_params_dtype": "fp16",
                    "exp_avg_dtype": "fp8",
                    "exp_avg_sq_dtype": "bf16",
                }
            },
            {
                "use_precision_aware_optimizer": True,
                "main_grads_dtype": torch.bfloat16,
                "main_params_dtype": torch.float16,
                "exp_avg_dtype": torch.uint8,
                "exp_avg_sq_dtype": torch.bfloat16,
            },
        ),
        (
            {"precision": AWARE | {"optimizer_cpu_offload": True, "optimizer_offload_fraction": 0.5}},
            {"optimizer_cpu_offload": True, "optimizer_offload_fraction": 0.5, "overlap_cpu_optimizer_d2h_h2d": True},
        ),
        (
            {"precision": FP8 | {"fp8_recipe": "mxfp8", "reuse_grad_buf_for_mxfp8_param_ag": True}},
            {"fp8_recipe": "mxfp8", "reuse_grad_buf_for_mxfp8_param_ag": True},
        ),
    ],
)
def test_optimizer_and_precision_reach_the_optimizer_config(changes: dict[str, Any], fields: dict[str, Any]) -> None:
    config = optimizer_config(layout_spec(device="cuda", parallelism={"use_distributed_optimizer": True}, **changes))
    assert {name: getattr(config, name) for name in fields} == fields


@pytest.mark.parametrize(
    "field", ["activation_func_fp8_input_store", "use_precision_aware_optimizer", "optimizer_cpu_offload"]
)
def test_what_a_cpu_cannot_keep_in_fewer_bits_is_refused(field: str) -> None:
    with pytest.raises(SpecInvalid) as caught:
        transformer_config(ARCHITECTURE, layout_spec(precision={field: True}))
    assert caught.value.problems[0].field == f"precision.{field}"


def test_a_softmax_in_fewer_bits_is_refused() -> None:
    with pytest.raises(SpecInvalid, match="softmax in fp32"):
        transformer_config(ARCHITECTURE, layout_spec(precision={"attention_softmax_in_fp32": False}))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_fp8_is_refused_where_nothing_can_compute_it(device: str) -> None:
    spec = layout_spec(device=device, precision={"fp8_format": "e4m3"})
    with pytest.raises(SpecInvalid) as caught:
        transformer_config(ARCHITECTURE, spec)
    assert [problem.field for problem in caught.value.problems] == ["precision.fp8_format"]


def test_a_gpu_without_transformer_engine_is_refused() -> None:
    with pytest.raises(SpecInvalid, match="Transformer Engine"):
        transformer_config(ARCHITECTURE, layout_spec(device="cuda"))


@pytest.mark.usefixtures("on_a_gpu")
def test_fp8_param_gather_without_fp8_is_refused() -> None:
    with pytest.raises(SpecInvalid, match="needs an fp8_format"):
        transformer_config(ARCHITECTURE, layout_spec(device="cuda", precision={"fp8_param_gather": True}))
