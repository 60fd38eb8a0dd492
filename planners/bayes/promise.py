r"""What a point promises: the gain over what is expected, cheap enough for 1e8 points.

Where `planners.bayes.gain` draws what is true of the points made, this takes what is
expected of them. Mean and variance of one fit are exact,

.. math:: \mu = k^T K^{-1} y, \quad \sigma^2 = k(0) - k^T K^{-1} k

and products of matrices for many points.

Shapes: m points, n held points, q objectives, c boxes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from botorch.utils.multi_objective.box_decompositions.non_dominated import (
    FastNondominatedPartitioning,
)

from planners.bayes.gain import (
    HARDLY,
    LEAST,
    Within,
    last_of,
    least_counted,
    log_width,
)
from planners.bayes.learned import Learned
from planners.bayes.process import CONSTANT, IGNORED, JITTER, PRIOR, Process
from planners.bayes.surrogate import Surrogate

LITTLE = 0.05
"""Belief below which a fit is not asked."""

LEADING = 16
"""How many terms of the variance are worked out for every point."""

FAINT = -60.0
"""Logarithm of a gain below which nothing is passed over, for it is lost in rounding."""

ROUNDING = 1e-2
"""Share of a gain by which single precision may miss it."""


class Look:
    r"""Mean and deviation that one fit gives a point.

    With the eigenvectors of :math:`K`, those of the largest eigenvalues first, the
    variance is what is left of the prior's after a sum of squares, whose first few terms
    say most and leave an upper bound.

    Parameters
    ----------
    held:
        Numbers in the base of the points that are held.
    covariance, pull:
        Of their values, noise included (n x n), and its inverse times the values (n).
    at:
        Has the device and the precision.
    """

    def __init__(
        self,
        process: Process,
        fit: int,
        held: Sequence[int],
        covariance: torch.Tensor,
        pull: torch.Tensor,
        at: torch.Tensor,
    ) -> None:
        self.held = list(held)
        # Matern-5/2 has the root of 5 before each distance.
        self.weights = 5.0 * process.weights[fit]
        value, vector = torch.linalg.eigh(covariance)
        across = (vector * value.clamp_min(JITTER).rsqrt()).flip(-1)
        first = torch.cat([across[:, :LEADING], pull[:, None]], dim=1)
        rest = across[:, LEADING:]
        self._first, self._rest = first.to(at), rest.to(at)
        # Room of this size takes as long to get as it does to fill: it is kept.
        self._r = at.new_empty(0)
        # The constant part of the kernel, which is not worth adding to each of them.
        self._first_far = (CONSTANT * first.sum(dim=0)).to(at)
        self._rest_far = (CONSTANT * rest.sum(dim=0)).to(at)

    def kernel(self, square: torch.Tensor) -> torch.Tensor:
        """Return covariances less their constant from weighted squares (m x n).

        In place, for what leaves the processor's cache costs more than the arithmetic.
        """
        r = torch.sqrt(square.add_(5e-12), out=self._r.resize_(square.shape))
        return square.div_(3.0).add_(r).add_(1.0).mul_(r.neg_().exp_())

    def glance(self, kernel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return means (m), and variances (m) or somewhat more."""
        both = torch.addmm(self._first_far, kernel, self._first)
        return both[:, -1], PRIOR - both[:, :-1].square().sum(dim=-1)

    def deviation(self, kernel: torch.Tensor, most: torch.Tensor) -> torch.Tensor:
        """Return deviations (m) from those variances."""
        half = torch.addmm(self._rest_far, kernel, self._rest)
        variance = most - half.square_().sum(dim=-1)
        return variance.clamp_min(1e-10).sqrt()


@dataclass(frozen=True, slots=True)
class Hope:
    """What one fit hopes of the objectives: a look at each, and the boxes beyond.

    ``low`` and ``high`` are as `planners.bayes.gain.log_width` has them.
    """

    looks: list[Look]
    low: list[torch.Tensor]
    high: list[torch.Tensor | None]
    log_belief: float

    def log_gain(
        self, means: list[torch.Tensor], deviations: list[torch.Tensor]
    ) -> torch.Tensor:
        """Return the logarithm of the expected gain; shape m."""
        volume = torch.zeros(())
        every = zip(means, deviations, self.low, self.high, strict=True)
        for mean, deviation, low, high in every:
            shape = (1, -1, 1, 1)
            part = log_width(mean.view(shape), deviation.view(shape), low, high)
            volume = volume.to(part) + part
        return volume[0, :, 0].logsumexp(dim=-1) + self.log_belief

    def at_most(self, mean: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        """Return the expected improvement of one objective (m), or somewhat more."""
        deviation = variance.clamp_min(1e-10).sqrt()
        u = (mean - self.low[0].view(())) / deviation
        density = torch.exp(-0.5 * u.square()) / math.sqrt(2.0 * math.pi)
        found: torch.Tensor = deviation * (density + u * torch.special.ndtr(u))
        return found


class Promise:
    """The logarithm of what points promise, by what one call of the planner has learned.

    ``looks`` are what it wants weighted squares for, in this order.
    """

    def __init__(self, learned: Learned, at: torch.Tensor) -> None:
        self._hopes = list(_hopes(learned, at))
        self._within = [(one, HARDLY) for one in learned.limits]
        if learned.success is not None:
            self._within.append((learned.success, LEAST))
        self._chances = [_chance(one, at) for one, _ in self._within]
        self.looks = [look for hope in self._hopes for look in hope.looks]
        self.looks += self._chances

    def __call__(
        self, squares: Iterator[torch.Tensor], least: float = -math.inf
    ) -> torch.Tensor:
        """Return it for points whose weighted squares are given, look by look; shape m.

        Minus infinity where it is certainly below ``least``: what takes long is the
        variance, and most points promise little whatever it is.
        """
        hopes = self._hopes
        kernels = [[look.kernel(next(squares)) for look in one.looks] for one in hopes]
        first = [
            [look.glance(kernel) for look, kernel in zip(one.looks, some, strict=True)]
            for one, some in zip(hopes, kernels, strict=True)
        ]
        score = torch.full_like(first[0][0][0], -math.inf)
        rows: slice | torch.Tensor = slice(None)
        if least > FAINT and len(hopes[0].looks) == 1:
            chances = sum(math.log1p(one) for _, one in self._within)
            bound = math.exp(least - chances) * (1.0 - ROUNDING)
            each = [
                hope.at_most(*one) for hope, (one,) in zip(hopes, first, strict=True)
            ]
            rows = torch.nonzero(torch.stack(each).amax(dim=0) >= bound)[:, 0]
        gains = []
        for hope, some, glances in zip(hopes, kernels, first, strict=True):
            deviations = [
                look.deviation(kernel[rows], most[rows])
                for look, kernel, (_, most) in zip(
                    hope.looks, some, glances, strict=True
                )
            ]
            gains.append(hope.log_gain([mean[rows] for mean, _ in glances], deviations))
        total = torch.stack(gains).logsumexp(dim=0)
        for look, (within, low) in zip(self._chances, self._within, strict=True):
            kernel = look.kernel(next(squares)[rows])
            mean, most = look.glance(kernel)
            chance = within.between(mean, look.deviation(kernel, most))
            total = total + (low + chance).log()
        score[rows] = total
        return score


def _chance(within: Within, at: torch.Tensor) -> Look:
    process, best = within.process, within.best
    root, pull = process.root[best], process.pull[best]
    return Look(process, best, within.learned, root @ root.T, pull, at)


def _hopes(learned: Learned, at: torch.Tensor) -> Iterator[Hope]:
    """Yield what each fit that is believed hopes of the objectives."""
    belief = np.prod([one.belief for one in learned.objectives], axis=0)
    belief = belief / belief.sum()
    held = [*learned.own, *learned.waiting]
    good = torch.ones(len(held), dtype=torch.bool)
    for limit in learned.limits:
        good &= limit.chance(learned.apart[:, held]) >= 0.5
    floors = learned.floors
    for fit in np.flatnonzero(belief >= LITTLE).tolist():
        found = [_look(learned, one, fit, held, at) for one in learned.objectives]
        true = torch.stack([expected for _, expected in found], dim=-1)
        if len(found) == 1:
            some = true[good]
            enough = len(some) >= min(learned.wanted, len(true))
            best = last_of(some[None], learned.wanted) if enough else true.amin()
            low, high = best.view(1, 1), None
        else:
            least = [
                least_counted(one.process, floor)[fit]
                for one, floor in zip(learned.objectives, floors, strict=True)
            ]
            cut = FastNondominatedPartitioning(torch.stack(least), true[good])
            low, high = cut.hypercell_bounds
        yield Hope(
            [look for look, _ in found],
            [one.view(1, 1, 1, -1).to(at) for one in low.T],
            [one.view(1, 1, -1).to(at) for one in high.T]
            if high is not None
            else [None],
            math.log(float(belief[fit])),
        )


def _look(
    learned: Learned, surrogate: Surrogate, fit: int, held: list[int], at: torch.Tensor
) -> tuple[Look, torch.Tensor]:
    """Return a look at an objective, and what is expected of the held points (n).

    What is pending counts as measured exactly, to be what is expected of it.
    """
    process, own = surrogate.process, list(learned.own)
    waiting = learned.apart[:, list(learned.waiting)][:, :, own]
    known = torch.where(process.kept, process.y[fit], 0.0)
    values = torch.cat([known, process.expected(process.kernel(waiting))[fit]])
    noise = torch.full_like(values, JITTER)
    noise[: len(own)] = torch.where(process.kept, process.scatter[fit], IGNORED)
    kernel = process.kernel(learned.apart[:, held][:, :, held])[fit]
    covariance = kernel + noise.diag()
    pull = torch.linalg.solve(covariance, values)
    return Look(process, fit, held, covariance, pull, at), kernel @ pull
