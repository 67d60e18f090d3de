"""Events of what is there once, such as a namespace; sockets have their own, for speed."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, overload

from cooee.reactor import get_reactor

__all__ = ["AnyHandler", "Emitter", "Handler", "spawn"]

logger = logging.getLogger("cooee.socketio")

Handler: TypeAlias = Callable[..., Any]
AnyHandler = TypeVar("AnyHandler", bound=Handler)


class Emitter:
    """
    Keeps handlers, functions or coroutine functions, by the name of their event.

    An exception in a handler is logged, and keeps nobody else from being called.
    """

    def __init__(self) -> None:
        self._handlers: dict[str, list[tuple[Handler, bool]]] = {}

    @overload
    def on(self, event: str, handler: AnyHandler) -> AnyHandler: ...
    @overload
    def on(self, event: str, handler: None = None) -> Callable[[AnyHandler], AnyHandler]: ...
    def on(self, event: str, handler: Handler | None = None) -> Any:
        """Register a handler; without one, return a decorator."""
        return self._register(event, handler, False)

    @overload
    def once(self, event: str, handler: AnyHandler) -> AnyHandler: ...
    @overload
    def once(self, event: str, handler: None = None) -> Callable[[AnyHandler], AnyHandler]: ...
    def once(self, event: str, handler: Handler | None = None) -> Any:
        """As :meth:`on`, for the first occurrence only."""
        return self._register(event, handler, True)

    def off(self, event: str | None = None, handler: Handler | None = None) -> None:
        """Unregister one handler; without one, all of the event; without an event, all."""
        if event is None:
            self._handlers.clear()
        elif handler is None:
            self._handlers.pop(event, None)
        elif entries := [one for one in self._handlers.get(event, ()) if one[0] != handler]:
            self._handlers[event] = entries
        else:
            self._handlers.pop(event, None)

    def listeners(self, event: str) -> list[Handler]:
        """The handlers of an event, in the order they were registered."""
        return [handler for handler, _ in self._handlers.get(event, ())]

    def _register(self, event: str, handler: Handler | None, once: bool) -> Handler:
        if handler is None:
            return lambda function: self._register(event, function, once)
        if not callable(handler):
            raise TypeError(f"a handler is called, which {handler!r} cannot be")
        self._handlers.setdefault(event, []).append((handler, once))
        return handler

    def _fire(self, event: str, *args: Any) -> None:
        for entry in tuple(self._handlers.get(event, ())):
            handler, once = entry
            if once:
                entries = self._handlers.get(event, [])
                if entry in entries:
                    entries.remove(entry)
            try:
                result = handler(*args)
            except Exception:
                logger.exception("exception in a handler of %r", event)
                continue
            if result is not None and inspect.iscoroutine(result):
                spawn(result, event)


def spawn(coro: Any, what: object) -> None:
    """Run a coroutine as a task of its own, whose exception is logged."""

    def done(task: Any) -> None:
        if not task.cancelled() and (exc := task.exception()) is not None:
            logger.error("exception in a handler of %r", what, exc_info=exc)

    get_reactor().spawn(coro).add_done_callback(done)
