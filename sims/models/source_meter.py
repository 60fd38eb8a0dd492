"""A source-meter's analogue side: source, limit, ranges, noise.

Sizes of errors are those of the class of instrument: gain 0.012 %, white noise that
falls with the square root of the integration time, zero that wanders without autozero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sims.models.four_terminal import Response
from sims.models.probe import Probe

if TYPE_CHECKING:
    from sims.bench import Bench

CURRENT_RANGES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
VOLTAGE_RANGES = (0.2, 2.0, 20.0, 200.0)
OVER = 1.05
"""A range reaches so far beyond its name."""
GAIN = 1.2e-4
POWER_LINE = 0.02
"""Seconds of one power line cycle, at 50 Hz."""
OPEN = 1e9
"""Ohm from which the leads count as open."""
POLARISED = 60.0
"""Bench seconds under voltage after which the layers on lithium have grown. [A]"""
ZERO_DRIFT = 2e-7
"""Volt per square root of a second, without autozero. [A]"""


@dataclass(frozen=True, slots=True)
class Drive:
    """What the source is told to do; volt or ampere as `current` says."""

    current: bool
    level: float
    limit: float
    range_limit: float
    remote: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading, in volt and ampere, and whether and why the source was limited."""

    voltage: float
    current: float
    time: float
    compliance: bool = False
    range_compliance: bool = False


class SourceMeter:
    """What drives and reads the probe.

    Parameters
    ----------
    bench, name, settings:
        As for the panel; ``cell`` is the slot of an electrolyte's cell, which then hangs
        on the leads instead of a probe.
    """

    def __init__(self, bench: Bench, name: str, settings: Any) -> None:
        self._bench = bench
        self._rng = bench.rng(name)
        self.probe = Probe(bench, name, settings)
        self._cell = settings.get("cell")
        self.applied_at = 0.0
        """When the present level was put on, bench seconds."""
        self._gains = 1.0 + self._rng.normal(0.0, GAIN, 3)
        self._zeroed_at = 0.0

    def zero(self) -> None:
        """Take the zero anew, as autozero does at each reading."""
        self._zeroed_at = self._bench.now

    def measure(self, drive: Drive, seconds: float, *, autozero: bool) -> Reading:
        """Drive the probe and read both quantities, averaged over ``seconds``."""
        circuit = self._circuit(drive)
        limit = min(drive.limit, drive.range_limit)
        if drive.current:
            current = drive.level * self._gains[0]
            over = abs(current * circuit.force) > limit
            if over:  # the sense leads of a broken circuit say nothing: limit is read
                current = math.copysign(limit / circuit.force, drive.level)
                voltage = math.copysign(limit, drive.level)
            else:
                voltage = current * circuit.sense + circuit.offset
        else:
            resistance = circuit.sense if drive.remote else circuit.force
            driven = abs(resistance) if abs(resistance) > 1e-3 else circuit.force
            current = drive.level * self._gains[0] / driven
            over = abs(current) > limit
            if over:
                current = math.copysign(limit, drive.level)
            voltage = current * driven + circuit.offset
        if circuit.force > OPEN and not over:
            voltage += self._rng.normal(0.0, 1e-3)
        if autozero:
            self.zero()
        drift = ZERO_DRIFT * math.sqrt(self._bench.now - self._zeroed_at)
        quiet = math.sqrt(POWER_LINE / max(seconds, 1e-4))
        v_noise = (5e-7 + 5e-6 * fitting(voltage, VOLTAGE_RANGES)) * quiet + drift
        i_noise = 5e-6 * fitting(current, CURRENT_RANGES) * quiet
        return Reading(
            voltage=voltage * self._gains[1] + self._rng.normal(0.0, v_noise),
            current=current * self._gains[2] + self._rng.normal(0.0, i_noise),
            time=self._bench.now,
            compliance=over and drive.limit <= drive.range_limit,
            range_compliance=over and drive.limit > drive.range_limit,
        )

    def _circuit(self, drive: Drive) -> Response:
        """Return what hangs on the leads now."""
        if self._cell is None:
            return self.probe.response(remote=drive.remote)
        sample = self._bench.world.sample_at(self._cell)
        cell = self._bench.world.cell_in(self._cell)
        if cell is None:
            return Response(1e12, 1e12, 0.0)
        place = self._bench.world.slot(self._cell)
        passed = self._bench.now - self.applied_at
        small = 0.01  # V: a film is linear, so that any small voltage tells
        ohm = small / cell.current(small, passed, place.temperature)
        driven = not drive.current and drive.level
        if driven and passed > POLARISED and sample is not None:
            sample.polarised()
        return Response(ohm, ohm, 0.0)


def fitting(value: float, ranges: tuple[float, ...]) -> float:
    """Return the smallest range that holds a value."""
    return next((r for r in ranges if abs(value) <= OVER * r), ranges[-1])
