"""A desirability is what Derringer and Suich say, with an uncertainty that follows from it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planners.data import Candidate, Estimate, Objective, Observation
from planners.desirability import (
    Desirability,
    Desire,
    objective_of,
    quantities,
    worked_out,
)
from planners.front import front

RESISTANCE = Desire("resistance", "ohm", ((500.0, 5.0),), "log", weight=2.0)
CLEAR = Desire("transmittance", "percent", ((70.0, 90.0),))
THICK = Desire("thickness", "nm", ((50.0, 90.0), (150.0, 110.0)), exponent=2.0)
WHOLE = Desirability(desires=(RESISTANCE, CLEAR))


def estimates(**values: float) -> dict[str, Estimate]:
    return {name: Estimate(value, 0.0) for name, value in values.items()}


def test_the_tyre_tread_of_the_paper_has_its_desirability() -> None:
    """Derringer and Suich (1980): the best compound, with d = .189, 1, .656 and .932."""
    tread = Desirability(
        desires=(
            Desire("abrasion", "1", ((120.0, 170.0),)),
            Desire("modulus", "psi", ((1000.0, 1300.0),)),
            Desire("elongation", "percent", ((400.0, 500.0), (600.0, 500.0))),
            Desire("hardness", "1", ((60.0, 67.5), (75.0, 67.5))),
        )
    )
    found = tread.of(
        estimates(abrasion=129.5, modulus=1300.0, elongation=465.7, hardness=68.0)
    )
    assert found.value == pytest.approx(0.583, abs=2e-3)  # its inputs are rounded


def test_on_a_log_scale_half_way_is_the_geometric_middle_and_weights_count() -> None:
    half = WHOLE.of(estimates(resistance=50.0, transmittance=90.0))
    assert half.value == pytest.approx(0.5 ** (2.0 / 3.0))


NUMBERS = st.floats(1e-3, 1e6)


@given(NUMBERS, NUMBERS, st.sampled_from([RESISTANCE, CLEAR, THICK]))
def test_a_share_lies_between_0_and_1_and_its_bounds_are_there(
    a: float, b: float, desire: Desire
) -> None:
    def share(value: float) -> float:
        scaled, _ = desire.on_scale(Estimate(value, 0.0))
        return float(desire.share(scaled))

    assert 0.0 <= share(a) <= 1.0
    for useless, ideal in desire.ramps:
        assert share(useless) == 0.0
        assert share(ideal) == pytest.approx(1.0)
    if len(desire.ramps) == 1:
        better = max if desire.quantity.direction == "maximise" else min
        assert share(better(a, b)) >= share(a)


@given(st.floats(1.0, 2000.0), st.floats(0.0, 100.0))
def test_what_is_useless_in_one_respect_is_useless(ohm: float, clear: float) -> None:
    seen = estimates(resistance=ohm, transmittance=clear)
    assert (WHOLE.of(seen).value == 0.0) == (0.0 in WHOLE.shares(seen).values())


def test_inside_a_ramp_the_uncertainty_is_that_of_first_order() -> None:
    seen = {
        "resistance": Estimate(50.0, 0.5),
        "transmittance": Estimate(85.0, 0.2),
    }
    found = WHOLE.of(seen)
    slopes = [
        (
            WHOLE.of({**seen, name: Estimate(one.value + 1e-4, 0.0)}).value
            - WHOLE.of({**seen, name: Estimate(one.value - 1e-4, 0.0)}).value
        )
        / 2e-4
        for name, one in seen.items()
    ]
    expected = math.hypot(slopes[0] * 0.5, slopes[1] * 0.2)
    assert found.std == pytest.approx(expected, rel=1e-3)


def test_just_beyond_the_useless_bound_nothing_is_certain() -> None:
    seen = {
        "resistance": Estimate(50.0, 0.0),
        "transmittance": Estimate(69.9, 0.5),
    }
    found = WHOLE.of(seen)
    assert found.value == 0.0
    assert found.std > 0.05


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"ramps": ((5.0, 5.0),)}, "must differ"),
        ({"ramps": ((0.0, 5.0),), "scale": "log"}, "above 0"),
        ({"ramps": ((50.0, 90.0), (80.0, 85.0))}, "between two useless bounds"),
        ({"ramps": ((150.0, 90.0), (50.0, 90.0))}, "between two useless bounds"),
        ({"ramps": ((-1e308, 1e308),)}, "too far apart"),
        ({"weight": 0.0}, "weight must be above 0"),
        ({"exponent": math.inf}, "exponent must be above 0"),
    ],
)
def test_what_is_no_desire_is_refused(change: dict[str, Any], rule: str) -> None:
    wanted = {"name": "x", "unit": "1", "ramps": ((0.0, 1.0),), **change}
    with pytest.raises(ValueError, match=rule):
        Desire(**wanted)


def test_an_objective_comes_back_from_the_ledger_as_it_was() -> None:
    whole = Desirability(desires=(RESISTANCE, THICK))
    for one in (whole, Objective("yield", "percent", target=90.0)):
        assert objective_of(json.loads(json.dumps(asdict(one)))) == one


def test_what_is_measured_are_the_quantities_and_the_best_is_none_that_is_useless() -> (
    None
):
    assert [one.name for one in quantities([WHOLE])] == ["resistance", "transmittance"]
    assert [one.direction for one in quantities([WHOLE])] == ["minimise", "maximise"]
    rows = [(900.0, 95.0), (50.0, 75.0), (20.0, 85.0), (5.0, 60.0)]
    observed = [
        Observation(
            Candidate({"x": 1.0}),
            worked_out(estimates(resistance=ohm, transmittance=clear), [WHOLE]),
        )
        for ohm, clear in rows
    ]
    assert front(observed, [WHOLE]) == [2]
    assert front(observed[::3], [WHOLE]) == []
