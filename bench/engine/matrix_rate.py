"""What matrix products really reach on this card: the best of some large shapes, in bf16, for long enough to warm up.

The data sheet's peak is at a clock that the card does not hold under load; this is what a model can be held to.
"""

from __future__ import annotations

import time

import torch

SIZES = ((8192, 8192, 8192), (16384, 9728, 2560), (16384, 4096, 4096))
SECONDS_EACH = 1.0


def matrix_flops() -> float:
    """FLOP/s of the best shape; 0 without a GPU."""
    if not torch.cuda.is_available():
        return 0.0
    return max(_rate(*size) for size in SIZES)


def _rate(rows: int, columns: int, inner: int) -> float:
    left = torch.randn(rows, inner, device="cuda", dtype=torch.bfloat16)
    right = torch.randn(inner, columns, device="cuda", dtype=torch.bfloat16)
    out = torch.empty(rows, columns, device="cuda", dtype=torch.bfloat16)
    for _ in range(10):
        torch.matmul(left, right, out=out)
    torch.cuda.synchronize()
    start, number = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS_EACH:
        for _ in range(20):
            torch.matmul(left, right, out=out)
        torch.cuda.synchronize()
        number += 20
    return 2.0 * rows * columns * inner * number / (time.perf_counter() - start)
