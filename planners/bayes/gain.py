"""The expected gain of a point: the acquisition function.

Shapes: m points, h held points, f fits, a aspects, s draws, q objectives, c boxes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from botorch.acquisition.analytic import _log_ei_helper
from botorch.utils.multi_objective.box_decompositions.non_dominated import (
    FastNondominatedPartitioning,
)

from planners.bayes.process import PRIOR, Process, steadied
from planners.bayes.surrogate import Surrogate

DRAWS = 32
"""Draws of what is true at the held points, for each fit."""

LEAST = 0.02
"""Least chance of success that a place is left with, whatever failed there."""

HARDLY = 1e-4
"""Least chance to keep a limit that a place is left with, whatever was measured."""

MARGIN = 0.1
"""How far beyond the worst of each objective volume counts, in ranges observed."""

NARROW = 1e-12
"""Least relative width of a box that counts."""


Boxes = list[tuple[torch.Tensor, torch.Tensor | None]]
"""Lower and upper bounds of boxes, for each objective; None if there are no upper ones."""


class Drawn:
    """What may be true at the held points, drawn jointly, and what follows elsewhere.

    Parameters
    ----------
    surrogate:
        Fitted to the points of the base numbered ``learned``.
    base:
        Squared distances within the base; shape a x b x b.
    held:
        Numbers of points of the base that are made: observed, ``learned`` from, or
        pending.
    """

    def __init__(
        self,
        surrogate: Surrogate,
        base: torch.Tensor,
        learned: Sequence[int],
        held: Sequence[int],
        rng: np.random.Generator,
    ) -> None:
        self.process, self.held = surrogate.process, list(held)
        within = base[:, self.held][:, :, self.held]
        apart = base[:, self.held][:, :, list(learned)]
        mean, covariance = self.process.joint(within, apart)
        draws = torch.from_numpy(rng.standard_normal((len(self.held), DRAWS)))
        self.true = mean.unsqueeze(-1) + torch.linalg.cholesky(covariance) @ draws
        self.root = torch.linalg.cholesky(steadied(self.process.kernel(within)))
        self.pull = torch.cholesky_solve(self.true, self.root)

    def at(self, apart: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return means (f x m x s) and deviations (f x m x 1) at points, for each draw.

        ``apart`` are squared distances to the whole base; shape a x m x b.
        """
        cross = self.process.kernel(apart[:, :, self.held])
        half = torch.linalg.solve_triangular(self.root, cross.mT, upper=False)
        variance = (PRIOR - half.square().sum(dim=-2)).clamp_min(1e-10)
        return cross @ self.pull, variance.sqrt().unsqueeze(-1)


class Within:
    """The chance that a measured quantity keeps its limits.

    ``low`` and ``high`` are in the unit of the quantity; infinite where there is none.
    """

    def __init__(
        self, surrogate: Surrogate, learned: Sequence[int], low: float, high: float
    ) -> None:
        process, best = surrogate.process, surrogate.best
        self.process, self.best, self.learned = process, best, list(learned)
        mean, spread = float(process.mean[best]), float(process.spread[best])
        self.low, self.high = (low - mean) / spread, (high - mean) / spread

    def chance(self, apart: torch.Tensor) -> torch.Tensor:
        """Return the chance at points; shape m."""
        mean, variance = self.process.latent(apart[:, :, self.learned])
        return self.between(mean[self.best], variance[self.best].sqrt())

    def between(self, mean: torch.Tensor, deviation: torch.Tensor) -> torch.Tensor:
        """Return the chance that normal variables keep the limits; shape m."""
        below = torch.special.ndtr((self.low - mean) / deviation)
        above = torch.special.ndtr((mean - self.high) / deviation)
        chance: torch.Tensor = (1.0 - below - above).clamp_min(0.0)
        return chance


class Gain:
    r"""The expected gain of a point over what there is, times its chance to succeed.

    What is true at the observed and the pending points is drawn from the posterior,
    jointly, and for each draw the expectation is worked out in closed form: noisy
    expected improvement [1]_, in logarithms [2]_. Given what is pending it differs from
    the gain of the batch (qLogNEI's) by what the pending gain alone, which is the same
    for every point.

    With several objectives the gain is in hypervolume [3]_: for each draw the space
    beyond its Pareto front is cut into boxes, and the expected volume that a point adds
    is, for independent objectives, a sum over boxes of products

    .. math:: \prod_q \big( \mathrm{EI}(l_q) - \mathrm{EI}(u_q) \big)

    of expected improvements over their lower and upper bounds.

    Parameters
    ----------
    objectives:
        A surrogate of each, larger being better.
    base, learned, held:
        See `Drawn`.
    limits:
        What must be kept, or a point is worth nothing.
    floors:
        Targets from which on each of several objectives counts; None where there is none.
    success:
        Of a surrogate of 1 for what ended well and 0 for what failed, if anything did.
    seed:
        Of the draws.
    wanted:
        How many good points of one objective are wanted: the gain is over the last of so
        many, or over the worst of fewer.

    References
    ----------
    .. [1] Letham, Karrer, Ottoni and Bakshy, Bayesian Anal. 14, 495 (2019).
    .. [2] Ament et al., NeurIPS 36 (2023), 10.48550/arXiv.2310.20708.
    .. [3] Daulton, Balandat and Bakshy, NeurIPS 34 (2021), 10.48550/arXiv.2105.08195.
    """

    def __init__(
        self,
        objectives: Sequence[Surrogate],
        base: torch.Tensor,
        learned: Sequence[int],
        held: Sequence[int],
        limits: Sequence[Within],
        floors: Sequence[float | None],
        success: Within | None,
        seed: int,
        wanted: int = 1,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.drawn = [Drawn(one, base, learned, held, rng) for one in objectives]
        self.limits, self.success = limits, success
        belief = np.prod([one.belief for one in objectives], axis=0)
        self.belief = torch.from_numpy(np.log(belief / belief.sum()))
        keeps = torch.ones(len(held))
        for limit in limits:
            keeps = keeps * limit.chance(base[:, list(held)])
        drawn = torch.from_numpy(rng.random((len(held), DRAWS)))
        self._before(drawn < keeps[:, None], floors, wanted)

    def _before(
        self, good: torch.Tensor, floors: Sequence[float | None], wanted: int
    ) -> None:
        """Find what is there already in each draw, of the points that count (h x s)."""
        if len(self.drawn) == 1:
            true = self.drawn[0].true
            best = last_of(true.masked_fill(~good, -math.inf), wanted)
            # Not enough good yet: anything is better than the worst.
            best = torch.where(torch.isinf(best), true.amin(dim=1), best)
            self.boxes: Boxes = [(best[:, :, None], None)]
        else:
            self.boxes = self._beyond(good, floors)

    def _beyond(self, good: torch.Tensor, floors: Sequence[float | None]) -> Boxes:
        """Return the bounds of the boxes beyond each draw's front: f x s x c, by q.

        ``good`` says which points count in which draw; shape h x s.
        """
        true = torch.stack([one.true for one in self.drawn], dim=-1).transpose(1, 2)
        worst = [
            least_counted(one.process, floor)
            for one, floor in zip(self.drawn, floors, strict=True)
        ]
        reference = torch.stack(worst, dim=-1)
        cells = []
        for f in range(true.shape[0]):
            for s in range(DRAWS):
                cut = FastNondominatedPartitioning(reference[f], true[f, s][good[:, s]])
                cells.append(cut.hypercell_bounds)
        most = max(one.shape[1] for one in cells)
        shape = (true.shape[0], DRAWS, most, true.shape[-1])
        low = torch.full(shape, math.inf, dtype=torch.double)
        high = torch.full(shape, math.inf, dtype=torch.double)
        for i, one in enumerate(cells):
            f, s = divmod(i, DRAWS)
            low[f, s, : one.shape[1]], high[f, s, : one.shape[1]] = one
        return [(low[..., q], high[..., q]) for q in range(shape[-1])]

    def __call__(self, apart: torch.Tensor) -> torch.Tensor:
        """Return the logarithm of the gain at points; shape m.

        ``apart`` are squared distances to the whole base; shape a x m x b.
        """
        each = self._added(apart)
        score = torch.logsumexp(each + self.belief[:, None], dim=0)
        for limit in self.limits:
            score = score + (HARDLY + limit.chance(apart)).log()
        if self.success is not None:
            score = score + (LEAST + self.success.chance(apart)).log()
        return score

    def _added(self, apart: torch.Tensor) -> torch.Tensor:
        """Return the log of what is expected to be added, with each fit; shape f x m."""
        volume = torch.zeros(())
        for drawn, (low, high) in zip(self.drawn, self.boxes, strict=True):
            mean, deviation = drawn.at(apart)
            volume = volume + log_width(
                mean[..., None], deviation[..., None], low[:, None], high
            )
        return volume.logsumexp(dim=(-2, -1)) - math.log(DRAWS)


def last_of(values: torch.Tensor, wanted: int) -> torch.Tensor:
    """Return the ``wanted``-th largest of values (f x h x s), or the least; f x s."""
    return values.topk(min(wanted, values.shape[1]), dim=1).values[:, -1]


def least_counted(process: Process, floor: float | None) -> torch.Tensor:
    """Return the target from which on volume counts; shape f.

    Worse than anything observed and believed, or the ends of a front would not count.
    """
    y = process.y[:, process.kept]
    least, most = y.amin(dim=-1), y.amax(dim=-1)
    worst = least - MARGIN * (most - least)
    return worst if floor is None else worst.minimum(process.standard(floor))


def log_width(
    mean: torch.Tensor,
    deviation: torch.Tensor,
    low: torch.Tensor,
    high: torch.Tensor | None,
) -> torch.Tensor:
    """Return the log of how much of a box is expected to lie below a normal variable.

    Without ``high`` it is the logarithm of the expected improvement over ``low``. Shapes
    f x m x s x 1 for the variable, f x 1 x s x c for the lower bounds, f x s x c for the
    upper; f x m x s x c comes back. Where ``low`` is infinite there is no box.
    """
    none = torch.isinf(low) & (low > 0)
    whole = _log_ei_helper((mean - low.masked_fill(none, 0.0)) / deviation)
    if high is not None:
        high = high[:, None]
        open_ended = torch.isinf(high)
        beyond = _log_ei_helper((mean - high.masked_fill(open_ended, 0.0)) / deviation)
        less = (beyond - whole).clamp_max(-NARROW)
        part = torch.log(-torch.expm1(less))
        whole = whole + torch.where(open_ended, 0.0, part)
    return (whole + deviation.log()).masked_fill(none, -math.inf)
