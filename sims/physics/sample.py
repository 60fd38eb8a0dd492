"""The history of one sample: what was poured, spun and heated, and what it is now.

Pure: it has no clock of its own and reads no file. Whoever holds it says when things
happen; the result does not depend on how finely time is cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, expm1, inf
from typing import Any

import numpy as np

from sims.physics import film, treatment
from sims.physics.chronicle import ROOM, Chronicle
from sims.physics.failures import anneal_minutes
from sims.physics.film import FilmState
from sims.physics.laboratory import Laboratory
from sims.physics.noise import Luck
from sims.physics.puddle import Puddle
from sims.physics.spin_coating import dry_thickness, thinned

LONGEST_STEP = 5.0
"""s, while liquid lies on the film."""
PERCOLATION = 0.6
"""Coverage below which islands no longer touch."""


@dataclass(slots=True)
class _Order:
    """How far the film is ordered, and by what."""

    soaked: float = 0.0
    dried: float = 0.0
    exposure: float = 0.0  # of the film to the latest drop as it dried, 0 to 1
    annealed: float = 0.0  # -ln of what a final anneal leaves of `soaked`
    pss_taken: float = 0.0  # PSS per PEDOT that is displaced, in all
    loose: float = 0.0  # of that, still on the film

    @property
    def total(self) -> float:
        return treatment.join(self.soaked * exp(-self.annealed), self.dried)


class Sample(Chronicle):
    """One substrate with what has been done to it.

    Parameters
    ----------
    name:
        Its id.
    lab:
        Where it is made.
    rng:
        Its own source of chance.
    """

    def __init__(self, name: str, lab: Laboratory, rng: np.random.Generator) -> None:
        super().__init__()
        self.name = name
        self.lab = lab
        self.luck = Luck.draw(lab.noise, rng)
        self._hand, self._probe = rng.spawn(2)
        self.bad_contact: int | None = None
        self.puddle = Puddle(lab.air)
        self._order = _Order()
        self._pedot = 0.0
        self._damage = 0.0
        self._coverage = 1.0
        self._crack = 1.0  # what cracks leave of the conductivity
        self._wet = 0.0  # of ink not yet dried: nm, when it will
        self._moist = 0.0  # µm of water in it
        self._ink = 0.0  # µL, of the latest coat
        self._annealed = 0.0  # min at 110 degC
        self._age = 0.0  # s since the last liquid

    # -- what happens to it ----------------------------------------------------------

    def pour(self, parts: Mapping[str, float], at: float) -> None:
        """Pour so many µL of each liquid onto it, together.

        ``ink`` makes a wet film; an acid treats; plain water dilutes what lies there,
        or, when it is more than the substrate holds, rinses it.
        """
        self._catch_up(at)
        volumes = {name: self._pipetted(v) for name, v in parts.items() if v > 0.0}
        self.note(at, "pour", parts={n: round(v, 3) for n, v in parts.items()})
        ink = volumes.pop("ink", 0.0)
        if ink > 0.0:
            self._coat(ink, at)
        if self._wet > 0.0 and volumes.get("water", 0.0) <= self.lab.air.capacity:
            self._water_down(volumes.pop("water", 0.0))
        before, total = self.puddle.volume, sum(volumes.values())
        for name, volume in volumes.items():
            if name == "water":
                self.puddle.add(None, volume)
                continue
            acid = self.lab.acids[name]
            strength = 1.0 + self.lab.noise.dilution * self._hand.standard_normal()
            self.puddle.add(acid, volume * max(0.0, strength))
            self._order.exposure = 0.0
            self._order.annealed = 0.0
        if total > 0.0:
            self._age = 0.0
            self._rinse(total, before, at)

    def spin(self, rpm: float, seconds: float, at: float) -> None:
        """Spin it; ``at`` is when it came to rest."""
        self._catch_up(at)
        self.note(at, "spin", rpm=round(rpm, 1), seconds=round(seconds, 2))
        if rpm <= 0.0 or seconds <= 0.0:
            return
        self.puddle.shed()
        if self._wet <= 0.0:
            return
        ink = self.lab.ink
        final = dry_thickness(ink, rpm, 40.0 + self.luck.humidity)
        # Water in the ink thins it; what had dried before the spin hardly counts.
        poured = self._ink / self.lab.air.area * 10.0
        final *= self.luck.thickness * min(1.0, poured / max(self._moist, 1e-9))
        if final < ink.floor:
            self._lose_coverage(
                "incomplete coverage", 1.0 - 0.7 * (1.0 - final / ink.floor)
            )
        self._wet = thinned(self._wet, max(final, ink.floor), seconds)
        self._moist = thinned(self._moist, 0.0, seconds)

    def advance(self, to: float, temperature: float) -> None:
        """Let time pass until ``to`` at so many degC.

        Call it often while the temperature changes; how often does not matter else.
        """
        seconds = to - self.at
        if seconds <= 0.0:
            return
        hot = temperature + self.luck.place * (temperature - ROOM) / 100.0
        while seconds > 1e-9:
            if self._wet > 0.0:
                seconds -= self._dry_ink(seconds, hot)
            elif self.puddle.volume > 0.0:
                seconds -= self._react(min(seconds, LONGEST_STEP), hot)
            else:
                self._bake(seconds, hot)
                break
        self.note_heat(to, temperature)
        self.at = to

    def touch(self, rng: np.random.Generator | None = None) -> None:
        """Place it on the four contacts; now and then one of them is bad."""
        source = self._probe if rng is None else rng
        chance, which = source.random(), int(source.integers(1, 5))
        self.bad_contact = which if chance < self.lab.noise.bad_contact else None

    # -- what it is ------------------------------------------------------------------

    @property
    def state(self) -> FilmState:
        """PEDOT, PSS ratio, order, damage."""
        order = self._order
        kept = self.lab.ink.pss_ratio - order.pss_taken
        return FilmState(
            self._pedot, kept + order.loose, order.total, min(1.0, self._damage)
        )

    @property
    def thickness(self) -> float:
        """Of what covers the glass, in nm; 0 where nothing does."""
        if self._coverage <= 0.0:
            return 0.0
        return self._wet + self.state.thickness

    @property
    def conductivity(self) -> float:
        """True, of this film, its scatter, age and holes included, in S/cm."""
        if self._pedot <= 0.0:
            return 0.0
        order = self.lab.odds(self._order.total, self.luck.odds)
        sigma = treatment.order_conductivity(order, self.lab.pristine)
        sigma *= self.lab.treatment.residue_factor(self._order.loose)
        sigma *= treatment.damage_factor(min(1.0, self._damage))
        hours = self._age / 3600.0
        sigma *= 1.0 + self.lab.ageing * expm1(-hours / self.lab.ageing_time)
        return sigma * self.luck.scatter * self._crack * _percolation(self._coverage)

    @property
    def sheet_resistance(self) -> float:
        """Ohm; infinite where nothing conducts."""
        return film.sheet_resistance(self.conductivity, self.thickness)

    @property
    def transmittance(self) -> float:
        """Of film and glass at 550 nm."""
        return film.transmittance(self.state, self._coverage)

    @property
    def coverage(self) -> float:
        """Share of the glass that is covered, 0 to 1."""
        return self._coverage if self._pedot > 0.0 else 0.0

    def contacts(self) -> tuple[float, float]:
        """Return R12,43 and R23,14 of a van der Pauw square, in ohm."""
        ratio = self.luck.anisotropy
        if self._coverage < 1.0 or self._crack < 1.0:
            uneven = 4.0 + 16.0 * self.luck.coverage
            ratio *= uneven if ratio >= 1.0 else 1.0 / uneven
        return film.contact_resistances(self.sheet_resistance, ratio)

    def truth(self) -> dict[str, Any]:
        """Return what no instrument can see, with units."""
        state, resistance = self.state, self.sheet_resistance
        return {
            "conductivity_S_cm": self.conductivity,
            "sheet_resistance_ohm": resistance if resistance < inf else None,
            "thickness_nm": self.thickness,
            "transmittance": self.transmittance,
            "pss_ratio": state.pss_ratio,
            "order": state.order,
            "damage": state.damage,
            "history": self.history,
        }

    # -- how ------------------------------------------------------------------------

    def _coat(self, volume: float, at: float) -> None:
        """Pour ink: a wet layer, as thick as it would dry unspun."""
        lab, air = self.lab, self.lab.air
        if self._wet <= 0.0:
            if self._pedot > 0.0 and self._annealed < 10.0:
                self._pedot *= 0.5  # the layer below partly dissolves again
            self._ink = self._moist = self._annealed = 0.0
            if self.luck.dewets < lab.failures.dewetting(at / 3600.0):
                self._lose_coverage("dewetted", 0.3 + 0.5 * self.luck.coverage)
        self._ink += volume
        self._wet += lab.ink.dried(volume, air.area)
        self._moist += volume / air.area * 10.0
        self._age = 0.0

    def _water_down(self, volume: float) -> None:
        """Let water join the wet ink."""
        self._moist += volume / self.lab.air.area * 10.0

    def _dry_ink(self, most: float, temperature: float) -> float:
        """Let wet ink dry for up to ``most`` s; return the seconds it took."""
        rate = self.lab.air.drying(temperature)
        needed = max(0.0, self._moist / rate) if rate > 0.0 else inf
        if most < needed:
            self._moist -= rate * most
            return most
        self._settle()
        return needed

    def _settle(self) -> None:
        """Count the wet layer as film."""
        if self._wet <= 0.0:
            return
        fresh = self._wet * film.pedot_fraction(self.lab.ink.pss_ratio)
        if self._pedot > 0.0:  # a further coat adds less than its own thickness
            fresh *= 0.85 + 0.15 * self.luck.coverage
        self._pedot += fresh
        self._wet = self._moist = 0.0
        wetted = self._ink / self.lab.air.area / self.lab.failures.least_volume
        if wetted < 1.0:
            self._lose_coverage("incomplete coverage", wetted)
        if self.luck.cracks < self.lab.failures.cracking(self.state.thickness):
            self._break_up("cracked")

    def _rinse(self, volume: float, before: float, at: float) -> None:
        """Let a flood carry off acid and displaced PSS, and sometimes the film."""
        kept = self.puddle.flood(volume, before)
        if kept >= 1.0:
            return
        self._settle()
        self._order.loose *= kept
        risk = self.lab.failures.floating(self._annealed)
        if self._pedot > 0.0 and self.luck.floats < risk:
            self._lose_coverage("floated off", 0.3 * self.luck.coverage)

    def _react(self, most: float, temperature: float) -> float:
        """Let liquid work on the film for a short while; return the seconds."""
        self._settle()
        law, puddle, order = self.lab.treatment, self.puddle, self._order
        bulk = law.bulk(puddle.layer)
        free = single = 1.0
        power = 0.0
        acids = [(a, n) for a, n in puddle.acids.items() if n > 0.0]
        reference = SULFURIC_DRY
        poured = self.lab.air.area * DROP
        for acid, amount in acids:
            concentration = puddle.concentration(acid)
            percent = acid.weight_percent(concentration)
            free *= 1.0 - acid.soak_potential(concentration)
            strength = acid.dry_potential / reference
            dose = amount / poured * EQUIVALENT
            single *= 1.0 - treatment.dry_order(dose, temperature, strength)
            power += acid.oxidising * (percent / 100.0) ** 2
            self._watch_acid(percent)
        seconds = puddle.evaporate(most, temperature)
        if acids and self._pedot > 0.0:
            minutes = seconds / 60.0 * law.soak_rate(temperature)
            order.soaked = treatment.soak_on(order.soaked, (1.0 - free) * bulk, minutes)
            left = (1.0 - order.exposure) * exp(-(1.0 - bulk) * seconds / law.dry_time)
            times = 1.0 - order.exposure - left
            order.dried = treatment.dry_on(order.dried, 1.0 - single, times)
            order.exposure = 1.0 - left
            self._displace()
            self._damage += law.oxidation(seconds, temperature, power * bulk)
        self._damage += law.heat_damage(seconds, temperature)
        return seconds

    def _bake(self, seconds: float, temperature: float) -> None:
        """Let a dry sample sit for a while."""
        if self._pedot <= 0.0:
            return
        self._annealed += anneal_minutes(seconds, temperature)
        self._age += seconds
        goal = treatment.anneal_loss(temperature)
        if goal > self._order.annealed:
            self._order.annealed += (goal - self._order.annealed) * -expm1(
                -seconds / 20.0
            )
        self._damage += self.lab.treatment.heat_damage(seconds, temperature)

    def _displace(self) -> None:
        """Free PSS as far as the order reached says; it stays until a rinse."""
        order, ratio = self._order, self.lab.ink.pss_ratio
        taken = (ratio - 1.05) * -expm1(-order.soaked / 0.35)
        taken += 0.6 * -expm1(-order.dried / 0.25)
        taken = min(taken, ratio - 1.0)
        if taken > order.pss_taken:
            order.loose += taken - order.pss_taken
            order.pss_taken = taken

    def _watch_acid(self, percent: float) -> None:
        risk = self.lab.failures.cracking_in_acid(self.state.thickness, percent)
        if self.luck.cracks_in_acid < risk:
            self._break_up("cracked")

    def _lose_coverage(self, why: str, left: float) -> None:
        if why in self.flaws:
            return
        self._coverage *= max(0.0, min(1.0, left))
        self._flawed(why)

    def _break_up(self, why: str) -> None:
        if why in self.flaws:
            return
        self._crack = 0.1 + 0.4 * self.luck.coverage
        self._flawed(why)

    def _flawed(self, why: str) -> None:
        self.flaws = (*self.flaws, why)
        self.note(self.at, why)

    def _pipetted(self, volume: float) -> float:
        noise = self.lab.noise
        first, second = (float(z) for z in self._hand.standard_normal(2))
        wrong = noise.pipette * volume * first + noise.pipette_volume * second
        return max(0.0, volume + wrong)

    def _catch_up(self, at: float) -> None:
        self.advance(at, ROOM)


DROP = 3e-5
"""L/cm² of liquid in the drops of the dry-on law: 0.3 mm of it."""
EQUIVALENT = 9.81
"""wt% of sulfuric acid that hold 1 mol/L."""
SULFURIC_DRY = 0.924
"""Potential of sulfuric acid alone, to which the dry-on law was fitted."""


def _percolation(coverage: float) -> float:
    """Return what holes leave of the conductivity of a film."""
    if coverage <= PERCOLATION:
        return 0.0
    return float(((coverage - PERCOLATION) / (1.0 - PERCOLATION)) ** 1.3)
