"""Planners side by side on tables of measurements: `polyloop bench planners`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from orchestrator.benches.peers.pipe import PEERS, Peer, command
from orchestrator.benches.results import Result, Results
from orchestrator.lab import find
from planners.protocol import Planner
from planners.table import Table, search

OURS, CHANCE = "ours", "random"
INSIDE = {
    OURS: "planners.bayes.planner:BayesPlanner",
    "botorch": "planners.bayes.plain:PlainBotorch",
    CHANCE: "planners.baseline:RandomPlanner",
}
"""Who searches in this process, and what it is made by."""

CONTESTANTS = (OURS, *PEERS, "botorch", CHANCE)
"""Who searches."""

RESAMPLES = 2000
"""Draws of the seeds, for an interval."""

BUDGET = 200
"""Most experiments of a search."""


@dataclass
class Score:
    """One contestant on one table: a result for each seed."""

    name: str
    table: Table
    contestant: str
    results: list[Result] = field(default_factory=list)

    def counts(self, goal: str) -> np.ndarray:
        """Return the experiments to a goal, one for each seed."""
        return np.array([one.counts[goal] for one in self.results])

    @property
    def seconds(self) -> float:
        """Processor time of one call, the median over seeds of their medians."""
        every = [s for s in (one.seconds for one in self.results) if not np.isnan(s)]
        return float(np.median(every)) if every else float("nan")

    @property
    def coverage(self) -> float:
        """Share of next measurements within the intervals that were to hold 90 %."""
        intervals = sum(one.intervals for one in self.results)
        covered = sum(one.covered for one in self.results)
        return covered / intervals if intervals else float("nan")


@contextmanager
def planner(contestant: str, table: Table, seed: int) -> Iterator[Planner]:
    """Yield a contestant for one search of a table; a peer's process ends with it."""
    if contestant in PEERS:
        peer = Peer(contestant, command(contestant), table, seed)
        try:
            yield peer
        finally:
            peer.close()
    else:
        made = find(INSIDE[contestant])
        more = {"wanted": table.wanted} if contestant == OURS else {}
        yield made(table.space, [table.objective], seed=seed, initial=0, **more)


def contest(
    tables: Sequence[Table],
    contestants: Sequence[str],
    seeds: int,
    change: Mapping[str, bool],
    results: Results,
) -> Iterator[Score]:
    """Yield scores as they come: the same initial rows for each contestant of a seed.

    ``change`` says whether tables are ``shuffled`` or ``failing``, anew for each seed: of
    one shuffle alone the best rows may lie where everyone looks first. A search that
    ``results`` know is not made again.
    """
    for table in tables:
        for contestant in contestants:
            score = Score(table.name, table, contestant)
            for seed in range(seeds):
                here = table.shuffled(seed) if change["shuffled"] else table
                here = here.failing(seed) if change["failing"] else here
                score.name = here.name
                key = here.name, contestant, seed
                result = results.get(key, [goal.name for goal in table.goals])
                if result is None:
                    rng = np.random.default_rng(seed)
                    initial = rng.choice(
                        len(table.values), table.initial, replace=False
                    )
                    with planner(contestant, here, seed) as one:
                        found = search(one, here, initial.tolist(), BUDGET)
                    result = Result.of(found)
                    results.add(key, result)
                score.results.append(result)
            yield score


def interval(counts: np.ndarray) -> tuple[float, float, float]:
    """Return the median, and the ends of its 95 % bootstrap interval."""
    medians = np.median(counts[drawn_seeds(len(counts))], axis=1)
    low, high = np.quantile(medians, (0.025, 0.975))
    return float(np.median(counts)), float(low), float(high)


def ratio(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float, float]:
    """Return the ratio of the medians, and its interval with the seeds paired."""
    return overall([[ours]], [[theirs]])


def overall(
    ours: Sequence[Sequence[np.ndarray]], theirs: Sequence[Sequence[np.ndarray]]
) -> tuple[float, float, float]:
    """Return the geometric mean of ratios of medians, and its 95 % bootstrap interval.

    Parameters
    ----------
    ours, theirs:
        Experiments for each seed; for each set, and of it for each goal. The goals of a
        set share its weight. A drawn seed is drawn for both and in every set.
    """
    seeds = len(ours[0][0])
    exact, drawn = np.arange(seeds)[None], drawn_seeds(seeds)

    def mean(rows: np.ndarray) -> np.ndarray:
        sets = [
            np.mean(
                [
                    np.log(np.median(o[rows], axis=1) / np.median(t[rows], axis=1))
                    for o, t in zip(one, other, strict=True)
                ],
                axis=0,
            )
            for one, other in zip(ours, theirs, strict=True)
        ]
        geometric: np.ndarray = np.exp(np.mean(sets, axis=0))
        return geometric

    low, high = np.quantile(mean(drawn), (0.025, 0.975))
    return float(mean(exact)[0]), float(low), float(high)


def drawn_seeds(seeds: int) -> np.ndarray:
    """Return seeds drawn anew, always the same ones, shape resamples x seeds."""
    rng = np.random.default_rng(0)
    return rng.integers(seeds, size=(RESAMPLES, seeds))


def report(scores: Iterator[Score]) -> Iterator[str]:
    """Yield a line for each score and goal, as they come; then one for each contestant."""
    head = ("set", "goal", "planner", "experiments", "of the first", "CPU s", "in 90 %")
    yield _line(head)
    first: dict[str, Score] = {}
    every: dict[str, dict[str, list[np.ndarray]]] = {}
    for score in scores:
        lead = first.setdefault(score.name, score)
        for goal in score.table.goals:
            counts = score.counts(goal.name)
            every.setdefault(score.contestant, {}).setdefault(score.name, []).append(
                counts
            )
            median, low, high = interval(counts)
            share = ""
            if lead is not score:
                share = _three(ratio(lead.counts(goal.name), counts))
            yield _line(
                (
                    *(score.table.name, goal.name, score.contestant),
                    f"{median:g} ({low:.3g} to {high:.3g})",
                    share,
                    f"{score.seconds:.2f}",
                    "" if np.isnan(score.coverage) else f"{score.coverage:.0%}",
                )
            )
    if len(every) > 1:
        yield from _summary({who: list(sets.values()) for who, sets in every.items()})


def _summary(every: Mapping[str, Sequence[Sequence[np.ndarray]]]) -> Iterator[str]:
    """Yield what is true over all sets: against the first, and against the best."""
    first = next(iter(every))
    alone = [[np.ones_like(goal) for goal in one] for one in every[first]]
    means = {who: overall(sets, alone)[0] for who, sets in every.items()}
    best = min((who for who in every if who != OURS), key=means.__getitem__)
    yield ""
    yield f"geometric means over sets: {len(alone)}; the best single peer: {best}"
    widths = (8, 11, 22, 22)
    yield _line(("planner", "experiments", "of the first", "of the best peer"), widths)
    for who, sets in every.items():
        shares = [
            "" if who == other else _three(overall(every[other], sets))
            for other in (first, best)
        ]
        yield _line((who, f"{means[who]:.1f}", *shares), widths)


def _three(found: tuple[float, float, float]) -> str:
    return "{:.2f} ({:.2f} to {:.2f})".format(*found)


def _line(
    cells: Sequence[str], widths: Sequence[int] = (14, 16, 8, 20, 22, 6, 7)
) -> str:
    text = "  ".join(f"{c:{w}}" for c, w in zip(cells, widths, strict=True))
    return text.rstrip()
