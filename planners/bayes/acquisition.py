"""The acquisition function, and its optimum over numbers and molecules at once.

Shapes: m points, b points of the base, f fits, a aspects, c combinations of options,
r reals, d columns of a point (reals first).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from botorch.acquisition.analytic import _log_ei_helper
from scipy.optimize import minimize
from torch.quasirandom import SobolEngine

from planners.bayes.places import Places, climb
from planners.bayes.process import PRIOR, Process, steadied
from planners.bayes.surrogate import Surrogate

DRAWS = 32
"""Draws of what is true at the base, for each fit."""

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

CHUNK = 4096
"""Points that are scored at once."""

LEAST = 0.02
"""Least chance of success that a place is left with, whatever failed there."""

Score = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Peak:
    """A local optimum: positions of the reals, which combination, logarithm of gain."""

    positions: np.ndarray
    combination: int
    log_gain: float


class Gain:
    r"""The expected gain of a point over the best of a base, times its chance to succeed.

    The base is what was observed and what is pending. What is true there is drawn from
    the posterior, jointly, and for each draw the expectation is worked out in closed
    form: noisy expected improvement [1]_, in logarithms [2]_. Given what is pending it
    differs from the gain of the batch (qLogNEI's) by what the pending gain alone, which
    is the same for every point.

    Parameters
    ----------
    surrogate:
        Fitted to the points of the base numbered ``observed``.
    base:
        Squared distances within the base; shape a x b x b.
    observed, pending:
        Numbers of points of the base.
    success:
        A surrogate of 1 for what was observed and 0 for what failed, if anything did,
        and the numbers of those points.
    seed:
        Of the draws.

    References
    ----------
    .. [1] Letham, Karrer, Ottoni and Bakshy, Bayesian Anal. 14, 495 (2019).
    .. [2] Ament et al., NeurIPS 36 (2023), 10.48550/arXiv.2310.20708.
    """

    def __init__(
        self,
        surrogate: Surrogate,
        base: torch.Tensor,
        observed: Sequence[int],
        pending: Sequence[int],
        success: tuple[Surrogate, Sequence[int]] | None,
        seed: int,
    ) -> None:
        self.process: Process = surrogate.process
        self.belief = torch.from_numpy(np.log(surrogate.belief))
        self.numbers = [*observed, *pending]
        self.success = success
        within = base[:, self.numbers][:, :, self.numbers]
        mean, covariance = self._posterior(within, len(observed))
        rng = np.random.default_rng(seed)
        draws = torch.from_numpy(rng.standard_normal((len(self.numbers), DRAWS)))
        true = mean.unsqueeze(-1) + torch.linalg.cholesky(covariance) @ draws
        self.best = true.amax(dim=1, keepdim=True)
        self.root = torch.linalg.cholesky(steadied(self.process.kernel(within)))
        self.pull = torch.cholesky_solve(true, self.root)

    def _posterior(
        self, within: torch.Tensor, n: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean (f x b) and covariance (f x b x b) of what is true at the base."""
        cross = self.process.kernel(within[:, :, :n])
        mean = (cross @ self.process.pull.unsqueeze(-1)).squeeze(-1)
        half = torch.linalg.solve_triangular(self.process.root, cross.mT, upper=False)
        return mean, steadied(self.process.kernel(within) - half.mT @ half)

    def __call__(self, apart: torch.Tensor) -> torch.Tensor:
        """Return the logarithm of the gain at points; shape m.

        ``apart`` are squared distances to the whole base; shape a x m x b.
        """
        cross = self.process.kernel(apart[:, :, self.numbers])
        mean = cross @ self.pull
        half = torch.linalg.solve_triangular(self.root, cross.mT, upper=False)
        variance = (PRIOR - half.square().sum(dim=-2)).clamp_min(1e-10)
        deviation = variance.sqrt().unsqueeze(-1)
        log_gain = _log_ei_helper((mean - self.best) / deviation) + deviation.log()
        each = torch.logsumexp(log_gain, dim=-1) - math.log(DRAWS)
        score = torch.logsumexp(each + self.belief[:, None], dim=0)
        return score if self.success is None else score + self._chance(apart)

    def _chance(self, apart: torch.Tensor) -> torch.Tensor:
        """Return the logarithm of the chance of success; shape m."""
        assert self.success is not None  # noqa: S101
        surrogate, numbers = self.success
        process = surrogate.process
        best = int(surrogate.belief.argmax())
        mean, variance = process.latent(apart[:, :, list(numbers)])
        likely = process.mean[best] + process.spread[best] * mean[best]
        deviation = process.spread[best] * variance[best].sqrt()
        chance: torch.Tensor = torch.special.ndtr((likely - 0.5) / deviation)
        return (LEAST + chance).log()


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
    return [
        Peak(positions[i].numpy(), int(which[i]), float(value[i]))
        for i in order
        if bool(torch.isfinite(value[i]))
    ]
