"""Transmittance, thickness and conductivity: laws, numbers, doubts."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.film import conductivity, step_height, transmittance
from orchestrator.analysis.readings import AnalysisError
from orchestrator.records import Measurement
from tests.orchestrator.analysis.runs import light_run, step_run

RESISTANCE = Measurement("sheet_resistance", 20.0, 0.1, "ohm", "", runs=("a",))
THICKNESS = Measurement("thickness", 100.0, 5.0, "nm", "", runs=("b",))


def of(resistance: Measurement, thickness: Measurement) -> dict[str, Measurement]:
    return {"sheet_resistance": resistance, "thickness": thickness}


positive = st.floats(0.1, 1e5)


@given(positive, positive, st.floats(0.01, 100.0))
def test_conductivity_falls_with_resistance_and_with_thickness_alike(
    ohm: float, nm: float, k: float
) -> None:
    r, t = replace(RESISTANCE, value=ohm), replace(THICKNESS, value=nm, std=0.0)
    more_ohm = conductivity({}, of(replace(r, value=k * ohm), t)).value
    more_nm = conductivity({}, of(r, replace(t, value=k * nm))).value
    assert more_ohm == pytest.approx(more_nm)
    assert k * more_ohm == pytest.approx(conductivity({}, of(r, t)).value)


def test_20_ohm_and_100_nm_make_5000_siemens_per_cm() -> None:
    found = conductivity({}, of(RESISTANCE, THICKNESS))
    assert found.value == pytest.approx(5000.0)
    assert found.std == pytest.approx(5000.0 * math.hypot(0.005, 0.05))
    assert found.unit == "S/cm"
    assert found.believed
    assert found.runs == ("a", "b")


def test_conductivity_is_believed_only_if_its_inputs_are() -> None:
    doubted = replace(THICKNESS, believed=False, doubts=("too thin",))
    found = conductivity({}, of(RESISTANCE, doubted))
    assert not found.believed
    assert found.doubts == ("thickness: too thin",)


def test_conductivity_of_no_film_is_finite_and_not_believed() -> None:
    nothing = replace(
        THICKNESS, value=-1.0, std=2.5, believed=False, doubts=("not above 0",)
    )
    found = conductivity({}, of(RESISTANCE, nothing))
    assert math.isfinite(found.value)
    assert not found.believed


def test_conductivity_refuses_another_unit() -> None:
    with pytest.raises(AnalysisError, match="thickness is in um; nm is needed"):
        conductivity({}, of(RESISTANCE, replace(THICKNESS, unit="um")))


def test_conductivity_names_what_is_missing() -> None:
    with pytest.raises(AnalysisError, match="no measurement named thickness"):
        conductivity({}, {"sheet_resistance": RESISTANCE})


def lights(reference: list[float], sample: list[float]) -> Measurement:
    runs = {"reference": light_run(reference, "r"), "sample": light_run(sample, "s")}
    return transmittance(runs, {})


@given(st.floats(0.01, 1.0), st.floats(1e-5, 1e-2))
def test_transmittance_does_not_depend_on_the_lamp(part: float, power: float) -> None:
    found = lights([power] * 10, [part * power] * 10)
    assert found.value == pytest.approx(part)
    assert found.believed
    assert found.std == pytest.approx(0.005 * part)
    assert found.runs == ("r", "s")


def test_scatter_of_the_light_widens_the_uncertainty() -> None:
    found = lights([1e-3 * (1 + 0.01 * (-1) ** i) for i in range(10)], [9e-4] * 10)
    assert found.std > 0.005 * found.value
    assert found.value == pytest.approx(0.9)


def test_a_sample_brighter_than_the_lamp_is_doubted() -> None:
    found = lights([1e-3] * 10, [1.1e-3] * 10)
    assert found.doubts == ("transmittance is 1.100, more than 1.02",)


def test_a_flickering_lamp_is_doubted() -> None:
    found = lights([1e-3, 1.2e-3] * 5, [9e-4] * 10)
    assert any("reference" in doubt and "scatter" in doubt for doubt in found.doubts)


def test_a_lamp_that_is_off_is_an_error_that_says_so() -> None:
    with pytest.raises(AnalysisError, match="the lamp is off"):
        lights([1e-9] * 10, [1e-9] * 10)


def test_an_overload_is_no_power() -> None:
    with pytest.raises(AnalysisError, match=r"9\.9e\+37 W"):
        lights([1e-3] * 10, [9.9e37] * 10)


def test_thickness_is_what_the_profile_says() -> None:
    found = step_height(step_run(65.0, 3.2), {})
    assert (found.value, found.std, found.unit) == (65.0, 3.2, "nm")
    assert found.believed
    assert found.details["file"] == "scan_0001.csv"


@pytest.mark.parametrize(("nm", "std"), [(-1.0, 2.5), (0.0, 2.5), (4.0, 2.5)])
def test_a_thickness_that_its_uncertainty_drowns_is_doubted(
    nm: float, std: float
) -> None:
    assert not step_height(step_run(nm, std), {}).believed


def test_a_thickness_that_is_no_number_is_refused() -> None:
    with pytest.raises(AnalysisError, match="no number"):
        step_height(step_run(math.nan, 1.0), {})
