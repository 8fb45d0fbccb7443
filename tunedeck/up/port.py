"""The port that the backend will listen on, found out before it starts: a port in use is then one clear sentence.

The port is free again until the backend binds it, so another program may still take it; the backend then fails, and
its log says why. Handing over the open socket was rejected: a backend that is restarted could not bind it anew.
"""

from __future__ import annotations

import errno
import socket

from tunedeck.errors import BadInput, Conflict


def free_port(host: str, port: int) -> int:
    """`port`, or a free one for 0. Raise Conflict if it is in use, BadInput if this machine cannot listen there."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            return int(listener.getsockname()[1])
    except OSError as error:
        raise _refusal(host, port, error) from None


def _refusal(host: str, port: int, error: OSError) -> Conflict | BadInput:
    if error.errno == errno.EADDRINUSE:
        return Conflict(
            f"port {port} of {host} is in use by another program",
            "end that program, or choose another port with --port (0: any free one)",
        )
    if error.errno == errno.EACCES:
        return BadInput.at("port", port, f"port {port} needs more rights than you have", "choose one above 1023")
    mend = "use an address of this machine, such as 127.0.0.1"
    return BadInput.at("host", host, f"cannot listen on {host}: {error.strerror}", mend)


def base_url(host: str, port: int) -> str:
    """Where a browser on this machine finds it; an address that means "all" is no place to go to."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, host)
    if ":" in reachable and not reachable.startswith("["):
        reachable = f"[{reachable}]"
    return f"http://{reachable}:{port}"
