"""Spin a sample on the chuck."""

from __future__ import annotations

from typing import Annotated, Any

from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp

from instruments.errors import Rejected
from instruments.orders import Spin
from instruments.plans.rest import Plan, at_rest, irrevocable, set_to


def spin(
    spin_coater: Any,
    vacuum: Any = None,
    *,
    speed: Annotated[float, "rpm"],
    acceleration: Annotated[float, "rpm/s"],
    duration: Annotated[float, "s"],
) -> Plan:
    """Spin at a speed for a duration, the ramps on top; ends parked and idle.

    Where the station has a vacuum, it holds the sample from before the spin until the
    chuck stands, also after a spin that failed. Whoever stops the station leaves it on.
    """

    def plan() -> Plan:
        yield from bps.trigger(spin_coater, wait=True)  # where it begins to count
        if vacuum is not None:
            yield from set_to(vacuum.suction, "on")
            yield from bps.trigger(vacuum, wait=True)  # read back
            if vacuum.suction.get() != "on":
                raise Rejected(f"{vacuum.name}: does not hold; nothing is spun")
        whole = set_to(spin_coater.spin, Spin(speed, acceleration, duration))
        yield from irrevocable("spin", whole)
        yield from bps.trigger_and_read([spin_coater])

    def let_go() -> Plan:
        if vacuum is not None and not vacuum.stopped:
            yield from bps.abs_set(vacuum.suction, "off", patient=True, wait=True)

    yield from bpp.finalize_wrapper(at_rest(plan(), spin_coater), let_go)
