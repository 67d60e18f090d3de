"""Listeners of a WebSocket: order, place, once, removal, coroutines, exceptions (WHATWG DOM)."""

import asyncio
import enum
import functools
from typing import Any

import pytest
from tests.drivers import Driver
from tests.rawserver import RawServer, server_message
from tests.websocket.browsing import Browse, Opened
from tests.websocket.serving import Inbox

from cooee import MessageEvent, WebSocket

one_driver = pytest.mark.parametrize("driver", ["asyncio"], indirect=True)


class Log(list[str]):
    """Makes listeners that write their name down."""

    def listener(self, name: str) -> Any:
        return lambda event: self.append(name)


@pytest.fixture
def log() -> Log:
    return Log()


@one_driver
def test_listeners_are_called_in_order(opened: Opened, log: Log) -> None:
    page, peer = opened()

    def add() -> None:
        page.ws.onmessage = None
        for name in "abc":
            page.ws.add_event_listener("message", log.listener(name))
        page.ws.add_event_listener("message", page.received)

    page.call(add)
    peer.send_message("x")
    assert page.take() == ("message", "x")
    assert log == ["a", "b", "c"]


class Name(enum.StrEnum):
    MESSAGE = "message"


@one_driver
def test_types_may_be_members_of_an_enumeration(opened: Opened, log: Log) -> None:
    page, peer = opened()
    first = log.listener("first")

    def add() -> None:
        page.ws.onmessage = None
        page.ws.add_event_listener(Name.MESSAGE, first)
        page.ws.add_event_listener(Name.MESSAGE, log.listener("second"))
        page.ws.add_event_listener("message", page.received)
        page.ws.remove_event_listener(Name.MESSAGE, first)
        with pytest.raises(TypeError, match="type is None, must be a str"):
            page.ws.add_event_listener(None, first)  # type: ignore[call-overload]

    page.call(add)
    peer.send_message("x")
    assert page.take() == ("message", "x")
    assert log == ["second"]


@one_driver
def test_listener_is_added_once(opened: Opened, log: Log) -> None:
    page, peer = opened()
    first = log.listener("first")

    def add() -> None:
        ws = page.ws
        ws.onmessage = None
        ws.add_event_listener("message", first)
        ws.add_event_listener("message", log.listener("second"))
        # Not again, nor for once.
        ws.add_event_listener("message", first)
        ws.add_event_listener("message", first, once=True)
        # Bound methods are the same listener, though each is a new object.
        ws.add_event_listener("message", page.received)
        ws.add_event_listener("message", page.received)

    page.call(add)
    for _ in range(2):
        peer.send_message("x")
        assert page.take() == ("message", "x")
    assert log == ["first", "second"] * 2
    assert page.events.empty()


@one_driver
def test_same_listener_of_two_types(opened: Opened) -> None:
    page, peer = opened()
    kinds: Inbox[str] = Inbox()

    def listener(event: Any) -> None:
        kinds.put(event.type)

    def add() -> None:
        for kind in ("message", "close", "error", "anything"):
            page.ws.add_event_listener(kind, listener)
        page.ws.remove_event_listener("error", listener)

    page.call(add)
    peer.send_message("x")
    # Without a closing handshake, which is an error.
    peer.close()
    assert [kinds.take() for _ in range(2)] == ["message", "close"]


@one_driver
def test_handler_and_listener_may_be_the_same_function(opened: Opened) -> None:
    page, peer = opened()
    page.call(lambda: page.ws.add_event_listener("message", page.received))
    peer.send_message("x")
    assert page.take() == page.take() == ("message", "x")
    # Neither is removed with the other.
    page.call(lambda: page.ws.remove_event_listener("message", page.received))
    peer.send_message("y")
    assert page.take() == ("message", "y")

    def swap() -> None:
        page.ws.add_event_listener("message", page.received)
        page.ws.onmessage = None

    page.call(swap)
    peer.send_message("z")
    assert page.take() == ("message", "z")
    assert page.events.empty()


@one_driver
def test_place_of_a_handler_is_where_it_was_first_set(opened: Opened, log: Log) -> None:
    page, peer = opened()

    def arrange() -> None:
        ws = page.ws
        ws.onmessage = None
        ws.add_event_listener("message", log.listener("a"))
        ws.onmessage = log.listener("old")
        ws.add_event_listener("message", log.listener("b"))
        ws.onmessage = log.listener("new")
        ws.add_event_listener("message", page.received)

    page.call(arrange)
    peer.send_message("x")
    page.take()
    assert log == ["a", "new", "b"]
    log.clear()

    def again() -> None:
        # None gives the place up.
        page.ws.onmessage = None
        page.ws.remove_event_listener("message", page.received)
        page.ws.onmessage = log.listener("last")
        page.ws.add_event_listener("message", page.received)

    page.call(again)
    peer.send_message("x")
    page.take()
    assert log == ["a", "b", "last"]


@pytest.mark.parametrize("name", ["onopen", "onmessage", "onerror", "onclose"])
@one_driver
def test_handler_attributes(opened: Opened, name: str) -> None:
    page, _ = opened()

    def check() -> None:
        ws = page.ws

        def handler(event: Any) -> None:
            """Does nothing."""

        setattr(ws, name, handler)
        assert getattr(ws, name) is handler
        for wrong in (5, "handler", object()):
            with pytest.raises(TypeError, match="cannot be"):
                setattr(ws, name, wrong)
        assert getattr(ws, name) is handler
        setattr(ws, name, None)
        assert getattr(ws, name) is None
        setattr(ws, name, None)
        with pytest.raises(TypeError, match="cannot be"):
            setattr(ws, name, 5)
        with pytest.raises(TypeError):
            ws.add_event_listener(name[2:], 5)  # type: ignore[call-overload]
        with pytest.raises(TypeError):
            ws.add_event_listener(None, handler)  # type: ignore[call-overload]
        ws.add_event_listener(name[2:], None)
        ws.remove_event_listener(name[2:], None)
        ws.remove_event_listener(name[2:], handler)
        ws.remove_event_listener("unknown", handler)
        setattr(ws, "onerror", handler)  # noqa: B010

    page.call(check)


@one_driver
def test_once(opened: Opened, log: Log) -> None:
    page, peer = opened()

    def add() -> None:
        ws = page.ws
        ws.onmessage = None

        def sends_again(event: MessageEvent) -> None:
            log.append("once")
            # It is off already, and so is added anew.
            if event.data == "1":
                ws.add_event_listener("message", sends_again, once=True)

        ws.add_event_listener("message", sends_again, once=True)
        ws.add_event_listener("message", log.listener("always"))
        ws.add_event_listener("message", page.received)

    page.call(add)
    for number in "123":
        peer.send_message(number)
        page.take()
    assert log == ["once", "always", "always", "once", "always"]


@one_driver
def test_once_alone(opened: Opened, log: Log) -> None:
    page, peer = opened()

    def add() -> None:
        page.ws.onmessage = None
        page.ws.add_event_listener("message", page.received, once=True)

    page.call(add)
    peer.send_message("1")
    peer.send_message("2")
    peer.send_close(1000)
    peer.close()
    assert page.take() == ("message", "1")
    assert page.take()[0] == "close"


@one_driver
def test_changes_while_an_event_is_dispatched(opened: Opened, log: Log) -> None:
    page, peer = opened()

    def arrange() -> None:
        ws = page.ws
        ws.onmessage = None
        removed, added = log.listener("removed"), log.listener("added")

        def changes(event: MessageEvent) -> None:
            log.append("changes")
            ws.remove_event_listener("message", removed)
            ws.remove_event_listener("message", changes)
            # Not called for this event.
            ws.add_event_listener("message", added)
            # Called for this event: the handler's place is kept, and its function looked up late.
            ws.onmessage = log.listener("new handler")

        ws.add_event_listener("message", changes)
        ws.add_event_listener("message", removed)
        ws.onmessage = log.listener("old handler")
        ws.add_event_listener("message", page.received)

    page.call(arrange)
    peer.send_message("x")
    page.take()
    assert log == ["changes", "new handler"]
    peer.send_message("x")
    page.driver.until(lambda: len(log) == 4)
    assert log[2:] == ["new handler", "added"]


@one_driver
def test_exception_in_a_listener(
    opened: Opened, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    """It is reported; neither other listeners nor the connection suffer."""
    page, peer = opened()

    def fails(event: Any) -> None:
        raise ZeroDivisionError(event.type)

    def add() -> None:
        ws = page.ws
        ws.onmessage = fails
        ws.add_event_listener("message", page.received)
        for kind in ("error", "close"):
            ws.add_event_listener(kind, fails)

    page.call(add)
    peer.send_message("1")
    peer.send_message("2")
    assert [page.take() for _ in range(2)] == [("message", "1"), ("message", "2")]
    page.call(lambda: page.ws.send("still there"))
    assert peer.receive_message() == "still there"
    peer.close()
    page.take_failure()
    page.driver.until(lambda: caplog.text.count("ZeroDivisionError: ") == 4)
    for kind in ("message", "error", "close"):
        assert f"exception in a listener for '{kind}'" in caplog.text


@one_driver
def test_exception_in_the_open_listener(
    browse: Browse, server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(event: Any) -> None:
        raise ZeroDivisionError

    page = browse(f"{server.url}/", prepare=lambda ws: ws.add_event_listener("open", fails))
    peer = server.take()
    peer.accept(rest=server_message("x"))
    assert page.take() == ("open", 1)
    assert page.take() == ("message", "x")
    assert "ZeroDivisionError" in caplog.text
    peer.close()
    page.take_failure()


def test_coroutine_listeners(opened: Opened) -> None:
    """Each call is a task of its own, on every driver."""
    page, peer = opened()
    results: Inbox[Any] = Inbox()

    async def listener(event: MessageEvent) -> None:
        await asyncio.sleep(0)
        results.put(event.data)
        event.target.send(f"{event.data} back")

    page.call(lambda: setattr(page.ws, "onmessage", listener))
    for number in "123":
        peer.send_message(number)
    assert [results.take() for _ in range(3)] == ["1", "2", "3"]
    assert [peer.receive_message() for _ in range(3)] == ["1 back", "2 back", "3 back"]
    assert page.call(lambda: page.ws.onmessage) is listener


@one_driver
def test_what_returns_a_coroutine_is_a_coroutine_listener(opened: Opened) -> None:
    page, peer = opened()
    results: Inbox[Any] = Inbox()

    async def listener(name: str, event: MessageEvent) -> None:
        results.put((name, event.data))

    class Callable:
        """With a coroutine method."""

        async def __call__(self, event: MessageEvent) -> None:
            results.put(("object", event.data))

    def add() -> None:
        page.ws.onmessage = lambda event: listener("lambda", event)
        page.ws.add_event_listener("message", functools.partial(listener, "partial"))
        page.ws.add_event_listener("message", Callable())
        # What else a listener returns is of no interest.
        page.ws.add_event_listener("message", lambda event: [event])

    page.call(add)
    peer.send_message("x")
    assert [results.take() for _ in range(3)] == [
        ("lambda", "x"),
        ("partial", "x"),
        ("object", "x"),
    ]


def test_exception_in_a_coroutine_listener(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    page, peer = opened()

    async def fails(event: Any) -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    async def is_cancelled(event: Any) -> None:
        raise asyncio.CancelledError

    def add() -> None:
        page.ws.add_event_listener("message", fails)
        page.ws.add_event_listener("message", is_cancelled)

    page.call(add)
    peer.send_message("x")
    assert page.take() == ("message", "x")
    page.driver.until(lambda: "ZeroDivisionError" in caplog.text)
    assert "CancelledError" not in caplog.text
    page.call(lambda: page.ws.send("still there"))
    assert peer.receive_message() == "still there"


@one_driver
def test_failure_that_nobody_listens_for(
    driver: Driver, server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    """It goes where a browser has its console."""
    closed: Inbox[Any] = Inbox()

    def make() -> None:
        WebSocket(f"{server.url}/").onclose = closed.put

    driver.call(make)
    server.take().close()
    assert closed.take().code == 1006
    assert f"WebSocket {server.url}/ failed: " in caplog.text
    assert f"127.0.0.1:{server.port} closed the connection without an answer" in caplog.text


@one_driver
def test_events_belong_to_their_socket(opened: Opened) -> None:
    page, peer = opened()
    events: Inbox[Any] = Inbox()
    page.call(lambda: page.ws.add_event_listener("message", events.put))
    peer.send_message("x")
    event = events.take()
    assert event.target is page.ws
    assert event.type == "message"
