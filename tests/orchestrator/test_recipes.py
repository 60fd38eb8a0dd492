from __future__ import annotations

import io
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from orchestrator.config.models import Campaign
from orchestrator.config.read_campaign import load_campaign
from orchestrator.errors import Refused
from orchestrator.recipes import (
    compile_recipe,
    duration,
    explain,
    liquids_used,
    recipe_table,
)
from orchestrator.records import Recipe, Step
from planners.data import Candidate
from tests.orchestrator.lab_files import CONFIGS, LabFiles

CAMPAIGN = load_campaign(CONFIGS / "pedot_pss" / "campaign.yaml")
VALUES: dict[str, float | str] = {
    "acid": "sulfuric acid",
    "acid_concentration": 4.6,
    "dwell": 60.0,
    "treatment_temperature": 120.0,
    "spin_speed": 2000.0,
    "anneal_temperature": 130.0,
    "anneal_time": 300.0,
}


def step(recipe: Recipe, name: str) -> Step:
    return next(one for one in recipe.steps if one.name == name)


def portions(**values: Any) -> list[dict[str, Any]]:
    recipe = compile_recipe(CAMPAIGN, Candidate(VALUES | values))
    made: list[dict[str, Any]] = step(recipe, "acid").parameters["portions"]
    return made


candidates = st.builds(
    lambda acid, positions: CAMPAIGN.space.candidate(positions, {"acid": acid}),
    st.sampled_from(sorted(CAMPAIGN.space.choices[0].options)),
    st.fixed_dictionaries(
        {real.name: st.floats(0, 1) for real in CAMPAIGN.space.reals}
    ),
)


@given(candidates)
def test_every_candidate_of_the_space_can_be_made(candidate: Candidate) -> None:
    recipe = compile_recipe(CAMPAIGN, candidate)
    assert recipe == compile_recipe(CAMPAIGN, candidate)
    assert json.loads(json.dumps(asdict(recipe)))["candidate"] == candidate.values
    for one in recipe.steps:
        assert math.isfinite(one.duration)
        assert CAMPAIGN.lab.stations[one.station].offers(one.operation, one.slot)


@given(candidates)
def test_portions_add_up_and_can_be_metered(candidate: Candidate) -> None:
    recipe = compile_recipe(CAMPAIGN, candidate)
    poured = step(recipe, "acid").parameters["portions"]
    assert sum(one["volume"] for one in poured) == pytest.approx(120.0, abs=0.002)
    assert all(one["volume"] >= 2.0 - 0.001 for one in poured)


@given(candidates)
def test_the_concentration_made_is_the_one_asked_for(candidate: Candidate) -> None:
    """Within half of the arm's smallest volume, and half a rounded nanolitre."""
    recipe = compile_recipe(CAMPAIGN, candidate)
    acid = CAMPAIGN.lab.liquids[str(candidate.values["acid"])]
    assert acid.concentration is not None
    made = sum(
        one["volume"] / 120.0 * acid.concentration
        for one in step(recipe, "acid").parameters["portions"]
        if one["liquid"] == acid.name
    )
    wanted = float(candidate.values["acid_concentration"])
    assert abs(made - wanted) <= 1.001 / 120.0 * acid.concentration


def test_a_quarter_of_the_stock_is_three_parts_water_first() -> None:
    assert portions() == [
        {"liquid": "water", "source": "water", "volume": 90.0},
        {"liquid": "sulfuric acid", "source": "shelf.2", "volume": 30.0},
    ]


def test_the_stock_itself_is_poured_neat() -> None:
    neat = [{"liquid": "sulfuric acid", "source": "shelf.2", "volume": 120.0}]
    assert portions(acid_concentration=18.4) == neat
    assert portions(acid_concentration=18.3) == neat  # 0.65 uL of water: none


def test_steps_carry_values_in_the_plans_units() -> None:
    recipe = compile_recipe(CAMPAIGN, Candidate(VALUES))
    assert step(recipe, "coat").parameters == {
        "speed": 2000.0,
        "acceleration": 1000.0,
        "duration": 45.0,
    }
    assert step(recipe, "probe").parameters == {"current": pytest.approx(1e-4)}
    rinse = step(recipe, "rinse")
    assert rinse.parameters["target"] == "rinse"
    assert rinse.parameters["portions"][0]["volume"] == 3000.0
    assert (rinse.station, rinse.slot, rinse.at_once) == ("arm", "rinse", True)
    assert step(recipe, "lamp").empty
    assert step(recipe, "dwell").duration >= 60.0


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"spin_speed": math.nan}, "nan"),
        ({"dwell": math.inf}, "outside 30 to 600"),
        ({"dwell": 10**400}, "outside 30 to 600"),
        ({"spin_speed": 9000.0}, "outside 1000 to 4000 rpm"),
        ({"acid": "citric acid"}, "citric acid"),
        ({"acid": "camphorsulfonic acid"}, "outside 0.5 to 2.5 mol/L"),
        ({"dwell": "60 s"}, "not a number"),
        ({"colour": 1.0}, "colour: not a parameter"),
    ],
)
def test_what_is_not_of_the_space_is_refused(values: Any, rule: str) -> None:
    with pytest.raises(Refused, match=rule):
        compile_recipe(CAMPAIGN, Candidate(VALUES | values))


def edited(tmp_path: Path, name: str, old: str, new: str) -> Campaign:
    files = LabFiles.copied(tmp_path)
    files.edit(name, old, new)
    return files.load()


def test_a_dilution_without_a_diluent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="below the stock: write a diluent"):
        edited(tmp_path, "recipe.yaml", "diluent: water, ", "")


def test_a_liquid_without_concentration_cannot_be_diluted(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"ink — its stock has no concentration"):
        edited(tmp_path, "recipe.yaml", "liquid: ink, ", 'liquid: ink, concentration: "1 mol/L", ')  # fmt: skip


def test_what_a_trial_takes_is_added_up() -> None:
    used = liquids_used(compile_recipe(CAMPAIGN, Candidate(VALUES)))
    assert used == {"ink": 150.0, "water": 3090.0, "sulfuric acid": 30.0}


def test_a_recipe_is_explained_with_units_and_limits() -> None:
    recipe = compile_recipe(CAMPAIGN, Candidate(VALUES))
    rows = {row.step: row for row in explain(recipe, CAMPAIGN)}
    assert rows["acid"].parameters == ("90 µL water + 30 µL sulfuric acid",)
    assert rows["coat"].parameters[0] == "speed 2 000 rpm"
    assert rows["probe"].parameters == ("current 100 µA",)
    held = [limit.place for _, limit in rows["warm"].limits]
    assert any("stations.treat.limits.temperature" in place for place in held)
    assert any("instruments.treat_plate.max_temperature" in place for place in held)
    assert duration(recipe) > sum(row.duration for row in rows.values())


def test_the_table_says_everything_in_eighty_columns() -> None:
    recipe = compile_recipe(CAMPAIGN, Candidate(VALUES))
    console = Console(file=io.StringIO(), width=80)
    console.print(recipe_table(recipe, CAMPAIGN))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "sulfuric" in text
    assert "lab time" in text
    assert all(one.name in text for one in recipe.steps)
