"""Lets megatron-core 0.16.1 run a mixture of experts without a GPU: two of its faults, and one gap of gloo.

All are replaced names in its modules, put in place where CUDA does not exist and nowhere else:

* RouterGatingLinearFunction names Transformer Engine's GEMM even where it cannot be imported (a NameError), and
  `maybe_move_tensor_to_cpu` does not convert tensors that are on the CPU already. Both can go when mended there.
* The ranks that share an expert gather different numbers of tokens, and gloo's collectives want equal ones. They are
  filled up to the longest here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import megatron.core.tensor_parallel.mappings as mappings
import megatron.core.transformer.moe.moe_utils as moe_utils
import megatron.core.transformer.moe.token_dispatcher as token_dispatcher
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.functional import pad

_gather_equal = mappings._gather_along_first_dim
_reduce_scatter_equal = mappings._reduce_scatter_along_first_dim


def install() -> None:
    """Put all in place, for the whole process. A second call changes nothing."""
    if not hasattr(moe_utils, "te_general_gemm"):
        moe_utils.te_general_gemm = None
    token_dispatcher.maybe_move_tensor_to_cpu = _move_to_cpu
    mappings._gather_along_first_dim = _gather
    mappings._reduce_scatter_along_first_dim = _reduce_scatter


def _move_to_cpu(tensor: Any, as_numpy: bool = False, record_stream: bool = False) -> Any:
    """What the original does with a GPU's tensor: gloo's all-to-all wants the numbers of tokens as numbers."""
    return tensor.numpy() if as_numpy and torch.is_tensor(tensor) else tensor


def _gather(
    rows: Tensor, group: dist.ProcessGroup, sizes: Sequence[int] | None = None, use_global_buffer: bool = False
) -> Tensor:
    """The rows of all ranks, one rank after the other; rank r has sizes[r] of them."""
    if sizes is None or group.size() == 1:
        return _gather_equal(rows, group, None, use_global_buffer)
    parts = _gather_equal(_filled(rows, max(sizes)), group).split(max(sizes))
    return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])


def _reduce_scatter(
    rows: Tensor, group: dist.ProcessGroup, sizes: Sequence[int] | None = None, use_global_buffer: bool = False
) -> Tensor:
    """The sum over all ranks of the rows that belong to this one; rank r gets sizes[r] of them."""
    if sizes is None or group.size() == 1:
        return _reduce_scatter_equal(rows, group, None, use_global_buffer)
    filled = torch.cat([_filled(part, max(sizes)) for part in rows.split(list(sizes))])
    return _reduce_scatter_equal(filled, group)[: sizes[group.rank()]]


def _filled(rows: Tensor, num_rows: int) -> Tensor:
    """`rows` with zeros behind them. The number of columns may be any, also none at all."""
    return pad(rows, (0, 0) * (rows.dim() - 1) + (0, num_rows - len(rows)))
