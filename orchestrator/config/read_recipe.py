"""From recipe.yaml to a `RecipeTemplate`, checked against the lab and the space."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from orchestrator import units
from orchestrator.config.forms import MeasurementForm, RecipeForm, StepForm
from orchestrator.config.models import Lab, RecipeTemplate, Reference, StepTemplate
from orchestrator.config.strict_yaml import Source, Where, near, read
from orchestrator.lab import (
    AMOUNTS,
    ANALYSES,
    OPERATIONS,
    recipe_keys,
    required_keys,
)
from orchestrator.records import MeasurementRule

_REFERENCE = re.compile(r"\$([A-Za-z][A-Za-z0-9_]*)")
_STEP_KEYS = ("step", "operation", "at", "at_once", "empty", "tolerance")

RELATIVE = ("molality", "mass_ratio")
"""Amounts that are measured against what another step (``of``) dispenses."""
TOLERANCE = 0.1
"""Part of its duration by which a step may last longer or shorter, unless it says so."""


def read_recipe(path: Path, lab: Lab, space: Collection[str]) -> RecipeTemplate:
    """Read and check a recipe.

    Parameters
    ----------
    path:
        Of the recipe's YAML file.
    lab:
        Where it is to be carried out.
    space:
        The names of the campaign's parameters, to which ``$name`` refers.
    """
    source = read(path)
    form = source.fill(RecipeForm)
    steps: dict[str, StepTemplate] = {}
    for index, one in enumerate(form.steps):
        where: Where = ("steps", index)
        if one.step in steps:
            raise source.refusal((*where, "step"), one.step, "named twice")
        if one.at_once and not steps:
            raise source.refusal((*where, "at_once"), True, "no step comes before it")
        if one.tolerance is not None and "duration" not in (one.model_extra or {}):
            rule = "only a step with a duration has one"
            raise source.refusal((*where, "tolerance"), one.tolerance, rule)
        steps[one.step] = _step(source, where, one, lab, space)
        if "liquid" in steps[one.step].values:
            _how_much(source, where, steps[one.step], steps)
    measured: dict[str, MeasurementRule] = {}
    for name, measurement in form.measurements.items():
        measured[name] = _measurement(source, name, measurement, steps, measured)
    return RecipeTemplate(
        form.recipe, source, tuple(steps.values()), tuple(measured.values())
    )


def _step(
    source: Source, where: Where, form: StepForm, lab: Lab, space: Collection[str]
) -> StepTemplate:
    operation = form.operation
    if operation not in OPERATIONS:
        rule = f"no such operation: {near(operation, OPERATIONS)}"
        raise source.refusal((*where, "operation"), operation, rule)
    if OPERATIONS[operation].kind == "transfer":
        rule = "leave it out: the arm brings the sample to each step's slot"
        raise source.refusal((*where, "operation"), operation, rule)
    if form.at not in lab.slots:
        own = [slot for station in lab.stations.values() for slot in station.slots]
        rule = f"no such slot: {near(form.at, own)}"
        raise source.refusal((*where, "at"), form.at, rule)
    station = lab.station_for(operation, form.at)
    if station is None:
        offers = [
            f"{one.name} in {', '.join((*one.slots, *one.serves))}"
            for one in lab.stations.values()
            if operation in one.operations
        ]
        rule = f"no station offers it in {form.at}; offered by: {'; '.join(offers) or 'none'}"
        raise source.refusal((*where, "operation"), operation, rule)
    keys = recipe_keys(operation)
    given = form.model_extra or {}
    for key in required_keys(operation):
        if key not in given:
            rule = f"missing: {operation} needs it"
            if keys[key]:
                rule += f', e.g. "{units.example(keys[key])}"'
            raise source.refusal(where, key, rule)
    values: dict[str, Any] = {}
    for key, value in given.items():
        place: Where = (*where, key)
        if key not in keys:
            rule = f"unknown key: {near(key, [*_STEP_KEYS, *keys])}"
            raise source.refusal(place, value, rule)
        values[key] = _given(source, place, value, keys[key], lab, space)
        if isinstance(values[key], float):
            for limit in station.limits.get(key, ()):
                if not limit.low <= values[key] <= limit.high:
                    rule = f"{limit} ({limit.place})"
                    raise source.refusal(place, value, rule)
    return StepTemplate(
        name=form.step,
        operation=operation,
        station=station.name,
        slot=form.at,
        values=values,
        place=source.place(*where),
        at_once=form.at_once,
        empty=form.empty,
        tolerance=TOLERANCE if form.tolerance is None else form.tolerance / 100.0,
    )


def _how_much(
    source: Source, where: Where, step: StepTemplate, steps: Mapping[str, StepTemplate]
) -> None:
    """Refuse a portion of which nothing or two things say how much it is."""
    values = step.values
    said = [key for key in AMOUNTS if key in values]
    if len(said) != 1:
        rule = f"write one of {', '.join(AMOUNTS)}"
        raise source.refusal((*where, "liquid"), step.name, rule)
    relative = said[0] in RELATIVE
    if relative != ("of" in values):
        rule = f"goes with {' or '.join(RELATIVE)}, and they with it"
        raise source.refusal((*where, "of"), values.get("of", "missing"), rule)
    if said[0] != "volume" and "concentration" in values:
        rule = f"{said[0]} is of the stock as it is: leave it out"
        raise source.refusal((*where, "concentration"), step.name, rule)
    of = values.get("of")
    if relative and (of == step.name or of not in steps):
        earlier = [name for name in steps if name != step.name]
        rule = f"no step before this one: {near(str(of), earlier)}"
        raise source.refusal((*where, "of"), of, rule)
    if relative and "mass" not in steps[str(of)].values:
        raise source.refusal((*where, "of"), of, "it does not dispense a `mass`")


def _given(
    source: Source,
    place: Where,
    value: Any,
    unit: str,
    lab: Lab,
    space: Collection[str],
) -> Any:
    if isinstance(value, str) and value.startswith("$"):
        match = _REFERENCE.fullmatch(value)
        if match is None or match[1] not in space:
            rule = f"not in the campaign's space: {near(value[1:], space)}"
            raise source.refusal(place, value, rule)
        return Reference(match[1])
    if unit:
        try:
            return units.parse(value, unit)
        except units.UnitError as error:
            raise source.refusal(place, value, str(error)) from None
    if not isinstance(value, str | int | float):
        raise source.refusal(place, value, "must be one value")
    if place[-1] in ("liquid", "diluent") and value not in lab.liquids:
        rule = f"not on the shelf: {near(str(value), lab.liquids)}"
        raise source.refusal(place, value, rule)
    return value


def _measurement(
    source: Source,
    name: str,
    form: MeasurementForm,
    steps: Mapping[str, StepTemplate],
    before: Mapping[str, MeasurementRule],
) -> MeasurementRule:
    where: Where = ("measurements", name)
    if form.analysis not in ANALYSES:
        rule = f"no such analysis: {near(form.analysis, ANALYSES)}"
        raise source.refusal((*where, "analysis"), form.analysis, rule)
    analysis = ANALYSES[form.analysis]
    for key, given, wanted in (
        ("runs", form.runs, analysis.runs),
        ("of", form.of, analysis.of),
    ):
        if set(given) != set(wanted):
            rule = f"{form.analysis} takes {key}: {', '.join(wanted) or 'none'}"
            raise source.refusal((*where, key), ", ".join(given) or "none", rule)
    for role, step in form.runs.items():
        place: Where = (*where, "runs", role)
        if step not in steps:
            raise source.refusal(place, step, f"no such step: {near(step, steps)}")
        if steps[step].operation != analysis.runs[role]:
            rule = f"{form.analysis} works on a step of operation {analysis.runs[role]}"
            raise source.refusal(place, step, rule)
    for role, other in form.of.items():
        place = (*where, "of", role)
        if other not in before:
            rule = f"no measurement before this one: {near(other, before)}"
            raise source.refusal(place, other, rule)
        unit = ANALYSES[before[other].analysis].unit
        if unit != analysis.of[role]:
            rule = f"it is in {unit}, and {form.analysis} wants {analysis.of[role]}"
            raise source.refusal(place, other, rule)
    for index, other in enumerate(form.needs):
        if other not in before:
            rule = f"no measurement before this one: {near(other, before)}"
            raise source.refusal((*where, "needs", index), other, rule)
    return MeasurementRule(
        name, form.analysis, dict(form.runs), dict(form.of), tuple(form.needs)
    )
