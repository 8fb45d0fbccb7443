"""What only a Hopper GPU with Transformer Engine can show. Elsewhere every test is skipped, with the reason.

Run from the root of the repository with `python3 -m pytest tests/gpu`. It needs torch, megatron-core, Transformer
Engine, transformers, pyarrow, pydantic and psutil; the tests against SmolLM2 also want its folder in TUNEDECK_SMOLLM2,
and take the conversations of TUNEDECK_CONVERSATIONS where that is set.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from tests.engine.conftest import sums as sums
from tests.engine.tiny import write_model


def _why_not() -> str:
    if not torch.cuda.is_available():
        return "there is no GPU"
    if torch.cuda.get_device_capability() < (9, 0):
        return f"{torch.cuda.get_device_name()} is no Hopper GPU"
    if find_spec("transformer_engine") is None:
        return "Transformer Engine is not installed"
    return ""


@pytest.fixture(autouse=True, scope="session")
def hopper() -> None:
    if reason := _why_not():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def small_qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Qwen3 of sizes that FP8 kernels take: all multiples of 128."""
    return write_model(
        tmp_path_factory.mktemp("small-qwen3"),
        hidden_size=512,
        intermediate_size=1024,
        num_hidden_layers=4,
        num_attention_heads=8,
        num_key_value_heads=4,
        head_dim=64,
        initializer_range=0.02,
    )


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The folder of SmolLM2-135M-Instruct."""
    folder = os.environ.get("TUNEDECK_SMOLLM2", "")
    if not folder:
        pytest.skip("the folder of SmolLM2-135M-Instruct is not given in TUNEDECK_SMOLLM2")
    return Path(folder)


@pytest.fixture(scope="session")
def conversations(sums: Path) -> Path:
    """Real conversations where they are given, else sums."""
    return Path(os.environ.get("TUNEDECK_CONVERSATIONS") or sums)
