"""Whether a job fits, said before it starts: the memory of its fullest rank, part by part, as an estimate.

Held against measured peaks in tests/tunedeck/test_memory.py. It needs no GPU and reads no weights, so the form can ask
at every key stroke. Trying one step on the GPU instead was rejected: the GPUs are in use while the form is filled in.
"""

from tunedeck.memory.estimate import MemoryEstimate, MemoryPart, capacity_bytes, estimate_memory

__all__ = ["MemoryEstimate", "MemoryPart", "capacity_bytes", "estimate_memory"]
