"""Acknowledgements that a peer owes, and who is told when they come, or that they do not."""

import inspect
import logging

from cooee.reactor.core cimport Reactor
from cooee.websocket.outcome cimport Outcome

from cooee.socketio.errors import AckTimeout

logger = logging.getLogger("cooee.socketio")


cdef class Pending:
    """An acknowledgement that has not come yet."""


cdef class AckTable:
    """
    The acknowledgements that one socket owes.

    Each is told of once, and forgotten. At most `limit` are kept: the oldest is given up for the
    next, so that a peer that never answers costs no more.
    """

    def __cinit__(self, Reactor reactor, Py_ssize_t limit):
        self.pending = {}
        self.reactor = reactor
        self.limit = limit

    cdef int expect(self, object id, int kind, object callback, object timeout) except -1:
        """Wait for one; `timeout` in seconds or None, `callback` a function or an Outcome."""
        cdef Pending pending = Pending.__new__(Pending)
        pending.kind = kind
        if kind == AWAITED:
            pending.outcome = callback
        else:
            pending.callback = callback
        while self.pending and len(self.pending) >= self.limit:
            oldest = next(iter(self.pending))
            self.settle(
                self.pending.pop(oldest),
                None,
                AckTimeout(f"acknowledgement not waited for, at most {self.limit} are (max_acks)"),
            )
        self.pending[id] = pending
        if timeout is not None:
            pending.timer = self.reactor.call_later(timeout, self.timed_out, id, ref=False)
        return 0

    cdef int got(self, object id, list args) except -1:
        """It has come; one that nobody waits for is no matter."""
        pending = self.pending.pop(id, None)
        if pending is not None:
            self.settle(<Pending> pending, args, None)
        return 0

    cdef int forget(self, object id) except -1:
        """Stop waiting for one, and tell nobody."""
        cdef Pending pending = self.pending.pop(id, None)
        if pending is not None and pending.timer is not None:
            pending.timer.cancel()
        return 0

    cdef int fail(self, object error) except -1:
        """None will come any more."""
        cdef Pending pending
        waiting = list(self.pending.values())
        self.pending.clear()
        for pending in waiting:
            self.settle(pending, None, error)
        return 0

    def timed_out(self, id):
        """One has not come in time."""
        pending = self.pending.pop(id, None)
        if pending is not None:
            self.settle(<Pending> pending, None, AckTimeout())

    cdef int settle(self, Pending pending, list args, object error) except -1:
        if pending.timer is not None:
            pending.timer.cancel()
        if pending.kind == AWAITED:
            if error is None and args:
                pending.outcome.finish(args[0] if len(args) == 1 else args, None)
            else:
                pending.outcome.finish(None, error)
            self.reactor.woke_tasks = True
            return 0
        try:
            if error is not None:
                # Without a timeout there is nobody to take an error, as with the reference.
                result = pending.callback(error) if pending.kind == TIMED else None
            elif pending.kind == COLLECTED:
                result = pending.callback(args or [])
            elif pending.kind == TIMED:
                result = pending.callback(None, *(args or ()))
            else:
                result = pending.callback(*(args or ()))
            if result is not None and inspect.iscoroutine(result):
                self.reactor.spawn(result).add_done_callback(report)
        except Exception:
            logger.exception("exception in the callback of an acknowledgement")
        return 0


def report(task):
    if not task.cancelled() and (exc := task.exception()) is not None:
        logger.error("exception in the callback of an acknowledgement", exc_info=exc)


cdef int check_callback(object callback) except -1:
    if not callable(callback):
        raise TypeError(f"an acknowledgement is called back, which {callback!r} cannot be")
    return 0


def settle_outcome(Outcome outcome not None, error, value):
    """End an Outcome with an exception, or if that is None with a value."""
    outcome.finish(None if error is not None else value, error)
