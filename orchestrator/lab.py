"""The composition root: the one place where a name in a file becomes an object.

Importing it imports no plan, no driver and no planner; each is imported when it is
asked for, and drivers only by `driver`, `build_device` and who calls them.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

from orchestrator.config.strict_yaml import near
from orchestrator.errors import ConfigError, Refused

if TYPE_CHECKING:
    from instruments.clock import Clock
    from instruments.plans.evidence import Traces, Verdict
    from orchestrator.config.models import Campaign, Lab
    from orchestrator.records import Measurement
    from planners.protocol import Planner


@dataclass(frozen=True, slots=True)
class Operation:
    """What a step may ask for.

    ``plan`` is module:function; ``seconds`` is how long it takes in the lab, beside
    the parameter ``duration`` where it has one. A ``transfer`` is never written in a
    recipe: the dispatcher moves samples. A ``plumbed`` one takes its liquids from ports
    of the valve, not from vials. ``patience`` is how many lab seconds beyond that it may
    take before a person is told. ``evidence`` names the function that says, of an act
    whose end nobody saw, what became of it; without one a person is asked. One that
    ``cleans`` takes off what a sample carries; one that ``throws_off`` takes off the bulk
    of it and leaves traces.
    """

    plan: str
    seconds: float
    kind: Literal["act", "measure", "transfer"]
    evidence: str = ""
    patience: float = 120.0
    plumbed: bool = False
    cleans: bool = False
    throws_off: bool = False


_COMES_TO = "instruments.plans.evidence"
_THERMAL = 3600.0
"""Patience with a plate, which may have to cool by 100 K first, in lab seconds."""

OPERATIONS: dict[str, Operation] = {
    "transfer": Operation("instruments.plans.transfer:transfer", 30.0, "transfer", f"{_COMES_TO}:transfer"),
    "put_away": Operation("instruments.plans.transfer:put_away", 30.0, "transfer", f"{_COMES_TO}:put_away"),
    "dispense": Operation("instruments.plans.dispense:dispense", 40.0, "act", f"{_COMES_TO}:dispense"),
    "rinse": Operation("instruments.plans.dispense:rinse", 40.0, "act", f"{_COMES_TO}:dispense", plumbed=True, cleans=True),
    "spin": Operation("instruments.plans.spin:spin", 15.0, "act", f"{_COMES_TO}:spin", throws_off=True),
    "reach": Operation("instruments.plans.heat:reach", 240.0, "act", f"{_COMES_TO}:looks", _THERMAL),
    "hold": Operation("instruments.plans.heat:hold", 5.0, "act", f"{_COMES_TO}:hold"),
    "heat": Operation("instruments.plans.heat:heat", 240.0, "act", f"{_COMES_TO}:hold", _THERMAL),
    "weigh": Operation("instruments.plans.measure:weigh", 15.0, "measure", f"{_COMES_TO}:looks"),
    "light": Operation("instruments.plans.measure:light", 10.0, "measure", f"{_COMES_TO}:looks"),
    "van_der_pauw": Operation("instruments.plans.measure:van_der_pauw", 30.0, "measure", f"{_COMES_TO}:looks"),
    "impedance": Operation("instruments.plans.impedance:impedance", 900.0, "measure", f"{_COMES_TO}:looks", _THERMAL),
    "polarise": Operation("instruments.plans.impedance:polarise", 120.0, "measure", f"{_COMES_TO}:looks", _THERMAL),
    "step_height": Operation("instruments.plans.measure:step_height", 60.0, "measure", f"{_COMES_TO}:looks", 600.0),
}  # fmt: skip

LOOKS = tuple(
    name for name, one in OPERATIONS.items() if one.evidence.endswith(":looks")
)
"""Operations that leave a sample as it was: done again when they were cut short."""

_NOTHING = Operation("", 0.0, "act")


@dataclass(frozen=True, slots=True)
class Analysis:
    """How documents become a quantity in ``unit``.

    ``runs`` names the operation each run must come from, ``of`` the unit of each
    measurement it starts from.
    """

    function: str
    unit: str
    runs: Mapping[str, str] = field(default_factory=dict)
    of: Mapping[str, str] = field(default_factory=dict)


ANALYSES: dict[str, Analysis] = {
    "van_der_pauw": Analysis(
        "orchestrator.analysis.van_der_pauw:analyse",
        "ohm",
        runs={"film": "van_der_pauw"},
    ),
    "transmittance": Analysis(
        "orchestrator.analysis.film:transmittance",
        "1",
        runs={"reference": "light", "sample": "light"},
    ),
    "step_height": Analysis(
        "orchestrator.analysis.film:step_height", "nm", runs={"profile": "step_height"}
    ),
    "mass_difference": Analysis(
        "orchestrator.analysis.composition:mass_difference",
        "mg",
        runs={"before": "weigh", "after": "weigh"},
    ),
    "molality": Analysis(
        "orchestrator.analysis.composition:molality",
        "mol/kg",
        runs={"polymer": "dispense", "salt": "dispense"},
        of={"polymer": "mg", "salt": "mg"},
    ),
    "mass_ratio": Analysis(
        "orchestrator.analysis.composition:mass_ratio",
        "percent",
        runs={"polymer": "dispense", "additive": "dispense"},
        of={"polymer": "mg", "additive": "mg"},
    ),
    "residue": Analysis(
        "orchestrator.analysis.composition:residue",
        "percent",
        runs={"polymer": "dispense", "salt": "dispense", "additive": "dispense"},
        of={"polymer": "mg", "salt": "mg", "additive": "mg", "film": "mg"},
    ),
    "conductivity_at_30": Analysis(
        "orchestrator.analysis.ion_conductor:at_30_degc",
        "S/cm",
        runs={"spectra": "impedance"},
        of={"thickness": "nm"},
    ),
    "conductivity_at_60": Analysis(
        "orchestrator.analysis.ion_conductor:at_60_degc",
        "S/cm",
        runs={"spectra": "impedance"},
        of={"thickness": "nm"},
    ),
    "transference": Analysis(
        "orchestrator.analysis.ion_conductor:lithium",
        "1",
        runs={"polarise": "polarise", "before": "impedance", "after": "impedance"},
    ),
    "conductivity": Analysis(
        "orchestrator.analysis.film:conductivity",
        "S/cm",
        of={"sheet_resistance": "ohm", "thickness": "nm"},
    ),
}

PLANNERS: dict[str, str] = {
    "bayes": "planners.bayes.planner:BayesPlanner",
    "random": "planners.baseline:RandomPlanner",
}

LEARNING = ("bayes",)
"""Planners that learn: they take earlier campaigns, a cost and beliefs, and may propose
replicates."""

OUTLETS = ("needle", "waste")
"""Ports of a pump's valve that no liquid comes from."""

AMOUNTS = {"volume": "uL", "mass": "mg", "molality": "mol/kg", "mass_ratio": "percent"}
"""How a recipe says how much: a volume, or the mass of what is dissolved, or its amount
or its mass for the mass of what an earlier step (``of``) has dispensed."""

PORTION_KEYS = {
    "liquid": "",
    **AMOUNTS,
    "of": "",
    "concentration": "mol/L",
    "diluent": "",
}
"""What a recipe says of a plan's portions, each with its unit."""

PORTION = ("liquid", "source", "volume")
"""What every portion of a compiled step says; volume in uL."""
CONTENT = ("mass", "solute", "amount")
"""What it may say beside: mg of it, mg and mmol of what is dissolved in it."""


@dataclass(frozen=True, slots=True)
class PlanParameter:
    """A keyword-only parameter of a plan; ``unit`` of a quantity, else empty."""

    name: str
    kind: Literal["quantity", "place", "portions", "plain"]
    unit: str
    required: bool


@dataclass(frozen=True, slots=True)
class Signature:
    """What a plan wants: devices by role, and parameters by name.

    ``optional`` are roles that a station may fill or not.
    """

    roles: tuple[str, ...]
    parameters: Mapping[str, PlanParameter]
    optional: tuple[str, ...] = ()


def find(path: str) -> Any:
    """Return the object at module:name."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def plan_of(operation: str) -> Callable[..., Any]:
    """Return the plan of an operation."""
    plan: Callable[..., Any] = find(OPERATIONS[operation].plan)
    return plan


@cache
def signature(operation: str) -> Signature:
    """Return what the plan of an operation wants, read from its signature."""
    return signature_of(plan_of(operation))


def signature_of(plan: Callable[..., Any]) -> Signature:
    """Return what a plan wants.

    Its positional parameters are devices by role; keyword-only ones are what the
    recipe gives. Only the latter's annotations are evaluated: those of devices may
    name classes that are imported for type checking alone.
    """
    inner = inspect.unwrap(plan)
    roles, optional, parameters = [], [], {}
    for name, one in inspect.signature(inner).parameters.items():
        if one.kind is inspect.Parameter.KEYWORD_ONLY:
            scope = SimpleNamespace(__annotations__={name: one.annotation})
            names = inner.__globals__
            hint = typing.get_type_hints(scope, names, include_extras=True)[name]
            required = one.default is inspect.Parameter.empty
            parameters[name] = _parameter(name, hint, required)
        elif one.default is inspect.Parameter.empty:
            roles.append(name)
        else:
            optional.append(name)
    return Signature(tuple(roles), parameters, tuple(optional))


def _parameter(name: str, hint: Any, required: bool) -> PlanParameter:
    unit = next(
        (m for m in getattr(hint, "__metadata__", ()) if isinstance(m, str)), ""
    )
    if unit:
        return PlanParameter(name, "quantity", unit, required)
    if getattr(hint, "__name__", "") == "Place":
        return PlanParameter(name, "place", "", required)
    if any(getattr(a, "__name__", "") == "Portion" for a in typing.get_args(hint)):
        return PlanParameter(name, "portions", "", required)
    return PlanParameter(name, "plain", "", required)


def recipe_keys(operation: str) -> dict[str, str]:
    """Return what a recipe says of an operation: each key, with its unit or nothing.

    Places are not among them: a step's slot is its place.
    """
    made: dict[str, str] = {}
    for one in signature(operation).parameters.values():
        if one.kind == "portions":
            made |= PORTION_KEYS
        elif one.kind != "place":
            made[one.name] = one.unit
    return made


def required_keys(operation: str) -> set[str]:
    """Return what a recipe must say of an operation."""
    wanted = signature(operation).parameters.values()
    plain = {p.name for p in wanted if p.required and p.kind in ("quantity", "plain")}
    poured = any(p.kind == "portions" for p in wanted)
    return plain | {"liquid"} if poured else plain


@cache
def drivers() -> tuple[str, ...]:
    """Return the names of the drivers, without importing any."""
    package = importlib.import_module("instruments")
    files = sorted(Path(package.__path__[0]).glob("*.py"))
    mark = re.compile(r"^DRIVER\b", re.MULTILINE)
    return tuple(f.stem for f in files if mark.search(f.read_text(encoding="utf-8")))


def driver(name: str) -> Any:
    """Return the device class of a driver; imports it."""
    if name not in drivers():
        raise ConfigError(f"no such driver: {near(name, drivers())}")
    return find(f"instruments.{name}:DRIVER")


def build_device(lab: Lab, name: str, clock: Clock, ports: Path | None = None) -> Any:
    """Build an instrument's device; opens nothing.

    Parameters
    ----------
    lab, name:
        The lab, and the instrument's name in it.
    clock:
        The time of the lab.
    ports:
        The directory that relative ports and folders start from: the bench's run
        directory. On a real lab, the lab file's own directory.
    """
    from orchestrator.config.settings import read_settings

    instrument = lab.instruments[name]
    made = driver(instrument.driver)
    settings = instrument.settings or read_settings(lab.source, name, made.Settings)
    return made(name, port=port_of(lab, name, ports), settings=settings, clock=clock)


def build_devices(lab: Lab, clock: Clock, ports: Path | None = None) -> dict[str, Any]:
    """Build every instrument's device; opens nothing.

    Those on one port are put on one wire, those of one station are told of each other.
    """
    devices = {name: build_device(lab, name, clock, ports) for name in lab.instruments}
    first: dict[str, Any] = {}
    for name, device in devices.items():
        other = first.setdefault(port_of(lab, name, ports), device)
        if other is not device:
            device.link.join(other.link)
    for station in lab.stations.values():
        together = {role: devices[name] for role, name in station.instruments.items()}
        for device in together.values():
            device.meet(together)
    return devices


def port_of(lab: Lab, name: str, ports: Path | None = None) -> str:
    """Return the port (or folder) of an instrument, with relative ones resolved."""
    port = lab.instruments[name].port
    if "://" in port or Path(port).is_absolute():
        return port
    return str((ports or lab.source.path.parent) / port)


def build_planner(campaign: Campaign, seed: int | None = None) -> Planner:
    """Build the planner of a campaign, with its own seed or another."""
    choice = campaign.planner
    made = find(PLANNERS[choice.name])
    learning = {
        "earlier": [one.told for one in choice.earlier],
        "replicates": choice.replicates,
        "wanted": choice.wanted,
        "cost": campaign.cost,
        "beliefs": campaign.beliefs,
    }
    planner: Planner = made(
        campaign.space,
        campaign.objectives,
        seed=choice.seed if seed is None else seed,
        initial=choice.initial,
        limits=campaign.limits,
        **(learning if choice.name in LEARNING else {}),
    )
    return planner


def build_analysis(name: str) -> Callable[..., Measurement]:
    """Return the function that makes a measurement of runs and of measurements."""
    analysis: Callable[..., Measurement] = find(ANALYSES[name].function)
    return analysis


def judge(operation: str, traces: Traces) -> Verdict:
    """Return what became of an act whose end nobody saw."""
    from instruments.plans.evidence import Outcome, Verdict

    known = OPERATIONS.get(operation, _NOTHING).evidence
    if not known:
        question = f"Did {operation} happen to the sample?"
        why = f"no evidence is known for {operation}"
        return Verdict(Outcome.UNKNOWN, why, question=question)
    verdict: Verdict = find(known)(traces)
    return verdict


def number(place: str, value: object) -> float:
    """Return a finite number as a float, or refuse it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"{place}: {value!r} — must be a number")
    if not abs(value) <= sys.float_info.max:  # a whole number may be larger than that
        shown = value if isinstance(value, float) else "a number of too many digits"
        raise Refused(f"{place}: {shown} — must be finite")
    return float(value)
