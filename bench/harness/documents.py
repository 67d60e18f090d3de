"""
The JSON documents that events carry: what a game sends, of nested objects and every type of value.

All of JSON.stringify, msgspec and Python's json write them with the same bytes once they have read
them: ASCII only, since python-socketio escapes what is not, and no number that has two spellings.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from harness.peers import BUILD

DOCUMENT_SIZES = (1024, 18 * 1024)  # bytes
PLACE = "@@@@@@"  # the load generator puts the sequence number here
SEED = 6455

NAMES = ("ada", "brook", "cleo", "dmitri", "esra", "finn", "greta", "hiro")
ITEMS = ("torch", "rope", "healing potion", "iron sword", "map of the north")
LINES = ('they said "wait"', "north gate\nin two minutes", "ok", "who has the map?")


def document_path(size: int) -> Path:
    """Where the document of `size` bytes is once `write_documents` has run."""
    return BUILD / f"document-{size}.json"


def _player(number: int, choose: random.Random) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"{choose.choice(NAMES)}-{number}",
        # Never whole: 3.0 is 3 in JavaScript.
        "position": {axis: choose.randrange(-500, 500) + 0.25 for axis in "xyz"},
        "health": choose.randrange(1, 101),
        "online": choose.random() < 0.8,
        "team": choose.choice(("red", "blue", None)),
        "items": [
            {"name": item, "count": choose.randrange(1, 20)}
            for item in choose.sample(ITEMS, choose.randrange(1, 4))
        ],
    }


def document(size: int) -> str:
    """A document of exactly `size` bytes: as many players as fit, and a note for what is left."""
    choose = random.Random(SEED)
    players: list[dict[str, Any]] = []
    state = {
        "sequence": PLACE,
        "room": "arena-7",
        "tick": 184_467,
        "running": True,
        "winner": None,
        "chat": [{"from": number, "text": text} for number, text in enumerate(LINES)],
        "players": players,
        "note": "",
    }

    def written() -> str:
        return json.dumps(state, separators=(",", ":"))

    while len(written()) <= size:
        players.append(_player(len(players), choose))
    players.pop()
    state["note"] = "." * (size - len(written()))
    return written()


def write_documents() -> None:
    """Write all of them into ``build/``."""
    for size in DOCUMENT_SIZES:
        document_path(size).write_text(document(size), encoding="ascii")
