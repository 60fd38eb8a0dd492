"""What the Bayesian planner makes of several objectives, limits, noise and the past."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from botorch.utils.multi_objective.hypervolume import Hypervolume
from botorch.utils.multi_objective.pareto import is_non_dominated

from planners.baseline import RandomPlanner
from planners.bayes.planner import BayesPlanner
from planners.data import Candidate, Earlier, Estimate, Limit, Objective, Observation
from planners.protocol import Planner
from planners.space import Choice, Real, Space

pytestmark = pytest.mark.timeout(300)

SQUARE = Space((Real("x", 0.0, 1.0, "m", steps=20), Real("y", 0.0, 1.0, "m", steps=20)))
HEIGHT = Objective("height", "m")
COST = Objective("cost", "EUR", "minimise")
Lab = Callable[[float, float], dict[str, float]]


def observe(
    lab: Lab, candidates: Sequence[Candidate], std: float = 0.0
) -> list[Observation]:
    return [
        Observation(
            c,
            {
                name: Estimate(value, std)
                for name, value in lab(
                    float(c.values["x"]), float(c.values["y"])
                ).items()
            },
        )
        for c in candidates
    ]


def campaign(planner: Planner, lab: Lab, trials: int) -> list[Observation]:
    observed: list[Observation] = []
    while len(observed) < trials:
        observed += observe(lab, planner.propose(1, observed=observed).candidates)
    return observed


def two(x: float, y: float) -> dict[str, float]:
    """Heights grow with x, and so do costs; y is best at 0.3 for both."""
    off = (y - 0.3) ** 2
    return {"height": x - off, "cost": x**2 + off}


def volume(observed: Sequence[Observation]) -> float:
    rows = [[o.estimates["height"].value, -o.estimates["cost"].value] for o in observed]
    y = torch.tensor(rows, dtype=torch.double)
    return float(
        Hypervolume(torch.tensor([-0.5, -1.5], dtype=torch.double)).compute(
            y[is_non_dominated(y)]
        )
    )


@pytest.mark.slow
def test_the_front_of_two_objectives_grows_faster_than_by_chance() -> None:
    planner = BayesPlanner(SQUARE, [HEIGHT, COST], 0, 4)
    ours = volume(campaign(planner, two, 16))
    chance = [
        volume(campaign(RandomPlanner(SQUARE, [HEIGHT, COST], seed), two, 16))
        for seed in range(20)
    ]
    assert ours > max(chance)


def test_the_card_tells_of_every_objective() -> None:
    planner = BayesPlanner(SQUARE, [HEIGHT, COST], 0, 4)
    observed = campaign(planner, two, 6)
    card = planner.propose(2, observed=observed).card
    assert card["surrogate"]["target"] == "height (m)"
    assert card["others"]["cost"]["target"] == "cost (EUR)"
    assert card["others"]["cost"]["slope"]["x"] > 0.0
    for candidate, one in zip(
        planner.propose(2, observed=observed).candidates,
        card["candidates"],
        strict=True,
    ):
        low, high = one["others"]["cost"]["predicted_90"]
        x, y = float(candidate.values["x"]), float(candidate.values["y"])
        assert low < high
        assert -1.0 < two(x, y)["cost"] < 2.0
    assert "regret_bound" not in card


def test_the_card_names_outliers_and_has_a_second_opinion_of_every_objective() -> None:
    planner = BayesPlanner(SQUARE, [HEIGHT, COST], 0, 4)
    made = RandomPlanner(SQUARE, [HEIGHT, COST], 0).propose(16, observed=[]).candidates
    observed = observe(two, made)
    spoilt = {**observed[5].estimates, "height": Estimate(-1e3, 0.0)}
    observed[5] = Observation(made[5], spoilt)
    card = planner.propose(1, observed=observed).card
    assert card["surrogate"]["outliers"].keys() == {made[5].id}
    assert card["others"]["cost"]["outliers"] == {}
    for one in (card["surrogate"], card["others"]["cost"]):
        assert one["second opinion"]["agrees"] > 0.0
    assert planner.propose(1, observed=observed).card == card


@pytest.mark.slow
def test_the_best_that_keeps_a_limit_is_found() -> None:
    limit = Limit("cost", "EUR", at_most=0.25)
    planner = BayesPlanner(SQUARE, [HEIGHT], 1, 4, limits=[limit])
    observed = campaign(planner, two, 18)
    kept = [o.estimates for o in observed if o.estimates["cost"].value <= 0.25]
    assert max(one["height"].value for one in kept) > 0.45  # 0.5 is the most
    assert len(kept) > 4


def test_a_limit_that_nothing_keeps_yet_is_worked_towards() -> None:
    limit = Limit("cost", "EUR", at_most=0.05)
    planner = BayesPlanner(SQUARE, [HEIGHT], 1, 4, limits=[limit])
    dear = [Candidate({"x": x, "y": 0.9}) for x in (0.5, 0.7, 0.9, 1.0)]
    proposal = planner.propose(1, observed=observe(two, dear))
    assert float(proposal.candidates[0].values["x"]) < 0.5


def test_what_is_measured_exactly_is_not_made_again() -> None:
    planner = BayesPlanner(SQUARE, [HEIGHT], 0, 4, replicates=True)
    observed = campaign(planner, two, 8)
    assert len({o.candidate.id for o in observed}) == 8


def test_where_noise_limits_the_best_is_made_again() -> None:
    choices = Space((Choice("acid", ("a", "b", "c", "d")),))
    heights = {"a": 1.0, "b": 0.97, "c": 0.3, "d": 0.1}
    observed = [
        Observation(Candidate({"acid": acid}), {"height": Estimate(height, 0.1)})
        for acid, height in heights.items()
    ] * 2
    with_more = Space(
        (*choices.parameters, Real("heat", 0.0, 1.0, "m")),
        tuple(
            Candidate({"acid": acid, "heat": heat})
            for acid in heights
            for heat in (0.0, 0.001)
        ),
    )
    told = [
        Observation(Candidate({**o.candidate.values, "heat": 0.0}), o.estimates)
        for o in observed
    ]
    planner = BayesPlanner(with_more, [HEIGHT], 0, 0, replicates=True)
    proposal = planner.propose(2, observed=told)
    reasons = [one["reason"] for one in proposal.card["candidates"]]
    assert reasons[0] == "replicate"
    assert proposal.candidates[0].values["acid"] in ("a", "b")
    once = BayesPlanner(with_more, [HEIGHT], 0, 0).propose(2, observed=told)
    assert "replicate" not in [one["reason"] for one in once.card["candidates"]]


@pytest.mark.slow
def test_the_regret_bound_holds_and_falls() -> None:
    planner = BayesPlanner(SQUARE, [HEIGHT], 0, 4)
    bounds = []
    for trials in (5, 10, 20):
        observed = campaign(planner, two, trials)
        bound = planner.propose(1, observed=observed).card["regret_bound"]
        best = max(o.estimates["height"].value for o in observed)
        assert bound >= 1.0 - best - 1e-6
        bounds.append(bound)
    assert bounds[-1] < 0.2 * bounds[0]


def sibling(sign: float) -> Earlier:
    rng = np.random.default_rng(0)
    made = [
        Candidate({"x": x, "y": y})
        for x, y in (rng.integers(21, size=(40, 2)) / 20).tolist()
    ]

    def lab(x: float, y: float) -> dict[str, float]:
        return {"height": sign * 7.0 * peak(x, y)["height"]}

    return Earlier("last year's", tuple(observe(lab, made)))


def peak(x: float, y: float) -> dict[str, float]:
    return {"height": float(np.exp(-((x - 0.8) ** 2 + (y - 0.15) ** 2) / 0.02))}


@pytest.mark.slow
def test_an_earlier_campaign_shortens_this_one_and_hardly_harms_if_it_misleads() -> (
    None
):
    def needed(earlier: Sequence[Earlier], seed: int) -> int:
        planner = BayesPlanner(SQUARE, [HEIGHT], seed, 2, earlier=earlier)
        observed = campaign(planner, peak, 14)
        good = [o.estimates["height"].value > 0.8 for o in observed]
        return good.index(True) if any(good) else 14

    cold = [needed((), seed) for seed in range(2)]
    alike = [needed([sibling(1.0)], seed) for seed in range(2)]
    assert sum(alike) < 0.8 * sum(cold)


def test_an_earlier_campaign_that_says_nothing_is_named() -> None:
    wild = [
        Observation(Candidate({"x": x, "y": 0.5}), {"height": Estimate(value, 0.0)})
        for x, value in ((0.0, 1e308), (0.5, -1e308))
    ]
    planner = BayesPlanner(
        SQUARE, [HEIGHT], 0, 2, earlier=[Earlier("old", tuple(wild))]
    )
    proposal = planner.propose(1, observed=[])
    assert "not used: targets" in proposal.card["earlier campaigns"]["old: height"]
    assert proposal.card["candidates"][0]["reason"] == "initial design"
