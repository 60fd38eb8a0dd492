"""What is wanted of a campaign: its objectives, its limits, and when to stop.

`read_campaign` and `read_space` both start from here, so that a key means the same in
either file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from orchestrator import units
from orchestrator.config.forms import CampaignForm
from orchestrator.config.goal_forms import BoundsForm, ObjectiveForm, StopForm
from orchestrator.config.models import RecipeTemplate
from orchestrator.config.read_desirability import read_desirability, wants_desirability
from orchestrator.config.strict_yaml import Source, Where, near
from orchestrator.lab import ANALYSES
from orchestrator.stopping import StopRule
from planners.data import Limit, Objective
from planners.desirability import NAME, Desirability, quantities


@dataclass(frozen=True, slots=True)
class Goals:
    """What is wanted of a campaign."""

    objectives: tuple[Objective, ...]
    limits: tuple[Limit, ...]
    stop: StopRule | None


def read_goals(source: Source, form: CampaignForm, recipe: RecipeTemplate) -> Goals:
    """Read what is wanted of a campaign; its recipe must measure all of it."""
    measured = {
        rule.quantity: ANALYSES[rule.analysis].unit for rule in recipe.measurements
    }
    objectives: tuple[Objective, ...]
    if wants_desirability(source, form.objectives, form.desirability, form.space):
        if NAME in measured:
            place = recipe.source.place("measurements", NAME)
            rule = f"{place} is a quantity of this name: call it otherwise"
            raise source.refusal((NAME,), ", ".join(form.desirability), rule)
        objectives = (read_desirability(source, form.desirability, measured),)
    else:
        objectives = tuple(_objectives(source, form.objectives, measured))

    def unit_of(name: str, _: BoundsForm) -> str:
        return _unit(source, ("limits", name), measured)

    limits = tuple(read_limits(source, form.limits, objectives, unit_of))
    return Goals(objectives, limits, _stop(source, form.stop, objectives))


def read_limits(
    source: Source,
    forms: Mapping[str, BoundsForm],
    objectives: tuple[Objective, ...],
    unit_of: Callable[[str, BoundsForm], str],
) -> Iterator[Limit]:
    """Yield the limits, each in the unit of its objective or in what ``unit_of`` says."""
    units_of = {one.name: one.unit for one in quantities(objectives)}
    for name, form in forms.items():
        where: Where = ("limits", name)
        if name == NAME and isinstance(objectives[0], Desirability):
            rule = "what is useless in it is said there: limit a quantity"
            raise source.refusal(where, name, rule)
        unit = units_of.get(name) or unit_of(name, form)
        bounds = {
            key: None if text is None else _quantity(source, (*where, key), text, unit)
            for key, text in (("at_least", form.at_least), ("at_most", form.at_most))
        }
        low, high = bounds["at_least"], bounds["at_most"]
        if low is not None and high is not None and low >= high:
            text = f"{form.at_least} to {form.at_most}"
            raise source.refusal(where, text, "empty: at_least must be below at_most")
        yield Limit(name, unit, low, high)


def _objectives(
    source: Source, forms: Mapping[str, ObjectiveForm], measured: Mapping[str, str]
) -> Iterator[Objective]:
    for name, one in forms.items():
        where: Where = ("objectives", name)
        unit = _unit(source, where, measured)
        try:
            known = one.unit == unit or units.same_kind(one.unit, unit)
        except units.UnitError as error:
            raise source.refusal((*where, "unit"), one.unit, str(error)) from None
        if not known:
            rule = f"the recipe measures it in {unit}"
            raise source.refusal((*where, "unit"), one.unit, rule)
        target = None
        if one.target is not None:
            target = _quantity(source, (*where, "target"), one.target, one.unit)
        yield Objective(name, one.unit, one.direction, one.scale, target)


def _unit(source: Source, where: Where, measured: Mapping[str, str]) -> str:
    name = str(where[-1])
    if name not in measured:
        rule = f"the recipe does not measure it: {near(name, measured)}"
        raise source.refusal(where, name, rule)
    return measured[name]


def _stop(
    source: Source, form: StopForm | None, objectives: tuple[Objective, ...]
) -> StopRule | None:
    if form is None:
        return None
    where: Where = ("stop", "regret_below")
    if len(objectives) > 1:
        names = ", ".join(one.name for one in objectives)
        rule = f"what can be gained is one number for one objective; there are {names}"
        raise source.refusal(where, form.regret_below, rule)
    objective = objectives[0]
    log = objective.scale == "log"
    unit = "1" if log else objective.unit
    below = _quantity(source, where, form.regret_below, unit, log=log)
    if below <= 0.0:
        raise source.refusal(where, form.regret_below, "must be above 0")
    if log:
        below = math.log10(1.0 + below)
    return StopRule(below, objective.unit, log, form.proposals)


def _quantity(
    source: Source, where: Where, text: str, unit: str, *, log: bool = False
) -> float:
    try:
        return units.parse(text, unit)
    except units.UnitError as error:
        rule = 'on a log scale a part is wanted, e.g. "5 percent"' if log else error
        raise source.refusal(where, text, str(rule)) from None
