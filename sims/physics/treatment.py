"""How a treatment orders a film: the soak law, the dry-on law, and damage.

The laws were fitted to 57 published acid recipes (root mean square 0.14 decade). Each
stands here once, as a function of state, so that `Sample` can go through it in steps
of any size: the order reached so far is turned back into the time (or the number of
treatments) that would have given it, the step is added, and the law is applied again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, expm1, log, log1p
from typing import Any

BEST = 5186.0
"""Conductivity of a perfectly ordered film, in S/cm."""

SOAK_TIME = 2.99
"""min."""
SOAK_EXPONENT = 0.614

DRY_BEST = 2344.0
"""S/cm: without bulk liquid the released PSS stays near the film."""
DRY_HALF = 0.485
"""wt% of sulfuric acid."""
DRY_EXPONENT = 0.696
DRY_TEMPERATURE = 167.0
"""degC."""
DRY_WIDTH = 59.0
"""K."""
REPEAT_EXPONENT = 0.642

GAS = 8.314e-3
"""kJ/mol/K."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """Assumed numbers that join the published laws into one; see the bench file.

    Parameters
    ----------
    bulk_thickness:
        Liquid layer, in µm, below which it no longer acts as a bath.
    soak_activation:
        Activation energy of the soak, in kJ/mol; the law was measured at 25 degC.
    dry_time:
        Time constant of the dry-on effect once the liquid has gone, in s.
    unrinsed:
        Conductivity left if all displaced PSS stays on the film, as a fraction.
    loose_scale:
        Displaced PSS (weight per PEDOT) at which that loss is mostly there.
    heat_activation, oxidation_activation:
        Activation energies of damage, in kJ/mol.
    """

    bulk_thickness: float = 100.0
    soak_activation: float = 18.0
    dry_time: float = 40.0
    unrinsed: float = 0.54
    loose_scale: float = 0.7
    heat_activation: float = 120.0
    oxidation_activation: float = 70.0

    @classmethod
    def read(cls, spec: Mapping[str, Any]) -> Treatment:
        """Read ``chemistry.treatment`` of a bench file."""
        return cls(
            bulk_thickness=float(spec["bulk_thickness_um"]),
            soak_activation=float(spec["soak_activation_kJ_mol"]),
            dry_time=float(spec["dry_time_s"]),
            unrinsed=float(spec["unrinsed_fraction"]),
            loose_scale=float(spec["loose_scale"]),
            heat_activation=float(spec["heat_activation_kJ_mol"]),
            oxidation_activation=float(spec["oxidation_activation_kJ_mol"]),
        )

    def bulk(self, thickness: float) -> float:
        """Return how far a liquid layer of so many µm is a bath, 0 to 1."""
        if thickness <= 0.0:
            return 0.0
        return 1.0 / (1.0 + (self.bulk_thickness / thickness) ** 6)

    def soak_rate(self, temperature: float) -> float:
        """Return the speed of the soak at so many degC, relative to 25 degC."""
        return arrhenius(self.soak_activation, temperature, 25.0)

    def heat_damage(self, seconds: float, temperature: float) -> float:
        """Return damage by heat alone; five minutes at 200 degC cost 20 %."""
        rate = arrhenius(self.heat_activation, temperature, 200.0)
        return FIFTH * seconds / 300.0 * rate

    def oxidation(self, seconds: float, temperature: float, power: float) -> float:
        """Return damage by an oxidising bath; power 1 costs 20 % in 5 min at 100 degC."""
        rate = arrhenius(self.oxidation_activation, temperature, 100.0)
        return FIFTH * power * seconds / 300.0 * rate

    def residue_factor(self, loose: float) -> float:
        """Return what displaced PSS that still lies on the film leaves of σ."""
        covered = -expm1(-((loose / self.loose_scale) ** 2))
        return 1.0 - (1.0 - self.unrinsed) * covered


FIFTH = -log(0.8) / 3.0
"""Damage that costs 20 % of the conductivity."""


def damage_factor(damage: float) -> float:
    """Return what damage, 0 to 1, leaves of the conductivity."""
    return exp(-3.0 * damage)


def arrhenius(activation: float, temperature: float, reference: float) -> float:
    """Return the speed at one temperature over that at another, both in degC."""
    return exp(
        activation / GAS * (1.0 / (reference + 273.15) - 1.0 / (temperature + 273.15))
    )


def soak_order(potential: float, minutes: float) -> float:
    """Return the order that a bath of potential Φ has given after so many minutes.

    Examples
    --------
    >>> round(soak_order(1.0, 2.99), 3)
    0.632
    """
    return potential * -expm1(-((minutes / SOAK_TIME) ** SOAK_EXPONENT))


def soak_on(order: float, potential: float, minutes: float) -> float:
    """Return the order after ``minutes`` more in a bath, from the order before."""
    if potential <= order or minutes <= 0.0:
        return order
    before = SOAK_TIME * (-log1p(-order / potential)) ** (1.0 / SOAK_EXPONENT)
    return max(order, soak_order(potential, before + minutes))


def dry_order(percent: float, temperature: float, strength: float = 1.0) -> float:
    """Return the order that one drop gives which is heated until dry.

    Parameters
    ----------
    percent:
        wt% of sulfuric acid, or what holds as many moles of another.
    temperature:
        Of the plate, in degC.
    strength:
        Potential of the acid relative to that of sulfuric acid.
    """
    if percent <= 0.0:
        return 0.0
    dose = float(1.0 / (1.0 + (DRY_HALF / percent) ** DRY_EXPONENT))
    heat = exp(-0.5 * ((temperature - DRY_TEMPERATURE) / DRY_WIDTH) ** 2)
    return DRY_BEST / BEST * strength * dose * heat


def dry_on(order: float, single: float, times: float) -> float:
    """Return the order after ``times`` more treatments that alone give ``single``."""
    if single <= 1e-9 or times <= 0.0:
        return order
    once = -log1p(-single)
    before = (-log1p(-order) / once) ** (1.0 / REPEAT_EXPONENT)
    return max(order, -expm1(-once * (before + times) ** REPEAT_EXPONENT))


def join(first: float, second: float) -> float:
    """Return the order of a film that two channels have ordered independently."""
    return 1.0 - (1.0 - first) * (1.0 - second)


def anneal_loss(temperature: float) -> float:
    """Return −ln of what a final anneal at so many degC leaves of a soaked film."""
    return max(0.0, (temperature - 120.0) / 200.0)


def order_conductivity(order: float, pristine: float = 0.0) -> float:
    """Return the conductivity of an undamaged, rinsed film, in S/cm."""
    return pristine + (BEST - pristine) * order


def soak_conductivity(
    potential: float,
    minutes: float,
    *,
    anneal: float = 120.0,
    rinsed: bool = True,
    unrinsed: float = 0.54,
) -> float:
    """Return the noise-free conductivity after one soak, in S/cm.

    Examples
    --------
    >>> round(soak_conductivity(0.5, 10.0))
    2275
    """
    order = soak_order(potential, minutes) * exp(-anneal_loss(anneal))
    return order_conductivity(order) * (1.0 if rinsed else unrinsed)


def dry_conductivity(
    percent: float, temperature: float, *, times: int = 1, strength: float = 1.0
) -> float:
    """Return the noise-free conductivity after drops dried on, in S/cm.

    Examples
    --------
    >>> round(dry_conductivity(9.35, 140.0, times=3))
    3092
    """
    single = dry_order(percent, temperature, strength)
    return order_conductivity(dry_on(0.0, single, float(times)))


def additive_conductivity(
    concentration: float, *, plateau: float, half: float, hill: float, pristine: float
) -> float:
    """Return the conductivity, in S/cm, of a film cast from ink with an acid in it.

    A steep Hill curve on the logarithm [1]_. Only the acid's own curve counts: the ink
    is not treated afterwards.

    Parameters
    ----------
    concentration, half:
        Of the acid in the ink, and that of half effect, in mol/L.
    plateau, pristine:
        Conductivity at high and at no concentration, in S/cm.
    hill:
        Steepness.

    References
    ----------
    .. [1] Fitted to 10.1002/adsu.201800085.
    """
    if concentration <= 0.0:
        return pristine
    share = 1.0 / (1.0 + (half / concentration) ** hill)
    return exp(log(pristine) + log(plateau / pristine) * share)


def additive_plateau(volume: float) -> float:
    """Return the plateau, in S/cm, of a sulfonic acid of molecular volume Å³ in ink."""
    return 1950.0 / (1.0 + exp((volume - 176.0) / 9.0))
