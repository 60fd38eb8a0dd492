"""How a plan that moves something ends, whatever happens."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp
from bluesky.utils import Msg

if TYPE_CHECKING:
    from instruments.device import Instrument

Plan = Generator[Any, Any, Any]

TOP = 0.0
"""Height at which the gantry may cross the bench, mm."""


def at_rest(plan: Plan, *devices: Instrument, gantry: Any = None) -> Plan:
    """Carry out a plan; afterwards nothing moves and the gantry is up.

    What is still under way when the plan is cut off is stopped. A gantry that was
    stopped stays where it is: only a person, or `prepare`, moves it again.
    """

    def come_to_rest() -> Plan:
        involved = devices if gantry is None else (*devices, gantry)
        for device in involved:
            if device.acting:
                yield from bps.stop(device)
        if gantry is not None and not gantry.stopped:
            yield from bps.trigger(gantry, wait=True)
            x, y, z = gantry.at.get()
            if z < TOP:
                yield from set_to(gantry.at, (x, y, TOP))

    yield from bpp.finalize_wrapper(plan, come_to_rest)


def irrevocable(what: str, plan: Plan, *, number: int = 1, count: int = 1) -> Plan:
    """Carry out what cannot be taken back, with a mark before it and one after it.

    A mark is a message that does nothing; whoever runs the plan may write it down, and
    what it says after a crash is judged by `evidence`. ``number`` of ``count``: for
    what an act does several times.
    """
    yield Msg("null", None, mark=what, state="begun", number=number, count=count)
    yield from plan
    yield Msg("null", None, mark=what, state="over", number=number, count=count)


def set_to(signal: Any, value: Any) -> Plan:
    """Set one thing and wait until the instrument says that it is so."""
    yield from bps.abs_set(signal, value, wait=True)


def cross(gantry: Any, x: float, y: float) -> Plan:
    """Go up, then across the bench to above a place."""
    here_x, here_y, _ = gantry.at.get()
    yield from set_to(gantry.at, (here_x, here_y, TOP))
    yield from set_to(gantry.at, (x, y, TOP))
