"""A table of measurements as a lab: a planner proposes among the rows not yet measured."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from planners.data import Candidate, Estimate, Objective, Observation
from planners.protocol import Planner
from planners.space import Real, Space


@dataclass(frozen=True, slots=True)
class Goal:
    """To have found ``count`` of the best ``share`` of all rows."""

    name: str
    share: float
    count: int | float

    def wanted(self, rows: int) -> tuple[int, int]:
        """Return how many rows are the best, and how many of them are to be found."""
        top = max(1, math.ceil(self.share * rows))
        if isinstance(self.count, float):
            return top, math.ceil(self.count * top)
        return top, self.count


TOP = Goal("to top-1 %", 0.01, 1)
"""One row of the best hundredth."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that were measured: the pool of ``space``, and the value of each row.

    ``fails`` are the numbers of rows that say nothing when they are made; ``wanted`` is
    how many good rows a planner that can be told so is told to look for.
    """

    name: str
    space: Space
    objective: Objective
    values: tuple[float, ...]
    batch: int = 1
    initial: int = 2
    goals: tuple[Goal, ...] = (TOP,)
    fails: frozenset[int] = frozenset()
    wanted: int = 1

    @property
    def ranks(self) -> np.ndarray:
        """The place of each row, 0 for the best."""
        values = np.array(self.values)
        if self.objective.direction == "maximise":
            values = -values
        ranks: np.ndarray = values.argsort(kind="stable").argsort(kind="stable")
        return ranks

    def shuffled(self, seed: int) -> Table:
        """Return the table with its values dealt to other rows: nothing to learn."""
        values = np.random.default_rng(seed).permutation(self.values)
        name = f"{self.name}, shuffled"
        return replace(self, name=name, values=tuple(values.tolist()))

    def failing(self, seed: int, share: float = 0.25) -> Table:
        """Return the table with a corner of it failing: the rows most like a drawn one.

        Corners that hold one of the best hundredth are drawn anew, or there would be
        another goal; if all do, those rows do not fail.
        """
        rng = np.random.default_rng(seed)
        best = self.ranks < math.ceil(0.01 * len(self.values))
        for _ in range(100):
            away = self._away(int(rng.integers(len(self.values))))
            corner = away.argsort(kind="stable")[: int(share * len(away))]
            if not best[corner].any():
                break
        fails = frozenset(corner[~best[corner]].tolist())
        return replace(self, name=f"{self.name}, a quarter fails", fails=fails)

    def _away(self, row: int) -> np.ndarray:
        """Return how unlike one row each row is: squared, every parameter alike."""
        total = np.zeros(len(self.values))
        for p in self.space.parameters:
            column = np.array(
                [candidate.values[p.name] for candidate in self.space.pool]
            )
            if isinstance(p, Real):
                total += ((column - column[row]) / (p.high - p.low)) ** 2
            else:
                total += column != column[row]
        return total


@dataclass(frozen=True, slots=True)
class Search:
    """What became of one search through a table.

    ``counts`` are the experiments to each goal, initial rows and failures included;
    one more than were made if it was not reached. ``seconds`` is processor time for
    each call to the planner, ``covered`` whether each next measurement was within the
    interval that was to hold nine in ten.
    """

    rows: tuple[int, ...]
    counts: Mapping[str, int]
    seconds: tuple[float, ...] = ()
    covered: tuple[bool, ...] = field(default=())


def search(
    planner: Planner, table: Table, initial: Sequence[int], budget: int
) -> Search:
    """Let a planner search a table, from given rows, until every goal is reached."""
    pool = table.space.pool
    number = {candidate.id: i for i, candidate in enumerate(pool)}
    rows, seconds, covered = list(initial), [], []
    while len(rows) < budget and not _reached(table, rows):
        observed, failed = _told(table, rows)
        began = time.process_time()
        n = min(table.batch, len(pool) - len(rows))
        proposal = planner.propose(n, observed=observed, failed=failed)
        spent = time.process_time() - began
        seconds.append(float(proposal.card.get("seconds", spent)))
        for candidate, reason in zip(
            proposal.candidates,
            proposal.card.get("candidates", [{}] * n),
            strict=True,
        ):
            rows.append(number[candidate.id])
            if "predicted_90" in reason and rows[-1] not in table.fails:
                low, high = reason["predicted_90"]
                value = table.values[rows[-1]]
                if table.objective.scale == "log":
                    value = math.log10(value)
                covered.append(low <= value <= high)
    counts = {goal.name: _count(table, rows, goal) for goal in table.goals}
    return Search(tuple(rows), counts, tuple(seconds), tuple(covered))


def _told(
    table: Table, rows: Sequence[int]
) -> tuple[list[Observation], list[Candidate]]:
    pool, name = table.space.pool, table.objective.name
    observed = [
        Observation(pool[i], {name: Estimate(table.values[i], 0.0)})
        for i in rows
        if i not in table.fails
    ]
    return observed, [pool[i] for i in rows if i in table.fails]


def _count(table: Table, rows: Sequence[int], goal: Goal) -> int:
    """Return how many rows were made when a goal was reached; else one more."""
    top, wanted = goal.wanted(len(table.values))
    found = np.cumsum((table.ranks < top)[list(rows)])
    reached = np.flatnonzero(found >= wanted)
    return int(reached[0]) + 1 if len(reached) else len(rows) + 1


def _reached(table: Table, rows: Sequence[int]) -> bool:
    return all(_count(table, rows, goal) <= len(rows) for goal in table.goals)
