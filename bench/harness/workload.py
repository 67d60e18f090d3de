"""What a workload is, and what descriptions of workloads have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EVENT_STYLE = ("cooee", "cooee-uvloop", "cooee-asyncio")


@dataclass(frozen=True)
class Workload:
    """
    One thing to measure.

    Args:
        key: Its name on the command line and in ``results.json``.
        title: Its name in ``RESULTS.md``.
        group: Under which heading it is reported.
        peers: Keys of the peers that run it.
        arguments: For the load generator, or for the clients under test.
        role: Which of a peer's programs runs.
        measure: What is measured: a server that exchanges messages, a server that is asked for
            connections and for nothing else, or a client.
        thorough: Left out of a quick run.
    """

    key: str
    title: str
    group: str
    peers: tuple[str, ...]
    arguments: tuple[str, ...]
    role: str = "echo"
    measure: Literal["exchange", "idle", "client"] = "exchange"
    thorough: bool = False


def words(**options: int | str | bool) -> tuple[str, ...]:
    """Options as words of a command line; of False there is none, of True the name."""
    found: list[str] = []
    for name, value in options.items():
        if value is not False:
            found.append("--" + name.replace("_", "-"))
            if value is not True:
                found.append(str(value))
    return tuple(found)


def size_text(size: int) -> str:
    return f"{size} B" if size < 1024 else f"{size // 1024} KiB"


def mix_key(connections: int, in_flight: int, size: int) -> str:
    return f"{connections}x{in_flight}-{size}"
