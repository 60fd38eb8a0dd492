"""The front against its definition, and the volume under it against shapes with known ones."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planners.data import Candidate, Estimate, Limit, Objective, Observation
from planners.front import front, hypervolumes, volume, within

UP = Objective("conductivity", "S/cm", scale="log")
DOWN = Objective("resistance", "ohm", "minimise")
CLEAR = Limit("transmittance", "percent", at_least=80.0)
OBJECTIVES = (UP, DOWN)


def made(*values: float, clear: float = 90.0) -> Observation:
    names = ("conductivity", "resistance")
    estimates = {name: Estimate(v, 0.0) for name, v in zip(names, values, strict=False)}
    estimates["transmittance"] = Estimate(clear, 1.0)
    return Observation(Candidate({"x": 1.0}), estimates)


FEW = st.sampled_from([1.0, 2.0, 3.0, 5.0])
OBSERVATIONS = st.lists(
    st.builds(made, FEW, FEW, clear=st.sampled_from([70.0, 90.0])), max_size=8
)


@given(OBSERVATIONS)
def test_none_on_the_front_is_beaten_and_all_others_are_or_are_beyond_a_limit(
    observed: list[Observation],
) -> None:
    found = front(observed, OBJECTIVES, [CLEAR])

    def beats(one: Observation, other: Observation) -> bool:
        up, down = (
            [each.estimates[name].value for each in (one, other)]
            for name in ("conductivity", "resistance")
        )
        as_good = up[0] >= up[1] and down[0] <= down[1]
        return as_good and (up[0] > up[1] or down[0] < down[1])

    good = [one for one in observed if one.estimates["transmittance"].value >= 80.0]
    for number, one in enumerate(observed):
        beaten = any(beats(other, one) for other in good)
        assert (number in found) == (within(one, [CLEAR]) and not beaten)


def test_with_one_objective_the_front_is_the_best_within_the_limits() -> None:
    observed = [made(3.0, clear=95.0), made(9.0, clear=79.9), made(5.0, clear=80.0)]
    assert front(observed, [UP], [CLEAR]) == [2]
    assert front(observed, [UP]) == [1]


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_what_is_no_number_or_has_no_logarithm_is_on_no_front(value: float) -> None:
    assert front([made(value, 1.0), made(2.0, 5.0)], OBJECTIVES) == [1]
    assert front([made(1.0, 1.0, clear=math.nan)], OBJECTIVES, [CLEAR]) == []


def test_an_observation_that_lacks_an_objective_is_on_no_front() -> None:
    assert front([made(9.0), made(1.0, 1.0)], OBJECTIVES) == [1]


def test_a_limit_holds_at_both_ends() -> None:
    limit = Limit("transmittance", "percent", at_least=80.0, at_most=85.0)
    shown = [within(made(1.0, clear=c), [limit]) for c in (79.0, 80.0, 85.0, 86.0)]
    assert shown == [False, True, True, False]


def test_a_limit_without_a_bound_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"limits\.transmittance: neither at_least nor"
    ):
        Limit("transmittance", "percent")


def test_volumes_of_known_shapes() -> None:
    assert volume([(0.5, 1.0), (1.0, 0.5)]) == 0.75
    # Three bars along the axes of a cube: 3 (1/4) less the corner they share, twice.
    bars = [(1.0, 0.5, 0.5), (0.5, 1.0, 0.5), (0.5, 0.5, 1.0)]
    assert volume(bars) == pytest.approx(3 * 0.25 - 2 * 0.125)
    assert volume([(0.5, 0.5, 0.5, 0.5)]) == 0.0625


POINTS = st.lists(st.tuples(*[st.floats(0, 1, width=16)] * 3), min_size=1, max_size=6)


@given(POINTS, st.permutations([0, 1, 2]))
def test_the_volume_does_not_depend_on_order_or_axes(
    points: list[tuple[float, ...]], axes: list[int]
) -> None:
    turned = [tuple(point[axis] for axis in axes) for point in reversed(points)]
    assert volume(turned) == pytest.approx(volume(points))
    assert max(math.prod(p) for p in points) <= volume(points) + 1e-12 <= 1 + 2e-12


def test_the_hypervolume_is_of_the_box_of_all_that_was_observed() -> None:
    # In decades 0, 2, 1 of 2; in ohm 10, 0 and 5 of 10: a corner, an end and a middle.
    observed = [made(1.0, 0.0), made(100.0, 10.0), made(10.0, 5.0)]
    assert hypervolumes(observed, OBJECTIVES) == [0.0, 0.0, 0.25]
    observed.append(made(100.0, 0.0, clear=10.0))
    assert hypervolumes(observed, OBJECTIVES, [CLEAR])[-1] == 0.25
    assert hypervolumes(observed, OBJECTIVES)[-1] == 1.0


@given(OBSERVATIONS)
def test_the_hypervolume_never_falls(observed: list[Observation]) -> None:
    volumes = hypervolumes(observed, OBJECTIVES, [CLEAR])
    assert len(volumes) == len(observed)
    assert volumes == sorted(volumes)
    assert all(0.0 <= one <= 1.0 + 1e-12 for one in volumes)
