"""How thick a spun film dries: centrifugal flow against evaporation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import cbrt, exp, pi
from typing import Any

REFERENCE_SPEED = 2000.0
"""rpm."""


@dataclass(frozen=True, slots=True)
class Ink:
    """A lot of PEDOT:PSS dispersion.

    Parameters
    ----------
    solids:
        Mass fraction.
    viscosity:
        mPa·s at 25 degC.
    solid_density:
        Of the dried film, in g/cm³.
    pss_ratio:
        Weight of PSS per PEDOT.
    evaporation:
        Velocity of the drying surface at 2000 rpm and 40 % humidity, in m/s.
    exponent:
        Of the thickness in speed; differs from lot to lot.
    floor:
        One layer of gel particles, in nm: below it a film has holes, and is not thinner.
    """

    solids: float = 0.011
    viscosity: float = 30.0
    solid_density: float = 1.1
    pss_ratio: float = 2.5
    evaporation: float = 5e-7
    exponent: float = -0.5
    floor: float = 30.0

    @classmethod
    def read(cls, spec: Mapping[str, Any], exponent: float) -> Ink:
        """Read ``chemistry.ink`` of a bench file, with the exponent of this lot."""
        return cls(
            solids=float(spec["solids"]),
            viscosity=float(spec["viscosity_mPa_s"]),
            solid_density=float(spec["solid_density_g_cm3"]),
            pss_ratio=float(spec["pss_ratio"]),
            evaporation=float(spec["evaporation_m_s"]),
            exponent=exponent,
            floor=float(spec["floor_nm"]),
        )

    def dried(self, volume: float, area: float) -> float:
        """Return the thickness, in nm, of ``volume`` µL dried unspun on ``area`` cm²."""
        return self.solids * volume / (self.solid_density * area) * 1e4


def dry_thickness(ink: Ink, speed: float, humidity: float = 40.0) -> float:
    r"""Return the thickness of a film spun until dry, in nm.

    Where flow and evaporation balance [1]_

    .. math:: h = \frac{x}{\rho_s} \left[\frac{3 \eta e}{2\rho\omega^2(1-x)}\right]^{1/3}

    and e grows as the root of the speed, so that h falls as its root; the measured
    exponent of the lot replaces -1/2.

    Parameters
    ----------
    ink:
        The lot.
    speed:
        rpm.
    humidity:
        Relative, in %.

    References
    ----------
    .. [1] D. Meyerhofer, J. Appl. Phys. 49, 3993 (1978).

    Examples
    --------
    >>> [round(dry_thickness(Ink(), rpm)) for rpm in (1000, 2000, 4000)]
    [114, 80, 57]
    """
    omega = REFERENCE_SPEED * 2.0 * pi / 60.0
    evaporation = ink.evaporation * (100.0 - humidity) / 60.0
    bracket = 3.0 * ink.viscosity * 1e-3 * evaporation
    wet = cbrt(bracket / (2.0 * 1000.0 * omega**2 * (1.0 - ink.solids)))
    at_reference = ink.solids / ink.solid_density * wet * 1e9
    return float(at_reference * (speed / REFERENCE_SPEED) ** ink.exponent)


def thinned(before: float, final: float, seconds: float) -> float:
    """Return the thickness after so many seconds of spin on the way to ``final``, nm."""
    return final + max(0.0, before - final) * exp(-seconds / 2.5)
