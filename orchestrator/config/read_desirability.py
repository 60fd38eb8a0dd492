"""What is wanted of several quantities at once, from the key `desirability`."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator import units
from orchestrator.config.goal_forms import Bounds, DesireForm
from orchestrator.config.strict_yaml import Source, Where, near
from orchestrator.errors import ConfigError
from planners.desirability import NAME, Desirability, Desire, Ramp


def wants_desirability(
    source: Source,
    objectives: Mapping[str, object],
    desires: Mapping[str, object],
    space: Mapping[str, object],
) -> bool:
    """Whether a desirability is wanted and not objectives; refuse both, and neither."""
    if not desires:
        if not objectives:
            rule = f"missing: write this key, or {NAME}"
            raise ConfigError(f"{source.place()}: objectives — {rule}")
        return False
    if objectives:
        rule = "objectives are there too: write one of the two"
        raise source.refusal((NAME,), ", ".join(desires), rule)
    if NAME in space:
        rule = "is worked out — give what is varied another name"
        raise ConfigError(f"{source.place('space', NAME)}: {rule}")
    return True


def read_desirability(
    source: Source,
    forms: Mapping[str, DesireForm],
    measured: Mapping[str, str] | None = None,
) -> Desirability:
    """Read a desirability, each quantity in the unit of its useless bound.

    ``measured`` is what the recipe measures, each with its unit; None without a recipe.
    """
    desires = tuple(
        _desire(source, name, form, measured) for name, form in forms.items()
    )
    return Desirability(desires=desires)


def _desire(
    source: Source, name: str, form: DesireForm, measured: Mapping[str, str] | None
) -> Desire:
    where: Where = (NAME, name)
    if measured is not None and name not in measured:
        rule = f"the recipe does not measure it: {near(name, measured)}"
        raise source.refusal(where, name, rule)
    first = _texts(form.useless)[0]
    try:
        unit = units.written(first)
        if measured is not None and not units.same_kind(unit, measured[name]):
            rule = f"the recipe measures it in {measured[name]}"
            raise source.refusal((*where, "useless"), first, rule)
    except units.UnitError as error:
        raise source.refusal((*where, "useless"), first, str(error)) from None
    useless, ideal = (
        [_bound(source, (*where, key), text, unit) for text in _texts(bounds)]
        for key, bounds in (("useless", form.useless), ("ideal", form.ideal))
    )
    if len(ideal) > len(useless):
        rule = "what is ideal between two bounds needs two useless ones"
        raise source.refusal((*where, "ideal"), " to ".join(form.ideal), rule)
    ramps: list[Ramp] = list(zip(useless, ideal * len(useless), strict=False))
    try:
        return Desire(name, unit, tuple(ramps), form.scale, form.weight, form.exponent)
    except ValueError as error:
        text = f"{' to '.join(_texts(form.useless))}, {' to '.join(_texts(form.ideal))}"
        raise source.refusal(where, text, str(error)) from None


def _texts(bounds: Bounds) -> list[str]:
    return [bounds] if isinstance(bounds, str) else bounds


def _bound(source: Source, where: Where, text: str, unit: str) -> float:
    try:
        return units.parse(text, unit)
    except units.UnitError as error:
        raise source.refusal(where, text, str(error)) from None
