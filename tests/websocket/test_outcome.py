"""Outcomes: what may be awaited, and may as well be ignored."""

import asyncio
import contextlib
import gc
from typing import Any

import pytest

from cooee.websocket.outcome import Outcome

pytestmark = pytest.mark.once


def test_those_who_gave_up_waiting_leave_nothing_behind() -> None:
    outcome: Outcome[Any] = Outcome()

    async def wait() -> None:
        await outcome

    async def main() -> None:
        waiting = asyncio.ensure_future(wait())
        for _ in range(10):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wait(), 0)
            cancelled = asyncio.ensure_future(wait())
            await asyncio.sleep(0)
            cancelled.cancel()
            await asyncio.wait([cancelled])
        assert [len(one) for one in gc.get_referents(outcome) if type(one) is list] == [1]
        outcome.set_result(None)
        await waiting

    asyncio.run(main())
