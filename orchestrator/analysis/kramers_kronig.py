r"""Whether a spectrum can belong to a cell that is linear, causal and does not change.

The linear Kramers-Kronig test [1]_ [2]_ fits what always obeys the relations,

.. math:: Z = R_\infty + j\omega L + \frac{1}{j\omega C}
    + \sum_k \frac{R_k}{1 + j\omega\tau_k}

with fixed, log-spaced time constants, by linear least squares weighted by 1/\|Z\|.
What is left over is noise, or does not belong to such a cell. Any sign of R_k is
allowed. Whether 1/C is needed is tried both ways: a blocking cell needs it.

References
----------
.. [1] M. Schönleber, D. Klotz, E. Ivers-Tiffée, Electrochim. Acta 131, 20 (2014).
.. [2] B. A. Boukamp, J. Electrochem. Soc. 142, 1885 (1995).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.analysis.spectrum import Complexes, Spectrum, worse

PER_DECADE = 7
"""Time constants per decade: then the fit itself is good to 0.12 %."""
GOOD = 0.01
"""Largest residual, as a part of the impedance, of a good spectrum."""
ACCEPTABLE = 0.05
"""Largest residual of a spectrum that is believed."""
DRIFT = 0.05
"""Part by which the first point may have changed at the end of the sweep."""
UNEVEN = 3.0
"""Residuals at low frequencies over those at high ones, from which on it is drift."""


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    r"""What the test says of a spectrum.

    ``residuals`` are (fit - measured) / \|measured\|, complex, from high frequency
    down. ``noise`` is what they say of one part (real or imaginary) of one point, relative,
    corrected for the fit's own freedom. ``capacitor`` tells whether 1/C was needed. ``doubts`` say
    why the spectrum is not believed, ``warnings`` what else to know.
    """

    residuals: Complexes
    capacitor: bool
    noise: float
    drift: float | None
    doubts: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def residual(self) -> float:
        """Largest residual, as a part of the impedance there."""
        return float(abs(self.residuals).max())

    @property
    def grade(self) -> str:
        """Good, acceptable or bad."""
        if self.residual <= GOOD:
            return "good"
        return "acceptable" if self.residual <= ACCEPTABLE else "bad"


def linear_residuals(
    spectrum: Spectrum, *, per_decade: int = PER_DECADE, capacitor: bool = True
) -> Complexes:
    """Return (fit - measured) / |measured| of the linear Kramers-Kronig test.

    Parameters
    ----------
    spectrum:
        What is tested.
    per_decade:
        Time constants per decade of frequency, but never more than points.
    capacitor:
        Whether a series capacitor is part of the fit.
    """
    w, z = spectrum.omega, spectrum.impedance
    count = min(round(per_decade * spectrum.decades()) + 1, w.size)
    tau = np.geomspace(1.0 / w.max(), 1.0 / w.min(), count)
    columns = [np.ones_like(w) + 0j, 1j * w / w.max()]
    if capacitor:
        columns.append(w.min() / (1j * w))
    matrix = np.column_stack([*columns, 1.0 / (1.0 + 1j * np.outer(w, tau))])
    matrix /= abs(z)[:, None]
    goal = z / abs(z)
    stacked = np.vstack([matrix.real, matrix.imag])
    # Columns are nearly dependent; the smallest singular values are noise only.
    found = np.linalg.lstsq(
        stacked, np.concatenate([goal.real, goal.imag]), rcond=1e-12
    )
    residuals: Complexes = matrix @ found[0] - goal
    return residuals


def judge(spectrum: Spectrum) -> Quality:
    """Hold a spectrum against the Kramers-Kronig relations and its own first point."""
    plain = linear_residuals(spectrum, capacitor=False)
    blocked = linear_residuals(spectrum, capacitor=True)
    capacitor = bool(abs(blocked).max() < 0.8 * abs(plain).max())
    residuals = blocked if capacitor else plain
    doubts: list[str] = []
    warnings: list[str] = []
    largest = float(abs(residuals).max())
    if largest > ACCEPTABLE:
        f = spectrum.frequency[int(abs(residuals).argmax())]
        doubts.append(
            f"Kramers-Kronig residual is {largest:.1%} at {f:.3g} Hz, "
            f"more than {ACCEPTABLE:.0%}"
        )
    noise = _noise(spectrum, residuals)
    if text := _structure(spectrum, residuals):
        (doubts or warnings).append(text)
    if spectrum.drift is None:
        warnings.append(
            "the first frequency was not measured again: slow drift is not seen"
        )
    else:
        _against_start(spectrum, noise, doubts, warnings)
    return Quality(
        residuals, capacitor, noise, spectrum.drift, tuple(doubts), tuple(warnings)
    )


def _noise(spectrum: Spectrum, residuals: Complexes) -> float:
    """Return the relative noise of one part of one point that residuals amount to."""
    count = min(round(PER_DECADE * spectrum.decades()) + 1, residuals.size) + 3
    freedom = max(2 * residuals.size - count, 1)
    return float(np.sqrt((abs(residuals) ** 2).sum() / freedom))


def _against_start(
    spectrum: Spectrum, noise: float, doubts: list[str], warnings: list[str]
) -> None:
    """Compare the first frequency with itself at the end of the sweep."""
    drift = spectrum.drift or 0.0
    both = 2.0 * max(noise, 1e-4)  # two points, and two parts of each
    text = (
        f"at {spectrum.start:.3g} Hz the impedance changed by {drift:.1%} "
        f"during the sweep"
    )
    if drift > DRIFT:
        doubts.append(f"{text}, more than {DRIFT:.0%}")
    elif drift > 3.0 * both:
        warnings.append(f"{text}, more than its noise of {both:.1%}")


def _structure(spectrum: Spectrum, residuals: Complexes) -> str:
    """Return what uneven residuals say: a cell that changes does so at the slow end."""
    third = residuals.size // 3
    even = abs(residuals) / worse(abs(spectrum.impedance))
    size = float(np.sqrt((even[-third:] ** 2).mean()))
    rest = float(np.sqrt((even[:-third] ** 2).mean()))
    if even.max() <= GOOD or size <= UNEVEN * rest:
        return ""
    return (
        f"residuals below {spectrum.frequency[-third]:.3g} Hz are {size / rest:.1f} times "
        f"those above: the cell changed during the slow part of the sweep"
    )
