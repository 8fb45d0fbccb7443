"""`tunedeck data tokens`: which tokens of one row are trained, and how they differ from the template's own writing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunedeck.cli.data_files import (
    ColumnOption,
    FileArgument,
    RoleOption,
    ShapeOption,
    needs_the_data_extra,
    reading_of,
)
from tunedeck.cli.options import DataDirOption, JsonOption, TokenOption, UrlOption, open_client

if TYPE_CHECKING:
    from tunedeck.conversations import Conversation, Reading
    from tunedeck.tokens import Token, TokenView


def tokens(
    file: FileArgument,
    row: Annotated[int, typer.Option(min=1, help="Number of the row, counted from 1 as `inspect` counts.")],
    model: Annotated[str, typer.Option(help="A model folder, or the name of a model of the service.")],
    loss_mask_type: Annotated[str, typer.Option(help="qwen, qwen3, qwen3_5 or distill_qwen.")] = "qwen",
    shape: ShapeOption = "",
    column: ColumnOption = None,
    role: RoleOption = None,
    as_json: JsonOption = False,
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Show one row of a file token by token: what is trained and what is not.

    With --json a list of objects: id, text, trained, weight where it is not 1, and differs where the template alone
    would not write the token.
    """
    reading = reading_of(shape, column, role, None)
    with needs_the_data_extra():
        conversation = _row(file, row, reading)
    view = _view(conversation, _folder(model, url, token, data_dir), loss_mask_type)
    if as_json:
        import json

        typer.echo(json.dumps([each.model_dump() for each in view.tokens], ensure_ascii=False, indent=1))
        return
    _print(view)


def _row(file: Path, row: int, reading: Reading) -> Conversation:
    from tunedeck.conversations.scan import read_conversations
    from tunedeck.errors import BadInput

    found = next(islice(read_conversations(file, reading), row - 1, None), None)
    if found is None:
        raise BadInput.at("--row", row, f"{file.name} has fewer than {row} rows", "see tunedeck data inspect")
    conversation = found[1]
    if conversation is None:
        what = f"row {row} of {file.name} is not trained"
        raise BadInput.at("--row", row, what, "tunedeck data inspect tells why, and names the rows that are")
    return conversation


def _folder(model: str, url: str, token: str, data_dir: Path | None) -> Path:
    folder = Path(model)
    if folder.is_dir():
        return folder
    with open_client(url, token, data_dir) as client:
        return Path(client.model(model).path)


def _view(conversation: Conversation, folder: Path, loss_mask_type: str) -> TokenView:
    from typing import get_args

    from tunedeck.errors import BadInput, Unavailable
    from tunedeck.spec import LossMaskType

    if loss_mask_type not in get_args(LossMaskType):
        known = ", ".join(get_args(LossMaskType))
        raise BadInput.at("--loss-mask-type", loss_mask_type, f"no loss mask {loss_mask_type!r}", f"use one of {known}")
    try:
        from tunedeck.tokens import ChatTokenizer, token_view
    except ModuleNotFoundError as error:
        mend = 'pip install "tunedeck[data]" (part of tunedeck[server] and tunedeck[worker])'
        raise Unavailable(f"to make tokens, {error.name} must be installed", mend) from error
    return token_view(conversation, ChatTokenizer.load(folder), loss_mask_type)  # type: ignore[arg-type]


def _print(view: TokenView) -> None:
    """Trained tokens green; in a pipe they stand in brackets."""
    from rich.console import Console
    from rich.text import Text

    from tunedeck.cli.render import console

    out: Console = console()
    text = Text()
    for run, trained in _runs(view.tokens):
        shown = run if out.is_terminal or not trained else f"⟦{run}⟧"
        text.append(shown, style="green" if trained else "")
    out.print(text)
    out.print(f"{len(view.tokens)} tokens, {view.num_trained_tokens} of them trained")
    out.print(_compared(view))


def _runs(tokens: Sequence[Token]) -> list[tuple[str, bool]]:
    runs: list[tuple[str, bool]] = []
    for token in tokens:
        if runs and runs[-1][1] == token.trained:
            runs[-1] = (runs[-1][0] + token.text, token.trained)
        else:
            runs.append((token.text, token.trained))
    return runs


def _compared(view: TokenView) -> str:
    if view.template_fault:
        return f"the chat template refuses the conversation as a whole: {view.template_fault}"
    if view.equals_template:
        return "the chat template writes the conversation with the same tokens"
    only_here = "".join(token.text for token in view.tokens if token.differs)
    only_there = "".join(token.text for token in view.template_tokens if token.differs)
    return f"only trained so: {only_here!r}\nonly in the chat template: {only_there!r}"
