"""The search space: what may be varied, between which bounds, in which unit.

Pure and cheap to import. A parameter is a `Real`, a `Molecule` or a `Choice`; the
upper bound of a real may depend on what was chosen for another (`Caps`): no solution
can be stronger than the stock it is made from. Where only certain candidates can be
made at all, they are listed (`Space.pool`); `Space.rules` says what must hold between
parameters (`planners.rules`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Literal

import numpy as np

from planners.data import Candidate, Value
from planners.regions import SLACK, Region
from planners.rules import Forbidden, Linear, OnlyIf, Rule, Span

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


@dataclass(frozen=True, slots=True)
class Space:
    """All parameters of a campaign, in order.

    ``pool`` lists the candidates that can be made, if not every one can: the rows of a
    table, the bottles on a shelf. ``rules`` hold for every candidate.
    """

    parameters: tuple[Parameter, ...]
    pool: tuple[Candidate, ...] = ()
    rules: tuple[Rule, ...] = ()

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
        for rule in self.rules:
            if wrong_rule := self._objection(rule):
                raise SpaceError(f"rules: {wrong_rule}")
        if self.rules and not self.pool:
            self._refuse_empty()
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
        """Yield every combination of options that the rules allow, in order."""
        names = [choice.name for choice in self.choices]
        for chosen in product(*(choice.options for choice in self.choices)):
            options = dict(zip(names, chosen, strict=True))
            if not self.rules or self.regions(options):
                yield options

    def every(self) -> Iterator[Candidate]:
        """Yield every candidate, if there are but so many: of a number, its steps.

        A number that may be any is in the middle.
        """
        for options in self.combinations():
            for region in self.regions(options):
                yield from self._placed(region, region.centre, options)

    def listed(self, most: int) -> tuple[Candidate, ...]:
        """Return all that can be made, if numbers come in steps and it is not too much."""
        if self.pool:
            return self.pool
        if not self.reals or not all(real.steps for real in self.reals):
            return ()
        count = math.prod(len(choice.options) for choice in self.choices)
        count *= math.prod(real.steps + 1 for real in self.reals)
        if count > most and not self.rules:
            return ()
        # Below a low cap, steps may fall together.
        found: dict[str, Candidate] = {}
        for one in self.every():
            found[one.id] = one
            if len(found) > most:
                return ()
        return tuple(found.values())

    def high(self, name: str, values: Mapping[str, Value]) -> float:
        """Return the upper bound of a real, given what else was chosen, in its unit."""
        real = next(real for real in self.reals if real.name == name)
        if real.caps is None:
            return real.high
        return min(real.high, real.caps.highs[str(values[real.caps.parameter])])

    def candidate(
        self, positions: Mapping[str, float], options: Mapping[str, str]
    ) -> Candidate:
        """Return the candidate with reals at these positions (0 to 1) and options.

        With rules, the nearest one that keeps them: parameters that do not count have
        the value that the rule says, numbers are drawn into the region that is left,
        and of a sum the real with the widest range takes up what rounding leaves.

        Raises
        ------
        SpaceError
            If the rules forbid the options, whatever the numbers are.
        """
        if not self.rules:
            return Candidate(
                {
                    p.name: p.value(positions[p.name], self.high(p.name, options))
                    if isinstance(p, Real)
                    else str(options[p.name])
                    for p in self.parameters
                }
            )
        options = self.counted(options)
        point = np.array([positions[real.name] for real in self.reals])
        near = [(one, one.inside(point[None])[0]) for one in self.regions(options)]
        near.sort(key=lambda pair: float(np.linalg.norm(pair[1] - point)))
        for region, inside in near:
            for candidate in self._placed(region, inside, options):
                return candidate
        raise SpaceError(f"space: {dict(options)}: no number keeps the rules")

    def positions(self, candidate: Candidate) -> dict[str, float]:
        """Return where the reals of a candidate lie; 0 to 1 if it is in the space.

        A real that does not count lies where its fixed value does, or at the nearer end.
        """
        values = candidate.values
        resting = self.resting(values)
        return {
            real.name: self._rest(real, resting[real.name], values)
            if real.name in resting
            else real.position(float(values[real.name]), self.high(real.name, values))
            for real in self.reals
        }

    # -- rules -----------------------------------------------------------------------

    def resting(self, options: Mapping[str, Value]) -> dict[str, Value]:
        """Return the fixed values of the parameters that do not count with options."""
        return {
            rule.parameter: rule.otherwise
            for rule in self.rules
            if isinstance(rule, OnlyIf) and not rule.counts(options)
        }

    def counted(self, options: Mapping[str, str]) -> dict[str, str]:
        """Return options with those that do not count as the rules fix them."""
        counted = {choice.name: str(options[choice.name]) for choice in self.choices}
        for rule in self.rules:
            if (
                isinstance(rule, OnlyIf)
                and rule.parameter in counted
                and not rule.counts(counted)
            ):
                counted[rule.parameter] = str(rule.otherwise)
        return counted

    def deciding(self) -> tuple[str, ...]:
        """Return the choices that the regions depend on, in the order of the space."""
        names: set[str] = set()
        for rule in self.rules:
            if isinstance(rule, OnlyIf):
                names |= {rule.parameter, *rule.needs}
            else:
                names |= {*(rule.when if isinstance(rule, Forbidden) else rule.coefficients)}
        for real in self.reals:
            if real.caps and real.name in names:
                names.add(real.caps.parameter)
        return tuple(choice.name for choice in self.choices if choice.name in names)

    def regions(self, options: Mapping[str, str]) -> tuple[Region, ...]:
        """Return where the reals may lie with these options: in any of these regions.

        None where the options are forbidden. They may overlap: where a combination of
        two ranges is forbidden, one number may leave its range, or the other.
        """
        if self.counted(options) != dict(options):
            return ()
        reals, resting = self.reals, self.resting(options)
        ends = [(real.low, self.high(real.name, options)) for real in reals]
        boxes = [ends]
        sums: list[tuple[list[float], float, float]] = []
        for rule in self.rules:
            if isinstance(rule, Forbidden) and rule.meets(options):
                cuts = _cuts(rule, [real.name for real in reals], ends, resting)
                boxes = [_cut(box, *cut) for box in boxes for cut in cuts]
                boxes = [box for box in boxes if all(low <= high for low, high in box)]
            elif isinstance(rule, Linear):
                row, known = [], 0.0
                for real, (low, high) in zip(reals, ends, strict=True):
                    c = rule.coefficients.get(real.name, 0.0)
                    moves = real.name not in resting
                    row.append(c * max(high - low, 0.0) if moves else 0.0)
                    known += c * (low if moves else float(resting[real.name]))
                largest = max(map(abs, row))
                if largest > 0:
                    scaled = [one / largest for one in row]
                    bounds = [(b - known) / largest for b in (rule.low, rule.high)]
                    sums.append((scaled, bounds[0], bounds[1]))
                elif not rule.low - SLACK <= known <= rule.high + SLACK:
                    return ()
        rows = np.array([row for row, _, _ in sums]).reshape(len(sums), len(reals))
        least, most = (np.array([one[k] for one in sums]) for k in (1, 2))
        found = []
        for box in boxes:
            low, high = np.zeros(len(reals)), np.ones(len(reals))
            for i, (real, (_, end)) in enumerate(zip(reals, ends, strict=True)):
                if real.name in resting:
                    low[i] = high[i] = self._rest(real, resting[real.name], options)
                elif box[i] != ends[i]:
                    low[i], high[i] = (real.position(one, end) for one in box[i])
            found.append(Region(low, high, rows, least, most, tuple(box)))
        return tuple(region for region in found if region.possible)

    def _rest(self, real: Real, value: Value, options: Mapping[str, Value]) -> float:
        """Return where a real that does not count is, for the surrogate."""
        if real.scale == "log" and float(value) <= 0:
            return 0.0
        position = real.position(float(value), self.high(real.name, options))
        return min(max(position, 0.0), 1.0)

    def _placed(
        self, region: Region, point: np.ndarray, options: Mapping[str, str]
    ) -> Iterator[Candidate]:
        """Yield the candidates of a region at a point, or all in steps, nearest first."""
        reals, resting = self.reals, self.resting(options)
        highs = [self.high(real.name, options) for real in reals]
        grids = {
            i: np.array([k for k in np.arange(real.steps + 1) / real.steps if least <= real.value(float(k), high) <= most])
            for i, (real, high, (least, most)) in enumerate(zip(reals, highs, region.bounds, strict=True))
            if real.steps and real.name not in resting
        }  # fmt: skip
        linked, width = region.linked, np.abs(region.rows).sum(axis=0)
        free = [i for i in range(len(reals)) if i not in grids]
        free.sort(key=lambda i: width[i])
        for placed in region.steps(grids, point):
            values = {reals[i].name: reals[i].value(p, highs[i]) for i, p in placed.items()}
            for i in free:
                real, high = reals[i], highs[i]
                if real.name in resting:
                    values[real.name] = float(resting[real.name])
                    continue
                value = real.value(float(point[i]), high)
                if linked[i]:
                    span = region.span(i, placed)
                    if span is None:
                        break
                    least, most = (real.exact(end, high) for end in span)
                    if not least <= value <= most:
                        value = rounded(min(max(value, least), most), STEPPED)
                least, most = region.bounds[i]
                values[real.name] = min(max(value, least), most)
                placed[i] = real.position(values[real.name], high)
            else:
                yield Candidate(
                    {p.name: values[p.name] if isinstance(p, Real) else str(options[p.name])
                     for p in self.parameters}
                )  # fmt: skip

    def _objection(self, rule: Rule) -> str:
        """Return what is wrong with a rule in this space; empty if nothing is."""
        known = {parameter.name: parameter for parameter in self.parameters}
        if isinstance(rule, Linear):
            named: dict[str, tuple[str, ...]] = dict.fromkeys(rule.coefficients, ())
        elif isinstance(rule, Forbidden):
            named = {n: () if isinstance(one, Span) else one for n, one in rule.when.items()}
        else:
            named = {rule.parameter: (), **rule.needs}
        if not named:
            return "names no parameter"
        for name, options in named.items():
            parameter = known.get(name)
            if parameter is None:
                return f"{name} is not a parameter of this space"
            if isinstance(rule, OnlyIf) and name == rule.parameter:
                continue
            wants_real = isinstance(rule, Linear) or (
                isinstance(rule, Forbidden) and isinstance(rule.when[name], Span)
            )
            if wants_real != isinstance(parameter, Real):
                kind = "a number" if wants_real else "a molecule or a choice"
                return f"{name} must be {kind}"
            for option in options:
                if not isinstance(parameter, Real) and option not in parameter.options:
                    return f"{option!r} is not among the options of {name}"
        return self._odd(rule)

    def _odd(self, rule: Rule) -> str:
        """Return what is wrong with the values of a rule, whose names are right."""
        if isinstance(rule, Forbidden):
            for name, one in rule.when.items():
                if isinstance(one, Span) and not one.above < one.below:
                    return f"{name} {one} is no range"
            return ""
        if isinstance(rule, Linear):
            for real in self.reals:
                c = rule.coefficients.get(real.name, 1.0)
                if not math.isfinite(c) or c == 0:
                    return f"the coefficient of {real.name} is {c:g}"
                if real.name in rule.coefficients and real.scale == "log":
                    return f"{real.name} has a log scale, which no sum can have"
            return self._out_of_reach(rule)
        parameter = next(p for p in self.parameters if p.name == rule.parameter)
        earlier = self.rules[: self.rules.index(rule)]
        for one in earlier:
            if isinstance(one, OnlyIf) and one.parameter == rule.parameter:
                return f"{rule.parameter} has two such rules, write one"
            if isinstance(one, OnlyIf) and rule.parameter in one.needs:
                return f"write the rule of {rule.parameter} before that of {one.parameter}"
        if rule.parameter in rule.needs:
            return f"{rule.parameter} cannot depend on itself"
        if not isinstance(parameter, Real):
            if rule.otherwise not in parameter.options:
                return f"{rule.otherwise!r} is not among the options of {rule.parameter}"
        elif isinstance(rule.otherwise, str) or not math.isfinite(rule.otherwise):
            return f"{rule.otherwise!r} is no value of {rule.parameter}"
        return ""

    def _out_of_reach(self, rule: Linear) -> str:
        """Return why no numbers can have such a sum, other rules aside."""
        rests = {one.parameter: float(one.otherwise) for one in self.rules
                 if isinstance(one, OnlyIf) and one.parameter in rule.coefficients}  # fmt: skip
        least = most = 0.0
        for real in self.reals:
            c = rule.coefficients.get(real.name, 0.0)
            ends = [c * one for one in (real.low, real.high, rests.get(real.name, real.low))]
            least, most = least + min(ends), most + max(ends)
        slack = SLACK * max(abs(least), abs(most))
        if least > rule.high + slack:
            return f"{rule} is at least {least:g} {rule.unit}, never {rule.high:g} {rule.unit}"
        if most < rule.low - slack:
            return f"{rule} is at most {most:g} {rule.unit}, never {rule.low:g} {rule.unit}"
        if rule.low > rule.high:
            return f"{rule}: at least {rule.low:g} and at most {rule.high:g} {rule.unit} is empty"
        return ""

    def _refuse_empty(self) -> None:
        """Refuse rules that no candidate keeps."""
        deciding = self.deciding()
        tried = [c.options if c.name in deciding else tuple(c.options)[:1] for c in self.choices]
        names = [choice.name for choice in self.choices]
        for chosen in product(*tried):
            options = dict(zip(names, chosen, strict=True))
            for region in self.regions(options):
                if any(True for _ in islice(self._placed(region, region.centre, options), 1)):
                    return
        raise SpaceError("rules: no candidate keeps all of them")

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
        resting = self.resting(values)
        for real in self.reals:
            value = values.get(real.name)
            high = self.high(real.name, values)
            if not isinstance(value, float | int) or isinstance(value, bool):
                wrong.append(f"{real.name}: {value!r} is not a number")
            elif real.name in resting:
                continue
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
        # A rule compares numbers, which there must be.
        if not any("is not a number" in one for one in wrong):
            wrong += filter(None, (rule.broken(values) for rule in self.rules))
        return wrong


Ends = list[tuple[float, float]]


def _cuts(
    rule: Forbidden, names: list[str], ends: Ends, resting: Mapping[str, Value]
) -> list[tuple[int, float, float]]:
    """Return the ways to keep a rule: the number of a real, and the ends it then has."""
    cuts = []
    for name, span in rule.when.items():
        if not isinstance(span, Span):
            continue
        i = names.index(name)
        low, high = ends[i]
        if name in resting:
            value = float(resting[name])
            if not span.above < value < span.below:
                return [(i, low, high)]
            continue
        if high <= span.above or low >= span.below:
            return [(i, low, high)]
        if low <= span.above:
            cuts.append((i, low, span.above))
        if high >= span.below:
            cuts.append((i, span.below, high))
    return cuts


def _cut(box: Ends, i: int, low: float, high: float) -> Ends:
    """Return a box with one of its sides cut."""
    ends = max(box[i][0], low), min(box[i][1], high)
    return [*box[:i], ends, *box[i + 1 :]]
