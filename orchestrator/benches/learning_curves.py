"""``polyloop bench loop``: the loop's own campaign without a lab, planner beside planner.

A trial is a film of the simulated chemistry, made by the recipe of the candidate in the
laboratory of the seed, with its scatter and failures, and measured with an error. What
is counted is what the planner never sees: what that recipe gives in the laboratory of the
literature, where like is like.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.benches.contest import INSIDE, OURS, drawn_seeds
from orchestrator.benches.films import Films
from orchestrator.config.models import Campaign
from orchestrator.errors import Refused
from orchestrator.lab import find
from orchestrator.recipes import compile_recipe
from planners.backtest import backtest
from planners.baseline import draw
from planners.data import Candidate, Estimate, Observation, Proposal
from planners.protocol import Planner
from planners.question import Asked
from planners.space import Space

QUANTITY, UNIT, TRUTH = "conductivity", "S/cm", "conductivity_S_cm"
"""What is looked for, and what the films call it."""

MEASURED = 0.05
"""Relative standard uncertainty of a measured conductivity; most of it is the thickness."""

POOL = 2000
"""Candidates drawn for a planner that searches a pool only."""

EVERY = 8
"""Trials between two rows of the table."""

ENDINGS = (".csv", ".png", ".svg")


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched: ``in_flight`` trials at once, ``initial`` of them by a design."""

    campaign: Campaign
    trials: int
    in_flight: int

    @property
    def initial(self) -> int:
        return self.campaign.planner.initial


@dataclass(frozen=True, slots=True)
class Curve:
    """The best true value so far after each trial; ``seconds`` of processor time in all."""

    contestant: str
    seed: int
    best: tuple[float, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class InPool:
    """A planner of pools: it begins with ``design``, the first rows of its pool."""

    design: Sequence[Candidate]
    planner: Planner

    def propose(
        self,
        n: int,
        *,
        observed: Sequence[Observation],
        pending: Sequence[Candidate] = (),
        failed: Sequence[Candidate] = (),
    ) -> Proposal:
        """Return ``n`` candidates to make next (see `planners.protocol.Planner`)."""
        told = len(observed) + len(pending) + len(failed)
        if told + n <= len(self.design):
            return Proposal(tuple(self.design[told : told + n]), {})
        return self.planner.propose(
            n, observed=observed, pending=pending, failed=failed
        )


def check(campaign: Campaign) -> Path:
    """Return the bench file of a campaign that can be searched so, or refuse it."""
    goals = [(one.name, one.unit, one.direction) for one in campaign.objectives]
    if goals != [(QUANTITY, UNIT, "maximise")] or campaign.limits:
        rule = f"one objective, {QUANTITY} in {UNIT} to maximise, and no limits"
        raise Refused(f"{campaign.path}: objectives — must be {rule}")
    if campaign.lab.bench is None:
        raise Refused(
            f"{campaign.lab.path}: bench — a real lab has no chemistry to ask"
        )
    return campaign.lab.bench


def contestant(name: str, search: Search, seed: int) -> Planner:
    """Return who searches, for one seed."""
    campaign, initial = search.campaign, search.initial
    asked = (campaign.space, campaign.objectives)
    if name != "botorch":
        made: Planner = find(INSIDE[name])(*asked, seed=seed, initial=initial)
        return made
    ours = contestant(OURS, search, seed)
    pool = list(ours.propose(initial, observed=[]).candidates)
    rng, known = np.random.default_rng(seed), Asked(pool)
    while len(pool) < POOL:
        pool.append(draw(campaign.space, rng, known))
        known.add(pool[-1])
    space = Space(campaign.space.parameters, tuple(pool), campaign.space.rules)
    plain = find(INSIDE[name])(space, campaign.objectives, seed=seed)
    return InPool(pool[:initial], plain)


def curve(name: str, search: Search, seed: int) -> Curve:
    """Run one campaign in memory."""
    bench, campaign = check(search.campaign), search.campaign
    hand = np.random.default_rng(seed)
    with ExitStack() as stack:
        here = stack.enter_context(Films(bench, seed))
        ideal = stack.enter_context(Films(bench, seed, ideal=True))

        def lab(candidate: Candidate) -> Mapping[str, Estimate] | None:
            film = here.made(compile_recipe(campaign, candidate))
            error = MEASURED * float(hand.standard_normal())
            if film["flaws"]:
                return None
            value = film[TRUTH] * (1.0 + error)
            return {QUANTITY: Estimate(value, MEASURED * value)}

        def truth(candidate: Candidate) -> float:
            return float(ideal.made(compile_recipe(campaign, candidate))[TRUTH])

        began = time.process_time()
        found = backtest(
            contestant(name, search, seed),
            lab,
            truth,
            campaign.objectives[0],
            trials=search.trials,
            in_flight=search.in_flight,
        )
        return Curve(name, seed, found.best_so_far, time.process_time() - began)


def curves(search: Search, names: Sequence[str], seeds: int) -> Iterator[Curve]:
    """Yield each search as it ends; a seed is another laboratory, from 1 on."""
    for seed in range(1, seeds + 1):
        for name in names:
            yield curve(name, search, seed)


def mean(values: Any) -> tuple[float, float, float]:
    """Return the geometric mean over seeds, and the ends of its 95 % bootstrap interval.

    Examples
    --------
    >>> [round(one) for one in mean([3000.0, 3000.0])]
    [3000, 3000, 3000]
    """
    logs = np.log(np.asarray(values, float))
    low, high = np.quantile(logs[drawn_seeds(len(logs))].mean(axis=1), (0.025, 0.975))
    exact, low, high = np.exp([logs.mean(), low, high])
    return float(exact), float(low), float(high)


def by_name(found: Sequence[Curve]) -> dict[str, np.ndarray]:
    """Return the curves of each contestant, shape seeds x trials, in S/cm."""
    names = dict.fromkeys(one.contestant for one in found)
    return {
        name: np.array([one.best for one in found if one.contestant == name])
        for name in names
    }


def table(found: Sequence[Curve]) -> Iterator[list[str]]:
    """Yield the rows of the table: the head, some numbers of trials, what it took."""
    best = by_name(found)
    trials = len(found[0].best)
    yield ["trials", *best]
    for made in [*range(EVERY, trials, EVERY), trials]:
        cells = (mean(one[:, made - 1]) for one in best.values())
        yield [f"{made}", *("{:.0f} ({:.0f} to {:.0f})".format(*one) for one in cells)]
    last = {name: one[:, -1] for name, one in best.items()}
    first = next(iter(last.values()))
    ratios = [
        "{:.2f} ({:.2f} to {:.2f})".format(*mean(first / o)) for o in last.values()
    ]
    yield ["the first over it", "", *ratios[1:]]
    seconds = {
        name: [one.seconds for one in found if one.contestant == name] for name in best
    }
    yield ["CPU s a campaign", *(f"{np.median(one):.1f}" for one in seconds.values())]


def check_ending(path: Path) -> None:
    """Refuse a file that nothing can be written to."""
    if path.suffix not in ENDINGS:
        raise Refused(f"--to: {path} — must end in {', '.join(ENDINGS)}")


def write(found: Sequence[Curve], path: Path) -> None:
    """Write every curve, as a row a trial or drawn, as the file's ending says."""
    if path.suffix == ".csv":
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["planner", "seed", "trial", f"best true {QUANTITY} [{UNIT}]"])
        for one in found:
            for trial, value in enumerate(one.best, 1):
                rows.writerow([one.contestant, one.seed, trial, f"{value:.6g}"])
        path.write_text(text.getvalue(), "utf-8")
        return
    from orchestrator.reporting import plots

    figure, axes = plots.new_figure(7.4, 3.7)
    for (name, best), colour in zip(
        by_name(found).items(), plots.COLOURS, strict=False
    ):
        trials = np.arange(1, best.shape[1] + 1)
        axes.step(trials, best.T, where="post", color=colour, lw=0.6, alpha=0.4)
        middle = np.exp(np.log(best).mean(axis=0))
        axes.step(trials, middle, where="post", color=colour, lw=1.8, label=name)
    axes.set_xlabel("trials")
    axes.set_ylabel(plots.axis_label(f"best true {QUANTITY}", UNIT))
    plots.add_legend(figure, axes)
    if path.suffix == ".png":
        path.write_bytes(plots.png(figure))
    else:
        path.write_text(plots.svg(figure), "utf-8")
