r"""How conductivity follows temperature: Arrhenius or Vogel-Tammann-Fulcher.

.. math:: \sigma = A\,e^{-E_a / RT}, \qquad \sigma = A\,e^{-B / R(T - T_0)}

The second is chosen where the data ask for its third parameter (BIC). Where neither
follows them, as across the melting of PEO, a value between two temperatures is taken
on the line between those in ln sigma against 1/T.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

Reals = NDArray[np.float64]

GAS = 8.314462618e-3
"""kJ/(mol K)."""
ZERO = 273.15
STEADY = 0.01
"""Relative standard uncertainty of a conductivity that temperature control adds: 0.2 K."""
LOOSE = 0.1
"""Root mean square residual in decades beyond which a law does not follow the data."""
NEAR = 2.0
"""Kelvin by which a temperature may lie outside the data without extrapolation."""


@dataclass(frozen=True, slots=True)
class Point:
    """Conductivity in S/cm at a temperature in degC, with its standard uncertainty."""

    temperature: float
    value: float
    std: float


@dataclass(frozen=True, slots=True, eq=False)
class Law:
    """A law fitted to conductivities.

    ``x`` is ln A, then Ea or B in kJ/mol, then T0 in K; ``residual`` is the root mean
    square in decades.
    """

    name: str
    x: Reals
    covariance: Reals
    residual: float
    chi2: float
    points: tuple[Point, ...]

    @property
    def parameters(self) -> dict[str, tuple[float, float]]:
        """Each parameter with its standard uncertainty: log10 A (S/cm), kJ/mol, K."""
        std = np.sqrt(np.diag(self.covariance))
        names = (
            "log10_A",
            "Ea_kJ_per_mol" if self.x.size == 2 else "B_kJ_per_mol",
            "T0_K",
        )
        scale = (1 / math.log(10), 1.0, 1.0)
        return {
            name: (float(x * k), float(u * k))
            for name, x, u, k in zip(names, self.x, std, scale, strict=False)
        }

    def at(self, temperature: float) -> Point:
        """Return the law's conductivity at a temperature (degC)."""
        t = np.array([temperature + ZERO])
        slope = _slopes(self.x, t)[0]
        value = math.exp(float(_log(self.x, t)[0]))
        return Point(
            temperature,
            value,
            value * math.sqrt(max(slope @ self.covariance @ slope, 0.0)),
        )


@dataclass(frozen=True, slots=True)
class Estimate:
    """A conductivity at a temperature.

    ``how`` says from what, ``outside`` by how many K it is outside the data.
    """

    point: Point
    how: str
    outside: float


def _log(x: Reals, t: Reals) -> Reals:
    """Return ln sigma at temperatures in K."""
    made: Reals = x[0] - x[1] / (GAS * (t - (x[2] if x.size == 3 else 0.0)))
    return made


def _slopes(x: Reals, t: Reals) -> Reals:
    span = t - (x[2] if x.size == 3 else 0.0)
    columns = [np.ones_like(t), -1.0 / (GAS * span)]
    if x.size == 3:
        columns.append(-x[1] / (GAS * span**2))
    return np.column_stack(columns)


def laws(points: Sequence[Point]) -> list[Law]:
    """Return the laws that can be fitted, the one to be used first.

    Parameters
    ----------
    points:
        Conductivities above 0. Two temperatures allow Arrhenius, four the other.
    """
    temperatures = sorted({round(one.temperature, 1) for one in points})
    if len(temperatures) < 2:
        return []
    t = np.array([one.temperature for one in points]) + ZERO
    y = np.log([one.value for one in points])
    u = np.array([math.hypot(one.std / one.value, STEADY) for one in points])
    matrix = _slopes(np.zeros(2), t) / u[:, None]
    line = np.linalg.lstsq(matrix, y / u, rcond=None)[0]
    found = [_law("Arrhenius", line, matrix, y, t, u, points)]
    if len(temperatures) >= 4:
        curve = _curve(t, y, u)
        made = _law("VTF", curve, _slopes(curve, t) / u[:, None], y, t, u, points)
        found.append(made)
        if found[0].chi2 - made.chi2 > math.log(t.size):
            found.reverse()
    return found


def _curve(t: Reals, y: Reals, u: Reals) -> Reals:
    """Return ln A, B (kJ/mol) and T0 (K); T0 stays 10 K below the data."""
    ends = ([-100.0, 0.01, 0.0], [100.0, 500.0, float(t.min()) - 10.0])
    tries = []
    for t0 in np.linspace(80.0, ends[1][2] - 10.0, 4):
        columns = _slopes(np.array([0.0, 1.0, t0]), t)[:, :2]
        a, b = np.linalg.lstsq(columns / u[:, None], y / u, rcond=None)[0]
        start = np.clip([a, b, t0], ends[0], ends[1])
        tries.append(
            least_squares(
                lambda x: (_log(x, t) - y) / u,
                start,
                lambda x: _slopes(x, t) / u[:, None],
                bounds=ends,
                x_scale=[1.0, 1.0, 20.0],
            )
        )
    best: Reals = min(tries, key=lambda one: float(one.cost)).x
    return best


def _law(
    name: str,
    x: Reals,
    jacobian: Reals,
    y: Reals,
    t: Reals,
    u: Reals,
    points: Sequence[Point],
) -> Law:
    off = _log(x, t) - y
    chi2 = float(((off / u) ** 2).sum())
    scale = max(1.0, chi2 / max(t.size - x.size, 1))
    covariance = np.linalg.pinv(jacobian.T @ jacobian, hermitian=True) * scale
    residual = float(np.sqrt((off**2).mean()) / math.log(10))
    return Law(name, x, np.asarray(covariance, float), residual, chi2, tuple(points))


def estimate(points: Sequence[Point], temperature: float) -> Estimate | None:
    """Return the conductivity at a temperature (degC), or None with fewer than two points.

    The uncertainty includes what the other law would say. A single point is an answer
    only within 2 K of it.
    """
    if not points:
        return None
    known = [one.temperature for one in points]
    outside = max(min(known) - temperature, temperature - max(known), 0.0)
    ranked = laws(points)
    if not ranked:
        one = min(points, key=lambda p: abs(p.temperature - temperature))
        near = abs(one.temperature - temperature) <= NEAR
        return Estimate(one, "measured there", outside) if near else None
    best = ranked[0]
    if best.residual > LOOSE and outside == 0.0:
        return Estimate(_between(points, temperature), "between two neighbours", 0.0)
    made = best.at(temperature)
    spread = [
        other.at(temperature).value - made.value
        for other in ranked[1:]
        if other.chi2 <= best.chi2 + 4.0
    ]
    std = math.hypot(made.std, *spread)
    return Estimate(Point(temperature, made.value, std), best.name, outside)


def _between(points: Sequence[Point], temperature: float) -> Point:
    """Return what lies on the line between the two neighbours, in ln sigma and 1/T."""
    below = max((p for p in points if p.temperature <= temperature), key=_where)
    above = min((p for p in points if p.temperature >= temperature), key=_where)
    low, high, here = (
        1.0 / (one + ZERO)
        for one in (below.temperature, above.temperature, temperature)
    )
    share = 0.0 if low == high else (here - low) / (high - low)
    y = (1 - share) * math.log(below.value) + share * math.log(above.value)
    part = math.hypot(
        (1 - share) * below.std / below.value, share * above.std / above.value
    )
    # Between two points nothing says that the line is straight.
    bend = share * (1 - share) * abs(math.log(above.value / below.value))
    value = math.exp(y)
    return Point(temperature, value, value * math.hypot(part, bend))


def _where(one: Point) -> float:
    return one.temperature
