"""How the engine is started: one process directly, several under torchrun.

torchrun imports torch before it starts anything: 2.1 s and 200 MB on a laptop, for nothing where there is one rank and
so no rendezvous and no peer to end. For several ranks it ends all when one fails. They meet at files of the run folder,
because torchrun's own meeting points are ports that listen on every interface, ask for no login and unpickle what they
get. The command goes through `tether.py`, which ties it to the life of the supervisor: a killed one can end nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tunedeck.run_folder import STORE_VARIABLE, TOKEN_CACHE_VARIABLE, RunFolder, token_cache
from tunedeck.up import tether
from worker.supervisor.strays import RUN_DIR_VARIABLE

# What a training process may know of the machine: where programs and libraries lie, and the tuning of CUDA and NCCL.
# Everything else (tokens, passwords of the bus, proxies) stays with the service.
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


@dataclass(frozen=True)
class Launch:
    """`device_indices` are the GPUs of the attempt as the host numbers them; empty on a CPU."""

    folder: RunFolder
    engine_module: str
    num_processes: int
    threads_per_process: int
    device: Literal["cpu", "cuda"]
    device_indices: tuple[int, ...]
    resume_from: str


def command(launch: Launch) -> list[str]:
    engine = ["-m", launch.engine_module, str(launch.folder.spec), str(launch.folder.root)]
    if launch.resume_from:
        engine += ["--resume-from", launch.resume_from]
    return [sys.executable, "-S", "-E", tether.__file__, str(os.getpid()), sys.executable, *_launcher(launch), *engine]


def _launcher(launch: Launch) -> list[str]:
    if launch.num_processes == 1:
        return []
    meeting = ["--rdzv-backend", "c10d", "--rdzv-endpoint", str(launch.folder.launch), "--rdzv-conf", "store_type=file"]
    one_host = ["--nnodes", "1", "--nproc-per-node", str(launch.num_processes), "--max-restarts", "0"]
    return ["-m", "torch.distributed.run", *meeting, *one_host]


def environment(launch: Launch, own: Mapping[str, str]) -> dict[str, str]:
    """The environment of the engine, chosen from that of the supervisor (`own`) rather than copied."""
    chosen = {name: value for name, value in own.items() if _is_inherited(name)}
    threads = str(launch.threads_per_process)
    chosen |= {
        RUN_DIR_VARIABLE: str(launch.folder.root),
        STORE_VARIABLE: str(launch.folder.store),
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


def _is_inherited(name: str) -> bool:
    return name in _INHERITED or name.startswith(_INHERITED_PREFIXES)


def _visible_devices(launch: Launch, visible_to_us: str) -> str:
    """Indices count what the worker sees, and the worker itself may have been shown only some of the GPUs."""
    if launch.device == "cpu":
        return ""
    names = [name for name in visible_to_us.split(",") if name]
    return ",".join(names[index] if names else str(index) for index in launch.device_indices)


def open_log(folder: RunFolder) -> int:
    """A descriptor of engine.log to which all processes append; the caller closes it."""
    return os.open(folder.engine_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
