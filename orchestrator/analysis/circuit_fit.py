"""Which circuit a spectrum shows: all that make sense are fitted, AICc compares them.

The fit is weighted by the noise of each point, that is by about 1/|Z|. Each circuit has
several starts, because a fit does not find by itself where the arcs lie.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
from scipy.optimize import leastsq

from orchestrator.analysis.circuits import Circuit, Fit, of_exponent
from orchestrator.analysis.readings import AnalysisError
from orchestrator.analysis.spectrum import Complexes, Reals, Spectrum

FLOOR = 1e-4
"""Relative misfit below which circuits are equally good: none is truer than that."""
INDUCTIVE = 3e3
"""Ohm below which the inductance of leads (1 uH) shows at 1 MHz."""
AS_GOOD = 2.0
"""Difference in AICc within which the circuit with fewer parameters is taken."""
CLOSE = 10.0
"""Difference in AICc up to which another circuit counts as possible."""


def fits(spectrum: Spectrum) -> list[Fit]:
    """Return circuits fitted to a spectrum, the best (smallest AICc) first.

    A second arc is tried also where one leaves nothing but noise: the interface of
    lithium may hide under an arc of the bulk a hundred times its size, and moves it.
    """
    found: list[Fit] = []
    z = spectrum.impedance
    inductive = z.imag[0] > 0 or abs(z).min() < INDUCTIVE
    for arcs, spike in product((0, 1, 2), (True, False)):
        grown: list[Fit] = []
        for series, coil in product((False, True), (False, True)):
            one = Circuit(coil, series, arcs, spike)
            alone = not (series or arcs or spike) or (arcs == 0 and coil > series)
            many = len(one.labels) + 2 > spectrum.frequency.size
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


@np.errstate(over="ignore", invalid="ignore")
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

    asked, answered = b"", circuit.terms(w, lowest, np.zeros(len(circuit.labels)))

    def terms(x: Reals) -> tuple[Complexes, Complexes]:
        # The slopes are wanted where the misfit was last.
        nonlocal asked, answered
        if (here := x.tobytes()) != asked:
            asked, answered = here, circuit.terms(w, lowest, x)
        return answered

    def away(x: Reals) -> Reals:
        off = (terms(x)[0] - z) * weight
        return np.concatenate([off.real, off.imag])

    def slopes(x: Reals) -> Reals:
        each = terms(x)[1] * weight
        return np.concatenate([each.real, each.imag], axis=1)

    def descend(start: Reals, steps: int, exact: float) -> Reals:
        # MINPACK itself: least_squares around it costs three times as much.
        found: Reals = leastsq(
            away, start, Dfun=slopes, col_deriv=True, full_output=True,
            maxfev=steps, ftol=exact, xtol=exact,
        )[0]  # fmt: skip
        return found

    def cost(x: Reals) -> float:
        size = float((away(x) ** 2).sum())
        return size if math.isfinite(size) else math.inf

    starts = [_grown(one, circuit) for one in smaller]
    if not (starts and circuit.arcs == 2):  # where the arcs are is known by then
        starts += _starts(spectrum, circuit)
    rough = sorted((descend(x, 20, 1e-3) for x in starts), key=cost)
    best = min((descend(x, 150, 1e-8) for x in rough[:2]), key=cost)
    if not math.isfinite(cost(best)):  # the numbers ran away from every start
        return None
    return _judged(spectrum, circuit, best, cost(best), slopes(best).T)


def _judged(
    spectrum: Spectrum, circuit: Circuit, x: Reals, cost: float, jacobian: Reals
) -> Fit:
    """Return a solution with its AICc and its covariance."""
    points, count = 2 * spectrum.frequency.size, x.size
    floor = (FLOOR * abs(spectrum.impedance) / spectrum.noise) ** 2
    chi2 = cost + 2.0 * float(floor.sum())
    scale = chi2 / (points - count)
    aicc = points * math.log(chi2 / points)
    aicc += 2.0 * count * points / (points - count - 1)
    w = spectrum.omega
    covariance = _inverse(jacobian) * scale
    return Fit(
        circuit, x, covariance, float(w.min()), float(w.max()), math.sqrt(scale), aicc
    )


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
