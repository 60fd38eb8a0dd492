"""From the key `beliefs` of a file to where the best is believed to be."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Mapping

from orchestrator import units
from orchestrator.config.goal_forms import BeliefForm, NearForm
from orchestrator.config.named import Named
from orchestrator.config.strict_yaml import Source
from orchestrator.config.strict_yaml import near as nearest
from planners.beliefs import Beliefs, Near
from planners.parameters import Real
from planners.space import Space

SUREST = 1000.0
"""How many times as likely something may be called, or as unlikely."""


def read_beliefs(
    source: Source,
    forms: Mapping[str, BeliefForm],
    space: Space,
    refused: Container[str] = (),
) -> Beliefs | None:
    """Return what is believed, numbers in the units of the space; None if nothing is.

    Parameters
    ----------
    source, forms, space:
        The file, its key, and what may be varied.
    refused:
        Options that are no longer in the space: what is believed of them is no matter.

    Raises
    ------
    ConfigError
        If it names what is not there, has a unit of another kind, or is no belief.
    """
    if not forms:
        return None
    known = {one.name: one for one in space.parameters}
    reader = _Reader(source, ("beliefs",), known)
    numbers, options = {}, {}
    for name, form in forms.items():
        if isinstance(form, NearForm):
            numbers[name] = reader.near(name, form)
        else:
            options[name] = reader.odds(name, form, refused)
    return Beliefs(numbers, options)


@dataclasses.dataclass(frozen=True, slots=True)
class _Reader(Named):
    """Reads a belief."""

    def near(self, name: str, form: NearForm) -> Near:
        real = self.real(name, name)
        value = self.quantity(form.near, real.unit, name, "near")
        if not real.low <= value <= real.high:
            low, high = (units.show(one, real.unit) for one in (real.low, real.high))
            rule = f"must be from {low} to {high}, between which it is varied"
            raise self.refusal(form.near, rule, name, "near")
        return Near(value, self._width(form.within, real))

    def _width(self, text: str, real: Real) -> float:
        unit, keys = units.interval(real.unit), (real.name, "within")
        if unit != real.unit and not text.rstrip().endswith(("K", "kelvin")):
            rule = 'a difference of temperatures is wanted, e.g. "10 K"'
            raise self.refusal(text, rule, *keys)
        width = self.quantity(text, unit, *keys)
        if not width > 0.0:
            raise self.refusal(text, "must be above 0", *keys)
        return width / units.stretch(real.unit, unit)

    def odds(
        self, name: str, form: Mapping[str, float], refused: Container[str]
    ) -> dict[str, float]:
        parameter = self.parameter(name, name)
        if isinstance(parameter, Real):
            rule = 'a quantity: write e.g. {near: "90 degC", within: "15 K"}'
            raise self.refusal(", ".join(form), rule, name)
        found = {}
        for option, one in form.items():
            if option not in parameter.options:
                if option in refused:
                    continue
                rule = f"no such option: {nearest(option, parameter.options)}"
                raise self.refusal(option, rule, name, option)
            if not 1.0 / SUREST <= one <= SUREST:
                rule = f"must be from {1.0 / SUREST:g} to {SUREST:g} times as likely"
                rule += "; what must not be made is a rule"
                raise self.refusal(f"{one:g}", rule, name, option)
            found[option] = one
        return found
