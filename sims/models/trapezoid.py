"""Motion along a line with a limited acceleration."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phase:
    """So many seconds, from a speed, at one acceleration."""

    duration: float
    speed: float
    acceleration: float

    def way(self, t: float) -> float:
        """Return the way gone after ``t`` s."""
        return self.speed * t + 0.5 * self.acceleration * t * t


@dataclass(frozen=True, slots=True)
class Profile:
    """Phases of motion, one after the other."""

    phases: tuple[Phase, ...]

    @property
    def duration(self) -> float:
        """How long the motion takes, s."""
        return sum(phase.duration for phase in self.phases)

    def at(self, t: float) -> tuple[float, float]:
        """Return way and speed ``t`` s after the start; at rest after the end."""
        gone = 0.0
        for phase in self.phases:
            if t < phase.duration:
                t = max(t, 0.0)
                return gone + phase.way(t), phase.speed + phase.acceleration * t
            gone += phase.way(phase.duration)
            t -= phase.duration
        return gone, 0.0


def travel(
    length: float, top: float, acceleration: float, start: float = 0.0, end: float = 0.0
) -> Profile:
    """Return the fastest motion over ``length`` between two speeds.

    Parameters
    ----------
    length:
        The way, in any unit; not negative.
    top:
        The highest speed, in that unit per s.
    acceleration:
        Of speeding up and of slowing down, in that unit per s².
    start, end:
        Speeds at the two ends.

    Examples
    --------
    >>> travel(10.0, 1.0, 1.0).duration
    11.0
    """
    if length <= 0.0:
        return Profile(())
    end = min(end, top)
    slowed = 0.0
    before: list[Phase] = []
    if start > top:
        slowed = (start**2 - top**2) / (2 * acceleration)
        before = [Phase((start - top) / acceleration, start, -acceleration)]
        start = top
    rest = length - slowed
    peak = min(top, math.sqrt(max(acceleration * rest + (start**2 + end**2) / 2, 0.0)))
    if rest < 0.0 or peak < max(start, end):
        # Too short to reach the end speed: brake or speed up as hard as it takes.
        first = before[0].speed if before else start
        mean = max((first + end) / 2, 1e-9)
        duration = length / mean
        return Profile((Phase(duration, first, (end - first) / duration),))
    up = (peak - start) / acceleration
    down = (peak - end) / acceleration
    ramps = (peak**2 - start**2 + peak**2 - end**2) / (2 * acceleration)
    phases = [
        *before,
        Phase(up, start, acceleration),
        Phase(max(rest - ramps, 0.0) / peak, peak, 0.0),
        Phase(down, peak, -acceleration),
    ]
    return Profile(tuple(phase for phase in phases if phase.duration > 0.0))


def brake(speed: float, acceleration: float) -> Profile:
    """Return the shortest motion that ends at rest."""
    if speed <= 0.0:
        return Profile(())
    return Profile((Phase(speed / acceleration, speed, -acceleration),))
