"""What a cost and beliefs are worth, on tables that were measured.

A search ends when it has found one of the best hundredth; the bill of all its rows is
counted, whether or not the planner was told of the cost. Of beliefs there are a right one
(all that the best row is) and a wrong one (all that it is not), as sure as each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from orchestrator.benches.contest import BUDGET, interval, ratio
from orchestrator.benches.data_sets import read_set
from planners.bayes.planner import BayesPlanner
from planners.beliefs import Beliefs, Near
from planners.cost import Cost, Rate, loaded_by
from planners.space import Real
from planners.table import TOP, Table, search

COSTS: Mapping[str, Cost] = {
    "p3ht": Cost(
        "count",
        10.0,
        {"P3HT": Rate(0.2), "D1": Rate(1.0), "D2": Rate(0.5), "D6": Rate(2.0), "D8": Rate(0.2)},
    ),
    "suzuki1": Cost("min", 20.0, {"t_res": Rate(0.05), "temperature": Rate(0.5, 30.0)}),
    "arylation": Cost("min", 30.0, {"Temp_C": Rate(0.5, 90.0)}),
}  # fmt: skip
"""What it might cost: of a blend, its materials; of a reaction, half a minute for each K,
and of one in flow three volumes of the reactor at its residence time."""

BOTTLES: Mapping[str, Mapping[str, float]] = {
    "suzuki1": {"catalyst": 30.0},
    "arylation": {"Ligand": 60.0, "Base": 30.0, "Solvent": 30.0},
}
"""What it takes to load a bottle that nobody has used yet, in minutes."""

WIDTH = 0.2
"""How sure a belief is: its width, as a part of the range."""

ODDS = 3.0
"""How many times as likely the believed option is called."""


def cost_of(table: Table) -> Cost:
    """Return what the rows of a table might cost."""
    options = {one.name: one.options for one in table.space.choices}
    bottles = BOTTLES.get(table.name, {})
    first = {name: dict.fromkeys(options[name], one) for name, one in bottles.items()}
    return replace(COSTS[table.name], first=first)


def right(table: Table) -> Beliefs:
    """Return the belief in all that the best row is."""
    best = table.space.pool[int(np.argmin(table.ranks))]
    return _belief(table, {name: best.values[name] for name in best.values})


def wrong(table: Table) -> Beliefs:
    """Return the belief in the far ends, and in the option that is worst on average."""
    best = table.space.pool[int(np.argmin(table.ranks))]
    values: dict[str, float | str] = {}
    for one in table.space.parameters:
        if isinstance(one, Real):
            at = float(best.values[one.name])
            values[one.name] = one.low if at - one.low > one.high - at else one.high
        else:
            ranks = {
                option: np.mean(
                    [
                        rank
                        for row, rank in zip(table.space.pool, table.ranks, strict=True)
                        if row.values[one.name] == option
                    ]
                )
                for option in one.options
            }
            values[one.name] = max(ranks, key=ranks.__getitem__)
    return _belief(table, values)


def _belief(table: Table, values: Mapping[str, float | str]) -> Beliefs:
    return Beliefs(
        {
            real.name: Near(float(values[real.name]), WIDTH * (real.high - real.low))
            for real in table.space.reals
        },
        {one.name: {str(values[one.name]): ODDS} for one in table.space.choices},
    )


def bill(table: Table, rows: Sequence[int], cost: Cost) -> float:
    """Return what rows cost, made in this order."""
    made = [table.space.pool[row] for row in rows]
    return sum(
        cost.of(one, table.space, loaded_by(made[:n], table.space))
        for n, one in enumerate(made)
    )


def searches(
    table: Table, seeds: int, cost: Cost | None, beliefs: Beliefs | None
) -> Iterator[tuple[int, float]]:
    """Yield for each seed how many rows were made, and what they cost."""
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        initial = rng.choice(len(table.values), table.initial, replace=False)
        planner = BayesPlanner(
            table.space, [table.objective], seed, 0, cost=cost, beliefs=beliefs
        )
        found = search(planner, table, initial.tolist(), BUDGET)
        rows = found.rows[: found.counts[TOP.name]]
        yield len(rows), bill(table, rows, cost_of(table))


def weighing(names: Sequence[str], folder: Path | None, seeds: int) -> Iterator[str]:
    """Yield a line for each table, and for each thing that the planner is told."""
    for name in names:
        table = read_set(name, folder)
        cost = cost_of(table)
        plain = None
        for told, asked, beliefs in (
            ("nothing", None, None),
            ("the cost", cost, None),
            ("what is so", None, right(table)),
            ("what is not so", None, wrong(table)),
        ):
            found = np.array(list(searches(table, seeds, asked, beliefs)), dtype=float)
            plain = found if plain is None else plain
            yield _line(name, told, found, plain, cost.unit)


def _line(name: str, told: str, found: np.ndarray, plain: np.ndarray, unit: str) -> str:
    cells = [f"{name:10}told {told:16}"]
    for column, what in enumerate(("experiments", unit)):
        median, low, high = interval(found[:, column])
        share, least, most = ratio(found[:, column], plain[:, column])
        cells.append(f"{median:6g} {what} ({low:.4g} to {high:.4g}), "
                     f"{share:.2f} ({least:.2f} to {most:.2f})")  # fmt: skip
    return "  ".join(cells)
