"""
Events of a socket, of a server's and a client's alike: who handles them, and in which order.

A handler is a function or a coroutine function. While a coroutine goes on, the events that came
after its own wait, so that they are handled in the order in which they came.
"""

import logging
from asyncio import CancelledError, current_task
from collections import deque
from collections.abc import Coroutine

from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF

from cooee.reactor.core cimport Reactor
from cooee.socketio.listeners cimport (
    Listener,
    add_listener,
    drop_handler,
    drop_listener,
    listeners_of,
    make_listener,
)

cdef extern from "Python.h":
    bint PyCoro_CheckExact(object value)
    Py_ssize_t Py_REFCNT(object value)
    object PyContext_Copy(object context)
    object PyContext_CopyCurrent()
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1
    ctypedef enum PySendResult:
        PYGEN_RETURN
        PYGEN_ERROR
        PYGEN_NEXT
    PySendResult PyIter_Send(
        object coro, object value, PyObject **result
    ) except PYGEN_ERROR

logger = logging.getLogger("cooee.socketio")

# Stands for the end of a coroutine, where there might be what it waits for.
cdef object RETURNED = object()

cdef enum:
    # Handlers that run in a task before the loop gets its turn: those that lead to others could go
    # on for ever.
    AT_ONCE = 1000

# The worker of a reactor that takes more coroutines.
cdef str TAKING = "socket.io worker"


cdef class Handling:
    """A handler's coroutine, in a context of its own as if in a task of its own."""

    cdef object step(self, object value, object exc):
        """Go on, and return what the coroutine waits for now; or RETURNED."""
        cdef PyObject *result = NULL
        cdef PySendResult sent
        PyContext_Enter(self.context)
        try:
            if exc is not None:
                return self.coro.throw(exc)
            sent = PyIter_Send(self.coro, value, &result)
        except StopIteration:
            return RETURNED
        except Exception:
            logger.exception("exception in a handler of %r", self.event)
            return RETURNED
        finally:
            PyContext_Exit(self.context)
        item = <object> result
        Py_DECREF(item)
        return item if sent == PYGEN_NEXT else RETURNED

    cdef int over(self) except -1:
        """It has ended: go on with what has waited for it."""
        return 0 if self.socket is None else self.socket.finished(self.size)


cdef class Worker:
    """
    One task that runs handlers' coroutines, one after another.

    A task for each would cost several times what most handlers do. So those that begin in one turn
    share a task, whichever their sockets are, and what has waited for one of them follows in it at
    once: the answers to events that came together leave together. When one has to wait, the task is
    its own: those behind it get tasks of their own, so that they begin in the next turn, however
    many of them are going to wait too. So do those behind one that has kept its task, to cancel it
    later, say, or as the key of a dict: it shall not be theirs.

    For the task it is the coroutine: what it yields are the futures that the handlers wait for.
    """

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        return self.drive(None, None)

    def send(self, value):
        return self.drive(value, None)

    def throw(self, kind, value=None, traceback=None):
        exc = kind if value is None else value
        if not self.begun:
            # Cancelled before its first step: so is all that would have begun in it.
            self.close()
            raise exc
        return self.drive(None, exc)

    def close(self):
        """Break off what is under way, and begin nothing more."""
        cdef Handling handling
        ahead = self.ahead or deque()
        if self.current is not None:
            ahead.appendleft(self.current)
        self.current = self.ahead = self.task = None
        self.stop_taking()
        for handling in ahead:
            handling.coro.close()
            handling.over()

    cdef object drive(self, object value, object exc):
        """Go on with the coroutine and those that follow, to where one has to wait."""
        cdef Handling handling
        cdef int left = AT_ONCE
        if not self.begun:
            self.begun = True
            if self.task is None:
                # An eager task (Python 3.12), which spawn() has yet to return.
                self.task = current_task()
            self.references = Py_REFCNT(self.task)
        try:
            while self.current is not None:
                waits_for = self.current.step(value, exc)
                if waits_for is not RETURNED:
                    self.stop_taking()
                    return waits_for
                value = exc = None
                handling = self.current
                self.current = None
                if self.task.cancelling() or Py_REFCNT(self.task) > self.references:
                    # Meant for the coroutine that is over, not for the next; or kept by it.
                    self.stop_taking()
                elif not self.taking:
                    self.start_taking()
                handling.over()
                if self.ahead:
                    self.current = self.ahead.popleft()
                    left -= 1
                    if left == 0:
                        self.begun = False
                        return None
        except BaseException:
            # Cancelled, or Ctrl-C: others go on in another task.
            self.stop_taking()
            handling = self.current
            self.current = self.task = None
            if handling is not None:
                handling.over()
            raise
        self.stop_taking()
        self.task = None
        raise StopIteration

    cdef int start_taking(self) except -1:
        """Take what is to begin, unless another worker does."""
        if TAKING not in self.reactor.registry:
            self.reactor.registry[TAKING] = self
            self.taking = True
        return 0

    cdef int stop_taking(self) except -1:
        """Leave what has not begun, and what is still to come, to others."""
        cdef Handling handling
        if self.taking:
            self.taking = False
            del self.reactor.registry[TAKING]
        ahead, self.ahead = self.ahead, None
        for handling in ahead or ():
            try:
                start_worker(self.reactor, handling)
            except RuntimeError as exc:
                # The reactor is closed, which is no reason to break off what is under way.
                logger.warning("no handler of %r was begun: %s", handling.event, exc)
        return 0


Coroutine.register(Worker)


cdef int begin(Reactor reactor, Handling handling) except -1:
    """Have a coroutine run."""
    cdef Worker worker = reactor.registry.get(TAKING)
    if worker is None:
        worker = start_worker(reactor, handling)
        return 0 if worker.begun else worker.start_taking()
    if worker.ahead is None:
        worker.ahead = deque()
    worker.ahead.append(handling)
    return 0


cdef Worker start_worker(Reactor reactor, Handling handling):
    """Have a coroutine run in a new task."""
    cdef Worker worker = Worker.__new__(Worker)
    worker.reactor = reactor
    worker.current = handling
    # What one handler or task has set is not for those that follow in the worker.
    context = PyContext_Copy(reactor.context)
    PyContext_Enter(context)
    try:
        # Closed by spawn() when there is no loop to run on, it takes back what was counted.
        task = reactor.spawn(worker)
    finally:
        PyContext_Exit(context)
    if worker.current is not None:
        worker.task = task
    # What it sends goes out right behind its first step.
    reactor.woke_tasks = True
    return worker


cdef class SocketEvents:
    """
    What the sockets of servers and of clients have in common.

    A subclass says which events are its own (:meth:`key`), and what to do when too much waits.
    """

    cdef int prepare(self, Reactor reactor, bint ordered, Py_ssize_t max_waiting) except -1:
        self.reactor = reactor
        self.listeners_by_event = {}
        self.ordered = ordered
        self.max_waiting = max_waiting
        return 0

    # Handlers

    def on(self, event, handler=None):
        """
        Register a handler; without one, return a decorator.

        Several handlers of one event are called in the order they were registered.
        """
        return self.listen(event, handler, False)

    def once(self, event, handler=None):
        """As :meth:`on`, for the first occurrence only."""
        return self.listen(event, handler, True)

    def listen(self, event, handler, bint once):
        if handler is None:
            return lambda function: self.listen(event, function, once)
        add_listener(self.listeners_by_event, self.key(event), make_listener(handler, once), False)
        return handler

    def off(self, event=None, handler=None):
        """Unregister one handler; without one, all of the event; without an event, all."""
        if event is None:
            self.listeners_by_event.clear()
        elif handler is None:
            self.listeners_by_event.pop(self.key(event), None)
        else:
            drop_handler(self.listeners_by_event, self.key(event), handler)

    def listeners(self, event):
        """The handlers of an event, in the order they were registered."""
        cdef Listener one
        found = []
        for one in listeners_of(self.listeners_by_event, self.key(event)):
            found.append(one.handler)
        return found

    def on_any(self, handler=None):
        """Register a handler of all events that the peer emits, called with the name first."""
        if handler is None:
            return self.on_any
        self.any_listeners = [*(self.any_listeners or ()), make_listener(handler, False)]
        return handler

    def prepend_any(self, handler):
        """As :meth:`on_any`, to be called before the others."""
        self.any_listeners = [make_listener(handler, False), *(self.any_listeners or ())]
        return handler

    def off_any(self, handler=None):
        """Unregister one handler of all events; without one, all of them."""
        self.any_listeners = without(self.any_listeners, handler)

    def on_any_outgoing(self, handler=None):
        """Register a handler of all events that are sent, called with the name first."""
        if handler is None:
            return self.on_any_outgoing
        self.any_outgoing = [*(self.any_outgoing or ()), make_listener(handler, False)]
        return handler

    def prepend_any_outgoing(self, handler):
        """As :meth:`on_any_outgoing`, to be called before the others."""
        self.any_outgoing = [make_listener(handler, False), *(self.any_outgoing or ())]
        return handler

    def off_any_outgoing(self, handler=None):
        """Unregister one handler of all events that are sent; without one, all of them."""
        self.any_outgoing = without(self.any_outgoing, handler)

    cdef object key(self, object event):
        """What an event's handlers are kept by."""
        return event_name(event)

    # Events

    cdef int handle(self, list args, Py_ssize_t size) except -1:
        """Give an event of the peer's, of that many bytes, to the handlers."""
        if self.any_listeners is not None:
            copy = list(args)
            for one in self.any_listeners:
                self.invoke(one, copy, 0, size)
        return self.dispatch(args, size)

    cdef int dispatch(self, list args, Py_ssize_t size) except -1:
        event = args[0]
        if type(event) is not str:
            event = event_name(event)
        entry = self.listeners_by_event.get(event)
        if entry is None:
            return 0
        if type(entry) is Listener:
            return self.invoke(<Listener> entry, args, 1, size)
        for one in <list> entry:
            self.invoke(one, args, 1, size)
        return 0

    cdef int invoke(self, Listener listener, list args, Py_ssize_t skip, Py_ssize_t size) except -1:
        """
        Call a handler with ``args[skip:]``.

        `size` in bytes is what the event costs while its coroutine goes on; -1 if later events need
        not wait for it.
        """
        event = args[0] if args else None
        if listener.once:
            drop_listener(self.listeners_by_event, self.key(event), listener)
        try:
            result = listener.call(args, skip)
            if result is not None and PyCoro_CheckExact(result):
                self.start_task(result, event, size)
        except (Exception, CancelledError):
            # A function has no task that could have been cancelled: it has asked a future that was.
            logger.exception("exception in a handler of %r", event)
        return 0

    cdef int fire(self, list args) except -1:
        """Call the handlers of an event of our own."""
        for one in listeners_of(self.listeners_by_event, self.key(args[0])):
            self.invoke(one, args, 1, -1)
        return 0

    cdef int notify_outgoing(self, object payload) except -1:
        """Tell those that want to know what is sent."""
        cdef list args = list(payload)
        for one in self.any_outgoing:
            self.invoke(one, args, 0, -1)
        return 0

    # Order

    cdef int start_task(self, object coro, object event, Py_ssize_t size) except -1:
        """Run a handler's coroutine; `size` as for :meth:`invoke`."""
        cdef Handling handling = Handling.__new__(Handling)
        handling.coro = coro
        handling.context = PyContext_CopyCurrent()
        handling.event = event
        if size >= 0:
            handling.socket = self
            handling.size = size + EVENT_OVERHEAD
            self.running += 1
            self.waiting_size += handling.size
        begin(self.reactor, handling)
        return self.check_waiting()

    cdef bint must_wait(self) noexcept:
        """Whether an event that comes now has to wait for others."""
        return self.running and self.ordered

    cdef int wait(self, list args, Py_ssize_t size) except -1:
        """Handle an event when those before it have been; with a size of -1 one of our own."""
        if self.waiting is None:
            self.waiting = deque()
        self.waiting.append((args, size))
        self.waiting_size += max(size, 0) + EVENT_OVERHEAD
        return self.check_waiting()

    cdef int check_waiting(self) except -1:
        return self.overrun() if self.waiting_size > self.max_waiting else 0

    cdef int finished(self, Py_ssize_t size) except -1:
        """A coroutine that was counted is over."""
        self.running -= 1
        self.waiting_size -= size
        return self.go_on()

    cdef int go_on(self) except -1:
        """Handle what has waited, until it has to wait again."""
        cdef list args
        cdef Py_ssize_t size
        while self.waiting and not self.running:
            args, size = self.waiting.popleft()
            self.waiting_size -= max(size, 0) + EVENT_OVERHEAD
            try:
                if size < 0:
                    self.handle_local(args)
                else:
                    self.handle(args, size)
            except BaseException:
                # Ctrl-C in a handler: nothing else comes for those behind it.
                self.go_on()
                raise
        return 0

    # For subclasses

    cdef int handle_local(self, list args) except -1:
        """The turn of an event of our own, which had to wait, has come."""
        return self.fire(args)

    cdef int overrun(self) except -1:
        """More than ``max_waiting`` bytes of events wait for the handlers."""
        return 0


cdef list without(list listeners, object handler):
    cdef Listener one
    left = []
    if handler is not None:
        for one in listeners or ():
            if one.handler != handler:
                left.append(one)
    return left or None


cdef str event_name(object event):
    if type(event) is str:
        return event
    # JavaScript makes strings of the numbers that name events.
    if isinstance(event, float) and event.is_integer():
        event = int(event)
    return str(event)
