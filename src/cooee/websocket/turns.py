"""
Who may connect to a server: one at a time (RFC 6455 §4.1 step 2).

A client must not have two connections in the CONNECTING state to the same address and port; later
ones wait for the earlier to be established or to fail.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from cooee.reactor import Address, Reactor

__all__ = ["Turn", "take_turn"]

_KEY = "websocket turns"


class Turn:
    """A place in the queues of a server's addresses, and the right to connect when first in all."""

    def __init__(
        self, reactor: Reactor, addresses: list[Address], proceed: Callable[[], None]
    ) -> None:
        self._reactor = reactor
        self._proceed = proceed
        self._started = False
        self._left = False
        self._queues: dict[Address, deque[Turn]] = reactor.registry.setdefault(_KEY, {})
        self._addresses = list(dict.fromkeys(addresses))
        # All queues are joined at once, so that of two turns one is ahead in every queue they
        # share, and none waits for another that waits for it.
        for address in self._addresses:
            self._queues.setdefault(address, deque()).append(self)
        self._start_if_first()

    def leave(self) -> None:
        """The connection is established or has failed, or is not wanted any more. Idempotent."""
        if self._left:
            return
        self._left = True
        heads: list[Turn] = []
        for address in self._addresses:
            queue = self._queues[address]
            # Those who left while they waited are still in it.
            while queue and queue[0]._left:
                queue.popleft()
            if queue:
                heads.append(queue[0])
            else:
                del self._queues[address]
        for head in heads:
            head._start_if_first()

    def _start_if_first(self) -> None:
        if not self._started and all(
            self._queues[address][0] is self for address in self._addresses
        ):
            self._started = True
            # Not from here: a hundred that fail at once would call each other.
            self._reactor.call_soon(self._start)

    def _start(self) -> None:
        if not self._left:
            self._proceed()


def take_turn(reactor: Reactor, addresses: list[Address], proceed: Callable[[], None]) -> Turn:
    """
    Wait until no other connection of this reactor is being made to any of the addresses.

    Args:
        proceed: Called then, never before this function has returned, unless the turn was left.

    Returns:
        A :class:`Turn`, to be left in the end.
    """
    return Turn(reactor, addresses, proceed)
