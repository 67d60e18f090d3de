"""
What sessions end with.

::

    CooeeError
      TransportError        a transport failed, or was used against the rules

A malformed packet is a :class:`cooee.engineio.PacketError`.
"""

from __future__ import annotations

from cooee.protocol.errors import CooeeError

__all__ = ["TransportError"]


class TransportError(CooeeError):
    """
    The client has used its transport against the rules, or does not take what is sent to it.

    It is the description of a session's end, never raised.
    """
