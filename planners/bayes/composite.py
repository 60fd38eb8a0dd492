r"""The expected gain in a desirability, of which each quantity has a surrogate.

The desirability is flat where a film is useless and where it is ideal, and bends between;
the quantities that it is made of are smooth. So each of them is modelled, and the
improvement of what they make together is averaged over draws from all the surrogates, as
for any composite function [1]_.

Where nothing is of any use all are equally useless, and no gain says where to look. To the
planner alone, a quantity that is useless is therefore a little desirable, and the less the
farther away it is (`lenient`).

Shapes: m points, f fits, s draws, k looks in each, a aspects.

References
----------
.. [1] R. Astudillo and P. I. Frazier, ICML 2019, 10.48550/arXiv.1906.01537.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from botorch.utils.safe_math import log_fatplus
from torch.quasirandom import SobolEngine

from planners.bayes.gain import DRAWS, Gain, Within, last_of
from planners.bayes.process import Process
from planners.bayes.surrogate import Surrogate
from planners.desirability import Desirability, Desire

LOOKS = 8
"""Looks at a point for each draw of what is true: of each quantity a value."""

BARELY = 0.02
"""What a quantity at its useless bound is worth to the planner."""

NEAR = 1e-3
"""Improvement from which on it counts as one; what is less falls off with its square."""

LEVELLED = 256
"""Equally likely outcomes of each quantity that are looked at."""


class DesirableGain(Gain):
    """The expected gain of a point in a desirability, times its chance to succeed.

    Parameters
    ----------
    desirability:
        Whose quantities ``surrogates`` model, in their order. For the others see `Gain`.
    """

    def __init__(
        self,
        desirability: Desirability,
        surrogates: Sequence[Surrogate],
        base: torch.Tensor,
        learned: Sequence[int],
        held: Sequence[int],
        limits: Sequence[Within],
        success: Within | None,
        seed: int,
        wanted: int = 1,
    ) -> None:
        self.desirability = desirability
        floors = [None] * len(surrogates)
        known = base, learned, held, limits, floors, success, seed, wanted
        super().__init__(surrogates, *known)
        engine = SobolEngine(len(surrogates), scramble=True, seed=seed)  # type: ignore[no-untyped-call]
        even = engine.draw(DRAWS * LOOKS, dtype=torch.double).clamp(1e-6, 1.0 - 1e-6)
        self.looks = torch.special.ndtri(even).T.reshape(-1, DRAWS, LOOKS)

    def _before(
        self, good: torch.Tensor, floors: Sequence[float | None], wanted: int
    ) -> None:
        """Keep the last of as many as are wanted in each draw; f x s."""
        worth = desired(
            self.desirability,
            [one.process for one in self.drawn],
            [one.true for one in self.drawn],
        )
        self.best = last_of(worth.masked_fill(~good, 0.0), wanted)

    def _added(self, apart: torch.Tensor) -> torch.Tensor:
        """Return the logarithm of what points add; shape f x m."""
        values = []
        for drawn, looks in zip(self.drawn, self.looks, strict=True):
            mean, deviation = drawn.at(apart)
            values.append(mean[..., None] + deviation[..., None] * looks)
        processes = [one.process for one in self.drawn]
        worth = desired(self.desirability, processes, values)
        better = log_fatplus(worth - self.best[:, None, :, None], tau=NEAR)
        return better.logsumexp(dim=(-2, -1)) - math.log(DRAWS * LOOKS)


def desired(
    desirability: Desirability,
    processes: Sequence[Process],
    standard: Sequence[torch.Tensor],
) -> torch.Tensor:
    """Return what standardised targets make together, leniently.

    ``standard`` has for each quantity a tensor of the same shape, f x any.
    """
    log_worth = torch.zeros((), dtype=torch.double)
    parts = zip(
        desirability.desires, desirability.powers, processes, standard, strict=True
    )
    for desire, power, process, y in parts:
        target = process.target(y)
        sign = -1.0 if desire.quantity.direction == "minimise" else 1.0
        share = lenient(desire, sign * target)
        log_worth = log_worth + power * desire.exponent * share.log()
    return log_worth.exp()


def lenient(desire: Desire, values: torch.Tensor) -> torch.Tensor:
    """Return the desirability of values on the scale before its exponent, never 0.

    It rises from `BARELY` at the useless bound to 1 at the ideal one; below it falls off
    as one over the distance, from the same slope.
    """
    steep = 1.0 - BARELY
    found = None
    for useless, ideal in desire.scaled:
        place = (values - useless) / (ideal - useless)
        within = BARELY + steep * place.clamp(0.0, 1.0)
        below = BARELY**2 / (BARELY - steep * place.clamp_max(0.0))
        share = torch.where(place > 0.0, within, below)
        found = share if found is None else torch.minimum(found, share)
    assert found is not None  # noqa: S101 - a desire has a ramp
    return found


def quantiles(
    desirability: Desirability,
    surrogates: Sequence[Surrogate],
    apart: torch.Tensor,
    levels: Sequence[float],
    *,
    noisy: bool = True,
) -> np.ndarray:
    """Return quantiles of a desirability at points; shape levels x m.

    As `Surrogate.quantiles`, of which it takes equally likely values of each quantity and
    combines them at random, always in the same way.
    """
    rng = np.random.default_rng(0)
    even = [(i + 0.5) / LEVELLED for i in range(LEVELLED)]
    shares = []
    for desire, surrogate in zip(desirability.desires, surrogates, strict=True):
        targets = surrogate.quantiles(apart, even, noisy=noisy)
        sign = -1.0 if desire.quantity.direction == "minimise" else 1.0
        shares.append(desire.share(sign * targets)[rng.permutation(LEVELLED)])
    return np.asarray(np.quantile(desirability.combined(shares), levels, axis=0))
