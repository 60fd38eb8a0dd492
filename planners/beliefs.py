"""What an engineer believes beforehand of where the best is.

Plain frozen values. A belief says how many times as likely the best is here as elsewhere;
it is never more than so sure, and what is measured outweighs it in time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from planners.baseline import draw
from planners.cost import refuse_unknown
from planners.data import Candidate
from planners.question import Asked, SpaceExhausted
from planners.space import Space, SpaceError

FLOOR = 0.05
"""What is left of a belief far from where the best is believed to be."""

FEW = 64
"""Of how many random candidates one is drawn by what is believed of them."""


@dataclass(frozen=True, slots=True)
class Near:
    """The best is near ``value``, within one standard deviation ``within``."""

    value: float
    within: float


@dataclass(frozen=True, slots=True)
class Beliefs:
    """Where the best is believed to be, parameter by parameter.

    Parameters
    ----------
    numbers:
        By the name of the real, in its unit.
    options:
        By the name of the choice: how many times as likely each is as what is not named.

    Raises
    ------
    SpaceError
        If a width or an odds is not above 0.
    """

    numbers: Mapping[str, Near] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, near in self.numbers.items():
            if not (near.within > 0.0 and math.isfinite(near.value + near.within)):
                raise SpaceError(
                    f"beliefs: {name}: within {near.within:g}, not above 0"
                )
        for name, odds in self.options.items():
            for option, one in odds.items():
                if not (one > 0.0 and math.isfinite(one)):
                    raise SpaceError(f"beliefs: {name}: {option}: {one:g}, not above 0")

    def check(self, space: Space) -> None:
        """Refuse what names no real, no choice or no option of a space."""
        reals = {real.name for real in space.reals}
        for name in self.numbers:
            if name not in reals:
                raise SpaceError(f"beliefs: {name} is not a number of the space")
        refuse_unknown("beliefs", self.options, space)

    def of(self, candidate: Candidate, space: Space) -> float:
        """Return how likely the best is there, 1 where all numbers are as believed.

        A parameter that does not count in the candidate has no part in it.
        """
        values = candidate.values
        resting = space.resting(values)
        found = 1.0
        for name, near in self.numbers.items():
            if name not in resting:
                z = (float(values[name]) - near.value) / near.within
                found *= FLOOR + (1.0 - FLOOR) * math.exp(-0.5 * min(z * z, 1e3))
        for name, odds in self.options.items():
            if name not in resting:
                found *= odds.get(str(values[name]), 1.0)
        return found

    def draw(
        self,
        space: Space,
        listed: Sequence[Candidate],
        rng: np.random.Generator,
        asked: Asked,
    ) -> Candidate:
        """Draw a candidate that was not asked for, the more likely the more believed.

        Of all that can be made, if they are listed, or else of a few random ones.
        """
        some = [one for one in listed if one not in asked]
        if listed and not some:
            raise SpaceExhausted("space: all candidates were asked for")
        if not listed:
            some = [draw(space, rng, asked) for _ in range(FEW)]
        weights = np.array([self.of(one, space) for one in some])
        return some[int(rng.choice(len(some), p=weights / weights.sum()))]
