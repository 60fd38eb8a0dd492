"""Backtest: a planner against a truth that can be called, with trials in flight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from planners.data import Candidate, Estimate, Objective, Observation
from planners.protocol import Planner

Lab = Callable[[Candidate], Mapping[str, Estimate] | None]
"""What a trial would find: an estimate for each objective, or None if it failed."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """What was asked for, in order, and the value of the best so far after each."""

    candidates: tuple[Candidate, ...]
    best_so_far: tuple[float, ...]


def backtest(
    planner: Planner,
    lab: Lab,
    truth: Callable[[Candidate], float],
    objective: Objective,
    *,
    trials: int,
    in_flight: int = 1,
) -> Backtest:
    """Run a campaign in memory, ``in_flight`` trials at once, the oldest ending first.

    Parameters
    ----------
    planner:
        Asked for one candidate whenever a place is free.
    lab:
        Called once for each trial, in order; its noise is its own.
    truth:
        What the best so far is counted in: the noiseless value, in the objective's
        unit.
    objective:
        Gives the direction.
    """
    asked: list[Candidate] = []
    observed: list[Observation] = []
    failed: list[Candidate] = []
    pending: list[Candidate] = []
    while len(asked) < trials or pending:
        while len(asked) < trials and len(pending) < in_flight:
            proposal = planner.propose(
                1, observed=observed, pending=pending, failed=failed
            )
            pending += proposal.candidates
            asked += proposal.candidates
        candidate = pending.pop(0)
        estimates = lab(candidate)
        if estimates is None:
            failed.append(candidate)
        else:
            observed.append(Observation(candidate, estimates))
    better = max if objective.direction == "maximise" else min
    best: list[float] = []
    for candidate in asked:
        best.append(better([truth(candidate), *best[-1:]]))
    return Backtest(tuple(asked), tuple(best))
