"""From a compiled step to its plan: every name becomes a place, a portion or a device.

What a step says is held to the limits of its station here once more, right before it is
carried out.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.config.strict_yaml import near
from orchestrator.errors import Refused
from orchestrator.lab import CONTENT, OPERATIONS, PORTION, number, plan_of, signature

if TYPE_CHECKING:
    from orchestrator.config.models import Lab, Station


def build_plan(
    lab: Lab,
    station: str,
    operation: str,
    parameters: Mapping[str, Any],
    devices: Mapping[str, Any],
) -> Callable[[], Any]:
    """Return what makes the plan of an operation, with its devices and arguments.

    Parameters
    ----------
    lab, station, operation, parameters:
        See `resolve`.
    devices:
        The station's devices, by role.
    """
    arguments = resolve(lab, station, operation, parameters)
    wanted = signature(operation)
    roles = [devices[role] for role in wanted.roles]
    arguments |= {role: devices[role] for role in wanted.optional if role in devices}
    return functools.partial(plan_of(operation), *roles, **arguments)


def resolve(
    lab: Lab, station: str, operation: str, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the keyword arguments of a plan: names become places and portions.

    Parameters
    ----------
    lab, station:
        The lab, and the name of the station that is to do it.
    operation, parameters:
        As in a compiled step: numbers in the plan's units, places by name.

    Raises
    ------
    Refused
        If the station does not offer the operation, a name is not of this lab, a
        number is not finite or beyond a limit of the station or its instruments, a
        text could be a command, or liquids may not be poured, or not together.
    """
    at = lab.stations[station]
    known = OPERATIONS.get(operation)
    carries = known is not None and known.kind == "transfer"
    if operation not in at.operations and not (carries and station == lab.arm):
        raise Refused(f"{station}: {operation} — {near(operation, at.operations)}")
    wanted = signature(operation).parameters
    for key in parameters:
        if key not in wanted:
            raise Refused(f"{station}: {operation}: {key} — {near(key, wanted)}")
    for one in wanted.values():
        if one.required and one.name not in parameters:
            raise Refused(f"{station}: {operation}: {one.name} — missing")
    made: dict[str, Any] = {}
    for key, value in parameters.items():
        place = f"{station}: {operation}: {key}"
        match wanted[key].kind:
            case "place":
                made[key] = _place(lab.slots, place, value)
            case "portions":
                made[key] = _portions(lab, at, operation, value)
            case "quantity":
                made[key] = number(place, value)
                at.check(f"{operation}: {key}", key, made[key])
            case _:
                made[key] = _plain(place, value)
    return made


def _plain(place: str, value: object) -> str | int | float | bool:
    """Return a truth, a finite number, or a text that cannot be a command."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        return number(place, value)
    if not (value.isascii() and value.isprintable()) or ";" in value or "!" in value:
        raise Refused(f"{place}: {value!r} — must be printable ASCII without ; and !")
    return value


def _place(
    places: Mapping[str, tuple[float, float, float]], place: str, name: object
) -> Any:
    from instruments.plans.places import Place

    if not isinstance(name, str) or name not in places:
        raise Refused(f"{place}: {name!r} — no such place: {near(str(name), places)}")
    return Place(name, *places[name])


def _portions(
    lab: Lab, station: Station, operation: str, portions: object
) -> tuple[Any, ...]:
    """Return portions: each liquid from its own place, in amounts that can be metered.

    The amounts were rounded to 0.001 uL when the recipe was compiled.
    """
    from instruments.plans.places import Portion
    from orchestrator.chemical_gate import check_portions

    where = f"{station.name}: {operation}: portions"
    if not isinstance(portions, list | tuple) or not portions:
        raise Refused(f"{where}: {portions!r} — must be a list of portions")
    limits = station.limits.get("volume", ())
    made = []
    for index, one in enumerate(portions):
        place = f"{where}[{index}]"
        keys = set(one) if isinstance(one, Mapping) else set()
        if not set(PORTION) <= keys <= {*PORTION, *CONTENT}:
            raise Refused(f"{place}: {one!r} — must have liquid, source and volume")
        name, source = one["liquid"], one["source"]
        if not isinstance(name, str) or name not in lab.liquids:
            rule = f"not on the shelf: {near(str(name), lab.liquids)}"
            raise Refused(f"{place}.liquid: {name!r} — {rule}")
        if source != lab.liquids[name].place:
            rule = f"{name} is in {lab.liquids[name].place}"
            raise Refused(f"{place}.source: {source!r} — {rule}")
        volume = number(f"{place}.volume", one["volume"])
        least = max((limit.low for limit in limits), default=0.0)
        if volume < max(least - 0.001, 0.0):
            rule = f"must be at least {least:g} uL"
            held = ", ".join(limit.place for limit in limits) or "no volume is negative"
            raise Refused(f"{place}.volume: {volume:g} uL — {rule} ({held})")
        if OPERATIONS[operation].plumbed and source in lab.vials:
            raise Refused(f"{place}.source: {source} — {operation} takes no vials")
        at = _place(lab.vials, place, source) if source in lab.vials else source
        made.append(Portion(name, at, volume))
    total = math.fsum(portion.volume for portion in made)
    station.check(f"{operation}: volume of all portions", "volume", round(total, 2))
    check_portions(lab, station.name, [portion.liquid for portion in made], where)
    return tuple(made)
