"""One impedance sweep: frequencies, impedances, and what the instrument is good for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orchestrator.analysis.readings import OVERFLOW, AnalysisError

Reals = NDArray[np.float64]
Complexes = NDArray[np.complex128]

FEWEST = 8
"""Points below which neither the Kramers-Kronig test nor a circuit says anything."""
NOISE = 0.0035
"""Relative standard uncertainty of one point, in size and in phase (rad)."""
GAIN = 0.002
"""Relative standard uncertainty that all points of one instrument share."""
SMALL, LARGE, WORSE = 1.0, 1e8, 5.0
"""Below and above these, in ohm, an analyser is so many times worse."""
SAME = 1e-3
"""Part by which two frequencies may differ and still be the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """An impedance sweep, from the highest frequency down.

    ``frequency`` in Hz, ``impedance`` in ohm; a capacitor has a negative imaginary
    part. ``again`` is the impedance at the first frequency, measured once more at the
    end of the sweep, and None when it was not; ``first`` is what it was at the start.
    ``rising`` sweeps began at the lowest frequency.
    """

    frequency: Reals
    impedance: Complexes
    again: complex | None = None
    first: complex = 0j
    rising: bool = False

    @classmethod
    def measured(cls, frequency: ArrayLike, impedance: ArrayLike) -> Spectrum:
        """Return a spectrum of readings in the order in which they were made.

        Parameters
        ----------
        frequency:
            In Hz. When the last one is the first one again, it shows the drift.
        impedance:
            In ohm, complex.

        Raises
        ------
        AnalysisError
            If readings are missing, are no numbers, or there are fewer than 8.
        """
        f, z = np.asarray(frequency, float), np.asarray(impedance, complex)
        if f.shape != z.shape or f.ndim != 1:
            raise AnalysisError(
                f"{f.size} frequencies and {z.size} impedances: not one each"
            )
        for i in np.flatnonzero(~(np.isfinite(f) & (f > 0.0) & (f < OVERFLOW))):
            raise AnalysisError(f"point {i + 1}: frequency {f[i]:g} Hz is not above 0")
        for i in np.flatnonzero(
            ~(np.isfinite(z) & (abs(z) < OVERFLOW) & (abs(z) > 0.0))
        ):
            raise AnalysisError(
                f"point {i + 1}, {f[i]:g} Hz: impedance {z[i]:g} ohm is no reading"
            )
        again, first = None, complex(z[0]) if z.size else 0j
        if f.size > FEWEST and abs(f[-1] / f[0] - 1.0) < SAME:
            again, f, z = complex(z[-1]), f[:-1], z[:-1]
        if f.size < FEWEST:
            raise AnalysisError(f"{f.size} points; at least {FEWEST} are needed")
        if f.max() / f.min() < 10.0:
            raise AnalysisError(
                f"{f.min():g} to {f.max():g} Hz: less than a decade of frequency"
            )
        order = np.argsort(-f, kind="stable")
        return cls(f[order], z[order], again, first, bool(f[0] < f[-1]))

    @property
    def content(self) -> bytes:
        """All readings, as bytes that tell one spectrum from another."""
        ends = np.array(
            [self.first, complex("nan") if self.again is None else self.again]
        )
        return self.frequency.tobytes() + self.impedance.tobytes() + ends.tobytes()

    @property
    def omega(self) -> Reals:
        """Angular frequency, in rad/s."""
        return 2.0 * np.pi * self.frequency

    @property
    def noise(self) -> Reals:
        """What one point is uncertain by, in ohm: 0.35 %, five times that at the ends."""
        return NOISE * worse(abs(self.impedance)) * abs(self.impedance)

    @property
    def start(self) -> float:
        """The frequency at which the sweep began, in Hz."""
        return float(self.frequency[-1 if self.rising else 0])

    @property
    def drift(self) -> float | None:
        """Change of the first point between start and end of the sweep, as a part of it."""
        if self.again is None:
            return None
        return float(abs(self.again - self.first) / abs(self.first))

    def decades(self) -> float:
        """Decades of frequency that were swept."""
        return float(np.log10(self.frequency[0] / self.frequency[-1]))


def worse(size: ArrayLike) -> Reals:
    """Return how many times worse than usual an analyser is at impedances (ohm).

    Examples
    --------
    >>> [float(one) for one in worse([0.5, 100.0, 2e8])]
    [5.0, 1.0, 5.0]
    """
    ohm = np.asarray(size, float)
    return np.where((ohm < SMALL) | (ohm > LARGE), WORSE, 1.0)


def compensate(
    spectrum: Spectrum, short: Spectrum | None, opened: Spectrum | None
) -> Spectrum:
    r"""Return a spectrum without what the leads add in series and in parallel.

    .. math:: Z = \frac{Z_m - Z_s}{1 - (Z_m - Z_s) Y_o}, \qquad Y_o = \frac{1}{Z_o - Z_s}

    Parameters
    ----------
    spectrum:
        As measured.
    short, opened:
        The cell's leads, shorted and open, over the same frequencies; None when not
        measured. They are interpolated in the logarithm of frequency.

    Raises
    ------
    AnalysisError
        If short or open do not reach as far as the spectrum.
    """
    series, parallel = np.zeros((2, spectrum.frequency.size), complex)
    if short is not None:
        series = at(short, spectrum.frequency, "short")
    if opened is not None:
        parallel = 1.0 / (at(opened, spectrum.frequency, "open") - series)
    which = -1 if spectrum.rising else 0
    ends = series[which], parallel[which]

    def inner(z: Complexes, z_s: Complexes, y_o: Complexes) -> Complexes:
        rest = z - z_s
        made: Complexes = rest / (1.0 - rest * y_o)
        return made

    def one(z: complex) -> complex:
        return complex(inner(np.array([z]), *ends)[0])

    return Spectrum(
        spectrum.frequency,
        inner(spectrum.impedance, series, parallel),
        None if spectrum.again is None else one(spectrum.again),
        one(spectrum.first),
        spectrum.rising,
    )


def at(spectrum: Spectrum, frequency: Reals, name: str = "spectrum") -> Complexes:
    """Return the impedance at other frequencies (Hz), which must be within the sweep."""
    low, high = spectrum.frequency[-1], spectrum.frequency[0]
    if frequency.min() < low * (1 - SAME) or frequency.max() > high * (1 + SAME):
        raise AnalysisError(
            f"{name}: reaches from {low:g} to {high:g} Hz; "
            f"{frequency.min():g} to {frequency.max():g} Hz is needed"
        )
    x, xp = np.log(frequency), np.log(spectrum.frequency[::-1])
    parts: Sequence[Reals] = [
        np.interp(x, xp, part[::-1])
        for part in (spectrum.impedance.real, spectrum.impedance.imag)
    ]
    return parts[0] + 1j * parts[1]
