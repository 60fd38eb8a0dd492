"""The surrogate does what its equations say."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from planners.bayes.process import Bend, Process
from planners.bayes.surrogate import Surrogate, fit

RNG = np.random.default_rng(0)
POINTS = torch.from_numpy(RNG.random((12, 2)))
VALUES = np.exp(3.0 * POINTS[:, 0].numpy()) + 0.1 * RNG.standard_normal(12)
APART = (POINTS[:, None] - POINTS[None]).square().permute(2, 0, 1)
USED = {"numbers": [True, True]}


def fitted(n: int = 12) -> Surrogate:
    return fit(APART[:, :n, :n], VALUES[:n], np.zeros(n), USED)


@given(st.floats(-2.0, 3.0), st.lists(st.floats(-50.0, 50.0), min_size=2, max_size=9))
def test_bending_back_undoes_bending(power: float, values: list[float]) -> None:
    bend = Bend.of(np.array(values))
    one = torch.tensor([power], dtype=torch.double)
    bent = bend.bent(torch.tensor(values, dtype=torch.double), one)
    back = bend.back(bent.numpy()[0], one.numpy())
    assert back == pytest.approx(values, abs=1e-4 * (1 + np.ptp(values)))


def test_leaving_one_out_is_what_fitting_the_others_predicts() -> None:
    raw = torch.zeros(1, 4, dtype=torch.double)
    used = torch.tensor([[True, True]])
    values, noise = torch.from_numpy(VALUES), torch.zeros(12, dtype=torch.double)
    whole = Process(APART, values, noise, None, used, raw)
    rest = Process(APART[:, 1:, 1:], values[1:], noise[1:], None, used, raw)
    # The others are standardised by themselves: put them on the scale of all.
    rest.y = whole.y[:, 1:]
    rest.pull = torch.cholesky_solve(rest.y.unsqueeze(-1), rest.root).squeeze(-1)
    mean, variance = rest.latent(APART[:, :1, 1:])
    left_mean, left_deviation = whole.leave_one_out()
    assert float(mean) == pytest.approx(float(left_mean[0, 0]), abs=1e-6)
    total = math.sqrt(float(variance + rest.noise) + 1e-6)
    assert total == pytest.approx(float(left_deviation[0, 0]), abs=1e-6)


def test_a_target_that_grows_exponentially_is_bent_towards_its_logarithm() -> None:
    assert float(fitted().process.power) < 0.8


def test_known_noise_makes_an_observation_count_less() -> None:
    quiet = fit(APART, VALUES, np.zeros(12), USED).quantiles(APART[:, :1], [0.5])
    stds = np.array([20.0, *np.zeros(11)])
    loud = fit(APART, VALUES, stds, USED).quantiles(APART[:, :1], [0.5])
    assert abs(quiet - VALUES[0]) < 0.5
    assert abs(loud - VALUES[0]) > abs(quiet - VALUES[0])


def test_rows_that_say_the_same_and_differ_are_noise() -> None:
    apart = torch.zeros(1, 2, 2, dtype=torch.double)
    both = fit(apart, np.array([1.0, 3.0]), np.zeros(2), {"": [True]})
    low, middle, high = both.quantiles(apart[:, :1], [0.05, 0.5, 0.95])[:, 0]
    assert low < 1.0 < middle < 3.0 < high


@pytest.mark.parametrize("values", [np.ones(3), np.zeros(3), np.full(3, 1e100)])
def test_values_all_alike_have_a_surrogate(values: np.ndarray) -> None:
    surrogate = fit(APART[:, :3, :3], values, np.zeros(3), USED)
    assert np.isfinite(surrogate.quantiles(APART[:, 3:, :3], [0.05, 0.95])).all()
