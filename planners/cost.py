"""What a trial costs: a sum that every trial, every number and every option adds to.

Plain frozen values, in one unit of any kind: minutes of the lab, or what a bottle costs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from planners.data import Candidate
from planners.space import Space, SpaceError

Loaded = frozenset[tuple[str, str]]
"""The choices and options that a trial has used already."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So much for each unit of a real beyond ``origin``, in the unit of the real."""

    each: float
    origin: float = 0.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What a trial costs, in ``unit``. What does not count in a candidate costs nothing.

    Parameters
    ----------
    unit:
        Of all of it.
    each:
        What every trial costs, above 0: a gain is divided by its root.
    per:
        What a real adds, by its name.
    options:
        What an option adds each time, by the name of the choice.
    first:
        What it adds once, until a trial has used it: a bottle to be loaded.

    Raises
    ------
    SpaceError
        If ``each`` is not above 0, or another is below 0.
    """

    unit: str
    each: float
    per: Mapping[str, Rate] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    first: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (self.each > 0.0 and math.isfinite(self.each)):
            raise SpaceError(f"cost: each is {self.each:g} {self.unit}, not above 0")
        for name, one in self._parts():
            if not (one >= 0.0 and math.isfinite(one)):
                raise SpaceError(f"cost: {name}: {one:g} must be 0 or more")

    def __str__(self) -> str:
        """Return it in a line."""
        said = [f"{self.each:g} {self.unit} each"]
        said += [f"{name} {one:g} {self.unit}" for name, one in self._parts()]
        return ", ".join(said)

    def _parts(self) -> Iterator[tuple[str, float]]:
        for name, rate in self.per.items():
            yield f"per unit of {name}", rate.each
        for word, table in (("", self.options), ("first ", self.first)):
            for name, costs in table.items():
                for option, one in costs.items():
                    yield f"{word}{name} {option}", one

    def shared(self, trials: float) -> Cost:
        """Return the cost if so many trials share what is paid once."""
        first = {
            name: {option: one / trials for option, one in costs.items()}
            for name, costs in self.first.items()
        }
        return replace(self, first=first)

    def check(self, space: Space) -> None:
        """Refuse what names no real, no choice or no option of a space.

        Raises
        ------
        SpaceError
            By the name.
        """
        reals = {real.name: real for real in space.reals}
        for name, rate in self.per.items():
            if name not in reals:
                raise SpaceError(f"cost: {name} is not a number of the space")
            if rate.origin > reals[name].low:
                low = f"{reals[name].low:g} {reals[name].unit}"
                raise SpaceError(f"cost: {name} may be {low}, which costs less than 0")
        refuse_unknown("cost", self.options, space)
        refuse_unknown("cost", self.first, space)

    def of(
        self, candidate: Candidate, space: Space, loaded: Loaded = frozenset()
    ) -> float:
        """Return what a candidate costs, some options having been used before."""
        values = candidate.values
        resting = space.resting(values)
        total = [self.each]
        for name, rate in self.per.items():
            if name not in resting:
                total.append(rate.each * max(float(values[name]) - rate.origin, 0.0))
        for choice in space.choices:
            name, option = choice.name, str(values[choice.name])
            if name not in resting:
                total.append(self.options.get(name, {}).get(option, 0.0))
                if (name, option) not in loaded:
                    total.append(self.first.get(name, {}).get(option, 0.0))
        return math.fsum(total)


def loaded_by(candidates: Iterable[Candidate], space: Space) -> Loaded:
    """Return the options that some candidates use."""
    names = [choice.name for choice in space.choices]
    return frozenset(
        (name, str(one.values[name]))
        for one in candidates
        for name in set(names) - space.resting(one.values).keys()
    )


def refuse_unknown(
    key: str, tables: Mapping[str, Mapping[str, float]], space: Space
) -> None:
    """Refuse what names no choice of a space, or not one of its options."""
    options = {choice.name: choice.options for choice in space.choices}
    for name, table in tables.items():
        if name not in options:
            raise SpaceError(f"{key}: {name} is not a choice of the space")
        for option in table:
            if option not in options[name]:
                raise SpaceError(f"{key}: {name}: {option!r} is not among its options")
