"""Events as objects; how they are dispatched is tested with the WebSocket they belong to."""

import gc
from typing import Any

import pytest

from cooee import CloseEvent, ErrorEvent, Event, MessageEvent

pytestmark = pytest.mark.once


def test_event() -> None:
    event = Event("open")
    assert event.type == "open"
    assert event.target is None
    assert repr(event) == "<Event 'open'>"


def test_message_event() -> None:
    event = MessageEvent("message", data=b"x", origin="ws://localhost")
    assert (event.data, event.origin) == (b"x", "ws://localhost")
    empty = MessageEvent("message")
    assert (empty.data, empty.origin) == (None, "")
    assert repr(event) == "<MessageEvent 'message'>"


def test_close_event() -> None:
    event = CloseEvent("close", was_clean=True, code=4000, reason="bye")
    assert (event.was_clean, event.code, event.reason) == (True, 4000, "bye")
    empty = CloseEvent("close")
    assert (empty.was_clean, empty.code, empty.reason) == (False, 0, "")
    assert repr(event) == "<CloseEvent 'close' code=4000 reason='bye' was_clean=True>"


def test_error_event() -> None:
    error = ValueError("why")
    event = ErrorEvent("error", error=error)
    assert (event.error, event.message) == (error, "why")
    assert ErrorEvent("error").message == ""
    assert repr(event) == "<ErrorEvent 'error' ValueError('why')>"


@pytest.mark.parametrize("kind", [MessageEvent, CloseEvent, ErrorEvent])
def test_is_an_event(kind: type[Event]) -> None:
    assert issubclass(kind, Event)
    assert kind("anything").type == "anything"


@pytest.mark.parametrize("kind", [Event, MessageEvent, CloseEvent, ErrorEvent])
def test_needs_a_type(kind: Any) -> None:
    with pytest.raises(TypeError):
        kind()
    with pytest.raises(TypeError):
        kind(None)


def test_is_read_only() -> None:
    event: Any = MessageEvent("message", data="x")
    for name in ("type", "target", "data", "origin"):
        with pytest.raises(AttributeError):
            setattr(event, name, "y")


def test_memory_is_used_again_and_for_any_kind() -> None:
    """The classes share a free list: what one leaves must not show in another."""
    for _ in range(1000):
        events: list[Any] = [
            CloseEvent("close", code=1000, reason="bye"),
            MessageEvent("message", data=b"x" * 100),
            Event("open"),
            ErrorEvent("error", error=ValueError()),
        ]
        del events
        assert MessageEvent("message").data is None
        assert CloseEvent("close").reason == ""
        assert ErrorEvent("error").error is None


def test_cycles_are_collected() -> None:
    class Cell:
        """Refers to an event that refers to it."""

        event: Event | None = None
        alive = 0

        def __init__(self) -> None:
            Cell.alive += 1

        def __del__(self) -> None:
            Cell.alive -= 1

    cell = Cell()
    cell.event = MessageEvent("message", data=cell)
    del cell
    gc.collect()
    assert Cell.alive == 0
