r"""How well published polymer electrolytes conduct: laws of temperature and composition.

For a bench that measures a fixed cell, and as the yardstick of what is made on one. A
material is anything with the four methods of `Ions`. Marks: [D] read from published
data, [M] fitted to such data, [K] standard knowledge, +-20 %, [R] read in an abstract,
[A] assumed. Conductivities in S/cm, temperatures in degC unless said, molalities in mol
of salt per kg of polymer.

References
----------
.. [1] 10.1021/acscentsci.2c01123 (data set of literature conductivities).
.. [2] J. Evans, C. A. Vincent, P. G. Bruce, Polymer 28, 2324 (1987).
.. [3] R. Bouchet et al., Nat. Mater. 12, 452 (2013).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

GAS = 8.314462618e-3
"""kJ/mol/K."""
KELVIN = 273.15
BELOW_GLASS = 50.0
"""K from the glass transition down to T0. [K]"""
REFERENCE = 0.9
"""mol/kg of the PEO-LiTFSI that the line was fitted to. [M]"""
BEST = 1.25
"""mol/kg at which PEO-LiTFSI conducts best. [M] 1 to 1.5 in all three rows of the table."""
STEEPNESS = 1.5
"""Power of the salt's part in conductivity. [M] to the table's rows above 0.8 mol/kg."""
LEAST = 0.02
"""mol/kg of impurities in a polymer without salt. [A]"""
CRYSTAL = 1.1
"""Decades that crystals cost. [M]"""
MELTING = 62.5
"""degC of melting of PEO of high molar mass, 60 to 65. [K]"""
DEPRESSION = 4.5
"""K that a mol/kg of salt takes off it. [A] so that the row at 57-63 degC is molten."""
MELTING_STEP = 5.0
"""K over which melting goes from 10 to 90 %. [A]"""
INTERFACE = 200.0
"""ohm cm2 of both layers on lithium at 60 degC, 50 to 1000. [K]"""
INTERFACE_ACTIVATION = 45.0
"""kJ/mol. [A]"""
DIFFUSION = 1e-8
"""cm2/s of the salt. [K]"""
SINGLE_ION_TRANSFERENCE = 0.95
"""0.9 to 1. [R, 3]"""


class Ions(Protocol):
    """What a cell needs to know of an electrolyte."""

    def conductivity(self, celsius: float) -> float:
        """Return S/cm."""

    def transference(self) -> float:
        """Return the share of the current that lithium carries at a steady state."""

    def interface(self, celsius: float) -> float:
        """Return the resistance of both layers on lithium together, in ohm cm2."""

    def diffusion(self, celsius: float) -> float:
        """Return the diffusion coefficient of the salt, in cm2/s."""


@dataclass(frozen=True, slots=True)
class Vtf:
    r"""Vogel, Tammann and Fulcher's line, for what is amorphous.

    .. math:: \sigma = A \exp\left(-\frac{B}{R (T - T_0)}\right)

    Parameters
    ----------
    prefactor:
        Decimal logarithm of A in S/cm.
    activation:
        B, in kJ/mol.
    ideal_glass:
        T0, in K.
    """

    prefactor: float
    activation: float
    ideal_glass: float

    def conductivity(self, celsius: float) -> float:
        """Return S/cm; nothing moves below T0.

        Examples
        --------
        >>> round(math.log10(PEO_LITFSI.conductivity(60.0)), 2)
        -3.31
        """
        above = celsius + KELVIN - self.ideal_glass
        if above <= 0.0:
            return 0.0
        exponent = -self.activation / (GAS * above)
        return float(10.0**self.prefactor * math.exp(exponent))


@dataclass(frozen=True, slots=True)
class Arrhenius:
    r"""Arrhenius' line through one point, for what is crystalline or glassy.

    .. math:: \sigma = \sigma_1 \exp\left(-\frac{E_a}{R}
        \left(\frac{1}{T} - \frac{1}{T_1}\right)\right)

    Parameters
    ----------
    value:
        Conductivity at ``at``, in S/cm.
    activation:
        E_a, in kJ/mol; 69 is the median of 630 series [M].
    at:
        degC.
    """

    value: float
    activation: float = 69.0
    at: float = 25.0

    def conductivity(self, celsius: float) -> float:
        """Return S/cm."""
        inverse = 1.0 / (celsius + KELVIN) - 1.0 / (self.at + KELVIN)
        return self.value * math.exp(-self.activation / GAS * inverse)


PEO_LITFSI = Vtf(-0.82, 7.37, 178.6)
"""Amorphous, at 0.9 mol/kg. [M, 1] residual 0.001 decade."""


@dataclass(frozen=True, slots=True)
class PeoLiTfsi:
    """PEO of high molar mass with LiTFSI; it crystallises.

    Parameters
    ----------
    molality:
        mol/kg.
    """

    molality: float = REFERENCE

    @property
    def melting(self) -> float:
        """Melting point, in degC."""
        return MELTING - DEPRESSION * self.molality

    def conductivity(self, celsius: float) -> float:
        """Return S/cm."""
        frozen = 1.0 - step(celsius - self.melting)
        factor = carried(self.molality) - CRYSTAL * frozen
        return float(PEO_LITFSI.conductivity(celsius) * 10.0**factor)

    def transference(self) -> float:
        """Return 0.3 when dilute, 0.15 at 3 mol/kg. [R] for the range, [A] for the slope."""
        return min(0.3, max(0.15, 0.3 - 0.05 * self.molality))

    def interface(self, celsius: float) -> float:
        return interface(celsius)

    def diffusion(self, celsius: float) -> float:
        return DIFFUSION


@dataclass(frozen=True, slots=True)
class SingleIon:
    """A polymer whose anions hang on its chains.

    The line goes through the medians of its class at 20-32 and 57-63 degC [M, 1] where
    the glass transition is 250 K; another one shifts T0.

    Parameters
    ----------
    glass:
        Glass transition, in K.
    dissociation:
        Share of the lithium that is free, relative to the median of its class.
    """

    glass: float = 250.0
    dissociation: float = 1.0

    def conductivity(self, celsius: float) -> float:
        """Return S/cm."""
        line = Vtf(-1.95, 8.5, self.glass - BELOW_GLASS)
        return self.dissociation * line.conductivity(celsius)

    def transference(self) -> float:
        return SINGLE_ION_TRANSFERENCE

    def interface(self, celsius: float) -> float:
        return interface(celsius)

    def diffusion(self, celsius: float) -> float:
        return DIFFUSION


@dataclass(frozen=True, slots=True)
class Plain:
    """Any material of which conductivity and transference are known.

    Parameters
    ----------
    law:
        Its conductivity.
    share:
        Its transference number.
    """

    law: Vtf | Arrhenius
    share: float = 0.2

    def conductivity(self, celsius: float) -> float:
        return self.law.conductivity(celsius)

    def transference(self) -> float:
        return self.share

    def interface(self, celsius: float) -> float:
        return interface(celsius)

    def diffusion(self, celsius: float) -> float:
        return DIFFUSION


def carried(molality: float) -> float:
    r"""Return what the salt makes of PEO's conductivity, in decades from 0.9 mol/kg.

    Carriers come with the salt, and it stiffens the chains:

    .. math:: p \left(\log m - \frac{m}{m_{best} \ln 10}\right) + const

    Examples
    --------
    >>> carried(0.9)
    0.0
    >>> carried(1.25) > carried(1.0) > carried(0.5)
    True
    """
    return STEEPNESS * (_salt(molality) - _salt(REFERENCE))


def _salt(molality: float) -> float:
    amount = max(molality, LEAST)
    return math.log10(amount) - amount / (BEST * math.log(10.0))


def step(above: float) -> float:
    """Return the molten share so many K above the melting point.

    Examples
    --------
    >>> [round(step(kelvin), 2) for kelvin in (-10.0, -2.5, 0.0, 2.5)]
    [0.0, 0.1, 0.5, 0.9]
    """
    return 1.0 / (1.0 + math.exp(-above * 2.0 * math.log(9.0) / MELTING_STEP))


def interface(celsius: float) -> float:
    """Return ohm cm2 of both layers on lithium together."""
    line = Arrhenius(1.0 / INTERFACE, INTERFACE_ACTIVATION, 60.0)
    return 1.0 / line.conductivity(celsius)
