"""
The reactor: sockets, readiness, timers and turns, whatever drives them.

A *turn* handles every event that is ready, in rounds; within it each connection receives at most
one buffer and sends, after its last message, everything that was written to it. Nothing that an
event of the turn may still refer to is freed before the turn is over.

What the operating system does lies in the methods that the subclasses override: ``epoll`` on
Linux, ``portable`` elsewhere.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import threading
import weakref
from collections import deque

from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from cpython.ref cimport Py_DECREF, Py_INCREF

from cooee.reactor.timers cimport Timer, TimerHeap

cdef extern from "Python.h":
    object PyContext_CopyCurrent()

logger = logging.getLogger("cooee.reactor")

# The reactor of each asyncio loop that has one.
reactors = weakref.WeakKeyDictionary()

cdef enum:
    # Received per system call: large enough for a few frames of 16 KiB, small enough to stay in
    # the second-level cache.
    RECEIVE_SIZE = 256 * 1024
    # Times the ready set is asked again before the host loop gets its turn: with one round a
    # message costs an eighth more than with eight.
    ROUNDS = 8
    # Further turns of a hosted loop in one poll(): the task that an event has woken runs in the
    # first, one that this wakes in the second, and what they send goes out at the end of it.
    STEPS = 3
    # Times a round sends what sending has led to: a handler that writes whenever all is sent could
    # go on for as long as its peer keeps up.
    PASSES = 8


# Seconds: 31 years. What the system is asked to wait has limits of its own.
cdef double FOREVER = 1e9


cdef class Reactor:
    """
    One set of sockets and timers, driven by asyncio, by :meth:`run` or by :meth:`poll`.

    Callbacks run on the thread that drives it; only :meth:`call_soon_threadsafe` may be called
    from another. An exception that escapes a callback is logged and ends nothing but the
    connection it came from.

    Attributes:
        loop: The asyncio loop it is attached to, or ``None``.
        busy_poll: Seconds to go on polling after the last event before blocking. 0, the default,
            blocks at once; more buys latency with processor time.
        closed: Whether :meth:`close` was called.
        registry: A dict for what the layers above keep for each reactor, by names of their own.
    """

    def __cinit__(self, loop=None):
        self.buffer = <unsigned char *> PyMem_RawMalloc(RECEIVE_SIZE)
        if self.buffer == NULL:
            raise MemoryError
        self.buffer_size = RECEIVE_SIZE
        self.dirty = []
        self.lost = []
        self.grave = []
        self.soon = deque()
        self.inbox = deque()
        self.tasks = set()
        self.timers = TimerHeap()
        self.registry = {}

    def __dealloc__(self):
        PyMem_RawFree(self.buffer)

    cdef int begin(self, object loop) except -1:
        """Finish construction, once the subclass can watch."""
        self.context = PyContext_CopyCurrent()
        self.now = self.clock()
        ours, self.waker = socket.socketpair()
        ours.setblocking(False)
        self.waker.setblocking(False)
        (<Waker> Waker.__new__(Waker)).start(self, ours)
        if loop is not None:
            self.adopt_loop(loop)
        return 0

    # Drivers

    cdef int adopt_loop(self, object loop) except -1:
        self.loop = loop
        reactors[loop] = self
        self.attach(loop)
        return 0

    def poll(self):
        """
        Handle what is ready now and return the number of events; never blocks.

        For a game loop: once per frame. Callbacks run inside.

        Raises:
            RuntimeError: When called from a callback, on a closed reactor, or on one that a
                running asyncio loop drives.
        """
        cdef Py_ssize_t before = self.handled
        if self.hosted and not self.loop.is_running():
            self.loop.call_soon(self.stop_after, STEPS)
            self.loop.run_forever()
            if not self.tasks and not self.alive():
                self.unhost()
            return self.handled - before
        if self.loop is not None:
            raise RuntimeError("poll() on a reactor that an asyncio loop drives")
        return self.turn(False)

    def stop_after(self, steps):
        """Stop the hosted loop after that many of its turns."""
        if steps > 0:
            self.loop.call_soon(self.stop_after, steps - 1)
        else:
            self.loop.stop()

    def run(self, until=None):
        """
        Handle events until no socket, timer or task is left, or until `until` is true.

        Args:
            until: Called without arguments after every turn.

        Raises:
            RuntimeError: When it is running already or an asyncio loop drives it.
            KeyboardInterrupt: On Ctrl-C.
        """
        if self.running or (self.dispatching and self.loop is None):
            raise RuntimeError("the reactor is running already")
        if self.loop is not None and not self.hosted:
            raise RuntimeError("run() on a reactor that an asyncio loop drives")
        wakeup = -1
        main = threading.current_thread() is threading.main_thread()
        if main:
            # A signal that comes just before blocking must not be slept through.
            wakeup = signal.set_wakeup_fd(self.waker.fileno(), warn_on_full_buffer=False)
        self.running = True
        self.until = until
        try:
            while self.alive() and not (until is not None and until()):
                if self.loop is not None:
                    self.quit = self.loop.create_future()
                    self.loop.run_until_complete(self.quit)
                else:
                    self.turn(True)
        finally:
            self.running = False
            self.until = self.quit = None
            if main:
                signal.set_wakeup_fd(wakeup)
            if self.hosted and not self.alive():
                self.unhost()

    def spawn(self, coro):
        """
        Run a coroutine as a task and return the task.

        On the asyncio loop that drives this reactor; driven by itself or by polling, the reactor
        brings in an asyncio loop of its own with the first coroutine and lets it go with the last.
        """
        if self.loop is None:
            if self.closed:
                coro.close()
                raise RuntimeError("the reactor is closed")
            self.hosted = True
            self.adopt_loop(asyncio.new_event_loop())
        task = self.loop.create_task(coro)
        self.tasks.add(task)
        task.add_done_callback(self.task_done)
        return task

    def task_done(self, task):
        self.tasks.discard(task)
        self.stop_if_idle()

    cdef int unhost(self) except -1:
        loop = self.loop
        self.detach()
        self.loop = None
        self.hosted = False
        self.scheduled = self.spinning = False
        reactors.pop(loop, None)
        with contextlib.closing(loop):
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        return 0

    cdef int stop_if_idle(self) except -1:
        if self.quit is not None and not self.quit.done():
            if not self.alive() or (self.until is not None and self.until()):
                self.quit.set_result(None)
        return 0

    cdef bint alive(self) except -1:
        return (
            self.refs > 0
            or self.timers.refs > 0
            or len(self.soon) > 0
            or len(self.inbox) > 0
            or len(self.dirty) > 0
            or len(self.lost) > 0
            or len(self.tasks) > 0
        )

    def hold(self):
        """Keep :meth:`run` from returning until :meth:`release`: work goes on in a thread."""
        self.refs += 1

    def release(self):
        """Undo one :meth:`hold`."""
        self.refs -= 1
        self.stop_if_idle()

    def close(self):
        """
        Close every socket without a word to the peer, drop timers and callbacks. Idempotent.

        Protocols learn of the end of their streams: before this returns or, when a callback calls
        it, as soon as that has returned.

        Raises:
            RuntimeError: When called from a coroutine or callback while :meth:`run` or
                :meth:`poll` has brought in an asyncio loop, which cannot end from within.
        """
        cdef Handle handle
        if self.closed:
            return
        if self.hosted and self.loop.is_running():
            raise RuntimeError("close() from within the reactor's own asyncio loop")
        self.closed = True
        if self.hosted:
            for task in list(self.tasks):
                task.cancel()
            if self.tasks:
                self.loop.run_until_complete(asyncio.gather(*self.tasks, return_exceptions=True))
            self.unhost()
        outside = not self.dispatching
        self.dispatching = True
        try:
            while self.newest != NULL:
                handle = <Handle> self.newest
                handle.shut()
            self.waker.close()
            self.drop_callbacks()
            if self.loop is not None and self.loop.is_closed():
                # Whoever waits, waits on that loop, and would not be woken.
                self.lost.clear()
                self.grave.clear()
            elif outside:
                self.settle()
                # What those that were told have asked for.
                self.settle()
        finally:
            self.dispatching = not outside
            self.drop_callbacks()
        if self.loop is not None:
            self.detach()
            reactors.pop(self.loop, None)
            self.loop = None
        self.dirty.clear()
        self.close_system()

    def drop_callbacks(self):
        for timer in list(self.timers.entries):
            (<Timer> timer).cancel()
        self.soon.clear()

    cdef int close_system(self) except -1:
        return 0

    def handles(self):
        """All open handles, the newest first."""
        cdef void *at = self.newest
        handles = []
        while at != NULL:
            handles.append(<Handle> at)
            at = (<Handle> at).older
        return handles

    # Callbacks

    def time(self):
        """The reactor's clock: monotonic, in seconds."""
        return self.clock()

    def call_soon(self, callback, *args):
        """Call `callback` at the end of this turn, or in the next one."""
        self.soon.append((callback, args))
        if not self.dispatching:
            self.schedule()

    def call_soon_threadsafe(self, callback, *args):
        """
        As :meth:`call_soon`, from any thread; wakes the reactor up.

        Raises:
            RuntimeError: The reactor is closed.
        """
        self.inbox.append((callback, args))
        try:
            self.waker.send(b"\0")
        except BlockingIOError:
            pass  # A full pipe wakes just as well.
        except OSError:
            self.inbox.clear()
            raise RuntimeError("the reactor is closed") from None

    def call_later(self, delay, callback, *args, ref=True):
        """
        Call `callback` after `delay` seconds; returns a :class:`Timer` that can be cancelled.

        Args:
            ref: Whether the timer keeps :meth:`run` from returning.
        """
        return self.set_timer(delay, callback, args, ref)

    cdef Timer set_timer(self, double delay, object callback, tuple args, bint ref):
        cdef Timer timer
        # Written so that what is not a number is due at once.
        delay = min(delay, FOREVER) if delay > 0 else 0
        timer = self.timers.add(self.clock() + delay, callback, args, ref)
        if timer.index == 0 and not self.closed:
            self.arm(timer.when)
        return timer

    # Turns

    cdef int turn(self, bint block) except -1:
        """One turn, in which `block` waits for the first event; returns the number of events."""
        cdef int total = 0, count, round_ = 0
        if self.closed:
            raise RuntimeError("the reactor is closed")
        if self.dispatching:
            raise RuntimeError("the reactor is polled from one of its own callbacks")
        self.dispatching = True
        try:
            if self.dirty or self.lost or self.soon or (self.busy_poll > 0 and self.fresh()):
                block = False
            while True:
                count = self.wait(block)
                self.now = self.clock()
                self.settle()
                if self.closed:
                    break
                total += count
                self.handled += count
                block = False
                if count > 0:
                    self.last_event = self.now
                    round_ += 1
                    if round_ == ROUNDS:
                        break
                else:
                    break
        finally:
            self.end_dispatch()
        if self.woke_tasks or self.soon or self.dirty or self.lost:
            # What those tasks send goes out at the end of the loop's turn, not one turn later.
            self.woke_tasks = False
            self.schedule()
        self.stop_if_idle()
        return total

    cdef int end_dispatch(self) except -1:
        """The end of a turn, also of one that Ctrl-C has ended in a handler."""
        self.dispatching = False
        if self.current is not None:
            # What it wrote has not been sent.
            self.dirty.append(self.current)
            self.current = None
            self.schedule()
        if self.timers.entries and not self.closed:
            # Ctrl-C may have come between waking up for the first and calling it.
            self.arm(self.timers.first())
        return 0

    cdef bint fresh(self) noexcept:
        """Whether the last event is so recent that polling goes on."""
        return self.now - self.last_event < self.busy_poll

    cdef int settle(self) except -1:
        """Do what events left to the end of a round: timers, callbacks, sends, farewells."""
        cdef Timer timer
        cdef list handles
        cdef Py_ssize_t pending
        cdef int _
        while self.timers.entries and self.timers.first() <= self.now:
            timer = self.timers.pop()
            self.invoke(timer.callback, timer.args)
        pending = len(self.soon)
        while pending > 0:
            # Those added meanwhile wait for the next round, so that none can hold up the rest.
            pending -= 1
            callback, args = self.soon.popleft()
            self.invoke(callback, args)
        for _ in range(PASSES):
            if not (self.dirty or self.lost):
                break
            handles = self.dirty
            self.dirty = []
            try:
                for handle in handles:
                    (<Handle> handle).flush()
            except BaseException:
                # Ctrl-C: those that had their turn have nothing left.
                self.dirty = handles + self.dirty
                raise
            handles = self.lost
            self.lost = []
            try:
                for handle in handles:
                    (<Handle> handle).farewell()
            except BaseException:
                self.lost = handles + self.lost
                raise
        self.grave.clear()
        if self.timers.entries and not self.closed:
            self.arm(self.timers.first())
        return 0

    cdef int invoke(self, object callback, tuple args) except -1:
        try:
            callback(*args)
        except Exception:
            self.report("callback")
        return 0

    cdef int report(self, str what) except -1:
        logger.exception("exception in %s", what)
        return 0

    cdef int schedule(self) except -1:
        """Have what was done outside a turn settled at the end of the host loop's turn."""
        if self.loop is not None and not self.scheduled:
            self.scheduled = True
            self.loop.call_soon(self.settle_outside)
        return 0

    def settle_outside(self):
        self.scheduled = False
        if self.dispatching or self.closed:
            return
        self.dispatching = True
        try:
            self.now = self.clock()
            self.settle()
        finally:
            self.end_dispatch()
        if self.soon or self.dirty or self.lost:
            self.schedule()
        self.stop_if_idle()

    def ready_in_loop(self):
        """The asyncio loop saw an event."""
        if not self.closed and not self.dispatching:
            self.turn(False)
            self.keep_polling()

    cdef int keep_polling(self) except -1:
        """Under an asyncio loop, busy polling means not to let that block; others get turns."""
        if self.busy_poll > 0 and not self.spinning and self.loop is not None and self.fresh():
            self.spinning = True
            self.loop.call_soon(self.spin)
        return 0

    def spin(self):
        self.spinning = False
        if self.loop is not None:
            self.ready_in_loop()

    # What the subclasses do

    def fileno(self):
        """A descriptor that is readable when poll() has something to do; -1 where there is none."""
        raise NotImplementedError

    cdef double clock(self) noexcept:
        return 0

    cdef int wait(self, bint block) except -1:
        """Handle one round of events; `block` waits for the first, or for a timer to be due."""
        raise NotImplementedError

    cdef int watch(self, Handle handle, unsigned int interest) except -1:
        """Report `interest` in the handle from now on; FAULT is always reported."""
        raise NotImplementedError

    cdef int unwatch(self, Handle handle) except -1:
        raise NotImplementedError

    cdef int arm(self, double when) except -1:
        """Wake up at `when`, the time of the first timer."""
        raise NotImplementedError

    cdef int attach(self, object loop) except -1:
        raise NotImplementedError

    cdef int detach(self) except -1:
        raise NotImplementedError

    cdef Py_ssize_t sys_receive(self, Handle stream) except -3:
        """Bytes received, into the stream's ``direct`` first; 0 at the end, WOULD_BLOCK, FAILED."""
        raise NotImplementedError

    cdef Py_ssize_t sys_send(self, Handle stream) except -3:
        """Bytes sent of what is queued, with one system call; WOULD_BLOCK, FAILED."""
        raise NotImplementedError

    cdef int sys_accept(self, Handle listener) except -1:
        """Open a stream for the next waiting connection; 0 when there is none; OSError."""
        raise NotImplementedError

    cdef int sys_adopt(self, Handle stream, object sock) except -1:
        """Open `stream`, which from now on owns the connected socket `sock`."""
        raise NotImplementedError

    cdef int sys_end(self, Handle stream, bint both) except -1:
        """Shut the writing half down, or both; errors are of no interest."""
        raise NotImplementedError

    cdef int sys_close(self, Handle handle) except -1:
        raise NotImplementedError

    cdef object sys_error(self):
        """The OSError of the call that last returned FAILED."""
        raise NotImplementedError

    cdef object sys_name(self, Handle stream, bint peer):
        """The address of one end, as the socket module gives it, or None."""
        raise NotImplementedError


cdef class Handle:
    """A descriptor that the reactor watches and owns. The reactor keeps it alive while open."""

    def __cinit__(self):
        self.fd = -1
        self.ref = True

    @property
    def closed(self):
        """Whether the descriptor is closed."""
        return self.fd < 0

    def fileno(self):
        """The descriptor, -1 once closed."""
        return self.fd

    cdef int open(self, Reactor reactor, int fd, unsigned int interest) except -1:
        self.reactor = reactor
        self.fd = fd
        try:
            reactor.watch(self, interest)
        except BaseException:
            reactor.sys_close(self)
            self.fd = -1
            raise
        Py_INCREF(self)
        self.older = reactor.newest
        if self.older != NULL:
            (<Handle> self.older).newer = <void *> self
        reactor.newest = <void *> self
        reactor.refs += self.ref
        return 0

    cdef int leave(self) except -1:
        """Take it out of the reactor's books, the descriptor still open."""
        reactor = self.reactor
        reactor.unwatch(self)
        if self.older != NULL:
            (<Handle> self.older).newer = self.newer
        if self.newer != NULL:
            (<Handle> self.newer).older = self.older
        else:
            reactor.newest = self.older
        self.older = self.newer = NULL
        if reactor.dispatching:
            reactor.grave.append(self)
        reactor.refs -= self.ref
        Py_DECREF(self)
        return 0

    cdef int shut(self) except -1:
        """Close the descriptor."""
        # The reactor's reference may be the last.
        cdef object _keep = self
        if self.fd >= 0:
            self.leave()
            self.reactor.sys_close(self)
            self.fd = -1
        return 0

    cdef int ready(self, unsigned int events) except -1:
        """It is readable, writable or at fault."""
        raise NotImplementedError

    cdef int flush(self) except -1:
        """End of the round: send what is queued. Called when it is in ``reactor.dirty``."""
        raise NotImplementedError

    cdef int farewell(self) except -1:
        """End of the round: tell the protocol. Called when it is in ``reactor.lost``."""
        raise NotImplementedError


cdef class Waker(Handle):
    """The reading end of the socket pair by which threads and signals wake the reactor."""

    cdef int start(self, Reactor reactor, object sock) except -1:
        self.ref = False
        self.sock = sock
        self.open(reactor, sock.fileno(), READ)
        return 0

    cdef int ready(self, unsigned int events) except -1:
        with contextlib.suppress(BlockingIOError):
            while len(self.sock.recv(4096)) == 4096:
                pass
        while self.reactor.inbox:
            self.reactor.soon.append(self.reactor.inbox.popleft())
        return 0


cdef class Watch(Handle):
    """A descriptor of someone else's, standard input say, whose readiness calls a function."""

    cdef object callback

    cdef int ready(self, unsigned int events) except -1:
        self.reactor.invoke(self.callback, ())
        return 0

    def close(self):
        """Stop watching; the descriptor stays open. Idempotent."""
        self.shut()

    cdef int shut(self) except -1:
        cdef object _keep = self
        if self.fd >= 0:
            self.leave()
            self.fd = -1
        return 0


def watch_readable(Reactor reactor, sock, callback):
    """
    Call `callback` whenever `sock`, an object with ``fileno()``, is readable.

    Returns an object with ``close()``, which ends the watching and leaves `sock` open.
    """
    cdef Watch watch = Watch.__new__(Watch)
    watch.sock = sock
    watch.callback = callback
    watch.open(reactor, sock.fileno(), READ)
    return watch
