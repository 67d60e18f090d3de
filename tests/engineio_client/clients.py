"""Engine.IO clients that tell the test what they see."""

from __future__ import annotations

from typing import Any

from tests.drivers import Driver
from tests.websocket.serving import Inbox

from cooee.engineio import Client, ClientReceiver


class Recorder(ClientReceiver):
    """Puts everything down, each as a tuple that begins with what it is."""

    def __init__(self) -> None:
        self.events: Inbox[tuple[Any, ...]] = Inbox()

    def opened(self) -> None:
        self.events.put(("opened",))

    def received(self, data: str | bytes, skip: int) -> None:
        self.events.put(("received", data[skip:]))

    def upgraded(self, transport: str) -> None:
        self.events.put(("upgraded", transport))

    def upgrade_failed(self, exc: Exception) -> None:
        self.events.put(("upgrade_failed", exc))

    def closed(self, reason: str, description: Exception | None) -> None:
        self.events.put(("closed", reason, description))


class Clients:
    """Makes clients on a driver."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.clients: list[Client] = []

    def connect(self, port: int, **options: Any) -> tuple[Client, Inbox[tuple[Any, ...]]]:
        """A client, and its events."""
        recorder = Recorder()
        client = self.driver.call(lambda: Client(f"http://127.0.0.1:{port}", recorder, **options))
        self.clients.append(client)
        return client, recorder.events

    def close(self) -> None:
        """Close them all, and wait until nothing is left."""
        for client in self.clients:
            self.driver.call(client.close)
        for client in self.clients:
            self.driver.until(lambda one=client: one.wait_gone().done)
