"""What the tests of the whole system start from: real weights and real conversations, where they are at hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
SHARED = REPOSITORY.parent / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.stack)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """SmolLM2-135M-Instruct as a Hugging Face folder; fetched once (100 MB), then kept in build/."""
    script = SHARED / "models" / "fetch-smollm2"
    folder = REPOSITORY / "build" / "models" / "smollm2-135m"
    if (folder / "model.safetensors").exists():
        return folder
    if not script.exists():
        pytest.skip(f"needs {script}, which fetches SmolLM2's weights and is not part of the repository")
    subprocess.run([sys.executable, str(script), str(folder)], check=True, timeout=300)
    return folder


@pytest.fixture(scope="session")
def alpaca() -> Path:
    """999 real instructions with answers."""
    file = SHARED / "data" / "alpaca_en_1k.json"
    if not file.exists():
        pytest.skip(f"needs {file}, which is not part of the repository")
    return file
