"""Sheet resistance: the law, the numbers, and when it is not believed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.readings import AnalysisError
from orchestrator.analysis.van_der_pauw import analyse, sensitivities, sheet_resistance
from orchestrator.records import Measurement
from tests.orchestrator.analysis.runs import (
    CURRENT,
    VDP_UNITS,
    run,
    vdp_events,
    vdp_run,
)

resistances = st.floats(1e-3, 1e9)
F_OF_Q = {
    1.0: 1.0,
    1.1: 0.999214,
    1.5: 0.985986,
    2.0: 0.960280,
    3.0: 0.906679,
    5.0: 0.821655,
    10.0: 0.699259,
    100.0: 0.403849,
    1000.0: 0.263701,
}
"""Table of PHYSICS.md B: the factor by which unequal resistances lower the mean."""


def measured(*args: Any, **words: Any) -> Measurement:
    return analyse(vdp_run(*args, **words), {})


def measured_after(change: Callable[[list[dict[str, Any]]], None]) -> Measurement:
    events = vdp_events(10.0, 12.0)
    change(events)
    return analyse({"film": run(VDP_UNITS, events)}, {})


@given(resistances, resistances)
def test_the_solution_satisfies_the_equation_of_van_der_pauw(
    r_a: float, r_b: float
) -> None:
    r_s = sheet_resistance(r_a, r_b)
    total = math.exp(-math.pi * r_a / r_s) + math.exp(-math.pi * r_b / r_s)
    assert total == pytest.approx(1.0, abs=1e-12)


@given(resistances, resistances, st.floats(1e-3, 1e3))
def test_scaling_both_resistances_scales_the_result(
    r_a: float, r_b: float, k: float
) -> None:
    assert sheet_resistance(k * r_a, k * r_b) == pytest.approx(
        k * sheet_resistance(r_a, r_b), rel=1e-12
    )


@given(resistances, resistances)
def test_the_two_resistances_may_change_places(r_a: float, r_b: float) -> None:
    assert sheet_resistance(r_a, r_b) == pytest.approx(
        sheet_resistance(r_b, r_a), rel=1e-12
    )


@given(resistances, resistances, st.floats(1.01, 10.0))
def test_more_resistance_on_a_side_never_means_less_of_the_whole(
    r_a: float, r_b: float, k: float
) -> None:
    assert sheet_resistance(k * r_a, r_b) >= sheet_resistance(r_a, r_b) * (1 - 1e-12)


@given(st.floats(1.0, 1e3), st.floats(1.0, 1e3))
def test_sensitivities_are_the_slopes_of_the_result(r_a: float, r_b: float) -> None:
    h = 1e-5
    slopes = (
        (sheet_resistance(r_a * (1 + h), r_b) - sheet_resistance(r_a * (1 - h), r_b))
        / (2 * h * r_a),
        (sheet_resistance(r_a, r_b * (1 + h)) - sheet_resistance(r_a, r_b * (1 - h)))
        / (2 * h * r_b),
    )
    assert sensitivities(r_a, r_b) == pytest.approx(slopes, rel=1e-4, abs=1e-6)


def test_two_resistances_of_one_ohm_make_4_53236_ohm() -> None:
    assert sheet_resistance(1.0, 1.0) == pytest.approx(4.53236, abs=5e-6)


@pytest.mark.parametrize(("q", "factor"), F_OF_Q.items())
def test_the_factor_of_unequal_resistances_is_that_of_the_table(
    q: float, factor: float
) -> None:
    mean_alone = math.pi / math.log(2.0) * (q + 1.0) / 2.0
    assert sheet_resistance(q, 1.0) / mean_alone == pytest.approx(factor, abs=1e-6)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf, 9.9e37])
def test_what_is_not_a_resistance_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        sheet_resistance(bad, 1.0)


@given(st.floats(1.0, 1e4), st.floats(1.0, 2.5))
def test_ideal_readings_give_the_films_own_value_and_are_believed(
    r_a: float, q: float
) -> None:
    found = measured(r_a, q * r_a)
    assert found.believed, found.doubts
    assert found.value == pytest.approx(sheet_resistance(r_a, q * r_a), rel=1e-9)
    assert found.unit == "ohm"
    assert found.std == pytest.approx(5e-4 * found.value, rel=1e-6)


def test_a_constant_thermoelectric_voltage_changes_nothing() -> None:
    # 50 uV beside a signal of 0.44 mV: the best films must not be the first to go.
    offsets = {"R12,43": 50e-6, "R23,14": -30e-6, "R34,21": 20e-6, "R41,32": 5e-6}
    found = measured(4.4, 4.4, offset=offsets)
    assert found.believed, found.doubts
    assert found.value == pytest.approx(sheet_resistance(4.4, 4.4), rel=1e-9)
    assert found.details["offset_V"] == pytest.approx(50e-6)


def test_the_uncertainty_covers_what_noise_does_to_the_value() -> None:
    rng = np.random.default_rng(0)
    truth = sheet_resistance(10.0, 13.0)
    deviations = []
    for _ in range(300):
        events = vdp_events(10.0, 13.0)
        for one in events:
            one["smu_voltage"] += rng.normal(0.0, 1e-6)
        found = analyse({"film": run(VDP_UNITS, events)}, {})
        deviations.append((found.value - truth) / found.std)
    # Gain, which these readings do not have wrong, is in the uncertainty as well.
    assert 0.3 < np.std(deviations) < 1.5
    assert abs(np.mean(deviations)) < 0.2


def test_polarities_that_differ_are_doubted() -> None:
    def rectify(events: list[dict[str, Any]]) -> None:
        for one in events:
            if one["smu_current"] > 0:
                one["smu_voltage"] *= 1.02

    found = measured_after(rectify)
    assert not found.believed
    assert any("polarities differ by 1.3%, more than 1%" in d for d in found.doubts)


def test_an_offset_too_large_for_thermoelectricity_is_doubted() -> None:
    found = measured(10.0, 10.0, offset={"R23,14": 250e-6})
    assert any("R23,14" in d and "250 uV, more than 100 uV" in d for d in found.doubts)


def test_reciprocal_resistances_that_differ_are_doubted_and_widen_the_uncertainty() -> (
    None
):
    found = measured(10.0, 10.0, changes={"R12,43": 1.05})
    assert not found.believed
    assert any("R12,43 and R34,21" in d and "4.9%" in d for d in found.doubts)
    assert found.std > 0.005 * found.value


def test_a_ratio_of_three_is_doubted() -> None:
    assert any("ratio of 3.5" in d for d in measured(10.0, 35.0).doubts)


def test_a_film_that_depends_on_the_current_is_doubted() -> None:
    def heat(events: list[dict[str, Any]]) -> None:
        for one in events[8:]:
            one["smu_voltage"] *= 1.02

    found = measured_after(heat)
    assert any("differs by 2.0%, more than 1%" in d for d in found.doubts)


def test_readings_at_one_current_only_are_doubted() -> None:
    found = measured(10.0, 10.0, currents=(CURRENT,))
    assert found.value == pytest.approx(45.3236, abs=1e-3)
    assert any("linearity" in d for d in found.doubts)


def test_a_hot_film_is_doubted() -> None:
    found = measured(1e5, 1e5)
    assert any("mW/cm2" in d for d in found.doubts)


def test_compliance_is_doubted_and_says_what_the_film_resists_at_least() -> None:
    def open_contact(events: list[dict[str, Any]]) -> None:
        for one in events:
            one["smu_compliance"] = 1
            one["smu_voltage"] = math.copysign(10.0, one["smu_current"])
            one["smu_current"] *= 1e-6

    found = measured_after(open_contact)
    assert not found.believed
    assert math.isfinite(found.value)
    assert found.value > 1e10
    assert any("16 of 16" in d for d in found.doubts)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 9.9e37])
def test_a_reading_that_is_no_number_is_doubted(bad: float) -> None:
    def spoil(events: list[dict[str, Any]]) -> None:
        events.append(dict(events[0], smu_voltage=bad))

    found = measured_after(spoil)
    assert math.isfinite(found.value)
    assert any("1 of 17 readings are no numbers" in d for d in found.doubts)


def test_a_missing_direction_is_named() -> None:
    with pytest.raises(AnalysisError, match=r"R12,43 needs .* there are 0 and 1"):
        measured_after(lambda events: events.__delitem__(0))


def test_crossed_leads_are_doubted_and_leave_a_finite_number() -> None:
    found = measured(-10.0, 10.0)
    assert not found.believed
    assert found.value > 0
    assert any("both must be above 0" in d for d in found.doubts)


def test_another_unit_is_refused_by_name() -> None:
    documents = run({**VDP_UNITS, "smu_voltage": "mV"}, vdp_events(1.0, 1.0))
    with pytest.raises(AnalysisError, match="smu_voltage is in 'mV'; 'V' is needed"):
        analyse({"film": documents}, {})


def test_an_aborted_run_is_refused() -> None:
    documents = run(VDP_UNITS, vdp_events(1.0, 1.0), exit_status="abort")
    with pytest.raises(AnalysisError, match="exit status 'abort'"):
        analyse({"film": documents}, {})


def test_two_fields_of_one_kind_are_refused() -> None:
    documents = run({**VDP_UNITS, "other_voltage": "V"}, vdp_events(1.0, 1.0))
    with pytest.raises(AnalysisError, match="2 fields"):
        analyse({"film": documents}, {})
