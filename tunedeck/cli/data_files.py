"""`tunedeck data inspect` and `convert`: what can be done with a file without a service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from tunedeck.cli.options import JsonOption

if TYPE_CHECKING:
    from tunedeck.conversations import Conversation, Reading

_EXTRA = ("pyarrow", "orjson", "tokenizers", "jinja2")

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="JSON, JSONL, CSV, Parquet or Arrow; also gzip and zstd.")
]
ShapeOption = Annotated[
    str, typer.Option("--shape", help="messages, sharegpt, alpaca or prompt_completion; else the first row tells.")
]
ColumnOption = Annotated[
    list[str] | None, typer.Option("--column", help="Where the file has another name: messages=chat. May repeat.")
]
RoleOption = Annotated[
    list[str] | None, typer.Option("--role", help="What a role of the file's own stands for: client=user. May repeat.")
]
PolicyOption = Annotated[
    list[str] | None,
    typer.Option("--policy", help="Keep, drop, truncate or fail a kind of fault: duplicate=drop. May repeat."),
]


def inspect(
    file: FileArgument,
    shape: ShapeOption = "",
    column: ColumnOption = None,
    role: RoleOption = None,
    policy: PolicyOption = None,
    max_chars: Annotated[int | None, typer.Option(help="Characters above which a conversation is overlong.")] = None,
    model: Annotated[Path | None, typer.Option(help="A model folder: lengths in tokens too.")] = None,
    loss_mask_type: Annotated[str, typer.Option(help="With --model: how conversations are written.")] = "qwen",
    max_tokens: Annotated[int | None, typer.Option(help="With --model: tokens above which it is overlong.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check every row of a file: its shape, each kind of fault with row numbers, lengths.

    Exit code 1 where the file would be refused as a data set.
    """
    from tunedeck.errors import BadInput

    if max_tokens is not None and model is None:
        raise BadInput.at("--max-tokens", max_tokens, "nobody counts tokens without a model", "give --model too")
    reading = reading_of(shape, column, role, policy, max_chars=max_chars, max_tokens=max_tokens)
    with needs_the_data_extra():
        from tunedeck.conversations.scan import inspect as inspect_file

        report = inspect_file(file, reading, num_tokens=_token_counter(model, loss_mask_type))
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
    else:
        from tunedeck.cli.render_report import print_report

        print_report(file, report)
    if report.refused or report.num_trainable_rows == 0:
        raise typer.Exit(1)


def convert(
    file: FileArgument,
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="The Parquet file to write.")],
    shape: ShapeOption = "",
    column: ColumnOption = None,
    role: RoleOption = None,
) -> None:
    """Write a file of any shape and format as Parquet with a `messages` column, every row of it."""
    reading = reading_of(shape, column, role, None)
    with needs_the_data_extra():
        from tunedeck.conversations.convert import convert as convert_file

        done = convert_file(file, target, reading)
    typer.echo(f"{target}: {done.num_rows:,} conversations from {done.shape}, {done.size_bytes:,} bytes")


def _token_counter(model: Path | None, loss_mask_type: str) -> Callable[[Conversation], int] | None:
    if model is None:
        return None
    from tunedeck.errors import BadInput
    from tunedeck.spec import LossMaskType
    from tunedeck.tokens.count import token_counter

    for kind in get_args(LossMaskType):
        if kind == loss_mask_type:
            return token_counter(model, kind)
    known = ", ".join(get_args(LossMaskType))
    raise BadInput.at("--loss-mask-type", loss_mask_type, f"there is no {loss_mask_type!r}", f"use one of {known}")


@contextmanager
def needs_the_data_extra() -> Iterator[None]:
    """Says what to install where only the base is."""
    from tunedeck.errors import Unavailable

    try:
        yield
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] in _EXTRA:
            mend = 'pip install "tunedeck[data]" (part of tunedeck[server] and tunedeck[worker])'
            raise Unavailable(f"to read data sets, {error.name} must be installed", mend) from error
        raise


def reading_of(
    shape: str, column: list[str] | None, role: list[str] | None, policy: list[str] | None, **bounds: int | None
) -> Reading:
    """The options as a Reading. Raises BadInput that names the option at fault."""
    from pydantic import ValidationError

    from tunedeck.conversations import Reading
    from tunedeck.errors import BadInput, Problem

    asked: dict[str, Any] = {
        "columns": _pairs("--column", column),
        "roles": _pairs("--role", role),
        "policy": _pairs("--policy", policy),
    }
    if shape:
        asked["shape"] = shape
    asked |= {name: bound for name, bound in bounds.items() if bound is not None}
    try:
        return Reading.model_validate(asked)
    except ValidationError as error:
        problems = tuple(
            Problem(".".join(map(str, fault["loc"])), fault["input"], fault["msg"], "") for fault in error.errors()
        )
        raise BadInput("an option is wrong", "see tunedeck data inspect --help and docs/data.md", problems) from None


def _pairs(option: str, given: list[str] | None) -> dict[str, str]:
    from tunedeck.errors import BadInput

    pairs = {}
    for text in given or []:
        name, separator, value = text.partition("=")
        if not separator:
            raise BadInput.at(option, text, f"{text!r} is no pair", f"write {option} NAME=VALUE")
        pairs[name] = value
    return pairs
