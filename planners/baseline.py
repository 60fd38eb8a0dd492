"""Random search: what every other planner has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from planners.data import Candidate, Limit, Objective, Observation, Proposal
from planners.question import (
    Asked,
    SpaceExhausted,
    all_asked,
    call_seed,
    check_question,
)
from planners.space import Space

PATIENCE = 1000
"""Draws without a new candidate, after which a finite space is searched in order."""

RULED = 100
"""As many of numbers that keep rules, since each takes ten times as long."""


def draw(space: Space, rng: np.random.Generator, asked: Asked) -> Candidate:
    """Draw a candidate that was not asked for: of the pool, or evenly of the space."""
    if space.pool:
        free = [candidate for candidate in space.pool if candidate not in asked]
        if free:
            return free[int(rng.integers(len(free)))]
        raise SpaceExhausted(f"space: all {len(space.pool)} candidates were asked for")
    known = 0
    for _ in range(PATIENCE):
        options = {
            choice.name: str(rng.choice(list(choice.options)))
            for choice in space.choices
        }
        options = space.counted(options)
        regions = space.regions(options)
        if not regions:
            continue
        region = regions[0]
        if len(regions) > 1:
            sizes = np.array([one.size for one in regions])
            region = regions[int(rng.choice(len(regions), p=sizes / sizes.sum()))]
        point = map(float, region.draw(rng, 1)[0])
        names = [real.name for real in space.reals]
        candidate = space.candidate(dict(zip(names, point, strict=True)), options)
        if candidate not in asked:
            return candidate
        known += 1
        if space.rules and known == RULED:
            break
    for candidate in space.every():
        if candidate not in asked:
            return candidate
    raise SpaceExhausted(
        f"space: {len(asked)} candidates were asked for, and there is no other"
    )


class RandomPlanner:
    """Proposes uniform draws, whatever was observed.

    Parameters
    ----------
    space, objectives, limits:
        Of the campaign.
    seed:
        Chooses the sequence.
    initial:
        Not used; there so that every planner is built alike.
    """

    def __init__(
        self,
        space: Space,
        objectives: Sequence[Objective],
        seed: int,
        initial: int = 0,
        *,
        limits: Sequence[Limit] = (),
    ) -> None:
        self.space = space
        self.objectives = tuple(objectives)
        self.limits = tuple(limits)
        self.seed = seed

    def propose(
        self,
        n: int,
        *,
        observed: Sequence[Observation],
        pending: Sequence[Candidate] = (),
        failed: Sequence[Candidate] = (),
    ) -> Proposal:
        """Return ``n`` candidates to make next (see `planners.protocol.Planner`)."""
        check_question(n, observed, self.space, self.objectives, self.limits)
        asked = all_asked(observed, pending, failed)
        told = len(observed) + len(pending) + len(failed)
        rng = np.random.default_rng(call_seed(self.seed, told))
        candidates = []
        for _ in range(n):
            candidates.append(draw(self.space, rng, asked))
            asked.add(candidates[-1])
        card = {"planner": "random", "seed": self.seed, "told": told}
        return Proposal(tuple(candidates), card)
