"""`python -m worker.hub_download`: a data set of the Hugging Face hub, written to a Parquet file.

In a process of its own: `datasets` brings pandas, multiprocessing and a cache of its own, none of which belongs into a
service. Rows are streamed, so that neither memory nor a second copy in a cache grows with the data set. Code of a
repository is never run.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from tunedeck.child_process import Progress, answer
from tunedeck.errors import DatasetInvalid, DiskFull, TooLarge, Unavailable

_MEMORY_BYTES: Final = 4 << 30
_ROWS_AT_ONCE: Final = 2_000
# Each of them tries for half a minute; by itself `datasets` would go on for ten minutes where nothing comes any more.
_NUM_RETRIES: Final = 4


def download(request: dict[str, Any], progress: Progress) -> str:
    """The path of the Parquet file that was asked for, which is there only when it is whole; until then it is the file
    `unfinished`. Raises Unavailable where the hub does not answer, DatasetInvalid where it has no such data set."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    file, unfinished = Path(request["file"]), Path(request["unfinished"])
    try:
        _write(_stream(request), unfinished, request["max_bytes"], progress)
    except (DatasetInvalid, DiskFull, TooLarge, Unavailable, MemoryError, ModuleNotFoundError):
        unfinished.unlink(missing_ok=True)
        raise
    except Exception as fault:  # what `datasets` raises is of a dozen libraries
        unfinished.unlink(missing_ok=True)
        raise _translated(request, fault) from fault
    unfinished.replace(file)
    return str(file)


def _stream(request: dict[str, Any]) -> Any:
    from datasets import config, load_dataset

    config.STREAMING_READ_MAX_RETRIES = _NUM_RETRIES
    return load_dataset(
        request["id"],
        request["config"] or None,
        split=request["split"],
        revision=request["revision"] or None,
        streaming=True,
    )


def _write(rows: Any, file: Path, max_bytes: int, progress: Progress) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer, num_rows, total = None, 0, _num_rows(rows)
    try:
        for table in rows.with_format("arrow").iter(batch_size=_ROWS_AT_ONCE):
            writer = writer or pq.ParquetWriter(file, table.schema)
            writer.write_table(pa.table(table).cast(writer.schema))
            num_rows += table.num_rows
            progress(num_rows, total)
            if file.stat().st_size > max_bytes:
                raise TooLarge(f"more than {max_bytes:,} bytes come from the hub", "raise TUNEDECK_MAX_UPLOAD_BYTES")
    finally:
        if writer is not None:
            writer.close()
    if num_rows == 0:
        raise DatasetInvalid.at("hub", file.stem, "this split of the data set holds no rows", "choose another split")


def _num_rows(rows: Any) -> int:
    """What the hub says of the whole split, 0 where it says nothing."""
    split = (rows.info.splits or {}).get(str(rows.split))
    return split.num_examples or 0 if split else 0


def _translated(request: dict[str, Any], fault: Exception) -> DatasetInvalid | Unavailable:
    """By name, because importing the classes would tie us to the versions of five libraries."""
    named = request["id"]
    chain = _names(fault)
    if "RevisionNotFoundError" in chain:
        message = f"{named!r} has no revision {request['revision']!r}"
        return DatasetInvalid.at("hub", named, message, "name a branch, a tag or a commit of it, or leave it out")
    if chain & {"DatasetNotFoundError", "RepositoryNotFoundError", "GatedRepoError"}:
        message = f"the hub has no data set {named!r} that this machine may read"
        return DatasetInvalid.at("hub", named, message, "correct its id, or log in with `hf auth login` on the server")
    if chain & {"TransportError", "ConnectionError", "OfflineModeIsEnabled", "LocalEntryNotFoundError"}:
        return Unavailable(
            f"{named!r} cannot be fetched: the Hugging Face hub cannot be reached from the server",
            "download it elsewhere and upload the file",
        )
    words = str(fault).splitlines()[0][:300] if str(fault) else type(fault).__name__
    return DatasetInvalid.at("hub", named, f"{named!r} cannot be read: {words}", "choose another config or split")


def _names(fault: BaseException | None) -> set[str]:
    names: set[str] = set()
    while fault is not None:
        names |= {kind.__name__ for kind in type(fault).__mro__}
        fault = fault.__cause__ or fault.__context__
    return names


if __name__ == "__main__":
    answer(download, _MEMORY_BYTES)
