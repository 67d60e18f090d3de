"""
Raw clients in the soak run: ``clients_raw.py PORT RECOVERING_PORT SECONDS``.

WebSockets that are echoed and then left in every way there is, and sessions that are begun and left
alone. Each kind has a thread.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.protocol import oracle
from tests.rawclient import RawClient, message_frame
from tests.soak.checker import Report

# Between two lives of a kind, in seconds.
PAUSE = 0.05
LOST = (ConnectionError, EOFError, TimeoutError)


class Fleet:
    """The connections that are left open, and what is reported."""

    def __init__(self, port: int) -> None:
        self.address = ("127.0.0.1", port)
        self.report = Report()
        self.lock = threading.Lock()

    def count(self, kind: str, what: str, many: int = 1) -> None:
        """It happened, in any thread."""
        with self.lock:
            self.report.count(kind, what, many)

    def echo(self, leave: str) -> None:
        """Messages come back in order; then the connection ends in some way."""
        kind = f"raw, {leave}"
        with RawClient(self.address) as client:
            client.upgrade("/raw")
            self.count(kind, "connections")
            for _ in range(random.randint(1, 10)):
                messages = [self.message(number) for number in range(random.randint(1, 30))]
                client.send(b"".join(message_frame(message) for message in messages))
                for message in messages:
                    if self.next_message(client) != message:
                        self.report.fail(kind, "a message came back otherwise")
                self.count(kind, "events", len(messages))
            if leave == "handshake":
                client.send_close(1000)
                while client.receive().opcode != oracle.CLOSE:
                    pass
            elif leave == "reset":
                client.vanish()
            elif leave == "reset under way":
                client.send(message_frame("x" * 100_000) * 5)
                client.vanish()

    def next_message(self, client: RawClient) -> str | bytes:
        """The next message; pings are answered."""
        while True:
            got = client.receive()
            if got.opcode == oracle.PING:
                client.frame(oracle.PONG, got.payload)
            elif got.opcode == oracle.CLOSE:
                raise EOFError("closed")
            else:
                return got.payload.decode() if got.opcode == oracle.TEXT else got.payload

    def message(self, number: int) -> str | bytes:
        """Of any kind and size."""
        size = random.choice((0, 10, 125, 126, 3000, 70_000))
        return f"{number} {'é' * size}" if number % 2 else bytes([number]) * size

    def deaf(self) -> None:
        """A WebSocket that reads nothing and answers no ping, until it is cut off."""
        with RawClient(self.address, receive_buffer=4096) as client:
            client.upgrade("/raw")
            self.count("raw, deaf", "connections")
            time.sleep(3)
            client.rest()

    def begun(self) -> None:
        """Polling sessions that nobody polls, requests that are never finished."""
        with RawClient(self.address) as client:
            for _ in range(10):
                client.request("/socket.io/?EIO=4&transport=polling")
                client.answer()
                self.count("raw, sessions left alone", "connections")
            client.send(b"POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n")
            time.sleep(0.5)

    def run(self, life: Callable[..., None], *args: Any, until: float) -> None:
        """One life after another."""
        while time.monotonic() < until:
            try:
                life(*args)
            except LOST:
                self.count("raw", "drops")
            time.sleep(PAUSE * random.random())


def main(port: str, recovering: str, seconds: str) -> None:
    """Run clients of every kind, and report."""
    fleet = Fleet(int(port))
    until = time.monotonic() + float(seconds)
    lives: list[tuple[Any, ...]] = [
        (fleet.echo, leave) for leave in ("handshake", "close", "reset", "reset under way")
    ]
    lives += [(fleet.deaf,), (fleet.begun,)]
    threads = [
        threading.Thread(target=fleet.run, args=life, kwargs={"until": until}) for life in lives
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fleet.report.show()


if __name__ == "__main__":
    main(*sys.argv[1:])
