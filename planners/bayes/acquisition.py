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

from planners.bayes.places import Places, climb

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
    score: Score, labels: torch.Tensor, known: torch.Tensor, seed: int, where: Places
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
    where:
        The places that the rules of the space leave.
    """
    r = known.shape[1]
    if r == 0:
        value, which = in_chunks(score, labels), torch.arange(len(labels))
        order = value.argsort(descending=True, stable=True)
        return _ranked(labels[:, :0], which, value), order
    which = order = torch.arange(len(labels))
    if len(labels) > LEADERS:
        glances = _places(where, labels, known, GLANCES, seed)
        value = in_chunks(score, _crossed(glances, labels))
        highest = value.reshape(len(labels), -1).amax(dim=-1)
        order = highest.argsort(descending=True, stable=True)
        which = order[:LEADERS]
    looks = _crossed(_places(where, labels[which], known, LOOKS, seed), labels[which])
    value = in_chunks(score, looks)
    each = len(looks) // len(which)
    first = value.reshape(len(which), -1).argmax(dim=-1)
    first = first + each * torch.arange(len(which))
    leaders = first[value[first].argsort(descending=True)][: STARTS // 2]
    others = value.argsort(descending=True)[: STARTS // 2]
    start = torch.unique(torch.cat([leaders, others]))
    held = which[start // each]
    positions = _climb(score, looks[start, :r], labels[held], where)
    value = in_chunks(score, torch.cat([positions, labels[held]], -1))
    return _ranked(positions, held, value), order


def _places(
    where: Places, labels: torch.Tensor, known: torch.Tensor, count: int, seed: int
) -> torch.Tensor:
    """Return where to look: the known, then scattered places; shape (c or 1) x any x r."""
    if where.space.rules:
        return where.looks(labels, known, count, seed)
    return torch.cat([known, scattered(count, known.shape[1], seed)])[None]


def _crossed(places: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return every combination at every place, a combination after the other."""
    c, (_, each, r) = len(labels), places.shape
    return torch.cat(
        [
            places.expand(c, each, r).reshape(c * each, r),
            labels.repeat_interleave(each, dim=0),
        ],
        dim=-1,
    )


def _climb(
    score: Score, start: torch.Tensor, fixed: torch.Tensor, where: Places
) -> torch.Tensor:
    """Improve all starts (s x r), their labels (s x (d - r)) held.

    All at once, unless there are sums to keep: then one after the other.
    """
    regions = where.within(fixed, start)

    def cost(flat: np.ndarray, held: torch.Tensor) -> tuple[float, np.ndarray]:
        at = torch.from_numpy(flat.reshape(len(held), -1).copy()).requires_grad_()
        total = -score(torch.cat([at, held], -1)).sum()
        (slope,) = torch.autograd.grad(total, at)
        return float(total.detach()), slope.numpy().ravel()

    if any(len(region.rows) for region in regions):
        ends = []
        for i, region in enumerate(regions):
            held = fixed[i : i + 1]
            one = start[i].numpy()
            ends.append(climb(lambda at, held=held: cost(at, held), one, region, STEPS))  # type: ignore[misc]
        return torch.from_numpy(np.array(ends))
    low, high = (
        np.concatenate([getattr(one, end) for one in regions])
        for end in ("low", "high")
    )
    found = minimize(
        cost,
        start.numpy().ravel(),
        (fixed,),
        jac=True,
        method="L-BFGS-B",
        bounds=list(zip(low, high, strict=True)),
        options={"maxiter": STEPS},
    )
    return torch.from_numpy(found.x.reshape(start.shape))


def _ranked(
    positions: torch.Tensor, which: torch.Tensor, value: torch.Tensor
) -> list[Peak]:
    order = value.argsort(descending=True, stable=True)
    order = order[torch.isfinite(value[order])]
    rows = zip(
        positions[order].numpy(),
        which[order].tolist(),
        value[order].tolist(),
        strict=True,
    )
    return [Peak(*row) for row in rows]
