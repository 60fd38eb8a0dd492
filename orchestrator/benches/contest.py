"""Planners side by side on tables of measurements: `polyloop bench planners`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from orchestrator.lab import find
from planners.protocol import Planner
from planners.table import Search, Table, search

CONTESTANTS = {
    "ours": "planners.bayes.planner:BayesPlanner",
    "botorch": "planners.bayes.plain:PlainBotorch",
    "random": "planners.baseline:RandomPlanner",
}
"""Who searches, and what it is made by."""

RESAMPLES = 2000
"""Draws of the seeds, for an interval."""

BUDGET = 200
"""Most experiments of a search."""


@dataclass
class Score:
    """One contestant on one table: a search for each seed."""

    table: Table
    contestant: str
    searches: list[Search] = field(default_factory=list)

    def counts(self, goal: str) -> np.ndarray:
        """Return the experiments to a goal, one for each seed."""
        return np.array([one.counts[goal] for one in self.searches])

    @property
    def seconds(self) -> float:
        """Processor time of one call, the median."""
        every = [s for one in self.searches for s in one.seconds]
        return float(np.median(every)) if every else float("nan")

    @property
    def coverage(self) -> float:
        """Share of next measurements within the intervals that were to hold 90 %."""
        every = [c for one in self.searches for c in one.covered]
        return float(np.mean(every)) if every else float("nan")


def maker(contestant: str, table: Table) -> Callable[[int], Planner]:
    """Return what makes a contestant for a table, from a seed."""
    made = find(CONTESTANTS[contestant])

    def make(seed: int) -> Planner:
        planner: Planner = made(table.space, [table.objective], seed=seed, initial=0)
        return planner

    return make


def contest(
    tables: Sequence[Table],
    contestants: Sequence[str],
    seeds: int,
    change: Mapping[str, bool],
) -> Iterator[Score]:
    """Yield scores as they come: the same initial rows for each contestant of a seed.

    ``change`` says whether tables are ``shuffled`` or ``failing``, anew for each seed: of
    one shuffle alone the best rows may lie where everyone looks first.
    """
    for table in tables:
        for contestant in contestants:
            score = Score(table, contestant)
            for seed in range(seeds):
                here = table.shuffled(seed) if change["shuffled"] else table
                here = here.failing(seed) if change["failing"] else here
                rng = np.random.default_rng(seed)
                initial = rng.choice(len(table.values), table.initial, replace=False)
                planner = maker(contestant, here)(seed)
                score.searches.append(search(planner, here, initial.tolist(), BUDGET))
            yield score


def interval(counts: np.ndarray) -> tuple[float, float, float]:
    """Return the median, and the ends of its 95 % bootstrap interval."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(counts), size=(RESAMPLES, len(counts)))
    low, high = np.quantile(np.median(counts[drawn], axis=1), (0.025, 0.975))
    return float(np.median(counts)), float(low), float(high)


def ratio(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float, float]:
    """Return the ratio of the medians, and its interval with the seeds paired."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(ours), size=(RESAMPLES, len(ours)))
    medians = np.median(ours[drawn], axis=1) / np.median(theirs[drawn], axis=1)
    low, high = np.quantile(medians, (0.025, 0.975))
    return float(np.median(ours) / np.median(theirs)), float(low), float(high)


def report(scores: Iterator[Score]) -> Iterator[str]:
    """Yield a line for each score and goal, as they come."""
    head = ("set", "goal", "planner", "experiments", "of the first", "CPU s", "in 90 %")
    widths = (14, 16, 8, 18, 22, 6, 7)

    def line(cells: Sequence[str]) -> str:
        return "  ".join(
            f"{c:{w}}" for c, w in zip(cells, widths, strict=True)
        ).rstrip()

    yield line(head)
    first: dict[str, Score] = {}
    for score in scores:
        lead = first.setdefault(score.table.name, score)
        for goal in score.table.goals:
            median, low, high = interval(score.counts(goal.name))
            share = ""
            if lead is not score:
                pair = ratio(lead.counts(goal.name), score.counts(goal.name))
                share = "{:.2f} ({:.2f} to {:.2f})".format(*pair)
            yield line(
                (
                    *(score.table.name, goal.name, score.contestant),
                    f"{median:g} ({low:g} to {high:g})",
                    share,
                    f"{score.seconds:.2f}",
                    "" if np.isnan(score.coverage) else f"{score.coverage:.0%}",
                )
            )
