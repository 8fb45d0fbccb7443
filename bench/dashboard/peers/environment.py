"""An environment with the peers in it: one that is found, or a new one in the folder of the measurement.

They are kept out of our own environment: they pin versions of what we need, too. A peer that cannot be installed is
left out and said to be missing.
"""

from __future__ import annotations

import os
import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("trackio", "mlflow", "tensorboard", "aim", "wandb", "swanlab")
INSTALL_S = 600.0
# Nothing is sent home, and nothing is written to the home folder of whoever measures.
_QUIET = {
    "WANDB_MODE": "offline",
    "WANDB_ERROR_REPORTING": "false",
    "WANDB_SILENT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True)
class Peers:
    """`python` is None where there are no peers."""

    python: Path | None
    folder: Path

    def env(self) -> dict[str, str]:
        own = {"HOME": str(self.folder), "TRACKIO_DIR": str(self.folder / "trackio"), "NO_PROXY": "127.0.0.1,localhost"}
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        return {**kept, **_QUIET, **own, "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}"}

    @property
    def bin(self) -> Path:
        return self.python.parent if self.python else self.folder

    def has(self, package: str) -> bool:
        if self.python is None:
            return False
        check = f"import importlib.util as u, sys; sys.exit(u.find_spec({package!r}) is None)"
        return subprocess.run([self.python, "-c", check], check=False).returncode == 0


def peers(found: Path | None, folder: Path) -> Peers:
    """Those of the environment `found`, else of a new one below `folder`."""
    if found is not None:
        return Peers(found.absolute() / "bin" / "python", folder)
    made = folder / "peers"
    venv.create(made, with_pip=True)
    python = made / "bin" / "python"
    install: list[str] = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    together = subprocess.run([*install, *PACKAGES], check=False, timeout=INSTALL_S).returncode
    for package in PACKAGES if together else ():
        subprocess.run([*install, package], check=False, timeout=INSTALL_S)
    return Peers(python, folder)


def no_peers(folder: Path) -> Peers:
    return Peers(None, folder)
