"""Data sets that have been tokenised, kept for every job and attempt that needs the same tokens.

An entry is named by all that its tokens depend on: content of the file, reading, tokenizer and template, mask type, and
the code that makes tokens. So an entry is never wrong and never updated; it is removed by hand. It is written beside
its place and renamed there when complete, under a lock that ends with its process: of two jobs that need the same
entry one waits, and after a kill the next one begins afresh. A database of entries was rejected: workers have none.

<root>/<key>/entry.json, tokens.i32, learned.u8, offsets.i64, num_learned.i32, weighted.i64, weights.f32
<root>/.<key>.lock, .<key>.partial while it is written, .<key>.removed while it is removed
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from tunedeck import conversations, tokens
from tunedeck.component import Component
from tunedeck.errors import NotFound, Unavailable
from tunedeck.spec import LossMaskType
from tunedeck.tokens.preparation import OnRows, TokenSource, prepare, unheard
from tunedeck.tokens.token_files import PreparedFigures
from tunedeck.views.datasets import CachedTokensView

_ENTRY = "entry.json"
_KEY_CHARS = 32
_TRIES = 3
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")

T = TypeVar("T")


class Entry(Component):
    """What `entry.json` says. `data_file` and `model` are for people; the key does not depend on them."""

    key: str
    data_file: str
    content_sha256: str
    model: str
    loss_mask_type: LossMaskType
    created_at: float
    figures: PreparedFigures


class TokenCache:
    def __init__(self, root: Path) -> None:
        self._root = root

    def opened(
        self, source: TokenSource, read: Callable[[Path], T], num_processes: int = 0, on_rows: OnRows = unheard
    ) -> T:
        """What `read` makes of the folder of the tokens. Raises what `prepare` raises, and Unavailable.

        Someone may remove an entry between the look for it and its opening; then it is prepared again.
        """
        for _ in range(_TRIES):
            folder = self.folder(source, num_processes, on_rows)
            with contextlib.suppress(FileNotFoundError):
                return read(folder)
        raise Unavailable(f"the tokens of {source.path.name} are removed while they are opened", "try again")

    def folder(self, source: TokenSource, num_processes: int = 0, on_rows: OnRows = unheard) -> Path:
        """The folder of the tokens, prepared now if need be. Raises what `prepare` raises."""
        key = key_of(source)
        final = self._root / key
        if _used(final):
            return final
        self._root.mkdir(parents=True, exist_ok=True)
        with _locked(self._root / f".{key}.lock"):
            if not _used(final):
                self._prepare(source, key, num_processes, on_rows)
        return final

    def entries(self) -> list[CachedTokensView]:
        """Complete entries, the one used last first."""
        found = [entry for path in self._root.glob(f"*/{_ENTRY}") if (entry := _listed(path.parent))]
        return sorted(found, key=lambda entry: entry.last_used_at, reverse=True)

    def remove(self, key: str) -> CachedTokensView:
        """Answers what was removed. Raises NotFound. Engines that have opened the entry keep what they have mapped."""
        found = next((entry for entry in self.entries() if entry.key == key), None)
        removed = self._root / f".{key}.removed"
        try:
            if found is None:
                raise FileNotFoundError(key)
            shutil.rmtree(removed, ignore_errors=True)
            (self._root / key).rename(removed)
        except FileNotFoundError as error:
            raise NotFound(f"no tokens are kept as {key!r}", "list what is kept: tunedeck data cache ls") from error
        shutil.rmtree(removed)
        return found

    def _prepare(self, source: TokenSource, key: str, num_processes: int, on_rows: OnRows) -> None:
        partial = self._root / f".{key}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            entry = Entry(
                key=key,
                data_file=source.path.name,
                content_sha256=source.content_sha256,
                model=source.model.name,
                loss_mask_type=source.loss_mask_type,
                figures=prepare(source, partial, num_processes, on_rows),
                created_at=time.time(),
            )
            (partial / _ENTRY).write_text(entry.model_dump_json(), encoding="utf-8")
            partial.rename(self._root / key)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def read_entry(folder: Path) -> Entry:
    return Entry.model_validate_json((folder / _ENTRY).read_bytes())


def key_of(source: TokenSource) -> str:
    """The name of an entry: a hash of all that its tokens depend on."""
    parts = hashlib.sha256()
    for part in (source.content_sha256, source.reading.model_dump_json(), source.loss_mask_type, _code_sha256()):
        parts.update(f"{len(part)}:{part}".encode())
    for file in (*_TOKENIZER_FILES, *_more_templates(source.model)):
        path = source.model / file
        content = path.read_bytes() if path.is_file() else b""
        parts.update(f"{file}:{len(content)}:".encode())
        parts.update(content)
    return parts.hexdigest()[:_KEY_CHARS]


def _more_templates(model: Path) -> list[str]:
    return sorted(str(path.relative_to(model)) for path in (model / "additional_chat_templates").glob("*.jinja"))


@cache
def _code_sha256() -> str:
    """The code that decides which tokens come out. A version counted by hand was rejected: it would be forgotten."""
    code = hashlib.sha256(f"tokenizers {version('tokenizers')}, jinja2 {version('jinja2')}".encode())
    for package in (conversations, tokens):
        for file in sorted(Path(str(package.__file__)).parent.rglob("*.py")):
            code.update(file.read_bytes())
    return code.hexdigest()


def _used(folder: Path) -> bool:
    """Whether the entry is there; its time of use is the time of its entry.json."""
    try:
        os.utime(folder / _ENTRY)
    except FileNotFoundError:
        return False
    return True


def _listed(folder: Path) -> CachedTokensView | None:
    """None where the entry is being removed meanwhile."""
    try:
        entry, last_used_at = read_entry(folder), (folder / _ENTRY).stat().st_mtime
        size_bytes = sum(file.stat().st_size for file in folder.iterdir())
    except FileNotFoundError:
        return None
    figures = entry.figures
    return CachedTokensView(
        key=entry.key,
        data_file=entry.data_file,
        content_sha256=entry.content_sha256,
        model=entry.model,
        loss_mask_type=entry.loss_mask_type,
        num_rows=figures.num_rows,
        num_samples=figures.num_samples,
        num_tokens=figures.num_tokens,
        num_trained_tokens=figures.num_trained_tokens,
        size_bytes=size_bytes,
        created_at=entry.created_at,
        # A file system's clock ticks a few milliseconds behind the processor's.
        last_used_at=max(last_used_at, entry.created_at),
    )


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """One process at a time; the lock ends with its process, however that ends."""
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
