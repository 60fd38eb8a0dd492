"""Liquid that lies on a sample: what is in it, how it dries, how water carries it off.

Water and volatile acids leave as fast as their vapour pressure drives them; what they
hold on to each other is one Margules parameter. A concentrated acid may also drink
water from the air.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import exp, expm1, inf, isinf, log1p
from typing import Any

from sims.physics.chemicals import WATER_MOLAR_VOLUME, Chemical

TRACE, STAYING_TRACE = 0.05, 0.005
"""µL that are nothing any more, of what evaporates and of what does not."""
STEP = 0.04
"""Share of the liquid that may leave in one step."""


@dataclass(frozen=True)
class Air:
    """What surrounds a puddle.

    Parameters
    ----------
    evaporation:
        Of water at 25 degC into this air, in m/s.
    humidity:
        Relative, 0 to 1.
    area:
        Of the substrate, in cm².
    capacity:
        What the substrate holds before liquid runs off, in µL.
    clinging:
        What stays on it when liquid has run off, in µL.
    mixing:
        Flood that thins what lies there to 1/e, in µL.
    """

    evaporation: float = 5e-8
    humidity: float = 0.4
    area: float = 4.0
    capacity: float = 500.0
    clinging: float = 30.0
    mixing: float = 250.0

    @classmethod
    def read(cls, spec: Mapping[str, Any]) -> Air:
        """Read ``chemistry.air`` of a bench file."""
        return cls(
            evaporation=float(spec["evaporation_m_s"]),
            humidity=float(spec["humidity_percent"]) / 100.0,
            area=float(spec["area_cm2"]),
            capacity=float(spec["capacity_uL"]),
            clinging=float(spec["clinging_uL"]),
            mixing=float(spec["mixing_uL"]),
        )

    def drying(self, temperature: float) -> float:
        """Return how fast a layer of water thins at so many degC, in µm/s."""
        drive = vapour_pressure(100.0, temperature, 13.1) - self.moisture
        return self.transfer * drive * WATER_MOLAR_VOLUME * 1e7 / self.area

    @cached_property
    def moisture(self) -> float:
        """KPa of water in it."""
        return self.humidity * vapour_pressure(100.0, 25.0, 13.1)

    @cached_property
    def transfer(self) -> float:
        """mol/s that leave the substrate per kPa of driving pressure."""
        drive = vapour_pressure(100.0, 25.0, 13.1) * (1.0 - self.humidity)
        return self.evaporation * self.area * 1e-4 * 1e3 / WATER_MOLAR_VOLUME / drive


def vapour_pressure(boiling: float, temperature: float, entropy: float = 12.0) -> float:
    """Return kPa over a liquid that boils at ``boiling`` degC, by Clausius-Clapeyron.

    ``entropy`` is that of boiling over the gas constant: 13.1 for water, about 12 for
    acids that hold together.
    """
    if isinf(boiling):
        return 0.0
    ratio = (boiling + 273.15) / (temperature + 273.15)
    return 101.325 * exp(entropy * (1.0 - ratio))


@dataclass(slots=True)
class Puddle:
    """Liquid on one sample.

    Parameters
    ----------
    air:
        Around it.
    water:
        mol.
    acids:
        mol of each.
    """

    air: Air
    water: float = 0.0
    acids: dict[Chemical, float] = field(default_factory=dict)

    @property
    def volume(self) -> float:
        """µL."""
        litres = self.water * WATER_MOLAR_VOLUME
        litres += sum(n * acid.molar_volume for acid, n in self.acids.items())
        return litres * 1e6

    @property
    def layer(self) -> float:
        """Thickness if spread evenly, in µm."""
        return self.volume / self.air.area * 10.0

    def add(self, acid: Chemical | None, volume: float) -> None:
        """Add so many µL of water, or of an acid as it is in its bottle."""
        if acid is None:
            self.water += volume * 1e-6 / WATER_MOLAR_VOLUME
            return
        self.acids[acid] = self.acids.get(acid, 0.0) + volume * 1e-6 * acid.stock
        self.water += volume * 1e-6 * acid.water_in_stock / WATER_MOLAR_VOLUME

    def flood(self, volume: float, before: float) -> float:
        """Let what no longer fits run off, and return how much of the old stays, 0-1.

        ``before`` µL lay there, and ``volume`` µL were poured onto it and added. Where
        liquid runs off, it mixes on its way and leaves only what clings.
        """
        air = self.air
        if before + volume <= air.capacity:
            return 1.0
        kept = exp(-(before + volume - air.capacity) / air.mixing)
        stays = kept * air.clinging / air.capacity
        for acid in self.acids:
            self.acids[acid] *= stays
        self.water = 0.0
        self._dry_up()
        self.water = max(0.0, air.clinging - self.volume) * 1e-6 / WATER_MOLAR_VOLUME
        return kept

    def _dry_up(self) -> None:
        """Forget a trace: less of the volatile, or of all, than can matter."""
        staying = any(isinf(a.boiling) for a in self.acids)
        if self.volume < (STAYING_TRACE if staying else TRACE):
            self.water = 0.0
            self.acids.clear()

    def shed(self) -> None:
        """Throw off all but a trace, as a spinning chuck does."""
        share = min(1.0, 1.0 / max(self.volume, 1e-9))
        self.water *= share
        for acid in self.acids:
            self.acids[acid] *= share

    def concentration(self, acid: Chemical) -> float:
        """mol/L of an acid in the liquid."""
        volume = self.volume
        return self.acids[acid] / (volume * 1e-6) if volume > 0.0 else 0.0

    def evaporate(self, most: float, temperature: float) -> float:
        """Dry for up to ``most`` s at so many degC; return the seconds that passed.

        A step is short enough that the composition hardly changes within it. Each
        amount follows its own flux, linearised, so that near equilibrium a long step
        ends there and not beyond.
        """
        self._dry_up()
        total = self.water + sum(self.acids.values())
        if total <= 0.0:
            return most
        k = self.air.transfer
        acid_share = 1.0 - self.water / total
        affinity = 0.0
        for acid, amount in self.acids.items():
            affinity += acid.affinity * amount / total / max(acid_share, 1e-12)
        pull, slope = _flow(self.water, total, affinity, 100.0, 13.1, temperature)
        fluxes: dict[Chemical | None, tuple[float, float]] = {
            None: (k * (pull - self.air.moisture), k * slope)
        }
        for acid, amount in self.acids.items():
            if isinf(acid.boiling) or amount <= 0.0:
                continue
            pull, slope = _flow(
                amount, total, acid.affinity, acid.boiling, 12.0, temperature
            )
            fluxes[acid] = (k * pull, k * slope)
        step = most
        for flux, slope in fluxes.values():
            if flux != 0.0:
                step = min(step, max(0.02, _time_for(STEP * total, abs(flux), slope)))
        for part, (flux, slope) in fluxes.items():
            gone = flux * (-expm1(-slope * step) / slope if slope > 1e-12 else step)
            if part is None:
                self.water = max(0.0, self.water - gone)
            else:
                self.acids[part] = max(0.0, self.acids[part] - gone)
        return step


def _flow(
    amount: float,
    total: float,
    affinity: float,
    boiling: float,
    entropy: float,
    temperature: float,
) -> tuple[float, float]:
    """Return the partial pressure of one part, kPa, and its slope in mol of it."""
    x = amount / total
    pressure = vapour_pressure(boiling, temperature, entropy)
    activity = exp(affinity * (1.0 - x) ** 2)
    partial = pressure * x * activity
    # d(x·γ)/dn with dx/dn = (1 − x)/total
    slope = pressure * activity * (1.0 - 2.0 * affinity * x * (1.0 - x))
    return partial, slope * (1.0 - x) / total


def _time_for(amount: float, flux: float, slope: float) -> float:
    """Return the seconds in which ``amount`` leaves, by a flux that falls with it."""
    if slope * amount < 1e-9 * flux:
        return amount / flux
    share = slope * amount / flux
    if share >= 1.0:
        return inf
    return -log1p(-share) / slope
