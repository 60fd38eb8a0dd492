"""The last look at a step before its plan: whatever the source, nothing wrong gets by."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.read_campaign import load_campaign
from orchestrator.errors import Refused
from orchestrator.lab import signature
from orchestrator.recipes import compile_recipe
from orchestrator.records import Step
from orchestrator.resolve import resolve
from tests.orchestrator.lab_files import CONFIGS, LabFiles

CAMPAIGN = load_campaign(CONFIGS / "pedot_pss" / "campaign.yaml")
LAB = CAMPAIGN.lab
STEPS = compile_recipe(
    CAMPAIGN,
    CAMPAIGN.space.candidate(
        {real.name: 0.5 for real in CAMPAIGN.space.reals}, {"acid": "sulfuric acid"}
    ),
).steps
QUANTITIES = [
    (step, name)
    for step in STEPS
    for name, one in signature(step.operation).parameters.items()
    if one.kind == "quantity"
]
POURING = [step for step in STEPS if "portions" in step.parameters]

monsters = st.one_of(
    st.sampled_from(
        [math.nan, math.inf, -math.inf, 1e308, -1e308, -1.0, 10**400, True, None, "",
         "120", "1; M8", b"1", [120.0], {"value": 120.0}, 1j]
    ),
    st.text(),
    st.floats(max_value=-1e-6),
    st.floats(min_value=1e6),
)  # fmt: skip


@given(st.sampled_from(QUANTITIES), monsters)
def test_a_quantity_that_is_none_or_beyond_its_limits_never_resolves(
    one: tuple[Step, str], value: Any
) -> None:
    step, name = one
    with pytest.raises(Refused, match=name) as refused:
        resolve(LAB, step.station, step.operation, {**step.parameters, name: value})
    assert step.station in str(refused.value)


@given(st.sampled_from(POURING), st.data(), monsters)
def test_a_portion_that_was_tampered_with_never_resolves(
    step: Step, data: st.DataObject, value: Any
) -> None:
    portions = [dict(one) for one in step.parameters["portions"]]
    index = data.draw(st.integers(0, len(portions) - 1))
    key = data.draw(st.sampled_from(["liquid", "source", "volume"]))
    portions[index][key] = value
    given_parameters = {**step.parameters, "portions": portions}
    with pytest.raises(Refused, match=key) as refused:
        resolve(LAB, step.station, step.operation, given_parameters)
    assert step.operation in str(refused.value)


@given(st.sampled_from(POURING), monsters)
def test_a_place_is_one_of_the_lab_s(step: Step, value: Any) -> None:
    with pytest.raises(Refused, match=r"target.*no such place"):
        resolve(LAB, step.station, step.operation, {**step.parameters, "target": value})


WATER = {"liquid": "water", "source": "water", "volume": 50.0}
ACID = {"liquid": "nitric acid", "source": "shelf.3", "volume": 50.0}


@pytest.mark.parametrize(
    ("portions", "rule"),
    [
        ([], "must be a list of portions"),
        ("water", "must be a list of portions"),
        ([WATER | {"heat": 1}], "must have liquid, source and volume"),
        ([WATER, 3], r"portions\[1\]: 3"),
        ([WATER | {"source": "shelf.2"}], "water is in water"),
        ([WATER | {"liquid": "gin"}], "not on the shelf"),
        ([WATER | {"volume": 1.9}], "must be at least 2 uL .*limits.volume"),
        ([WATER | {"volume": 0.0}], "must be at least 2 uL"),
        ([WATER | {"volume": 9000.0}, ACID | {"volume": 1001.0}], "10 001 µL — must be 2"),
        ([ACID, {"liquid": "formic acid", "source": "shelf.5", "volume": 9.0}], "must not meet"),
    ],
)  # fmt: skip
def test_portions_are_held_to_shelf_limits_and_pairs(portions: Any, rule: str) -> None:
    with pytest.raises(Refused, match=rule):
        resolve(LAB, "arm", "dispense", {"target": "treat", "portions": portions})


def test_a_rinse_takes_no_vials() -> None:
    with pytest.raises(Refused, match=r"shelf.3 — rinse takes no vials"):
        resolve(LAB, "arm", "rinse", {"target": "rinse", "portions": [ACID]})


def test_a_liquid_that_the_pump_does_not_stand_is_refused_at_the_station(
    tmp_path: Any,
) -> None:
    files = LabFiles.copied(tmp_path)
    files.edit("lab.yaml", "[borosilicate, PTFE, PCTFE, FEP]", "[PEEK]")
    files.edit(
        "campaign.yaml", "{molecule: acid}", "{molecule: acid, only: [acetic acid]}"
    )
    lab = files.load().lab
    with pytest.raises(Refused, match="nitric acid — refused: oxidising acid: PEEK"):
        resolve(lab, "arm", "dispense", {"target": "treat", "portions": [ACID]})
