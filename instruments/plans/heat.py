"""Bring a sample to a temperature on a hotplate, and keep it there.

The heater stays on when a plan has ended; only a stop or another plan changes that.
"""

from __future__ import annotations

from typing import Annotated, Any

from bluesky import plan_stubs as bps

from instruments.orders import Hold
from instruments.plans.rest import Plan, irrevocable, set_to


def reach(hotplate: Any, *, temperature: Annotated[float, "degC"]) -> Plan:
    """Heat or cool until the plate has settled at a temperature."""
    yield from bps.trigger(
        hotplate, wait=True
    )  # how far it is decides how long it may take
    yield from set_to(hotplate.temperature, temperature)
    yield from bps.trigger_and_read([hotplate])


def hold(
    hotplate: Any,
    *,
    temperature: Annotated[float, "degC"],
    duration: Annotated[float, "s"],
) -> Plan:
    """Keep the plate at the temperature it has reached; a reading at start and end."""
    yield from bps.trigger_and_read([hotplate])
    yield from irrevocable("hold", set_to(hotplate.held, Hold(temperature, duration)))
    yield from bps.trigger_and_read([hotplate])


def heat(
    hotplate: Any,
    *,
    temperature: Annotated[float, "degC"],
    duration: Annotated[float, "s"],
) -> Plan:
    """Reach a temperature, then hold it."""
    yield from reach(hotplate, temperature=temperature)
    yield from hold(hotplate, temperature=temperature, duration=duration)
