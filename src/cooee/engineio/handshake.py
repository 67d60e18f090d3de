"""The data of an OPEN packet (Engine.IO protocol, "Handshake")."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import msgspec

from cooee.engineio.packet import PacketError
from cooee.protocol.close import CloseCode

__all__ = ["MAX_SID", "Handshake"]

MAX_SID: Final = 4096
"""Characters of a session's id, which each request of the session names; others have no limit."""

# What JavaScript counts exactly; no timer takes less than 0.
_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
_Sid: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SID)]


class Handshake(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """
    What the server tells a client that has come.

    Attributes:
        sid: The session's id, which all later requests name.
        upgrades: Transports that the client may change to: ``["websocket"]``, or none.
        ping_interval: In milliseconds.
        ping_timeout: In milliseconds.
        max_payload: Bytes that a polling request may have; None where a server does not say, which
            none does in protocol 3.
    """

    sid: _Sid
    upgrades: list[str]
    ping_interval: _Count
    ping_timeout: _Count
    max_payload: _Count | None = None

    def encode(self) -> str:
        """Write it as the data of an OPEN packet."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def decode(cls, data: str | bytes) -> Handshake:
        """
        Read the data of an OPEN packet; fields unknown here are left out.

        Raises:
            PacketError: If it is not JSON, or a field is missing, of another type or out of range.
        """
        try:
            return _DECODER.decode(data)
        except (ValueError, RecursionError) as exc:
            # msgspec's errors are ValueErrors, as is that of text with lone surrogates.
            raise PacketError(
                CloseCode.PROTOCOL_ERROR, f"handshake malformed: {exc} (Engine.IO 4, Handshake)"
            ) from None


_DECODER = msgspec.json.Decoder(Handshake)
