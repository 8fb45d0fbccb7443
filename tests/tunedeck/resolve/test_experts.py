"""Losses of a mixture of experts are resolved for one, and refused where they would mean nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tunedeck.resolve.facts import MODEL, MOE, gpu_host, resolved
from tunedeck.errors import SpecInvalid

BALANCED = {"moe_router_load_balancing_type": "aux_loss"}


@pytest.mark.parametrize(
    ("experts", "coefficients"),
    [
        ({}, (0.0, 0.0)),
        (BALANCED, (0.001, 0.0)),
        ({**BALANCED, "moe_aux_loss_coeff": 0.02, "moe_z_loss_coeff": 1e-3}, (0.02, 1e-3)),
        ({"moe_z_loss_coeff": 1e-3}, (0.0, 1e-3)),
    ],
)
def test_what_is_left_open_is_filled_in(experts: dict[str, Any], coefficients: tuple[float, float]) -> None:
    found = resolved(gpu_host(), model=MOE, experts=experts).experts
    assert (found.moe_aux_loss_coeff, found.moe_z_loss_coeff) == coefficients


@pytest.mark.parametrize(
    ("model", "experts", "field"),
    [
        (MODEL, BALANCED, "moe_router_load_balancing_type"),
        (MODEL, {"moe_z_loss_coeff": 1e-3}, "moe_z_loss_coeff"),
        (MOE, {"moe_aux_loss_coeff": 0.01}, "moe_aux_loss_coeff"),
    ],
)
def test_what_would_mean_nothing_is_refused_at_its_field(model: Any, experts: dict[str, Any], field: str) -> None:
    with pytest.raises(SpecInvalid) as caught:
        resolved(gpu_host(), model=model, experts=experts)
    assert [problem.field for problem in caught.value.problems] == [f"experts.{field}"]
