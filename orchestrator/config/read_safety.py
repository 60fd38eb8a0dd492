"""What the chemical gate leaves of a search space: options out, temperatures capped."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from orchestrator import units
from orchestrator.chemical_gate import (
    Doing,
    Objection,
    caps,
    ceiling,
    place_of,
    too_warm,
    walk,
)
from orchestrator.config.forms import CampaignForm
from orchestrator.config.models import Lab, RecipeTemplate, Reference, StepTemplate
from orchestrator.config.space_forms import MoleculeForm
from orchestrator.config.strict_yaml import Source
from orchestrator.errors import ConfigError
from planners.rules import Forbidden, OnlyIf, Rule
from planners.space import Caps, Choice, Molecule, Parameter, Real

_LIQUIDS = ("liquid", "diluent")

Chosen = Mapping[str, str]
"""An option for each parameter that chooses a liquid."""


@dataclass(frozen=True, slots=True)
class Safe:
    """The parameters that are left, and what was refused or capped, with why."""

    parameters: Mapping[str, Parameter]
    refused: Mapping[str, str]
    capped: tuple[str, ...]


@dataclass(slots=True)
class _Held:
    """What is found on the way: refused options, and for each real its caps."""

    refused: dict[tuple[str, str], str] = field(default_factory=dict)
    most: dict[str, list[tuple[Chosen, float, str]]] = field(default_factory=dict)
    capped: list[str] = field(default_factory=list)


def hold_safe(
    source: Source,
    form: CampaignForm,
    recipe: RecipeTemplate,
    lab: Lab,
    made: Mapping[str, Parameter],
    rules: Sequence[Rule] = (),
) -> Safe:
    """Return the parameters without what is unsafe, and what became of it.

    Options that meet in no candidate, because of the rules of the space, are no danger.

    Raises
    ------
    ConfigError
        If what the campaign names itself is unsafe, if options of two parameters must
        not meet, or if no option is left.
    """
    held = _Held()
    names = _choosing(recipe, made)
    for options in product(*(made[name].options for name in names)):  # type: ignore[union-attr]
        chosen = dict(zip(names, options, strict=True))
        if any(_excludes(rule, chosen) for rule in rules):
            continue
        doings = [_doing(step, chosen) for step in recipe.steps]
        for found in _objections(lab, doings):
            _object(source, recipe, chosen, found, held)
        for real, (high, liquid) in caps(lab, doings).items():
            held.most.setdefault(real.name, []).append((chosen, high, liquid))
    safe: dict[str, Parameter] = dict(made)
    for name, seen in held.most.items():
        if kept := [one for one in seen if not held.refused.keys() & one[0].items()]:
            safe[name] = _capped(source, lab, made, name, kept, held)
    refused = {option: why for (_, option), why in held.refused.items()}
    for name in names:
        safe[name] = _without(source, form, made[name], held)
    capped = tuple(dict.fromkeys(held.capped))
    return Safe(safe, refused, capped)


def _excludes(rule: Rule, chosen: Chosen) -> bool:
    """Return whether a rule lets no candidate have these options, whatever the others."""
    if isinstance(rule, Forbidden):
        return rule.when.keys() <= chosen.keys() and rule.meets(chosen)
    if isinstance(rule, OnlyIf) and {rule.parameter, *rule.needs} <= chosen.keys():
        return bool(rule.broken(chosen))
    return False


def _choosing(recipe: RecipeTemplate, made: Mapping[str, Parameter]) -> list[str]:
    """Return the parameters that choose a liquid, in the order of the recipe."""
    found: dict[str, None] = {}
    for step in recipe.steps:
        for key in _LIQUIDS:
            value = step.values.get(key)
            if isinstance(value, Reference) and value.name in made:
                found[value.name] = None
    return list(found)


def _doing(step: StepTemplate, chosen: Chosen) -> Doing:
    liquids = []
    for key in _LIQUIDS:
        value = step.values.get(key)
        if value is not None and (key == "liquid" or "concentration" in step.values):
            name = chosen[value.name] if isinstance(value, Reference) else str(value)
            liquids.append(name)
    return Doing(
        step.name, step.operation, step.station, step.slot, tuple(liquids),
        step.values.get("temperature"), step.at_once, step.empty,
    )  # fmt: skip


def _objections(lab: Lab, doings: list[Doing]) -> Iterator[Objection]:
    """Yield what is wrong whatever the reals are."""
    for one in walk(lab, doings):
        if isinstance(one, Objection):
            yield one
        elif isinstance(one.temperature, int | float | None) and (
            found := too_warm(lab, one)
        ):
            yield found


def _object(
    source: Source,
    recipe: RecipeTemplate,
    chosen: Chosen,
    found: Objection,
    held: _Held,
) -> None:
    """Take the option that is to blame out; refuse where that is not one option."""
    blamed = [(name, one) for name, one in chosen.items() if one in found.liquids]
    if any(one in held.refused for one in blamed):
        return  # what is out already meets nothing
    step = next(one for one in recipe.steps if one.name == found.step)
    reason = f"{found.reason} (step {found.step}, {step.place})"
    # Where the recipe itself is to blame nothing can be made: its corners will tell.
    if len({one for _, one in blamed}) > 1:
        place = source.place("space", blamed[0][0])
        listed = " and ".join(f"{name}: {one}" for name, one in blamed)
        rule = "leave one out of the space"
        raise ConfigError(f"{place}: {listed} — {reason}: {rule}")
    for one in blamed:
        held.refused.setdefault(one, reason)


def _capped(
    source: Source,
    lab: Lab,
    made: Mapping[str, Parameter],
    name: str,
    seen: list[tuple[Chosen, float, str]],
    held: _Held,
) -> Real:
    """Return a temperature with its highest value for each liquid that is chosen.

    A real has caps by one parameter: the first whose liquid is to blame. Where others
    matter too, each option has the lowest cap of all its combinations.
    """
    real = made[name]
    assert isinstance(real, Real)  # noqa: S101 - only reals hold temperatures
    blamed = [
        chooser
        for chosen, _, liquid in seen
        for chooser, option in chosen.items()
        if option == liquid
    ]
    lows: dict[str, tuple[float, str]] = {}
    for chosen, high, liquid in seen:
        option = chosen[blamed[0]] if blamed else ""
        high = units.convert(high, "degC", real.unit)
        if high < lows.get(option, (math.inf, ""))[0]:
            lows[option] = (high, liquid)
    chooser = made[blamed[0]] if blamed else None
    options = () if chooser is None or isinstance(chooser, Real) else chooser.options
    highs = dict.fromkeys(options, real.high)
    for option, (high, liquid) in lows.items():
        if high >= real.low:
            highs[option] = min(high, real.high)
            if high < real.high:
                held.capped.append(f"{real.name} at {_most(lab, real, high, liquid)}")
            continue
        begins = f"{real.name} begins at {units.show(real.low, real.unit)}"
        why = f"{begins} — at most {_most(lab, real, high, liquid)}"
        if not blamed:
            raise ConfigError(f"{source.place('space', real.name, 'from')}: {why}")
        held.refused.setdefault((blamed[0], option), why)
        highs[option] = real.low  # never asked for: the option is out
    if not blamed:
        if highs[""] <= real.low:
            raise ConfigError(f"{source.place('space', real.name)}: {held.capped[-1]}")
        return dataclasses.replace(real, high=highs[""])
    if all(high == real.high for high in highs.values()):
        return real
    return dataclasses.replace(real, caps=Caps(blamed[0], highs))


def _most(lab: Lab, real: Real, high: float, liquid: str) -> str:
    most = ceiling(lab.liquids[liquid], lab.margin, inert=lab.inert)
    shown = units.show(high, real.unit)
    why = most.why if most else ""
    return f"{shown} with {liquid} — {why} ({place_of(lab, liquid)})"


def _without(
    source: Source, form: CampaignForm, parameter: Parameter, held: _Held
) -> Parameter:
    """Return a choice without what was refused; refuse if it was asked for by name."""
    name = parameter.name
    out = {o: why for (of, o), why in held.refused.items() if of == name}
    if not out:
        return parameter
    written: Any = form.space[name]
    key = "only" if isinstance(written, MoleculeForm) else "choice"
    if (asked := getattr(written, key)) is not None:
        option = next(one for one in asked if one in out)
        raise source.refusal(
            ("space", name, key, asked.index(option)), option, out[option]
        )
    if isinstance(parameter, Molecule):
        left = {o: s for o, s in parameter.options.items() if o not in out}
        if left:
            return Molecule(name, left)
    elif isinstance(parameter, Choice):
        return parameter  # every choice is asked for by name
    whys = "; ".join(f"{option}: {why}" for option, why in out.items())
    raise source.refusal(("space", name), name, f"nothing is left of it: {whys}")
