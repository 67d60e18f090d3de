"""
The reactor on Linux: one epoll set that holds its sockets and a timerfd.

The set's own descriptor is pollable, so an asyncio loop watches that one descriptor and pays
nothing per connection or message.
"""

import os
import socket

from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport EAGAIN, EINTR, errno
from libc.string cimport memset

from cooee.reactor.core cimport FAILED, READ, WOULD_BLOCK, Handle, Reactor
from cooee.reactor.stream cimport Listener, Stream, cooee_block

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        void *ptr
    struct epoll_event:
        unsigned int events
        epoll_data_t data
    int EPOLL_CLOEXEC
    int EPOLL_CTL_ADD
    int EPOLL_CTL_MOD
    int EPOLL_CTL_DEL
    int epoll_create1(int flags)
    int epoll_ctl(int epfd, int op, int fd, epoll_event *event)
    int epoll_wait(int epfd, epoll_event *events, int maxevents, int timeout)

cdef extern from "<sys/timerfd.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    struct itimerspec:
        timespec it_interval
        timespec it_value
    int TFD_CLOEXEC
    int TFD_NONBLOCK
    int TFD_TIMER_ABSTIME
    int timerfd_create(int clockid, int flags)
    int timerfd_settime(int fd, int flags, const itimerspec *new, itimerspec *old)

cdef extern from "<time.h>" nogil:
    int CLOCK_MONOTONIC
    int clock_gettime(int clock, timespec *now)

cdef extern from "<sys/socket.h>" nogil:
    ctypedef unsigned int socklen_t
    struct sockaddr:
        unsigned short sa_family
    struct msghdr:
        iovec *msg_iov
        size_t msg_iovlen
    int MSG_NOSIGNAL
    int SOCK_NONBLOCK
    int SOCK_CLOEXEC
    int SHUT_WR
    int SHUT_RDWR
    ssize_t recv(int fd, void *buffer, size_t size, int flags)
    ssize_t send(int fd, const void *buffer, size_t size, int flags)
    ssize_t sendmsg(int fd, const msghdr *message, int flags)
    int accept4(int fd, sockaddr *address, socklen_t *size, int flags)
    int getpeername(int fd, sockaddr *address, socklen_t *size)
    int getsockname(int fd, sockaddr *address, socklen_t *size)
    int shutdown(int fd, int how)

cdef extern from "<sys/uio.h>" nogil:
    struct iovec:
        void *iov_base
        size_t iov_len
    ssize_t readv(int fd, const iovec *pieces, int count)

cdef extern from "<unistd.h>" nogil:
    int close(int fd)
    ssize_t read(int fd, void *buffer, size_t size)

cdef extern from *:
    """
    static inline void cooee_prefetch(const void *at, size_t size)
    {
        for (size_t line = 0; line < size; line += 64)
            __builtin_prefetch((const char *)at + line, 1);
    }
    """
    void cooee_prefetch(const void *at, size_t size) noexcept nogil

cdef enum:
    EVENTS = 256
    PIECES = 64
    # How many events ahead a stream is fetched into the cache, and its protocol; of both, the bytes
    # that a small message touches. With 512 connections this saves 2 to 4 % of the time.
    STREAM_AHEAD = 3
    PROTOCOL_AHEAD = 1
    STREAM_BYTES = 192
    PROTOCOL_BYTES = 320


cdef class EpollReactor(Reactor):
    """The reactor over epoll (Linux)."""

    cdef int epoll
    cdef int timer
    # When the timerfd goes off, 0 for not at all.
    cdef double armed
    cdef int code

    def __cinit__(self, loop=None):
        self.epoll = self.timer = -1
        self.epoll = epoll_create1(EPOLL_CLOEXEC)
        self.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)
        if self.epoll < 0 or self.timer < 0:
            raise OSError(errno, os.strerror(errno))
        cdef epoll_event event
        event.events = READ
        event.data.ptr = NULL
        if epoll_ctl(self.epoll, EPOLL_CTL_ADD, self.timer, &event) < 0:
            raise OSError(errno, os.strerror(errno))
        self.begin(loop)

    def __dealloc__(self):
        self.close_descriptors()

    def fileno(self):
        """The epoll set: readable when poll() has something to do."""
        return self.epoll

    cdef int close_system(self) except -1:
        self.close_descriptors()
        return 0

    cdef void close_descriptors(self) noexcept:
        if self.epoll >= 0:
            close(self.epoll)
        if self.timer >= 0:
            close(self.timer)
        self.epoll = self.timer = -1

    cdef double clock(self) noexcept:
        cdef timespec now
        clock_gettime(CLOCK_MONOTONIC, &now)
        return <double> now.tv_sec + <double> now.tv_nsec * 1e-9

    cdef int wait(self, bint block) except -1:
        cdef epoll_event events[EVENTS]
        cdef unsigned long long expirations
        cdef Handle handle
        cdef int index, count, code
        if not block and self.busy_poll == 0:
            count = epoll_wait(self.epoll, events, EVENTS, 0)
            code = errno
        else:
            # Without limit, since timers are in the set. A busy poller does not block, but comes by
            # often enough to keep other threads and signals waiting otherwise.
            with nogil:
                count = epoll_wait(self.epoll, events, EVENTS, -1 if block else 0)
                code = errno
            # Handlers run here, and may change errno.
            PyErr_CheckSignals()
        if count < 0:
            if code == EINTR:
                return 0
            raise OSError(code, os.strerror(code))
        for index in range(count):
            if index + STREAM_AHEAD < count:
                cooee_prefetch(events[index + STREAM_AHEAD].data.ptr, STREAM_BYTES)
            if index + PROTOCOL_AHEAD < count:
                self.fetch_protocol(events[index + PROTOCOL_AHEAD].data.ptr)
            if events[index].data.ptr == NULL:
                self.armed = 0
                read(self.timer, &expirations, sizeof(expirations))
                continue
            handle = <Handle> events[index].data.ptr
            if handle.fd >= 0:
                handle.ready(events[index].events)
        return count

    cdef void fetch_protocol(self, void *handle) noexcept:
        if handle != NULL and type(<Handle> handle) is Stream:
            cooee_prefetch(<void *> (<Stream> handle).handler, PROTOCOL_BYTES)

    cdef int arm(self, double when) except -1:
        cdef itimerspec spec
        if self.armed != 0 and self.armed <= when:
            # It wakes up too early then, and looks again.
            return 0
        memset(&spec, 0, sizeof(spec))
        spec.it_value.tv_sec = <long> when
        spec.it_value.tv_nsec = <long> ((when - <double> spec.it_value.tv_sec) * 1e9)
        if timerfd_settime(self.timer, TFD_TIMER_ABSTIME, &spec, NULL) < 0:
            raise OSError(errno, os.strerror(errno))
        self.armed = when
        return 0

    cdef int attach(self, object loop) except -1:
        loop.add_reader(self.epoll, self.ready_in_loop)
        return 0

    cdef int detach(self) except -1:
        if not self.loop.is_closed():
            self.loop.remove_reader(self.epoll)
        return 0

    cdef int watch(self, Handle handle, unsigned int interest) except -1:
        cdef epoll_event event
        event.events = interest
        event.data.ptr = <void *> handle
        cdef int operation = EPOLL_CTL_MOD if handle.watched else EPOLL_CTL_ADD
        if epoll_ctl(self.epoll, operation, handle.fd, &event) < 0:
            raise OSError(errno, os.strerror(errno))
        handle.watched = True
        handle.interest = interest
        return 0

    cdef int unwatch(self, Handle handle) except -1:
        # Closing would do, unless another process holds the descriptor too, after a fork.
        cdef epoll_event event
        epoll_ctl(self.epoll, EPOLL_CTL_DEL, handle.fd, &event)
        handle.watched = False
        return 0

    cdef Py_ssize_t sys_receive(self, Handle handle) except -3:
        cdef Stream stream = <Stream> handle
        cdef iovec pieces[2]
        cdef Py_ssize_t count
        if stream.direct_size == 0:
            count = recv(stream.fd, self.buffer, self.buffer_size, 0)
        else:
            pieces[0].iov_base = stream.direct
            pieces[0].iov_len = stream.direct_size
            pieces[1].iov_base = self.buffer
            pieces[1].iov_len = self.buffer_size
            count = readv(stream.fd, pieces, 2)
        return count if count >= 0 else self.failure()

    cdef Py_ssize_t sys_send(self, Handle handle) except -3:
        cdef Stream stream = <Stream> handle
        cdef cooee_block *block = stream.out.head
        cdef iovec pieces[PIECES]
        cdef msghdr message
        cdef Py_ssize_t count
        if block.next == NULL:
            count = send(stream.fd, block.data, block.len, MSG_NOSIGNAL)
        else:
            memset(&message, 0, sizeof(message))
            message.msg_iov = pieces
            while block != NULL and message.msg_iovlen < PIECES:
                pieces[message.msg_iovlen].iov_base = <void *> block.data
                pieces[message.msg_iovlen].iov_len = block.len
                message.msg_iovlen += 1
                block = block.next
            count = sendmsg(stream.fd, &message, MSG_NOSIGNAL)
        return count if count >= 0 else self.failure()

    cdef Py_ssize_t failure(self) noexcept:
        if errno == EAGAIN or errno == EINTR:
            return WOULD_BLOCK
        self.code = errno
        return FAILED

    cdef object sys_error(self):
        return OSError(self.code, os.strerror(self.code))

    cdef int sys_accept(self, Handle handle) except -1:
        cdef Listener listener = <Listener> handle
        cdef Stream stream = Stream.__new__(Stream)
        cdef socklen_t size = sizeof(stream.raw_peer)
        cdef int fd = accept4(
            listener.fd, <sockaddr *> stream.raw_peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC
        )
        if fd < 0:
            if errno == EAGAIN or errno == EINTR:
                return 0
            raise OSError(errno, os.strerror(errno))
        listener.accepted(stream, None, fd)
        return 1

    cdef int sys_adopt(self, Handle stream, object sock) except -1:
        cdef socklen_t size = sizeof((<Stream> stream).raw_peer)
        cdef int fd = sock.detach()
        getpeername(fd, <sockaddr *> (<Stream> stream).raw_peer, &size)
        return stream.open(self, fd, READ)

    cdef int sys_end(self, Handle stream, bint both) except -1:
        shutdown(stream.fd, SHUT_RDWR if both else SHUT_WR)
        return 0

    cdef int sys_close(self, Handle handle) except -1:
        if handle.sock is not None:
            handle.sock.close()
            handle.sock = None
        else:
            close(handle.fd)
        return 0

    cdef object sys_name(self, Handle handle, bint peer):
        cdef Stream stream = <Stream> handle
        cdef unsigned char raw[28]
        cdef unsigned char *address = stream.raw_peer
        cdef socklen_t size = sizeof(raw)
        if not peer:
            if getsockname(stream.fd, <sockaddr *> raw, &size) < 0:
                return None
            address = raw
        cdef int family = (<sockaddr *> address).sa_family
        cdef int port = address[2] << 8 | address[3]
        if family == socket.AF_INET:
            return socket.inet_ntop(family, address[4:8]), port
        if family == socket.AF_INET6:
            return (
                socket.inet_ntop(family, address[8:24]),
                port,
                int.from_bytes(address[4:8], "big"),
                int.from_bytes(address[24:28], "little"),
            )
        return None
