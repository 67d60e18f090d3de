"""What the Python servers share: a listening socket, the line that says so, a loop to run on."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

BACKLOG = 4096  # ten thousand connections are opened as fast as the server accepts them


def listening_socket() -> socket.socket:
    """
    Listen on a free port of 127.0.0.1 and announce it as ``LISTENING <port>``.

    Connections queue in the kernel from here on, so the runner may connect before the server runs.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    sock.listen(BACKLOG)
    sock.setblocking(False)
    print("LISTENING", sock.getsockname()[1], flush=True)
    return sock


def run(main: Callable[[], Coroutine[Any, Any, None]], loop: str = "uvloop") -> None:
    """Run ``main()`` on uvloop or on stock asyncio until the process is terminated."""
    if loop == "uvloop":
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())


def forever() -> Awaitable[object]:
    """What a server awaits once it has been started."""
    return asyncio.get_running_loop().create_future()


def loop_argument() -> str:
    """The loop named on the command line: own, uvloop or asyncio."""
    return sys.argv[1] if len(sys.argv) > 1 else "uvloop"
