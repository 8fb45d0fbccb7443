"""`python -m worker.launchers.meeting_point ADDRESS`: where torchrun and the ranks of several hosts find each other.

One key-value store for both, which listens at ADDRESS only; what is printed is HOST:PORT. The ones that torchrun and
torch open by themselves listen on every interface of the host. This one asks for no login either, and torchrun
unpickles what it finds there: the network between the hosts has to be a private one, as Ray demands of it already.

It ends with its standard input.
"""

from __future__ import annotations

import os
import socket
import sys

import torch.distributed as dist

_BACKLOG = 1024


def main(address: str) -> None:
    family, *_ = socket.getaddrinfo(address, None)[0]
    with socket.socket(family) as listening:
        listening.bind((address, 0))
        listening.listen(_BACKLOG)
        port = listening.getsockname()[1]
        store = dist.TCPStore(  # type: ignore[attr-defined]
            address, port, None, True, wait_for_workers=False, master_listen_fd=listening.detach()
        )
    print(f"{address}:{port}", flush=True)
    while os.read(0, 1):
        pass
    del store


if __name__ == "__main__":
    main(sys.argv[1])
