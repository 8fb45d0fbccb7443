"""What a Hugging Face folder holds, found without loading a weight: config, safetensors headers, tokenizer files.

It refuses whatever the engine could not train: other architectures and extensions of ours, pickled weights (they run
code when loaded), files that are cut off, a folder without a tokenizer. Every fault names its file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from backend.allowed_paths import require_below
from tunedeck.architecture import architecture_of
from tunedeck.errors import ModelInvalid, PathRefused

_INDEX = "model.safetensors.index.json"
_PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_TOKENIZERS = (("tokenizer.json",), ("tokenizer.model",), ("vocab.json", "merges.txt"))
_LARGEST_JSON_BYTES = 64 << 20


@dataclass(frozen=True)
class ModelFolder:
    path: Path
    architecture: str
    config: dict[str, Any]
    num_parameters: int
    size_bytes: int


def inspect_folder(path: Path, roots: Sequence[Path]) -> ModelFolder:
    """What is in the folder `path`. Raises ModelInvalid or PathRefused at field `path`."""
    try:
        return _inspect(path, roots)
    except OSError as fault:
        raise _invalid(path, f"{fault.filename} cannot be read: {fault.strerror}", "make it readable") from fault


def _inspect(path: Path, roots: Sequence[Path]) -> ModelFolder:
    if path.suffix in _PICKLE_SUFFIXES:
        raise _refused_pickle(path)
    if not path.is_dir():
        raise _invalid(path, "there is no such folder", "give the folder that holds config.json")
    config = _read_config(path)
    _require_tokenizer(path)
    shards = _weight_files(path)
    for file in (path / "config.json", *shards):
        require_below(file.resolve(), str(file), roots)
    return ModelFolder(
        path=path,
        architecture=config["architectures"][0],
        config=config,
        num_parameters=sum(_num_parameters(shard) for shard in shards),
        size_bytes=sum(shard.stat().st_size for shard in shards),
    )


def _read_config(folder: Path) -> dict[str, Any]:
    file = folder / "config.json"
    config = _read_json(file)
    try:
        architecture_of(config)
    except ModelInvalid as fault:
        raise _invalid(file, fault.message.removeprefix("config.json: "), fault.mend) from fault
    return config


def _read_json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise _invalid(file, "the file is missing", "give a complete Hugging Face folder")
    if file.stat().st_size > _LARGEST_JSON_BYTES:
        raise _invalid(file, f"the file is larger than {_LARGEST_JSON_BYTES >> 20} MiB", "check what it is")
    try:
        content = json.loads(file.read_text(encoding="utf-8"), parse_constant=_no_constant)
        json.dumps(content, ensure_ascii=False).encode()  # half a surrogate pair is valid JSON, but nobody can send it
    except (ValueError, RecursionError) as fault:
        raise _invalid(file, f"the file is not valid JSON: {fault}", "fetch it again") from fault
    if not isinstance(content, dict):
        raise _invalid(file, "the file does not hold a JSON object", "fetch it again")
    return content


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _require_tokenizer(folder: Path) -> None:
    if any(all((folder / name).is_file() for name in names) for names in _TOKENIZERS):
        return
    raise _invalid(folder / "tokenizer.json", "the tokenizer is missing", "save it into the folder beside the weights")


def _weight_files(folder: Path) -> list[Path]:
    """The shards that the index names, else every safetensors file of the folder."""
    index = folder / _INDEX
    if index.is_file():
        return _indexed_files(index)
    if found := sorted(folder.glob("*.safetensors")):
        return found
    for file in sorted(folder.iterdir()):
        if file.suffix in _PICKLE_SUFFIXES:
            raise _refused_pickle(file)
    raise _invalid(folder, "there are no *.safetensors files", "save the weights as safetensors")


def _indexed_files(index: Path) -> list[Path]:
    weight_map = _read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise _invalid(index, "it has no weight_map", "fetch it again")
    names = sorted({str(name) for name in weight_map.values()})
    for name in names:
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise _invalid(index, f"it names {name!r}, which is no safetensors file beside it", "fetch it again")
        if not (index.parent / name).is_file():
            raise _invalid(index.parent / name, "the file is missing, though the index names it", "fetch it again")
    return [index.parent / name for name in names]


def _num_parameters(shard: Path) -> int:
    """From the header alone; opening checks that header and file size agree."""
    try:
        with safe_open(shard, framework="numpy") as tensors:
            return sum(math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
    except (SafetensorError, OSError) as fault:
        raise _invalid(shard, f"the file is corrupt or cut off ({fault})", "fetch it again") from fault


def _invalid(file: Path, what: str, mend: str) -> ModelInvalid:
    error = ModelInvalid.at("path", str(file), f"{file.name}: {what}", mend)
    assert isinstance(error, ModelInvalid)
    return error


def _refused_pickle(file: Path) -> PathRefused:
    message = f"{file.name} holds pickled weights, which run code when they are loaded"
    error = PathRefused.at("path", str(file), message, "convert them to safetensors")
    assert isinstance(error, PathRefused)
    return error
