r"""Equivalent circuits of a polymer electrolyte between two electrodes, and their fit.

All are elements in series, each optional:

.. math:: Z = j\omega L + R_0 + \sum_k \frac{R_k}{1 + (j\omega\tau_k)^{n_k}}
    + K \left(\frac{\omega_{min}}{j\omega}\right)^{n}

An arc (R, tau, n) is a resistance across a constant-phase element with
:math:`Q = \tau^n / R`; its capacitance is tau/R. The last term is the spike of
blocking electrodes, or the tail of diffusion. With capacitances of 1e-12 to 1e-10 F an
arc belongs to the bulk, with 1e-7 to 1e-5 F to an interface.

The fit is weighted by the noise of each point, that is by about 1/\|Z\|; resistances and
times are fitted as logarithms, and n stays between 0.4 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from orchestrator.analysis.readings import AnalysisError
from orchestrator.analysis.spectrum import NOISE, Complexes, Reals, Spectrum

BULK = 1e-8
"""Farad below which an arc belongs to the bulk."""
LOWEST_N = 0.4
FLOOR = 1e-4
"""Relative misfit below which circuits are equally good: none is truer than that."""
AS_GOOD = 2.0
"""Difference in AICc within which the circuit with fewer parameters is taken."""
CLOSE = 10.0
"""Difference in AICc up to which another circuit counts as possible."""


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
            log = np.log(s) + x[at + 1]
            power = np.exp(np.minimum(n * log.real, 600.0) + 1j * n * log.imag)
            arc = np.exp(x[at]) / (1.0 + power)
            share = power / (1.0 + power)
            slopes += [arc, -arc * n * share, -arc * share * log * dn]
            z += arc
            at += 3
        if self.spike:
            n, dn = exponent(x[at + 1])
            log = np.log(s / lowest)
            spike = np.exp(x[at] - n * log)
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


def fits(spectrum: Spectrum, noise: float = 0.0) -> list[Fit]:
    """Return circuits fitted to a spectrum, the best (smallest AICc) first.

    Parameters
    ----------
    spectrum:
        To be fitted.
    noise:
        Relative noise of one part of a point, as far as it is known. A second arc is
        looked for only when simpler circuits leave more than that, or leave waves.
    """
    found: list[Fit] = []
    inductive = spectrum.impedance.imag[0] > 0 or abs(spectrum.impedance).min() < 3e3
    for arcs in (0, 1, 2):
        if (
            arcs == 2
            and found
            and _explained(spectrum, min(found, key=_by_aicc), noise)
        ):
            break
        for spike in (True, False):
            grown: list[Fit] = []
            for series, coil in product((False, True), (False, True)):
                one = Circuit(coil, series, arcs, spike)
                alone = not (series or arcs or spike) or (arcs == 0 and coil > series)
                many = 2 * (len(one.labels) + 2) > spectrum.frequency.size * 2
                if alone or many or (coil and not inductive):
                    continue
                if made := fit(spectrum, one, grown):
                    grown.append(made)
            found += grown
    if not found:
        raise AnalysisError("no circuit could be fitted")
    return sorted(found, key=_by_aicc)


def _by_aicc(one: Fit) -> float:
    return one.aicc


def _explained(spectrum: Spectrum, best: Fit, noise: float) -> bool:
    """Whether a fit leaves nothing but noise."""
    off = (best.impedance(spectrum.frequency) - spectrum.impedance) / spectrum.noise
    size = float((abs(off) ** 2).sum())
    waves = float((off[1:] * off[:-1].conj()).real.sum()) / size
    return waves < 0.3 and best.misfit * NOISE <= max(1.2 * noise, 2 * FLOOR)


def fit(
    spectrum: Spectrum, circuit: Circuit, smaller: Sequence[Fit] = ()
) -> Fit | None:
    """Return the best fit of a circuit from several starts, or None.

    Parameters
    ----------
    spectrum, circuit:
        What is fitted with what.
    smaller:
        Fits of circuits with the same arcs and spike, and fewer elements besides: they
        are starts too.
    """
    w, z = spectrum.omega, spectrum.impedance
    weight = 1.0 / spectrum.noise
    lowest = float(w.min())

    def away(x: Reals) -> Reals:
        off = (circuit.impedance(w, lowest, x) - z) * weight
        return np.concatenate([off.real, off.imag])

    def slopes(x: Reals) -> Reals:
        each = circuit.terms(w, lowest, x)[1] * weight
        return np.concatenate([each.real, each.imag], axis=1).T

    def descend(start: Reals, steps: int, exact: float) -> Any:
        with np.errstate(over="ignore", invalid="ignore"):
            try:
                return least_squares(
                    away,
                    start,
                    slopes,
                    method="lm",
                    max_nfev=steps,
                    ftol=exact,
                    xtol=exact,
                )
            except (ValueError, np.linalg.LinAlgError):
                return None  # a start from which the numbers ran away

    starts = [_grown(one, circuit) for one in smaller]
    if not (starts and circuit.arcs == 2):  # where the arcs are is known by then
        starts += _starts(spectrum, circuit)
    rough = [one for x in starts if (one := descend(x, 20, 1e-3)) is not None]
    rough = sorted((one for one in rough if np.isfinite(one.x).all()), key=_by_cost)
    fine = [one for r in rough[:2] if (one := descend(r.x, 150, 1e-8)) is not None]
    if not fine:
        return None
    return _judged(spectrum, circuit, min(fine, key=_by_cost))


def _by_cost(one: Any) -> float:
    return float(one.cost)


def _judged(spectrum: Spectrum, circuit: Circuit, best: Any) -> Fit:
    """Return a solution with its AICc and its covariance."""
    points, count = 2 * spectrum.frequency.size, best.x.size
    floor = (FLOOR * abs(spectrum.impedance) / spectrum.noise) ** 2
    chi2 = float(2.0 * best.cost + 2.0 * floor.sum())
    scale = chi2 / (points - count)
    aicc = points * np.log(chi2 / points) + 2.0 * count * points / (points - count - 1)
    return Fit(
        circuit, best.x, _inverse(best.jac) * scale, float(spectrum.omega.min()),
        float(spectrum.omega.max()), float(np.sqrt(scale)), float(aicc),
    )  # fmt: skip


def _grown(one: Fit, circuit: Circuit) -> Reals:
    """Return the parameters of a smaller fit, with small new elements in front."""
    values = dict(zip(one.circuit.labels, one.x, strict=True))
    last = one.circuit.labels[-1]
    ohm = abs(one.circuit.impedance(2 * np.pi * np.array([1e6]), one.lowest, one.x))[0]
    values.setdefault("L", np.log(1e-7))
    values.setdefault("R0", np.log(0.05 * ohm))
    if last == "n":
        values["n"] = one.x[-1]
    return np.array([values[label] for label in circuit.labels])


def _inverse(jacobian: Reals) -> Reals:
    """Return (J'J)^-1; a parameter that changes nothing (n at its bound) has no part."""
    size = np.linalg.norm(jacobian, axis=0)
    used = size > 1e-9 * size.max()
    scaled = jacobian[:, used] / size[used]
    inverse = np.zeros((size.size, size.size))
    part = np.linalg.pinv(scaled.T @ scaled, rcond=1e-13, hermitian=True)
    inverse[np.ix_(used, used)] = part / np.outer(size[used], size[used])
    return inverse


def simplest(ranked: Sequence[Fit]) -> Fit:
    """Return the fit with the fewest parameters among those that are as good as the best."""
    good = [one for one in ranked if one.aicc - ranked[0].aicc <= AS_GOOD]
    return min(good, key=lambda one: (one.x.size, one.aicc))


def possible(ranked: Sequence[Fit]) -> list[tuple[Fit, float]]:
    """Return the fits that AICc does not rule out, each with its Akaike weight."""
    close = [one for one in ranked if one.aicc - ranked[0].aicc <= CLOSE]
    weights = np.exp([(ranked[0].aicc - one.aicc) / 2.0 for one in close])
    return list(zip(close, (weights / weights.sum()).tolist(), strict=True))


def _starts(spectrum: Spectrum, circuit: Circuit) -> list[Reals]:
    """Return first guesses: where the arcs may lie is what a fit cannot find by itself."""
    w, z = spectrum.omega, spectrum.impedance
    # Between arc and spike the phase is smallest; there the real part is the bulk's.
    turn = int(np.argmin(abs(np.angle(z))))
    bulk = max(float(z.real[turn]), 1e-3 * float(abs(z).min()))
    last = float(abs(z[-1]))
    rest = max(last - bulk, 0.05 * last)
    top = float(w[int(np.argmax(np.where(w >= w[turn], -z.imag, -np.inf)))])
    fast = (top, 20.0 * float(w.max()))
    slow = np.exp(np.interp([0.25, 0.6], [0, 1], np.log([w.min(), w[turn]])))
    spots: list[tuple[tuple[float, float], ...]] = [()]
    if circuit.arcs == 1:
        spots = [((bulk, t),) for t in fast] + [((rest, t),) for t in slow]
        spots += [((float(abs(z).max()), float(w.min()) / 5.0),)]
    elif circuit.arcs == 2:
        spots = [((bulk, a), (0.5 * rest, b)) for a in fast for b in slow]
        tops = _tops(w, z)
        spots += [((bulk, a), (rest, b)) for a in tops for b in tops if a > b]
    made = []
    for spot, n in product(spots, (0.7,) if circuit.spike else (0.9,)):
        x: list[float] = []
        if circuit.inductance:
            x.append(np.log(3e-7))
        if circuit.resistance:
            shared = bool(spot) and spot[0][0] == bulk
            x.append(np.log((0.1 if shared else 1.0) * bulk))
        for ohm, omega in spot:
            x += [np.log(ohm), -np.log(omega), of_exponent(0.92)]
        if circuit.spike:
            x += [np.log(rest), of_exponent(n)]
        made.append(np.array(x))
    return made


def _tops(w: Reals, z: Complexes) -> list[float]:
    """Return where -Im Z has a local maximum, smoothed over three points, in rad/s."""
    y = np.convolve(-z.imag, np.ones(3) / 3.0, "same")[1:-1]
    inner = np.flatnonzero((y[1:-1] > y[:-2]) & (y[1:-1] > y[2:])) + 2
    return [float(w[i]) for i in inner[:4]]
