"""
Events and their listeners (WHATWG DOM §2; HTML §8.1.8, "event handlers"), as far as an object
without parents and without default actions needs them.
"""

import asyncio
import logging

cimport cython

logger = logging.getLogger("cooee.websocket")


@cython.freelist(128)
cdef class Event:
    """
    Something that happened.

    Attributes:
        type: Its name: "open", "message", "error" or "close".
    """

    def __init__(self, str type not None):
        self.type = type

    @property
    def target(self):
        """The ``WebSocket`` it happened to; None for an event that was not dispatched."""
        return self.source

    def __repr__(self):
        return f"<{type(self).__name__} {self.type!r}>"


cdef class MessageEvent(Event):
    """A message has come (HTML §9.1)."""

    def __init__(self, str type not None, *, data=None, str origin=""):
        self.type = type
        self.first = data
        self.second = origin

    @property
    def data(self):
        """``str`` for a text message; for a binary one ``bytes`` or a ``Blob``."""
        return self.first

    @property
    def origin(self):
        """Scheme, host and port of the WebSocket's URL, as "ws://localhost:6080"."""
        return self.second


cdef class CloseEvent(Event):
    """The connection is closed (WHATWG WebSockets §6)."""

    def __init__(self, str type not None, *, bint was_clean=False, int code=0, str reason=""):
        self.type = type
        self.first = was_clean
        self.second = code
        self.third = reason

    @property
    def was_clean(self):
        """Whether the closing handshake was completed."""
        return self.first

    @property
    def code(self):
        """The peer's close code; 1005 for none, 1006 when it sent no Close frame."""
        return self.second

    @property
    def reason(self):
        """The peer's reason, possibly empty."""
        return self.third

    def __repr__(self):
        return (f"<{type(self).__name__} {self.type!r} code={self.code} reason={self.reason!r} "
                f"was_clean={self.was_clean}>")


cdef class ErrorEvent(Event):
    """
    The connection failed (HTML §8.1.8.2); the ``close`` event follows.

    Deviation: a browser hides the cause from the page, which might otherwise explore the network
    behind a firewall. A Python program can do that anyway, so here it is.
    """

    def __init__(self, str type not None, *, error=None):
        self.type = type
        self.first = error

    @property
    def error(self):
        """The exception that says what was wrong."""
        return self.first

    @property
    def message(self):
        """Its text."""
        return "" if self.first is None else str(self.first)

    def __repr__(self):
        return f"<{type(self).__name__} {self.type!r} {self.first!r}>"


cdef MessageEvent message_event(object source, object data, str origin):
    cdef MessageEvent event = MessageEvent.__new__(MessageEvent)
    event.type = "message"
    event.source = source
    event.first = data
    event.second = origin
    return event


cdef Event plain_event(str type, object source):
    cdef Event event = Event.__new__(Event)
    event.type = type
    event.source = source
    return event


cdef CloseEvent close_event(object source, bint was_clean, int code, str reason):
    cdef CloseEvent event = CloseEvent.__new__(CloseEvent)
    event.type = "close"
    event.source = source
    event.first = was_clean
    event.second = code
    event.third = reason
    return event


cdef ErrorEvent error_event(object source, object error):
    cdef ErrorEvent event = ErrorEvent.__new__(ErrorEvent)
    event.type = "error"
    event.source = source
    event.first = error
    return event


cdef class Listener:
    """A callback, and how it is to be called."""


cdef class EventListeners:
    """
    The listeners of one object, its on... attributes among them.

    Listeners may be functions or coroutine functions: what a call returns is, if it is a
    coroutine, handed to the target's ``_spawn``.
    """

    def __cinit__(self, target):
        self.target = target
        self.message = []
        self.lists = {"message": self.message}

    cdef Listener find(self, list listeners, object callback):
        cdef Listener listener
        for listener in listeners:
            # Equal rather than identical: each access makes a bound method anew.
            if not listener.handler and listener.callback == callback:
                return listener
        return None

    cdef int add(self, str type, object callback, bint once, bint handler) except -1:
        """DOM §2.7, "add an event listener"."""
        cdef Listener listener
        # Steps 1 to 3, on workers and signals, do not apply. Step 4: null does nothing.
        if callback is None:
            return 0
        # Deviation: what cannot be called is refused, rather than called in vain.
        if not callable(callback):
            raise TypeError(f"a listener is called, which {callback!r} cannot be")
        listeners = self.lists.setdefault(type, [])
        # 5. If the list does not contain a listener with this type and callback, append it.
        if handler or self.find(listeners, callback) is None:
            listener = Listener.__new__(Listener)
            listener.callback = callback
            listener.once = once
            listener.handler = handler
            listeners.append(listener)
        return 0

    cdef int discard(self, str type, Listener listener) except -1:
        """DOM §2.7, "remove an event listener"."""
        # 2. Set its removed flag, for a dispatch that is under way, and remove it.
        listener.removed = True
        self.lists[type].remove(listener)
        return 0

    cdef int remove(self, str type, object callback) except -1:
        cdef Listener listener = self.find(self.lists.get(type, []), callback)
        if listener is not None:
            self.discard(type, listener)
        return 0

    cdef Listener handler(self, str type):
        """The listener that stands for the on... attribute, or None."""
        cdef Listener listener
        for listener in self.lists.get(type, ()):
            if listener.handler:
                return listener
        return None

    cdef int set_handler(self, str type, object callback) except -1:
        """HTML §8.1.8.1: set an event handler, whose place is where it was first set."""
        cdef Listener listener = self.handler(type)
        # 1. null deactivates: it loses its place.
        if callback is None:
            if listener is not None:
                self.discard(type, listener)
        # 2. Otherwise it is replaced in its place, or activated.
        elif listener is None:
            self.add(type, callback, False, True)
        elif not callable(callback):
            raise TypeError(f"on{type} is called, which {callback!r} cannot be")
        else:
            listener.callback = callback
        return 0

    cdef bint has(self, str type) except -1:
        return bool(self.lists.get(type))

    cdef int fire(self, Event event) except -1:
        """Dispatch an event of any type."""
        return self.dispatch(self.lists.get(event.type, []), event)

    cdef int dispatch(self, list listeners, Event event) except -1:
        """DOM §2.9, "inner invoke"."""
        cdef Listener listener
        if len(listeners) == 1:
            # Saves the copy.
            return self.call(<Listener> listeners[0], event)
        # Of a copy, so that listeners added meanwhile are not called, and (2.) those removed
        # meanwhile, which know it, are not either.
        for listener in list(listeners):
            if not listener.removed:
                self.call(listener, event)
        return 0

    cdef int call(self, Listener listener, Event event) except -1:
        cdef object callback = listener.callback
        # 5. A listener for once is removed before it is called.
        if listener.once:
            self.discard(event.type, listener)
        # 10. Call it; 11. report what it raises, and go on.
        try:
            result = callback(event)
            if result is not None and asyncio.iscoroutine(result):
                self.target._spawn(result)
        except Exception:
            logger.exception("exception in a listener for %r", event.type)
        return 0
