"""A measurement that all others contradict does not bend the surrogate; a needle does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from planners.backtest import backtest
from planners.bayes.outliers import fit_robustly
from planners.bayes.planner import BayesPlanner
from planners.bayes.surrogate import Surrogate, fit
from planners.data import Candidate, Estimate, Objective, Observation
from planners.space import Real, Space

pytestmark = pytest.mark.timeout(300)

HEIGHT = Objective("height", "m")
SQUARE = Space((Real("x", 0.0, 1.0, "m"), Real("y", 0.0, 1.0, "m")))
RNG = np.random.default_rng(1)
POINTS = torch.from_numpy(RNG.random((20, 2)))
DOME = 1.0 - ((POINTS.numpy() - 0.6) ** 2).sum(axis=1) + 0.01 * RNG.standard_normal(20)
USED = {"": [True, True]}


def apart(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a[:, None] - b[None]).square().permute(2, 0, 1)


def robust(points: torch.Tensor, values: np.ndarray) -> Surrogate:
    return fit_robustly(apart(points, points), values, np.zeros(len(values)), USED)


def spoilt(number: int, value: float) -> np.ndarray:
    values = DOME.copy()
    values[number] = value
    return values


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 19), st.floats(-1e6, -20.0))
def test_one_absurdly_bad_value_changes_nothing_elsewhere(
    number: int, value: float
) -> None:
    surrogate = robust(POINTS, spoilt(number, value))
    assert list(surrogate.outliers) == [number]
    assert surrogate.outliers[number] < -5.0
    rest = [i for i in range(20) if i != number]
    without = fit(
        apart(POINTS[rest], POINTS[rest]), DOME[rest], np.zeros(len(rest)), USED
    )
    there = torch.rand(
        50, 2, dtype=torch.double, generator=torch.Generator().manual_seed(0)
    )
    levels = (0.05, 0.5, 0.95)
    ours = surrogate.quantiles(apart(there, POINTS), levels)
    theirs = without.quantiles(apart(there, POINTS[rest]), levels)
    assert ours == pytest.approx(theirs, abs=0.02)


def test_nothing_of_a_dome_is_an_outlier() -> None:
    assert not robust(POINTS, DOME).outliers


@pytest.mark.parametrize("height", [2.0, 10.0, 1e4])
def test_a_needle_is_believed(height: float) -> None:
    surrogate = robust(POINTS, spoilt(4, height))
    assert not surrogate.outliers


def test_a_good_value_that_two_replicates_contradict_is_not_believed() -> None:
    points = torch.cat([POINTS, POINTS[[4, 4]]])
    values = np.array([*spoilt(4, 10.0), DOME[4], DOME[4] + 0.01])
    assert list(robust(points, values).outliers) == [4]


def test_a_good_value_that_one_replicate_contradicts_is_a_draw() -> None:
    points = torch.cat([POINTS, POINTS[[4]]])
    assert not robust(points, np.array([*spoilt(4, 10.0), DOME[4]])).outliers


def test_a_bad_corner_with_two_measurements_is_believed() -> None:
    points = torch.cat(
        [POINTS, torch.tensor([[0.02, 0.98], [0.05, 0.95], [0.0, 0.95]])]
    )
    assert not robust(points, np.array([*DOME, -3.0, -3.1, -3.0])).outliers


def test_too_few_observations_contradict_nobody() -> None:
    assert not robust(POINTS[:7], spoilt(4, -1e3)[:7]).outliers


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["maximise", "minimise"])
def test_a_failed_contact_does_not_hide_the_top(direction: str) -> None:
    sign = 1.0 if direction == "maximise" else -1.0
    objective = Objective("height", "m", direction)  # type: ignore[arg-type]
    made: list[Candidate] = []

    def truth(candidate: Candidate) -> float:
        x, y = (float(candidate.values[name]) for name in "xy")
        return sign * (1.0 - (x - 0.7) ** 2 - (y - 0.2) ** 2)

    def lab(candidate: Candidate) -> dict[str, Estimate]:
        made.append(candidate)
        height = -50.0 * sign if len(made) == 9 else truth(candidate)
        return {"height": Estimate(height, 0.01)}

    planner = BayesPlanner(SQUARE, [objective], 0, 4)
    found = backtest(planner, lab, truth, objective, trials=18)
    assert sign * found.best_so_far[-1] == pytest.approx(1.0, abs=0.01)
    observed = [Observation(c, lab(c)) for c in made[:8]]
    bad = Observation(made[8], {"height": Estimate(-50.0 * sign, 0.01)})
    rest = [Observation(c, lab(c)) for c in made[9:16]]
    proposal = planner.propose(1, observed=[*observed, bad, *rest])
    assert list(proposal.card["surrogate"]["outliers"]) == [made[8].id]
    low, high = proposal.card["candidates"][0]["predicted_90"]
    assert high - low < 1.0
