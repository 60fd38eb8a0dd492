"""The surrogate: Gaussian processes fitted to what was observed, and how far to trust them.

The hyperparameters are fitted by maximum a posteriori, once for each way of describing
molecules, and the fits are weighed by their leave-one-out log scores.

Shapes: n observations, m points, f fits, a aspects.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.stats import t as student
from torch.linalg import LinAlgError  # type: ignore[attr-defined]

from planners.bayes.process import Bend, Process
from planners.data import Objective, Observation

NUMERICAL = (LinAlgError, FloatingPointError)
"""What linear algebra raises on a surrogate it cannot work with."""

STEPS = 60
"""Most steps of the optimiser in one fit."""

STARTS = (0.0, -0.8)
"""Hyperparameters at the start of each attempt, in deviations of their priors."""

DOUBTED, MISSED = 12, 3.5
"""How many observations a surrogate must explain before its intervals are believed."""


class FitFailed(ArithmeticError):
    """No usable surrogate; the text says why."""


def targets(observed: Sequence[Observation], objective: Objective) -> np.ndarray:
    """Return what is modelled, larger being better; shape n.

    On a log scale that is the common logarithm, in decades.
    """
    values = np.array([o.estimates[objective.name].value for o in observed])
    if objective.scale == "log":
        values = np.log10(values)
    return -values if objective.direction == "minimise" else values


def known_noise(observed: Sequence[Observation], objective: Objective) -> np.ndarray:
    """Return the standard uncertainty of each target, in its unit; shape n."""
    estimates = [o.estimates[objective.name] for o in observed]
    stds = np.array([max(one.std, 0.0) for one in estimates])
    if objective.scale == "log":
        stds = stds / (np.array([one.value for one in estimates]) * math.log(10.0))
    return stds


@dataclass(frozen=True, slots=True)
class Surrogate:
    """Fitted processes, how much each is believed, and how they came about.

    ``wider`` is the factor by which intervals are wider than the processes say.
    ``fallback`` says what was done instead of the first fit, empty if that was good.
    ``outliers`` are the numbers of observations that are not believed, and how many
    deviations each is off.
    """

    process: Process
    views: tuple[str, ...]
    belief: np.ndarray
    wider: float
    fallback: str
    outliers: Mapping[int, float] = field(default_factory=dict)

    @property
    def best(self) -> int:
        """The number of the fit believed most."""
        return int(self.belief.argmax())

    @property
    def freedom(self) -> int:
        """Degrees of freedom of Student's t: the scale is known from so few numbers."""
        return max(int(self.process.kept.sum()) - 1, 1)

    def quantiles(
        self, apart: torch.Tensor, levels: Sequence[float], *, noisy: bool = True
    ) -> np.ndarray:
        """Return quantiles of the target at points; shape levels x m.

        Of the fit believed most; of the next measurement, or of the truth without
        noise. ``apart`` are squared distances to the observations, a x m x n.
        """
        best, process = self.best, self.process
        with torch.no_grad():
            mean, variance = (one[best].numpy() for one in process.latent(apart))
        if noisy:
            variance = variance + float(process.noise[best])
        steps = student.ppf(np.array(levels), self.freedom)
        bent = mean + self.wider * steps[:, None] * np.sqrt(variance)
        bent = float(process.mean[best]) + float(process.spread[best]) * bent
        if process.bend is None:
            return np.asarray(bent)
        return process.bend.back(bent, process.power[best].numpy())


def fit(
    apart: torch.Tensor,
    values: np.ndarray,
    stds: np.ndarray,
    used: dict[str, list[bool]],
    *,
    bend: bool = True,
    starts: Sequence[float] = STARTS,
    kept: np.ndarray | None = None,
) -> Surrogate:
    """Fit a surrogate to squared distances (a x n x n) and targets (n).

    Parameters
    ----------
    used:
        Which aspects count, for each way of describing molecules.
    stds:
        What is known of the noise of each target; shape n.
    bend:
        Whether the targets may be bent.
    kept:
        Which targets are believed; shape n, None for all.

    Raises
    ------
    FitFailed
        If not even the prior's hyperparameters have a finite posterior.
    """
    believed = values if kept is None else values[kept]
    with np.errstate(over="ignore", invalid="ignore"):
        spread = float(np.ptp(values)) + float(np.abs(values).max())
        if not math.isfinite(spread * spread):
            raise FitFailed("targets are too far apart to standardise")
    y, noise = torch.from_numpy(values), torch.from_numpy(stds)
    how = Bend.of(believed) if bend and np.ptp(believed) > 0 else None
    keeps = None if kept is None else torch.from_numpy(kept)
    mask = torch.tensor(list(used.values()))
    size = mask.shape[1] + 2
    reasons: list[str] = []
    rows = []
    for view, counts in zip(used, mask, strict=True):

        def make(raw: torch.Tensor, counts: torch.Tensor = counts) -> Process:
            return Process(apart, y, noise, how, counts[None], raw[None], keeps)

        best = _climbed(make, size, starts)
        if best is None:
            reasons.append(f"{view}: no start converged, hyperparameters of the prior")
            best = torch.zeros(size, dtype=torch.double)
        rows.append(best)
    try:
        with torch.no_grad():
            process = Process(apart, y, noise, how, mask, torch.stack(rows), keeps)
            scores = process.log_scores()[:, process.kept].sum(dim=-1).numpy()
            wider = _wider(process, int(scores.argmax()))
    except NUMERICAL as reason:
        raise FitFailed("; ".join([*reasons, f"prior: {reason}"])) from reason
    if not np.isfinite(scores).all():
        raise FitFailed("; ".join([*reasons, "prior: the posterior is not finite"]))
    belief = np.exp(scores - scores.max())
    return Surrogate(
        process,
        tuple(used),
        belief / belief.sum(),
        wider,
        "; ".join(reasons),
    )


def _climbed(
    make: Callable[[torch.Tensor], Process], size: int, starts: Sequence[float]
) -> torch.Tensor | None:
    """Return the hyperparameters of the largest posterior density; None if no start."""
    best, least = None, math.inf

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        raw = torch.from_numpy(flat.copy()).requires_grad_()
        try:
            value = make(raw).loss.sum()
        except NUMERICAL:
            return 1e10, np.zeros(size)
        (slope,) = torch.autograd.grad(value, raw)
        if not (torch.isfinite(value) and torch.isfinite(slope).all()):
            return 1e10, np.zeros(size)
        return float(value.detach()), slope.numpy()

    for start in starts:
        found = minimize(
            loss, np.full(size, start), jac=True, method="L-BFGS-B",
            bounds=[(-6.0, 6.0)] * size, options={"maxiter": STEPS},
        )  # fmt: skip
        if found.fun < min(least, 1e9):
            best, least = torch.from_numpy(found.x), float(found.fun)
    return best


def _wider(process: Process, best: int) -> float:
    """Return how much wider than said the intervals must be, from what was left out.

    As if `DOUBTED` more had been left out and missed by `MISSED` of what was said: the
    next point is one that much is hoped of, after few observations.
    """
    mean, deviation = (one[best] for one in process.leave_one_out())
    z = ((process.y[best] - mean) / deviation)[process.kept].square()
    total = z.sum() + DOUBTED * MISSED**2
    return float((total / (len(z) + DOUBTED)).sqrt().clamp_min(1.0))
