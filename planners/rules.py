"""Rules between parameters: bounded sums, what must never meet, what counts only if.

Plain frozen values that can say whether a candidate breaks them; where the numbers may
then lie is worked out in `planners.regions`. A mixture is a `Linear` rule whose lower
bound is its upper one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from planners.data import Value
from planners.parameters import Parameter, Real

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
                return (
                    f"{self}: {total:.6g} {self.unit} is {word} {bound:g} {self.unit}"
                )
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
        return " and ".join(said)

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
        return f"{self} must not meet" if within and self.meets(values) else ""


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


def objection(
    rule: Rule, parameters: Sequence[Parameter], earlier: Sequence[Rule] = ()
) -> str:
    """Return what is wrong with a rule among these parameters; empty if nothing is.

    ``earlier`` are the rules that stand before it.
    """
    if isinstance(rule, Linear):
        named: dict[str, tuple[str, ...] | Span] = {
            n: Span(rule.unit) for n in rule.coefficients
        }
    elif isinstance(rule, Forbidden):
        named = dict(rule.when)
    else:
        named = {rule.parameter: (), **rule.needs}
    if not named:
        return "it names no parameter"
    known = {parameter.name: parameter for parameter in parameters}
    for name, wanted in named.items():
        parameter = known.get(name)
        if parameter is None:
            return f"{name} is not a parameter of the space"
        if isinstance(parameter, Real):
            if not isinstance(wanted, Span) and wanted:
                return f"{name} is a number, which has no option {wanted[0]!r}"
            continue
        if isinstance(wanted, Span):
            return f"{name} is not a number"
        for option in wanted:
            if option not in parameter.options:
                return f"{option!r} is not among the options of {name}"
    if isinstance(rule, Linear):
        return _wrong_sum(rule, [p for p in parameters if isinstance(p, Real)])
    if isinstance(rule, OnlyIf):
        return _wrong_condition(rule, known[rule.parameter], earlier)
    for name, one in rule.when.items():
        if isinstance(one, Span) and not one.above < one.below:
            return f"{name} is never {one}"
    return ""


def _wrong_sum(rule: Linear, reals: Sequence[Real]) -> str:
    for real in reals:
        c = rule.coefficients.get(real.name, 1.0)
        if not math.isfinite(c) or c == 0:
            return f"the coefficient of {real.name} is {c:g}"
        if real.name in rule.coefficients and real.scale == "log":
            return f"{real.name} has a log scale, with which it cannot be in a sum"
    if rule.low > rule.high:
        return f"from {rule.low:g} to {rule.high:g} {rule.unit} is empty"
    return ""


def _wrong_condition(
    rule: OnlyIf, parameter: Parameter, earlier: Sequence[Rule]
) -> str:
    for one in earlier:
        if isinstance(one, OnlyIf) and one.parameter == rule.parameter:
            return f"{rule.parameter} has such a rule already"
        if isinstance(one, OnlyIf) and rule.parameter in one.needs:
            return f"it must stand before that of {one.parameter}, which depends on it"
    if rule.parameter in rule.needs:
        return f"{rule.parameter} cannot depend on itself"
    if not isinstance(parameter, Real):
        if rule.otherwise not in parameter.options:
            return f"{rule.otherwise!r} is not among the options of {rule.parameter}"
    elif isinstance(rule.otherwise, str) or not math.isfinite(rule.otherwise):
        return f"{rule.otherwise!r} is no value of {rule.parameter}"
    return ""


def out_of_reach(
    rule: Linear, reals: Sequence[Real], rules: Sequence[Rule] = ()
) -> str:
    """Return why a sum can never be what it must; empty if its bounds let it be."""
    resting = {
        one.parameter: float(one.otherwise)
        for one in rules
        if isinstance(one, OnlyIf) and one.parameter in rule.coefficients
    }
    least = most = 0.0
    for real in reals:
        c = rule.coefficients.get(real.name, 0.0)
        rest = resting.get(real.name, real.low)
        ends = [c * one for one in (real.low, real.high, rest)]
        least, most = least + min(ends), most + max(ends)
    slack = TOLERANCE * 1e-3 * max(abs(least), abs(most))
    exact = rule.low == rule.high
    if least > rule.high + slack:
        must = f"{'' if exact else 'at most '}{rule.high:g} {rule.unit}"
        return f"is at least {least:g} {rule.unit}, and must be {must}"
    if most < rule.low - slack:
        must = f"{'' if exact else 'at least '}{rule.low:g} {rule.unit}"
        return f"is at most {most:g} {rule.unit}, and must be {must}"
    return ""
