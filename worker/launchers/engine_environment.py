"""What a training process may know of the machine that it runs on, whoever starts it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from tunedeck.run_folder import TOKEN_CACHE_VARIABLE, RunFolder, token_cache
from worker.launchers.launcher import Launch
from worker.supervisor.strays import RUN_DIR_VARIABLE

# Where programs and libraries lie, and the tuning of CUDA and NCCL. Everything else (tokens, passwords of the bus,
# proxies) stays with the service.
_INHERITED = frozenset({"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "LD_PRELOAD",
                        "PYTHONPATH", "VIRTUAL_ENV", "XDG_CACHE_HOME", "CUDA_VISIBLE_DEVICES"})  # fmt: skip
_INHERITED_PREFIXES = ("CUDA_", "NCCL_", "GLOO_", "NVTE_", "TORCH_", "TRITON_", "PYTORCH_")

# A collective that fails or times out ends its process, and the flight recorder, a ring of a few hundred KiB in memory,
# then says which collectives each rank had begun. Names of torch before 2.12, which later ones still read.
_NCCL = {
    "TORCH_NCCL_ASYNC_ERROR_HANDLING": "1",
    "TORCH_NCCL_TRACE_BUFFER_SIZE": "2000",
    "TORCH_NCCL_DUMP_ON_TIMEOUT": "1",
}


def inherited(own: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in own.items() if name in _INHERITED or name.startswith(_INHERITED_PREFIXES)}


def engine_environment(launch: Launch, own: Mapping[str, str]) -> dict[str, str]:
    """The environment of the ranks of one host; what says where they meet is not part of it."""
    threads = str(launch.threads_per_process)
    chosen = inherited(own) | {
        RUN_DIR_VARIABLE: str(launch.folder.root),
        TOKEN_CACHE_VARIABLE: str(token_cache(launch.folder.data_dir)),
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",  # torchrun would open a second port, for the ranks
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "PYTHONUNBUFFERED": "1",  # engine.log is read while it grows
        "HF_HUB_OFFLINE": "1",  # all that the engine reads has been registered; it must not wait for a network
        "CUDA_DEVICE_MAX_CONNECTIONS": "1",  # megatron-core demands it for sequence parallelism before Blackwell
    }
    if launch.device == "cuda":
        chosen |= _NCCL | {"TORCH_NCCL_DEBUG_INFO_TEMP_FILE": str(launch.folder.nccl_trace)}
    chosen["CUDA_VISIBLE_DEVICES"] = _visible_devices(launch, own.get("CUDA_VISIBLE_DEVICES", ""))
    return chosen


def engine_arguments(launch: Launch) -> list[str]:
    """What follows `python`, or the options of torchrun."""
    engine = ["-m", launch.engine_module, str(launch.folder.spec), str(launch.folder.root)]
    return [*engine, "--resume-from", launch.resume_from] if launch.resume_from else engine


def _visible_devices(launch: Launch, visible_to_us: str) -> str:
    """Indices count what the worker sees, and the worker itself may have been shown only some of the GPUs."""
    if launch.device == "cpu":
        return ""
    names = [name for name in visible_to_us.split(",") if name]
    return ",".join(names[index] if names else str(index) for index in launch.device_indices)


def open_log(folder: RunFolder) -> int:
    """A descriptor of engine.log to which all processes append; the caller closes it."""
    return os.open(folder.engine_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
