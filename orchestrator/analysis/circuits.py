r"""Equivalent circuits of a polymer electrolyte between two electrodes, and their fit.

All are elements in series, each optional:

.. math:: Z = j\omega L + R_0 + \sum_k \frac{R_k}{1 + (j\omega\tau_k)^{n_k}}
    + K \left(\frac{\omega_{min}}{j\omega}\right)^{n}

An arc (R, tau, n) is a resistance across a constant-phase element with
:math:`Q = \tau^n / R`; its capacitance is tau/R. The last term is the spike of
blocking electrodes, or the tail of diffusion. With capacitances of 1e-12 to 1e-10 F an
arc belongs to the bulk, with 1e-7 to 1e-5 F to an interface.

Resistances and times are held as logarithms, and n stays between 0.4 and 1.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

import numpy as np

from orchestrator.analysis.spectrum import Complexes, Reals

BULK = 1e-8
"""Farad below which an arc belongs to the bulk."""
LOWEST_N = 0.4
QUARTER = 0.5j * math.pi
"""Logarithm of j."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """Which elements are in series."""

    inductance: bool
    resistance: bool
    arcs: int
    spike: bool

    @property
    def name(self) -> str:
        """The elements in words, from high to low frequency."""
        parts = ["L"] * self.inductance + ["R"] * self.resistance
        parts += ["arc"] * self.arcs + ["spike"] * self.spike
        return " + ".join(parts)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        arcs = [
            f"{one}{k}" for k in range(1, self.arcs + 1) for one in ("R", "tau", "n")
        ]
        return (
            *["L"] * self.inductance,
            *["R0"] * self.resistance,
            *arcs,
            *["K", "n"] * self.spike,
        )

    def impedance(self, omega: Reals, lowest: float, x: Reals) -> Complexes:
        """Return the impedance, in ohm, of internal parameters ``x``."""
        return self.terms(omega, lowest, x)[0]

    def terms(
        self, omega: Reals, lowest: float, x: Reals
    ) -> tuple[Complexes, Complexes]:
        """Return the impedance, and its slope in each internal parameter."""
        slopes: list[Complexes] = []
        z = np.zeros(omega.size, complex)
        s, at = 1j * omega, 0
        if self.inductance:
            slopes.append(s * np.exp(x[at]))
            z += slopes[-1]
            at += 1
        if self.resistance:
            slopes.append(np.full(omega.size, np.exp(x[at]) + 0j))
            z += slopes[-1]
            at += 1
        for _ in range(self.arcs):
            n, dn = exponent(x[at + 2])
            real = np.log(omega) + x[at + 1]
            log = real + QUARTER
            power = np.exp(np.minimum(n * real, 600.0)) * cmath.exp(n * QUARTER)
            under = 1.0 / (1.0 + power)
            arc = np.exp(x[at]) * under
            share = power * under
            slopes += [arc, -arc * n * share, -arc * share * log * dn]
            z += arc
            at += 3
        if self.spike:
            n, dn = exponent(x[at + 1])
            real = np.log(omega / lowest)
            log = real + QUARTER
            spike = np.exp(x[at] - n * real) * cmath.exp(-n * QUARTER)
            slopes += [spike, -spike * log * dn]
            z += spike
        return z, np.array(slopes)


def exponent(x: float) -> tuple[float, float]:
    """Return n between 0.4 and 1 for any number, and its slope (that of a sine)."""
    half = (1.0 - LOWEST_N) / 2.0
    return 1.0 - half + half * float(np.sin(x)), half * float(np.cos(x))


def of_exponent(n: float) -> float:
    """Return the number that stands for an n between 0.4 and 1."""
    half = (1.0 - LOWEST_N) / 2.0
    return float(np.arcsin(np.clip((n - 1.0 + half) / half, -0.98, 0.98)))


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A circuit fitted to a spectrum.

    ``x`` are the internal parameters, ``covariance`` theirs; ``misfit`` is the root of
    the mean squared residual over the assumed noise (1 when the noise is as assumed).
    ``lowest`` and ``highest`` are the ends of the sweep, in rad/s.
    """

    circuit: Circuit
    x: Reals
    covariance: Reals
    lowest: float
    highest: float
    misfit: float
    aicc: float

    def impedance(self, frequency: Reals) -> Complexes:
        """Return the fit, in ohm, at frequencies in Hz."""
        return self.circuit.impedance(2.0 * np.pi * frequency, self.lowest, self.x)

    @property
    def arcs(self) -> list[tuple[float, float, float]]:
        """Resistance (ohm), time constant (s) and n of each arc."""
        first = self.circuit.inductance + self.circuit.resistance
        places = range(first, first + 3 * self.circuit.arcs, 3)
        return [
            (
                *np.exp(np.clip(self.x[i : i + 2], -90, 90)).tolist(),
                exponent(self.x[i + 2])[0],
            )
            for i in places
        ]

    @property
    def parameters(self) -> dict[str, tuple[float, float]]:
        """Value and standard uncertainty: L in H, R and K in ohm, tau in s, n."""
        found = {}
        std = np.sqrt(np.diag(self.covariance))
        for label, x, u in zip(self.circuit.labels, self.x, std, strict=True):
            if label.startswith("n"):
                value, slope = exponent(float(x))
            else:
                value = slope = math.exp(min(max(float(x), -90.0), 90.0))
            found[label] = (value, abs(slope) * float(u))
        return found

    def is_bulk(self, ohm: float, tau: float) -> bool:
        """Whether an arc is the bulk's.

        By its capacitance, or because it is so fast that the sweep sees a resistance.
        """
        return tau / ohm < BULK or tau * self.highest < 1.0

    def resistance(self, kind: str) -> tuple[float, float]:
        """Return what the bulk or the interface resists, in ohm, with its uncertainty.

        Parameters
        ----------
        kind:
            ``bulk``: everything before the electrodes, leads and contacts included;
            ``interface``: the arcs of large capacitance.
        """
        total, slope = 0.0, np.zeros(self.x.size)
        if kind == "bulk" and self.circuit.resistance:
            i = int(self.circuit.inductance)
            total = float(np.exp(self.x[i]))
            slope[i] = total
        first = self.circuit.inductance + self.circuit.resistance
        for k, (ohm, tau, _) in enumerate(self.arcs):
            if self.is_bulk(ohm, tau) == (kind == "bulk"):
                slope[first + 3 * k] = ohm
                total += ohm
        return total, math.sqrt(max(float(slope @ self.covariance @ slope), 0.0))
