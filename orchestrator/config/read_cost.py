"""From the key `cost` of a file to what a trial costs, in one unit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Container, Mapping

from orchestrator import units
from orchestrator.config.goal_forms import CostForm
from orchestrator.config.named import Named
from orchestrator.config.strict_yaml import Key, Source, near
from planners.cost import Cost, Rate
from planners.parameters import Real
from planners.space import Space

RECIPE = "recipe"
"""What `each` says instead of a quantity, where the recipe tells how long a trial takes."""

MOST = 1e9
"""Of its unit, what nothing costs more than."""

Timed = tuple[float, Mapping[str, float]]
"""How many minutes a recipe takes, and how many more for each unit of a real."""


def read_cost(
    source: Source,
    form: CostForm | None,
    space: Space,
    refused: Container[str] = (),
    timed: Callable[[], Timed] | None = None,
) -> Cost | None:
    """Return what a trial costs, in the unit of ``each``; None if nobody says.

    Parameters
    ----------
    source, form, space:
        The file, its key, and what may be varied.
    refused:
        Options that are no longer in the space: what they would cost is no matter.
    timed:
        Says how long the recipe takes, if there is one.

    Raises
    ------
    ConfigError
        If it names what is not there, has a unit of another kind, or a cost is negative.
    """
    if form is None:
        return None
    known = {one.name: one for one in space.parameters}
    return _Reader(source, ("cost",), known, refused).cost(form, timed)


@dataclasses.dataclass(frozen=True, slots=True)
class _Reader(Named):
    """Reads a cost."""

    refused: Container[str]

    def cost(self, form: CostForm, timed: Callable[[], Timed] | None) -> Cost:
        per: dict[str, Rate] = {}
        if form.each == RECIPE:
            if timed is None:
                rule = 'there is no recipe here: write a quantity, e.g. "20 min"'
                raise self.refusal(form.each, rule, "each")
            unit, (each, rates) = "min", timed()
            per = {name: Rate(rate) for name, rate in rates.items()}
        else:
            unit = self._unit(form.each)
            each = self._amount(form.each, unit, "each")
            if each == 0.0:
                rule = "must be above 0: what is gained is divided by it"
                raise self.refusal(form.each, rule, "each")
        for name, one in form.per.items():
            real = self.real(name, "per", name)
            if name in per:
                rule = "the recipe says how long it takes already"
                raise self.refusal(str(one), rule, "per", name)
            per[name] = self._rate(one, unit, real)
        first = {
            name: dict.fromkeys(self.choice(name, "first", name).options, one)
            if isinstance(one, str)
            else one
            for name, one in form.first.items()
        }
        return Cost(
            unit,
            each,
            per,
            self._options(form.options, unit, "options"),
            self._options(first, unit, "first"),
        )

    def _unit(self, text: str) -> str:
        try:
            unit = units.written(text)
        except units.UnitError as error:
            raise self.refusal(text, str(error), "each") from None
        if units.interval(unit) != unit:
            raise self.refusal(text, "a temperature is no cost", "each")
        return unit

    def _rate(self, one: str | float, unit: str, real: Real) -> Rate:
        """Return what a real costs for each of its units, from 0 or its low end on."""
        width = units.interval(real.unit)
        if isinstance(one, str):
            rate = self._amount(one, units.over(unit, width), "per", real.name)
            rate *= units.stretch(real.unit, width)
        else:
            if not units.same_kind(real.unit, unit) or units.same_kind(unit, "1"):
                example = f"2 {units.over(unit, width)}"
                rule = f'{real.name} is in {real.unit}: write e.g. "{example}"'
                raise self.refusal(f"{one:g}", rule, "per", real.name)
            rate = self._within(one, f"{one:g}", "per", real.name)
            rate *= units.stretch(real.unit, unit)
        from_low = width != real.unit or real.low < 0.0
        return Rate(rate, real.low if from_low else 0.0)

    def _options(
        self, tables: Mapping[str, Mapping[str, str]], unit: str, key: str
    ) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = {}
        for name, table in tables.items():
            known = self.choice(name, key, name).options
            for option, text in table.items():
                if option not in known:
                    if option in self.refused:
                        continue
                    rule = f"no such option: {near(option, known)}"
                    raise self.refusal(option, rule, key, name, option)
                one = self._amount(text, unit, key, name, option)
                found.setdefault(name, {})[option] = one
        return found

    def _amount(self, text: str, unit: str, *keys: Key) -> float:
        return self._within(self.quantity(text, unit, *keys), text, *keys)

    def _within(self, value: float, text: str, *keys: Key) -> float:
        if not 0.0 <= value <= MOST:
            raise self.refusal(text, f"a cost must be from 0 to {MOST:.0e}", *keys)
        return value
