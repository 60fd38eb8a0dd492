"""Spin a sample on the chuck."""

from __future__ import annotations

from typing import Annotated, Any

from bluesky import plan_stubs as bps

from instruments.orders import Spin
from instruments.plans.rest import Plan, at_rest, irrevocable, set_to


def spin(
    spin_coater: Any,
    *,
    speed: Annotated[float, "rpm"],
    acceleration: Annotated[float, "rpm/s"],
    duration: Annotated[float, "s"],
) -> Plan:
    """Spin at a speed for a duration, the ramps on top; ends parked and idle."""

    def plan() -> Plan:
        yield from bps.trigger(spin_coater, wait=True)  # where it begins to count
        whole = set_to(spin_coater.spin, Spin(speed, acceleration, duration))
        yield from irrevocable("spin", whole)
        yield from bps.trigger_and_read([spin_coater])

    yield from at_rest(plan(), spin_coater)
