"""`python -m backend.previews.process`: rows, tokens and packing for pages, in a process that may fail without harm.

It stays while somebody looks, so that a model's tokenizer is read once. Chat templates are programs of strangers, and
files may be bombs; here both have a bound of memory, and the parent one of time.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from backend.previews.lengths import SampleLengths
from backend.previews.rows import File, RowReader, shown
from tunedeck.child_process import Progress, answer
from tunedeck.conversations import Reading
from tunedeck.packing import simulate, split
from tunedeck.resolved import ResolvedSpec
from tunedeck.tokens import ChatTokenizer, token_view

_MEMORY_BYTES: Final = 3 << 30
_reader = RowReader()


def handle(request: dict[str, Any], _: Progress) -> Any:
    return _CALLS[request["call"]](request)


def _rows(request: dict[str, Any]) -> Any:
    """One row more than is shown tells whether there is a next page."""
    found = _reader.rows(_file(request), request["first"], request["limit"] + 1)
    return {"rows": [shown(each) for each in found[: request["limit"]]], "has_more": len(found) > request["limit"]}


def _tokens(request: dict[str, Any]) -> Any:
    conversation = _reader.row(_file(request), request["row"])
    view = token_view(conversation, _tokenizer(request["model_path"]), request["loss_mask_type"])
    return {"row": request["row"], "sample": view.model_dump(mode="json"), "equals_template": view.equals_template}


def _packing(request: dict[str, Any]) -> Any:
    """Of the samples that are trained: some are held out, as the engine will."""
    spec = ResolvedSpec.model_validate(request["spec"])
    lengths = SampleLengths.load(Path(request["lengths"])).total
    training = split(len(lengths), spec.data.num_validation_rows, spec.seed).training
    return simulate([lengths[index] for index in training], spec).model_dump(mode="json")


def _file(request: dict[str, Any]) -> File:
    """The shape that was found is kept to: a few rows alone may look like another one."""
    told = request["file"]
    return File(
        path=Path(told["path"]),
        reading=Reading.model_validate(told["reading"] | {"shape": told["shape"]}),
        form=told["format"],
        compression=told["compression"],
        num_rows=told["num_rows"],
    )


@lru_cache(maxsize=4)
def _tokenizer(path: str) -> ChatTokenizer:
    return ChatTokenizer.load(Path(path))


_CALLS: Final = {"rows": _rows, "tokens": _tokens, "packing": _packing}

if __name__ == "__main__":
    answer(handle, _MEMORY_BYTES)
