"""`tunedeck cancel`, `pause`, `resume`, `retry`, `hold`, `release`, `reprioritise`, `archive`, `unarchive` and `tag`:
each for one job or for many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tunedeck.cli.options import DataDirOption, TokenOption, UrlOption, open_client

if TYPE_CHECKING:
    from pathlib import Path

    from tunedeck.actions import Action

JobsArgument = Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of jobs, as `tunedeck ls` shows them.")]


def cancel(
    job_ids: JobsArgument,
    checkpoint: Annotated[
        bool, typer.Option(help="Write a last checkpoint; without it, the processes end at once.")
    ] = True,
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """End jobs, each with a last checkpoint."""
    from tunedeck.actions import Cancel

    _act(job_ids, Cancel(checkpoint=checkpoint), url, token, data_dir)


def pause(job_ids: JobsArgument, url: UrlOption = "", token: TokenOption = "", data_dir: DataDirOption = None) -> None:
    """Have jobs write a checkpoint and give their devices back, until they are resumed."""
    from tunedeck.actions import Pause

    _act(job_ids, Pause(), url, token, data_dir)


def resume(job_ids: JobsArgument, url: UrlOption = "", token: TokenOption = "", data_dir: DataDirOption = None) -> None:
    """Let paused jobs go on from their checkpoints."""
    from tunedeck.actions import Resume

    _act(job_ids, Resume(), url, token, data_dir)


def retry(
    job_ids: JobsArgument,
    step: Annotated[
        int | None, typer.Option(help="Step of the checkpoint to go on from; 0: the beginning. Else the last one.")
    ] = None,
    attempt: Annotated[int | None, typer.Option(help="The attempt whose checkpoint of that step is meant.")] = None,
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Try jobs again that failed, were cancelled or are paused."""
    from tunedeck.actions import Retry

    _act(job_ids, Retry(step=step, attempt=attempt), url, token, data_dir)


def hold(job_ids: JobsArgument, url: UrlOption = "", token: TokenOption = "", data_dir: DataDirOption = None) -> None:
    """Keep queued jobs out of the queue."""
    from tunedeck.actions import Hold

    _act(job_ids, Hold(), url, token, data_dir)


def release(
    job_ids: JobsArgument, url: UrlOption = "", token: TokenOption = "", data_dir: DataDirOption = None
) -> None:
    """Let held jobs and drafts into the queue."""
    from tunedeck.actions import Release

    _act(job_ids, Release(), url, token, data_dir)


def reprioritise(
    job_ids: JobsArgument,
    to: Annotated[int, typer.Option(min=-1000, max=1000, help="The new priority: higher ones are placed first.")],
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Change the priority of jobs."""
    from tunedeck.actions import Reprioritise

    _act(job_ids, Reprioritise(priority=to), url, token, data_dir)


def archive(
    job_ids: JobsArgument, url: UrlOption = "", token: TokenOption = "", data_dir: DataDirOption = None
) -> None:
    """Leave jobs that have ended, and drafts, out of lists."""
    from tunedeck.actions import Archive

    _act(job_ids, Archive(), url, token, data_dir)


def unarchive(
    job_ids: JobsArgument, url: UrlOption = "", token: TokenOption = "", data_dir: DataDirOption = None
) -> None:
    """Take jobs out of the archive."""
    from tunedeck.actions import Unarchive

    _act(job_ids, Unarchive(), url, token, data_dir)


def tag(
    job_ids: JobsArgument,
    add: Annotated[list[str] | None, typer.Option(help="A tag to add; may repeat.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="A tag to take away; may repeat.")] = None,
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Add tags to jobs and take others away."""
    from tunedeck.actions import Tag
    from tunedeck.cli.refusing import refusing

    with refusing("a tag", "letters, digits and . : / = + - _, up to 40 of them"):
        action = Tag(add=tuple(add or ()), remove=tuple(remove or ()))
    _act(job_ids, action, url, token, data_dir)


def _act(job_ids: list[str], action: Action, url: str, token: str, data_dir: Path | None) -> None:
    """A line a job; exit code 1 if any was refused."""
    from tunedeck.cli.faults import print_fault
    from tunedeck.errors import error_of

    with open_client(url, token, data_dir) as client:
        results = client.act_on(job_ids, action)
    for result in results:
        if result.error is None:
            typer.echo(f"{result.job_id} is {result.state}")
        else:
            print_fault(error_of(result.error))
    if any(result.error for result in results):
        raise typer.Exit(1)
