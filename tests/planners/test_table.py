"""Searches through tables: only rows of the pool, counted as stated."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from orchestrator.benches.data_sets import invented
from orchestrator.cli import app
from planners.baseline import RandomPlanner
from planners.bayes.encoding import SMALL
from planners.bayes.plain import PlainBotorch
from planners.bayes.planner import BayesPlanner
from planners.data import Candidate, Objective
from planners.question import SpaceExhausted
from planners.space import Molecule, Real, Space
from planners.table import Goal, Table, search

pytestmark = pytest.mark.timeout(300)

HEIGHT = Objective("height", "m")


def line(*values: float, goal: Goal) -> Table:
    pool = tuple(Candidate({"x": float(i)}) for i in range(len(values)))
    space = Space((Real("x", 0.0, len(values) - 1.0, "m"),), pool)
    return Table("line", space, HEIGHT, values, goals=(goal,))


def random(table: Table) -> RandomPlanner:
    return RandomPlanner(table.space, [table.objective], 0)


def test_experiments_are_counted_up_to_and_with_the_one_that_reached_the_goal() -> None:
    table = line(5.0, 1.0, 4.0, 2.0, 3.0, goal=Goal("two of three", 0.6, 2))
    assert search(random(table), table, [1, 0, 2], 5).counts == {"two of three": 3}
    assert search(random(table), table, [1, 3], 2).counts == {"two of three": 3}


def test_a_share_of_the_top_is_rounded_up() -> None:
    assert Goal("half of top 5 %", 0.05, 0.5).wanted(600) == (30, 15)
    assert Goal("80 % of top 5 %", 0.05, 0.8).wanted(600) == (30, 24)
    assert Goal("to top-1 %", 0.01, 1).wanted(178) == (2, 1)


@pytest.mark.slow
def test_where_many_good_rows_are_wanted_more_of_them_are_found() -> None:
    places = [i / 11.0 for i in range(12)]
    pool = tuple(Candidate({"x": x, "y": y}) for x, y in product(places, places))
    space = Space((Real("x", 0.0, 1.0, "m"), Real("y", 0.0, 1.0, "m")), pool)
    hills = ((0.2, 0.7, 1.0), (0.8, 0.3, 0.95))

    def height(x: float, y: float) -> float:
        return max(h - 4.0 * ((x - a) ** 2 + (y - b) ** 2) for a, b, h in hills)

    heights = tuple(height(float(c.values["x"]), float(c.values["y"])) for c in pool)
    goal = Goal("half of the best tenth", 0.1, 0.5)
    table = Table("hills", space, HEIGHT, heights, goals=(goal,))

    def needed(wanted: int) -> int:
        counts = 0
        for seed in range(2):
            planner = BayesPlanner(space, [HEIGHT], seed, 0, wanted=wanted)
            counts += search(planner, table, [seed, 70 + seed], 40).counts[goal.name]
        return counts

    assert needed(15) < needed(1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [RandomPlanner, BayesPlanner, PlainBotorch])
def test_a_pool_is_searched_to_its_end_and_no_row_twice(
    kind: type[RandomPlanner | BayesPlanner | PlainBotorch],
) -> None:
    table = line(5.0, 1.0, 4.0, 2.0, 3.0, 0.5, goal=Goal("all", 1.0, 6))
    planner = kind(table.space, [HEIGHT], 0, 0)
    found = search(planner, table, [1, 3], 6)
    assert sorted(found.rows) == list(range(6))
    if kind is not PlainBotorch:
        with pytest.raises(SpaceExhausted, match="all 6 candidates were asked for"):
            planner.propose(1, observed=[], failed=table.space.pool)


@pytest.mark.slow
def test_rows_that_fail_are_left_and_never_made_again() -> None:
    table = invented(Path()).failing(0)
    assert 90 <= len(table.fails) <= 100
    assert not table.fails & set(np.flatnonzero(table.ranks < 4).tolist())
    planner = BayesPlanner(table.space, [table.objective], 0, 0)
    made = [row for row in range(400) if row not in table.fails]
    start = [*sorted(table.fails)[:2], *made[:3]]
    found = search(planner, table, start, 30)
    assert len(set(found.rows)) == len(found.rows)
    lost = sum(row in table.fails for row in found.rows[len(start) :])
    assert lost <= 0.25 * len(found.rows)


@pytest.mark.slow
def test_ours_needs_fewer_experiments_than_random_and_not_on_shuffled_values() -> None:
    table = replace(invented(Path()), batch=4)
    starts = [np.random.default_rng(s).choice(400, 2, replace=False) for s in range(2)]

    def median(one: Table) -> float:
        return float(
            np.median(
                [
                    search(
                        BayesPlanner(one.space, [one.objective], seed, 0),
                        one,
                        start.tolist(),
                        50,
                    ).counts["to top-1 %"]
                    for seed, start in enumerate(starts)
                ]
            )
        )

    assert median(table) <= 40  # random: 400 / 5 = 80 on average
    assert median(table.shuffled(1)) > 40


@pytest.mark.slow
def test_a_large_pool_of_molecules_and_a_number_is_not_enumerated() -> None:
    lengths = list(product(range(1, 12), repeat=3))
    pool = {f"{a} {b} {c}": f"{'C' * a}O{'C' * b}N{'C' * c}" for a, b, c in lengths}
    assert len(pool) > SMALL
    space = Space((Molecule("m", pool), Real("x", 0.0, 1.0, "m")))
    planner = BayesPlanner(space, [HEIGHT], 0, 4)
    batch = planner.propose(4, observed=[]).candidates
    from tests.conformance import observations

    seen = [
        type(o)(o.candidate, {"height": o.estimates["conductivity"]})
        for o in observations(batch)
    ]
    proposal = planner.propose(3, observed=seen, pending=batch[:1])
    assert len({c.id for c in (*batch, *proposal.candidates)}) == 7
    assert all(space.check(c) == [] for c in proposal.candidates)


@pytest.mark.slow
def test_the_bench_says_what_each_planner_needed() -> None:
    asked = ["bench", "planners", "--sets", "invented", "--seeds", "2"]
    done = CliRunner().invoke(app, [*asked, "--against", "random,ours"])
    assert done.exit_code == 0, done.output
    rows = [one.split() for one in done.output.splitlines()]
    assert [r[4] for r in rows if r and r[0] == "invented"] == ["random", "ours"]
    done = CliRunner().invoke(app, ["bench", "planners", "--sets", "lime"])
    assert done.exit_code != 0
