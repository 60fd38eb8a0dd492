r"""Several measured quantities as one number from 0, of no use, to 1, all that one wants.

Each quantity has a desirability of its own, and that of the whole is their weighted
geometric mean [1]_,

.. math:: D = \prod_q d_q^{w_q / \sum w}

so that what is useless in one respect is useless. With :math:`u` the position of a value
between its useless and its ideal bound (of logarithms on a log scale), none beyond either,
:math:`d = u^r` with an exponent :math:`r` of one's choice.

Pure arithmetic, and the only place of it: the hall, the front and the planner ask here.

References
----------
.. [1] G. Derringer and R. Suich, J. Qual. Technol. 12, 214-219 (1980),
   10.1080/00224065.1980.11980968.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from planners.data import Estimate, Objective

NAME = "desirability"

Ramp = tuple[float, float]
"""From what is useless to what is ideal, in the unit of the quantity."""


@dataclass(frozen=True, slots=True)
class Desire:
    """How desirable a quantity is, of which one wants much, little, or something between.

    Parameters
    ----------
    name, unit:
        Of the measured quantity.
    ramps:
        One, or two of which the first rises and the second falls: between their ideals
        all is ideal.
    scale:
        On which the ramps are straight.
    weight:
        Of this quantity in the mean of all.
    exponent:
        Above 1 what is nearly ideal counts for more, below 1 what is barely of use.

    Raises
    ------
    ValueError
        If that is no desire.
    """

    name: str
    unit: str
    ramps: tuple[Ramp, ...]
    scale: Literal["linear", "log"] = "linear"
    weight: float = 1.0
    exponent: float = 1.0

    def __post_init__(self) -> None:
        bounds = [bound for ramp in self.ramps for bound in ramp]
        if self.scale == "log" and min(bounds) <= 0.0:
            raise ValueError("bounds on a log scale must be above 0")
        for useless, ideal in self.ramps:
            if useless == ideal:
                raise ValueError("useless and ideal must differ")
        if not math.isfinite(max(bounds) - min(bounds)):
            raise ValueError("useless and ideal are too far apart")
        if len(self.ramps) > 1:
            (low, first), (high, last) = self.ramps
            if len(self.ramps) > 2 or not low < first <= last < high:
                raise ValueError("what is ideal must be between two useless bounds")
        for name in ("weight", "exponent"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be above 0")

    @property
    def quantity(self) -> Objective:
        """The quantity as an objective: what is wanted between bounds counts upwards."""
        useless, ideal = self.ramps[0]
        up = len(self.ramps) > 1 or useless < ideal
        return Objective(
            self.name, self.unit, "maximise" if up else "minimise", self.scale
        )

    @property
    def scaled(self) -> tuple[Ramp, ...]:
        """The ramps on the scale: in decades, if that is logarithmic."""
        if self.scale == "linear":
            return self.ramps
        return tuple((math.log10(a), math.log10(b)) for a, b in self.ramps)

    def share(self, values: Any) -> np.ndarray:
        """Return the desirability of values on the scale, of any shape."""
        places = (
            np.clip((values - useless) / (ideal - useless), 0.0, 1.0)
            for useless, ideal in self.scaled
        )
        return np.asarray(np.minimum.reduce([*places]) ** self.exponent)

    def on_scale(self, one: Estimate) -> tuple[float, float]:
        """Return an estimate's value and uncertainty on the scale; NaN if it has none."""
        if self.scale == "linear":
            return one.value, one.std
        if not one.value > 0.0:
            return math.nan, math.nan
        return math.log10(one.value), one.std / (one.value * math.log(10.0))


@dataclass(frozen=True, slots=True)
class Desirability(Objective):
    """An objective that is worked out from the estimates of several quantities."""

    name: str = NAME
    unit: str = "1"
    desires: tuple[Desire, ...] = ()

    def combined(self, shares: Sequence[Any]) -> np.ndarray:
        """Return the weighted geometric mean of desirabilities, one for each quantity."""
        powers = self.powers
        parts = [d**power for d, power in zip(shares, powers, strict=True)]
        return np.asarray(np.multiply.reduce(parts))

    @property
    def powers(self) -> list[float]:
        """The weight of each quantity, as a part of all weights."""
        total = math.fsum(one.weight for one in self.desires)
        return [one.weight / total for one in self.desires]

    def shares(self, estimates: Mapping[str, Estimate]) -> dict[str, float]:
        """Return the desirability of each quantity by itself."""
        return {
            one.name: float(one.share(one.on_scale(estimates[one.name])[0]))
            for one in self.desires
        }

    def of(self, estimates: Mapping[str, Estimate]) -> Estimate:
        """Return the desirability of what was measured, with its standard uncertainty.

        Quantities count as independent. What one of them adds is half of the difference
        that one standard uncertainty more and less of it make, so that a value near the
        end of a ramp is not taken for certain.
        """
        shares = list(self.shares(estimates).values())
        square = 0.0
        for i, one in enumerate(self.desires):
            value, std = one.on_scale(estimates[one.name])
            more, less = (
                self.combined([*shares[:i], one.share(end), *shares[i + 1 :]])
                for end in (value + std, value - std)
            )
            square += float(more - less) ** 2 / 4.0
        return Estimate(float(self.combined(shares)), math.sqrt(square))


def quantities(objectives: Sequence[Objective]) -> tuple[Objective, ...]:
    """Return what has to be measured for objectives: themselves, or what they are made of."""
    found: list[Objective] = []
    for one in objectives:
        if isinstance(one, Desirability):
            found += [desire.quantity for desire in one.desires]
        else:
            found.append(one)
    return tuple(found)


def worked_out(
    estimates: Mapping[str, Estimate], objectives: Sequence[Objective]
) -> dict[str, Estimate]:
    """Return estimates of quantities, and of what objectives are made of them."""
    more = {
        one.name: one.of(estimates)
        for one in objectives
        if isinstance(one, Desirability)
    }
    return {**estimates, **more}


def objective_of(data: Mapping[str, Any]) -> Objective:
    """Return an objective from the plain values that `dataclasses.asdict` made of it."""
    if "desires" not in data:
        return Objective(**data)
    desires = tuple(
        Desire(**{**one, "ramps": tuple(map(tuple, one["ramps"]))})
        for one in data["desires"]
    )
    return Desirability(**{**data, "desires": desires})
