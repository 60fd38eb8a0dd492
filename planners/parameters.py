"""What may be varied: a number between bounds, a molecule, or a choice among names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

DIGITS = 4
"""Significant digits of a proposed number: finer than any instrument here can set."""
STEPPED = 9
"""Of one that comes in steps: a large whole number must stay one."""


def rounded(value: float, digits: int) -> float:
    """Return a number with so many significant digits."""
    return float(f"{value:.{digits}g}")


class SpaceError(ValueError):
    """A search space, or a candidate of it, that makes no sense; the text says why."""


@dataclass(frozen=True, slots=True)
class Caps:
    """An upper bound for each option of another parameter, in the unit of the real."""

    parameter: str
    highs: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Real:
    """A number from ``low`` to ``high`` in ``unit``, or to a lower cap.

    With ``steps`` it can only be one of so many plus one, equally far apart on its scale:
    seven steps from 1 to 8 are whole numbers. 0: any.
    """

    name: str
    low: float
    high: float
    unit: str
    scale: Literal["linear", "log"] = "linear"
    caps: Caps | None = None
    steps: int = 0

    def __post_init__(self) -> None:
        place = f"space.{self.name}"
        if self.steps < 0:
            raise SpaceError(f"{place}: {self.steps} steps, which must not be below 0")
        if self.scale not in ("linear", "log"):
            raise SpaceError(f"{place}: scale {self.scale!r} is not linear or log")
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise SpaceError(f"{place}: {self.low} to {self.high} is not finite")
        if self.scale == "log" and self.low <= 0:
            raise SpaceError(f"{place}: from {self.low:g} {self.unit}: "
                             "a log scale must begin above 0")  # fmt: skip
        if self.low >= self.high:
            raise SpaceError(f"{place}: from {self.low:g} to {self.high:g} {self.unit}"
                             " is empty: from must be below to")  # fmt: skip
        for option, high in self.caps.highs.items() if self.caps else ():
            if not high >= self.low:
                raise SpaceError(
                    f"{place}: {high:g} {self.unit} is the most for {option!r}, "
                    f"which must not be below {self.low:g} {self.unit}"
                )

    def value(self, position: float, high: float) -> float:
        """Return the number at a position from 0 (``low``) to 1 (``high``)."""
        position = min(max(position, 0.0), 1.0)
        if self.steps:
            position = round(position * self.steps) / self.steps
        exact = self.exact(position, high)
        digits = STEPPED if self.steps else DIGITS
        # Rounding must not step over a bound, which may have more digits than we keep.
        return float(min(max(rounded(exact, digits), self.low), high))

    def exact(self, position: float, high: float) -> float:
        """Return the number at a position, all its digits and whatever the steps."""
        if self.scale == "log":
            return float(self.low * (high / self.low) ** position)
        return self.low + position * (high - self.low)

    def allows(self, value: float, high: float) -> bool:
        """Return whether a number between the bounds is one of the steps."""
        if not self.steps:
            return True
        near = self.value(self.position(value, high), high)
        return math.isclose(near, value, rel_tol=1e-6, abs_tol=1e-9 * self.high)

    def position(self, value: float, high: float) -> float:
        """Return where a number lies between ``low`` (0) and ``high`` (1)."""
        if high <= self.low:
            return 0.0
        if self.scale == "log":
            if value <= 0:
                raise SpaceError(
                    f"space.{self.name}: {value:g} {self.unit}: "
                    "a log scale has no place for it, it must be above 0"
                )
            return math.log(value / self.low) / math.log(high / self.low)
        return (value - self.low) / (high - self.low)


@dataclass(frozen=True, slots=True)
class Molecule:
    """A choice among molecules; ``options`` gives the SMILES of each name.

    ``columns`` gives numbers of your own for each name, such as a computed pKa; they
    are told to the surrogate beside what follows from the SMILES.
    """

    name: str
    options: Mapping[str, str]
    columns: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        place = f"space.{self.name}"
        if not self.options:
            raise SpaceError(f"{place}: no molecule to choose from")
        if not self.columns:
            return
        width = len(next(iter(self.columns.values())))
        for option in self.options:
            row = self.columns.get(option)
            if row is None:
                raise SpaceError(f"{place}: no columns for {option!r}")
            if len(row) != width or not all(map(math.isfinite, row)):
                raise SpaceError(
                    f"{place}: columns of {option!r} are {row}, which must be "
                    f"{width} finite numbers"
                )


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice among names that have nothing in common but the list.

    Unless they are ``ordered``: then neighbours in the list are more alike.
    """

    name: str
    options: tuple[str, ...]
    ordered: bool = False

    def __post_init__(self) -> None:
        if not self.options:
            raise SpaceError(f"space.{self.name}: no option to choose from")
        if len(set(self.options)) < len(self.options):
            raise SpaceError(f"space.{self.name}: an option is named twice")


Parameter = Real | Molecule | Choice
