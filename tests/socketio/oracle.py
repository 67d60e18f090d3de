"""
A naive decoder of Socket.IO packets as text, which the native one is compared with.

Written to be believed on sight: regular expressions for the header, the json module for the payload
and plain recursion for everything else.
"""

from __future__ import annotations

import json
import re
from typing import Any

RESERVED = ["connect", "connect_error", "disconnect", "disconnecting", "newListener"]
RESERVED += ["removeListener"]

REST = r"(?:(?P<namespace>/[^,]*)(?:,|\Z))?(?P<id>[0-9]+)?(?P<payload>.*)\Z"
PLAIN = re.compile(r"(?P<type>[0-4])" + REST, re.DOTALL)
BINARY = re.compile(r"(?P<type>[56])(?P<count>[1-9][0-9]*)-" + REST, re.DOTALL)

# type, namespace, id, data
Result = tuple[int, str, int | None, Any]


class Violation(Exception):
    """The peer broke the protocol."""


class Oracle:
    """Takes messages one by one, as the decoder does."""

    def __init__(
        self,
        protocol: int = 5,
        max_attachments: int = 10,
        max_depth: int = 256,
        max_namespace: int = 4096,
    ) -> None:
        self.protocol = protocol
        self.max_attachments = max_attachments
        self.max_depth = max_depth
        self.max_namespace = max_namespace
        self.waiting: Result | None = None
        self.expected = 0
        self.attachments: list[bytes] = []

    def add(self, message: str | bytes) -> Result | None:
        """Take one message."""
        if isinstance(message, bytes):
            return self._binary(message)
        if self.waiting is not None:
            raise Violation("text between attachments")
        match = PLAIN.match(message) or BINARY.match(message)
        if match is None:
            raise Violation("header")
        kind = int(match["type"])
        count = 0
        if kind >= 5:
            kind -= 3
            count = int(match["count"][:100])
            if count > self.max_attachments:
                raise Violation("attachments")
        namespace = match["namespace"] or "/"
        if namespace != "/" and len(namespace.encode()) > self.max_namespace:
            raise Violation("namespace")
        identifier = None
        if match["id"]:
            identifier = int(match["id"][:100])
            if identifier >= 2**53:
                raise Violation("id")
        data = None
        if match["payload"]:
            if match["payload"][0] in " \t\r\n":
                raise Violation("space")
            data = self._json(match["payload"])
        if not self._valid(kind, data, absent=not match["payload"]):
            raise Violation("payload")
        packet = (kind, namespace, identifier, data)
        if count == 0:
            return packet
        self.waiting, self.expected, self.attachments = packet, count, []
        return None

    def _json(self, text: str) -> Any:
        def refuse(name: str) -> None:
            raise Violation(name)

        def number(digits: str) -> int | float:
            return int(digits) if len(digits) < 4300 else float(digits)

        try:
            data = json.loads(text, parse_constant=refuse, parse_int=number)
            too_deep = depth(data) > self.max_depth
        except (ValueError, RecursionError):
            raise Violation("JSON") from None
        if too_deep:
            raise Violation("depth")
        return data

    def _valid(self, kind: int, data: Any, *, absent: bool) -> bool:
        if self.protocol == 4 and kind in (0, 4) and not absent:
            return data is None or isinstance(data, dict | list | str if kind == 4 else dict | list)
        match kind:
            case 0:
                return absent or isinstance(data, dict)
            case 1:
                return absent
            case 2:
                if not isinstance(data, list) or not data:
                    return False
                if isinstance(data[0], str):
                    return self.protocol == 4 or data[0] not in RESERVED
                return isinstance(data[0], int | float) and not isinstance(data[0], bool)
            case 3:
                return isinstance(data, list)
        return isinstance(data, dict | str)

    def _binary(self, message: bytes) -> Result | None:
        if self.waiting is None:
            raise Violation("attachment of nothing")
        self.attachments.append(message)
        if len(self.attachments) < self.expected:
            return None
        kind, namespace, identifier, data = self.waiting
        self.waiting = None
        return kind, namespace, identifier, self._fill(data)

    def _fill(self, data: Any) -> Any:
        if isinstance(data, list):
            return [self._fill(item) for item in data]
        if not isinstance(data, dict):
            return data
        if data.get("_placeholder") is True:
            num = data.get("num")
            if isinstance(num, bool) or not isinstance(num, int | float):
                raise Violation("number of placeholder")
            for i, attachment in enumerate(self.attachments):
                if i == num:
                    return attachment
            raise Violation("number of placeholder")
        return {key: self._fill(item) for key, item in data.items()}


def depth(data: Any) -> int:
    """How deep lists and dicts are nested."""
    if isinstance(data, dict):
        return 1 + max(map(depth, data.values()), default=0)
    if isinstance(data, list):
        return 1 + max(map(depth, data), default=0)
    return 0
