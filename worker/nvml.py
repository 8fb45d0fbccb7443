"""The one place where the worker opens NVIDIA's management library. It makes no CUDA context and holds no memory."""

from __future__ import annotations

import logging
from types import ModuleType
from typing import Any

logger = logging.getLogger(__name__)


def open_nvml() -> ModuleType | Any | None:
    """pynvml, initialised until the process ends; None where there is no driver, or none that answers."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as fault:
        logger.warning("NVML does not answer, the health of GPUs is not watched: %s", fault)
        return None
    return pynvml


def driver_version(nvml: ModuleType | Any | None) -> str:
    """Such as 580.65.06; "" where there is none."""
    return str(nvml.nvmlSystemGetDriverVersion()) if nvml is not None else ""
