"""The optimum of an acquisition function over numbers and molecules at once.

Shapes: m points, c combinations of options, r reals, d columns of a point (reals first).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize
from torch.quasirandom import SobolEngine

GLANCES = 4
"""Scattered places at which every combination of options is looked at."""

LOOKS = 64
"""Scattered places at which the best combinations are looked at."""

LEADERS = 48
"""How many combinations those are."""

STARTS = 24
"""How many points are improved; half of them lead their combination."""

STEPS = 40
"""Most steps of the optimiser."""

CHUNK = 1024
"""Points that are scored at once."""

Score = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Peak:
    """A local optimum: positions of the reals, which combination, logarithm of gain."""

    positions: np.ndarray
    combination: int
    log_gain: float


def in_chunks(score: Score, points: torch.Tensor) -> torch.Tensor:
    """Return the scores of many points, without gradients."""
    with torch.no_grad():
        return torch.cat([score(some) for some in torch.split(points, CHUNK)])


def scattered(count: int, r: int, seed: int) -> torch.Tensor:
    """Return the first points of a scrambled Sobol sequence; shape count x r."""
    engine = SobolEngine(r, scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    return engine.draw(count, dtype=torch.double)


def peaks(
    score: Score, labels: torch.Tensor, known: torch.Tensor, seed: int
) -> tuple[list[Peak], torch.Tensor]:
    """Return local optima of a score over reals and combinations, best first.

    And the numbers of the combinations, those that look best at a glance first.

    Every combination is looked at in few places, the leaders of these in many, and the
    reals of the best places are improved together by gradient, with the combination
    held. The product of molecules and numbers is never enumerated.

    Parameters
    ----------
    score:
        Takes points of shape m x d, gives m values to be made large.
    labels:
        The combinations, shape c x (d - r).
    known:
        Positions worth a glance with every combination, such as those of the best so
        far; shape any x r.
    seed:
        Of the places.
    """
    r = known.shape[1]
    if r == 0:
        value, which = in_chunks(score, labels), torch.arange(len(labels))
        order = value.argsort(descending=True, stable=True)
        return _ranked(labels[:, :0], which, value), order
    which = order = torch.arange(len(labels))
    if len(labels) > LEADERS:
        glances = torch.cat([known, scattered(GLANCES, r, seed)])
        value = in_chunks(score, _crossed(glances, labels))
        highest = value.reshape(len(labels), -1).amax(dim=-1)
        order = highest.argsort(descending=True, stable=True)
        which = order[:LEADERS]
    looks = torch.cat([known, scattered(LOOKS, r, seed)])
    value = in_chunks(score, _crossed(looks, labels[which]))
    first = value.reshape(len(which), -1).argmax(dim=-1)
    first = first + len(looks) * torch.arange(len(which))
    leaders = first[value[first].argsort(descending=True)][: STARTS // 2]
    others = value.argsort(descending=True)[: STARTS // 2]
    start = torch.unique(torch.cat([leaders, others]))
    held = which[start // len(looks)]
    positions = _climb(score, looks[start % len(looks)], labels[held])
    value = in_chunks(score, torch.cat([positions, labels[held]], -1))
    return _ranked(positions, held, value), order


def _crossed(places: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return every combination at every place, a combination after the other."""
    return torch.cat(
        [
            places.repeat(len(labels), 1),
            labels.repeat_interleave(len(places), dim=0),
        ],
        dim=-1,
    )


def _climb(score: Score, start: torch.Tensor, fixed: torch.Tensor) -> torch.Tensor:
    """Improve all starts (s x r) at once, their labels (s x (d - r)) held."""

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        at = torch.from_numpy(flat.reshape(start.shape).copy()).requires_grad_()
        total = -score(torch.cat([at, fixed], -1)).sum()
        (slope,) = torch.autograd.grad(total, at)
        return float(total.detach()), slope.numpy().ravel()

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
