"""
What a load does for every message: check it, time it, send the next.

In C, since a load generator that is slower than the server measures itself.
"""

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree
from cpython.object cimport Py_EQ, PyObject_RichCompareBool
from libc.stdint cimport uint64_t

from cooee.reactor.core cimport Reactor
from cooee.websocket.connection cimport OPEN
from cooee.websocket.session cimport Session

cdef enum:
    # Latencies are counted in units of 1024 ns, those below about one second in an array.
    UNIT_BITS = 10
    UNITS = 1 << 20


cdef class Latencies:
    """
    How often each latency occurred.

    Attributes:
        total: How many there are.
    """

    def __cinit__(self):
        self.slow = {}
        self.counts = <uint64_t *> PyMem_RawCalloc(UNITS, sizeof(uint64_t))
        if self.counts == NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_RawFree(self.counts)

    cdef int count(self, double seconds) except -1:
        cdef uint64_t units = <uint64_t> (max(seconds, 0.0) * 1e9) >> UNIT_BITS
        self.total += 1
        if units < UNITS:
            self.counts[units] += 1
        else:
            self.slow[units] = self.slow.get(units, 0) + 1
        return 0

    def items(self):
        """Pairs of a latency, in nanoseconds, and how often it occurred, in no order."""
        cdef uint64_t units
        cdef uint64_t half = 1 << (UNIT_BITS - 1)
        pairs = [(units << UNIT_BITS | half, times) for units, times in self.slow.items()]
        for units in range(<uint64_t> UNITS):
            if self.counts[units]:
                pairs.append((units << UNIT_BITS | half, self.counts[units]))
        return pairs


cdef class Talker:
    """
    One connection of a load; subclasses say how it sends.

    It keeps one message fewer under way than there are payloads, sent in turn: a message that
    comes back twice, or out of order, is as wrong as one that has changed.

    Attributes:
        corrupt: Whether a message came back other than expected; the talker has stopped then.
    """

    def __dealloc__(self):
        PyMem_RawFree(self.sent)

    cdef int prepare(self, Reactor reactor, object payloads, Latencies latencies) except -1:
        self.reactor = reactor
        self.payloads = tuple(payloads)
        if len(self.payloads) < 2:
            raise ValueError("at least two payloads")
        self.latencies = latencies
        PyMem_RawFree(self.sent)
        self.sent = <double *> PyMem_RawCalloc(len(self.payloads), sizeof(double))
        if self.sent == NULL:
            raise MemoryError
        return 0

    def start(self):
        """Send the first messages."""
        cdef double now = self.reactor.clock()
        for _ in range(len(self.payloads) - 1):
            self.send(now)

    def stop(self):
        """Send and count nothing more."""
        self.stopped = True

    cdef int came(self, object data) except -1:
        """The next message came back."""
        cdef double now
        cdef Py_ssize_t slot = self.expected
        if self.stopped or not self.open():
            return 0
        now = self.reactor.clock()
        if not self.check(slot, data, now):
            return 0
        self.expected = slot + 1 if slot + 1 < len(self.payloads) else 0
        return self.send(now)

    cdef bint check(self, Py_ssize_t slot, object data, double now) except -1:
        """Count a message, if it is the one that was sent; tells whether it is."""
        if not PyObject_RichCompareBool(data, self.payloads[slot], Py_EQ):
            self.corrupt = True
            self.stopped = True
            return False
        self.latencies.count(now - self.sent[slot])
        return True

    cdef int send(self, double now) except -1:
        cdef Py_ssize_t slot = self.following
        self.sent[slot] = now
        self.following = slot + 1 if slot + 1 < len(self.payloads) else 0
        return self.transmit(slot)

    # For subclasses

    cdef bint open(self):
        """Whether anything can be sent."""
        return False

    cdef int transmit(self, Py_ssize_t slot) except -1:
        """Send one of the payloads."""
        return 0


cdef class SessionTalker(Talker):
    """
    One WebSocket connection of a load.

    Args:
        session: An open client session; :meth:`message` is to become its handler.
        payloads: At least two, each different from the next, all ``str`` or all ``bytes``.
        latencies: Where to count; others count there too.
    """

    def __init__(self, Session session not None, payloads, Latencies latencies not None):
        self.prepare(<Reactor> session.stream.reactor, payloads, latencies)
        self.session = session

    def message(self, data):
        """A message came back."""
        self.came(data)

    cdef bint open(self):
        return self.session.state == OPEN

    cdef int transmit(self, Py_ssize_t slot) except -1:
        return self.session.write_message(self.payloads[slot])
