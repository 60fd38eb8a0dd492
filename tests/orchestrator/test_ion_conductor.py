"""The line of polymer electrolytes: files that fit, amounts that follow, and the gate."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from orchestrator.chemical_gate import ceiling
from orchestrator.config.models import Campaign
from orchestrator.config.read_campaign import load_campaign
from orchestrator.errors import ConfigError
from orchestrator.recipes import compile_recipe
from planners.data import Candidate
from tests.orchestrator.lab_files import CONFIGS

LINE = CONFIGS / "ion_conductor"
VALUES: dict[str, float | str] = {
    "polymer": "PEO solution",
    "salt": "LiTFSI solution",
    "additive": "TEGDME solution",
    "molality": 1.0,
    "additive_ratio": 20.0,
    "drying_temperature": 55.0,
    "drying_time": 600.0,
}


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    return load_campaign(LINE / "campaign.yaml")


def portion(campaign: Campaign, step: str, **values: Any) -> dict[str, Any]:
    recipe = compile_recipe(campaign, Candidate(VALUES | values))
    found = next(one for one in recipe.steps if one.name == step)
    (one,) = found.parameters["portions"]
    made: dict[str, Any] = one
    return made


def test_a_mass_is_that_of_what_is_dissolved(campaign: Campaign) -> None:
    polymer = portion(campaign, "polymer")
    assert polymer["volume"] * 50.0 * 1e-3 == pytest.approx(polymer["solute"])
    assert polymer["mass"] == pytest.approx(polymer["volume"] * 0.80)


@pytest.mark.parametrize("molality", [0.2, 1.0, 2.5])
def test_a_molality_is_per_mass_of_polymer(campaign: Campaign, molality: float) -> None:
    polymer, salt = (
        portion(campaign, one, molality=molality) for one in ("polymer", "salt")
    )
    assert 1e3 * salt["amount"] / polymer["solute"] == pytest.approx(molality, rel=1e-3)
    assert salt["volume"] == pytest.approx(salt["amount"] / 0.5 * 1e3)


def test_a_mass_ratio_is_per_mass_of_polymer(campaign: Campaign) -> None:
    polymer, additive = (portion(campaign, one) for one in ("polymer", "additive"))
    assert additive["solute"] / polymer["solute"] == pytest.approx(0.2, rel=1e-3)


def test_the_gate_leaves_perchlorate_and_hexafluorophosphate_on_the_shelf(
    campaign: Campaign,
) -> None:
    assert set(campaign.refused) == {"LiClO4 solution", "LiPF6 solution"}
    assert "perchlorate" in campaign.refused["LiClO4 solution"]
    assert "etched" in campaign.refused["LiPF6 solution"]


def test_in_argon_acetonitrile_may_come_to_its_boiling_point_less_the_margin(
    campaign: Campaign,
) -> None:
    stock = campaign.lab.liquids["PEO solution"]
    inert, air = ceiling(stock, 10.0, inert=True), ceiling(stock, 10.0)
    assert inert is not None
    assert air is not None
    assert inert.high == pytest.approx(71.6)
    assert air.high == pytest.approx(-8.0)


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("lab.yaml", ", atmosphere: argon", "", "flashes at 2"),
        ("recipe.yaml", "mass: \"10 mg\"", "mass: \"10 mg\", volume: \"1 mL\"", "write one of"),
        ("recipe.yaml", ", of: polymer}", "}", "goes with molality"),
        ("recipe.yaml", "of: polymer}", "of: dry}", "no step before this one"),
        ("recipe.yaml", "molality: $molality", "molality: \"9 mol\"", "mol/kg"),
        ("lab.yaml", "concentration: \"0.5 mol/L\", ", "", "concentration — missing"),
        ("lab.yaml", "content: \"50 g/L\", ", "", "content — missing"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_is_missing_or_wrong(
    tmp_path: Path, file: str, old: str, new: str, told: str
) -> None:
    files = shutil.copytree(LINE, tmp_path / "line")
    text = (files / file).read_text(encoding="utf-8")
    assert old in text
    (files / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=told):
        load_campaign(files / "campaign.yaml")
