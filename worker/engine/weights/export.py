"""Megatron's model as a Hugging Face folder that transformers loads: the way back of load.py, bit for bit.

Each pipeline stage and each expert-parallel rank writes its own files, so no rank ever holds more than one shard of a
few gigabytes. The folder is built under another name and renamed when complete: who sees it may load it. Weights keep
the dtype they were trained in (bf16 or fp32), and config.json says so; a silent cast to the dtype of the source was
rejected, because the exported model would then answer differently from the trained one.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from megatron.core.fp8_utils import dequantize_fp8_tensor, is_float8tensor
from megatron.core.transformer.module import MegatronModule
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from tunedeck.architecture import Architecture
from tunedeck.errors import Conflict, DiskFull, EngineFailed, TunedeckError
from worker.engine.publish_folder import publish_folder
from worker.engine.weights.companions import copy_companions
from worker.engine.weights.llama import Entry
from worker.engine.weights.ranks import replica_rank, tensor_group
from worker.engine.weights.safetensors_folder import INDEX, SINGLE
from worker.engine.weights.table import Table

MAX_FILE_BYTES = 4 << 30

T = TypeVar("T")
Files = dict[str, dict[str, int]]
"""Bytes of each tensor, by file and tensor name."""


def export_hf(
    model_chunks: list[MegatronModule], architecture: Architecture, source_path: Path, target_path: Path
) -> None:
    """Write the model as a Hugging Face folder; collective over all ranks, complete when it returns.

    Tokenizer, chat template, generation_config.json and config.json come from `source_path`. The parameters must be
    whole: with overlapped parameter gathering, gather first. Raises Conflict where `target_path` exists, DiskFull or
    EngineFailed (on every rank) where any rank could not write; nothing is left at `target_path` then.
    """
    is_first = dist.get_rank() == 0
    partial_path = target_path.with_name(f".{target_path.name}.partial")
    _together(lambda: _prepare(target_path, partial_path) if is_first else None)
    written = _together(lambda: _write_own(model_chunks, architecture, partial_path))
    dtype = next(model_chunks[0].parameters()).dtype
    _together(lambda: _finish(written, dtype, architecture, source_path, partial_path) if is_first else None)
    _together(lambda: publish_folder(partial_path, target_path) if is_first else None)


def _together(work: Callable[[], T]) -> list[T]:
    """Run `work` on every rank and return the results of all; where one rank failed, every rank raises what it raised.

    A rank that raised alone would leave the others waiting for it until the process group times out.
    """
    result, error = None, None
    try:
        result = work()
    except (OSError, SafetensorError, TunedeckError) as caught:
        error = _as_ours(caught)
    outcomes: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(outcomes, (result, error))
    for _, error in outcomes:
        if error is not None:
            raise error
    return [result for result, _ in outcomes]


def _as_ours(error: Exception) -> TunedeckError:
    if isinstance(error, TunedeckError):
        return error
    # safetensors reports a full disk as text.
    if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
        return DiskFull(f"the disk is full: {error}", "free space, then export the last checkpoint again")
    return EngineFailed(f"the export could not be written: {error}", "mend the run folder, then export again")


def _prepare(target_path: Path, partial_path: Path) -> None:
    if target_path.exists():
        raise Conflict(f"{target_path} exists", "export to another folder, or move this one away")
    shutil.rmtree(partial_path, ignore_errors=True)
    partial_path.mkdir(parents=True)


def _write_own(model_chunks: list[MegatronModule], architecture: Architecture, folder: Path) -> Files:
    """Write what this rank is the writer of; ranks of its tensor-parallel groups take part in gathering it. Returns the
    files that were written here."""
    written: Files = {}
    pending: dict[str, Tensor] = {}

    def flush() -> None:
        name = f"rank{dist.get_rank():05}-{len(written):05}.safetensors"
        written.update(_write_file(pending, folder / name))
        pending.clear()

    for entry, parameter in _owned(model_chunks, architecture):
        shards = _shards(parameter.detach(), entry)
        if tensor_group(entry).rank() != 0:
            continue
        tensors = (tensor.contiguous() for tensor in entry.layout.join(shards))
        pending |= zip(entry.hf_names, tensors, strict=True)
        if _num_bytes(pending) >= MAX_FILE_BYTES:
            flush()
    if pending:
        flush()
    return written


def _owned(model_chunks: list[MegatronModule], architecture: Architecture) -> list[tuple[Entry, Tensor]]:
    """What the first of all ranks with the same parameters has to write. A tied output layer of the last stage is left
    to the first stage's embedding."""
    return [
        (entry, parameter)
        for entry, parameter in Table(architecture).parameters(model_chunks)
        if replica_rank(entry) == 0
        and not (architecture.tied_embeddings and entry.megatron_names == ("output_layer.weight",))
    ]


def _shards(parameter: Tensor, entry: Entry) -> list[Tensor]:
    """The shards of all tensor-parallel ranks, on the CPU."""
    # A parameter kept in FP8 is exported as the values that the model computed with.
    whole = dequantize_fp8_tensor(parameter) if is_float8tensor(parameter) else parameter
    group = tensor_group(entry)
    if not entry.layout.is_split or group.size() == 1:
        return [whole.cpu()]
    shards = [torch.empty_like(whole) for _ in range(group.size())]
    dist.all_gather(shards, whole.contiguous(), group=group)
    return [shard.cpu() for shard in shards]


def _num_bytes(tensors: dict[str, Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors.values())


def _write_file(tensors: dict[str, Tensor], file: Path) -> Files:
    save_file(tensors, file, metadata={"format": "pt"})
    return {file.name: {name: tensor.nbytes for name, tensor in tensors.items()}}


def _finish(written: list[Files], dtype: torch.dtype, architecture: Architecture, source: Path, folder: Path) -> None:
    """Give the files of all ranks their final names; write index, config.json and tokenizer beside them."""
    files = {name: tensors for by_rank in written for name, tensors in sorted(by_rank.items())}
    names = _final_names(list(files))
    for name, final_name in names.items():
        (folder / name).rename(folder / final_name)
    weight_map = {tensor: names[name] for name, tensors in files.items() for tensor in tensors}
    lacking = Table(architecture).hf_shapes().keys() - weight_map.keys()
    if lacking:
        raise EngineFailed(f"no rank holds {min(lacking)}; the export would be incomplete")
    if len(files) > 1:
        total_size = sum(sum(tensors.values()) for tensors in files.values())
        index = {"metadata": {"total_size": total_size}, "weight_map": weight_map}
        (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    copy_companions(source, folder, dtype)


def _final_names(files: list[str]) -> dict[str, str]:
    if len(files) == 1:
        return {files[0]: SINGLE}
    return {name: f"model-{n:05}-of-{len(files):05}.safetensors" for n, name in enumerate(files, start=1)}
