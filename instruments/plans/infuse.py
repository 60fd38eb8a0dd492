"""Let a syringe pump infuse a volume onto the sample under its needle."""

from __future__ import annotations

from typing import Annotated, Any

from bluesky import plan_stubs as bps

from instruments.orders import Infusion
from instruments.plans.rest import Plan, at_rest, irrevocable, set_to


def infuse(
    syringe_pump: Any,
    *,
    volume: Annotated[float, "uL"],
    rate: Annotated[float, "uL/s"],
) -> Plan:
    """Infuse a volume at a rate, counted by the pump from 0; ends at rest.

    What the pump has counted after a crash is what has been poured: that is why it is
    cleared before the mark.
    """

    def plan() -> Plan:
        yield from set_to(syringe_pump.counted, 0.0)
        whole = set_to(syringe_pump.infused, Infusion(volume, rate))
        yield from irrevocable("infuse", whole)
        yield from bps.trigger_and_read([syringe_pump])

    yield from at_rest(plan(), syringe_pump)
