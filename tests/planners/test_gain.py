"""The gain is the expectation that its equations say, for one objective and for several."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from botorch.utils.multi_objective.hypervolume import Hypervolume
from botorch.utils.multi_objective.pareto import is_non_dominated
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from planners.bayes.gain import HARDLY, MARGIN, Gain, Within, log_width
from planners.bayes.surrogate import Surrogate, fit

RNG = np.random.default_rng(0)
POINTS = torch.from_numpy(RNG.random((16, 2)))
APART = (POINTS[:, None] - POINTS[None]).square().permute(2, 0, 1)
RISING = np.exp(2.0 * POINTS[:, 0].numpy())
FALLING = 1.0 - POINTS[:, 0].numpy() + 0.3 * POINTS[:, 1].numpy()
SEEN = 8


def fitted(values: np.ndarray, *, bend: bool = True) -> Surrogate:
    near = APART[:, :SEEN, :SEEN]
    used = {"numbers": [True, True]}
    return fit(near, values[:SEEN], np.zeros(SEEN), used, bend=bend)


def gain(
    surrogates: Sequence[Surrogate],
    pending: Sequence[int] = (),
    limits: Sequence[Within] = (),
    floors: Sequence[float | None] | None = None,
    wanted: int = 1,
) -> Gain:
    held = [*range(SEEN), *pending]
    floors = floors or [None] * len(surrogates)
    known = APART, range(SEEN), held, limits, floors, None, 0, wanted
    return Gain(surrogates, *known)


def scores(one: Gain) -> np.ndarray:
    found: np.ndarray = one(APART[:, SEEN:]).numpy()
    return found


def test_what_is_pending_takes_gain_away_and_adds_none() -> None:
    alone, waiting = scores(gain([fitted(RISING)])), scores(gain([fitted(RISING)], [8]))
    assert waiting[0] < alone[0] - 1.0
    assert (waiting <= alone + 0.1).all()


def test_of_several_that_are_wanted_the_gain_is_over_the_last() -> None:
    surrogate = fitted(RISING)
    one = gain([surrogate])
    ranked = one.drawn[0].true.sort(dim=1, descending=True).values
    for wanted, place in ((1, 0), (3, 2), (SEEN, SEEN - 1), (100, SEEN - 1)):
        several = gain([surrogate], wanted=wanted)
        ((low, _),) = several.boxes
        assert torch.equal(low[..., 0], ranked[:, place])
        assert (scores(several) >= scores(one)).all()


@given(
    mean=st.floats(-3.0, 3.0),
    deviation=st.floats(0.05, 2.0),
    low=st.floats(-3.0, 3.0),
    width=st.one_of(st.floats(0.1, 3.0), st.just(math.inf)),
)
@settings(deadline=None)
def test_the_width_of_a_box_below_a_variable(
    mean: float, deviation: float, low: float, width: float
) -> None:
    one = torch.full((1, 1, 1, 1), 1.0, dtype=torch.double)
    flat = one[0]
    found = log_width(mean * one, deviation * one, low * one, (low + width) * flat)
    levels = norm.ppf((np.arange(20_000) + 0.5) / 20_000, mean, deviation)
    expected = np.clip(levels - low, 0.0, width).mean()
    assert float(found.exp()) == pytest.approx(expected, abs=2e-3 * deviation)


def test_the_gain_of_two_objectives_is_the_hypervolume_that_a_point_adds() -> None:
    surrogates = [fitted(RISING, bend=False), fitted(FALLING, bend=False)]
    one = gain(surrogates)
    rng = np.random.default_rng(1)
    y = torch.stack([s.process.y[0] for s in surrogates], dim=-1)
    worst = y.amin(dim=0) - MARGIN * (y.amax(dim=0) - y.amin(dim=0))
    volume = Hypervolume(worst)
    expected = []
    for m in range(SEEN, SEEN + 3):
        added = []
        at = [d.at(APART[:, m : m + 1]) for d in one.drawn]
        for s in range(one.drawn[0].true.shape[-1]):
            made = torch.stack([d.true[0, :, s] for d in one.drawn], dim=-1)
            before = volume.compute(made[is_non_dominated(made)])
            for _ in range(8):
                new = torch.tensor(
                    [
                        [
                            rng.normal(float(mu[0, 0, s]), float(sd[0, 0, 0]))
                            for mu, sd in at
                        ]
                    ]
                )
                both = torch.cat([made, new])
                added.append(volume.compute(both[is_non_dominated(both)]) - before)
        expected.append(np.mean(added))
    found = np.exp(scores(one)[:3])
    assert found == pytest.approx(np.array(expected), rel=0.35, abs=0.005)


def test_the_gain_has_a_gradient_in_the_distances() -> None:
    one = gain([fitted(RISING), fitted(FALLING)])
    apart = APART[:, SEEN:].clone().requires_grad_()
    one(apart).sum().backward()  # type: ignore[no-untyped-call]
    assert apart.grad is not None
    assert bool(torch.isfinite(apart.grad).all())
    assert float(apart.grad.abs().max()) > 0.0


def test_where_a_limit_is_broken_there_is_little_to_gain() -> None:
    limit = Within(fitted(FALLING, bend=False), range(SEEN), 0.6, math.inf)
    free, bound = (
        scores(gain([fitted(RISING)])),
        scores(gain([fitted(RISING)], (), [limit])),
    )
    kept, broken = FALLING[SEEN:] > 0.7, FALLING[SEEN:] < 0.5
    chance = limit.chance(APART[:, SEEN:]).numpy()
    assert chance[kept].min() > 0.5 > chance[broken].max()
    assert broken[free.argmax()]
    lost = bound - free - np.log(HARDLY + chance)
    # Among what keeps the limit, less was reached: more is left to gain.
    assert (lost > -1e-6).all()


def test_before_anything_is_good_a_good_place_is_looked_for() -> None:
    limit = Within(fitted(FALLING, bend=False), range(SEEN), 2.0, math.inf)
    found = scores(gain([fitted(RISING)], (), [limit]))
    assert np.isfinite(found).all()


def test_three_objectives_have_a_finite_gain() -> None:
    third = np.sin(4.0 * POINTS[:, 1].numpy())
    found = scores(gain([fitted(v) for v in (RISING, FALLING, third)]))
    assert np.isfinite(found).all()


def test_an_objective_is_wanted_down_to_its_limit() -> None:
    """Where one is below all that was observed of it, the other still counts."""
    both = [fitted(RISING), fitted(FALLING)]
    plain, wide = scores(gain(both)), scores(gain(both, floors=[None, -1.0]))
    assert (wide >= plain - 1e-6).all()
    least = POINTS[SEEN:, 0].argmax()
    assert wide[least] > plain[least] + 0.1
    kept = scores(gain(both, floors=[None, 0.9]))
    assert kept == pytest.approx(plain), "a limit above the worst takes nothing away"


def test_what_is_not_believed_sets_no_scale_of_the_front() -> None:
    absurd = RISING.copy()
    absurd[0] = -1e4
    used = {"numbers": [True, True]}
    kept = np.array([False] + [True] * (SEEN - 1))
    near = APART[:, :SEEN, :SEEN]
    robust = fit(near, absurd[:SEEN], np.zeros(SEEN), used, kept=kept)
    one = gain([robust, fitted(FALLING)])
    low = one.boxes[0][0]
    assert float(low[torch.isfinite(low)].min()) > -10.0
