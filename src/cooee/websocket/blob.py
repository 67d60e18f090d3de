"""The Blob of the File API (W3C), as far as bytes in memory need it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from cooee.protocol.text import usv_string

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["Blob"]

_is_type: Final = re.compile("[\x20-\x7e]*").fullmatch


class Blob:
    """
    Immutable bytes with a media type.

    What a ``WebSocket`` gives for a binary message while its ``binary_type`` is "blob".

    Args:
        parts: Joined: bytes-like objects, other blobs, and strings, which are encoded as UTF-8.
        type: Media type; lower-cased, and empty if it has other than printable ASCII characters.
    """

    __slots__ = ("_data", "_type")

    _data: bytes
    _type: str

    def __init__(self, parts: Iterable[str | Buffer | Blob] = (), *, type: str = "") -> None:
        if isinstance(parts, (str, bytes, bytearray, memoryview, Blob)):
            # The constructor of the browser refuses them too; joined one by one they would be a
            # blob of single characters.
            raise TypeError(f"parts are a sequence, not one {parts.__class__.__name__}")
        self._data = b"".join([_bytes(part) for part in parts])
        self._type = _normalized(type)

    @classmethod
    def from_bytes(cls, data: bytes, type: str = "") -> Blob:
        """Return a blob of bytes that are shared, not copied."""
        self = cls.__new__(cls)
        self._data = data
        self._type = _normalized(type) if type else ""
        return self

    @property
    def size(self) -> int:
        """Number of bytes."""
        return len(self._data)

    @property
    def type(self) -> str:
        """Media type, possibly empty."""
        return self._type

    def slice(self, start: int = 0, end: int | None = None, content_type: str = "") -> Blob:
        """
        Return a part as a blob of its own.

        Args:
            start: Of the first byte; negative counts from the end.
            end: Behind the last byte; negative counts from the end; the size by default.
            content_type: The part's media type: empty by default, not this blob's.
        """
        return Blob.from_bytes(self._data[start:end], content_type)

    async def text(self) -> str:
        """Return the bytes as text, decoded as UTF-8: U+FFFD for what is not, no BOM."""
        return self._data.decode("utf-8-sig", "replace")

    async def array_buffer(self) -> bytes:
        """Return the bytes. ``bytes(blob)`` does too, without ``await``."""
        return self._data

    def __bytes__(self) -> bytes:
        return self._data

    def __repr__(self) -> str:
        return f"<Blob size={self.size} type={self._type!r}>"


def _bytes(part: str | Buffer | Blob) -> bytes:
    if isinstance(part, Blob):
        return part._data
    if isinstance(part, str):
        return usv_string(part).encode()
    return bytes(memoryview(part))


def _normalized(type: str) -> str:
    return type.lower() if _is_type(type) else ""
