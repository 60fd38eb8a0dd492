"""Every planner keeps the promises, and says when it cannot do what it is for."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from planners.backtest import backtest
from planners.baseline import RandomPlanner
from planners.bayes.planner import BayesPlanner
from planners.data import Candidate, Estimate, Limit, Objective, Observation
from planners.question import BadQuestion, SpaceExhausted
from planners.space import Choice, Real, Space
from tests.conformance import (
    OBJECTIVES,
    SPACE,
    check_planner,
    fresh,
    history,
    observations,
)

pytestmark = pytest.mark.timeout(300)

RANDOM = "from planners.baseline import RandomPlanner as P"
BAYES = "from planners.bayes.planner import BayesPlanner as P"
LINE = Space((Real("x", 0.0, 1.0, "m"), Real("y", 0.0, 1.0, "m")))


def bayes(seed: int) -> BayesPlanner:
    return BayesPlanner(SPACE, OBJECTIVES, seed, 4)


def dome(candidate: Candidate) -> float:
    x, y = (float(candidate.values[name]) for name in "xy")
    return 1.0 - (x - 0.7) ** 2 - (y - 0.2) ** 2


def test_random_planner_keeps_the_promises() -> None:
    check_planner(lambda seed: RandomPlanner(SPACE, OBJECTIVES, seed))


@pytest.mark.slow
def test_bayes_planner_keeps_the_promises() -> None:
    check_planner(bayes)


@pytest.mark.slow
@pytest.mark.parametrize("source", [RANDOM, BAYES])
def test_a_fresh_process_proposes_the_same(source: str) -> None:
    names: dict[str, type[RandomPlanner | BayesPlanner]] = {}
    exec(source, names)  # noqa: S102
    planner = names["P"](SPACE, OBJECTIVES, 5, 4)
    observed = history(bayes)
    here = [dict(c.values) for c in planner.propose(2, observed=observed).candidates]
    made = f"{source}\nplanner = P(SPACE, OBJECTIVES, 5, 4)"
    assert fresh(made, observed) == here


def test_the_initial_design_deals_every_acid_before_any_comes_again() -> None:
    space = Space((SPACE.parameters[0], SPACE.parameters[2]))
    planner = BayesPlanner(space, OBJECTIVES, 3, 9)
    acids = [c.values["acid"] for c in planner.propose(9, observed=[]).candidates]
    for turn in range(0, 9, 3):
        assert set(acids[turn : turn + 3]) == {"sulfuric", "acetic", "formic"}


@pytest.mark.slow
def test_bayes_planner_leaves_global_random_numbers_alone() -> None:
    import torch

    observed = history(bayes)
    before = torch.get_rng_state().clone()
    bayes(0).propose(1, observed=observed)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
def test_two_threads_propose_what_one_would() -> None:
    observed = history(bayes)
    alone = bayes(0).propose(1, observed=observed).candidates
    answers = []

    def ask() -> None:
        answers.append(bayes(0).propose(1, observed=observed).candidates)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [alone, alone]


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["maximise", "minimise"])
def test_bayes_planner_finds_the_top_or_the_bottom_of_a_dome(direction: str) -> None:
    objective = Objective("height", "m", direction)  # type: ignore[arg-type]
    planner = BayesPlanner(LINE, [objective], 0, 4)

    def lab(candidate: Candidate) -> dict[str, Estimate]:
        return {"height": Estimate(dome(candidate), 0.01)}

    best = backtest(planner, lab, dome, objective, trials=14, in_flight=2).best_so_far
    assert best[-1] == pytest.approx(
        1.0 if direction == "maximise" else -0.13, abs=0.02
    )


@pytest.mark.slow
def test_a_corner_where_every_trial_fails_is_left() -> None:
    objective = Objective("height", "m")
    planner = BayesPlanner(LINE, [objective], 0, 4)

    def lab(candidate: Candidate) -> dict[str, Estimate] | None:
        if float(candidate.values["x"]) > 0.5:
            return None
        return {"height": Estimate(dome(candidate), 0.01)}

    def truth(candidate: Candidate) -> float:
        return -9.0 if lab(candidate) is None else dome(candidate)

    best = backtest(planner, lab, truth, objective, trials=20).best_so_far
    assert best[-1] == pytest.approx(0.96, abs=0.02)


def test_too_few_observations_are_said_to_be_the_reason_for_a_filling_point() -> None:
    planner = bayes(0)
    failed = list(planner.propose(4, observed=[]).candidates)
    proposal = planner.propose(1, observed=[], failed=failed)
    assert proposal.card["fallback"] == (
        "space-filling point: 0 observations, a fit needs 3"
    )
    assert proposal.candidates[0] not in failed


def test_targets_beyond_a_fit_are_said_to_be_the_reason_for_a_filling_point() -> None:
    planner = BayesPlanner(LINE, [Objective("height", "m")], 0, 4)
    wild = [
        Observation(c, {"height": Estimate(value, 1.0)})
        for c, value in zip(
            planner.propose(4, observed=[]).candidates,
            (1e308, 1e308, -1e308, 1.0),
            strict=True,
        )
    ]
    proposal = planner.propose(1, observed=wild)
    assert "too far apart" in proposal.card["fallback"]
    assert proposal.card["candidates"][0]["reason"] == "space-filling"


def test_what_cannot_be_a_question_is_refused() -> None:
    with pytest.raises(BadQuestion, match="no objective"):
        BayesPlanner(SPACE, [], 0, 4)
    limited = BayesPlanner(SPACE, OBJECTIVES, 0, 4, limits=[Limit("haze", "1", 0.0)])
    with pytest.raises(BadQuestion, match="no estimate of haze"):
        limited.propose(1, observed=history(bayes, 1))
    other = Observation(
        Candidate({"acid": "lime juice"}), {"conductivity": Estimate(1.0, 1.0)}
    )
    with pytest.raises(BadQuestion, match=r"lime juice.*not among its options"):
        bayes(0).propose(1, observed=[other])


@pytest.mark.parametrize("kind", [RandomPlanner, BayesPlanner])
def test_a_space_without_numbers_is_searched_to_its_end(
    kind: type[RandomPlanner | BayesPlanner],
) -> None:
    space = Space((Choice("rinse", ("water", "methanol", "acetone", "none")),))
    planner = kind(space, OBJECTIVES, 0, 3)
    first = planner.propose(3, observed=[]).candidates
    last = planner.propose(1, observed=observations(first)).candidates
    assert len({c.id for c in (*first, *last)}) == 4
    with pytest.raises(SpaceExhausted, match="4 candidates were asked for"):
        planner.propose(1, observed=observations([*first, *last]))


@pytest.mark.slow
def test_data_and_space_import_neither_torch_nor_rdkit() -> None:
    code = (
        "import sys, planners.data, planners.protocol, planners.space, "
        "planners.baseline, planners.chemistry; "
        "assert not {'torch', 'rdkit', 'botorch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
