"""`python -m backend.previews.lengths_process`: a data set tokenised and masked, for the lengths of its samples.

The tokens are made and kept as for training (`tunedeck.tokens.cache`), so that the figures are those of the engine, and
a job on this host finds its tokens ready. Counting them and throwing them away was rejected: the same work twice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from backend.previews.lengths import SampleLengths
from tunedeck.child_process import Progress, answer
from tunedeck.conversations import Reading
from tunedeck.tokens.cache import Entry, TokenCache, read_entry
from tunedeck.tokens.preparation import TokenSource, num_cores

_MEMORY_BYTES: Final = 3 << 30
# Each holds a tokenizer, and trainings on this host want its cores.
_MOST_PROCESSES: Final = 4


def measure(request: dict[str, Any], progress: Progress) -> Any:
    """Statistics of the lengths; the lengths themselves go to the file that was asked for."""
    source = TokenSource(
        path=Path(request["path"]),
        content_sha256=request["content_sha256"],
        reading=Reading.model_validate(request["reading"]),
        model=Path(request["model_path"]),
        loss_mask_type=request["loss_mask_type"],
    )
    entry, lengths = TokenCache(Path(request["token_cache"])).opened(
        source, _read, min(num_cores(), _MOST_PROCESSES), on_rows=lambda rows: progress(rows, request["num_rows"])
    )
    lengths.save(Path(request["lengths"]))
    statistics = {name: each.model_dump(mode="json") for name, each in lengths.statistics().items()}
    return statistics | {"num_rows": entry.figures.num_rows, "num_samples": entry.figures.num_samples}


def _read(folder: Path) -> tuple[Entry, SampleLengths]:
    return read_entry(folder), SampleLengths.of(folder)


if __name__ == "__main__":
    answer(measure, _MEMORY_BYTES)
