"""What one call of the planner has learned: its points, and the surrogates fitted to them.

The base is every point that is known of: what was observed, what failed, what is pending.
Points are known by their number in it.

Shapes: n observations, m points, a aspects, d columns of a point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from scipy.stats import norm

from planners.bayes.card import model_card
from planners.bayes.composite import DesirableGain, desired, quantiles
from planners.bayes.encoding import Encoding
from planners.bayes.forest import second_opinion
from planners.bayes.gain import Gain, Within
from planners.bayes.outliers import fit_robustly
from planners.bayes.surrogate import Surrogate, fit, known_noise, targets
from planners.data import Candidate, Limit, Objective, Observation
from planners.desirability import Desirability, quantities

LEVELS = (0.05, 0.159, 0.5, 0.841, 0.95)
"""Quantiles of the next measurement that are told."""

LEVELLED = 33
"""Equally likely outcomes of a replicate that are looked at."""

BOUND = 0.05
"""Chance that a truth is above its upper bound, or below its lower one."""


class Learned:
    """Surrogates of the objectives, the limits and of success, on one base of points.

    Of a desirability each quantity has a surrogate, as if it were an objective.

    Parameters
    ----------
    observed, failed, pending:
        As `planners.protocol.Planner.propose` has them.
    wanted:
        How many good candidates.

    Raises
    ------
    FitFailed, NUMERICAL
        If there can be no surrogate (`planners.bayes.surrogate`).
    """

    def __init__(
        self,
        encoding: Encoding,
        objectives: Sequence[Objective],
        limits: Sequence[Limit],
        observed: Sequence[Observation],
        failed: Sequence[Candidate],
        pending: Sequence[Candidate],
        wanted: int = 1,
    ) -> None:
        self.encoding, self.bounds, self.wanted = encoding, limits, wanted
        self.goals, self.whole = quantities(objectives), _whole(objectives)
        self.observed, self.pending = observed, pending
        self.points = encoding.encode([o.candidate for o in observed])
        self.own = range(len(observed))
        tried = [*self.own, *self._append(encoding.encode(failed))]
        self.waiting = self._append(encoding.encode(pending))
        self.apart = encoding.between(self.points, self.points)
        near = self.apart[:, : len(observed), : len(observed)]
        self.objectives = [
            fit_robustly(
                near,
                targets(observed, goal),
                known_noise(observed, goal),
                self.encoding.used_by_view(),
            )
            for goal in self.goals
        ]
        self.limits = [self._within(limit) for limit in limits]
        self.success = self._success(tried, len(failed)) if failed else None

    def _append(self, points: torch.Tensor) -> range:
        """Add points to the base, and return their numbers."""
        before = len(self.points)
        self.points = torch.cat([self.points, points])
        return range(before, len(self.points))

    def _within(self, limit: Limit) -> Within:
        """Return the surrogate of a quantity that must keep within bounds."""
        quantity = Objective(limit.name, limit.unit)
        n = len(self.own)
        surrogate = fit(
            self.apart[:, :n, :n],
            targets(self.observed, quantity),
            known_noise(self.observed, quantity),
            self.encoding.used_by_view(),
            bend=False,
        )
        low = -math.inf if limit.at_least is None else limit.at_least
        high = math.inf if limit.at_most is None else limit.at_most
        return Within(surrogate, self.own, low, high)

    def _success(self, tried: Sequence[int], failed: int) -> Within:
        """Return a surrogate of 1 for what ended well and 0 for what failed."""
        ended = np.repeat([1.0, 0.0], [len(self.own), failed])
        first = self.objectives[0]
        view = first.views[first.best]
        apart = self.apart[:, list(tried)][:, :, list(tried)]
        used = {view: self.encoding.used_by_view()[view]}
        surrogate = fit(apart, ended, np.zeros(len(ended)), used, bend=False)
        return Within(surrogate, tried, 0.5, math.inf)

    @property
    def floors(self) -> list[float | None]:
        """Targets from which on each objective counts, where a limit says so."""
        return [_floor(goal, self.bounds) for goal in self.goals]

    def gain(
        self, chosen: Sequence[Candidate], seed: int
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return what gives the log of the gain (m) of points (m x d).

        ``chosen`` are candidates of the same batch, pending from now on.
        """
        encoding = self.encoding
        points = torch.cat([self.points, encoding.encode(chosen)])
        numbers = range(len(self.points), len(points))
        held = [*self.own, *self.waiting, *numbers]
        known = encoding.between(points, points), self.own, held, self.limits
        more = self.success, seed, self.wanted
        if self.whole is None:
            gain = Gain(self.objectives, *known, self.floors, *more)
        else:
            gain = DesirableGain(self.whole, self.objectives, *known, *more)

        def score(places: torch.Tensor) -> torch.Tensor:
            return gain(encoding.between(places, points))

        return score

    def best(self, most: int) -> torch.Tensor:
        """Return those of our own points that are best in each objective; at most x q.

        Of a desirability, those that are best in it as well.
        """
        n = len(self.own)
        worth = [
            one.process.y[one.best, :n].masked_fill(~one.process.kept, -math.inf)
            for one in self.objectives
        ]
        if self.whole is not None:
            processes = [one.process for one in self.objectives]
            seen = desired(self.whole, processes, [one.y for one in processes])
            worth.append(seen[self.objectives[0].best])
        found = [one.argsort(descending=True, stable=True)[:most] for one in worth]
        return self.points[torch.unique(torch.cat(found))]

    def _to_own(self, points: torch.Tensor) -> torch.Tensor:
        return self.encoding.between(points, self.points[list(self.own)])

    def predicted(self, candidate: Candidate) -> dict[str, Any]:
        """Return the next measurement as the surrogates expect it, 5 % to 95 %."""
        apart = self._to_own(self.encoding.encode([candidate]))
        every = []
        for goal, surrogate in zip(self.goals, self.objectives, strict=True):
            found = surrogate.quantiles(apart, LEVELS)[:, 0]
            if goal.direction == "minimise":
                found = -found[::-1]
            every.append(_told(found))
        names = [goal.name for goal in self.goals]
        if self.whole is not None:
            found = quantiles(self.whole, self.objectives, apart, LEVELS)[:, 0]
            return {**_told(found), "others": dict(zip(names, every, strict=True))}
        more = dict(zip(names[1:], every[1:], strict=True))
        return {**every[0], "others": more} if more else every[0]

    def regret_bound(self, points: torch.Tensor) -> float:
        """Return what any of these points can at most be better than the best observed.

        The highest upper bound of a truth less the highest lower bound of those observed,
        both wrong in 5 of 100 cases (Makarova et al., AutoML 2022, arXiv:2104.08166); in
        the unit of the objective, or in decades on a log scale.
        """
        there = self._to_own(points)
        own = self._to_own(self.points[list(self.own)])
        highest = self._truth(there, 1.0 - BOUND).max()
        return max(float(highest - self._truth(own, BOUND).max()), 0.0)

    def _truth(self, apart: torch.Tensor, level: float) -> np.ndarray:
        """Return a quantile of what is true of the first objective; shape m."""
        if self.whole is not None:
            found = quantiles(self.whole, self.objectives, apart, (level,), noisy=False)
        else:
            found = self.objectives[0].quantiles(apart, (level,), noisy=False)
        return np.asarray(found[0])

    def again(
        self, gain: float, chosen: Sequence[Candidate], costs: np.ndarray
    ) -> Candidate | None:
        """Return what is worth another trial more than a new candidate is.

        A replicate moves what is believed of every point observed; it is worth what the
        best of these beliefs is expected to gain by that (the knowledge gradient, Frazier,
        Powell and Dayanik, 2009), and the new candidate ``gain`` (a logarithm), which
        counts the truth and is thus the more hopeful of the two. Either is divided by its
        ``costs``, which are given for the observations, shape n. None with several
        objectives or a desirability, or if there is no such observation.
        """
        if len(self.objectives) > 1 or self.whole is not None:
            return None
        process, best = self.objectives[0].process, self.objectives[0].best
        n = len(self.own)
        apart = self._to_own(self.points[:n])
        with torch.no_grad():
            both = process.joint(self.apart[:, :n, :n], apart)
        mean, covariance = (one[best].numpy() for one in both)
        scatter = process.scatter[best, :n].detach().numpy()
        moved = covariance / np.sqrt(np.diag(covariance) + scatter)
        steps = norm.ppf((np.arange(LEVELLED) + 0.5) / LEVELLED)
        believed = mean[:, None, None] + moved[:, :, None] * steps
        worth = (believed.max(axis=0).mean(axis=-1) - mean.max()) / costs
        most = int(worth.argmax())
        candidate = self.observed[most].candidate
        waits = {one.id for one in (*self.pending, *chosen)}
        if candidate.id in waits or worth[most] <= math.exp(gain):
            return None
        return candidate

    def _outliers(self, surrogate: Surrogate) -> dict[str, float]:
        """Return the ids of the candidates whose measurements are not believed, and z.

        Of replicates that are not believed, the one that is most off.
        """
        found: dict[str, float] = {}
        for number, z in surrogate.outliers.items():
            name = self.observed[number].candidate.id
            found[name] = max(round(z, 1), found.get(name, 0.0), key=abs)
        return found

    def card(self, seed: int) -> dict[str, Any]:
        """Return what a person needs to judge the surrogates, as plain JSON values.

        ``seed`` is of the forests that give a second opinion.
        """
        first, *others = (
            {
                **model_card(
                    surrogate, goal, self.encoding, self.points[list(self.own)]
                ),
                "outliers": self._outliers(surrogate),
                "second opinion": second_opinion(
                    surrogate,
                    self.encoding,
                    self.points[list(self.own)],
                    targets(self.observed, goal),
                    seed,
                ),
            }
            for surrogate, goal in zip(self.objectives, self.goals, strict=True)
        )
        card: dict[str, Any] = {"surrogate": first}
        if others:
            names = (goal.name for goal in self.goals[1:])
            card["others"] = dict(zip(names, others, strict=True))
        reasons = (one.fallback for one in self.objectives)
        card["fallback"] = "; ".join(one for one in reasons if one) or None
        return card


def _whole(objectives: Sequence[Objective]) -> Desirability | None:
    """Return the desirability that is wanted, if one is."""
    (first, *_) = objectives
    return first if isinstance(first, Desirability) else None


def _told(found: np.ndarray) -> dict[str, Any]:
    """Return quantiles of `LEVELS` as a card has them."""
    low, below, middle, above, high = (round(float(one), 4) for one in found)
    return {
        "predicted": middle,
        "predicted_std": round((above - below) / 2.0, 4),
        "predicted_90": [low, high],
    }


def _floor(goal: Objective, limits: Sequence[Limit]) -> float | None:
    """Return the target from which on an objective counts, if a limit says so.

    What is wanted down to a limit is wanted there, even if all observed is far above.
    """
    for limit in limits:
        if limit.name == goal.name:
            sign = -1.0 if goal.direction == "minimise" else 1.0
            bound = limit.at_most if sign < 0.0 else limit.at_least
            if bound is not None and (goal.scale == "linear" or bound > 0.0):
                return sign * (math.log10(bound) if goal.scale == "log" else bound)
    return None
