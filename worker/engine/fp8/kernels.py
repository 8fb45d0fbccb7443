"""Names of matrix-product kernels, told apart by the types that they multiply.

cuBLAS spells the types of its nvjet kernels as letters behind the prefix (`nvjet_qqtst_…` multiplies two e4m3 matrices:
`q` is e4m3, `r` e5m2, `t` bf16, `h` fp16, `s` fp32); CUTLASS and xmma kernels write them out. A kernel whose name says
neither is counted as unknown, never as FP8.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

_MATRIX = re.compile(r"gemm|nvjet|cutlass|xmma", re.IGNORECASE)
_NO_MATRIX = re.compile(
    r"splitk?reduce|reduce_kernel|quantize|transpose|cast|fmha|flash|cudnn_generated", re.IGNORECASE
)
_FP8 = re.compile(r"nvjet_(sm\d+_)?[qr][qr]|e4m3|e5m2|fp8|f8f8", re.IGNORECASE)
_WIDE = re.compile(r"nvjet_(sm\d+_)?[ths]|bf16|f16|half|tf32|f32f32|sgemm|hgemm", re.IGNORECASE)


@dataclass(frozen=True)
class MatrixKernels:
    """Calls by name of kernel."""

    fp8: dict[str, int]
    wide: dict[str, int]
    unknown: dict[str, int]


def sort_kernels(calls: Mapping[str, int]) -> MatrixKernels:
    """Keep the matrix products of `calls` (kernel name to number of calls) and sort them by type."""
    fp8, wide, unknown = Counter[str](), Counter[str](), Counter[str]()
    for name, number in calls.items():
        if not _MATRIX.search(name) or _NO_MATRIX.search(name):
            continue
        kind = fp8 if _FP8.search(name) else wide if _WIDE.search(name) else unknown
        kind[name] += number
    return MatrixKernels(dict(fp8), dict(wide), dict(unknown))
