"""What a Hugging Face folder holds beside its weights: copied from the model that was trained.

An allow-list, not "everything but weights": a folder may hold code, and other copies of the weights under any name.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch

_COMPANIONS = (
    "tokenizer*",
    "*.jinja",
    "vocab.*",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
)


def copy_companions(source: Path, target: Path, dtype: torch.dtype) -> None:
    """Copy tokenizer, chat templates and generation settings, and config.json with `dtype` as that of the weights."""
    for pattern in _COMPANIONS:
        for file in source.glob(pattern):
            if file.is_file():
                shutil.copyfile(file, target / file.name)
    templates = source / "additional_chat_templates"
    if templates.is_dir():
        shutil.copytree(templates, target / templates.name)
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    # transformers 4 knows only the older name, transformers 5 writes only the newer one.
    config["torch_dtype" if "torch_dtype" in config else "dtype"] = str(dtype).removeprefix("torch.")
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
