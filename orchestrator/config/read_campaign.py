"""From campaign.yaml to a `Campaign`: the space is held against recipe and lab."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator import units
from orchestrator.config.forms import CampaignForm
from orchestrator.config.models import (
    Budget,
    Campaign,
    Lab,
    RecipeTemplate,
    Reference,
    Station,
)
from orchestrator.config.read_beliefs import read_beliefs
from orchestrator.config.read_cost import read_cost
from orchestrator.config.read_goals import read_goals
from orchestrator.config.read_lab import load_lab
from orchestrator.config.read_planner import read_planner
from orchestrator.config.read_recipe import read_recipe
from orchestrator.config.read_rules import read_rules, ruled, without
from orchestrator.config.read_safety import Safe, hold_safe
from orchestrator.config.space_forms import ChoiceForm, MoleculeForm, RangeForm
from orchestrator.config.strict_yaml import Source, Where, near, read
from orchestrator.errors import ConfigError, Refused
from orchestrator.lab import LEARNING, recipe_keys
from orchestrator.recipes import compile_recipe, liquids_used, timing
from orchestrator.records import WhenUnanswered, WithoutPrefect
from planners.data import Candidate
from planners.space import Caps, Choice, Molecule, Parameter, Real, Space, SpaceError

_STOCK = re.compile(r"stock of ([A-Za-z][A-Za-z0-9_]*)")
_LIQUIDS = ("liquid", "diluent")
NEEDS = {
    "concentration": "concentration",
    "molality": "concentration",
    "mass": "content",
    "mass_ratio": "content",
}
"""What the lab must state of a stock, for each way to say how much of it is wanted."""


@dataclass(frozen=True, slots=True)
class Use:
    """A place in the recipe that says ``$name``: its key, unit, station and step."""

    key: str
    unit: str
    station: Station
    place: str
    others: Mapping[str, object]


def load_campaign(path: Path, *, check_drivers: bool = True) -> Campaign:
    """Read and check a campaign, its recipe and its lab (see `read_lab.load_lab`)."""
    source = read(path)
    form = source.fill(CampaignForm)
    lab_path = source.beside(("lab",), form.lab)
    recipe_path = source.beside(("recipe",), form.recipe)
    lab = load_lab(lab_path, check_drivers=check_drivers)
    if not lab.stations:
        rule = "its lab has instruments only: write slots, stations and inventory there"
        raise source.refusal(("lab",), form.lab, rule)
    recipe = read_recipe(recipe_path, lab, form.space)
    space, safe = _space(source, form, recipe, lab)
    goals = read_goals(source, form, recipe)
    campaign = Campaign(
        name=form.campaign,
        source=source,
        lab=lab,
        recipe=recipe,
        space=space,
        objectives=goals.objectives,
        limits=goals.limits,
        stop=goals.stop,
        planner=read_planner(source, form.planner, space, goals.objectives),
        budget=Budget(form.budget.trials),
        in_flight=form.in_flight,
        when_unanswered=WhenUnanswered(form.when_unanswered),
        without_prefect=WithoutPrefect(form.without_prefect),
        refused=safe.refused,
        capped=safe.capped,
    )
    _check_stock(campaign, _check_corners(campaign))
    return _weighed(campaign, form)


def _weighed(campaign: Campaign, form: CampaignForm) -> Campaign:
    """Return a campaign with what its trials cost, and what is believed of it."""
    source, space, refused = campaign.source, campaign.space, campaign.refused
    for key, value in (("cost", form.cost), ("beliefs", form.beliefs)):
        if value and form.planner.name not in LEARNING:
            rule = f"planner {form.planner.name} learns nothing: leave it out"
            raise source.refusal((key,), key, rule)

    def timed() -> tuple[float, dict[str, float]]:
        return timing(campaign, next(corners(space)))

    return dataclasses.replace(
        campaign,
        cost=read_cost(source, form.cost, space, refused, timed),
        beliefs=read_beliefs(source, form.beliefs, space, refused),
    )


def corners(space: Space) -> Iterator[Candidate]:
    """Yield, for every combination of options, the candidates of all lows and highs.

    Where a sum forbids them, the most and the least of each quantity in it.
    """
    names = [real.name for real in space.reals]
    for options in space.combinations():
        for region in space.regions(options):
            for corner in region.corners():
                positions = dict(zip(names, map(float, corner), strict=True))
                yield space.candidate(positions, options)


def _uses(recipe: RecipeTemplate, lab: Lab, name: str) -> list[Use]:
    return [
        Use(
            key,
            recipe_keys(step.operation)[key],
            lab.stations[step.station],
            f"{step.place}.{key}",
            step.values,
        )
        for step in recipe.steps
        for key, value in step.values.items()
        if value == Reference(name)
    ]


def _space(
    source: Source, form: CampaignForm, recipe: RecipeTemplate, lab: Lab
) -> tuple[Space, Safe]:
    made: dict[str, Parameter] = {}
    choices = {n: p for n, p in form.space.items() if not isinstance(p, RangeForm)}
    for name, one in {**choices, **form.space}.items():
        uses = _uses(recipe, lab, name)
        if not uses:
            rule = (
                f"the recipe does not use it: write ${name} in a step, or leave it out"
            )
            raise source.refusal(("space", name), name, rule)
        if isinstance(one, MoleculeForm):
            made[name] = _molecule(source, name, one, uses, lab)
        elif isinstance(one, ChoiceForm):
            made[name] = _choice(source, name, one, uses, lab)
        else:
            made[name] = _real(source, name, one, uses, lab, made)
    rules = read_rules(source, form.rules, made.values())
    safe = hold_safe(source, form, recipe, lab, made, rules)
    try:
        space = Space(tuple(safe.parameters[name] for name in form.space))
    except SpaceError as error:
        raise ConfigError(f"{source.place('space')}: {error}") from error
    return ruled(source, space, without(rules, space.parameters)), safe


def _molecule(
    source: Source, name: str, form: MoleculeForm, uses: list[Use], lab: Lab
) -> Molecule:
    where: Where = ("space", name)
    shelf = {n: one for n, one in lab.liquids.items() if one.kind == form.molecule}
    if not shelf:
        kinds = dict.fromkeys(one.kind for one in lab.liquids.values() if one.kind)
        rule = f"no liquid of this kind on the shelf: {near(form.molecule, kinds)}"
        raise source.refusal((*where, "molecule"), form.molecule, rule)
    for index, wanted in enumerate(form.only or ()):
        if wanted not in shelf:
            rule = f"no such {form.molecule} on the shelf: {near(wanted, shelf)}"
            raise source.refusal((*where, "only", index), wanted, rule)
    names = form.only or list(shelf)
    if len(set(names)) < len(names):
        raise source.refusal((*where, "only"), ", ".join(names), "name each once")
    for liquid in names:
        if not shelf[liquid].smiles:
            place = lab.source.place("inventory", "liquids", liquid)
            raise ConfigError(
                f"{place}: smiles — missing: {name} chooses among molecules"
            )
    _check_liquids(source, where, names, uses, lab)
    return Molecule(name, {liquid: shelf[liquid].smiles for liquid in names})


def _choice(
    source: Source, name: str, form: ChoiceForm, uses: list[Use], lab: Lab
) -> Choice:
    where: Where = ("space", name, "choice")
    for index, option in enumerate(form.choice):
        if any(use.key in _LIQUIDS for use in uses) and option not in lab.liquids:
            rule = f"not on the shelf: {near(option, lab.liquids)}"
            raise source.refusal((*where, index), option, rule)
    if len(set(form.choice)) < len(form.choice):
        raise source.refusal(where, ", ".join(form.choice), "name each once")
    _check_liquids(source, where, form.choice, uses, lab)
    return Choice(name, tuple(form.choice), form.ordered)


def _check_liquids(
    source: Source, where: Where, names: list[str], uses: list[Use], lab: Lab
) -> None:
    """Refuse options that cannot stand where the recipe uses them."""
    for use in uses:
        if use.unit:
            rule = f"{use.place} wants a quantity in {use.unit}: write from and to"
            raise source.refusal(where, ", ".join(names), rule)
        if use.key != "liquid":
            continue
        for amount, stated in NEEDS.items():
            for name in names if amount in use.others else ():
                if getattr(lab.liquids[name], stated) is None:
                    place = lab.source.place("inventory", "liquids", name)
                    why = f"{use.place} is told its {amount}"
                    raise ConfigError(f"{place}: {stated} — missing: {why}")


def _real(
    source: Source,
    name: str,
    form: RangeForm,
    uses: list[Use],
    lab: Lab,
    made: Mapping[str, Parameter],
) -> Real:
    where: Where = ("space", name)
    unit = uses[0].unit
    for use in uses:
        if not use.unit:
            rule = f"{use.place} wants a name: write molecule or choice"
            raise source.refusal(where, f"{form.low} to {form.high}", rule)
        if not units.same_kind(use.unit, unit):
            rule = f"{uses[0].place} wants it in {unit}, {use.place} in {use.unit}"
            raise source.refusal(where, name, rule)
    low = _bound(source, (*where, "from"), form.low, unit)
    caps = _caps(source, (*where, "to"), form.high, unit, lab, made)
    if caps:
        high = max(caps.highs.values())
        weakest = min(caps.highs, key=lambda option: caps.highs[option])
        if low >= caps.highs[weakest]:
            most = units.show(caps.highs[weakest], unit)
            place = lab.source.place("inventory", "liquids", weakest, "concentration")
            rule = f"must be below the stock of {weakest}, {most} ({place})"
            raise source.refusal((*where, "from"), form.low, rule)
    else:
        high = _bound(source, (*where, "to"), form.high, unit)
    if low >= high:
        text = f"{form.low} to {form.high}"
        raise source.refusal(where, text, "empty: from must be below to")
    for use in uses:
        for limit in use.station.limits.get(use.key, ()):
            for end, value in (("from", low), ("to", high)):
                there = units.convert(value, unit, use.unit)
                if not limit.low <= there <= limit.high:
                    text = form.low if end == "from" else form.high
                    rule = f"station {use.station.name}: {limit} ({limit.place})"
                    raise source.refusal((*where, end), text, rule)
    try:
        return Real(name, low, high, unit, form.scale, caps, form.steps)
    except SpaceError as error:
        raise source.refusal(where, form.scale, str(error)) from error


def _bound(source: Source, where: Where, text: str, unit: str) -> float:
    try:
        return units.parse(text, unit)
    except units.UnitError as error:
        raise source.refusal(where, text, str(error)) from None


def _caps(
    source: Source,
    where: Where,
    text: str,
    unit: str,
    lab: Lab,
    made: Mapping[str, Parameter],
) -> Caps | None:
    match = _STOCK.fullmatch(text)
    if match is None:
        return None
    chosen = made.get(match[1])
    options = (
        () if chosen is None or isinstance(chosen, Real) else tuple(chosen.options)
    )
    if not options or any(option not in lab.liquids for option in options):
        names = [name for name, one in made.items() if not isinstance(one, Real)]
        rule = f"no parameter that chooses a liquid: {near(match[1], names)}"
        raise source.refusal(where, text, rule)
    if unit != "mol/L":
        rule = f'a quantity in {unit} is wanted, e.g. "{units.example(unit)}"'
        raise source.refusal(where, text, rule)
    highs = {}
    for option in options:
        stock = lab.liquids[option].concentration
        if stock is None:
            place = lab.source.place("inventory", "liquids", option)
            raise source.refusal(where, text, f"{place} has no concentration")
        highs[option] = stock
    return Caps(match[1], highs)


def _check_corners(campaign: Campaign) -> dict[str, float]:
    """Compile the corners of the space; return the most a trial takes, in uL."""
    most: dict[str, float] = {}
    for candidate in corners(campaign.space):
        try:
            recipe = compile_recipe(campaign, candidate)
        except Refused as error:
            place = campaign.source.place("space")
            raise ConfigError(
                f"{place}: its corners cannot be made: {error}"
            ) from error
        for liquid, volume in liquids_used(recipe).items():
            most[liquid] = max(most.get(liquid, 0.0), volume)
    return most


def _check_stock(campaign: Campaign, most: Mapping[str, float]) -> None:
    """Refuse more trials than there are substrates, liquids or stations for."""
    source, lab, trials = campaign.source, campaign.lab, campaign.budget.trials
    if trials > len(lab.substrates):
        place = lab.source.place("inventory", "substrates", "count")
        rule = f"there are {len(lab.substrates)} substrates ({place})"
        raise source.refusal(("budget", "trials"), trials, rule)
    for name, volume in most.items():
        needed, there = volume * trials, lab.liquids[name].volume
        if needed > there:
            place = lab.source.place("inventory", "liquids", name, "volume")
            rule = (
                f"may take {units.show(needed / 1000, 'mL')} of {name}; the shelf has "
                f"{units.show(there / 1000, 'mL')} ({place})"
            )
            raise source.refusal(("budget", "trials"), trials, rule)
    slots = dict.fromkeys(step.slot for step in campaign.recipe.steps)
    if campaign.in_flight > len(slots):
        rule = f"the recipe has {len(slots)} slots for samples: {', '.join(slots)}"
        raise source.refusal(("in_flight",), campaign.in_flight, rule)
