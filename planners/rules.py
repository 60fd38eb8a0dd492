"""Rules between parameters: bounded sums, what must never meet, what counts only if.

Plain frozen values that can say whether a candidate breaks them; where the numbers may
then lie is worked out in `planners.regions`. A mixture is a `Linear` rule whose lower
bound is its upper one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from planners.data import Value

TOLERANCE = 2e-4
"""Of its size, by how much a sum may miss its bound: 33.33 + 33.33 + 33.33 is 100.

It is for numbers typed from a label. What is proposed has nine digits of the sum.
"""


@dataclass(frozen=True, slots=True)
class Linear:
    """``low`` <= sum of coefficient times value <= ``high``, in ``unit``.

    Each value is in the unit of its own real, and its coefficient takes it to ``unit``.
    """

    coefficients: Mapping[str, float]
    unit: str
    low: float = -math.inf
    high: float = math.inf

    def __str__(self) -> str:
        """Return the sum as people write it."""
        text = ""
        for name, one in self.coefficients.items():
            sign = " - " if one < 0 else " + "
            text += f"{sign}{'' if abs(one) == 1 else f'{abs(one):g} '}{name}"
        return text.removeprefix(" + ").strip()

    def broken(self, values: Mapping[str, Value]) -> str:
        """Return how a candidate breaks it; empty if it does not."""
        terms = [c * float(values[name]) for name, c in self.coefficients.items()]
        total, size = math.fsum(terms), math.fsum(map(abs, terms))
        for bound, missed, word in (
            (self.low, self.low - total, "below"),
            (self.high, total - self.high, "above"),
        ):
            if math.isfinite(bound) and missed > TOLERANCE * max(abs(bound), size):
                word = "not" if self.low == self.high else word
                return f"{self}: {total:.6g} {self.unit} is {word} {bound:g} {self.unit}"
        return ""


@dataclass(frozen=True, slots=True)
class Span:
    """The numbers ``above`` one and ``below`` another, these not among them."""

    unit: str
    above: float = -math.inf
    below: float = math.inf

    def __str__(self) -> str:
        """Return the range as people say it."""
        ends = [("above", self.above), ("below", self.below)]
        said = [f"{word} {one:g}" for word, one in ends if math.isfinite(one)]
        return f"{' and '.join(said)} {self.unit}"


@dataclass(frozen=True, slots=True)
class Forbidden:
    """What must never meet: these options, and numbers in these ranges, all at once."""

    when: Mapping[str, tuple[str, ...] | Span]

    def __str__(self) -> str:
        """Return what must not meet."""
        said = [f"{name} {_listed(one)}" for name, one in self.when.items()]
        return " with ".join(said)

    def meets(self, options: Mapping[str, Value]) -> bool:
        """Return whether all options that it names are there, whatever the numbers."""
        return all(
            options[name] in one
            for name, one in self.when.items()
            if not isinstance(one, Span)
        )

    def broken(self, values: Mapping[str, Value]) -> str:
        """Return how a candidate breaks it; empty if it does not."""
        within = all(
            one.above < float(values[name]) < one.below
            for name, one in self.when.items()
            if isinstance(one, Span)
        )
        return f"{self} is forbidden" if within and self.meets(values) else ""


@dataclass(frozen=True, slots=True)
class OnlyIf:
    """A parameter that counts only if others have certain options.

    Where it does not count it has the value ``otherwise`` (of a real, in ``unit``; it
    may lie beyond its bounds), so that what differs in nothing is one candidate.
    """

    parameter: str
    needs: Mapping[str, tuple[str, ...]]
    otherwise: Value
    unit: str = ""

    def __str__(self) -> str:
        """Return when it counts."""
        said = [f"{name} is {_listed(options)}" for name, options in self.needs.items()]
        return f"{self.parameter} counts only if {' and '.join(said)}"

    def counts(self, options: Mapping[str, Value]) -> bool:
        """Return whether the parameter counts with these options."""
        return all(options[name] in wanted for name, wanted in self.needs.items())

    def broken(self, values: Mapping[str, Value]) -> str:
        """Return how a candidate breaks it; empty if it does not."""
        value = values[self.parameter]
        if value == self.otherwise or self.counts(values):
            return ""
        found, wanted = (
            one if isinstance(one, str) else f"{one:g} {self.unit}"
            for one in (value, self.otherwise)
        )
        return f"{self.parameter}: {found} is not {wanted}: {self}"


Rule = Linear | Forbidden | OnlyIf


def _listed(one: tuple[str, ...] | Span) -> str:
    return str(one) if isinstance(one, Span) else " or ".join(one)
