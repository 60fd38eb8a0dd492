"""Conductivity against temperature: oracle 11, the choice of law, and what is between."""

from __future__ import annotations

import math

import numpy as np
import pytest

from orchestrator.analysis.temperature import GAS, ZERO, Point, estimate, laws

GRID = (20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0)


def peo(t: float) -> float:
    """VTF of PHYSICS.md C1, S/cm at degC."""
    return float(10**-0.82 * math.exp(-7.37 / (GAS * (t + ZERO - 178.6))))


def glass(t: float) -> float:
    return float(1e2 * math.exp(-60.0 / (GAS * (t + ZERO))))


def points(law: object, part: float = 0.02, seed: int | None = None) -> list[Point]:
    rng = np.random.default_rng(seed)
    made = []
    for t in GRID:
        value = law(t)  # type: ignore[operator]
        size = 1.0 if seed is None else math.exp(part * rng.normal())
        made.append(Point(t, value * size, part * value))
    return made


def test_vtf_of_peo_gives_minus_3_31_at_60_degc() -> None:
    """Oracle 11."""
    best = laws(points(peo))[0]
    assert best.name == "VTF"
    assert math.log10(best.at(60.0).value) == pytest.approx(-3.31, abs=0.005)
    found = best.parameters
    assert found["log10_A"][0] == pytest.approx(-0.82, abs=0.01)
    assert found["B_kJ_per_mol"][0] == pytest.approx(7.37, rel=0.01)
    assert found["T0_K"][0] == pytest.approx(178.6, abs=0.5)


@pytest.mark.parametrize("seed", range(6))
def test_a_straight_line_is_arrhenius(seed: int) -> None:
    best = laws(points(glass, seed=seed))[0]
    assert best.name == "Arrhenius"
    value, std = best.parameters["Ea_kJ_per_mol"]
    assert abs(value - 60.0) <= 4 * std


@pytest.mark.parametrize("t", [30.0, 60.0])
def test_noisy_points_give_the_conductivity_within_its_uncertainty(t: float) -> None:
    scores = []
    for seed in range(60):
        made = estimate(points(peo, seed=seed), t)
        assert made is not None
        assert made.outside == 0.0
        scores.append(abs(made.point.value - peo(t)) / made.point.std)
    assert 0.5 < np.mean(np.array(scores) < 1.0) < 0.9
    assert np.mean(np.array(scores) < 2.0) > 0.9


def test_extrapolation_is_labelled_and_less_certain() -> None:
    near, far = estimate(points(peo), 60.0), estimate(points(peo), 110.0)
    assert near is not None
    assert far is not None
    assert far.outside == pytest.approx(30.0)
    assert far.point.std / far.point.value > 2 * near.point.std / near.point.value


def test_across_the_melting_of_peo_the_neighbours_are_believed() -> None:
    def melting(t: float) -> float:
        return peo(t) * 10 ** (-1.1 / (1 + math.exp((t - 62.0) / 1.7)))

    made = estimate(points(melting), 45.0)
    assert made is not None
    assert made.how == "between two neighbours"
    assert abs(made.point.value - melting(45.0)) <= 2 * made.point.std


def test_one_temperature_is_an_answer_only_where_it_is() -> None:
    one = [Point(29.0, 1e-5, 1e-7)]
    assert estimate([], 30.0) is None
    assert estimate(one, 60.0) is None
    found = estimate(one, 30.0)
    assert found is not None
    assert found.how == "measured there"
