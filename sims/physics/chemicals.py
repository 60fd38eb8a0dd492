r"""What the simulated world knows of each liquid: acidity, size, anion, volatility.

An acid orders a film by (A) protonating PSS, (B) exchanging its anion for it, which
large anions cannot, and (C) if it is a polar liquid that stays, plasticising it:

.. math:: \Phi = 1 - (1 - f_{an} \Phi_{acid} \Phi_{size})(1 - 0.55\,\Phi_{solv})
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import exp, inf, log10, sqrt
from typing import Any

WATER_MOLAR_VOLUME = 0.01807
"""L/mol."""


def acid_factor(acidity: float) -> float:
    """Return the share of the order that protons of this Hammett acidity can reach."""
    return 1.0 / (1.0 + exp((acidity + 5.73) / 2.15))


def size_factor(volume: float) -> float:
    """Return how well an anion of this molecular volume, in Å³, enters the film."""
    return 1.0 / (1.0 + exp((volume - 176.0) / 9.0))


def solvent_factor(permittivity: float, boiling: float) -> float:
    """Return the plasticising power of a polar liquid that boils at ``boiling`` degC."""
    if permittivity <= 0.0:
        return 0.0
    staying = 1.0 / (1.0 + exp(min((110.0 - boiling) / 15.0, 50.0)))
    return permittivity / (permittivity + 30.0) * staying


@dataclass(frozen=True, eq=False)
class Chemical:
    """The truth about one acid on the shelf; equal only to itself.

    Parameters
    ----------
    name:
        As on the bottle.
    stock:
        Concentration in the bottle, in mol/L; the rest is water.
    molar_mass, density:
        Of the neat acid, in g/mol and g/cm³ (apparent, for one dissolved as a gas).
    volume:
        Molecular volume, in Å³.
    anion:
        Exchange factor of its anion for PSS; hydrogensulfate is 1.
    neat_acidity:
        Hammett acidity of the acid when all water has left.
    boiling:
        Of the neat acid, in degC; infinite for one that never evaporates.
    affinity:
        Margules parameter of the mixture with water; negative where they cling.
    permittivity:
        Relative, of the molecular liquid; 0 where the acid is ionised, whose
        plasticising is part of the calibrated acidity law.
    oxidising:
        Power to damage the film when hot, relative to 65 % nitric acid.
    table:
        Pairs (wt%, Hammett acidity), rising in wt%; or empty, and then
    pka, stock_acidity:
        give the acidity: dissociation, and a linear excess that fits the stock.
    """

    name: str
    stock: float
    molar_mass: float
    density: float
    volume: float
    anion: float
    neat_acidity: float
    boiling: float = inf
    affinity: float = 0.0
    permittivity: float = 0.0
    oxidising: float = 0.0
    table: tuple[tuple[float, float], ...] = ()
    pka: float = 0.0
    stock_acidity: float = 0.0

    @classmethod
    def read(cls, name: str, spec: Mapping[str, Any]) -> Chemical:
        """Read one entry of ``chemistry.acids`` in a bench file."""
        table = tuple((float(w), float(h)) for w, h in spec.get("acidity_by_wt", ()))
        boiling = spec["boiling_degC"]
        return cls(
            name=name,
            stock=float(spec["stock_mol_L"]),
            molar_mass=float(spec["molar_mass_g_mol"]),
            density=float(spec["density_g_cm3"]),
            volume=float(spec["volume_A3"]),
            anion=float(spec["anion"]),
            neat_acidity=float(spec["acidity_neat"]),
            boiling=inf if boiling is None else float(boiling),
            affinity=float(spec.get("affinity", 0.0)),
            permittivity=float(spec.get("permittivity", 0.0)),
            oxidising=float(spec.get("oxidising", 0.0)),
            table=table,
            pka=float(spec.get("pKa", 0.0)),
            stock_acidity=float(spec.get("acidity_stock", 0.0)),
        )

    @cached_property
    def molar_volume(self) -> float:
        """L/mol of the neat acid."""
        return self.molar_mass / self.density / 1000.0

    @property
    def water_in_stock(self) -> float:
        """Volume fraction of water in the bottle."""
        return max(0.0, 1.0 - self.stock * self.molar_volume)

    def weight_percent(self, concentration: float) -> float:
        """Return wt% of the acid in a mixture with water of so many mol/L."""
        acid = concentration * self.molar_mass
        water = max(0.0, 1.0 - concentration * self.molar_volume) * 1000.0
        return 100.0 * acid / (acid + water) if acid > 0.0 else 0.0

    def acidity(self, concentration: float) -> float:
        """Return the Hammett acidity H of the acid in water at so many mol/L."""
        if concentration <= 0.0:
            return 7.0
        if self.table:
            return max(
                self.neat_acidity, self._tabulated(self.weight_percent(concentration))
            )
        acidity = -log10(self._protons(concentration)) - self._excess * concentration
        return max(self.neat_acidity, acidity)

    @cached_property
    def _excess(self) -> float:
        """Acidity beyond that of the protons, per mol/L; fits the stock."""
        return (-log10(self._protons(self.stock)) - self.stock_acidity) / self.stock

    @cached_property
    def _entry(self) -> float:
        """Share of its anion and size in the order it can give."""
        return self.anion * size_factor(self.volume)

    @cached_property
    def _solvent(self) -> float:
        """Plasticising power of the neat acid."""
        return solvent_factor(self.permittivity, self.boiling)

    def _protons(self, concentration: float) -> float:
        """Return mol/L of protons from one dissociation of constant ``pka``."""
        k = 10.0**-self.pka
        return max(
            1e-7, 2.0 * concentration / (1.0 + sqrt(1.0 + 4.0 * concentration / k))
        )

    def _tabulated(self, percent: float) -> float:
        """Interpolate the table; below its first entry dilution costs 1 per decade."""
        first, acidity = self.table[0]
        if percent <= first:
            return min(7.0, acidity - log10(max(percent, 1e-9) / first))
        if percent >= self.table[-1][0]:
            return self.table[-1][1]
        i = bisect_right(self.table, (percent, inf))
        (w0, h0), (w1, h1) = self.table[i - 1], self.table[i]
        return h0 + (h1 - h0) * (percent - w0) / (w1 - w0)

    def soak_potential(self, concentration: float) -> float:
        """Return Φ of a bath of so many mol/L: the order that an endless soak gives."""
        protons = acid_factor(self.acidity(concentration))
        share = min(1.0, concentration * self.molar_volume)
        return self._potential(protons, share)

    @cached_property
    def dry_potential(self) -> float:
        """Φ of the acid alone, dried on a film."""
        return self._potential(acid_factor(self.neat_acidity), 1.0)

    def _potential(self, protons: float, liquid_share: float) -> float:
        """Join the channels; ``liquid_share`` is the volume fraction of the acid."""
        exchange = min(1.0, self._entry * protons)
        return 1.0 - (1.0 - exchange) * (1.0 - 0.55 * self._solvent * liquid_share)
