"""Over which ranks a parameter is cut, and which rank of those that hold the same part comes first.

Megatron lays the experts out over the ranks a second time, independently of everything else.
"""

from __future__ import annotations

import torch.distributed as dist
from megatron.core import parallel_state

from worker.engine.weights.llama import Entry


def tensor_group(entry: Entry) -> dist.ProcessGroup:
    """The ranks that share the parameter."""
    if entry.is_expert:
        return parallel_state.get_expert_tensor_parallel_group()
    return parallel_state.get_tensor_model_parallel_group()


def replica_rank(entry: Entry) -> int:
    """This rank's number among those that hold the same part of the parameter."""
    if entry.is_expert:
        return int(parallel_state.get_expert_data_parallel_rank())
    return int(parallel_state.get_data_parallel_rank(with_context_parallel=True))
