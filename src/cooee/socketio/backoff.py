"""How long a client waits before it tries to connect again."""

from __future__ import annotations

import random

__all__ = ["Backoff"]


class Backoff:
    """
    Delays that double, and are randomised so that the clients of a restarted server do not come
    back as one.

    Args:
        delay: Seconds before the first attempt.
        delay_max: Upper bound in seconds.
        randomization_factor: 0 to 1: by how much of itself a delay is made shorter or longer.

    Attributes:
        attempts: Delays that were asked for since the last :meth:`reset`.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(self, delay: float, delay_max: float, randomization_factor: float) -> None:
        if not (delay >= 0 and delay_max >= 0):
            raise ValueError(f"delays of {delay} and {delay_max} s, must not be negative")
        if not 0 <= randomization_factor <= 1:
            raise ValueError(f"randomization_factor {randomization_factor}, must be 0 to 1")
        self.attempts = 0
        self._delay = delay
        self._delay_max = delay_max
        self._factor = randomization_factor

    def duration(self) -> float:
        """The next delay, in seconds."""
        # A power of more than a thousand would overflow.
        delay = self._delay * 2.0 ** min(self.attempts, 60)
        self.attempts += 1
        delay *= random.uniform(1 - self._factor, 1 + self._factor)
        return min(delay, self._delay_max)

    def reset(self) -> None:
        """Begin anew."""
        self.attempts = 0
