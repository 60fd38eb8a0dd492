"""A hotplate stirrer: a metal plate with a heater, a controller, a fan and a motor.

The controller moves the plate at a rate that falls off near the set temperature, and
the rate follows with a lag: 15 K/min on the way, a fraction of a kelvin too far, then
rest. Cooling is by the fan alone, exponential in the distance from the room. Rates and
times are assumed for a small plate on a metal block [A]. What the plate shows differs
from the truth by an offset of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

ROOM = 23.0
HEATING = 15.0 / 60.0
"""K/s at full power."""
COOLING_TIME = 300.0
"""Seconds in which the distance from the room falls to 37 %, with the fan."""
APPROACH = 30.0
LAG = 15.0
"""Seconds of the approach and of the heater's lag: damping 0.7, overshoot 0.3 K."""
STEP = 1.0
SPIN_UP = 3.0
"""Seconds in which the motor comes two thirds nearer to its set speed."""


@dataclass
class Plate:
    """State of one hotplate; temperatures in degC, speeds in rpm, times in s.

    Parameters
    ----------
    offset:
        What the display shows too much, in K.
    """

    offset: float = 0.0
    truth: float = ROOM
    rate: float = 0.0
    target: float = 0.0
    heating: bool = False
    dead: bool = False
    speed: float = 0.0
    target_speed: float = 0.0
    stirring: bool = False
    at: float = 0.0

    @property
    def shown(self) -> float:
        """What its own sensor says."""
        return self.truth + self.offset

    def advance(self, to: float) -> None:
        """Let time pass."""
        while self.at < to:
            step = min(STEP, to - self.at)
            self._heat(step)
            aim = self.target_speed if self.stirring else 0.0
            self.speed += (aim - self.speed) * min(1.0, step / SPIN_UP)
            self.at += step

    def _heat(self, step: float) -> None:
        loss = (ROOM - self.truth) / COOLING_TIME
        wanted = loss
        if self.heating and not self.dead:
            wanted = max(loss, min(HEATING, (self.target - self.shown) / APPROACH))
        self.rate += (wanted - self.rate) * min(1.0, step / LAG)
        self.rate = max(self.rate, min(loss, 0.0))
        self.truth += self.rate * step
