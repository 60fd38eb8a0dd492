"""What a plan is told of the lab: where things are, and which liquids to take.

Lengths in mm in machine coordinates; volumes in uL.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

Position = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Place:
    """A slot, where the closed gripper finds a sample, or a vial, where the needle dips."""

    name: str
    x: float
    y: float
    z: float

    @property
    def at(self) -> Position:
        """The place as a position."""
        return self.x, self.y, self.z


@dataclass(frozen=True, slots=True)
class Portion:
    """A volume (uL) of a liquid from a vial, or from a named port of a pump's valve."""

    liquid: str
    source: Place | str
    volume: float


def rounds(portions: tuple[Portion, ...], most: float) -> list[tuple[Portion, ...]]:
    """Return portions that fit in ``most`` uL at a time, each with the same proportions.

    Examples
    --------
    >>> twice = rounds((Portion("water", "water", 900.0), Portion("ink", "ink", 300.0)), 1000.0)
    >>> [[portion.volume for portion in one] for one in twice]
    [[450.0, 150.0], [450.0, 150.0]]
    """
    total = sum(portion.volume for portion in portions)
    # A hair more than full is full: sums of decimals are not exact.
    count = max(1, -int(-(total / most - 1e-9) // 1))
    share = tuple(
        replace(portion, volume=portion.volume / count)
        for portion in portions
        if portion.volume > 0.0
    )
    return [share] * count if share else []
