"""Plans that measure a sample which is already in its slot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import bluesky.plan_stubs as bps
from bluesky.preprocessors import finalize_wrapper
from bluesky.utils import MsgGenerator

if TYPE_CHECKING:
    from instruments.keithley_2400 import SourceMeter
    from instruments.keithley_2700 import SwitchMatrix
    from instruments.mettler_balance import Balance
    from instruments.profilometer_folder import Profilometer
    from instruments.thorlabs_pm100 import PowerMeter

CONFIGURATIONS = ("R12,43", "R23,14", "R34,21", "R41,32")
LINEARITY = 3.0
"""The second set of readings is made at the current over this."""
SMALLEST_CURRENT = 1e-6
"""Ampere; below it the noise of a source-meter is larger than the signal of a film."""
READINGS = 10
WEIGHINGS = 3


def weigh(balance: Balance) -> MsgGenerator[Any]:
    """Read the mass three times, each when the balance calls it stable."""
    for _ in range(WEIGHINGS):
        yield from bps.trigger_and_read([balance])


def light(power_meter: PowerMeter) -> MsgGenerator[Any]:
    """Read the power of the light ten times."""
    for _ in range(READINGS):
        yield from bps.trigger_and_read([power_meter])


def van_der_pauw(
    source_meter: SourceMeter,
    switch_matrix: SwitchMatrix,
    *,
    current: Annotated[float, "A"],
) -> MsgGenerator[Any]:
    """Make eight four-wire readings of a film, and eight at a third of the current.

    A film that resists so much that the source reaches its compliance is read at a
    tenth of the current, and so on; the readings that decide this are in the stream
    ``ranging``. The relays switch only while the output is off.

    Parameters
    ----------
    source_meter, switch_matrix:
        Wired row by row as the matrix's driver says.
    current:
        The largest to be driven, in ampere.
    """

    def measure() -> MsgGenerator[Any]:
        level = yield from _bearable(source_meter, switch_matrix, abs(current))
        for one in (level, level / LINEARITY):
            for configuration in CONFIGURATIONS:
                yield from _both_ways(source_meter, switch_matrix, configuration, one)

    def rest() -> MsgGenerator[Any]:
        # What was stopped is safe already, and does nothing until it is prepared.
        if not source_meter.stopped:
            yield from _switch_off(source_meter)
        if not switch_matrix.stopped:
            yield from bps.abs_set(switch_matrix.configuration, "open", wait=True)

    yield from finalize_wrapper(measure(), rest)


def _bearable(
    source_meter: SourceMeter, switch_matrix: SwitchMatrix, current: float
) -> MsgGenerator[float]:
    """Return the largest of current, current/10, ... that both sides of a film bear."""
    for configuration in CONFIGURATIONS[:2]:
        yield from bps.abs_set(switch_matrix.configuration, configuration, wait=True)
        while True:
            yield from _drive(source_meter, current)
            yield from bps.trigger_and_read([source_meter, switch_matrix], "ranging")
            beyond = yield from bps.rd(source_meter.compliance)
            if not beyond or current / 10.0 < SMALLEST_CURRENT:
                break
            current /= 10.0
        yield from _switch_off(source_meter)
    return current


def _both_ways(
    source_meter: SourceMeter,
    switch_matrix: SwitchMatrix,
    configuration: str,
    current: float,
) -> MsgGenerator[None]:
    """Read one configuration with the current either way; the output is off before."""
    yield from bps.abs_set(switch_matrix.configuration, configuration, wait=True)
    for signed in (current, -current):
        yield from _drive(source_meter, signed)
        yield from bps.trigger_and_read([source_meter, switch_matrix])
    yield from _switch_off(source_meter)


def _drive(source_meter: SourceMeter, current: float) -> MsgGenerator[None]:
    yield from bps.abs_set(source_meter.level, current, wait=True)
    on = yield from bps.rd(source_meter.output)
    if not on:
        yield from bps.abs_set(source_meter.output, 1, wait=True)


def _switch_off(source_meter: SourceMeter) -> MsgGenerator[None]:
    yield from bps.abs_set(source_meter.level, 0.0, wait=True)
    yield from bps.abs_set(source_meter.output, 0, wait=True)


def step_height(profilometer: Profilometer) -> MsgGenerator[Any]:
    """Wait for the file of the scan that the sample's arrival began, and read it."""
    yield from bps.trigger_and_read([profilometer])
