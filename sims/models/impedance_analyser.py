"""An impedance analyser, its fixture, and the cell that lies in it.

Impedances in ohm, frequencies in Hz, temperatures in degC. Marks as in the physics
dossier: [D] data sheet, [A] assumed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np

from sims.physics.cell import Cell

SOURCE = 100.0
"""ohm of the signal source. [D]"""
MOST_VOLT, MOST_AMPERE = 20.0, 0.1
"""What the source can do, with option 001. [D]"""
CORRECTED = 51
"""Frequencies of an open or short correction. [D]"""
LOW, HIGH = 20.0, 2e6
NOISE = {"SHOR": 0.005, "MED": 0.003, "LONG": 0.002}
"""Relative noise of one reading's size; 0.2 to 0.5 % in the physics dossier, C2."""
PHASE_NOISE = math.radians(0.2)
POOR_LOW, POOR_HIGH, POORER = 1.0, 1e8, 5.0
"""Below and above these, in ohm, noise is so many times larger. [C2]"""
QUIET_LEVEL = 0.005
"""V below which noise grows as the level falls. [A]"""
DARK_LEVEL = 1e-6
"""V of what is there without a signal. [A]"""
GAIN = 0.001
"""Standard deviation of an instrument's own gain. [A]"""
CURRENT_NOISE = 2e-10
"""A of the d.c. monitor. [A]"""
SATURATED = 0.1
"""A range measures down to this part of it. [A]"""


class Status(Enum):
    """What a reading says of itself, page 261."""

    NO_DATA = "-1"
    NORMAL = "+0"
    OVERLOAD = "+1"
    SOURCE_OVERLOAD = "+3"
    ALC = "+4"


@dataclass(frozen=True, slots=True)
class Signal:
    """How a point is measured.

    Parameters
    ----------
    frequency:
        Hz.
    level:
        V, or A where ``current``.
    aperture, averages:
        ``SHOR``, ``MED`` or ``LONG``; how many readings make one.
    range:
        ohm, or None for the one that fits.
    levelled:
        Whether the level is kept at the cell (automatic level control).
    opened, shorted:
        Whether what the fixture adds is taken off.
    """

    frequency: float
    level: float
    current: bool
    aperture: str
    averages: int
    range: float | None
    levelled: bool
    opened: bool
    shorted: bool


@dataclass(frozen=True, slots=True)
class Fixture:
    """What is between the analyser's terminals and the cell's, all of it [A].

    Henry and ohm in series, farad and siemens in parallel.
    """

    inductance: float = 2e-7
    resistance: float = 0.08
    capacitance: float = 4e-13
    conductance: float = 2e-11

    def seen(self, cell: complex, frequency: float) -> complex:
        """Return the impedance of a cell through the fixture."""
        jw = 2j * math.pi * frequency
        admittance = 1.0 / cell + self.conductance + jw * self.capacitance
        return 1.0 / admittance + self.resistance + jw * self.inductance


class ImpedanceAnalyser:
    """Measures whatever lies in its slot.

    Parameters
    ----------
    cell:
        Gives the cell, or None: then the fixture is open.
    temperature:
        Gives the cell's temperature.
    rng:
        Where its noise comes from.
    fixture:
        What it measures through.
    """

    def __init__(
        self,
        cell: Callable[[], Cell | None],
        temperature: Callable[[], float],
        rng: np.random.Generator,
        fixture: Fixture,
    ) -> None:
        self.cell = cell
        self.temperature = temperature
        self.fixture = fixture
        self.rng = rng
        self.gain = 1.0 + GAIN * float(rng.standard_normal())
        self.forget_corrections()

    def forget_corrections(self) -> None:
        """Have no open and no short correction."""
        self.corrections: dict[str, dict[float, complex]] = {"open": {}, "short": {}}

    def measure(self, signal: Signal) -> tuple[complex, Status]:
        """Return an impedance and what is to be said of it."""
        seen = self._seen(signal.frequency)
        status = self._status(signal, seen)
        noisy = self._noisy(seen, signal)
        return self._corrected(noisy, signal), status

    def learn(self, what: str, frequency: float | None = None) -> complex:
        """Take what lies in the slot for an ``open`` or a ``short`` fixture.

        At one frequency, or at all. Returns what was seen near 1 kHz.
        """
        kept = self.corrections[what]
        every = np.geomspace(LOW, HIGH, CORRECTED) if frequency is None else [frequency]
        for one in every:
            kept[float(one)] = self._seen(float(one)) * self.gain
        self.corrections[what] = dict(sorted(kept.items()))
        return min(kept.items(), key=lambda pair: abs(pair[0] - 1e3))[1]

    def direct_current(self, voltage: float, seconds: float) -> float:
        """Return the current (A) so long after a bias was put on."""
        cell = self.cell()
        current = voltage * self.fixture.conductance
        if cell is not None:
            current += cell.current(voltage, seconds, self.temperature())
        noise = CURRENT_NOISE + 1e-3 * abs(current)
        return current + noise * float(self.rng.standard_normal())

    def _seen(self, frequency: float) -> complex:
        cell = self.cell()
        bare = 1e15 + 0j
        if cell is not None:
            bare = complex(cell.impedance(frequency, self.temperature()))
        return self.fixture.seen(bare, frequency)

    def _noisy(self, seen: complex, signal: Signal) -> complex:
        size = abs(seen)
        worse = POORER if not POOR_LOW <= size <= POOR_HIGH else 1.0
        volt = signal.level * size if signal.current else signal.level
        worse *= max(1.0, QUIET_LEVEL / max(volt, DARK_LEVEL))
        worse /= math.sqrt(signal.averages)
        a, b = (float(one) for one in self.rng.standard_normal(2))
        wrong = NOISE[signal.aperture] * a + 1j * PHASE_NOISE * b
        return seen * self.gain * (1.0 + worse * wrong)

    def _status(self, signal: Signal, seen: complex) -> Status:
        if signal.range is not None and abs(seen) < SATURATED * signal.range:
            return Status.OVERLOAD
        size, whole = abs(seen), abs(seen + SOURCE)
        if signal.levelled:
            needed = signal.level * (whole if signal.current else whole / size)
            if needed > MOST_VOLT:
                return Status.ALC
        drawn = signal.level if signal.current else signal.level / whole
        return Status.SOURCE_OVERLOAD if drawn > MOST_AMPERE else Status.NORMAL

    def _corrected(self, seen: complex, signal: Signal) -> complex:
        """Take off what the corrections have learned, in series and in parallel."""
        at, known = signal.frequency, self.corrections
        series = between(known["short"], at) if signal.shorted else 0j
        rest = seen - series
        if not (signal.opened and known["open"]):
            return rest
        parallel = 1.0 / (between(known["open"], at) - series)
        return rest / (1.0 - rest * parallel)


def between(known: dict[float, complex], at: float) -> complex:
    """Return an impedance between known frequencies, or 0 when none is known.

    Size and angle are interpolated on a logarithmic scale of frequency.
    """
    if not known:
        return 0j
    logs = np.log(list(known))
    values = np.array(list(known.values()))
    sizes = np.interp(math.log(at), logs, np.log(np.abs(values)))
    angles = np.interp(math.log(at), logs, np.unwrap(np.angle(values)))
    return complex(np.exp(sizes + 1j * angles))
