"""Qwen3-MoE: Qwen3 with a router and many small SwiGLUs in place of the one of a layer.

The experts of a rank are modules of their own on a CPU (`local_experts.N`) and one joint module on a GPU (`weightN`).
Names here count them from 0 over all ranks; table.py counts so, too.
"""

from __future__ import annotations

from tunedeck.architecture import Architecture, Experts
from worker.engine.weights import qwen3
from worker.engine.weights.layout import Columns, GateUp, Replicated
from worker.engine.weights.llama import Entry


def layer_entries(architecture: Architecture) -> list[Entry]:
    """Qwen3's entries without the dense MLP, the router, and the two matrices of every expert."""
    experts = architecture.experts
    assert experts is not None
    attention = [entry for entry in qwen3.layer_entries(architecture) if not _is_dense_mlp(entry)]
    router = Entry(
        ("mlp.router.weight",), ("mlp.gate.weight",), Replicated((experts.num_moe_experts, architecture.hidden_size))
    )
    matrices = [
        entry
        for number in range(experts.num_moe_experts)
        for entry in _expert_entries(number, experts, architecture.hidden_size)
    ]
    return [*attention, router, *matrices]


def _is_dense_mlp(entry: Entry) -> bool:
    return entry.hf_names[0].startswith("mlp.")


def _expert_entries(number: int, experts: Experts, hidden_size: int) -> list[Entry]:
    width, hf = experts.moe_ffn_hidden_size, f"mlp.experts.{number}"
    return [
        Entry(
            _names(number, "linear_fc1"),
            (f"{hf}.gate_proj.weight", f"{hf}.up_proj.weight"),
            GateUp(width, hidden_size),
            is_expert=True,
        ),
        Entry(_names(number, "linear_fc2"), (f"{hf}.down_proj.weight",), Columns(hidden_size, width), is_expert=True),
    ]


def _names(number: int, linear: str) -> tuple[str, str]:
    return f"mlp.experts.local_experts.{number}.{linear}.weight", f"mlp.experts.{linear}.weight{number}"
