"""The JavaScript parsers as a function: see `reference.cjs`, which runs in a Node.js of its own."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.peers import node, npm_package

SCRIPT = Path(__file__).with_name("reference.cjs")
PACKAGES = (
    "engine.io-parser",
    "engine.io-parser-2",
    "socket.io-parser",
    "socket.io-parser-3",
    "socket.io-msgpack-parser",
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Undefined:
    """JavaScript's `undefined`."""

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED = Undefined()


class ArrayBuffer(bytes):
    """Bytes that are an ArrayBuffer in JavaScript; others are a Buffer."""


class JavaScriptError(Exception):
    """JavaScript threw."""


def to_js(value: Any) -> Any:
    """Write a value as JSON can have it."""
    match value:
        case list() | tuple():
            return [to_js(item) for item in value]
        case dict():
            return {key: to_js(item) for key, item in value.items()}
        case ArrayBuffer():
            return {"$": "arraybuffer", "hex": value.hex()}
        case bytes():
            return {"$": "bytes", "hex": value.hex()}
        case Undefined():
            return {"$": "undefined"}
        case datetime():
            return {"$": "date", "ms": (value - EPOCH) // timedelta(milliseconds=1)}
        case float() if not math.isfinite(value):
            return {"$": "number", "text": str(value).replace("inf", "Infinity")}
    return value


def from_js(value: Any) -> Any:
    """Read what JavaScript answered; properties that are undefined are left out."""
    if isinstance(value, list):
        return [from_js(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value.get("$"):
        case "undefined":
            return UNDEFINED
        case "bytes":
            return bytes.fromhex(value["hex"])
        case "number":
            return float(value["text"].replace("Infinity", "inf"))
        case "date":
            return EPOCH + timedelta(milliseconds=value["ms"])
    items = ((key, from_js(item)) for key, item in value.items())
    return {key: item for key, item in items if item is not UNDEFINED}


class Reference:
    """A running Node.js with the parsers."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, operation: str, *args: Any) -> Any:
        """Do one of the operations in `reference.cjs`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([operation, *map(to_js, args)]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise JavaScriptError(answer["error"])
        return from_js(answer["result"])


@contextmanager
def running() -> Iterator[Reference]:
    """Run it; the test is skipped where something is missing."""
    program = node()
    for name in PACKAGES:
        npm_package(name)
    with subprocess.Popen(
        [program, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Reference(process)
        process.stdin.close()  # type: ignore[union-attr]
