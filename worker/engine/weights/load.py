"""Weights from a Hugging Face folder into Megatron's model: every rank reads its own slices and nothing else.

Every parameter is written exactly once and every tensor of the folder is used; what does not fit is refused by name
before the first byte is copied.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from megatron.core.transformer.module import MegatronModule
from torch import Tensor
from torch.nn import Parameter

from tunedeck.architecture import Architecture
from tunedeck.errors import ModelInvalid
from worker.engine.weights.ranks import tensor_group
from worker.engine.weights.safetensors_folder import SafetensorsFolder, open_folder
from worker.engine.weights.table import Table

# Old Llama checkpoints store this buffer, which follows from config.json.
_DERIVED = re.compile(r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq|model\.rotary_emb\.inv_freq")


def load_hf(model_chunks: list[MegatronModule], architecture: Architecture, path: Path) -> None:
    """Read the weights of a Hugging Face folder into the chunks of this rank, in their own dtype and on their device.

    Not collective: each rank reads for itself. Call before the optimizer is made, which copies the weights. Raises
    ModelInvalid where the folder does not hold exactly this architecture.
    """
    table = Table(architecture)
    with open_folder(path) as folder:
        _check(folder, table, architecture)
        for entry, parameter in table.parameters(model_chunks):
            group = tensor_group(entry)
            _assign(parameter, entry.layout.take(folder, entry.hf_names, group.rank(), group.size()))


def _check(folder: SafetensorsFolder, table: Table, architecture: Architecture) -> None:
    ignored = {name for name in folder if _DERIVED.fullmatch(name)}
    if architecture.tied_embeddings and "lm_head.weight" in folder:
        ignored.add("lm_head.weight")
    folder.check(table.hf_shapes(), frozenset(ignored))
    if "lm_head.weight" in ignored:
        _check_tie(folder)


def _check_tie(folder: SafetensorsFolder) -> None:
    if torch.equal(folder.whole("lm_head.weight"), folder.whole("model.embed_tokens.weight")):
        return
    raise ModelInvalid(
        f"model {folder.path}: config.json ties lm_head.weight to the embedding, but the stored tensors differ",
        "set tie_word_embeddings to false in config.json if both are meant",
    )


def _assign(parameter: Parameter, weight: Tensor) -> None:
    if parameter.shape != weight.shape:
        raise ModelInvalid(f"a parameter of shape {list(parameter.shape)} cannot take weights {list(weight.shape)}")
    with torch.no_grad():
        parameter.copy_(weight)
    # A parameter kept in FP8 remembers its full-precision value for the optimizer's master copy (Transformer Engine's
    # preserve_high_precision_init_val); what it remembers is the zeros it was made with.
    if hasattr(parameter, "_high_precision_init_val"):
        parameter._high_precision_init_val = weight.to(parameter.dtype)
