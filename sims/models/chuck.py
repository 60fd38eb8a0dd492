"""A motor with a chuck: how fast it turns, and where it stands.

Turns and seconds. The motor follows a speed with a given acceleration, or coasts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sims.models.trapezoid import Profile, travel

if TYPE_CHECKING:
    from sims.bench import Bench, Timer

COAST = 5.0
"""Turns/s² that friction takes off."""
STEADY = 0.2
"""A plateau lasts at least so many seconds."""
STILL = 1e-6


@dataclass(frozen=True, slots=True)
class Plateau:
    """A while at one speed."""

    speed: float
    seconds: float


class Chuck:
    """The moving part.

    Parameters
    ----------
    bench:
        Whose time is used.
    started, rested:
        Called when the chuck begins to turn, and when it is at rest again, with the
        plateaus in between.
    overspeed:
        Called when the speed passes `highest`.
    """

    def __init__(
        self,
        bench: Bench,
        started: Callable[[], None],
        rested: Callable[[list[Plateau]], None],
        overspeed: Callable[[], None],
    ) -> None:
        self.bench = bench
        self.started, self.rested, self.overspeed = started, rested, overspeed
        self.highest = math.inf
        self.spinning = False
        self.plateaus: list[Plateau] = []
        self._since = bench.now
        self._place = 0.0
        self._speed = 0.0
        self._goal = 0.0
        self._rate = COAST
        self._walk: tuple[Profile, float] | None = None
        self._timers: list[Timer] = []

    def state(self) -> tuple[float, float]:
        """Return turns and turns/s."""
        t = self.bench.now - self._since
        if self._walk is not None:
            profile, sign = self._walk
            way, speed = profile.at(t)
            return self._place + sign * way, sign * speed
        ramp = abs(self._goal - self._speed) / self._rate
        sign = math.copysign(1.0, self._goal - self._speed)
        if t < ramp:
            way = self._speed * t + 0.5 * sign * self._rate * t * t
            return self._place + way, self._speed + sign * self._rate * t
        way = 0.5 * (self._speed + self._goal) * ramp + self._goal * (t - ramp)
        return self._place + way, self._goal

    def drive(self, speed: float, rate: float) -> None:
        """Go to a speed, turns/s, with an acceleration, turns/s²."""
        self._settle()
        self._goal, self._rate = speed, max(rate, STILL)
        self._plan()

    def coast(self) -> None:
        """Let it run out."""
        self.drive(0.0, COAST)

    def turn_to(self, place: float, top: float, rate: float) -> None:
        """Go to an angle and stand there."""
        self._settle()
        length = abs(place - self._place)
        profile = travel(length, top, rate, abs(self._speed))
        self._walk = profile, math.copysign(1.0, place - self._place)
        self._timers.append(self.bench.later(profile.duration, self._stand))

    def guard(self, highest: float) -> None:
        """Watch for a speed above ``highest``."""
        self.highest = highest
        if self._walk is None:
            self.drive(self._goal, self._rate)

    def _stand(self) -> None:
        self._settle()
        self._speed = self._goal = 0.0
        self._walk = None

    def _settle(self) -> None:
        """Begin a new stretch from here, and count the plateau that ends."""
        ramp = abs(self._goal - self._speed) / self._rate
        steady = self.bench.now - self._since - ramp
        if self._walk is None and abs(self._goal) > STILL and steady >= STEADY:
            self.plateaus = joined(self.plateaus, Plateau(self._goal, steady))
        self._place, self._speed = self.state()
        self._since = self.bench.now
        self._walk = None
        for timer in self._timers:
            timer.cancel()
        self._timers = []

    def _plan(self) -> None:
        """Set timers for what this stretch brings about."""
        later = self.bench.later
        if abs(self._goal) > STILL and not self.spinning:
            self.spinning = True
            self.started()
        if abs(self._goal) <= STILL and self.spinning:
            self._timers.append(later(abs(self._speed) / self._rate, self._at_rest))
        if abs(self._goal) > self.highest and abs(self._goal) > abs(self._speed):
            ahead = max(self.highest - abs(self._speed), 0.0) / self._rate
            self._timers.append(later(ahead, self.overspeed))

    def _at_rest(self) -> None:
        self._settle()
        self._speed = self._goal = 0.0
        self.spinning = False
        plateaus, self.plateaus = self.plateaus, []
        self.rested(plateaus)


def joined(plateaus: list[Plateau], fresh: Plateau) -> list[Plateau]:
    """Return plateaus with a fresh one, as one with the last if at its speed."""
    if plateaus and abs(plateaus[-1].speed - fresh.speed) < STILL:
        seconds = plateaus[-1].seconds + fresh.seconds
        return [*plateaus[:-1], Plateau(fresh.speed, seconds)]
    return [*plateaus, fresh]
