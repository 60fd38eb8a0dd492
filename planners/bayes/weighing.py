"""What a gain is weighed by: what a trial costs, and what was believed beforehand.

Shapes: m points, d columns of a point.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch

from planners.bayes.acquisition import Score
from planners.bayes.quantities import Column, Quantities
from planners.beliefs import FLOOR, Beliefs
from planners.cost import Cost, loaded_by
from planners.data import Candidate, Observation

POWER = 0.5
"""Of a cost by which a gain is divided; 1 would be the gain per unit of cost."""

SERVES = 8.0
"""Trials that share what is paid once: a bottle that is loaded serves later ones too."""

WEIGHT = 3.0
"""How many trials it takes until a belief counts as much as a gain does."""

FAR = 40.0
"""Widths away from a belief beyond which nothing changes."""


class Weighing:
    r"""What one call adds to the logarithm of a gain.

    A gain is divided by a power of what the trial costs (the first would be expected
    improvement per unit of cost [1]_, a smaller one is as [2]_ have it). It is multiplied
    by what is believed, to a power that falls with the number of trials that have
    ended [3]_:

    .. math:: \log a - \alpha \log c + \frac{\beta}{n} \log \pi

    Without a cost and beliefs nothing is added.

    References
    ----------
    .. [1] Snoek, Larochelle and Adams, NeurIPS 25 (2012), arXiv:1206.2944.
    .. [2] Lee, Perrone, Archambeau and Seeger (2020), arXiv:2003.10870.
    .. [3] Hvarfner et al., ICLR (2022), arXiv:2204.11051.
    """

    def __init__(
        self,
        quantities: Quantities,
        cost: Cost | None,
        beliefs: Beliefs | None,
        observed: Sequence[Observation],
        pending: Sequence[Candidate],
        failed: Sequence[Candidate],
    ) -> None:
        self.quantities, self.space = quantities, quantities.space
        self.cost, self.beliefs = cost, beliefs
        self._charged = cost.shared(SERVES) if cost else None
        self.power = WEIGHT / max(len(observed) + len(failed), 1)
        made = (one.candidate for one in observed)
        self._loaded = loaded_by(chain(made, pending, failed), self.space)

    def weighed(self, gain: Score, chosen: Sequence[Candidate]) -> Score:
        """Return what gives the log of the weighed gain (m) of points (m x d).

        ``chosen`` are candidates of the same batch.
        """
        if self.cost is None and self.beliefs is None:
            return gain
        columns = self.quantities.columns
        charged = self._charged
        options = columns(charged.options if charged else {})
        first = columns(self._unused(chosen))
        odds = columns(
            {
                name: {option: math.log(one) for option, one in table.items()}
                for name, table in (
                    self.beliefs.options if self.beliefs else {}
                ).items()
            }
        )

        def score(points: torch.Tensor) -> torch.Tensor:
            labels = self.quantities.labels(points)
            counts = self.quantities.counts(labels)
            score = gain(points)
            if charged is not None:
                costs = charged.each + _looked_up([*options, *first], labels, counts)
                values = self.quantities.values(points, labels, charged.per)
                for name, rate in charged.per.items():
                    part = rate.each * (values[name] - rate.origin)
                    costs = costs + _where(counts, name, part)
                score = score - POWER * costs.log()
            if self.beliefs is not None:
                belief = _looked_up(odds, labels, counts)
                values = self.quantities.values(points, labels, self.beliefs.numbers)
                for name, near in self.beliefs.numbers.items():
                    z = ((values[name] - near.value) / near.within).clamp(-FAR, FAR)
                    part = FLOOR + (1.0 - FLOOR) * (-0.5 * z.square()).exp()
                    belief = belief + _where(counts, name, part.log())
                score = score + self.power * belief
            return score

        return score

    def divisor(self, candidate: Candidate, chosen: Sequence[Candidate]) -> float:
        """Return what the gain of a candidate is divided by; 1 without a cost."""
        if self._charged is None:
            return 1.0
        loaded = self._loaded | loaded_by(chosen, self.space)
        return math.pow(self._charged.of(candidate, self.space, loaded), POWER)

    def believed(self, candidate: Candidate) -> float:
        """Return what the log gain of a candidate is given for what is believed of it."""
        if self.beliefs is None:
            return 0.0
        return self.power * math.log(self.beliefs.of(candidate, self.space))

    def again(self, observed: Sequence[Observation]) -> np.ndarray:
        """Return the divisor of each observation, made once more; shape n."""
        return np.array([self.divisor(one.candidate, ()) for one in observed])

    def note(self, candidate: Candidate, chosen: Sequence[Candidate]) -> dict[str, Any]:
        """Return what the card says of a candidate, beside the reason for it."""
        found: dict[str, Any] = {}
        if self.cost is not None:
            loaded = self._loaded | loaded_by(chosen, self.space)
            found["cost"] = round(self.cost.of(candidate, self.space, loaded), 4)
        if self.beliefs is not None:
            found["believed"] = round(self.beliefs.of(candidate, self.space), 4)
        return found

    def _unused(self, chosen: Sequence[Candidate]) -> dict[str, dict[str, float]]:
        """Return what is charged for options that no trial has used yet."""
        if self._charged is None:
            return {}
        loaded = self._loaded | loaded_by(chosen, self.space)
        return {
            name: {o: one for o, one in costs.items() if (name, o) not in loaded}
            for name, costs in self._charged.first.items()
        }


def _looked_up(
    columns: Sequence[Column], labels: np.ndarray, counts: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    """Return the sum of what columns say of the options chosen (m x k); shape m."""
    total = torch.zeros(len(labels), dtype=torch.double)
    for name, k, row in columns:
        total = total + _where(counts, name, torch.from_numpy(row[labels[:, k]]))
    return total


def _where(
    counts: Mapping[str, torch.Tensor], name: str, part: torch.Tensor
) -> torch.Tensor:
    """Return a parameter's part, 0 where it does not count."""
    return torch.where(counts[name], part, 0.0) if name in counts else part
