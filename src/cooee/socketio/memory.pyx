"""
An Engine.IO session in memory, for tests of what is built upon one: no socket, no time passing.

::

    engine = MemoryEngine()
    client = io.connect(engine)
    engine.receive("0")
    assert engine.take() == ['0{"sid":"..."}']
"""

from cooee.engineio.prepared cimport Prepared
from cooee.engineio.socket cimport Socket as Engine
from cooee.websocket.outcome cimport DONE, Outcome

from cooee.reactor import get_reactor


cdef class MemoryEngine(Engine):
    """
    A session whose other end is the test.

    Args:
        request: The request that began it; or None.
        protocol: The revision of the Engine.IO protocol, 3 or 4.
        sid: Its id.

    Attributes:
        sent: What was sent and not yet taken: text and bytes.
        prepared: The Prepared messages among it.
        writable: Whether what may be dropped is to be sent.
        buffered: Bytes that wait to be sent, as it says.
        closed: Whether it was closed, from either end.
    """

    cdef readonly list sent
    cdef readonly list prepared
    cdef public bint writable
    cdef public size_t buffered
    cdef readonly bint closed
    cdef Outcome drained

    def __init__(self, request=None, *, int protocol=4, str sid="engine"):
        self.request = request
        self.protocol = protocol
        self.sid = sid
        self.reactor = get_reactor()
        self.sent = []
        self.prepared = []
        self.writable = True

    def receive(self, *messages):
        """The client sends messages, text or bytes."""
        for message in messages:
            if isinstance(message, str):
                self.receiver.on_text("4" + message)
            else:
                self.receiver.on_message(message)

    def take(self):
        """Return what was sent since the last time."""
        sent = list(self.sent)
        self.sent.clear()
        return sent

    def lose(self, str reason="transport close", description=None):
        """The connection ends."""
        if not self.closed:
            self.closed = True
            self.receiver.on_close(reason, description)

    def drain(self):
        """What had to wait has been sent."""
        self.buffered = 0
        if self.drained is not None:
            self.drained.finish(None, None)
            self.drained = None
        self.receiver.on_drain()

    cpdef object send(self, object data, bint compress=True):
        if not self.closed:
            self.sent.append(data)
        return DONE

    cdef int send_text(self, bytes utf8, bint compress) except -1:
        if not self.closed:
            self.sent.append(utf8.decode())
        return 0

    cpdef int send_prepared(self, Prepared message) except -1:
        if not self.closed:
            self.sent.append(message.data)
            self.sent.extend(message.attachments)
            self.prepared.append(message)
        return 0

    cdef size_t unsent(self) noexcept:
        return self.buffered

    cdef bint is_writable(self) noexcept:
        return self.writable

    cpdef object close(self, bint discard=False):
        self.lose("forced close")
        return DONE

    cdef object pressure(self):
        if self.drained is None:
            self.drained = Outcome()
        return self.drained
