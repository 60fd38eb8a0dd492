"""What every planner does with a question before it answers: check, seed, forbid."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from planners.data import Candidate, Limit, Objective, Observation
from planners.desirability import quantities
from planners.space import Space, SpaceError


class BadQuestion(ValueError):
    """A question that no planner can answer; the text says what is wrong with it."""


class SpaceExhausted(BadQuestion):
    """Every candidate of a finite space has been asked for."""


def check_question(
    n: int,
    observed: Sequence[Observation],
    space: Space,
    objectives: Sequence[Objective],
    limits: Sequence[Limit] = (),
) -> None:
    """Refuse ``n`` below 1 and observations that cannot be learned from."""
    if n < 1:
        raise BadQuestion(f"propose: n is {n}, which must be at least 1")
    for observation in observed:
        candidate = observation.candidate
        place = f"candidate {candidate.id} {dict(candidate.values)}"
        for objective in (
            *quantities(objectives),
            *(Objective(one.name, one.unit) for one in limits),
        ):
            if objective.name not in observation.estimates:
                raise BadQuestion(f"{place}: no estimate of {objective.name}")
            estimate = observation.estimates[objective.name]
            text = f"{place}: {objective.name} {estimate.value} ± {estimate.std}"
            if not (math.isfinite(estimate.value) and math.isfinite(estimate.std)):
                raise BadQuestion(f"{text} must be finite")
            if objective.scale == "log" and estimate.value <= 0:
                raise BadQuestion(f"{text} must be above 0 on a log scale")
        for choice in space.choices:
            if candidate.values.get(choice.name) not in choice.options:
                raise BadQuestion(f"{place}: {choice.name} is not among its options")
        try:
            space.positions(candidate)
        except (KeyError, SpaceError) as wrong:
            raise BadQuestion(f"{place}: not in the space: {wrong}") from wrong


def call_seed(seed: int, asked: int) -> np.random.SeedSequence:
    """Return the seed of one call: from the planner's own, and how many it has asked.

    Asking again with the same ledger gives the same answer; the next call differs.
    """
    return np.random.SeedSequence([seed, asked])


class Asked:
    """Every candidate asked for so far, by its values."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._ids = {candidate.id for candidate in candidates}

    def __contains__(self, candidate: Candidate) -> bool:
        return candidate.id in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, candidate: Candidate) -> None:
        """Remember one more."""
        self._ids.add(candidate.id)


def all_asked(
    observed: Sequence[Observation],
    pending: Sequence[Candidate],
    failed: Sequence[Candidate],
) -> Asked:
    """Gather whatever was asked for, however it ended."""
    return Asked([*(o.candidate for o in observed), *pending, *failed])
