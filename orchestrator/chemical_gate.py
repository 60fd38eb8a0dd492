"""The chemical gate: what may not be poured, may not meet, and may not be warmed.

Pure: from a lab and steps to reasons. The same functions judge the options of a
campaign, a compiled recipe and the portions that reach a station; what they know is
in `hazards`. A liquid without SMILES has no structure to judge, only its figures.

What is followed through a recipe, in its order:

- *wet*: liquids that lie on the sample, from their dispense until a rinse, or until a
  spin throws them off. They may not be warmer than boiling or flash point less the
  lab's margin.
- *traces*: what has touched the sample since the last rinse, spun off or not; and, for
  a slot, what was spun off into its bowl. They may not meet what must not meet them.
- how warm a plate is: known from a step that sets it until the next step that may
  wait, since another sample's step could come between. Where it is not known, the
  plate is taken to be as warm as it can be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

from orchestrator import units
from orchestrator.errors import Refused
from orchestrator.hazards import CLASSES, HAZARDS, MATERIALS, PAIRS, Hazard
from orchestrator.lab import OPERATIONS, number, recipe_keys

if TYPE_CHECKING:
    from orchestrator.config.models import Lab, Liquid
    from orchestrator.records import Step

ROOM = 25.0
"""As warm as a liquid may be of which the lab does not say when it boils, degC."""
DILUENT = "diluent"


@cache
def _patterns(smarts: str) -> Any:
    from rdkit import Chem

    return Chem.MolFromSmarts(smarts)


@cache
def _molecule(smiles: str) -> Any:
    from planners.chemistry import read

    return read(smiles, smiles)


def _count(smiles: str, smarts: str) -> int:
    return len(_molecule(smiles).GetSubstructMatches(_patterns(smarts)))


@cache
def hazards(smiles: str) -> tuple[Hazard, ...]:
    """Return the groups of a molecule for which it is refused outright.

    Examples
    --------
    >>> [one.name for one in hazards("CC(=O)Cl")], hazards("CC(=O)O")
    (['acyl halide'], ())
    """
    return tuple(one for one in HAZARDS if _count(smiles, one.smarts) >= one.least)


@cache
def classes(smiles: str) -> frozenset[str]:
    """Return what a molecule is; what is acid and base in one is not called a base.

    Examples
    --------
    >>> sorted(classes("O[N+](=O)[O-]")), sorted(classes("NCC(=O)O"))
    (['acid', 'oxidising acid'], ['acid', 'carboxylic acid', 'organic'])
    """
    found = {
        name
        for name, patterns in CLASSES.items()
        if any(_count(smiles, smarts) for smarts in patterns)
    }
    if any(one.kind == "water-reactive" for one in hazards(smiles)):
        found.add("water-reactive")
    if _count(smiles, "[!#6;!#1]"):
        found.discard("hydrocarbon")
    return frozenset(found - {"base"} if "acid" in found else found)


def kinds(liquid: Liquid) -> frozenset[str]:
    """Return the classes of a liquid; none if the lab does not give its structure."""
    return classes(liquid.smiles) if liquid.smiles else frozenset()


def meeting(one: Liquid, other: Liquid) -> str:
    """Return why two liquids must not meet, or nothing."""
    for pair in PAIRS:
        for a, b in ((one, other), (other, one)):
            if pair.one in kinds(a) and pair.other in kinds(b):
                return pair.reason
    return ""


def outright(liquid: Liquid, materials: Iterable[str]) -> str:
    """Return why a liquid may not be poured at all with these materials, or nothing."""
    if not liquid.smiles:
        return ""
    for hazard in hazards(liquid.smiles):
        return f"{hazard.name} ({hazard.kind}): {hazard.reason}"
    for name in materials:
        for what, why in MATERIALS[name].fails.items():
            if what in kinds(liquid):
                return f"{what}: {name} of the pump {why}"
    return ""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The highest temperature that a liquid may have, in degC, and why."""

    high: float
    why: str


def ceiling(liquid: Liquid, margin: float, *, inert: bool = False) -> Ceiling | None:
    """Return how warm a liquid may be; None for water, which merely dries.

    Boiling point and flash point are those that the lab states; infinity stands for
    "none". A combustible liquid (or one of unknown structure) without a flash point,
    and any without a boiling point, may not be heated above `ROOM`. In an inert
    atmosphere nothing flashes, and only the boiling point counts.
    """
    known = kinds(liquid)
    if known == {"water"} or (not liquid.smiles and liquid.kind == DILUENT):
        return None
    wanted = {"boiling": liquid.boiling}
    burns = liquid.flash is not None or not liquid.smiles or "organic" in known
    if burns and not inert:
        wanted["flash"] = liquid.flash
    missing = [name for name, value in wanted.items() if value is None]
    stated = {name: one for name, one in wanted.items() if one is not None}
    lowest = min(stated, key=lambda name: stated[name], default="")
    high = stated.get(lowest, math.inf) - margin
    if missing and high >= ROOM:
        text = " and ".join(f"{name}: is not stated" for name in missing)
        return Ceiling(ROOM, f"{text}, so that it may not be heated above the room")
    if math.isinf(high):
        return None
    what = {"boiling": "boils or decomposes", "flash": "flashes"}[lowest]
    why = f"it {what} at {units.show(stated[lowest], 'degC')}, less a margin of "
    return Ceiling(high, why + units.show(margin, "K"))


def materials_of(lab: Lab, station: str) -> tuple[str, ...]:
    """Return what liquids touch in the instruments of a station, as the lab states."""
    found: dict[str, None] = {}
    for name in lab.stations[station].instruments.values():
        listed = lab.instruments[name].texts.get("materials", ())
        found |= dict.fromkeys(str(one) for one in listed)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Doing:
    """A step as the gate sees it.

    ``temperature`` is what the step sets its plate to: a number in degC, anything else
    that stands for one (a reference), or None.
    """

    name: str
    operation: str
    station: str
    slot: str
    liquids: tuple[str, ...] = ()
    temperature: Any = None
    at_once: bool = False
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Exposure:
    """A liquid on a sample at a temperature; None: the recipe does not tell."""

    step: str
    liquid: str
    slot: str
    temperature: Any


@dataclass(frozen=True, slots=True)
class Objection:
    """What is wrong with a step, and the liquids that are to blame."""

    step: str
    liquids: tuple[str, ...]
    reason: str


def walk(lab: Lab, doings: Iterable[Doing]) -> Iterator[Exposure | Objection]:
    """Yield what becomes of the liquids in a recipe, step by step."""
    wet: dict[str, None] = {}
    traces: dict[str, None] = {}
    bowls: dict[str, dict[str, None]] = {}
    warm: dict[str, Any] = {}
    for one in doings:
        if not one.at_once:
            warm = {}
        plate = is_plate(lab, one.slot)
        under = wet if plate and not one.empty else {}
        for name in under:  # as it arrives
            yield Exposure(one.name, name, one.slot, warm.get(one.slot))
        if one.temperature is not None:
            warm[one.slot] = one.temperature
            for name in under:
                yield Exposure(one.name, name, one.slot, one.temperature)
        poured = dict.fromkeys(one.liquids)
        for name in poured:
            yield from _outright(lab, one, name)
        bowl = bowls.setdefault(one.slot, {})
        yield from _meetings(lab, one.name, poured, traces | bowl)
        operation = OPERATIONS[one.operation]
        if operation.cleans:
            wet, traces = {}, {}
            bowl.clear()
        wet, traces = wet | poured, traces | poured
        if plate:
            for name in poured:
                yield Exposure(one.name, name, one.slot, warm.get(one.slot))
        if operation.throws_off:
            yield from _meetings(lab, one.name, {}, {}, wet, bowl)
            bowl.update(wet)
            wet = {}


def _outright(lab: Lab, one: Doing, name: str) -> Iterator[Objection]:
    reason = outright(lab.liquids[name], materials_of(lab, one.station))
    if reason:
        yield Objection(one.name, (name,), f"{name} is refused: {reason}")


def _meetings(
    lab: Lab,
    step: str,
    poured: Iterable[str],
    there: Iterable[str],
    thrown: Iterable[str] = (),
    bowl: Iterable[str] = (),
) -> Iterator[Objection]:
    """Yield the pairs among what is poured, with what is there, and in a bowl."""
    poured, there = list(poured), list(there)
    pairs = [
        *combinations(poured, 2),
        *((a, b) for a in poured for b in there),
        *((a, b) for a in thrown for b in bowl),
    ]
    for a, b in dict.fromkeys(pairs):
        if reason := meeting(lab.liquids[a], lab.liquids[b]):
            text = f"{a} and {b} must not meet without a rinse between: {reason}"
            yield Objection(step, (a, b), text)


def is_plate(lab: Lab, slot: str) -> bool:
    """Whether a slot's own station can heat what is in it."""
    return any(
        "temperature" in recipe_keys(operation)
        for station in lab.stations.values()
        if slot in station.slots
        for operation in station.operations
    )


def hottest(lab: Lab, slot: str) -> float:
    """Return how warm a plate can be, by its station's limits, in degC."""
    highs = [
        limit.high
        for station in lab.stations.values()
        if slot in station.slots
        for limit in station.limits.get("temperature", ())
    ]
    return min(highs, default=math.inf)


def too_warm(lab: Lab, one: Exposure) -> Objection | None:
    """Return what is wrong with a liquid at a temperature, if anything is."""
    most = ceiling(lab.liquids[one.liquid], lab.margin, inert=lab.inert)
    known = one.temperature is not None
    place = f"step {one.step}: temperature"
    value = number(place, one.temperature) if known else hottest(lab, one.slot)
    if most is None or value <= most.high + 1e-9:
        return None
    text = f"{one.liquid} would be on {one.slot} at {units.show(value, 'degC')}"
    if not known:
        text = (
            f"{one.liquid} would be on {one.slot} while that may be as warm as "
            f"{units.show(value, 'degC')}, as no step right before sets it (with at_once)"
        )
    rule = f"at most {units.show(most.high, 'degC')}: {most.why}"
    return Objection(
        one.step, (one.liquid,), f"{text} — {rule} ({place_of(lab, one.liquid)})"
    )


def place_of(lab: Lab, liquid: str) -> str:
    """Return where the lab file speaks of a liquid."""
    return lab.source.place("inventory", "liquids", liquid)


def objections(lab: Lab, steps: Iterable[Step]) -> Iterator[Objection]:
    """Yield everything that is wrong with compiled steps."""
    for one in walk(lab, (doing_of(lab, step) for step in steps)):
        if isinstance(one, Objection):
            yield one
        elif found := too_warm(lab, one):
            yield found


def doing_of(lab: Lab, step: Step) -> Doing:
    """Return a compiled step as the gate sees it."""
    portions = step.parameters.get("portions", ())
    for one in portions:
        if one["liquid"] not in lab.liquids:
            raise Refused(f"step {step.name}: {one['liquid']!r} — not on the shelf")
    return Doing(
        name=step.name,
        operation=step.operation,
        station=step.station,
        slot=step.slot,
        liquids=tuple(str(one["liquid"]) for one in portions),
        temperature=step.parameters.get("temperature"),
        at_once=step.at_once,
        empty=step.empty,
    )


def check_steps(lab: Lab, steps: Iterable[Step]) -> None:
    """Refuse compiled steps, wherever they come from, that the gate objects to.

    Raises
    ------
    Refused
        Naming the step, the liquids and the reason.
    """
    for found in objections(lab, steps):
        raise Refused(f"step {found.step}: {found.reason}")


def check_portions(lab: Lab, station: str, liquids: Iterable[str], place: str) -> None:
    """Refuse liquids that may not be poured, or not together, by a station."""
    poured = list(dict.fromkeys(liquids))
    for name in poured:
        if reason := outright(lab.liquids[name], materials_of(lab, station)):
            raise Refused(f"{place}: {name} — refused: {reason}")
    for found in _meetings(lab, "", poured, ()):
        raise Refused(f"{place}: {found.reason}")


def caps(lab: Lab, doings: Iterable[Doing]) -> Mapping[Any, tuple[float, str]]:
    """Return the highest value of each temperature that is not a number, and for whom."""
    found: dict[Any, tuple[float, str]] = {}
    for one in walk(lab, doings):
        if isinstance(one, Objection) or isinstance(
            one.temperature, int | float | None
        ):
            continue
        most = ceiling(lab.liquids[one.liquid], lab.margin, inert=lab.inert)
        if most and most.high < found.get(one.temperature, (math.inf, ""))[0]:
            found[one.temperature] = (most.high, one.liquid)
    return found
