"""The time of the lab.

An hour is an hour on hardware. A bench may run faster, and then whatever a driver
counts in lab seconds (a dwell, a poll interval, a deadline for a motion) passes faster
as well; deadlines for an answer on a link stay in real time.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

SHORTEST_WAIT = 0.002
"""Real seconds; polling faster than this only burns the processor."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Lab seconds that pass ``speed`` times as fast as the computer's."""

    speed: float = 1.0

    def now(self) -> float:
        """Return lab seconds since an arbitrary moment."""
        return time.monotonic() * self.speed

    def wait(self, seconds: float, cancelled: threading.Event) -> bool:
        """Wait ``seconds`` of lab time; return True at once when ``cancelled`` is set."""
        return cancelled.wait(max(seconds / self.speed, SHORTEST_WAIT))

    def lasting(self, seconds: float, real: float) -> float:
        """Return lab seconds that are ``seconds``, and ``real`` of the computer's.

        For what must be done in time by a computer, however fast the lab runs.
        """
        return max(seconds, real * self.speed)

    def real(self, seconds: float) -> float:
        """Return the real length, in seconds, of ``seconds`` of lab time."""
        return seconds / self.speed
