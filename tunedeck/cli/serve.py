"""`tunedeck up` and `tunedeck demo`: the commands that serve until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tunedeck.cli.options import DataDirOption, load_settings

if TYPE_CHECKING:
    from tunedeck.up.serve import Service

HostOption = Annotated[str | None, typer.Option(help="Address to listen on; else TUNEDECK_HOST, else 127.0.0.1.")]
BusListenOption = Annotated[
    str | None,
    typer.Option("--bus-listen", metavar="ADDRESS:PORT", help="Let workers of other hosts join at this address."),
]
PortOption = Annotated[int | None, typer.Option(help="Port; 0: any free one. Else TUNEDECK_PORT, else 8500.")]

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="postgresql+psycopg://USER@HOST/NAME; else TUNEDECK_DATABASE_URL (which a list of processes does not "
        "show), else SQLite in the data folder.",
    ),
]


def up(
    data_dir: DataDirOption = None,
    host: HostOption = None,
    port: PortOption = None,
    database: DatabaseOption = None,
    bus_listen: BusListenOption = None,
) -> None:
    """Serve: run the bus, the backend and a worker on this machine until Ctrl-C."""
    from tunedeck.up.serve import serve

    settings = load_settings(data_dir=data_dir, host=host, port=port, database_url=database, bus_listen=bus_listen)
    asyncio.run(serve(settings, typer.echo, _announce_and_wait))


async def _announce_and_wait(service: Service) -> None:
    _announce(service, "")
    await asyncio.Event().wait()


def _announce(service: Service, next_path: str) -> None:
    typer.echo(f"Tunedeck serves at {service.url}; data and logs are in {service.settings.data_dir}. Ctrl-C ends it.")
    typer.echo(f"Log in: {service.login_link(next_path)}")
    if service.join_url:
        typer.echo(f"Further hosts, which must see {service.settings.data_dir} at the same path, join with:")
        typer.echo(f"    tunedeck worker --join {service.join_url}")


def worker(
    join: Annotated[
        str,
        typer.Option(envvar="TUNEDECK_REDIS_URL", help="The bus of the service, redis://:PASSWORD@HOST:PORT/0."),
    ],
    name: Annotated[str | None, typer.Option(help="Name of this host; else TUNEDECK_HOST_NAME, else its own.")] = None,
    engine_module: Annotated[str, typer.Option(hidden=True)] = "worker.engine",
) -> None:
    """Train for a service on another host, until Ctrl-C. Both hosts must see its data folder at the same path."""
    from importlib.util import find_spec

    from tunedeck.errors import Unavailable

    if find_spec("celery") is None or find_spec("torch") is None:
        raise Unavailable("the training stack is not installed", "pip install 'tunedeck[worker]'")
    settings = load_settings(redis_url=join, host_name=name)
    # Not a child: what started this command shall see how the worker ends, and reach it with its signals.
    command = [sys.executable, "-m", "worker", "--join", "--engine-module", engine_module]
    os.execve(sys.executable, command, {**os.environ, **settings.as_env()})


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End with the job; last line JSON; exit 0 if it learnt.")
    ] = False,
    data_dir: DataDirOption = None,
    host: HostOption = None,
    port: PortOption = None,
) -> None:
    """Serve, and train a small model on a task whose success can be scored: about two minutes on two cores."""
    from tunedeck.cli.demo import DemoShow
    from tunedeck.up.serve import serve

    settings = load_settings(data_dir=data_dir, host=host, port=port)
    show = DemoShow(once=once, announce=_announce)
    numbers = asyncio.run(serve(settings, typer.echo, show.run))
    if not once:
        return
    if numbers is None:
        typer.echo("ended before the demo was done", err=True)
        raise typer.Exit(1)
    typer.echo(numbers.model_dump_json())
    if numbers.goals_missed:
        raise typer.Exit(1)
