"""What a GRBL controller keeps in its EEPROM: ``$x`` by number and two start-up blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sims.models.gcode import Refused
from sims.spec import Position

WHOLE = {0, 1, 2, 3, 4, 5, 6, 10, 13, 20, 21, 22, 23, 26, 32}
SHORTEST_PULSE = 3


class Settings:
    """The EEPROM, and what its numbers say of the axes.

    Parameters
    ----------
    size:
        Travel of each axis, mm.
    changed:
        What is not as it left the factory.
    """

    def __init__(self, size: Position, changed: Mapping[int, float]) -> None:
        self.size = size
        self.values = factory_settings(size)
        self.values.update(changed)
        self.blocks = {"N0": "", "N1": ""}

    def __getitem__(self, number: int) -> float:
        return self.values[number]

    def restore(self) -> None:
        """Go back to what the factory set."""
        self.values = factory_settings(self.size)

    def write(self, key: str, text: str) -> None:
        """Take ``$key=text``, or refuse it."""
        try:
            number, value = int(key), float(text)
        except ValueError:
            raise Refused(2) from None
        if value < 0.0:
            raise Refused(4)
        if number not in self.values:
            raise Refused(3)
        if number == 0 and value < SHORTEST_PULSE:
            raise Refused(6)
        if number == 20 and value and not self.values[22]:
            raise Refused(10)
        self.values[number] = value
        if number == 22 and not value:
            self.values[20] = 0.0

    def lines(self) -> list[str]:
        """Return the answer to ``$$``."""
        return [
            f"${key}={value:.0f}" if key in WHOLE else f"${key}={value:.3f}"
            for key, value in self.values.items()
        ]

    def outside(self, at: Position) -> bool:
        """Return whether a place is beyond the soft limits, if they are on."""
        travels = zip(at, (130, 131, 132), strict=True)
        return bool(self.values[20]) and any(
            not -self.values[key] <= one <= 0.0 for one, key in travels
        )

    def far(self, axis: int) -> bool:
        """Return whether an axis homes towards its far, negative end."""
        return bool(int(self.values[23]) >> axis & 1)

    def along(self, unit: Sequence[float]) -> tuple[float, float]:
        """Return the highest speed, mm/s, and acceleration along a unit vector."""
        axes = [(axis, share) for axis, share in enumerate(unit) if share]
        return (
            float(min(self.values[110 + axis] / 60 / share for axis, share in axes)),
            float(min(self.values[120 + axis] / share for axis, share in axes)),
        )

    def around(self, axes: Sequence[int]) -> tuple[float, float]:
        """Return the speed, mm/s, and acceleration of an arc in the plane of two axes."""
        rate = min(self.values[110 + axis] for axis in axes)
        return rate / 60, min(self.values[120], self.values[121])


def factory_settings(size: Position) -> dict[int, float]:
    """Return ``$x`` by number."""
    values: dict[int, float] = dict.fromkeys(
        (2, 3, 4, 5, 6, 13, 20, 21, 23, 31, 32), 0.0
    )
    values |= {0: 10, 1: 25, 10: 1, 11: 0.01, 12: 0.002, 22: 1, 24: 50, 25: 3000}
    values |= {26: 250, 27: 1.0, 30: 1000.0, 100: 80.0, 101: 80.0, 102: 400.0}
    values |= {110: 15000.0, 111: 15000.0, 112: 6000.0, 120: 1000.0, 121: 1000.0}
    values |= {122: 500.0, 130: size[0], 131: size[1], 132: size[2]}
    return dict(sorted(values.items()))
