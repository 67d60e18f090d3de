"""
Streams: connected sockets with a queue of what is to be sent, and what makes them.

A *protocol* owns the meaning of the bytes. Native ones subclass :class:`Protocol` and get them in
the reactor's buffer; Python ones subclass :class:`PyProtocol` and get ``bytes``.
"""

import contextlib
import errno
import logging
import os
import socket

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcpy

from cooee.reactor.core cimport (
    ERROR,
    FAILED,
    FAULT,
    HANG_UP,
    READ,
    WRITE,
    Handle,
    Reactor,
)

logger = logging.getLogger("cooee.reactor")

cdef tuple IN_PROGRESS = (errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY)
# Out of descriptors or memory: the connection stays in the kernel's queue, to be taken later.
cdef tuple EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

cdef enum:
    # Connections taken per readiness of a listener, so that a flood of them leaves turns to others.
    ACCEPTS = 64
    # Up to here copying costs less than a reference and a longer list of pieces to send.
    SMALL = 4096

# Seconds that a listener rests when the process has no descriptor left.
cdef double EXHAUSTED_PAUSE = 0.1


cdef class Protocol:
    """What a stream tells about itself: C-level methods, all of which may be overridden."""

    cdef int on_made(self) except -1:
        """The stream is connected and is yours."""
        return 0

    cdef int on_data(self, unsigned char *data, Py_ssize_t size) except -1:
        """Bytes arrived; the buffer may be written to and is gone after the call."""
        return 0

    cdef int on_direct(self, Py_ssize_t size) except -1:
        """Bytes arrived where ``stream.direct`` pointed; on_data may follow in the same turn."""
        return 0

    cdef int on_eof(self) except -1:
        """The peer sends no more. Nothing is closed by itself."""
        return 0

    cdef int on_lost(self, object exc) except -1:
        """The stream is closed: the last call. `exc` is None after close()."""
        return 0

    cdef int on_drained(self) except -1:
        """Everything that had to wait for the peer has been sent."""
        return 0


cdef class PyProtocol(Protocol):
    """
    Base of protocols written in Python.

    Attributes:
        stream: The :class:`Stream`, set before :meth:`connection_made` is called.
    """

    def __dealloc__(self):
        # Without it Cython 3.3 takes over the base's, which leaves weak references dangling.
        pass

    cdef int on_made(self) except -1:
        self.connection_made()
        return 0

    cdef int on_data(self, unsigned char *data, Py_ssize_t size) except -1:
        self.data_received(data[:size])
        return 0

    cdef int on_eof(self) except -1:
        self.eof_received()
        return 0

    cdef int on_lost(self, object exc) except -1:
        self.connection_lost(exc)
        return 0

    cdef int on_drained(self) except -1:
        self.writing_drained()
        return 0

    def connection_made(self):
        """The stream is connected and is yours."""

    def data_received(self, data):
        """Bytes arrived."""

    def eof_received(self):
        """The peer sends no more. Nothing is closed by itself."""

    def connection_lost(self, exc):
        """The stream is closed; `exc` is None after ``close()``. The last call."""

    def writing_drained(self):
        """Everything that had to wait for the peer has been sent."""


cdef class Stream(Handle):
    """
    A connected socket.

    What is written within one turn of the reactor goes out with one system call at its end. An
    exception in a callback of the protocol is logged and aborts the stream.
    """

    def __dealloc__(self):
        cooee_outq_clear(&self.out)

    @property
    def protocol(self):
        """The :class:`Protocol` that is told of what happens; assign another to switch."""
        return self.handler

    @protocol.setter
    def protocol(self, Protocol protocol not None):
        self.switch(protocol)

    @property
    def closing(self):
        """Whether close() or abort() was called, or the connection is lost."""
        return self.is_closing != 0

    @property
    def buffered_amount(self):
        """Bytes written that the operating system has not taken yet."""
        return self.out.bytes

    @property
    def peername(self):
        """The peer's address, as the socket module gives it; None when there is none."""
        if self.peer is None and self.reactor is not None:
            self.peer = self.reactor.sys_name(self, True)
        return self.peer

    @property
    def sockname(self):
        """Our address, as the socket module gives it; None once closed."""
        return self.reactor.sys_name(self, False) if self.fd >= 0 else None

    def write(self, data):
        """
        Send bytes. They are sent with others at the end of the turn; nothing blocks.

        Does nothing once the stream is closing.
        """
        if type(data) is not bytes:
            data = bytes(data)
        self.refer(data, <const char *> (<bytes> data), len(<bytes> data))

    cpdef close(self):
        """Send what is buffered, then close. Nothing is received any more. Idempotent."""
        if not self.is_closing:
            self.is_closing = True
            if self.blocked:
                # No flush comes soon: what arrives unread would be reported again and again.
                self.update_interest()
            self.touch()

    cpdef abort(self):
        """Close now and drop what is buffered. Idempotent."""
        self.lose(None)

    cpdef shutdown_write(self):
        """Send what is buffered, then FIN; receiving goes on. Idempotent."""
        if not self.ending and not self.is_closing:
            self.ending = True
            self.touch()

    cpdef pause_reading(self):
        """Receive nothing until resume_reading(); the peer is slowed down by TCP. Idempotent."""
        if not self.paused:
            self.paused = True
            self.update_interest()

    cpdef resume_reading(self):
        """Receive again. Idempotent."""
        if self.paused:
            self.paused = False
            self.update_interest()

    # For protocols

    cdef int switch(self, Protocol protocol) except -1:
        self.handler = protocol
        self.direct_size = 0
        protocol.stream = self
        # Without a protocol it may have stopped waiting: see ready().
        return self.update_interest()

    cdef unsigned char *reserve(self, size_t size) except NULL:
        """Room for `size` bytes, queued; to be filled at once and followed by touch()."""
        return cooee_outq_reserve(&self.out, size)

    cdef int refer(self, object owner, const void *data, size_t size) except -1:
        """Queue `size` bytes that lie in `owner`, copied when that is cheaper, and touch()."""
        cdef unsigned char *room
        if self.is_closing or self.ending:
            return 0
        if size > SMALL:
            cooee_outq_refer(&self.out, owner, data, size)
        elif size > 0:
            room = cooee_outq_reserve(&self.out, size)
            memcpy(room, data, size)
        return self.touch()

    cdef int share(self, bytes message) except -1:
        """Queue a message that other streams are sent in the same turn, and touch()."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(message)
        if self.blocked or size > SMALL:
            return self.refer(message, PyBytes_AS_STRING(message), size)
        if self.is_closing or self.ending or size == 0:
            return 0
        cooee_outq_share(&self.out, message)
        return self.touch()

    cdef int touch(self) except -1:
        """Something was queued: see that it is sent."""
        if self.dirty or self.blocked or self.fd < 0:
            return 0
        self.dirty = True
        if self.reactor.current is self:
            return 0
        self.reactor.dirty.append(self)
        if not self.reactor.dispatching:
            if self.reactor.loop is None:
                # Driven by a game loop: at once.
                self.flush()
            else:
                self.reactor.schedule()
        return 0

    # For the reactor

    cdef int ready(self, unsigned int events) except -1:
        if events & WRITE and self.blocked:
            self.blocked = False
            self.tell_drained = True
            self.flush()
        if events & (READ | FAULT) and self.fd >= 0:
            if self.handler is None and not self.is_closing:
                # Nobody's yet: what has come waits for its protocol.
                self.reactor.unwatch(self)
                self.interest = 0
            elif not (self.paused or self.is_closing or self.ended):
                self.receive()
            elif events & ERROR or (events & HANG_UP and self.is_closing):
                self.lose(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))
            elif events & HANG_UP:
                # The end, behind what is still to be received, and reported until it has been; or
                # after it there is nothing more to tell.
                self.reactor.unwatch(self)
                self.interest = 0
        return 0

    cdef int receive(self) except -1:
        cdef Reactor reactor = self.reactor
        cdef Py_ssize_t count = reactor.sys_receive(self)
        cdef Py_ssize_t direct = self.direct_size
        # It must outlive the call, in which it may be replaced.
        cdef Protocol handler = self.handler
        if count > 0:
            reactor.current = self
            try:
                if direct == 0:
                    handler.on_data(reactor.buffer, count)
                else:
                    direct = min(direct, count)
                    self.direct += direct
                    self.direct_size -= direct
                    try:
                        handler.on_direct(direct)
                    except Exception:
                        raise
                    except BaseException:
                        # Ctrl-C in a handler. Nobody else has the rest of these bytes.
                        if count > direct and self.fd >= 0:
                            handler = self.handler
                            handler.on_data(reactor.buffer, count - direct)
                        raise
                    if count > direct and self.fd >= 0:
                        handler = self.handler
                        handler.on_data(reactor.buffer, count - direct)
            except Exception:
                self.fail()
            reactor.current = None
            if self.dirty:
                self.flush()
        elif count == 0:
            self.ended = True
            self.update_interest()
            reactor.current = self
            try:
                handler.on_eof()
            except Exception:
                self.fail()
            reactor.current = None
            if self.dirty:
                self.flush()
        elif count == FAILED:
            self.lose(reactor.sys_error())
        return 0

    cdef int flush(self) except -1:
        cdef Py_ssize_t sent
        cdef Protocol handler
        cdef bint fresh = self.dirty
        if not self.dirty and not self.is_closing and not self.ending and self.out.bytes == 0:
            return 0
        self.dirty = False
        if self.fd < 0:
            return 0
        while self.out.bytes > 0:
            sent = self.reactor.sys_send(self)
            if sent == FAILED:
                # What is queued can go nowhere.
                if self.ended or self.paused:
                    return self.lose(self.reactor.sys_error())
                # The reading side learns why.
                cooee_outq_clear(&self.out)
                self.tell_drained = False
                self.reactor.sys_end(self, True)
                break
            if sent >= 0:
                cooee_outq_consume(&self.out, sent)
            if self.out.bytes > 0 and not (sent > 0 and self.out.head.next == NULL):
                self.blocked = True
                self.update_interest()
                if fresh:
                    cooee_outq_own(&self.out)
                return 0
        if self.is_closing:
            self.lose(None)
            return 0
        if self.ending and not self.finished:
            self.finished = True
            self.reactor.sys_end(self, False)
        self.update_interest()
        handler = self.handler
        if self.tell_drained and handler is not None:
            self.tell_drained = False
            try:
                handler.on_drained()
            except Exception:
                self.fail()
        return 0

    cdef int update_interest(self) except -1:
        cdef unsigned int interest = 0
        if self.fd < 0:
            return 0
        if not (self.paused or self.is_closing or self.ended):
            interest |= READ
        if self.blocked:
            interest |= WRITE
        if interest != self.interest:
            self.reactor.watch(self, interest)
        return 0

    cdef int fail(self) except -1:
        """An exception escaped the protocol."""
        logger.exception("exception in a protocol; connection with %s aborted", self.peername)
        return self.lose(None)

    cdef int lose(self, object exc) except -1:
        """Close the descriptor; the protocol is told at the end of the round."""
        if self.fd >= 0:
            self.error = exc
            self.shut()
        return 0

    cdef int shut(self) except -1:
        if self.fd < 0:
            return 0
        self.is_closing = True
        self.dirty = False
        self.blocked = False
        self.direct_size = 0
        cooee_outq_clear(&self.out)
        self.reactor.lost.append(self)
        Handle.shut(self)
        if not self.reactor.dispatching:
            self.reactor.schedule()
        return 0

    cdef int farewell(self) except -1:
        cdef Protocol handler = self.handler
        if handler is not None:
            self.handler = None
            try:
                handler.on_lost(self.error)
            except Exception:
                self.reactor.report("connection_lost")
        return 0


cdef class Listener(Handle):
    """A listening socket. ``close()`` stops accepting and leaves accepted streams alone."""

    @property
    def sockname(self):
        """The address listened on, as the socket module gives it."""
        return self.sock.getsockname()

    def close(self):
        """Stop accepting and close the socket. Idempotent."""
        self.shut()

    cdef int ready(self, unsigned int events) except -1:
        cdef int _count
        try:
            for _count in range(ACCEPTS):
                if self.fd < 0 or not self.reactor.sys_accept(self):
                    break
        except OSError as exc:
            if exc.errno in EXHAUSTED:
                logger.error("cannot accept: %s; next try in %s s", exc, EXHAUSTED_PAUSE)
                self.reactor.watch(self, 0)
                self.reactor.set_timer(EXHAUSTED_PAUSE, self.resume, (), False)
            elif exc.errno != errno.ECONNABORTED:
                logger.error("cannot accept: %s", exc)
        return 0

    def resume(self):
        if self.fd >= 0:
            self.reactor.watch(self, READ)

    cdef int accepted(self, Stream stream, object sock, int fd) except -1:
        """A connection: `stream`, not yet open, is to own `fd`."""
        cdef Protocol protocol
        stream.sock = sock
        stream.open(self.reactor, fd, READ)
        try:
            protocol = self.factory()
            stream.switch(protocol)
            protocol.on_made()
        except Exception:
            stream.fail()
        return 0


cdef class Attempt(Handle):
    """A connection being made."""

    def cancel(self):
        """Give up: the callback is not called any more. Idempotent."""
        self.callback = None
        self.shut()

    cdef int ready(self, unsigned int events) except -1:
        # A socket whose connect() failed at once is at fault too, with no error to be asked for.
        if not self.decided:
            self.finish(self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        return 0

    def finish(self, code):
        if self.fd < 0:
            return
        callback = self.callback
        self.callback = None
        if code:
            self.shut()
            self.reactor.invoke(callback, (None, OSError(code, os.strerror(code))))
            return
        self.leave()
        self.fd = -1
        sock = self.sock
        self.sock = None
        self.reactor.invoke(callback, (adopt(self.reactor, sock), None))


def listen(Reactor reactor, sock, factory):
    """
    Accept connections on `sock`, a bound, listening, non-blocking socket, and own it.

    Args:
        factory: Called for each connection; returns its :class:`Protocol`.
    """
    cdef Listener listener = Listener.__new__(Listener)
    listener.sock = sock
    listener.factory = factory
    if sock.family != getattr(socket, "AF_UNIX", None):
        # Accepted sockets inherit it, which saves a system call for each.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.open(reactor, sock.fileno(), READ)
    return listener


def adopt(Reactor reactor, sock):
    """Make a :class:`Stream`, without a protocol yet, of a connected socket, and own it."""
    cdef Stream stream = Stream.__new__(Stream)
    sock.setblocking(False)
    if sock.family != getattr(socket, "AF_UNIX", None):
        with contextlib.suppress(OSError):
            # The peer may be gone already, which reading will tell.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    reactor.sys_adopt(stream, sock)
    return stream


def connect(Reactor reactor, sock, address, callback):
    """
    Connect `sock`, a non-blocking socket, to `address`, and own it.

    Args:
        callback: Called with ``(stream, None)`` or ``(None, OSError)``, never before this function
            has returned. The stream has no protocol yet.

    Returns:
        An :class:`Attempt`, which can be cancelled.
    """
    cdef Attempt attempt = Attempt.__new__(Attempt)
    attempt.sock = sock
    attempt.callback = callback
    code = sock.connect_ex(address)
    # A Unix socket is never in progress: there the code means that too many wait to be accepted.
    if code in IN_PROGRESS and sock.family != getattr(socket, "AF_UNIX", None):
        attempt.open(reactor, sock.fileno(), WRITE)
    else:
        attempt.decided = True
        attempt.open(reactor, sock.fileno(), 0)
        reactor.call_soon(attempt.finish, code)
    return attempt
