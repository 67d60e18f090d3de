"""What a load does for every Socket.IO event: check it, time it, emit the next."""

from cooee.apps.talker cimport Latencies, Talker
from cooee.socketio.client_socket cimport ClientSocket


cdef class EventTalker(Talker):
    """
    One Socket.IO connection of a load, whose events come back.

    Args:
        socket: A connected socket; :meth:`message` is to become the event's handler.
        event: The event's name.
        payloads: Its argument: at least two, each different from the next, all ``str`` or all
            ``bytes``.
        latencies: Where to count; others count there too.
    """

    cdef ClientSocket socket
    # The arguments of emit(), for each payload.
    cdef tuple events

    def __init__(
        self, ClientSocket socket not None, str event not None, payloads,
        Latencies latencies not None,
    ):
        self.prepare(socket.reactor, payloads, latencies)
        self.socket = socket
        self.events = tuple([(event, payload) for payload in self.payloads])

    def message(self, *args):
        """An event came back."""
        cdef Py_ssize_t count = len(args)
        # Servers that recover connections give each event the offset to begin again from.
        if count == 2 and self.socket.pid is not None and type(args[1]) is str:
            count = 1
        # More than the argument, or none, is as wrong as another one.
        self.came(args[0] if count == 1 else None)

    cdef bint open(self):
        return self.socket.connected

    cdef int transmit(self, Py_ssize_t slot) except -1:
        self.socket.emit_event(self.events[slot], None, False, True, None)
        return 0


cdef class AckTalker(EventTalker):
    """
    One Socket.IO connection of a load, whose events are acknowledged.

    An acknowledgement belongs to its event, so that they may come in any order. It must have the
    event's argument, or none: many servers say no more than that they have had it.
    """

    cdef tuple answers

    def __init__(
        self, ClientSocket socket not None, str event not None, payloads,
        Latencies latencies not None,
    ):
        EventTalker.__init__(self, socket, event, payloads, latencies)
        self.answers = tuple([make_answer(self, slot) for slot in range(len(self.payloads))])

    cdef int transmit(self, Py_ssize_t slot) except -1:
        self.socket.emit_event(self.events[slot], self.answers[slot], False, True, None)
        return 0

    cdef int answered(self, Py_ssize_t slot, tuple args) except -1:
        cdef double now = self.reactor.clock()
        if self.stopped or not self.open():
            return 0
        data = self.payloads[slot] if not args else args[0] if len(args) == 1 else None
        if self.check(slot, data, now):
            self.sent[slot] = now
            self.transmit(slot)
        return 0


cdef class Answer:
    """What is called with the acknowledgement of one payload."""

    cdef AckTalker talker
    cdef Py_ssize_t slot

    def __call__(self, *args):
        self.talker.answered(self.slot, args)


cdef Answer make_answer(AckTalker talker, Py_ssize_t slot):
    cdef Answer answer = Answer.__new__(Answer)
    answer.talker = talker
    answer.slot = slot
    return answer
