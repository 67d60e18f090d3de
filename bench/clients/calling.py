"""What the clients under test share: their command line, and the line that says they run."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Options:
    url: str
    connections: int
    in_flight: int
    text: bool
    payload: str | bytes
    """What is sent first, `in_flight` times on each connection; then what came back."""

    @property
    def data(self) -> bytes:
        """The payload as bytes, whichever type of message carries it."""
        return self.payload.encode() if isinstance(self.payload, str) else self.payload


def read_options() -> Options:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--in-flight", type=int, default=1)
    parser.add_argument("--size", type=int, default=64, help="bytes of payload")
    parser.add_argument("--text", action="store_true")
    given = parser.parse_args()
    data = bytes(ord("A") + i % 26 for i in range(given.size))
    return Options(
        url=f"ws://127.0.0.1:{given.port}/",
        connections=given.connections,
        in_flight=given.in_flight,
        text=given.text,
        payload=data.decode() if given.text else data,
    )


def announce() -> None:
    """All connections are open and the exchange has begun."""
    print("RUNNING", flush=True)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run ``main()`` on uvloop until the process is terminated."""
    import uvloop

    uvloop.run(main())
