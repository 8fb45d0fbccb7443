"""`tunedeck queue` and `tunedeck hosts`: who waits for what, and what there is."""

from __future__ import annotations

from typing import Annotated

import typer

from tunedeck.cli.options import DataDirOption, JsonOption, TokenOption, UrlOption, open_client, print_json

hosts = typer.Typer(help="The machines that train.", no_args_is_help=True)
HostArgument = Annotated[str, typer.Argument(help="The name of the host, as `tunedeck hosts ls` shows it.")]


def show_queue(
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many, the next one first.")] = 50,
    as_json: JsonOption = False,
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """List the jobs that wait for devices, in their order, and why each waits."""
    from tunedeck.cli.render_hosts import print_queue

    with open_client(url, token, data_dir) as client:
        queue = client.queue(limit)
    if as_json:
        typer.echo(queue.model_dump_json(indent=2))
        return
    print_queue(queue)


@hosts.command("ls")
def list_hosts(
    as_json: JsonOption = False, url: UrlOption = "", token: TokenOption = "", data_dir: DataDirOption = None
) -> None:
    """List the hosts, what runs on them, and which devices are set aside."""
    from tunedeck.cli.render_hosts import print_hosts

    with open_client(url, token, data_dir) as client:
        found = client.hosts()
    if as_json:
        print_json(found)
        return
    print_hosts(found)


@hosts.command()
def drain(
    host: HostArgument,
    why: Annotated[str, typer.Option(help="Shown beside the host.")] = "",
    pause: Annotated[
        bool, typer.Option("--pause", help="What runs there writes a checkpoint and goes back to the queue.")
    ] = False,
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Place nothing new on a host."""
    with open_client(url, token, data_dir) as client:
        view = client.drain(host, why=why, pause=pause)
    left = ", ".join(each.name for each in view.held)
    typer.echo(f"{host} is drained; {left + ' still there' if left else 'nothing runs there'}")


@hosts.command()
def undrain(host: HostArgument, url: UrlOption = "", token: TokenOption = "", data_dir: DataDirOption = None) -> None:
    """Place on a host again."""
    with open_client(url, token, data_dir) as client:
        view = client.undrain(host)
    typer.echo(f"{host} takes jobs again: {view.num_free} free")


@hosts.command()
def release(
    host: HostArgument,
    index: Annotated[int, typer.Argument(min=0, help="The device, as `tunedeck hosts ls` shows it.")],
    url: UrlOption = "",
    token: TokenOption = "",
    data_dir: DataDirOption = None,
) -> None:
    """Place on a device again that was set aside after an error."""
    with open_client(url, token, data_dir) as client:
        view = client.release_device(host, index)
    typer.echo(f"device {index} of {host} is released: {view.num_free} free")
