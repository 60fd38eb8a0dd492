"""Transference number: oracle 12, the formula, and when it is not believed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.readings import AnalysisError
from orchestrator.analysis.transference import decay, transference, with_uncertainty

TAU = 1000.0


def current(
    end: float = 8.0, noise: float = 0.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return times up to ``end`` time constants, and 20 uA that falls to 5 uA."""
    t = np.linspace(0.0, end * TAU, 200)
    i = 5e-6 + 15e-6 * np.exp(-t / TAU)
    return t, i + noise * np.random.default_rng(seed).normal(size=t.size)


@given(st.floats(1e-7, 1e-3), st.floats(0.01, 1.0))
def test_without_interfaces_it_is_the_ratio_of_the_currents(
    i_0: float, ratio: float
) -> None:
    """Oracle 12."""
    assert transference(0.01, i_0, ratio * i_0) == pytest.approx(ratio, rel=1e-12)


def test_the_formula_is_that_of_the_paper() -> None:
    expected = 6e-6 * (0.01 - 2e-5 * 200.0) / (2e-5 * (0.01 - 6e-6 * 220.0))
    assert transference(0.01, 2e-5, 6e-6, 200.0, 220.0) == pytest.approx(expected)
    assert transference(-0.01, -2e-5, -6e-6, 200.0, 220.0) == pytest.approx(expected)


def test_interfaces_that_take_all_the_voltage_are_refused() -> None:
    with pytest.raises(ValueError, match=r"leave nothing of 0\.01 V"):
        transference(0.01, 2e-5, 6e-6, 600.0, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_a_decay_is_fitted_within_its_uncertainty(seed: int) -> None:
    found = decay(*current(noise=5e-8, seed=seed))
    assert found.tau == pytest.approx(TAU, rel=0.03)
    assert abs(found.initial - 20e-6) <= 4 * found.initial_std
    assert abs(found.steady - 5e-6) <= 4 * found.steady_std
    made = with_uncertainty((0.01, 2e-5), found, (100.0, 5.0), (110.0, 5.0))
    true = transference(0.01, 20e-6, 5e-6, 100.0, 110.0)
    assert not made.doubts
    assert abs(made.value - true) <= 3 * made.std
    assert made.std < 0.1 * made.value


def test_a_current_that_still_falls_is_not_steady() -> None:
    found = decay(*current(end=2.0))
    made = with_uncertainty((0.01, 0.0), found, (0.0, 0.0), (0.0, 0.0))
    assert any("is not steady: it has 41% still to fall" in one for one in made.doubts)


def test_a_single_ion_conductor_keeps_its_current() -> None:
    t = np.linspace(0, 5000, 100)
    i = 1e-5 + 1e-8 * np.random.default_rng(1).normal(size=100)
    found = decay(t, i)
    made = with_uncertainty((0.01, 0.0), found, (0.0, 0.0), (0.0, 0.0))
    assert made.value == pytest.approx(1.0, abs=0.02)


def test_what_is_not_between_0_and_1_is_doubted() -> None:
    t = np.linspace(0, 8 * TAU, 100)
    found = decay(t, 8e-6 - 4e-6 * np.exp(-t / TAU))
    made = with_uncertainty((0.01, 0.0), found, (0.0, 0.0), (0.0, 0.0))
    assert any("is not between 0 and 1" in one for one in made.doubts)


@pytest.mark.parametrize(
    ("t", "i", "said"),
    [
        ([0, 1], [1, 1], "at least 6"),
        (range(8), [0.0] * 8, "no current flowed"),
        (range(8), [math.nan] * 8, "no number"),
    ],
)
def test_what_is_no_decay_is_refused(t: list[float], i: list[float], said: str) -> None:
    with pytest.raises(AnalysisError, match=said):
        decay(list(t), i)
