"""A whole trial's documents become an observation, or a sentence that says why not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.analysis import film, van_der_pauw
from orchestrator.analysis.evaluate import NotBelieved, evaluate, observe
from orchestrator.analysis.readings import AnalysisError
from orchestrator.records import Document, Measurement, MeasurementRule
from planners.data import Candidate, Objective
from tests.orchestrator.analysis.runs import light_run, step_run, vdp_run

ANALYSES = {
    "transmittance": film.transmittance,
    "van_der_pauw": van_der_pauw.analyse,
    "step_height": film.step_height,
    "conductivity": film.conductivity,
}
RULES = [
    MeasurementRule(
        "transmittance", "transmittance", {"reference": "lamp", "sample": "light"}
    ),
    MeasurementRule("sheet_resistance", "van_der_pauw", {"film": "probe"}),
    MeasurementRule("thickness", "step_height", {"profile": "scan"}),
    MeasurementRule(
        "conductivity",
        "conductivity",
        of={"sheet_resistance": "sheet_resistance", "thickness": "thickness"},
    ),
]
CANDIDATE = Candidate({"acid": "formic acid"})
CONDUCTIVITY = Objective("conductivity", "S/cm", scale="log")
OHM = 20.0 / 4.5323601418  # on both sides, for 20 ohm


def documents() -> dict[str, list[Document]]:
    return {
        "lamp": light_run([1e-3] * 10, "lamp"),
        "light": light_run([8.2e-4] * 10, "light"),
        "probe": vdp_run(OHM, OHM)["film"],
        "scan": step_run(100.0, 4.0)["profile"],
    }


def all_of(
    rules: list[MeasurementRule], given: dict[str, list[Document]]
) -> dict[str, Measurement]:
    found: dict[str, Measurement] = {}
    for rule in rules:
        found[rule.quantity] = evaluate(rule, given, found, ANALYSES.__getitem__)
    return found


def test_5000_siemens_per_cm_and_100_nm_are_read_as_20_ohm_and_back() -> None:
    found = all_of(RULES, documents())
    assert found["sheet_resistance"].value == pytest.approx(20.0)
    assert found["conductivity"].value == pytest.approx(5000.0)
    assert found["transmittance"].value == pytest.approx(0.82)
    observation = observe(CANDIDATE, [CONDUCTIVITY], found)
    assert observation.estimates["conductivity"].value == pytest.approx(5000.0)
    assert observation.estimates["conductivity"].std == pytest.approx(200.0, rel=0.01)


def test_a_quantity_takes_the_name_that_its_rule_gives() -> None:
    rule = MeasurementRule("thickness after", "step_height", {"profile": "scan"})
    found = all_of([rule], documents())
    assert found["thickness after"].quantity == "thickness after"


def test_a_missing_run_is_named_with_the_quantity() -> None:
    given = documents()
    del given["scan"]
    with pytest.raises(AnalysisError, match="thickness: no run of step scan"):
        all_of(RULES, given)


def test_the_planner_learns_in_its_own_unit() -> None:
    measured = {"thickness": Measurement("thickness", 80.0, 4.0, "nm", "")}
    wanted = Objective("thickness", "um")
    estimate = observe(CANDIDATE, [wanted], measured).estimates["thickness"]
    assert estimate.value == pytest.approx(0.080)
    assert estimate.std == pytest.approx(0.004)


def test_what_is_not_believed_is_not_observed() -> None:
    found = all_of(RULES, documents())
    found["conductivity"] = replace(
        found["conductivity"], believed=False, doubts=("thickness: too thin",)
    )
    with pytest.raises(NotBelieved, match=r"is not believed: .*too thin"):
        observe(CANDIDATE, [CONDUCTIVITY], found)


def test_what_was_not_measured_is_not_observed() -> None:
    with pytest.raises(NotBelieved, match="conductivity: was not measured"):
        observe(CANDIDATE, [CONDUCTIVITY], {})


def test_a_unit_of_another_kind_is_refused() -> None:
    measured = {"conductivity": Measurement("conductivity", 1.0, 0.1, "nm", "")}
    with pytest.raises(NotBelieved, match="nm cannot be turned into S/cm"):
        observe(CANDIDATE, [CONDUCTIVITY], measured)
