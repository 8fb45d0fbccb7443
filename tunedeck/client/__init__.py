"""The REST client: typed calls, errors of errors.py, and an event stream that reconnects by itself.

    rest.py     Client: one method per call of docs/architecture.md
    faults.py   from an HTTP answer, or none, to an error of errors.py
    stream.py   server-sent events with Last-Event-ID
    connect.py  where the service is and which token it wants

It is synchronous: its users are scripts, notebooks and the command line. It reads no environment; see connect.py.
"""

from tunedeck.client.connect import connect
from tunedeck.client.rest import Client
from tunedeck.client.stream import StreamMessage

__all__ = ["Client", "StreamMessage", "connect"]
