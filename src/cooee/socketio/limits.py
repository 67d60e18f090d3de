"""What one client may cause a server to keep."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """
    Limits of each client; what it sends at once is limited by Engine.IO and the parser.

    A limit of 0 is a limit, never "unlimited". Node has none of these.

    Attributes:
        max_namespaces: That a client may be in, or be about to join. The next is answered with a
            CONNECT_ERROR.
        max_rooms: That one socket may be in; ``join`` raises :class:`LimitExceeded` beyond.
        max_acks: Acknowledgements that one socket may owe. The oldest is given up for the next,
            and fails with :class:`AckTimeout`.
        max_queue: Bytes of events, with 512 for each event itself, that may wait for a coroutine
            handler of the same socket to finish, or be under way in as many handlers if
            events are not ordered. Beyond, the client is disconnected ("forced server close").
    """

    max_namespaces: int = 64
    max_rooms: int = 10_000
    max_acks: int = 10_000
    max_queue: int = 4 * 1024 * 1024
