"""Bring liquids onto a sample: a mixture through the needle, or rinses from a reservoir.

Volumes in uL, lengths in mm. The syringe is washed *before* it is used, not after, so
that the next step follows the last drop at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bluesky import plan_stubs as bps

from instruments.errors import Rejected
from instruments.plans.places import Place, Portion, rounds
from instruments.plans.rest import Plan, at_rest, cross, irrevocable, set_to

NEEDLE, WATER, WASH, WASTE = "needle", "water", "wash", "waste"
"""Ports of the valve; a syringe is washed from ``wash``, or else with water."""
AIR_GAP = 10.0
"""Air between what fills the tubing and what is aspirated, uL."""
WASHES = 2
HEIGHT = 10.0
"""Of the needle's tip over a sample, mm."""


def dispense(
    gantry: Any, pump: Any, *, target: Place, portions: tuple[Portion, ...]
) -> Plan:
    """Wash the syringe, draw every portion into it, and deliver all over the target.

    What does not fit in the syringe at once is delivered in several rounds of equal
    composition.
    """
    _check(pump, portions)

    def plan() -> Plan:
        yield from bps.trigger(gantry, wait=True)
        yield from _wash(pump)
        every = rounds(portions, pump.capacity - AIR_GAP)
        for number, portions_now in enumerate(every, start=1):
            yield from _draw(gantry, pump, portions_now)
            yield from _above(gantry, target, HEIGHT)
            yield from _deliver(pump, number, len(every))
        yield from bps.trigger_and_read([gantry, pump])
        x, y, _ = gantry.at.get()
        yield from cross(gantry, x, y)

    yield from at_rest(plan(), pump, gantry=gantry)


def rinse(
    gantry: Any, pump: Any, *, target: Place, portions: tuple[Portion, ...]
) -> Plan:
    """Let portions from ports of the valve run over the target, in full strokes."""
    _check(pump, portions)
    for portion in portions:
        if isinstance(portion.source, Place):
            raise Rejected(
                f"rinse: {portion.liquid} comes from vial {portion.source.name}; a rinse "
                "comes from a port of the valve"
            )

    def plan() -> Plan:
        yield from bps.trigger(gantry, wait=True)
        yield from _above(gantry, target, HEIGHT)
        every = [
            (portion.source, stroke)
            for portion in portions
            for stroke in strokes(portion.volume, pump.capacity)
        ]
        for number, (source, stroke) in enumerate(every, start=1):
            yield from set_to(pump.valve, source)
            yield from set_to(pump.plunger, stroke)
            yield from set_to(pump.valve, NEEDLE)
            yield from _deliver(pump, number, len(every))
        yield from bps.trigger_and_read([gantry, pump])
        x, y, _ = gantry.at.get()
        yield from cross(gantry, x, y)

    yield from at_rest(plan(), pump, gantry=gantry)


def _deliver(pump: Any, number: int, count: int) -> Plan:
    emptied = set_to(pump.plunger, 0.0)
    yield from irrevocable("deliver", emptied, number=number, count=count)


def strokes(volume: float, full: float) -> list[float]:
    """Return a volume as full strokes and what is left.

    Examples
    --------
    >>> strokes(2500.0, 1000.0)
    [1000.0, 1000.0, 500.0]
    """
    whole = int(volume / full + 1e-9)
    left = volume - whole * full
    return [full] * whole + ([left] if left > 1e-6 * full else [])


def _wash(pump: Any) -> Plan:
    ports = pump.settings.valve
    liquid = WASH if WASH in ports else WATER
    if liquid not in ports or WASTE not in ports:
        return
    for _ in range(WASHES):
        yield from set_to(pump.valve, liquid)
        yield from set_to(pump.plunger, pump.capacity)
        yield from set_to(pump.valve, WASTE)
        yield from set_to(pump.plunger, 0.0)


def _draw(gantry: Any, pump: Any, portions: Iterable[Portion]) -> Plan:
    yield from set_to(pump.valve, NEEDLE)
    x, y, _ = gantry.at.get()
    yield from cross(gantry, x, y)  # the gap is air only if the needle is in none
    yield from set_to(pump.plunger, AIR_GAP)
    drawn = AIR_GAP
    for portion in portions:
        drawn += portion.volume
        if isinstance(portion.source, Place):
            yield from set_to(pump.valve, NEEDLE)
            yield from _above(gantry, portion.source, 0.0)
        else:
            yield from set_to(pump.valve, portion.source)
        yield from set_to(pump.plunger, min(drawn, pump.capacity))
    yield from set_to(pump.valve, NEEDLE)


def _above(gantry: Any, place: Place, height: float) -> Plan:
    """Bring the needle's tip over a place; in a vial, the place is in the liquid."""
    dx, dy = gantry.settings.needle_offset
    x, y = place.x - dx, place.y - dy
    yield from cross(gantry, x, y)
    yield from set_to(gantry.at, (x, y, place.z + height))


def _check(pump: Any, portions: Iterable[Portion]) -> None:
    """Refuse before anything moves what would be refused half-way."""
    known = pump.settings.valve
    for portion in portions:
        if not portion.volume >= 0.0:
            raise Rejected(
                f"{portion.liquid}: volume {portion.volume:g} uL is negative"
            )
        if isinstance(portion.source, str) and portion.source not in known:
            raise Rejected(
                f"{pump.name}: valve port {portion.source!r} of {portion.liquid} is not "
                f"one of {', '.join(known)}"
            )
    if NEEDLE not in known:
        raise Rejected(f"{pump.name}: no valve port is called {NEEDLE}")
