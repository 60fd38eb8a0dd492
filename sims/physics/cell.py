r"""An electrolyte film between two electrodes: its impedance and its d.c. current.

.. math:: Z = j\omega L_c + R_s + \left[\frac{1}{R_b} + Q_g (j\omega)^{n_g}\right]^{-1}
    + \frac{1}{Q_b (j\omega)^{n_b}}

Between steel the last term is the blocking electrodes'; between lithium it is the
interface's arc and a diffusion tail. Marks as in `conduction`. Frequencies in Hz,
temperatures in degC, impedances in ohm, lengths in µm, areas in cm2.

References
----------
.. [1] 236 measured spectra, 10.1038/s41524-022-00853-0.
.. [2] J. Evans, C. A. Vincent, P. G. Bruce, Polymer 28, 2324 (1987).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sims.physics.conduction import Arrhenius, Ions, Plain

VACUUM = 8.8541878128e-14
"""F/cm."""
DISC = 0.785
"""cm2 of a disc of 10 mm."""
LAYER = 5e-6
"""S s^n/cm2 of the layers on lithium. [A]"""
LAYER_EXPONENT = 0.8
"""[A]"""
GROWTH = 0.1
"""Part by which the layers on lithium grow while a current flows. [A]"""
SCATTER = 0.075
"""Decades between cast films made alike, 0.05 to 0.1. [A]"""
FAILED = 0.04
"""Share of cells that are not what they should be. [A]"""
WORST = 2.4
"""Decades of conductivity that a bad contact costs at most. [M, 1] 90th percentile."""
LEAK = 1e11
"""ohm across electrodes that touch nothing. [A]"""
FAR = 0.5e-12
"""F across electrodes that touch nothing. [A]"""
MOST_RESISTIVE = 1e13
"""ohm; what does not conduct at all is as a good insulator."""

Complex = NDArray[np.complexfloating[Any, Any]]


@dataclass(frozen=True, slots=True)
class Assembly:
    """What differs from cell to cell, whatever is in it.

    Parameters
    ----------
    inductance:
        Of the leads within the cell, 1e-7 to 1e-6 H. [M]
    resistance:
        Of contacts, 0.1 to 2 ohm. [M]
    arc_exponent, spike_exponent:
        n_g, 0.85 to 1, median 0.96; n_b, 0.6 to 0.9, median 0.70. [M, 1]
    spike:
        Q_b, 1e-6 to 1e-5 S s^n/cm2. [M, 1]
    """

    inductance: float = 3e-7
    resistance: float = 0.5
    arc_exponent: float = 0.96
    spike_exponent: float = 0.70
    spike: float = 3e-6

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Assembly:
        """Draw one, within what real spectra show."""
        return cls(
            inductance=float(10.0 ** rng.uniform(-7.0, -6.0)),
            resistance=float(10.0 ** rng.uniform(-1.0, 0.3)),
            arc_exponent=float(np.clip(rng.normal(0.96, 0.025), 0.85, 1.0)),
            spike_exponent=float(np.clip(rng.normal(0.70, 0.07), 0.6, 0.9)),
            spike=float(10.0 ** rng.uniform(-6.0, -5.0)),
        )


@dataclass(frozen=True, slots=True)
class Cell:
    """A film between two electrodes.

    Parameters
    ----------
    ions:
        What the film is made of; any object with the methods of `Ions`.
    thickness:
        µm.
    area:
        cm2.
    lithium:
        Whether the electrodes are of lithium; else of steel, which blocks.
    permittivity:
        Relative, 8 to 15. [K]
    assembly:
        How it was put together.
    spread:
        Factor on the conductivity, for what makes replicates differ.
    failure:
        ``"short"``, ``"open"``, or nothing.
    """

    ions: Ions
    thickness: float = 100.0
    area: float = DISC
    lithium: bool = False
    permittivity: float = 10.0
    assembly: Assembly = field(default_factory=Assembly)
    spread: float = 1.0
    failure: str = ""

    def bulk_resistance(self, celsius: float) -> float:
        """Return R_b = L/(σ A), in ohm.

        Examples
        --------
        >>> from sims.physics.conduction import Arrhenius, Plain
        >>> film = Plain(Arrhenius(1e-4))
        >>> round(Cell(film, thickness=100.0, area=0.785).bulk_resistance(25.0))
        127
        """
        sigma = self.spread * self.ions.conductivity(celsius)
        if sigma <= 0.0:
            return MOST_RESISTIVE
        resistance = self.thickness * 1e-4 / (sigma * self.area)
        return min(resistance, MOST_RESISTIVE)

    @property
    def capacitance(self) -> float:
        """Geometric, in F."""
        return VACUUM * self.permittivity * self.area / (self.thickness * 1e-4)

    def impedance(self, frequency: ArrayLike, celsius: float) -> Complex:
        """Return the impedance at frequencies (Hz)."""
        jw = 2j * math.pi * np.asarray(frequency, dtype=np.float64)
        leads = jw * self.assembly.inductance + self.assembly.resistance
        if self.failure == "short":
            return leads
        if self.failure == "open":
            return leads + 1.0 / (1.0 / LEAK + jw * FAR)
        electrodes = self._layers if self.lithium else self._spike
        return leads + self._arc(jw, celsius) + electrodes(jw, celsius)

    def current(self, voltage: float, seconds: float, celsius: float) -> float:
        r"""Return the current (A) so long after a small d.c. voltage was put on.

        With lithium [2]_, from the ohmic current to the steady one,

        .. math:: I = I_{ss} + (I_0 - I_{ss}) e^{-t/\tau}, \qquad
            \tau = \frac{L^2}{\pi^2 D}

        where the layers' and the film's resistances make I_0, and R_b/t+ takes the
        place of R_b in I_ss.
        """
        if self.failure == "open":
            return voltage / LEAK
        contacts = self.assembly.resistance
        if self.failure == "short":
            return voltage / contacts
        bulk = self.bulk_resistance(celsius)
        if not self.lithium:
            return self._charging(voltage, seconds, contacts + bulk)
        layers = self.layer_resistance(celsius)
        first = voltage / (contacts + bulk + layers)
        moving = bulk / max(self.ions.transference(), 1e-6)
        last = voltage / (contacts + moving + layers * (1.0 + GROWTH))
        return last + (first - last) * math.exp(-seconds / self.relaxation(celsius))

    def relaxation(self, celsius: float) -> float:
        """Return the time constant of the salt's gradient, in s."""
        length = self.thickness * 1e-4
        return length**2 / (math.pi**2 * self.ions.diffusion(celsius))

    def layer_resistance(self, celsius: float) -> float:
        """Return that of both layers on lithium together, in ohm."""
        return self.ions.interface(celsius) / self.area

    def _arc(self, jw: Complex, celsius: float) -> Complex:
        """Return the film's part; its arc peaks at σ/(2π ε0 εr) whatever the geometry."""
        bulk, power = self.bulk_resistance(celsius), self.assembly.arc_exponent
        return bulk / (1.0 + (jw * bulk * self.capacitance) ** power)

    def _spike(self, jw: Complex, celsius: float) -> Complex:
        made = self.assembly
        return 1.0 / (made.spike * self.area * jw**made.spike_exponent)

    def _layers(self, jw: Complex, celsius: float) -> Complex:
        """Return the interface's arc, and the tail that the salt's gradient makes."""
        ohm = self.layer_resistance(celsius)
        arc = 1.0 / (1.0 / ohm + LAYER * self.area * jw**LAYER_EXPONENT)
        share = max(self.ions.transference(), 1e-6)
        tail = self.bulk_resistance(celsius) * (1.0 / share - 1.0)
        root = np.sqrt(jw * self.relaxation(celsius) * math.pi**2 / 4.0)
        made: Complex = arc + tail * np.tanh(root) / root
        return made

    def _charging(self, voltage: float, seconds: float, ohm: float) -> float:
        """Return the current into blocking electrodes, which take it up ever slower."""
        # [A] for the way between the ohmic current and the power law of a CPE.
        made = self.assembly
        order = made.spike_exponent
        past = max(seconds, 0.0) ** order / (ohm * made.spike * self.area)
        return float(voltage / ohm / (1.0 + past / math.gamma(1.0 + order)))


def assembled(
    ions: Ions,
    rng: np.random.Generator,
    *,
    scatter: float = SCATTER,
    failed: float = FAILED,
    **shape: Any,
) -> Cell:
    """Put a cell together as a hand does: no two are alike, and some are no good.

    Of those that fail a third is short, a third has a lead off, and a third touches the
    film with a part of its electrodes only.

    Parameters
    ----------
    ions:
        What the film is made of.
    rng:
        The cell's own source of chance.
    scatter:
        Standard deviation between replicates, in decades of conductivity; 0.43 for a
        solid composite [M, 1].
    failed:
        Share of cells that fail.
    shape:
        ``thickness``, ``area``, ``lithium``, ``permittivity`` of the `Cell`.
    """
    made = Assembly.drawn(rng)
    spread = float(10.0 ** (scatter * rng.standard_normal()))
    luck, kind, loss = (float(one) for one in rng.random(3))
    cell = Cell(ions, assembly=made, spread=spread, **shape)
    if luck >= failed:
        return cell
    if kind < 1.0 / 3.0:
        return replace(cell, failure="short")
    if kind < 2.0 / 3.0:
        return replace(cell, failure="open")
    return replace(cell, spread=spread * 10.0 ** (-WORST * loss))


def shorting_piece() -> Cell:
    """Return a piece of metal in place of a cell, for a short correction."""
    bare = Assembly(inductance=1e-9, resistance=1e-4)
    return Cell(Plain(Arrhenius(1e5)), assembly=bare, failure="short")
