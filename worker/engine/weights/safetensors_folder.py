"""The weights of a Hugging Face folder: one or several safetensors files, read in slices, never whole.

Pickle (`pytorch_model.bin`) is never opened: loading it runs code of whoever made it. Every fault is a ModelInvalid
that names the file or the tensor.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from tunedeck.errors import ModelInvalid, PathRefused
from worker.engine.weights.layout import Shape

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
FLOATS = ("F64", "F32", "F16", "BF16")
_COPY_AGAIN = "copy the model again from its source"


class SafetensorsFolder:
    """Open files of a folder and the place of each tensor. Make one with `open_folder`."""

    def __init__(self, path: Path, files: dict[str, Any]) -> None:
        self.path = path
        self._files = files
        self._file_of = {name: file for file, handle in files.items() for name in handle.keys()}  # noqa: SIM118

    def check(self, expected: dict[str, Shape], may_be_ignored: frozenset[str]) -> None:
        """Raise ModelInvalid unless the folder holds exactly the expected tensors, in shape and of a float type."""
        missing = [name for name in expected if name not in self._file_of]
        if missing:
            raise ModelInvalid(f"model {self.path} lacks {_some(missing)}", _COPY_AGAIN)
        unknown = [name for name in self._file_of if name not in expected and name not in may_be_ignored]
        if unknown:
            raise ModelInvalid(
                f"model {self.path} holds {_some(unknown)}, which its architecture has no place for",
                "train the base model that this one was made from, or remove the tensors if they are not needed",
            )
        for name, shape in expected.items():
            self._check_tensor(name, shape)

    def rows(self, name: str, start: int, end: int) -> Tensor:
        return self._read(name, slice(start, end))

    def columns(self, name: str, start: int, end: int) -> Tensor:
        return self._read(name, (slice(None), slice(start, end)))

    def whole(self, name: str) -> Tensor:
        return self._read(name, slice(None))

    def __iter__(self) -> Iterator[str]:
        return iter(self._file_of)

    def __contains__(self, name: object) -> bool:
        return name in self._file_of

    def _read(self, name: str, part: Any) -> Tensor:
        try:
            return self._files[self._file_of[name]].get_slice(name)[part]
        except SafetensorError as error:
            raise _corrupt(self.path / self._file_of[name], error) from error

    def _check_tensor(self, name: str, shape: Shape) -> None:
        tensor = self._files[self._file_of[name]].get_slice(name)
        if tuple(tensor.get_shape()) != shape:
            raise ModelInvalid(
                f"model {self.path}: {name} has shape {tensor.get_shape()}, but config.json makes it {list(shape)}",
                "give the config.json that belongs to these weights",
            )
        if tensor.get_dtype() not in FLOATS:
            raise ModelInvalid(
                f"model {self.path}: {name} is stored as {tensor.get_dtype()}",
                f"give weights stored as one of {', '.join(FLOATS)}; quantised weights cannot be trained",
            )


@contextmanager
def open_folder(path: Path) -> Iterator[SafetensorsFolder]:
    """Open all weight files of a folder. Raises ModelInvalid where there are none or one is damaged."""
    names = _file_names(path)
    with ExitStack() as stack:
        files = {name: stack.enter_context(_open(path / name)) for name in names}
        yield SafetensorsFolder(path, files)


def _file_names(path: Path) -> list[str]:
    if (path / INDEX).is_file():
        return _indexed_files(path / INDEX)
    if (path / SINGLE).is_file():
        return [SINGLE]
    pickles = sorted(file.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for file in path.glob(pattern))
    if pickles:
        raise ModelInvalid(
            f"model {path} has its weights in {_some(pickles)}: pickle files are never loaded, they can run code",
            "save the model again with save_pretrained(..., safe_serialization=True)",
        )
    raise ModelInvalid(f"model {path} has neither {SINGLE} nor {INDEX}", _COPY_AGAIN)


def _indexed_files(index: Path) -> list[str]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ModelInvalid(f"{index} is not an index of safetensors files", _COPY_AGAIN) from error
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(".safetensors"):
            raise PathRefused(f"{index} points to {name!r}, which is not a safetensors file beside it", _COPY_AGAIN)
    return names


def _open(file: Path) -> Any:
    try:
        return safe_open(file, framework="pt")
    except FileNotFoundError as error:
        raise ModelInvalid(f"{file} is missing", _COPY_AGAIN) from error
    except (SafetensorError, OSError) as error:
        raise _corrupt(file, error) from error


def _corrupt(file: Path, error: Exception) -> ModelInvalid:
    return ModelInvalid(f"{file} is damaged or incomplete: {error}", _COPY_AGAIN)


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
