"""The table of one model: every parameter of Megatron's GPTModel and every tensor of the Hugging Face folder.

Own tables instead of mbridge or Megatron-Bridge: the first is unmaintained and breaks on transformers 5, the second
wants another Python and a dozen heavy packages for what is forty lines here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from megatron.core.transformer.module import MegatronModule
from megatron.core.utils import unwrap_model
from torch.nn import Parameter

from tunedeck.architecture import Architecture
from tunedeck.errors import EngineFailed
from worker.engine.weights import llama, qwen2, qwen3, qwen3_moe
from worker.engine.weights.layout import Shape
from worker.engine.weights.llama import Entry

_LAYER_ENTRIES: dict[str, Callable[[Architecture], list[Entry]]] = {
    "LlamaForCausalLM": llama.layer_entries,
    "MistralForCausalLM": llama.layer_entries,
    "Qwen2ForCausalLM": qwen2.layer_entries,
    "Qwen3ForCausalLM": qwen3.layer_entries,
    "Qwen3MoeForCausalLM": qwen3_moe.layer_entries,
}
_LAYER = re.compile(r"decoder\.layers\.(\d+)\.(.+)")
_EXPERT = re.compile(r"(mlp\.experts\.(?:local_experts\.|linear_fc[12]\.weight))(\d+)(.*)")


class Table:
    """All entries of one architecture, with absolute names. Layers and experts are counted from 0 over all ranks."""

    def __init__(self, architecture: Architecture) -> None:
        embedding, norm, output = llama.outer_entries(architecture)
        layer_entries = _LAYER_ENTRIES[architecture.hf_name](architecture)
        layers = [_in_layer(entry, n) for n in range(architecture.num_layers) for entry in layer_entries]
        self._entries = [embedding, *layers, norm, output]
        self._by_megatron_name = {name: entry for entry in self._entries for name in entry.megatron_names}

    def parameters(self, model_chunks: list[MegatronModule]) -> Iterator[tuple[Entry, Parameter]]:
        """Every parameter of this rank with its entry. Wrappers (DDP, Float16Module) are looked through."""
        for chunk in unwrap_model(model_chunks):
            for name, parameter in chunk.named_parameters():
                yield self._entry(_global_name(chunk, name)), parameter

    def hf_shapes(self) -> dict[str, Shape]:
        """Name and shape of every tensor of the Hugging Face folder, in the order in which they are written."""
        return {
            name: shape
            for entry in self._entries
            for name, shape in zip(entry.hf_names, entry.layout.shapes, strict=True)
        }

    def _entry(self, name: str) -> Entry:
        try:
            return self._by_megatron_name[name]
        except KeyError as error:
            raise EngineFailed(f"the model has a parameter {name} that no weight table knows") from error


def _in_layer(entry: Entry, layer: int) -> Entry:
    return Entry(
        tuple(f"decoder.layers.{layer}.{name}" for name in entry.megatron_names),
        tuple(f"model.layers.{layer}.{name}" for name in entry.hf_names),
        entry.layout,
        entry.is_expert,
    )


def _global_name(chunk: MegatronModule, name: str) -> str:
    """Megatron counts layers from 0 in each pipeline stage; `layer_number` counts from 1 over all."""
    match = _LAYER.fullmatch(name)
    if match is None:
        return name
    layer = chunk.decoder.layers[int(match[1])]
    return f"decoder.layers.{layer.layer_number - 1}.{_with_global_expert(layer, match[2])}"


def _with_global_expert(layer: Any, name: str) -> str:
    match = _EXPERT.fullmatch(name)
    if match is None:
        return name
    return f"{match[1]}{layer.mlp.local_expert_indices[int(match[2])]}{match[3]}"
