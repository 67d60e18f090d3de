"""Keeping connections alive, and finding out which are not."""

from cooee.reactor.core cimport Reactor
from cooee.websocket.connection cimport OPEN, Connection, Settings

cdef enum:
    # Per ping interval.
    LOOKS = 8


cdef class Keepalive:
    """
    Pings silent connections and fails those that stay silent.

    It looks at its ``members`` eight times per interval. Silence is counted in looks, not on the
    clock: a process that was busy or stopped for a minute finds one look's worth of silence, and
    what the peers sent meanwhile.
    """

    def __init__(self, Reactor reactor, Settings settings, members):
        self.reactor = reactor
        self.members = members
        self.interval = LOOKS
        self.period = settings.ping_interval / LOOKS
        if self.period > 0:
            self.timeout = max(1, round(settings.ping_timeout / self.period)) \
                if settings.ping_timeout > 0 else 0
            self.timer = reactor.set_timer(self.period, self.look, (), False)

    def look(self):
        cdef Connection connection
        self.timer = self.reactor.set_timer(self.period, self.look, (), False)
        for member in list(self.members):
            connection = member
            if connection.state == OPEN:
                connection.tick(self.interval, self.timeout)

    def stop(self):
        """Look no more. Idempotent."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
