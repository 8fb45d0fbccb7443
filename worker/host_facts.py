"""What this machine has to offer: GPUs where there are any that torch can use, else its cores.

The worker itself never imports torch: that costs 2 s and 200 MB, and a CUDA context in the worker would hold memory of
every GPU for ever. So `cuda_probe.py` asks in a process that ends at once, and only where there is an NVIDIA driver.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from tunedeck import __version__
from tunedeck.bus import Device, HostFacts

logger = logging.getLogger(__name__)

PROBE_TIMEOUT_S = 120.0  # the first import of torch from a cold network disk
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def host_facts(name: str, driver_version: str = "") -> HostFacts:
    """Facts that do not change while the worker runs. Takes seconds on a machine with an NVIDIA driver."""
    probed = _probe_cuda() if has_nvidia_driver() else {"devices": [], "cuda_version": ""}
    gpus = tuple(Device.model_validate(device) for device in probed["devices"])
    memory_bytes = _memory_bytes()
    return HostFacts(
        name=name,
        kind="cuda" if gpus else "cpu",
        devices=gpus or _cores(memory_bytes),
        memory_bytes=memory_bytes,
        cuda_version=probed["cuda_version"],
        driver_version=driver_version,
        transformer_engine_version=_transformer_engine_version(),
        worker_version=__version__,
    )


def has_nvidia_driver() -> bool:
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def _probe_cuda() -> dict[str, Any]:
    command = [sys.executable, "-m", "worker.cuda_probe"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=True)
        found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    except subprocess.CalledProcessError as fault:
        logger.error("the GPUs cannot be used, the host offers its cores: %s", fault.stderr.strip()[-500:])
        return {"devices": [], "cuda_version": ""}
    except (subprocess.TimeoutExpired, ValueError, IndexError) as fault:
        logger.error("the GPUs did not answer, the host offers its cores: %s", fault)
        return {"devices": [], "cuda_version": ""}
    return found


def _cores(memory_bytes: int) -> tuple[Device, ...]:
    """One device per core that this process may use, each with its share of the memory."""
    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = memory_bytes // num_cores
    return tuple(
        Device(index=index, name=f"core {index}", memory_bytes=share, compute_capability=(0, 0))
        for index in range(num_cores)
    )


def _memory_bytes() -> int:
    """Of the machine, or of the container if that is less."""
    limits = [int(text) for path in _CGROUP_LIMITS if path.exists() and (text := path.read_text().strip()).isdigit()]
    return min([int(psutil.virtual_memory().total), *limits])


def _transformer_engine_version() -> str:
    try:
        return version("transformer-engine")
    except PackageNotFoundError:
        return ""
