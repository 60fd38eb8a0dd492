"""The search space: what may be varied, between which bounds, in which unit.

Pure and cheap to import. A parameter is a `Real`, a `Molecule` or a `Choice`; the
upper bound of a real may depend on what was chosen for another (`Caps`): no solution
can be stronger than the stock it is made from. Where only certain candidates can be
made at all, they are listed (`Space.pool`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

from planners.data import Candidate, Value

DIGITS = 4
"""Significant digits of a proposed number: finer than any instrument here can set."""
STEPPED = 9
"""Of one that comes in steps: a large whole number must stay one."""


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
        if self.scale == "log":
            exact = self.low * (high / self.low) ** position
        else:
            exact = self.low + position * (high - self.low)
        digits = STEPPED if self.steps else DIGITS
        # Rounding must not step over a bound, which may have more digits than we keep.
        return float(min(max(float(f"{exact:.{digits}g}"), self.low), high))

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


@dataclass(frozen=True, slots=True)
class Space:
    """All parameters of a campaign, in order.

    ``pool`` lists the candidates that can be made, if not every one can: the rows of a
    table, the bottles on a shelf.
    """

    parameters: tuple[Parameter, ...]
    pool: tuple[Candidate, ...] = ()

    def __post_init__(self) -> None:
        if not self.parameters:
            raise SpaceError("space: no parameter to vary")
        names = [parameter.name for parameter in self.parameters]
        for name in names:
            if names.count(name) > 1:
                raise SpaceError(f"space.{name}: named twice")
        options = {choice.name: choice.options for choice in self.choices}
        for real in self.reals:
            if real.caps is None:
                continue
            if real.caps.parameter not in options:
                raise SpaceError(
                    f"space.{real.name}: its most depends on {real.caps.parameter!r}, "
                    "which must be a molecule or a choice of this space"
                )
            for option in options[real.caps.parameter]:
                if option not in real.caps.highs:
                    raise SpaceError(f"space.{real.name}: no most for {option!r}")
        for row, candidate in enumerate(self.pool, 1):
            if wrong := self.check(candidate):
                raise SpaceError(f"space.pool: row {row}: {'; '.join(wrong)}")

    @property
    def reals(self) -> tuple[Real, ...]:
        """The numbers among the parameters."""
        return tuple(p for p in self.parameters if isinstance(p, Real))

    @property
    def choices(self) -> tuple[Molecule | Choice, ...]:
        """The molecules and choices among the parameters."""
        return tuple(p for p in self.parameters if not isinstance(p, Real))

    def combinations(self) -> Iterator[dict[str, str]]:
        """Yield every combination of the options, in the order of the space."""
        names = [choice.name for choice in self.choices]
        for options in product(*(choice.options for choice in self.choices)):
            yield dict(zip(names, options, strict=True))

    def every(self) -> Iterator[Candidate]:
        """Yield every candidate, if there are but so many: of a number, its steps.

        A number that may be any is in the middle.
        """
        grids = [
            [k / real.steps for k in range(real.steps + 1)] if real.steps else [0.5]
            for real in self.reals
        ]
        names = [real.name for real in self.reals]
        for options in self.combinations():
            for positions in product(*grids):
                placed = dict(zip(names, positions, strict=True))
                yield self.candidate(placed, options)

    def listed(self, most: int) -> tuple[Candidate, ...]:
        """Return all that can be made, if numbers come in steps and it is not too much."""
        if self.pool:
            return self.pool
        count = math.prod(len(choice.options) for choice in self.choices)
        count *= math.prod(real.steps + 1 for real in self.reals)
        stepped = bool(self.reals) and all(real.steps for real in self.reals)
        if not stepped or count > most:
            return ()
        # Below a low cap, steps may fall together.
        return tuple({one.id: one for one in self.every()}.values())

    def high(self, name: str, values: Mapping[str, Value]) -> float:
        """Return the upper bound of a real, given what else was chosen, in its unit."""
        real = next(real for real in self.reals if real.name == name)
        if real.caps is None:
            return real.high
        return min(real.high, real.caps.highs[str(values[real.caps.parameter])])

    def candidate(
        self, positions: Mapping[str, float], options: Mapping[str, str]
    ) -> Candidate:
        """Return the candidate with reals at these positions (0 to 1) and options."""
        return Candidate(
            {
                p.name: p.value(positions[p.name], self.high(p.name, options))
                if isinstance(p, Real)
                else str(options[p.name])
                for p in self.parameters
            }
        )

    def positions(self, candidate: Candidate) -> dict[str, float]:
        """Return where the reals of a candidate lie; 0 to 1 if it is in the space."""
        values = candidate.values
        return {
            real.name: real.position(
                float(values[real.name]), self.high(real.name, values)
            )
            for real in self.reals
        }

    def check(self, candidate: Candidate) -> list[str]:
        """Return what keeps a candidate out of the space; empty if nothing does."""
        values = candidate.values
        names = {parameter.name for parameter in self.parameters}
        wrong = [f"{name}: not a parameter" for name in values if name not in names]
        for choice in self.choices:
            option = values.get(choice.name)
            if not isinstance(option, str) or option not in choice.options:
                wrong.append(f"{choice.name}: {option!r} is not among its options")
        if wrong:
            return wrong
        for real in self.reals:
            value = values.get(real.name)
            high = self.high(real.name, values)
            if not isinstance(value, float | int) or isinstance(value, bool):
                wrong.append(f"{real.name}: {value!r} is not a number")
            elif not real.low <= value <= high:
                # Whole numbers may be too large to be shown as floats.
                shown = f"{value:g}" if not abs(value) > 1e300 else "a huge number of"
                wrong.append(
                    f"{real.name}: {shown} {real.unit} is outside "
                    f"{real.low:g} to {high:g} {real.unit}"
                )
            elif not real.allows(float(value), high):
                wrong.append(
                    f"{real.name}: {value:g} {real.unit} is none of the {real.steps} "
                    f"steps from {real.low:g} to {high:g} {real.unit}"
                )
        return wrong
