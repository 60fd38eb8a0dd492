"""The acquisition function, and its optimum over numbers and molecules at once.

Shapes: n observations, p pending, c combinations of options, s starts,
r reals, d columns of an encoded point (reals first).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.utils import prune_inferior_points
from botorch.models import SingleTaskGP
from botorch.sampling.normal import SobolQMCNormalSampler
from scipy.optimize import minimize
from torch.quasirandom import SobolEngine

from planners.bayes.surrogate import Surrogate

DRAWS = 128
"""Draws from the posterior, for the expectation."""

LOOKS = 64
"""Points looked at for each combination before any is improved."""

STARTS = 24
"""How many of them are improved; at least the best one of the best combinations."""

STEPS = 40
"""Most steps of the optimiser."""

LEAST = 0.02
"""Least chance of success that a place is left with, whatever failed there."""

Score = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Peak:
    """A local optimum: positions of the reals, which combination, logarithm of gain."""

    positions: np.ndarray
    combination: int
    log_gain: float


def expected_gain(
    model: SingleTaskGP,
    observed: torch.Tensor,
    pending: torch.Tensor,
    success: Surrogate | None,
    seed: int,
) -> Score:
    """Return the log noisy expected improvement times the chance of success.

    What is pending counts as if its outcome were already drawn. No global random
    state is used: every draw has its own seed.

    Parameters
    ----------
    model:
        The surrogate, standardised, larger being better.
    observed, pending:
        Encoded candidates, shapes n x d and p x d.
    success:
        A surrogate of 1 for what was observed and 0 for what failed; if any did.
    seed:
        Of the draws.
    """
    distinct = torch.unique(observed, dim=0)
    kept = prune_inferior_points(
        model,
        distinct,
        sampler=SobolQMCNormalSampler(torch.Size([512]), seed=seed),
    )
    gain = qLogNoisyExpectedImprovement(
        model,
        kept,
        sampler=SobolQMCNormalSampler(torch.Size([DRAWS]), seed=seed),
        X_pending=pending if len(pending) else None,
        prune_baseline=False,
    )

    def score(points: torch.Tensor) -> torch.Tensor:
        value: torch.Tensor = gain(points.unsqueeze(-2))
        if success is None:
            return value
        likely = success.mean + success.deviation * (
            success.model.posterior(points.unsqueeze(-2)).mean.squeeze(-1).squeeze(-1)
        )
        # Soft at the floor, so that the gradient still leads out of a bad corner.
        return value + (LEAST + torch.nn.functional.softplus(likely, 20.0)).log()

    return score


def scattered(count: int, r: int, seed: int) -> torch.Tensor:
    """Return the first points of a scrambled Sobol sequence; shape count x r."""
    engine = SobolEngine(r, scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    return engine.draw(count, dtype=torch.double)


def peaks(score: Score, labels: torch.Tensor, r: int, seed: int) -> list[Peak]:
    """Return local optima of a score over reals and combinations, best first.

    The score is looked at in the same scattered places for every combination; then the
    reals of the best places, and of the best place of each of the better combinations,
    are improved together by gradient, with the combination held.

    Parameters
    ----------
    score:
        Takes points of shape m x d, gives m values to be made large.
    labels:
        The encoded combinations, shape c x (d - r).
    r:
        Number of reals.
    seed:
        Of the places.
    """
    if r == 0:
        with torch.no_grad():
            value = score(labels)
        return _ranked(torch.zeros(len(labels), 0), torch.arange(len(labels)), value)
    places = scattered(LOOKS, r, seed)
    positions = places.repeat(len(labels), 1)
    which = torch.arange(len(labels)).repeat_interleave(LOOKS)
    with torch.no_grad():
        value = score(torch.cat([positions, labels[which]], -1))
    best_of_each = value.reshape(-1, LOOKS).argmax(-1) + LOOKS * torch.arange(
        len(labels)
    )
    leaders = best_of_each[value[best_of_each].argsort(descending=True)]
    others = value.argsort(descending=True)[:STARTS]
    start = torch.unique(torch.cat([leaders[: STARTS // 2], others[: STARTS // 2]]))
    positions, which = (
        _climb(score, positions[start], labels[which[start]]),
        which[start],
    )
    with torch.no_grad():
        value = score(torch.cat([positions, labels[which]], -1))
    return _ranked(positions, which, value)


def _climb(score: Score, start: torch.Tensor, fixed: torch.Tensor) -> torch.Tensor:
    """Improve all starts (s x r) at once, their labels (s x (d - r)) held."""

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        at = torch.from_numpy(flat.reshape(start.shape).copy()).requires_grad_()
        total = -score(torch.cat([at, fixed], -1)).sum()
        (slope,) = torch.autograd.grad(total, at)
        return float(total), slope.numpy().ravel()

    found = minimize(
        cost,
        start.numpy().ravel(),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, 1.0)] * start.numel(),
        options={"maxiter": STEPS},
    )
    return torch.from_numpy(found.x.reshape(start.shape))


def _ranked(
    positions: torch.Tensor, which: torch.Tensor, value: torch.Tensor
) -> list[Peak]:
    order = value.argsort(descending=True, stable=True)
    return [
        Peak(positions[i].numpy(), int(which[i]), float(value[i]))
        for i in order
        if bool(torch.isfinite(value[i]))
    ]
