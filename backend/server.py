"""uvicorn, set up for one backend process. One on purpose: the threads and the listeners of the stream live in it."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI

from backend.app import create_app
from tunedeck.settings import Settings

_GRACE_S = 3


class Server(uvicorn.Server):
    """Ends the streams before uvicorn waits for open connections: it would wait for them until the grace ran out."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app = self.config.app
        if isinstance(app, FastAPI) and hasattr(app.state, "services"):
            app.state.services.background.hub.close()
        await super().shutdown(sockets)


def server_of(settings: Settings) -> Server:
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        # Not "auto": without uvloop uvicorn never sets TCP_NODELAY, and every answer takes 44 ms instead of 0.2.
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        server_header=False,
        log_config=None,
        timeout_graceful_shutdown=_GRACE_S,
    )
    return Server(config)
