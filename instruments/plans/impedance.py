"""Plans that measure an electrolyte in its cell: spectra, and the current of lithium.

The cell is in a chamber that is brought to temperatures (role ``hotplate``, as in
`heat`). Lengths of time in lab seconds, temperatures in degC.
"""

from __future__ import annotations

from typing import Annotated, Any

import bluesky.plan_stubs as bps
from bluesky.preprocessors import finalize_wrapper

from instruments.errors import Rejected
from instruments.orders import Hold
from instruments.plans.rest import Plan, set_to

HIGHEST, LOWEST = 1e6, 20.0
"""Hz between which a sweep goes."""
POINTS = 33
"""Of a sweep: seven a decade."""
MOST = 10
"""Temperatures of one step."""


def frequencies() -> list[float]:
    """Return the frequencies of a sweep (Hz), falling; the first again at the end.

    Examples
    --------
    >>> made = frequencies()
    >>> made[0], made[-2], made[-1], len(made)
    (1000000.0, 20.0, 1000000.0, 34)
    """
    ratio = (LOWEST / HIGHEST) ** (1.0 / (POINTS - 1))
    made = [float(f"{HIGHEST * ratio**k:.4g}") for k in range(POINTS)]
    return [*made, HIGHEST]


def steps_to(lowest: float, highest: float, count: float) -> list[float]:
    """Return so many temperatures, rising, both ends among them.

    Examples
    --------
    >>> steps_to(30.0, 60.0, 4), steps_to(60.0, 60.0, 1)
    ([30.0, 40.0, 50.0, 60.0], [60.0])
    """
    whole = round(count)
    if not 1 <= whole <= MOST or whole != count:
        raise Rejected(f"temperatures: {count:g} is no whole number from 1 to {MOST}")
    if lowest > highest:
        raise Rejected(
            f"lowest: {lowest:g} degC is above the temperature, {highest:g} degC"
        )
    if whole == 1:
        return [highest]
    return [lowest + (highest - lowest) * k / (whole - 1) for k in range(whole)]


def impedance(
    analyser: Any,
    hotplate: Any,
    *,
    area: Annotated[float, "cm^2"],
    lowest: Annotated[float, "degC"],
    temperature: Annotated[float, "degC"],
    temperatures: float,
    equilibrium: Annotated[float, "s"],
) -> Plan:
    """Measure a spectrum at each of some rising temperatures.

    Parameters
    ----------
    analyser, hotplate:
        What measures, and what the cell is in.
    area:
        Of the electrodes, in cm²; recorded for the analysis.
    lowest, temperature:
        The first and the highest temperature, in degC.
    temperatures:
        How many, both ends included.
    equilibrium:
        For which the cell is kept at a temperature before its sweep, in s.
    """
    if not area > 0.0:
        raise Rejected(f"area: {area:g} cm^2 is not above 0")
    for degc in steps_to(lowest, temperature, temperatures):
        yield from bring(hotplate, degc)
        yield from set_to(hotplate.held, Hold(degc, equilibrium))
        wanted = frequencies()
        yield from bps.abs_set(analyser.swept, wanted, by_list=True, wait=True)
        yield from bps.trigger(hotplate, wait=True)
        for index in range(len(wanted)):
            yield from set_to(analyser.point, index)
            yield from bps.create("primary")
            yield from bps.read(analyser)
            yield from bps.read(hotplate)  # as it was at the end of the sweep
            yield from bps.save()


def bring(hotplate: Any, temperature: float) -> Plan:
    """Bring the cell to a temperature (degC); what it came to is in ``chamber``."""
    yield from bps.trigger(
        hotplate, wait=True
    )  # how far it is decides how long it takes
    yield from set_to(hotplate.temperature, temperature)
    yield from bps.trigger_and_read([hotplate], "chamber")


def polarise(
    source_meter: Any,
    hotplate: Any,
    *,
    temperature: Annotated[float, "degC"],
    voltage: Annotated[float, "V"],
    duration: Annotated[float, "s"],
) -> Plan:
    """Put a small voltage on the cell and read the current until it is steady.

    Parameters
    ----------
    source_meter, hotplate:
        What applies the voltage, and what the cell is in.
    temperature:
        Of the cell, in degC.
    voltage:
        In V; small, so that the film answers in proportion.
    duration:
        After which it ends although the current still falls, in s.
    """

    def measure() -> Plan:
        yield from set_to(source_meter.applied, voltage)
        currents: list[float] = []
        for pause in _pauses(duration):
            yield from bps.trigger(source_meter, wait=True)
            yield from bps.create("primary")
            yield from bps.read(source_meter)
            yield from bps.read(source_meter.time)
            yield from bps.save()
            currents.append(source_meter.current.get())
            if steady(currents):
                return
            yield from set_to(source_meter.passed, pause)

    def rest() -> Plan:
        # What was stopped is safe already, and does nothing until it is prepared.
        if not source_meter.stopped:
            yield from set_to(source_meter.applied, 0.0)

    yield from bring(hotplate, temperature)
    yield from finalize_wrapper(measure(), rest)


def _pauses(duration: float) -> list[float]:
    """Return the pauses after each reading, in s: short at first, a minute in the end."""
    made: list[float] = []
    while sum(made) < duration:
        made.append(min(max(sum(made) / 10.0, 8.0), 60.0))
    return made


def steady(currents: list[float]) -> bool:
    """Return whether a current has stopped falling: five readings within 1 %.

    Examples
    --------
    >>> steady([2.0, 1.5, 1.2] + [1.0] * 5), steady([2.0 - 0.1 * k for k in range(15)])
    (True, False)
    """
    last = currents[-5:]
    return len(last) == 5 and max(last) - min(last) < 0.01 * abs(last[-1])
