"""What a controller keeps at a temperature: a circulating bath, or the air of an oven.

The controller moves the temperature at a rate that falls off near the set point, within
what heater and cooler can do, and the rate follows with a lag: a constant rate on the
way, a fraction of a kelvin too far, then rest. What leaks to the room is made up for, as
long as there is power. Rates and times are assumed [A] for the machine that uses it. What
it shows differs from the truth by an offset of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

STEP = 1.0


@dataclass
class Bath:
    """State of one; temperatures in degC, rates in K/s, times in s.

    Parameters
    ----------
    heating, cooling:
        Rate at full power, without loss to the room; ``cooling`` 0 has no cooler.
    leak:
        Time in which the distance from the room falls to 37 % when it is left alone.
    approach:
        Distance from the set point in seconds of the present rate.
    lag:
        Time in which the rate follows.
    offset:
        What its sensor shows too much, in K.
    """

    heating: float
    cooling: float
    leak: float
    approach: float = 60.0
    lag: float = 20.0
    room: float = 23.0
    offset: float = 0.0
    truth: float = 23.0
    rate: float = 0.0
    target: float = 23.0
    running: bool = False
    dead: bool = False
    at: float = 0.0

    @property
    def shown(self) -> float:
        """What its sensor says."""
        return self.truth + self.offset

    @property
    def loss(self) -> float:
        """The rate at which it drifts when it is left alone."""
        return (self.room - self.truth) / self.leak

    @property
    def power(self) -> float:
        """What the controller asks for, from -1 (cooling) to 1 (heating)."""
        if not self.running:
            return 0.0
        wanted = (self.target - self.shown) / self.approach - self.loss
        return max(
            -1.0 if self.cooling else 0.0,
            min(1.0, wanted / (self.heating if wanted > 0.0 else self.cooling or 1.0)),
        )

    def advance(self, to: float) -> None:
        """Let time pass."""
        while self.at < to:
            step = min(STEP, to - self.at)
            power = 0.0 if self.dead else self.power
            full = self.heating if power > 0.0 else self.cooling
            drive = power * full
            self.rate += (drive - self.rate) * min(1.0, step / self.lag)
            self.truth += (self.rate + self.loss) * step
            self.at += step
