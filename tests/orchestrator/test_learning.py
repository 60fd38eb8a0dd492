from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.campaign import Trial
from orchestrator.learning import Failed, Learned, Repeated, learn
from orchestrator.records import Document, Measurement, MeasurementRule
from planners.data import Objective, Observation
from tests.orchestrator.virtual_lab import RECIPE, VirtualLab

OBJECTIVES = (Objective("conductivity", "S/cm"),)
RULES = (
    MeasurementRule("sheet_resistance", "van_der_pauw", runs={"film": "probe"}),
    MeasurementRule("thickness", "step_height", runs={"profile": "light"}),
    MeasurementRule(
        "conductivity",
        "conductivity",
        of={"sheet_resistance": "sheet_resistance", "thickness": "thickness"},
    ),
)


def trial() -> Trial:
    lab = VirtualLab()
    lab.start("t1", "rack.1")
    for step in RECIPE.steps:
        while True:
            (one,) = lab.ready()
            lab.end(lab.begin(one))
            if one.step.name == step.name:
                break
    one_trial = lab.progress.trials["t1"]
    return replace(one_trial, recipe=replace(RECIPE, measurements=RULES))


@pytest.fixture(autouse=True)
def believed(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Analyses that answer 20 ohm, 100 nm and what follows, believed or not."""
    verdict = {"van_der_pauw": True, "step_height": True, "conductivity": True}
    values = {
        "van_der_pauw": (20.0, "ohm"),
        "step_height": (100.0, "nm"),
        "conductivity": (5000.0, "S/cm"),
    }

    def build(name: str) -> Any:
        def analyse(_runs: Any, _of: Any) -> Measurement:
            doubts = () if verdict[name] else ("a reason",)
            value, unit = values[name]
            return Measurement(name, value, 1.0, unit, name, (), verdict[name], doubts)

        return analyse

    monkeypatch.setattr("orchestrator.lab.build_analysis", build)
    return verdict


def documents(_uid: str) -> list[Document]:
    return []


def test_the_last_step_of_a_trial_brings_the_observation() -> None:
    known = trial()
    lessons = list(learn(known, "light", OBJECTIVES, documents))
    measured = [one.measurement for one in lessons if isinstance(one, Learned)]
    assert [one.quantity for one in measured] == ["thickness"]
    known = replace(known, measurements=tuple(measured))
    lessons = list(learn(known, "probe", OBJECTIVES, documents))
    assert isinstance(lessons[-1], Observation)
    assert lessons[-1].estimates["conductivity"].value == 5000.0


def test_what_is_not_believed_is_repeated_once_then_has_failed(
    believed: dict[str, bool],
) -> None:
    believed["van_der_pauw"] = False
    known = trial()
    lessons = list(learn(known, "probe", OBJECTIVES, documents))
    assert lessons[-1] == Repeated(
        "probe", "sheet_resistance is not believed: a reason"
    )
    again = replace(known, repeats={"probe": 1})
    lessons = list(learn(again, "probe", OBJECTIVES, documents))
    assert isinstance(lessons[0], Learned)
    assert isinstance(lessons[-1], Failed)


def test_a_doubt_that_no_objective_needs_is_kept_and_the_trial_goes_on(
    believed: dict[str, bool],
) -> None:
    believed["step_height"] = False
    known = replace(trial(), repeats={"light": 1, "probe": 1})
    aside = (Objective("sheet_resistance", "ohm"),)
    doubted, *_ = learn(known, "light", aside, documents)
    assert isinstance(doubted, Learned)
    assert doubted.measurement.doubts == ("a reason",)
    assert isinstance(list(learn(known, "probe", aside, documents))[-1], Observation)
    (_, failed) = learn(known, "light", OBJECTIVES, documents)
    assert isinstance(failed, Failed)


def test_what_an_objective_needs_is_not_worked_out_while_it_is_doubted(
    believed: dict[str, bool],
) -> None:
    needing = MeasurementRule(
        "sheet_resistance",
        "van_der_pauw",
        runs={"film": "probe"},
        needs=("thickness",),
    )
    rules = replace(RECIPE, measurements=(RULES[1], needing))
    aside = (Objective("sheet_resistance", "ohm"),)
    known = replace(trial(), recipe=rules, repeats={"light": 1, "probe": 1})
    assert not [
        one
        for one in learn(known, "probe", aside, documents)
        if isinstance(one, Learned | Observation)
    ]
    believed["step_height"] = False
    (_, failed) = learn(known, "light", aside, documents)
    assert failed == Failed("thickness is not believed: a reason")


def test_what_was_learned_before_a_kill_is_not_learned_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def build(name: str) -> Any:
        def analyse(_runs: Any, _of: Any) -> Measurement:
            return Measurement(name, 1.0, 0.1, "nm", name, (f"uid-{name}",))

        return analyse

    monkeypatch.setattr("orchestrator.lab.build_analysis", build)
    known = trial()
    written: list[Measurement] = []
    for step in ("light", "probe", "probe"):  # the last one again, after a kill
        lessons = list(learn(known, step, OBJECTIVES, documents))
        written += [one.measurement for one in lessons if isinstance(one, Learned)]
        known = replace(known, measurements=tuple(written))
    quantities = [one.quantity for one in written]
    assert quantities == ["thickness", "sheet_resistance", "conductivity"]
