"""`python -m worker.cuda_probe`: prints the GPUs that torch can use, as one line of JSON, and ends."""

from __future__ import annotations

import json
from typing import Any

import torch


def probe() -> dict[str, Any]:
    """Devices as bus.Device, and the CUDA version that torch was built with, "" for a CPU build."""
    return {
        "devices": [_device(index) for index in range(torch.cuda.device_count())],
        "cuda_version": torch.version.cuda or "",
    }


def _device(index: int) -> dict[str, Any]:
    properties = torch.cuda.get_device_properties(index)
    return {
        "index": index,
        "uuid": f"GPU-{properties.uuid}",
        "name": properties.name,
        "memory_bytes": properties.total_memory,
        "compute_capability": [properties.major, properties.minor],
    }


if __name__ == "__main__":
    print(json.dumps(probe()))
