from __future__ import annotations

from torch.overrides import TorchFunctionMode


class CudaMeansCpu(TorchFunctionMode):
    """Inside, `device="cuda"` means the CPU."""


def install() -> None:
    """Put the stand-ins for torch.cuda in place; only where CUDA is absent."""
