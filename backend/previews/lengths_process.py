"""`python -m backend.previews.lengths_process`: every row of a data set tokenized and masked, for its lengths.

It calls what the engine calls, so its figures are those of the engine; only the tokens themselves are thrown away.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from jinja2 import TemplateError

from backend.previews.lengths import SampleLengths
from tunedeck.child_process import Progress, answer
from tunedeck.conversations import Conversation, Reading
from tunedeck.conversations.scan import read_conversations
from tunedeck.errors import DatasetInvalid
from tunedeck.tokens import ChatTokenizer, LossMask, Rendering, TemplateUnfit, loss_mask, mark

_MEMORY_BYTES: Final = 3 << 30
_ROWS_AT_ONCE: Final = 512


def measure(request: dict[str, Any], progress: Progress) -> Any:
    """Statistics of the lengths; the lengths themselves go to the file that was asked for."""
    tokenizer = ChatTokenizer.load(Path(request["model_path"]))
    mask = loss_mask(request["loss_mask_type"], tokenizer)
    rows = read_conversations(Path(request["path"]), Reading.model_validate(request["reading"]))
    lengths, num_rows = SampleLengths(), 0
    while chunk := list(islice(rows, _ROWS_AT_ONCE)):
        num_rows += len(chunk)
        for sample in mark(tokenizer, list(_renderings(chunk, mask))):
            if sample.num_learned:
                lengths.total.append(sample.num_tokens)
                lengths.trained.append(sample.num_learned)
        progress(num_rows, request["num_rows"])
    if not lengths.total:
        message = f"none of the {num_rows:,} rows has anything to learn under this loss mask"
        raise DatasetInvalid.at("data.loss_mask_type", request["loss_mask_type"], message, "choose another mask")
    lengths.save(Path(request["lengths"]))
    statistics = {name: each.model_dump(mode="json") for name, each in lengths.statistics().items()}
    return statistics | {"num_rows": num_rows, "num_samples": len(lengths.total)}


def _renderings(chunk: list[tuple[int, Conversation | None]], mask: LossMask) -> Iterator[Rendering]:
    for number, conversation in chunk:
        if conversation is None:
            continue
        try:
            yield mask(conversation)
        except (TemplateError, TemplateUnfit) as fault:
            message = f"row {number:,}: the model's chat template refuses it: {fault}"
            raise DatasetInvalid.at("dataset", number, message, "mend the row's roles, or use another model") from fault


if __name__ == "__main__":
    answer(measure, _MEMORY_BYTES)
