r"""The bulk resistance of an ion conductor from one impedance spectrum, or why not.

An arc belongs to the bulk below about 5e-6 S/cm; it peaks at
:math:`f = \sigma / 2\pi\varepsilon_0\varepsilon_r` whatever the cell's size. Above, it
is beyond a 1 MHz analyser, and the intercept at high frequency is what is left. The
intercept includes leads and contacts, which no frequency tells from the bulk: unless a
short was measured they are taken as 0.1 to 2 ohm. Where that, or anything else, leaves
the number uncertain by more than 20 %, there is no number but a bound.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.analysis import circuit_fit, circuits, kramers_kronig
from orchestrator.analysis.circuits import Fit
from orchestrator.analysis.kramers_kronig import Quality
from orchestrator.analysis.spectrum import GAIN, Spectrum, compensate, worse
from orchestrator.units import resistance


@dataclass(frozen=True, slots=True)
class Ohms:
    """A resistance and its standard uncertainty, in ohm."""

    value: float
    std: float


CONTACT = Ohms(1.05, 0.55)
"""Leads and contacts in series with the bulk, when no short was measured: anything
between 0.1 and 2 ohm."""
AFTER_SHORT = Ohms(0.0, 0.05)
"""What is left of them once a short at the cell was taken off."""
HIDDEN = 0.2
"""Relative standard uncertainty beyond which there is a bound and no number: contacts
are not drawn at random for each cell, so no average makes up for them."""
MISFIT = 0.05
"""Root mean square residual of the best circuit beyond which none describes the cell."""


@dataclass(frozen=True, slots=True, eq=False)
class Bulk:
    """What a spectrum says of the bulk.

    ``resistance`` is None when it is not identifiable; then ``reason`` says why, and
    ``at_least`` or ``at_most`` (ohm) hold what is known all the same. ``others`` are
    further circuits that fit as well: name, Akaike weight, their resistance (ohm).
    ``doubts`` say why the spectrum itself is not believed.
    """

    spectrum: Spectrum
    quality: Quality
    fit: Fit
    others: tuple[tuple[str, float, float], ...]
    resistance: Ohms | None
    reason: str = ""
    at_least: float | None = None
    at_most: float | None = None
    doubts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def believed(self) -> bool:
        """Whether there is a resistance, and the spectrum is believed."""
        return self.resistance is not None and not self.doubts


def bulk(
    spectrum: Spectrum,
    *,
    contact: Ohms | None = None,
    short: Spectrum | None = None,
    opened: Spectrum | None = None,
) -> Bulk:
    """Return the bulk resistance of a spectrum, with its uncertainty or why there is none.

    Parameters
    ----------
    spectrum:
        As measured.
    contact:
        Resistance of leads and contacts, to be taken off. When not given: 0.1 to 2 ohm,
        or nothing but 0.05 ohm of doubt after a short.
    short, opened:
        Spectra of the shorted and of the open leads, to be taken off.
    """
    if short is not None or opened is not None:
        spectrum = compensate(spectrum, short, opened)
    contact = contact or (CONTACT if short is None else AFTER_SHORT)
    quality = kramers_kronig.judge(spectrum)
    fitted = circuit_fit.fits(spectrum)
    ranked, best = circuit_fit.possible(fitted), circuit_fit.simplest(fitted)
    doubts, warnings = list(quality.doubts), list(quality.warnings)
    off = abs(best.impedance(spectrum.frequency) / spectrum.impedance - 1.0)
    left = float(np.sqrt((off**2).mean()))
    if left > MISFIT:
        doubts.append(
            f"the best circuit ({best.circuit.name}) leaves {left:.1%}, "
            f"more than {MISFIT:.0%}: none describes this cell"
        )
    elif left > max(4.0 * quality.noise, 0.01):
        warnings.append(f"the best circuit ({best.circuit.name}) leaves {left:.1%}")
    total = _total(best, ranked, quality)
    others = tuple(
        (one.circuit.name, weight, one.resistance("bulk")[0])
        for one, weight in ranked
        if one is not best
    )
    found = Ohms(total.value - contact.value, math.hypot(total.std, contact.std))
    reason, at_least, at_most = _hidden(spectrum, best, total, found, contact)
    return Bulk(
        spectrum, quality, best, others, None if reason else found, reason,
        at_least, at_most, tuple(doubts), tuple(warnings),
    )  # fmt: skip


def _total(best: Fit, ranked: Sequence[tuple[Fit, float]], quality: Quality) -> Ohms:
    """Return all resistance before the electrodes, with what makes it uncertain.

    Scatter of the points, the instrument's own gain, what circuits that fit equally
    well would say, and half of a drift that exceeds the noise.
    """
    value, scatter = best.resistance("bulk")
    choice = sum(w * (one.resistance("bulk")[0] - value) ** 2 for one, w in ranked)
    gain = GAIN * float(worse(value)) * value
    drift = quality.drift or 0.0
    moved = drift / 2.0 * value if drift > 6.0 * quality.noise else 0.0
    return Ohms(value, math.hypot(scatter, math.sqrt(choice), gain, moved))


def _hidden(
    spectrum: Spectrum, best: Fit, total: Ohms, found: Ohms, contact: Ohms
) -> tuple[str, float | None, float | None]:
    """Return why the bulk is not seen ('' if it is), and bounds on it, in ohm."""
    f, z = spectrum.frequency, spectrum.impedance
    highest = float(z.real.max()) * (1.0 - 2.0 * GAIN)
    arcs = [one for one in best.arcs if best.is_bulk(*one[:2])]
    circuit = best.circuit
    if not (circuit.arcs or circuit.spike):
        why = "neither an arc nor a spike: a plain resistor, or a cell that is shorted"
        return why, None, None
    if not (arcs or circuit.resistance):
        if not circuit.arcs and -1.0 / (2 * np.pi * f[-1] * z.imag[-1]) < circuits.BULK:
            why = (
                f"only a capacitance: the bulk's arc is below {f[-1]:.3g} Hz, "
                f"or the electrodes do not touch"
            )
            return why, max(highest, 0.0), None
        why = "the bulk's intercept does not show beside the electrodes"
        return why, None, max(float(z.real.min()), 0.0)
    slow = [one for one in arcs if 1.0 / (2 * np.pi * one[1]) < f[-1]]
    if slow:
        why = f"the arc peaks below {f[-1]:.3g} Hz, where the sweep ends"
        return why, max(highest, 0.0), None
    if found.std <= HIDDEN * found.value:
        return "", None, None
    seen = resistance(total.value, total.std)
    if contact.std >= total.std:
        why = (
            f"the intercept at high frequency, {seen}, is mostly leads and contacts "
            f"({resistance(contact.value, contact.std)}): measure a short, or a longer cell"
        )
        return why, None, total.value + 2.0 * total.std
    if arcs and total.value > 100.0 * contact.value:
        why = f"the arc's foot is not in the sweep, or circuits disagree: {seen}"
        return why, max(highest, 0.0), None
    why = f"inductance and spike hide the intercept at high frequency: {seen}"
    return why, None, total.value + 2.0 * total.std


@dataclass(frozen=True, slots=True)
class Geometry:
    """A cell: thickness in cm, area in cm2, each with its standard uncertainty."""

    thickness: float
    area: float
    thickness_std: float = 0.0
    area_std: float = 0.0


@dataclass(frozen=True, slots=True)
class Conductivity:
    """Conductivity in S/cm with its standard uncertainty.

    ``sign`` is =, >= or <=, or empty when nothing is known.
    """

    value: float
    std: float
    sign: str


def conductivity(found: Bulk, cell: Geometry) -> Conductivity:
    r"""Return the conductivity of a bulk between two electrodes, or a bound on it.

    .. math:: \sigma = \frac{L}{R_b A}, \qquad
        \left(\frac{u(\sigma)}{\sigma}\right)^2 = \left(\frac{u(R_b)}{R_b}\right)^2
        + \left(\frac{u(L)}{L}\right)^2 + \left(\frac{u(A)}{A}\right)^2

    Parameters
    ----------
    found:
        The bulk resistance.
    cell:
        Thickness and area.

    Raises
    ------
    ValueError
        If thickness or area are not above 0.

    Examples
    --------
    >>> round(cell_constant(Geometry(0.01, 0.785)), 6)
    0.012739
    """
    constant = cell_constant(cell)
    shape = math.hypot(cell.thickness_std / cell.thickness, cell.area_std / cell.area)
    if found.resistance is not None:
        value = constant / found.resistance.value
        part = math.hypot(found.resistance.std / found.resistance.value, shape)
        return Conductivity(value, value * part, "=")
    if found.at_most:
        return Conductivity(constant / found.at_most * (1 - 2 * shape), math.inf, ">=")
    if found.at_least:
        return Conductivity(constant / found.at_least * (1 + 2 * shape), math.inf, "<=")
    return Conductivity(math.nan, math.inf, "")


def cell_constant(cell: Geometry) -> float:
    """Return thickness over area, in 1/cm."""
    if not (cell.thickness > 0.0 and cell.area > 0.0):
        raise ValueError(
            f"thickness {cell.thickness:g} cm and area {cell.area:g} cm2: both must be above 0"
        )
    return cell.thickness / cell.area
