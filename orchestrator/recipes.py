"""How a candidate becomes steps: every amount fixed, every value held to its limits.

Pure. Moves between slots are not in a recipe: the dispatcher has the arm make them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator import units
from orchestrator.chemical_gate import materials_of, objections
from orchestrator.config.models import (
    Campaign,
    Lab,
    Limit,
    Liquid,
    Reference,
    Station,
    StepTemplate,
)
from orchestrator.errors import Refused
from orchestrator.lab import AMOUNTS, OPERATIONS, number, recipe_keys, signature
from orchestrator.records import Recipe, Step
from planners.data import Candidate, Value
from planners.space import Space

if TYPE_CHECKING:
    from rich.table import Table


def compile_recipe(campaign: Campaign, candidate: Candidate) -> Recipe:
    """Return the recipe that makes a candidate.

    Raises
    ------
    Refused
        If the candidate is not of the campaign's space, a step would go beyond a
        limit of its station, its instruments or the stock, or the chemical gate objects.
    """
    wrong = campaign.space.check(candidate)
    if wrong:
        options = [str(value) for value in candidate.values.values()]
        refused = campaign.refused
        wrong += [f"{one} — {refused[one]}" for one in options if one in refused]
        raise Refused(f"candidate {candidate.id}: {'; '.join(wrong)}")
    poured: dict[str, float] = {}
    steps = tuple(
        _step(campaign, one, candidate, poured) for one in campaign.recipe.steps
    )
    places = {one.name: one.place for one in campaign.recipe.steps}
    for found in objections(campaign.lab, steps):
        raise Refused(f"{places[found.step]}: {found.reason}")
    return Recipe(
        name=campaign.recipe.name,
        candidate=dict(candidate.values),
        steps=steps,
        measurements=campaign.recipe.measurements,
    )


def _step(
    campaign: Campaign,
    template: StepTemplate,
    candidate: Candidate,
    solutes: dict[str, float],
) -> Step:
    """Compile a step; ``solutes`` is what each step before has dispensed, in mg."""
    station = campaign.lab.stations[template.station]
    keys = recipe_keys(template.operation)
    space_units = {real.name: real.unit for real in campaign.space.reals}
    given: dict[str, Value] = {}
    for key, value in template.values.items():
        name = value.name if isinstance(value, Reference) else ""
        plain = candidate.values[name] if isinstance(value, Reference) else value
        if keys[key]:
            place = f"{template.place}.{key}"
            unit = space_units[name] if name else keys[key]
            plain = units.convert(number(place, plain), unit, keys[key])
            station.check(place, key, plain)
        given[key] = plain
    parameters: dict[str, Any] = {}
    for one in signature(template.operation).parameters.values():
        if one.kind == "place":
            parameters[one.name] = template.slot
        elif one.kind == "portions":
            given |= _volume(campaign.lab, station, template.place, given, solutes)
            poured = _portions(campaign.lab, station, template.place, given)
            solutes[template.name] = math.fsum(p.get("solute", 0.0) for p in poured)
            if OPERATIONS[template.operation].plumbed:
                _check_plumbed(campaign.lab, template, poured)
            parameters[one.name] = poured
        elif one.name in given:
            parameters[one.name] = given[one.name]
    seconds = OPERATIONS[template.operation].seconds
    return Step(
        name=template.name,
        operation=template.operation,
        station=station.name,
        slot=template.slot,
        parameters=parameters,
        duration=seconds + float(given.get("duration", 0.0)),
        at_once=template.at_once,
        empty=template.empty,
        tolerance=template.tolerance,
        given={
            key: value.name
            for key, value in template.values.items()
            if isinstance(value, Reference)
        },
    )


def _volume(
    lab: Lab,
    station: Station,
    place: str,
    given: Mapping[str, Value],
    solutes: Mapping[str, float],
) -> dict[str, Value]:
    """Return the volume to draw, where the recipe says how much in another way.

    Raises
    ------
    Refused
        If the lab does not say what the stock holds, the step that the portion is
        measured against dispensed nothing that is weighed, or the arm cannot meter it.
    """
    key = next((one for one in AMOUNTS if one in given), "volume")
    if key == "volume":
        return {}
    liquid, wanted = lab.liquids[str(given["liquid"])], float(given[key])
    where = f"{place}.{key}: {units.show(wanted, AMOUNTS[key])} of {liquid.name}"
    if key != "mass":
        base = solutes.get(str(given.get("of")), 0.0)
        if not base > 0.0:
            rule = f"step {given.get('of')!r} before it dispenses no mass of a solute"
            raise Refused(f"{where} — {rule}")
        wanted *= base * (1e-3 if key == "molality" else 1e-2)  # to mmol, to mg
    holds = liquid.concentration if key == "molality" else liquid.content
    if holds is None:
        missing = "concentration" if key == "molality" else "content"
        raise Refused(f"{where} — the lab states no {missing} of its stock")
    volume = round(wanted / holds * 1e3, 3)
    station.check(f"{where}: volume", "volume", volume)
    return {"volume": volume}


def _portion(liquid: Liquid, volume: float) -> dict[str, Any]:
    """Return a portion, with what it holds as far as the lab states it.

    Mass in mg, solute in mg, amount of the solute in mmol.
    """
    portion: dict[str, Any] = {
        "liquid": liquid.name,
        "source": liquid.place,
        "volume": round(volume, 3),
    }
    if liquid.density is not None:
        portion["mass"] = round(volume * liquid.density, 6)
    if liquid.content is not None:
        portion["solute"] = round(volume * liquid.content * 1e-3, 6)
    if liquid.concentration is not None and liquid.density is not None:
        portion["amount"] = round(volume * liquid.concentration * 1e-3, 9)
    return portion


def _portions(
    lab: Lab, station: Station, place: str, given: Mapping[str, Value]
) -> list[dict[str, Any]]:
    """Return what to draw, in order: the diluent first, so that acid goes into water.

    A diluent below the arm's smallest volume is rounded to none or to that volume,
    which changes the concentration by at most half of it in the whole.
    """
    liquid, volume = lab.liquids[str(given["liquid"])], float(given["volume"])
    limits = station.limits.get("volume", ())
    smallest = max((limit.low for limit in limits), default=0.0)
    rest = 0.0
    if "concentration" in given:
        wanted, stock = float(given["concentration"]), liquid.concentration
        where = f"{place}.concentration: {units.show(wanted, 'mol/L')} {liquid.name}"
        if stock is None:
            raise Refused(f"{where} — its stock has no concentration")
        if not 0 < wanted <= stock * (1 + 1e-9):
            most = units.show(stock, "mol/L")
            raise Refused(f"{where} — must be above 0 and at most the stock's {most}")
        rest = max(volume * (1 - wanted / stock), 0.0)
        if rest < smallest:
            rest = smallest if rest >= smallest / 2 else 0.0
        if volume - rest < smallest:
            needs = units.show(volume * wanted / stock, "uL")
            least = units.show(smallest, "uL")
            rule = f"{needs} of stock, below the smallest volume of {station.name}, {least}"
            raise Refused(f"{where} — takes {rule} ({limits[0].place})")
        if rest and "diluent" not in given:
            raise Refused(f"{where} — below the stock: write a diluent")
    parts = [(liquid.name, volume - rest)]
    if rest:
        parts.insert(0, (str(given["diluent"]), rest))
    return [_portion(lab.liquids[name], amount) for name, amount in parts]


def _check_plumbed(
    lab: Lab, template: StepTemplate, poured: list[dict[str, Any]]
) -> None:
    for one in poured:
        if one["source"] in lab.vials:
            raise Refused(
                f"{template.place}.liquid: {one['liquid']} — comes from vial "
                f"{one['source']}; {template.operation} takes liquids from the valve"
            )


def liquids_used(recipe: Recipe) -> dict[str, float]:
    """Return the volume of each liquid that a recipe takes, in uL."""
    used: dict[str, float] = {}
    for step in recipe.steps:
        for one in step.parameters.get("portions", ()):
            used[one["liquid"]] = used.get(one["liquid"], 0.0) + one["volume"]
    return used


@dataclass(frozen=True, slots=True)
class Row:
    """A step as people read it; ``duration`` in lab seconds."""

    step: str
    operation: str
    station: str
    slot: str
    parameters: tuple[str, ...]
    duration: float
    limits: tuple[tuple[str, Limit], ...]


def explain(recipe: Recipe, campaign: Campaign) -> list[Row]:
    """Return a compiled recipe for people: units, durations, limits it was held to."""
    rows = []
    for step in recipe.steps:
        keys = recipe_keys(step.operation)
        station = campaign.lab.stations[step.station]
        parameters, limits = [], []
        for name, value in step.parameters.items():
            if name == "portions":
                poured = [
                    f"{units.show(p['volume'], 'uL')} {p['liquid']}" for p in value
                ]
                parameters.append(" + ".join(poured))
            elif keys.get(name):
                parameters.append(f"{name} {units.show(value, keys[name])}")
            elif name in keys:
                parameters.append(f"{name} {value}")
        for key in keys:
            if key in step.parameters or (key == "volume" and "liquid" in keys):
                held = station.limits.get(key, ())
                limits += [(key, limit) for limit in held]
        rows.append(
            Row(
                step.name,
                step.operation,
                step.station,
                step.slot,
                tuple(parameters),
                step.duration,
                tuple(limits),
            )
        )
    return rows


def duration(recipe: Recipe) -> float:
    """Return how long a recipe takes, in lab seconds, with a transfer between slots."""
    moves, at = 1, ""
    for step in recipe.steps:
        if not step.empty and step.slot != at:
            moves, at = moves + 1, step.slot
    transfers = moves * OPERATIONS["transfer"].seconds
    return transfers + sum(step.duration for step in recipe.steps)


def timing(campaign: Campaign, candidate: Candidate) -> tuple[float, dict[str, float]]:
    """Return how long a recipe takes, and how much more for each unit of a real.

    In minutes of lab time; the first without what the reals say.
    """
    recipe = compile_recipe(campaign, candidate)
    space_units = {real.name: real.unit for real in campaign.space.reals}
    seconds = duration(recipe)
    per: dict[str, float] = {}
    for step in recipe.steps:
        name = step.given.get("duration")
        if name is not None:
            seconds -= float(step.parameters["duration"])
            more = units.stretch(space_units[name], "s") / 60.0
            per[name] = per.get(name, 0.0) + more
    return seconds / 60.0, per


def recipe_table(recipe: Recipe, campaign: Campaign) -> Table:
    """Return a compiled recipe as a table for the terminal."""
    from rich.table import Table

    title = ", ".join(_value(campaign, key) for key in recipe.candidate.items())
    table = Table(title=f"{recipe.name}: {title}", title_justify="left")
    for column in ("step", "station", "slot", "what", "expected", "held against"):
        table.add_column(column, justify="right" if column == "expected" else "left")
    for row in explain(recipe, campaign):
        what = "\n".join([row.operation, *row.parameters])
        expected = units.show(round(row.duration), "s")
        limits = "\n".join(_held(key, limit) for key, limit in row.limits)
        table.add_row(row.step, row.station, row.slot, what, expected, limits)
    minutes = units.show(round(duration(recipe) / 60), "min")
    table.caption = f"{minutes} of lab time in all, transfers included"
    return table


def _held(key: str, limit: Limit) -> str:
    """Return a limit in short: file and line stand for its place."""
    return f"{key} {limit.bounds} [dim]{Path(limit.place.split(': ')[0]).name}[/dim]"


def _value(campaign: Campaign, item: tuple[str, Value]) -> str:
    name, value = item
    unit = {real.name: real.unit for real in campaign.space.reals}.get(name, "")
    text = value if isinstance(value, str) else units.show(value, unit)
    return f"{name} {text}"


def parameter_texts(candidate: Candidate, space: Space) -> list[tuple[str, str]]:
    """Return the parameters of a candidate as people read them, each with its unit."""
    rows = []
    for parameter in space.parameters:
        value = candidate.values[parameter.name]
        unit = getattr(parameter, "unit", "")
        text = value if isinstance(value, str) else units.show(value, unit)
        rows.append((parameter.name.replace("_", " "), text))
    return rows


def safety_lines(campaign: Campaign) -> Iterator[str]:
    """Yield what the chemical gate did to a campaign, and what it could not judge."""
    lab = campaign.lab
    for option, why in campaign.refused.items():
        yield f"refused: {option} — {why}"
    yield from (f"capped: {one}" for one in campaign.capped)
    pouring = [one for one in campaign.recipe.steps if "liquid" in one.values]
    for station in dict.fromkeys(one.station for one in pouring):
        if not materials_of(lab, station):
            yield f"not checked: materials of the pump of {station} — not stated"
    for liquid in lab.liquids.values():
        if not liquid.smiles:
            yield f"not checked: what {liquid.name} may meet — no smiles"
