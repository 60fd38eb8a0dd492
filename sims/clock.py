"""Bench time: the computer's, faster."""

from __future__ import annotations

import time


class BenchClock:
    """Bench seconds since the bench was switched on.

    Parameters
    ----------
    speed:
        Bench seconds per real second.
    """

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._started = time.monotonic()

    def now(self) -> float:
        """Return bench seconds since the start."""
        return (time.monotonic() - self._started) * self.speed

    def go_on_from(self, now: float) -> None:
        """Have it be ``now`` bench seconds."""
        self._started = time.monotonic() - now / self.speed


class StoppedClock(BenchClock):
    """A clock that stands until it is set: for a bench without ports."""

    def __init__(self) -> None:
        super().__init__(1.0)
        self.time = 0.0

    def now(self) -> float:
        """Return the bench seconds that it was set to."""
        return self.time

    def go_on_from(self, now: float) -> None:
        """Have it be ``now`` bench seconds."""
        self.time = now
