r"""The part of the current that lithium carries, after Bruce, Vincent and Evans.

.. math:: t_+ = \frac{I_{ss} (\Delta V - I_0 R_0)}{I_0 (\Delta V - I_{ss} R_{ss})}

Under a small voltage the current between lithium electrodes falls from I_0 to I_ss as a
concentration gradient builds up. R_0 and R_ss are those of the interfaces before and
after [1]_. Valid for dilute ideal solutions.

References
----------
.. [1] J. Evans, C. A. Vincent, P. G. Bruce, Polymer 28, 2324 (1987).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import least_squares

from orchestrator.analysis.readings import AnalysisError
from orchestrator.analysis.spectrum import Reals

SETTLED = 0.02
"""Part of the steady current by which the last one may still exceed it."""


@dataclass(frozen=True, slots=True)
class Decay:
    """A current that falls to a steady one: A, s, and standard uncertainties.

    ``left`` is how much of the steady current the last one still has to fall.
    """

    initial: float
    steady: float
    tau: float
    initial_std: float
    steady_std: float
    left: float


def decay(time: ArrayLike, current: ArrayLike) -> Decay:
    r"""Fit :math:`I = I_{ss} + (I_0 - I_{ss}) e^{-t/\tau}`.

    Parameters
    ----------
    time:
        Since the voltage was applied, in s.
    current:
        In A, any sign.

    Raises
    ------
    AnalysisError
        If there are fewer than 6 readings, or no current.
    """
    t, i = np.asarray(time, float), np.asarray(current, float)
    if t.size < 6 or t.size != i.size:
        raise AnalysisError(
            f"{i.size} currents at {t.size} times; at least 6 are needed"
        )
    if not (np.isfinite(t).all() and np.isfinite(i).all()):
        raise AnalysisError("a time or a current is no number")
    size = float(abs(i).max())
    if not (size > 0.0 and np.ptp(t) > 0.0):
        raise AnalysisError("no current flowed, or no time passed")
    y, span = i / size, float(np.ptp(t))

    def away(x: Reals) -> Reals:
        off: Reals = x[1] + (x[0] - x[1]) * np.exp(-t / np.exp(x[2])) - y
        return off

    tries = [
        least_squares(away, [y[0], y[-1], math.log(span * part)], method="lm")
        for part in (0.03, 0.1, 0.3, 1.0)
    ]
    best = min(tries, key=lambda one: float(one.cost))
    x, tau = best.x, float(np.exp(np.clip(best.x[2], -60, 60)))
    # Readings one after another err alike, so each std is of the scatter itself.
    scale = 2.0 * best.cost / (t.size - 3)
    std = np.sqrt(np.diag(np.linalg.pinv(best.jac.T @ best.jac) * scale))
    last = x[1] + (x[0] - x[1]) * math.exp(-min(float(t.max()) / tau, 700.0))
    left = abs(last - x[1]) / abs(x[1]) if x[1] else math.inf
    first = abs(
        float(y[int(t.argmin())] - x[1] - (x[0] - x[1]) * np.exp(-t.min() / tau))
    )
    return Decay(
        float(x[0] * size), float(x[1] * size), tau,
        math.hypot(float(std[0]), first) * size, float(std[1]) * size, float(left),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Transference:
    """A transference number, its standard uncertainty, and why it is not believed."""

    value: float
    std: float
    doubts: tuple[str, ...]


def transference(
    voltage: float,
    initial: float,
    steady: float,
    before: float = 0.0,
    after: float = 0.0,
) -> float:
    """Return the transference number.

    Parameters
    ----------
    voltage:
        Applied, in V.
    initial, steady:
        Currents, in A.
    before, after:
        Resistances of the interfaces, in ohm.

    Raises
    ------
    ValueError
        If nothing is left of the voltage behind an interface, or no current flowed.

    Examples
    --------
    >>> round(transference(0.01, 2e-5, 6e-6), 3)
    0.3
    >>> round(transference(0.01, 2e-5, 6e-6, 200.0, 220.0), 3)
    0.207
    """
    bottom = initial * (voltage - steady * after)
    top = steady * (voltage - initial * before)
    if not (bottom * voltage * initial > 0.0 and top * voltage * initial >= 0.0):
        raise ValueError(
            f"{initial:.3g} A and {steady:.3g} A over interfaces of {before:.3g} and "
            f"{after:.3g} ohm leave nothing of {voltage:g} V for the electrolyte"
        )
    return top / bottom


def with_uncertainty(
    voltage: tuple[float, float],
    current: Decay,
    before: tuple[float, float],
    after: tuple[float, float],
) -> Transference:
    """Return the transference number with its uncertainty, by finite differences.

    Parameters
    ----------
    voltage:
        Applied, in V, and its standard uncertainty.
    current:
        The decay.
    before, after:
        Resistance of the interfaces and its standard uncertainty, in ohm.
    """
    inputs = [
        voltage,
        (current.initial, current.initial_std),
        (current.steady, current.steady_std),
        before,
        after,
    ]
    doubts = []
    try:
        value = transference(*(one for one, _ in inputs))
    except ValueError as error:
        return Transference(math.nan, math.inf, (str(error),))
    parts = []
    for k, (one, std) in enumerate(inputs):
        moved = [other for other, _ in inputs]
        moved[k] = one + 0.01 * std
        try:
            parts.append((transference(*moved) - value) / 0.01)
        except ValueError:
            parts.append(value)
    if current.left > SETTLED:
        doubts.append(
            f"the current is not steady: it has {current.left:.0%} still to fall, "
            f"more than {SETTLED:.0%}; wait longer than {5 * current.tau:.0f} s"
        )
        parts.append(value * current.left)
    std = math.hypot(*parts)
    if not 0.0 <= value <= 1.0 + 2.0 * std:
        doubts.append(f"a transference number of {value:.2f} is not between 0 and 1")
    return Transference(value, std, tuple(doubts))
