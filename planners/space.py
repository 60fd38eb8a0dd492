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
from dataclasses import dataclass
from itertools import product

import numpy as np

from planners.data import Candidate, Value
from planners.parameters import (
    STEPPED,
    Caps,
    Choice,
    Molecule,
    Parameter,
    Real,
    SpaceError,
    rounded,
)
from planners.regions import Region
from planners.rules import (
    Forbidden,
    Linear,
    OnlyIf,
    Rule,
    Span,
    objection,
    out_of_reach,
)

__all__ = [
    "Caps", "Choice", "Molecule", "Parameter", "Real", "Space", "SpaceError",
]  # fmt: skip
"""The one door for whoever states a space; its rules are in `planners.rules`."""


Ends = list[tuple[float, float]]
"""The lowest and the highest value of each real."""


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
        for n, rule in enumerate(self.rules):
            why = objection(rule, self.parameters, self.rules[:n])
            if not why and isinstance(rule, Linear):
                why = out_of_reach(rule, self.reals, self.rules)
            if why:
                raise SpaceError(f"rules: {rule}: {why}")
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
        stepped = np.array([real.steps > 0 for real in self.reals], bool)
        for options in self.combinations():
            for region in self.regions(options):
                start = np.where(stepped, region.low, region.centre)
                yield from self._placed(region, start, options)

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
            candidate = self._first(region, inside, options)
            if candidate is not None:
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
                names |= {
                    *(rule.when if isinstance(rule, Forbidden) else rule.coefficients)
                }
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
        for rule in self.rules:
            if isinstance(rule, Forbidden) and rule.meets(options):
                cuts = _cuts(rule, [real.name for real in reals], ends, resting)
                boxes = [_cut(box, *cut) for box in boxes for cut in cuts]
                boxes = [box for box in boxes if all(low <= high for low, high in box)]
        sums = self._sums(ends, resting)
        if sums is None:
            return ()
        found = []
        for box in boxes:
            low, high = np.zeros(len(reals)), np.ones(len(reals))
            for i, (real, (_, most)) in enumerate(zip(reals, ends, strict=True)):
                if real.name in resting:
                    low[i] = high[i] = self._rest(real, resting[real.name], options)
                elif box[i] != ends[i]:
                    low[i], high[i] = (real.position(one, most) for one in box[i])
            found.append(Region(low, high, *sums, tuple(box)))
        stepped = bool(self.rules) and any(real.steps for real in reals)
        return tuple(
            region
            for region in found
            if region.possible
            and not (stepped and self._first(region, region.low, options) is None)
        )

    def _sums(
        self, ends: Ends, resting: Mapping[str, Value]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Return sums of positions and their bounds (q x r, q, q); None if they cannot be."""
        rows, bounds = [], []
        for rule in self.rules:
            if not isinstance(rule, Linear):
                continue
            row, known = np.zeros(len(ends)), 0.0
            for i, (real, (low, high)) in enumerate(zip(self.reals, ends, strict=True)):
                c = rule.coefficients.get(real.name, 0.0)
                if real.name in resting:
                    known += c * float(resting[real.name]) if c else 0.0
                else:
                    known += c * low
                    row[i] = c * max(high - low, 0.0)
            largest = np.abs(row).max()
            if largest > 0:
                rows.append(row / largest)
                bounds.append(
                    [(one - known) / largest for one in (rule.low, rule.high)]
                )
            elif not rule.low <= known <= rule.high:
                return None
        found = np.array(bounds).reshape(-1, 2)
        return np.array(rows).reshape(len(rows), len(ends)), found[:, 0], found[:, 1]

    def _rest(self, real: Real, value: Value, options: Mapping[str, Value]) -> float:
        """Return where a real that does not count is, for the surrogate."""
        if real.scale == "log" and float(value) <= 0:
            return 0.0
        position = real.position(float(value), self.high(real.name, options))
        return min(max(position, 0.0), 1.0)

    def _first(
        self, region: Region, point: np.ndarray, options: Mapping[str, str]
    ) -> Candidate | None:
        """Return the candidate of a region that is nearest to a point, if there is one."""
        return next(self._placed(region, point, options), None)

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
            values = {
                reals[i].name: reals[i].value(p, highs[i]) for i, p in placed.items()
            }
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

    def _refuse_empty(self) -> None:
        """Refuse rules that no candidate keeps."""
        deciding = self.deciding()
        tried = [
            c.options if c.name in deciding else tuple(c.options)[:1]
            for c in self.choices
        ]
        names = [choice.name for choice in self.choices]
        for chosen in product(*tried):
            options = dict(zip(names, chosen, strict=True))
            if self.regions(options):
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
