"""
The reactor on systems without epoll: the same interface over ``selectors`` and Python's sockets.

Attached to an asyncio loop it has the loop watch the selector, where that has a descriptor (kqueue
has), or else each socket. Its one difference: while reading is paused, a reset by the peer goes
unnoticed.
"""

import contextlib
import os
import selectors
import socket
import time

from cooee.reactor.core cimport FAILED, READ, WOULD_BLOCK, WRITE, Handle, Reactor
from cooee.reactor.stream cimport Listener, Stream, cooee_block

cdef enum:
    PIECES = 64

# Seconds. Selectors count in milliseconds, some of them in 32 bits.
LONGEST_WAIT = 3600.0

HAS_SENDMSG = hasattr(socket.socket, "sendmsg")

# The tests' way to what has no descriptor, as on Windows: COOEE_REACTOR=poll.
Selector = (
    selectors.PollSelector
    if os.environ.get("COOEE_REACTOR") == "poll"
    else selectors.DefaultSelector
)


cdef class PortableReactor(Reactor):
    """The reactor over ``selectors``."""

    cdef object selector
    cdef object error
    cdef object alarm
    cdef double armed
    # Whether there is no selector's descriptor for the loop to watch.
    cdef bint each

    def __cinit__(self, loop=None):
        self.selector = Selector()
        self.each = self.fileno() < 0
        self.begin(loop)

    def fileno(self):
        """The selector's descriptor, or -1 where it has none."""
        try:
            return self.selector.fileno()
        except (AttributeError, ValueError):
            return -1

    cdef int close_system(self) except -1:
        self.selector.close()
        return 0

    cdef double clock(self) noexcept:
        return time.monotonic()

    cdef int wait(self, bint block) except -1:
        cdef Handle handle
        cdef int count = 0
        if self.each and self.loop is not None:
            # The loop watches; its callbacks bring the events.
            return 0
        timeout = None if block else 0
        if block and self.timers.entries:
            timeout = min(max(0.0, self.timers.first() - self.clock()), LONGEST_WAIT)
        for key, mask in self.selector.select(timeout):
            handle = key.data
            if handle.fd == key.fd:
                handle.ready((READ if mask & selectors.EVENT_READ else 0)
                             | (WRITE if mask & selectors.EVENT_WRITE else 0))
                count += 1
        return count

    def ready_by_loop(self, Handle handle, unsigned int events):
        """The asyncio loop saw one handle's event."""
        if handle.fd < 0 or self.closed or self.dispatching:
            return
        self.dispatching = True
        try:
            self.now = self.last_event = self.clock()
            self.handled += 1
            handle.ready(events)
            self.settle()
        finally:
            self.end_dispatch()
        if self.woke_tasks or self.soon or self.dirty or self.lost:
            self.woke_tasks = False
            self.schedule()
        self.keep_polling()
        self.stop_if_idle()

    def ring(self):
        """The asyncio loop's clock reached the first timer."""
        self.alarm = None
        self.armed = 0
        if not self.closed:
            self.settle_outside()

    cdef int arm(self, double when) except -1:
        if self.loop is None or (self.alarm is not None and self.armed <= when):
            return 0
        if self.alarm is not None:
            self.alarm.cancel()
        self.armed = when
        self.alarm = self.loop.call_later(max(0.0, when - self.clock()), self.ring)
        return 0

    cdef int attach(self, object loop) except -1:
        cdef void *at = self.newest
        if not self.each:
            loop.add_reader(self.fileno(), self.ready_in_loop)
        else:
            for key in list(self.selector.get_map().values()):
                self.selector.unregister(key.fileobj)
            while at != NULL:
                interest = (<Handle> at).interest
                (<Handle> at).interest = 0
                self.watch(<Handle> at, interest)
                at = (<Handle> at).older
        if self.timers.entries:
            self.arm(self.timers.first())
        return 0

    cdef int detach(self) except -1:
        cdef void *at = self.newest
        loop = self.loop
        if self.alarm is not None:
            self.alarm.cancel()
            self.alarm = None
        if not self.each:
            if not loop.is_closed():
                loop.remove_reader(self.fileno())
            return 0
        while at != NULL:
            interest = (<Handle> at).interest
            self.watch(<Handle> at, 0)
            self.loop = None
            self.watch(<Handle> at, interest)
            self.loop = loop
            at = (<Handle> at).older
        return 0

    cdef int watch(self, Handle handle, unsigned int interest) except -1:
        if self.loop is None or not self.each:
            events = ((selectors.EVENT_READ if interest & READ else 0)
                      | (selectors.EVENT_WRITE if interest & WRITE else 0))
            if handle.interest == 0 and events:
                self.selector.register(handle.fd, events, handle)
            elif handle.interest and events:
                self.selector.modify(handle.fd, events, handle)
            elif handle.interest:
                self.selector.unregister(handle.fd)
        elif not self.loop.is_closed():
            if interest & READ and not handle.interest & READ:
                self.loop.add_reader(handle.fd, self.ready_by_loop, handle, READ)
            elif handle.interest & READ and not interest & READ:
                self.loop.remove_reader(handle.fd)
            if interest & WRITE and not handle.interest & WRITE:
                self.loop.add_writer(handle.fd, self.ready_by_loop, handle, WRITE)
            elif handle.interest & WRITE and not interest & WRITE:
                self.loop.remove_writer(handle.fd)
        handle.interest = interest
        return 0

    cdef int unwatch(self, Handle handle) except -1:
        return self.watch(handle, 0)

    cdef Py_ssize_t sys_receive(self, Handle handle) except -3:
        cdef Stream stream = <Stream> handle
        if stream.direct_size > 0:
            view = <unsigned char[:stream.direct_size]> stream.direct
        else:
            view = <unsigned char[:self.buffer_size]> self.buffer
        try:
            return stream.sock.recv_into(view)
        except (BlockingIOError, InterruptedError):
            return WOULD_BLOCK
        except OSError as exc:
            self.error = exc
            return FAILED

    cdef Py_ssize_t sys_send(self, Handle handle) except -3:
        cdef Stream stream = <Stream> handle
        cdef cooee_block *block = stream.out.head
        cdef list pieces = []
        while block != NULL and len(pieces) < PIECES:
            pieces.append(<const unsigned char[:block.len]> block.data)
            block = block.next
        try:
            if HAS_SENDMSG:
                return stream.sock.sendmsg(pieces)
            return stream.sock.send(pieces[0])
        except (BlockingIOError, InterruptedError):
            return WOULD_BLOCK
        except OSError as exc:
            self.error = exc
            return FAILED

    cdef object sys_error(self):
        return self.error

    cdef int sys_accept(self, Handle handle) except -1:
        cdef Listener listener = <Listener> handle
        cdef Stream stream
        try:
            sock, address = listener.sock.accept()
        except (BlockingIOError, InterruptedError):
            return 0
        sock.setblocking(False)
        stream = Stream.__new__(Stream)
        stream.peer = address or None
        listener.accepted(stream, sock, sock.fileno())
        return 1

    cdef int sys_adopt(self, Handle stream, object sock) except -1:
        stream.sock = sock
        with contextlib.suppress(OSError):
            (<Stream> stream).peer = sock.getpeername() or None
        return stream.open(self, sock.fileno(), READ)

    cdef int sys_end(self, Handle stream, bint both) except -1:
        with contextlib.suppress(OSError):
            stream.sock.shutdown(socket.SHUT_RDWR if both else socket.SHUT_WR)
        return 0

    cdef int sys_close(self, Handle handle) except -1:
        handle.sock.close()
        return 0

    cdef object sys_name(self, Handle handle, bint peer):
        try:
            return (handle.sock.getpeername() if peer else handle.sock.getsockname()) or None
        except OSError:
            return None
