"""What earlier campaigns are good for: the first candidates of this one.

Each earlier campaign has a surrogate of its own, and says what it would make; half of the
initial design is that, the other half fills the space. What was measured there is never
taken for a measurement here, so that a campaign that misleads costs no more than its part
of the initial design.

Shapes: m points, d columns of a point.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from planners.bayes.acquisition import Score, in_chunks
from planners.bayes.composite import desired
from planners.bayes.encoding import Encoding
from planners.bayes.surrogate import NUMERICAL, FitFailed, fit, known_noise, targets
from planners.data import Earlier, Objective, Observation
from planners.desirability import Desirability, quantities

MOST = 300
"""Most observations of an earlier campaign that are looked at; a fit grows as the cube."""


class Past:
    """What earlier campaigns expect of points.

    ``notes`` says of each how many observations it has, or why it has no surrogate.
    """

    def __init__(
        self,
        earlier: Sequence[Earlier],
        encoding: Encoding,
        objectives: Sequence[Objective],
    ) -> None:
        self.notes: dict[str, str] = {}
        self.expected: list[tuple[str, Score]] = []
        for one in earlier:
            for objective in objectives:
                name = f"{one.name}: {objective.name}"
                try:
                    expect = _expectation(one.observations, encoding, objective)
                except (FitFailed, *NUMERICAL) as reason:
                    self.notes[name] = f"not used: {reason}"
                else:
                    self.notes[name] = f"{len(one.observations)} observations"
                    self.expected.append((name, expect))

    def best(self, turn: int, points: torch.Tensor) -> tuple[str, Iterator[int]]:
        """Return whose turn it is, and the numbers of points (m x d) it would make."""
        name, expect = self.expected[turn % len(self.expected)]
        order = in_chunks(expect, points).argsort(descending=True, stable=True)
        return name, iter(order.tolist())


def _expectation(
    observations: Sequence[Observation], encoding: Encoding, objective: Objective
) -> Score:
    kept = thinned(observations, objective)
    points = encoding.encode([one.candidate for one in kept])
    apart = encoding.between(points, points)
    fits = [
        fit(
            apart,
            targets(kept, goal),
            known_noise(kept, goal),
            encoding.used_by_view(),
        )
        for goal in quantities([objective])
    ]
    processes, best = [one.process for one in fits], fits[0].best

    def expect(some: torch.Tensor) -> torch.Tensor:
        between = encoding.between(some, points)
        means = [one.expected(one.kernel(between)) for one in processes]
        if isinstance(objective, Desirability):
            return desired(objective, processes, means)[best]
        return means[0][best]

    return expect


def thinned(
    observations: Sequence[Observation], objective: Objective
) -> list[Observation]:
    """Return at most `MOST` observations, evenly from the lowest to the highest.

    Of what several quantities make, those of the first.
    """
    name = quantities([objective])[0].name
    ranked = sorted(observations, key=lambda one: one.estimates[name].value)
    places = np.linspace(0, len(ranked) - 1, min(len(ranked), MOST)).round()
    return [ranked[int(i)] for i in places]
