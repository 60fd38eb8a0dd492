"""What a trial costs and what is believed beforehand: the same in words and in points."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
import torch

from planners.baseline import RandomPlanner
from planners.bayes.encoding import Encoding
from planners.bayes.planner import BayesPlanner
from planners.bayes.quantities import Quantities
from planners.bayes.weighing import POWER, SERVES, Weighing
from planners.beliefs import FLOOR, Beliefs, Near
from planners.cost import Cost, Rate, loaded_by
from planners.data import Candidate, Estimate, Objective, Observation
from planners.rules import Linear, OnlyIf
from planners.space import Choice, Real, Space, SpaceError
from tests.conformance import OBJECTIVES, SPACE, check_planner

COST = Cost(
    "min",
    20.0,
    {"temperature": Rate(0.5, 25.0), "concentration": Rate(2.0)},
    {"rinse": {"methanol": 5.0}},
    {"acid": {"sulfuric": 30.0, "formic": 10.0}},
)
BELIEFS = Beliefs(
    {"temperature": Near(60.0, 15.0), "concentration": Near(3.0, 2.0)},
    {"acid": {"formic": 3.0, "acetic": 0.5}},
)
MIXED = Space(
    (
        Real("polymer", 40.0, 100.0, "percent"),
        Real("filler", 0.0, 60.0, "percent"),
        Choice("dopant", ("none", "F4TCNQ", "FeCl3")),
        Real("level", 1.0, 5.0, "percent", "log"),
        Choice("bath", ("cold", "warm")),
        Real("soak", 1.0, 8.0, "min", steps=7),
    ),
    rules=(
        Linear({"polymer": 1.0, "filler": 1.0}, "percent", 100.0, 100.0),
        OnlyIf("level", {"dopant": ("F4TCNQ", "FeCl3")}, 0.0, "percent"),
        OnlyIf("bath", {"dopant": ("FeCl3",)}, "cold"),
    ),
)
MIXED_COST = Cost(
    "min",
    8.0,
    {"filler": Rate(0.3), "level": Rate(4.0), "soak": Rate(1.0)},
    {"bath": {"cold": 7.0, "warm": 11.0}},
    {"dopant": {"F4TCNQ": 13.0, "FeCl3": 2.0}, "bath": {"warm": 17.0, "cold": 3.0}},
)
MIXED_BELIEFS = Beliefs(
    {"level": Near(2.0, 0.5), "filler": Near(20.0, 10.0)}, {"bath": {"cold": 4.0}}
)


def weighing(
    space: Space,
    cost: Cost | None = None,
    beliefs: Beliefs | None = None,
    made: tuple[Candidate, ...] = (),
) -> Weighing:
    return Weighing(Quantities(space), cost, beliefs, (), made, ())


def none(points: torch.Tensor) -> torch.Tensor:
    return torch.zeros(len(points), dtype=torch.double)


def drawn(space: Space, count: int = 40) -> tuple[Candidate, ...]:
    return RandomPlanner(space, OBJECTIVES, 1).propose(count, observed=()).candidates


@pytest.mark.parametrize(
    ("space", "cost", "beliefs"),
    [(SPACE, COST, BELIEFS), (MIXED, MIXED_COST, MIXED_BELIEFS)],
)
def test_a_point_is_given_what_its_candidate_costs_and_is_believed(
    space: Space, cost: Cost, beliefs: Beliefs
) -> None:
    candidates = drawn(space)
    points = Encoding(space).encode(candidates)
    for made in ((), candidates[:1]):
        priced, leaning = (
            weighing(space, cost, made=made),
            weighing(space, None, beliefs),
        )
        charged, loaded = cost.shared(SERVES), loaded_by(made, space)
        costs = [charged.of(one, space, loaded) for one in candidates]
        assert len({round(one, 6) for one in costs}) > 20
        found = priced.weighed(none, ())(points)
        assert found.numpy() == pytest.approx(-POWER * np.log(costs), rel=1e-6)
        divisors = [priced.divisor(one, ()) for one in candidates]
        assert divisors == pytest.approx(np.exp(-found.numpy()), rel=1e-6)
        believed = [leaning.believed(one) for one in candidates]
        found = leaning.weighed(none, ())(points)
        assert found.numpy() == pytest.approx(believed, rel=1e-6, abs=1e-6)


def test_what_does_not_count_costs_nothing_and_is_not_believed() -> None:
    values = {"polymer": 90.0, "filler": 10.0, "dopant": "none", "level": 0.0}
    bare = Candidate({**values, "bath": "cold", "soak": 2.0})
    assert MIXED.check(bare) == []
    assert MIXED_COST.of(bare, MIXED) == pytest.approx(8.0 + 0.3 * 10.0 + 2.0)
    belief = FLOOR + (1.0 - FLOOR) * math.exp(-0.5)
    assert MIXED_BELIEFS.of(bare, MIXED) == pytest.approx(belief)
    assert loaded_by([bare], MIXED) == {("dopant", "none")}


@pytest.mark.parametrize(
    ("cost", "beliefs"), [(MIXED_COST, None), (None, MIXED_BELIEFS)]
)
def test_the_weighing_has_a_gradient_in_the_numbers(
    cost: Cost | None, beliefs: Beliefs | None
) -> None:
    candidates = [one for one in drawn(MIXED) if one.values["dopant"] != "none"]
    points = Encoding(MIXED).encode(candidates)
    score = weighing(MIXED, cost, beliefs).weighed(none, ())
    for i in (1, 2):  # filler and level
        at = points.clone().requires_grad_()
        (slope,) = torch.autograd.grad(score(at).sum(), at)
        step = torch.zeros_like(points)
        step[:, i] = 1e-6
        with torch.no_grad():
            ahead = (score(points + step) - score(points - step)) / 2e-6
        assert slope[:, i].numpy() == pytest.approx(ahead.numpy(), rel=1e-3, abs=1e-6)
        assert slope[:, i].abs().max() > 0.1


def test_a_bottle_is_paid_for_once() -> None:
    first, again = (
        Candidate({"acid": "formic", "concentration": 0.1, "temperature": t, "rinse": "water"})
        for t in (25.0, 35.0)
    )  # fmt: skip
    new = weighing(SPACE, COST)
    assert new.note(first, ()) == {"cost": 20.0 + 0.2 + 10.0}
    assert new.note(again, (first,)) == {"cost": 20.0 + 0.2 + 5.0}
    point = Encoding(SPACE).encode([again])
    alone, after = (float(new.weighed(none, some)(point)) for some in ((), (first,)))
    shared = 25.2 + 10.0 / SERVES
    assert after - alone == pytest.approx(POWER * math.log(shared / 25.2))
    loaded = weighing(SPACE, COST, made=(first,))
    assert loaded.note(again, ()) == {"cost": 25.2}


def test_without_a_cost_and_beliefs_the_gain_is_what_it_was() -> None:
    plain = weighing(SPACE)
    assert plain.weighed(none, ()) is none
    assert plain.note(drawn(SPACE, 1)[0], ()) == {}


ROWS = Space(
    (Choice("bottle", ("a", "b")), Real("x", 0.0, 1.0, "m")),
    tuple(
        Candidate({"bottle": bottle, "x": float(x)})
        for bottle in "ab"
        for x in np.linspace(0.0, 1.0, 21).round(2)
    ),
)
GOAL = (Objective("y", "1"),)


def told(*rows: tuple[str, float, float]) -> list[Observation]:
    return [
        Observation(Candidate({"bottle": b, "x": x}), {"y": Estimate(y, 0.0)})
        for b, x, y in rows
    ]


EVEN = told(("a", 0.0, 0.0), ("b", 0.0, 0.0), ("a", 0.25, 0.4), ("b", 0.25, 0.4))
"""Nothing tells the bottles apart, and more is to be expected farther on."""


def best(observed: list[Observation], **more: object) -> Mapping[str, object]:
    planner = BayesPlanner(ROWS, GOAL, 0, 0, **more)  # type: ignore[arg-type]
    return planner.propose(1, observed=observed).candidates[0].values


@pytest.mark.slow
def test_what_is_cheap_is_made_first() -> None:
    plain = best(EVEN)
    same = Cost("min", 20.0)
    assert best(EVEN, cost=same) == plain, "a cost that is the same everywhere"
    for cheap, dear in ("ab", "ba"):
        cost = Cost("min", 20.0, options={"bottle": {dear: 60.0}})
        assert best(EVEN, cost=cost)["bottle"] == cheap


@pytest.mark.slow
def test_a_belief_is_followed_first_and_a_wrong_one_is_outweighed() -> None:
    for liked in "ab":
        beliefs = Beliefs({"x": Near(0.9, 0.1)}, {"bottle": {liked: 3.0}})
        found = best(EVEN, beliefs=beliefs)
        assert found["bottle"] == liked
        assert float(found["x"]) >= 0.7  # type: ignore[arg-type]
    planner = BayesPlanner(ROWS, GOAL, 0, 0, beliefs=beliefs)
    observed = list(EVEN)
    for _ in range(16):
        (candidate,) = planner.propose(1, observed=observed).candidates
        x, bottle = float(candidate.values["x"]), candidate.values["bottle"]
        y = math.exp(-((x - 0.3) ** 2) / 0.02) * (1.0 if bottle == "a" else 0.5)
        observed.append(Observation(candidate, {"y": Estimate(y, 0.0)}))
    assert max(one.estimates["y"].value for one in observed) > 0.99


def test_half_of_the_initial_design_is_as_believed() -> None:
    beliefs = Beliefs({"temperature": Near(35.0, 3.0)}, {"acid": {"formic": 100.0}})
    planner = BayesPlanner(SPACE, OBJECTIVES, 2, 20, beliefs=beliefs)
    proposal = planner.propose(20, observed=())
    reasons = [one["reason"] for one in proposal.card["candidates"]]
    assert reasons == ["initial design, as believed", "initial design"] * 10
    leaned = proposal.candidates[::2]
    assert sum(one.values["acid"] == "formic" for one in leaned) >= 8
    assert (
        np.median([abs(float(one.values["temperature"]) - 35.0) for one in leaned]) < 3
    )
    plain = BayesPlanner(SPACE, OBJECTIVES, 2, 20).propose(20, observed=())
    assert proposal.candidates[1::2] == plain.candidates[1::2]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_planner_keeps_its_promises_with_a_cost_and_beliefs() -> None:
    check_planner(
        lambda seed: BayesPlanner(
            SPACE, OBJECTIVES, seed, 4, cost=COST, beliefs=BELIEFS
        )
    )


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"each": 0.0}, "each is 0 min, not above 0"),
        ({"each": math.inf}, "each is inf min, not above 0"),
        ({"per": {"x": Rate(-1.0)}}, "per unit of x: -1 must be 0 or more"),
        ({"first": {"bottle": {"a": math.nan}}}, "first bottle a: nan must be"),
        ({"per": {"z": Rate(1.0)}}, "z is not a number of the space"),
        ({"per": {"bottle": Rate(1.0)}}, "bottle is not a number of the space"),
        ({"per": {"x": Rate(1.0, 0.5)}}, "x may be 0 m, which costs less than 0"),
        ({"options": {"x": {"a": 1.0}}}, "x is not a choice of the space"),
        ({"first": {"bottle": {"c": 1.0}}}, "bottle: 'c' is not among its options"),
    ],
)  # fmt: skip
def test_a_cost_that_cannot_be_is_refused(
    parts: Mapping[str, object], message: str
) -> None:
    with pytest.raises(SpaceError, match=message):
        BayesPlanner(
            ROWS, GOAL, 0, 0, cost=Cost(**{"unit": "min", "each": 1.0, **parts})
        )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("numbers", "options", "message"),
    [
        ({"x": Near(0.5, 0.0)}, {}, "x: within 0, not above 0"),
        ({"x": Near(math.nan, 0.1)}, {}, "not above 0"),
        ({}, {"bottle": {"a": 0.0}}, "bottle: a: 0, not above 0"),
        ({"bottle": Near(0.5, 0.1)}, {}, "bottle is not a number of the space"),
        ({}, {"bottle": {"c": 2.0}}, "bottle: 'c' is not among its options"),
    ],
)  # fmt: skip
def test_a_belief_that_cannot_be_is_refused(
    numbers: Mapping[str, Near],
    options: Mapping[str, Mapping[str, float]],
    message: str,
) -> None:
    with pytest.raises(SpaceError, match=message):
        BayesPlanner(ROWS, GOAL, 0, 0, beliefs=Beliefs(numbers, options))
