"""The history of one polymer electrolyte: what was poured into its cup, and how it dried.

Pure, like `sample`: no clock of its own, no file, and the result does not depend on how
finely time is cut. Masses in mg, areas in cm², times in s, temperatures in degC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, sqrt
from typing import Any

import numpy as np

from sims.physics.cell import GROWTH, Assembly, Cell
from sims.physics.chronicle import ROOM, Chronicle
from sims.physics.ion_transport import Additive, Mixture, Polymer, Salt
from sims.physics.laboratory import Shared
from sims.physics.noise import Noise
from sims.physics.puddle import vapour_pressure

WARM = 28.0
"""degC of a place from which on nitrogen flows over it: that is the dryer."""
SKIN = 0.3
"""mg of solvent per mg of solids below which it has to diffuse out."""


@dataclass(frozen=True, slots=True)
class Stock:
    """A solution: g/L of what is dissolved, g/mL of it all, and what the solute is."""

    solute: str
    content: float
    density: float

    @classmethod
    def read(cls, spec: Mapping[str, Any]) -> Stock:
        """Read an entry of ``chemistry.stocks``."""
        return cls(str(spec["solute"]), float(spec["g_L"]), float(spec["density_g_mL"]))


@dataclass(frozen=True, slots=True)
class Drying:
    """How solvent leaves; all assumed, see the bench file.

    Parameters
    ----------
    still, flow:
        mg/cm²/s at 25 degC from a cup under its lid, and in a flow of nitrogen.
    boiling:
        Of the solvent, in degC.
    glass:
        Of the solvent, in K, as mixtures show it.
    diffusion_time, diffusion_activation:
        Time constant in which the last solvent leaves a film at 60 degC, in s; kJ/mol.
    bubbling, bubbling_width:
        degC at which every second wet film bubbles, and how sharply.
    capacity:
        µL that the cup holds.
    """

    still: float
    flow: float
    boiling: float
    glass: float
    diffusion_time: float
    diffusion_activation: float
    bubbling: float
    bubbling_width: float
    capacity: float

    @classmethod
    def read(cls, spec: Mapping[str, Any]) -> Drying:
        """Read ``chemistry.drying`` of a bench file."""
        return cls(
            still=float(spec["still_mg_cm2_s"]),
            flow=float(spec["flow_mg_cm2_s"]),
            boiling=float(spec["boiling_degC"]),
            glass=float(spec["glass_K"]),
            diffusion_time=float(spec["diffusion_time_s"]),
            diffusion_activation=float(spec["diffusion_activation_kJ_mol"]),
            bubbling=float(spec["bubbling_degC"]),
            bubbling_width=float(spec["bubbling_width_K"]),
            capacity=float(spec["capacity_uL"]),
        )

    def rate(self, temperature: float) -> float:
        """Return mg/cm²/s that a free surface loses at so many degC."""
        speed = self.flow if temperature >= WARM else self.still
        drive = vapour_pressure(self.boiling, temperature)
        return speed * drive / vapour_pressure(self.boiling, 25.0)

    def escape(self, temperature: float) -> float:
        """Return the share of the last solvent that leaves a film per s."""
        inverse = 1.0 / (temperature + 273.15) - 1.0 / 333.15
        return (
            exp(-self.diffusion_activation / 8.314e-3 * inverse) / self.diffusion_time
        )


@dataclass(frozen=True)
class ElectrolyteLaboratory(Shared):
    """Everything that electrolytes made in one place share.

    Parameters
    ----------
    stocks, polymers, salts, additives:
        By name.
    drying, noise:
        See there.
    area:
        Of the cup, in cm².
    cup:
        Its mass with the disc in it, in mg.
    electrode:
        Area of the lithium electrode that is pressed on a film, in cm².
    loose:
        Share of cells whose electrode hardly touches.
    permittivity:
        Relative, of every film.
    seed:
        Of what differs from laboratory to laboratory.
    """

    stocks: Mapping[str, Stock]
    polymers: Mapping[str, Polymer]
    salts: Mapping[str, Salt]
    additives: Mapping[str, Additive]
    drying: Drying
    noise: Noise = field(default_factory=Noise)
    area: float = 2.0
    cup: float = 6000.0
    electrode: float = 0.785
    loose: float = 0.02
    permittivity: float = 10.0
    seed: int = 0

    @classmethod
    def read(cls, bench: Mapping[str, Any], seed: int = 0) -> ElectrolyteLaboratory:
        """Read the section ``chemistry`` of a bench file."""
        spec = bench["chemistry"]
        noise = spec["noise"]
        return cls(
            stocks={n: Stock.read(one) for n, one in spec["stocks"].items()},
            polymers={n: Polymer.read(one) for n, one in spec["polymers"].items()},
            salts={n: Salt.read(one) for n, one in spec["salts"].items()},
            additives={n: Additive.read(one) for n, one in spec["additives"].items()},
            drying=Drying.read(spec["drying"]),
            noise=Noise(
                replicate=float(noise["replicate_ln"]),
                outlier=float(noise["outlier_ln"]),
                outlier_share=float(noise["outlier_share"]),
                pipette=float(noise["pipette"]),
                pipette_volume=float(noise["pipette_uL"]),
                gradient=float(noise["plate_gradient_K"]),
            ),
            area=float(spec["cup"]["area_cm2"]),
            cup=float(spec["cup"]["mass_mg"]),
            electrode=float(spec["cell"]["area_cm2"]),
            loose=float(spec["cell"]["loose_share"]),
            permittivity=float(spec["cell"]["permittivity"]),
            seed=seed,
        )

    def new_sample(self, name: str, rng: np.random.Generator) -> Electrolyte:
        """Return an empty cup."""
        return Electrolyte(name, self, rng)


class Electrolyte(Chronicle):
    """One cup with an electrode disc, and what has been done to it.

    Parameters
    ----------
    name:
        Its id.
    lab:
        Where it is made.
    rng:
        Its own source of chance.
    """

    def __init__(
        self, name: str, lab: ElectrolyteLaboratory, rng: np.random.Generator
    ) -> None:
        super().__init__()
        self.name = name
        self.lab = lab
        self._hand, _ = rng.spawn(2)
        normal = [float(z) for z in rng.standard_normal(4)]
        uniform = [float(u) for u in rng.random(5)]
        noise = lab.noise
        off = uniform[0] < noise.outlier_share
        self.scatter = exp((noise.outlier if off else noise.replicate) * normal[0])
        self._place = noise.gradient * max(-1.0, min(1.0, 0.5 * normal[1]))
        self._cup = lab.cup * (1.0 + 0.01 * normal[2])
        self._bubbles, self._gives, self._part = uniform[1], uniform[2], uniform[3]
        self._loose = uniform[4] < lab.loose
        self._assembly = Assembly.drawn(self._hand)
        self.solutes: dict[str, float] = {}
        self.solvent = 0.0
        self._void = 0.0  # part of the film that bubbles are
        self._layers = 1.0  # on lithium, relative to fresh ones

    # -- what happens to it ----------------------------------------------------------

    def pour(self, parts: Mapping[str, float], at: float) -> None:
        """Pour so many µL of each stock into the cup; what it cannot hold is lost."""
        self._catch_up(at)
        self.note(at, "pour", parts={n: round(v, 3) for n, v in parts.items()})
        noise = self.lab.noise
        for name, volume in parts.items():
            first, second = (float(z) for z in self._hand.standard_normal(2))
            wrong = noise.pipette * volume * first + noise.pipette_volume * second
            poured = max(0.0, volume + wrong)
            stock = self.lab.stocks[name]
            solute = stock.content * poured * 1e-3
            if stock.solute:
                self.solutes[stock.solute] = self.solutes.get(stock.solute, 0) + solute
            self.solvent += max(0.0, stock.density * poured - solute)
        self._overflow()

    def spin(self, rpm: float, seconds: float, at: float) -> None:
        """Spin it: a cup holds what is in it."""
        self._catch_up(at)
        self.note(at, "spin", rpm=round(rpm, 1), seconds=round(seconds, 2))

    def advance(self, to: float, temperature: float) -> None:
        """Let time pass until ``to`` at so many degC."""
        seconds = to - self.at
        if seconds <= 0.0:
            return
        hot = temperature + self._place * (temperature - ROOM) / 100.0
        self._boil_up(hot)
        self._dry(seconds, hot)
        self.note_heat(to, temperature)
        self.at = to

    def polarised(self) -> None:
        """Have carried a current for a while: the layers on lithium have grown."""
        self._layers = 1.0 + GROWTH

    # -- what it is ------------------------------------------------------------------

    @property
    def mass(self) -> float:
        """Of cup, disc and all that is in it, in mg."""
        return self._cup + self.solids + self.solvent

    @property
    def solids(self) -> float:
        """Everything that does not evaporate, in mg."""
        return sum(self.solutes.values())

    @property
    def residue(self) -> float:
        """Mg of solvent per mg of everything else."""
        return self.solvent / self.solids if self.solids > 0.0 else 0.0

    @property
    def mixture(self) -> Mixture | None:
        """What the film is made of; None while there is no polymer in it."""
        lab = self.lab
        polymers = self._of(lab.polymers)
        host = sum(polymers.values())
        if host <= 0.0:
            return None
        salts, additives = self._of(lab.salts), self._of(lab.additives)
        moles = {name: mg / lab.salts[name].molar_mass for name, mg in salts.items()}
        liquid = sum(additives.values())
        return Mixture(
            polymer=lab.polymers[_most(polymers)],
            salt=lab.salts[_most(moles)] if moles else None,
            additive=lab.additives[_most(additives)] if additives else None,
            molality=sum(moles.values()) / host * 1e3,
            fraction=liquid / (host + liquid),
            residue=self.residue,
            solvent=lab.drying.glass,
            layers=self._layers,
        )

    @property
    def thickness(self) -> float:
        """Of the film on the disc, in nm."""
        materials: dict[str, Any] = {
            **self.lab.polymers,
            **self.lab.salts,
            **self.lab.additives,
        }
        volume = sum(mg / materials[name].density for name, mg in self.solutes.items())
        volume += self.solvent / 0.78
        return float(volume) * 1e-3 / self.lab.area * 1e7 * (1.0 + self._void)

    @property
    def shorted(self) -> bool:
        """Whether the electrodes meet through it: too soft, or hardly anything there."""
        mixture = self.mixture
        if mixture is None:
            return True
        limit = mixture.additive.softening if mixture.additive is not None else 0.7
        soft = mixture.fraction + 2.0 * self.residue
        return self._gives < 1.0 / (1.0 + exp(-(soft - limit) / 0.03))

    def conductivity(self, temperature: float) -> float:
        """Return S/cm at so many degC, scatter and bubbles included."""
        mixture = self.mixture
        if mixture is None:
            return 0.0
        return mixture.conductivity(temperature) * self._spread

    @property
    def _spread(self) -> float:
        """What its scatter and its bubbles make of the conductivity."""
        sound = 1.0 - self._void
        return self.scatter * sound * sqrt(sound)

    @property
    def cell(self) -> Cell | None:
        """It between its lithium disc and a lithium electrode; None without a film."""
        mixture = self.mixture
        if mixture is None:
            return None
        failure = "short" if self.shorted else ("open" if self._loose else "")
        return Cell(
            mixture,
            thickness=self.thickness * 1e-3,
            area=self.lab.electrode,
            lithium=True,
            permittivity=self.lab.permittivity,
            assembly=self._assembly,
            spread=self._spread,
            failure=failure,
        )

    def truth(self) -> dict[str, Any]:
        """Return what no instrument can see, with units."""
        mixture = self.mixture
        return {
            "solutes_mg": {name: round(mg, 4) for name, mg in self.solutes.items()},
            "solvent_mg": self.solvent,
            "molality_mol_kg": mixture.molality if mixture else None,
            "additive_fraction": mixture.fraction if mixture else None,
            "thickness_nm": self.thickness,
            "conductivity_30C_S_cm": self.conductivity(30.0),
            "conductivity_60C_S_cm": self.conductivity(60.0),
            "transference": mixture.transference() if mixture else None,
            "shorted": self.shorted,
            "flaws": list(self.flaws),
            "history": self.history,
        }

    # -- how -------------------------------------------------------------------------

    def _of(self, kind: Mapping[str, Any]) -> dict[str, float]:
        return {n: mg for n, mg in self.solutes.items() if n in kind and mg > 0.0}

    def _overflow(self) -> None:
        volume = self.solvent / 0.78 + self.solids
        if volume > self.lab.drying.capacity:
            kept = self.lab.drying.capacity / volume
            self.solvent *= kept
            self.solutes = {name: mg * kept for name, mg in self.solutes.items()}
            self._flawed("overflowed")

    def _dry(self, seconds: float, temperature: float) -> None:
        """Let solvent leave: from a free surface at first, at last through the film."""
        drying = self.lab.drying
        free = drying.rate(temperature) * self.lab.area
        escape = drying.escape(temperature)
        # The surface gives off all it can until what reaches it through the film is less.
        slow = min(self.solids * SKIN, free / escape)
        above = max(0.0, self.solvent - slow)
        if free * seconds <= above:
            self.solvent -= free * seconds
            return
        left = min(self.solvent, slow)
        self.solvent = left * exp(-escape * (seconds - above / free))

    def _boil_up(self, temperature: float) -> None:
        """Have a film that is still wet bubble where it is too hot."""
        drying = self.lab.drying
        if self.solvent <= 2.0 * SKIN * self.solids or "bubbles" in self.flaws:
            return
        above = (temperature - drying.bubbling) / drying.bubbling_width
        if self._bubbles < 1.0 / (1.0 + exp(-above)):
            self._void = 0.15 + 0.35 * self._part
            self._flawed("bubbles")

    def _flawed(self, why: str) -> None:
        if why not in self.flaws:
            self.flaws = (*self.flaws, why)
            self.note(self.at, why)

    def _catch_up(self, at: float) -> None:
        self.advance(at, ROOM)


def _most(parts: Mapping[str, float]) -> str:
    return max(parts, key=lambda name: parts[name])
