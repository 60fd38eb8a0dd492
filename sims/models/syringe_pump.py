"""A syringe on a distribution valve.

The plunger's place is counted in strokes, 0 at the top; speeds are in pulses/s, 6000
to the stroke at either resolution; volumes in uL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sims.models.trapezoid import Profile, travel
from sims.world import add, shares

if TYPE_CHECKING:
    from sims.bench import Bench, Timer

PULSES = 6000.0
SLOPE = 2500.0
"""Pulses/s² of slope 1."""
DETENT = 0.15
"""Seconds from one port of the valve to the next."""
PRESETS = (
    *(6000, 5600, 5000, 4400, 3800, 3200, 2600, 2200, 2000, 1800, 1600, 1400, 1200),
    *(1000, 800, 600, 400, 200, 190, 180, 170, 160, 150, 140, 130, 120, 110, 100, 90),
    *(80, 70, 60, 50, 40, 30, 20, 18, 16, 14, 12, 10),
)
"""Top speeds of the codes S0 to S40, pulses/s."""


class SyringePump:
    """Plunger, valve and what is in the syringe.

    Parameters
    ----------
    bench:
        Time, and where liquids come from and go to.
    name:
        In whose journal the events go.
    volume:
        Of the syringe, uL.
    outlets:
        What is connected to which port of the valve; nothing else but air.
    ports:
        How many ports the valve has.
    """

    def __init__(
        self,
        bench: Bench,
        name: str,
        volume: float,
        outlets: Mapping[int, str],
        ports: int,
    ) -> None:
        self.bench = bench
        self.name = name
        self.volume = volume
        self.outlets = outlets
        self.ports = ports
        self.port = 1
        self.forget_speeds()
        self.contents: dict[str, float] = {}
        self.plunger_moves = self.valve_moves = 0
        self._place = 0.0
        self._target = 0.0
        self._profile = Profile(())
        self._began = 0.0
        self._timer: Timer | None = None
        self._then: Callable[[], None] = lambda: None

    def forget_speeds(self) -> None:
        """Have the speeds and the slope that the pump has when power comes on."""
        self.start_speed, self.top_speed, self.cut_off, self.slope = 900, 1400, 900, 14

    def stand(self, place: float, port: int, contents: Mapping[str, float]) -> None:
        """Stand where another life of the bench left the pump."""
        self._place, self.port, self.contents = place, port, dict(contents)

    @property
    def place(self) -> float:
        """Where the plunger is, in strokes."""
        if self._timer is None:
            return self._place
        way = self._profile.at(self.bench.now - self._began)[0] / PULSES
        down = self._target >= self._place
        return (
            min(self._place + way, self._target)
            if down
            else max(self._place - way, self._target)
        )

    def move(self, target: float, then: Callable[[], None]) -> None:
        """Move the plunger; call ``then`` when it has arrived."""
        self._target, self._then = target, then
        self.plunger_moves += 1
        self._go(min(self.start_speed, self.top_speed))

    def hurry(self) -> None:
        """Go on at another top speed."""
        if self._timer is not None:
            speed = self._profile.at(self.bench.now - self._began)[1]
            self._settle()
            self._go(max(speed, min(self.start_speed, self.top_speed)))

    def stop(self) -> None:
        """Stop the plunger where it is."""
        self._settle()

    def turn(self, port: int, *, clockwise: bool) -> float:
        """Turn the valve; return the seconds that it takes."""
        way = (port - self.port) if clockwise else (self.port - port)
        self.port = port
        self.valve_moves += 1
        return DETENT * (way % self.ports) + 0.05

    def _go(self, speed: float) -> None:
        up = self._target < self._place
        end = min(self.cut_off if up else self.start_speed, self.top_speed)
        length = abs(self._target - self._place) * PULSES
        slope = self.slope * SLOPE
        self._profile = travel(length, self.top_speed, slope, speed, end)
        self._began = self.bench.now
        self._timer = self.bench.later(self._profile.duration, self._arrive)

    def _arrive(self) -> None:
        self._settle(self._target)
        self._then()

    def _settle(self, place: float | None = None) -> None:
        """Stand, and let the liquid follow the plunger."""
        if self._timer is None:
            return
        here = self.place if place is None else place
        self._timer.cancel()
        self._timer = None
        moved = (here - self._place) * self.volume
        self._place = here
        outlet = self.outlets.get(self.port, f"port {self.port}")
        if moved > 0.0:
            add(self.contents, self.bench.world.draw(outlet, moved, self.name))
        elif moved < 0.0:
            there = sum(self.contents.values())
            parts = shares(self.contents, min(-moved, there)) if there > 0.0 else {}
            for liquid, part in parts.items():
                self.contents[liquid] -= part
            if here <= 0.0:
                self.contents = {}
            self.bench.world.give(outlet, parts, self.name)
