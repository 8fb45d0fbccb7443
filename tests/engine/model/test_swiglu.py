from __future__ import annotations

import torch
from torch.nn.functional import silu

from tests.engine.model.specs import layout_spec
from tests.engine.model.test_configuration import ARCHITECTURE
from worker.engine.model import transformer_config
from worker.engine.model.swiglu import SwiGLU


def test_value_and_gradient_are_those_of_the_formula() -> None:
    swiglu = SwiGLU(transformer_config(ARCHITECTURE, layout_spec()))
    torch.manual_seed(4)
    gate_and_up = torch.randn(5, 1, 12, dtype=torch.float64, requires_grad=True)
    gate, up = gate_and_up.chunk(2, dim=-1)
    assert torch.equal(swiglu(gate_and_up), silu(gate) * up)
    assert torch.autograd.gradcheck(swiglu, (gate_and_up,))
