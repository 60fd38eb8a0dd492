"""A desirability is planned for by a surrogate of each quantity that it is made of."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from planners.bayes.composite import (
    BARELY,
    NEAR,
    DesirableGain,
    desired,
    lenient,
    quantiles,
)
from planners.bayes.planner import BayesPlanner
from planners.bayes.surrogate import Surrogate
from planners.data import (
    Candidate,
    Earlier,
    Estimate,
    Limit,
    Objective,
    Observation,
)
from planners.desirability import Desirability, Desire
from planners.question import BadQuestion
from planners.space import Real, Space
from tests.conformance import SPACE, check_planner
from tests.planners.test_gain import APART, FALLING, RISING, SEEN, fitted

MUCH = Desire("much", "1", ((2.0, 6.0),), exponent=2.0)
MIDDLE = Desire("middle", "1", ((0.1, 0.35), (0.8, 0.35)))
LITTLE = Desire("little", "ohm", ((500.0, 5.0),), "log")
BOTH = Desirability(desires=(MUCH, MIDDLE))

SQUARE = Space((Real("x", 0.0, 1.0, "m"), Real("y", 0.0, 1.0, "m")))
PAIR = Desirability(
    desires=(Desire("height", "m", ((0.7, 1.0),)), Desire("cost", "EUR", ((0.5, 0.1),)))
)


def made(x: float, y: float) -> Observation:
    """Return a trial of which nearly all places are useless: high near (0.8, 0.3)."""
    height = 1.0 - 1.5 * ((x - 0.8) ** 2 + (y - 0.3) ** 2)
    return Observation(
        Candidate({"x": x, "y": y}),
        {"height": Estimate(height, 0.0), "cost": Estimate(0.2 + (y - 0.4) ** 2, 0.0)},
    )


def campaign(planner: BayesPlanner, trials: int) -> list[Observation]:
    observed: list[Observation] = []
    while len(observed) < trials:
        (one,) = planner.propose(1, observed=observed).candidates
        observed.append(made(float(one.values["x"]), float(one.values["y"])))
    return observed


@pytest.mark.parametrize("desire", [MUCH, MIDDLE, LITTLE])
def test_to_the_planner_a_quantity_is_worth_what_it_is_but_for_a_little(
    desire: Desire,
) -> None:
    ends = [bound for ramp in desire.scaled for bound in ramp]
    wide = max(ends) - min(ends)
    values = np.linspace(min(ends) - 2.0 * wide, max(ends) + 2.0 * wide, 401)
    exact = desire.share(values)
    found = lenient(desire, torch.from_numpy(values)) ** desire.exponent
    assert found.numpy() == pytest.approx(exact, abs=BARELY * desire.exponent)
    assert float(found.min()) > 0.0


def test_what_is_useless_has_a_slope_towards_what_is_not() -> None:
    for desire in (MUCH, LITTLE):
        at = torch.tensor([-40.0, -1.0, 2.9, 40.0], dtype=torch.double)
        at = at[desire.share(at.numpy()) == 0.0].requires_grad_()
        (slope,) = torch.autograd.grad(lenient(desire, at).log().sum(), at)
        assert bool((slope.sign() == (1.0 if desire is MUCH else -1.0)).all())


def test_a_target_comes_back_from_how_a_surrogate_bends_it() -> None:
    process = surrogates()[0].process
    for target in (-3.0, float(RISING.min()), 2.0, 40.0):
        back = process.target(process.standard(target)[:, None])
        assert back.numpy() == pytest.approx(target, rel=1e-6, abs=1e-6)


@cache
def surrogates() -> list[Surrogate]:
    return [fitted(RISING), fitted(FALLING)]


def gain(pending: tuple[int, ...] = ()) -> DesirableGain:
    held = [*range(SEEN), *pending]
    return DesirableGain(BOTH, surrogates(), APART, range(SEEN), held, [], None, 0)


def test_the_gain_is_the_expected_improvement_of_what_the_quantities_make() -> None:
    one = gain()
    rng = np.random.default_rng(3)
    processes = [drawn.process for drawn in one.drawn]
    best = desired(BOTH, processes, [drawn.true for drawn in one.drawn]).amax(dim=1)
    found = one(APART[:, SEEN:]).exp().numpy()
    looks = []
    for drawn in one.drawn:
        mean, deviation = drawn.at(APART[:, SEEN:])
        noise = torch.from_numpy(rng.standard_normal((*mean.shape, 300)))
        looks.append(mean[..., None] + deviation[..., None] * noise)
    better = desired(BOTH, processes, looks) - best[:, None, :, None]
    expected = better.clamp_min(0.0).mean(dim=(0, 2, 3)).numpy()
    assert found == pytest.approx(expected, rel=0.1, abs=2.0 * NEAR)
    assert expected.max() > 10.0 * NEAR


def test_the_gain_has_a_gradient_and_what_is_pending_takes_some_away() -> None:
    apart = APART[:, SEEN:].clone().requires_grad_()
    (slope,) = torch.autograd.grad(gain()(apart).sum(), apart)
    assert bool(torch.isfinite(slope).all())
    assert float(slope.abs().max()) > 0.0
    alone, waiting = (one(APART[:, SEEN : SEEN + 1]) for one in (gain(), gain((SEEN,))))
    assert float(waiting) < float(alone) - 0.5


def test_quantiles_are_those_of_draws_of_every_quantity() -> None:
    apart = APART[:, SEEN:, :SEEN]
    low, middle, high = quantiles(BOTH, surrogates(), apart, (0.05, 0.5, 0.95))
    assert ((low >= 0.0) & (low <= middle) & (middle <= high) & (high <= 1.0)).all()
    rng = np.random.default_rng(0)
    levels = rng.random((2, 4000))
    drawn = [
        one.quantiles(apart, [float(u) for u in some])
        for one, some in zip(surrogates(), levels, strict=True)
    ]
    shares = [d.share(v) for d, v in zip(BOTH.desires, drawn, strict=True)]
    expected = np.quantile(BOTH.combined(shares), 0.95, axis=0)
    assert high == pytest.approx(expected, abs=0.06)


def test_a_planner_for_a_desirability_keeps_the_promises() -> None:
    whole = Desirability(
        desires=(Desire("conductivity", "S/cm", ((1e3, 1e5),), "log"),)
    )
    check_planner(lambda seed: BayesPlanner(SPACE, [whole], seed, 2))


@pytest.mark.slow
def test_from_a_start_of_which_nothing_is_of_use_it_finds_what_is() -> None:
    planner = BayesPlanner(SQUARE, [PAIR], 1, 4)
    start = [made(0.1, 0.9), made(0.2, 0.95), made(0.05, 0.8), made(0.3, 0.99)]
    assert max(PAIR.of(one.estimates).value for one in start) == 0.0
    observed = list(start)
    for _ in range(8):
        (one,) = planner.propose(1, observed=observed).candidates
        observed.append(made(float(one.values["x"]), float(one.values["y"])))
    assert max(PAIR.of(one.estimates).value for one in observed) > 0.7


def test_the_card_tells_of_the_desirability_and_of_each_quantity() -> None:
    observed = campaign(BayesPlanner(SQUARE, [PAIR], 0, 4), 4)
    card = BayesPlanner(SQUARE, [PAIR], 0, 4).propose(1, observed=observed).card
    (one,) = card["candidates"]
    assert set(one["others"]) == {"height", "cost"}
    low, high = one["predicted_90"]
    assert 0.0 <= low <= one["predicted"] <= high <= 1.0
    assert 0.0 <= card["regret_bound"] <= 1.0
    assert card["surrogate"]["target"] == "height (m)"
    assert list(card["others"]) == ["cost"]


def test_limits_and_earlier_campaigns_go_along_with_it() -> None:
    limit = Limit("height", "m", at_least=0.9)
    past = Earlier("last", tuple(made(x, y) for x, y in ((0.1, 0.9), (0.7, 0.3), (0.4, 0.6))))  # fmt: skip
    planner = BayesPlanner(SQUARE, [PAIR], 0, 2, limits=[limit], earlier=[past])
    proposal = planner.propose(2, observed=[])
    assert proposal.card["candidates"][0]["reason"] == "initial design, as last: desirability"  # fmt: skip
    near = proposal.candidates[0].values
    assert float(near["x"]) > 0.5 > float(near["y"])
    observed = campaign(planner, 3)
    (one,) = planner.propose(1, observed=observed).card["candidates"]
    assert one["reason"] == "expected gain"


def test_a_desirability_beside_another_objective_is_refused() -> None:
    with pytest.raises(BadQuestion, match="allows no other objective"):
        BayesPlanner(SQUARE, [PAIR, Objective("height", "m")], 0, 2)
