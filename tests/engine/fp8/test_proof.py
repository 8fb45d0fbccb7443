"""What is concluded from modules and kernels. The modules are stand-ins with Transformer Engine's attributes, because
it cannot be imported without a GPU; tests/gpu asks the real ones.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from tests.engine.model.specs import layout_spec
from tunedeck.errors import Fp8NotEngaged
from tunedeck.resolved import ResolvedPrecision
from worker.engine.fp8.health import fp8_health
from worker.engine.fp8.kernels import sort_kernels
from worker.engine.fp8.modules import matrix_modules, recipes_in_full
from worker.engine.fp8.proof import check_engaged

# As cuBLAS 13 and its predecessors call them on Hopper.
BF16_CALLS = {"nvjet_sm90_tst_128x256_64x4_2x1_v_bz_coopA_TNT": 7, "sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n": 1}
FP8_CALLS = {"nvjet_sm90_qqtst_128x128_128x6_1x2_h_bz_TNT": 4, "nvjet_rqtst_64x8": 2, "cutlass_e4m3_gemm_kernel": 1}


class BlockwiseRecipe:
    """Stands for Float8BlockScaling."""

    def __repr__(self) -> str:
        return "recipe_type=BlockwiseRecipe, power_2_scale=False"


class QuantizedTensor(torch.nn.Parameter):
    """Stands for Transformer Engine's base of all FP8 tensors."""


class Linear(torch.nn.Module):
    def __init__(self, weight: torch.nn.Parameter, recipe: object | None) -> None:
        super().__init__()
        self.weight = weight
        self.fp8 = recipe is not None
        self.fp8_meta = {} if recipe is None else {"recipe": recipe}


class Norm(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(4))
        self.fp8_meta: dict[str, object] = {}


def model(*, is_fp8: bool, has_fp8_weights: bool) -> torch.nn.Module:
    kind = QuantizedTensor if has_fp8_weights else torch.nn.Parameter
    recipe = BlockwiseRecipe() if is_fp8 else None
    return torch.nn.ModuleDict({"qkv": Linear(kind(torch.ones(4, 4)), recipe), "norm": Norm()})


def asked(*, param_gather: bool = False) -> ResolvedPrecision:
    wish = {"params_dtype": "bf16", "fp8_format": "e4m3", "fp8_param_gather": param_gather}
    return layout_spec(precision=wish).precision


def test_matrix_modules_are_listed_with_recipe_and_type_of_weight() -> None:
    (module,) = matrix_modules([model(is_fp8=True, has_fp8_weights=True)])
    assert (module.name, module.recipe, module.weight_type, module.has_fp8_weights) == (
        *("qkv", "BlockwiseRecipe", "QuantizedTensor", True),
    )
    (module,) = matrix_modules([model(is_fp8=False, has_fp8_weights=False)])
    assert (module.recipe, module.has_fp8_weights) == ("", False)


def test_every_recipe_in_force_is_told_once_with_its_settings() -> None:
    chunks = [model(is_fp8=True, has_fp8_weights=False), model(is_fp8=True, has_fp8_weights=True)]
    assert recipes_in_full(chunks) == ["recipe_type=BlockwiseRecipe, power_2_scale=False"]
    assert recipes_in_full([model(is_fp8=False, has_fp8_weights=False)]) == []


def test_kernels_are_sorted_by_the_types_in_their_names() -> None:
    others = {"void at::native::reduce_kernel<512>": 9, "nvjet_xyz": 3, "cast_transpose_fused_kernel_gemm": 5}
    kernels = sort_kernels(BF16_CALLS | FP8_CALLS | others)
    assert (kernels.fp8, kernels.wide, kernels.unknown) == (FP8_CALLS, BF16_CALLS, {"nvjet_xyz": 3})


def test_a_run_in_fp8_passes() -> None:
    modules = matrix_modules([model(is_fp8=True, has_fp8_weights=True)])
    check_engaged(modules, sort_kernels(BF16_CALLS | FP8_CALLS), asked(param_gather=True))
    check_engaged(modules, sort_kernels({}), asked(param_gather=True))
    check_engaged(modules, sort_kernels(BF16_CALLS | {"nvjet_of_next_year": 1}), asked())


@pytest.mark.parametrize(
    ("is_fp8", "has_fp8_weights", "calls", "param_gather", "said"),
    [
        (False, False, {}, False, "none of 1 matrix modules computed in it"),
        (True, False, FP8_CALLS, True, "no module holds FP8 weights"),
        (True, True, BF16_CALLS, False, "all 8 matrix products of a step ran in other types"),
    ],
)
def test_a_run_that_only_asked_for_fp8_fails(
    is_fp8: bool, has_fp8_weights: bool, calls: dict[str, int], param_gather: bool, said: str
) -> None:
    modules = matrix_modules([model(is_fp8=is_fp8, has_fp8_weights=has_fp8_weights)])
    with pytest.raises(Fp8NotEngaged, match=said) as caught:
        check_engaged(modules, sort_kernels(calls), asked(param_gather=param_gather))
    assert caught.value.code == "fp8_not_engaged"


def test_the_health_of_delayed_scales_is_told() -> None:
    states = {
        "scaling_fwd": SimpleNamespace(
            amax_history=torch.tensor([[2.0, 5.0, 0.0], [1.0, 9.0, 0.0]]), scale=torch.tensor([200.0, 50.0, 1.0])
        ),
        "scaling_bwd": SimpleNamespace(amax_history=torch.tensor([[0.5]]), scale=torch.tensor([1000.0])),
    }
    linear = Linear(torch.nn.Parameter(torch.ones(4, 4)), None)
    linear.fp8_meta = states
    # Forward: 2 · 200 fits 448, 9 · 50 does not; backward: 0.5 · 1000 fits e5m2's 57,344, not e4m3's 448.
    assert fp8_health([linear], is_hybrid=True).tolist() == [9.0, 1.0, 0.25]
    assert fp8_health([linear], is_hybrid=False).tolist() == [9.0, 1.0, 0.5]


def test_recipes_that_keep_no_scales_tell_no_health() -> None:
    assert fp8_health([model(is_fp8=True, has_fp8_weights=True)], is_hybrid=False) is None
