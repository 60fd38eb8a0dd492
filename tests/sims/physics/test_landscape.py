"""The hidden landscape of the first campaign can be learnt, and is not trivial."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from tests.sims.physics.process import coat, ideal, treat

LAB = ideal()


def made(acid: str, x: list[float]) -> float:
    """Conductivity at a point of the unit cube."""
    stock = LAB.acids[acid].stock
    anneal = 100.0 + 60.0 * x[4]
    sample = coat(
        LAB, rpm=1000.0 * 4.0 ** x[3], anneal=anneal, seconds=120.0 + 780.0 * x[5]
    )
    return treat(
        sample,
        acid,
        exp(log(0.1) + log(stock / 0.1) * x[0]),
        seconds=exp(log(30.0) + log(20.0) * x[1]),
        temperature=25.0 + 135.0 * x[2],
        anneal=anneal,
    ).conductivity


def good_point(acid: str) -> float:
    """The best of a grid over strength, dwell and plate."""
    return max(
        made(acid, [strength, dwell, plate, 0.5, 0.2, 0.4])
        for strength in (0.8, 0.9, 1.0)
        for dwell in (0.7, 1.0)
        for plate in (0.0, 0.2, 0.35, 0.5, 0.75, 1.0)
    )


@pytest.mark.slow
def test_random_candidates_are_mostly_middling_and_rarely_good() -> None:
    rng = np.random.default_rng(0)
    names = list(LAB.acids)
    drawn = [made(names[i % 12], list(rng.random(6))) for i in range(1800)]
    low, median, high, best = np.percentile(drawn, [5, 50, 95, 100])
    assert 10.0 < low < 100.0
    assert 100.0 < median < 600.0
    assert 1000.0 < high < 2500.0
    assert best < 4000.0


@pytest.mark.slow
def test_only_the_right_acid_under_the_right_conditions_is_best() -> None:
    best = {acid: good_point(acid) for acid in LAB.acids}
    ranking = sorted(best, key=lambda acid: -best[acid])
    assert ranking[:2] == ["sulfuric acid", "nitric acid"]
    assert 3900.0 < best["sulfuric acid"] < 4800.0
    assert best["hydrochloric acid"] < 0.5 * best["formic acid"]
    assert best["camphorsulfonic acid"] < 0.4 * best["benzenesulfonic acid"]
    assert best["methanesulfonic acid"] > best["p-toluenesulfonic acid"]


def test_hot_concentrated_sulfuric_acid_ruins_the_film() -> None:
    warm = made("sulfuric acid", [1.0, 1.0, 0.35, 0.5, 0.2, 0.4])
    hot = made("sulfuric acid", [1.0, 1.0, 1.0, 0.5, 0.2, 0.4])
    assert hot < 0.6 * warm


def test_the_speed_of_the_spin_hardly_matters() -> None:
    got = [made("nitric acid", [0.9, 0.8, 0.3, x, 0.2, 0.4]) for x in (0.0, 0.5, 1.0)]
    assert max(got) < 1.1 * min(got)
