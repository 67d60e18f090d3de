"""Events that go out one after another, each again and again until it is acknowledged."""

import logging
from collections import deque

from cooee.socketio.acks cimport AWAITED, TIMED
from cooee.socketio.multiplexer cimport Channel
from cooee.socketio.packet cimport EVENT, make_packet
from cooee.websocket.outcome cimport Outcome

from cooee.socketio.acks import report

cdef extern from "Python.h":
    bint PyCoro_CheckExact(object value)

logger = logging.getLogger("cooee.socketio")


cdef class QueuedEvent:
    """An event that waits for its turn or its acknowledgement."""

    cdef Retries retries
    cdef tuple args
    cdef int kind
    cdef object callback
    cdef object timeout
    cdef Py_ssize_t tries
    cdef bint pending

    def __call__(self, error, *args):
        """One attempt is over."""
        cdef Retries retries = self.retries
        if not retries.queue or retries.queue[0] is not self:
            return
        self.pending = False
        if error is None or self.tries > retries.channel.retries:
            retries.queue.popleft()
            self.settle(error, args)
        retries.drain(False)

    cdef int settle(self, object error, tuple args) except -1:
        if self.kind == AWAITED:
            answer = None
            if error is None and args:
                answer = args[0] if len(args) == 1 else list(args)
            (<Outcome> self.callback).finish(answer, error)
            self.retries.channel.reactor.woke_tasks = True
        elif self.kind != NO_ACK:
            try:
                result = self.callback(error, *args)
                if result is not None and PyCoro_CheckExact(result):
                    self.retries.channel.reactor.spawn(result).add_done_callback(report)
            except Exception:
                logger.exception("exception in the callback of an acknowledgement")
        return 0


cdef class Retries:
    """Those of one socket; its ``retries`` says how often each is sent again."""

    def __cinit__(self, Channel channel not None):
        self.channel = channel
        self.queue = deque()

    cdef int add(self, tuple args, int kind, object callback, object timeout) except -1:
        """Send an event when it is its turn."""
        cdef QueuedEvent event = QueuedEvent.__new__(QueuedEvent)
        event.retries = self
        event.args = args
        event.kind = kind
        event.callback = callback
        event.timeout = timeout
        self.queue.append(event)
        return self.drain(False)

    cdef int drain(self, bint force) except -1:
        """Send the first, unless it waits for its acknowledgement."""
        cdef QueuedEvent event
        cdef Channel channel = self.channel
        while channel.connected and self.queue:
            event = self.queue[0]
            if event.pending and not force:
                return 0
            event.pending = True
            event.tries += 1
            id = channel.expect(TIMED, event, event.timeout)
            try:
                channel.transmit(make_packet(EVENT, channel.namespace, id, event.args))
                return 0
            except Exception as exc:
                channel.acks.forget(id)
                logger.exception("the event %r cannot be sent", event.args[0])
                self.queue.popleft()
                event.settle(exc, ())
        return 0
