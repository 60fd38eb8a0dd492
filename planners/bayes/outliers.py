"""Measurements that all others contradict, and a surrogate that does not believe them.

A contact that failed gives a number like any other. Left in, one such number sets the
scale and the noise of the whole surrogate. Suspects are left out one after the other, the
most contradicted first, as relevance pursuit does [1]_; one that a surrogate of the others
still finds absurd is not believed. What is much *better* than expected is what a campaign
is for, and is believed unless replicates of it outvote it.

Shapes: n observations, a aspects.

References
----------
.. [1] Ament et al., NeurIPS 37 (2024), 10.48550/arXiv.2410.24222.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.stats import t as student

from planners.bayes.surrogate import FitFailed, Surrogate, fit

FEWEST = 8
"""Observations from which on one of them may be an outlier."""

MOST = 0.1
"""Largest share of observations that may be; one may always be."""

SUSPECT = 2.5
"""Deviations off from which on one is looked at; it has itself widened them."""

ABSURD = 1e-3
"""Chance of a value as bad as an outlier's, by the widened intervals of the others."""

OUTVOTED = 2
"""Replicates that must contradict a value that is too good."""


def fit_robustly(
    apart: torch.Tensor,
    values: np.ndarray,
    stds: np.ndarray,
    used: dict[str, list[bool]],
) -> Surrogate:
    """Fit as `planners.bayes.surrogate.fit`, which see, but do not believe outliers.

    Larger values are better. Raises what that raises.
    """
    surrogate = fit(apart, values, stds, used)
    if len(values) < FEWEST:
        return surrogate
    kept = np.ones(len(values), dtype=bool)
    same = (apart.sum(dim=0) < 1e-12).numpy() & ~np.eye(len(values), dtype=bool)
    outliers: dict[int, float] = {}
    while len(outliers) < max(1, int(MOST * len(values))):
        z = _off(surrogate)
        good = (same & kept).sum(axis=1) >= OUTVOTED
        doubt = np.where(good, np.abs(z), -z)
        doubt[list(outliers)] = 0.0
        suspect = int(doubt.argmax())
        if doubt[suspect] < SUSPECT:
            break
        kept[suspect] = False
        try:
            without = fit(apart, values, stds, used, kept=kept.copy())
        except FitFailed:
            break
        off = _off_from_others(without, apart, suspect)
        limit = without.wider * float(student.isf(ABSURD, without.freedom))
        if (abs(off) if good[suspect] else -off) <= limit:
            break
        outliers[suspect] = off
        surrogate = without
    return replace(surrogate, outliers=outliers)


def _off(surrogate: Surrogate) -> np.ndarray:
    """Return how far each target is from what the others predict, in deviations."""
    process, best = surrogate.process, surrogate.best
    with torch.no_grad():
        mean, deviation = process.leave_one_out()
    z: np.ndarray = ((process.y - mean) / deviation)[best].numpy()
    return z


def _off_from_others(others: Surrogate, apart: torch.Tensor, suspect: int) -> float:
    """Return how far a target is from what a surrogate that ignores it predicts."""
    process, best = others.process, others.best
    with torch.no_grad():
        mean, variance = process.latent(apart[:, [suspect]])
        deviation = (variance[best, 0] + process.scatter[best, suspect]).sqrt()
        return float((process.y[best, suspect] - mean[best, 0]) / deviation)
