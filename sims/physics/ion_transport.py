"""How well a dry polymer electrolyte conducts: the usual laws of salts in polymers.

Salt brings carriers and stiffens the chains, so that there is a best molality; a
plasticiser lowers the glass transition and frees ions; a crystalline host loses a decade
below its melting point. Conductivity follows a Vogel-Tammann-Fulcher line whose T0 lies
50 K below the glass transition [1]_.

References
----------
.. [1] Line and anchor values: fits to 10.1021/acscentsci.2c01123.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log, sqrt
from typing import Any

GAS = 8.314e-3
"""kJ/mol/K."""
KELVIN = 273.15
BELOW_GLASS = 50.0
"""K from the glass transition down to T0."""
CRYSTAL_DECADES = 1.1
"""What full crystallinity costs below the melting point, in decades."""
MELTING_WIDTH = 5.0
"""K."""
REFERENCE = 0.9
"""mol/kg at which the prefactors are stated, with an anion of binding `BINDING`."""
BARE = 200.0
"""ohm cm² of the layers on lithium without any salt. [A]"""
INTERFACE_ACTIVATION = 45.0
"""kJ/mol. [A]"""
BINDING = 0.3
"""Of bis(trifluoromethanesulfonyl)imide."""


@dataclass(frozen=True, slots=True)
class Polymer:
    """A host.

    Parameters
    ----------
    glass:
        Glass transition without salt, in K.
    stiffening:
        What a mol/kg of salt adds to it, in K.
    prefactor:
        Of the line at 0.9 mol/kg of salt that hardly pairs, in S/cm.
    activation:
        B of the line, in kJ/mol.
    donor:
        How well it keeps lithium from its anion, relative to PEO.
    transference:
        Of lithium in it.
    melting:
        degC; None where it does not crystallise.
    bound:
        Lithium whose anion hangs on the chain, in mol/kg.
    density:
        g/cm³.
    """

    glass: float
    stiffening: float
    prefactor: float
    activation: float
    donor: float
    transference: float
    melting: float | None
    bound: float
    density: float

    @classmethod
    def read(cls, spec: Mapping[str, Any]) -> Polymer:
        """Read an entry of ``chemistry.polymers``."""
        melting = spec.get("melting_degC")
        return cls(
            glass=float(spec["glass_K"]),
            stiffening=float(spec["stiffening_K_kg_mol"]),
            prefactor=10.0 ** float(spec["log_prefactor_S_cm"]),
            activation=float(spec["activation_kJ_mol"]),
            donor=float(spec["donor"]),
            transference=float(spec["transference"]),
            melting=None if melting is None else float(melting),
            bound=float(spec.get("bound_mol_kg", 0.0)),
            density=float(spec["density_g_cm3"]),
        )


@dataclass(frozen=True, slots=True)
class Salt:
    """A lithium salt.

    Parameters
    ----------
    molar_mass:
        g/mol.
    binding:
        How strongly the anion holds lithium; sets how much of the salt is paired.
    bulk:
        How much it stiffens the chains, relative to LiTFSI.
    interface:
        Resistance of its layer on lithium at 60 degC, in ohm cm².
    density:
        g/cm³.
    """

    molar_mass: float
    binding: float
    bulk: float
    interface: float
    density: float

    @classmethod
    def read(cls, spec: Mapping[str, Any]) -> Salt:
        """Read an entry of ``chemistry.salts``."""
        return cls(
            molar_mass=float(spec["molar_mass_g_mol"]),
            binding=float(spec["binding"]),
            bulk=float(spec["bulk"]),
            interface=float(spec["interface_ohm_cm2"]),
            density=float(spec["density_g_cm3"]),
        )


@dataclass(frozen=True, slots=True)
class Additive:
    """A plasticiser.

    Parameters
    ----------
    glass:
        Its own glass transition, in K, as mixtures show it.
    freeing:
        How well it frees ions, as a donor is.
    softening:
        Mass fraction at which every second film no longer bears the electrode.
    density:
        g/cm³.
    """

    glass: float
    freeing: float
    softening: float
    density: float

    @classmethod
    def read(cls, spec: Mapping[str, Any]) -> Additive:
        """Read an entry of ``chemistry.additives``."""
        return cls(
            glass=float(spec["glass_K"]),
            freeing=float(spec["freeing"]),
            softening=float(spec["softening_fraction"]),
            density=float(spec["density_g_cm3"]),
        )


@dataclass(frozen=True, slots=True)
class Mixture:
    """What a dry film is made of.

    Parameters
    ----------
    polymer, salt, additive:
        The materials.
    molality:
        mol of salt per kg of polymer.
    fraction:
        Mass of the additive per mass of polymer and additive.
    residue:
        Mass of solvent left per mass of everything else.
    solvent:
        The solvent's own glass transition, in K.
    layers:
        Resistance of the layers on lithium, relative to fresh ones.
    """

    polymer: Polymer
    salt: Salt | None
    additive: Additive | None
    molality: float
    fraction: float
    residue: float = 0.0
    solvent: float = 140.0
    layers: float = 1.0

    @property
    def glass(self) -> float:
        """Glass transition, in K: salt raises it, and what is liquid lowers it (Fox)."""
        host = self.polymer.glass
        if self.salt is not None:
            host += self.polymer.stiffening * self.salt.bulk * self.molality
        inverse = 1.0 / host
        if self.additive is not None:
            inverse += self.fraction * (1.0 / self.additive.glass - inverse)
        left = self.residue / (1.0 + self.residue)
        inverse += left * (1.0 / self.solvent - inverse)
        return 1.0 / inverse

    @property
    def free(self) -> float:
        """Salt that is not paired, in mol per kg of polymer."""
        if self.salt is None:
            return 0.0
        donor = self.polymer.donor
        if self.additive is not None:
            donor += self.fraction * self.additive.freeing
        return self.molality / (1.0 + self.salt.binding / donor * self.molality)

    @property
    def crystallinity(self) -> float:
        """Share of what could crystallise that does, 0 to 1."""
        if self.polymer.melting is None:
            return 0.0
        return max(0.0, min(1.0, 1.6 - self.molality / 1.5 - self.fraction / 0.25))

    def conductivity(self, temperature: float) -> float:
        """Return S/cm at so many degC."""
        host, above = self.polymer, temperature + KELVIN - self.glass + BELOW_GLASS
        carriers = self.free + host.bound
        if above <= 1.0 or carriers <= 0.0:
            return 0.0
        standard = REFERENCE / (1.0 + BINDING * REFERENCE)
        line = host.prefactor * exp(-host.activation / (GAS * above))
        # What is liquid carries no lithium of its own: it thins the carriers.
        thinned = 1.0 - 0.5 * self.fraction
        return line * carriers / standard * thinned * self._crystals(temperature)

    def transference(self) -> float:
        """Return the share of the current that lithium carries."""
        host = self.polymer
        free = self.free
        mobile = host.transference + 0.1 * self.fraction
        if free + host.bound <= 0.0:
            return 0.0
        return (free * mobile + 0.95 * host.bound) / (free + host.bound)

    def interface(self, temperature: float) -> float:
        """Return the resistance of its layer on lithium at so many degC, in ohm cm²."""
        resistance = BARE if self.salt is None else self.salt.interface
        part = 1.0 / (temperature + KELVIN) - 1.0 / (60.0 + KELVIN)
        return self.layers * resistance * exp(INTERFACE_ACTIVATION / GAS * part)

    def diffusion(self, temperature: float) -> float:
        """Return the salt's diffusion coefficient, in cm²/s.

        As the conductivity goes: 1e-8 cm²/s where a mol/kg gives 1e-5 S/cm.
        """
        carriers = max(self.free + self.polymer.bound, 1e-3)
        per_carrier = self.conductivity(temperature) / carriers
        return min(1e-6, max(1e-9, 1e-8 * sqrt(per_carrier / 1e-5)))

    def _crystals(self, temperature: float) -> float:
        """Return what crystals leave of the conductivity at so many degC."""
        if self.polymer.melting is None:
            return 1.0
        melting = self.polymer.melting - 4.0 * self.molality - 40.0 * self.fraction
        frozen = 1.0 / (1.0 + exp((temperature - melting) / MELTING_WIDTH))
        return exp(-log(10.0) * CRYSTAL_DECADES * self.crystallinity * frozen)
