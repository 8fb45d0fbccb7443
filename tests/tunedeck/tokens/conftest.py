"""Tokenizer folders, written once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.tokenizers import SYSTEM_CHATML, write_tokenizer


@pytest.fixture(scope="session")
def chatml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny tokenizer with a plain ChatML template."""
    return write_tokenizer(tmp_path_factory.mktemp("chatml"))


@pytest.fixture(scope="session")
def system_chatml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a template that injects a default system prompt, as those of Qwen2.5 and SmolLM2 do."""
    return write_tokenizer(tmp_path_factory.mktemp("system-chatml"), SYSTEM_CHATML)
