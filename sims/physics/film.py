"""A film as four numbers, and what they show to light and to four contacts."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, expm1, inf, pi

GLASS = 0.915
"""Transmittance of the bare substrate."""


@dataclass(frozen=True, slots=True)
class FilmState:
    """A film of PEDOT:PSS.

    Parameters
    ----------
    pedot:
        Areal amount g, in nm of pure PEDOT; washing keeps it.
    pss_ratio:
        Weight r of PSS per PEDOT, displaced PSS that still lies there included.
    order:
        χ, 0 to 1.
    damage:
        d, 0 to 1.
    """

    pedot: float = 0.0
    pss_ratio: float = 2.5
    order: float = 0.0
    damage: float = 0.0

    @property
    def thickness(self) -> float:
        """Nm."""
        return self.pedot / pedot_fraction(self.pss_ratio)


def pedot_fraction(pss_ratio: float) -> float:
    """Return the volume fraction of PEDOT at a weight ratio PSS/PEDOT.

    Examples
    --------
    >>> round(pedot_fraction(2.5), 3)
    0.263
    """
    return 1.0 / (1.0 + 1.12 * pss_ratio)


def absorbance(state: FilmState) -> float:
    """Return α·t at 550 nm; α is 2.6e4 per cm of pure PEDOT."""
    return 2.6e4 * pedot_fraction(state.pss_ratio) * state.thickness * 1e-7


def transmittance(state: FilmState, coverage: float = 1.0) -> float:
    """Return the transmittance at 550 nm of a film on glass.

    Examples
    --------
    >>> transmittance(FilmState())
    0.915
    """
    reflected = 1.0 - GLASS - 0.02 * expm1(-state.thickness / 50.0)
    film = (1.0 - reflected) * exp(-absorbance(state))
    return coverage * film + (1.0 - coverage) * GLASS


def sheet_resistance(conductivity: float, thickness: float) -> float:
    """Return ohm per square from S/cm and nm; infinite without a conductor.

    Examples
    --------
    >>> sheet_resistance(5000.0, 100.0)
    20.0
    """
    product = conductivity * thickness
    return 1e7 / product if product > 0.0 else inf


def contact_resistances(sheet: float, ratio: float) -> tuple[float, float]:
    r"""Return the two van der Pauw resistances of a film, in ohm.

    Solves :math:`e^{-\pi R_A/R_s} + e^{-\pi R_B/R_s} = 1` for given ratio R_A/R_B.

    Parameters
    ----------
    sheet:
        Sheet resistance, in ohm.
    ratio:
        R_A/R_B, above 0.

    Examples
    --------
    >>> [round(r, 3) for r in contact_resistances(4.53236, 1.0)]
    [1.0, 1.0]
    """
    if sheet == inf:
        return inf, inf
    high = max(ratio, 1.0 / ratio)
    z = 0.0  # π·R_B/Rs; Newton rises from below
    for _ in range(100):
        first, second = exp(-high * z), exp(-z)
        step = (first + second - 1.0) / (high * first + second)
        z += step
        if abs(step) < 1e-14 * (1.0 + z):
            break
    small = z * sheet / pi
    large = high * small
    return (large, small) if ratio >= 1.0 else (small, large)
