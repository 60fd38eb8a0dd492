"""What may not be poured, may not meet and may not be warmed, and where that is held."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem
from typer.testing import CliRunner

from orchestrator.chemical_gate import (
    ROOM,
    ceiling,
    check_steps,
    classes,
    hazards,
    meeting,
    outright,
)
from orchestrator.cli import app
from orchestrator.config.models import Campaign, Liquid
from orchestrator.config.read_campaign import load_campaign
from orchestrator.errors import ConfigError, Refused
from orchestrator.hazards import CLASSES, HAZARDS, MATERIALS, PAIRS
from orchestrator.recipes import compile_recipe
from orchestrator.records import Step
from planners.baseline import RandomPlanner
from planners.data import Candidate
from tests.orchestrator.lab_files import CONFIGS, LabFiles
from tests.orchestrator.molecules import ENERGETIC, PASSES, WATER_REACTIVE

CAMPAIGN = load_campaign(CONFIGS / "pedot_pss" / "campaign.yaml")
LAB = CAMPAIGN.lab
ACIDS = [one for one in LAB.liquids.values() if one.kind == "acid"]
MIDDLE = dict.fromkeys((real.name for real in CAMPAIGN.space.reals), 0.5)


def liquid(smiles: str, name: str = "x", **facts: Any) -> Liquid:
    return Liquid(name, "shelf.16", 1000.0, smiles=smiles, **facts)


@pytest.fixture
def files(tmp_path: Path) -> LabFiles:
    return LabFiles.copied(tmp_path)


def on_shelf(files: LabFiles, name: str, facts: str, place: str = "shelf.16") -> None:
    """Put one more liquid on the shelf of a lab file."""
    line = f'    {name}: {{place: {place}, volume: "40 mL", {facts}}}\n    water: '
    files.edit("lab.yaml", "    water: ", line)


# Molecules


@pytest.mark.parametrize("name", ENERGETIC)
def test_an_energetic_molecule_is_refused(name: str) -> None:
    assert "energetic" in {one.kind for one in hazards(ENERGETIC[name])}


@pytest.mark.parametrize("name", WATER_REACTIVE)
def test_a_water_reactive_molecule_is_refused(name: str) -> None:
    assert "water-reactive" in {one.kind for one in hazards(WATER_REACTIVE[name])}


@pytest.mark.parametrize("name", PASSES)
def test_an_ordinary_molecule_passes(name: str) -> None:
    assert hazards(PASSES[name]) == ()


@pytest.mark.parametrize("acid", ACIDS, ids=lambda one: one.name)
def test_no_acid_of_the_shelf_is_hit(acid: Liquid) -> None:
    assert outright(acid, ["borosilicate", "PTFE", "PCTFE", "FEP"]) == ""
    assert "acid" in classes(acid.smiles)
    assert meeting(acid, LAB.liquids["water"]) == ""


def test_every_group_of_the_list_is_hit_by_some_molecule() -> None:
    bad = (ENERGETIC | WATER_REACTIVE).values()
    hit = {one.name for smiles in bad for one in hazards(smiles)}
    assert {one.name for one in HAZARDS} == hit


def test_the_tables_are_consistent() -> None:
    known = {*CLASSES, "water-reactive"}
    assert all(len(one.reason) > 10 for one in HAZARDS)
    assert all({one.one, one.other} <= known for one in PAIRS)
    assert all(set(one.fails) <= known for one in MATERIALS.values())
    for smarts in [
        *(h.smarts for h in HAZARDS),
        *(s for c in CLASSES.values() for s in c),
    ]:
        assert Chem.MolFromSmarts(smarts) is not None, smarts


@given(
    st.sampled_from(sorted((ENERGETIC | WATER_REACTIVE | PASSES).items())), st.randoms()
)
def test_how_a_smiles_is_written_changes_nothing(item: Any, draw: Any) -> None:
    molecule = Chem.MolFromSmiles(item[1])
    order = list(range(molecule.GetNumAtoms()))
    draw.shuffle(order)
    shuffled = Chem.RenumberAtoms(molecule, order)
    other = Chem.MolToSmiles(shuffled, canonical=False)
    assert hazards(other) == hazards(item[1])
    assert classes(other) == classes(item[1])


# Pairs and materials

NITRIC, SULFURIC = "O[N+](=O)[O-]", "OS(=O)(=O)O"


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        (NITRIC, "CC(C)=O", "oxidising acid and an organic liquid"),
        (NITRIC, "OC=O", "oxidising acid and an organic liquid"),
        (NITRIC, "Cl", "aqua regia"),
        (NITRIC, SULFURIC, "nitrating acid"),
        (NITRIC, "[Na+].[OH-]", "boil up"),
        (SULFURIC, "CCO", "chars"),
        (SULFURIC, "OO", "piranha"),
        ("CC(=O)O", "N", "boil up"),
        ("OP(=O)(O)O", "C1CCC2=NCCCN2CC1", "boil up"),
        ("Cl", "[Na+].[O-]Cl", "chlorine"),
        ("CC(=O)O", "[Na+].[C-]#N", "poisonous gas"),
        ("OO", "CC(C)=O", "peroxides"),
        ("[Na+].[O-]Cl", "N", "chloramines"),
        ("[K+].[OH-]", "ClC(Cl)Cl", "violently"),
        ("CC(=O)Cl", "O", "violently"),
    ],
)
def test_what_must_not_meet_is_refused_either_way_round(
    one: str, other: str, reason: str
) -> None:
    assert reason in meeting(liquid(one), liquid(other))
    assert reason in meeting(liquid(other), liquid(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [("Cl", "O"), (SULFURIC, "O"), ("CCO", "CC(C)=O"), ("OO", "O"), ("NCC(=O)O", "Cl"),
     ("CS(=O)(=O)O", "CS(C)=O"), ("CCO", "[Na+].[OH-]")],
)  # fmt: skip
def test_what_may_meet_may(one: str, other: str) -> None:
    assert meeting(liquid(one), liquid(other)) == ""


@pytest.mark.parametrize(
    ("material", "smiles", "stands"),
    [
        ("borosilicate", "F", False),
        ("borosilicate", "[Na+].[OH-]", False),
        ("borosilicate", SULFURIC, True),
        ("stainless steel", "Cl", False),
        ("stainless steel", SULFURIC, False),
        ("stainless steel", NITRIC, True),
        ("PEEK", SULFURIC, False),
        ("PEEK", NITRIC, False),
        ("PEEK", "CS(=O)(=O)O", False),
        ("PEEK", "CC(=O)O", True),
        ("polypropylene", NITRIC, False),
        ("polypropylene", "Cl", True),
        ("FKM", "CC(C)=O", False),
        ("FKM", "N", False),
        ("EPDM", "Cc1ccccc1", False),
        ("EPDM", "CC(C)=O", True),
        ("silicone", "OC(=O)C(F)(F)F", False),
        ("PVDF", "[Na+].[OH-]", False),
        ("PCTFE", "ClC(Cl)Cl", False),
        ("PTFE", "F", True),
        ("PFA", NITRIC, True),
        ("ceramic", "F", False),
    ],
)
def test_a_pump_s_material_stands_or_does_not(
    material: str, smiles: str, stands: bool
) -> None:
    assert (outright(liquid(smiles), [material]) == "") is stands
    assert outright(liquid(smiles), []) == ""  # not stated: not judged


# Temperatures


@pytest.mark.parametrize(
    ("facts", "high"),
    [
        ({"boiling": 118.0, "flash": 39.0}, 29.0),
        ({"boiling": 72.0, "flash": math.inf}, 62.0),
        ({"boiling": 118.0}, ROOM),  # it burns, and the lab does not say when
        ({"flash": 39.0}, ROOM),
        ({"flash": 13.0}, 3.0),
        ({}, ROOM),
    ],
)
def test_an_organic_liquid_stays_below_what_is_stated(facts: Any, high: float) -> None:
    most = ceiling(liquid("CC(=O)O", **facts), 10.0)
    assert most is not None
    assert most.high == high


def test_water_merely_dries_and_an_acid_that_nothing_is_said_of_is_not_heated() -> None:
    assert ceiling(liquid("O"), 10.0) is None
    assert ceiling(liquid("", kind="diluent"), 10.0) is None
    assert ceiling(liquid("Cl", boiling=math.inf), 10.0) is None
    for unknown in (liquid("Cl"), liquid(""), liquid("CCO", kind="diluent")):
        most = ceiling(unknown, 10.0)
        assert most is not None
        assert most.high == ROOM
        assert "is not stated" in most.why


def test_the_shelf_s_acids_are_capped_as_the_literature_says() -> None:
    caps = next(
        r.caps for r in CAMPAIGN.space.reals if r.name == "treatment_temperature"
    )
    assert caps is not None
    assert dict(caps.highs) == {
        "sulfuric acid": 160.0, "nitric acid": 111.0, "hydrochloric acid": 38.0,
        "formic acid": 38.0, "acetic acid": 29.0, "trifluoroacetic acid": 62.0,
        "phosphoric acid": 148.0, "methanesulfonic acid": 160.0,
        "benzenesulfonic acid": 160.0, "p-toluenesulfonic acid": 160.0,
        "camphorsulfonic acid": 160.0, "bistriflimidic acid": 80.0,
    }  # fmt: skip
    assert CAMPAIGN.refused == {}


def test_the_planner_never_proposes_what_the_gate_refuses() -> None:
    planner = RandomPlanner(CAMPAIGN.space, CAMPAIGN.objectives, seed=3)
    for candidate in planner.propose(200, observed=()).candidates:
        check_steps(LAB, compile_recipe(CAMPAIGN, candidate).steps)
        acid = LAB.liquids[str(candidate.values["acid"])]
        most = ceiling(acid, LAB.margin)
        assert most is not None
        assert float(candidate.values["treatment_temperature"]) <= most.high


def recipe_of(acid: str, campaign: Campaign = CAMPAIGN) -> list[Step]:
    candidate = campaign.space.candidate(MIDDLE, {"acid": acid})
    return list(compile_recipe(campaign, candidate).steps)


def changed(steps: list[Step], name: str, **parameters: Any) -> list[Step]:
    """Return steps with parameters of one of them tampered with."""
    return [
        dataclasses.replace(one, parameters={**one.parameters, **parameters})
        if one.name == name
        else one
        for one in steps
    ]


@pytest.mark.parametrize(("step", "blamed"), [("warm", "acid"), ("dwell", "dwell")])
@pytest.mark.parametrize("value", [29.1, 160.0, 1e308, math.inf, math.nan, "25", True])
def test_a_recipe_that_was_tampered_with_is_refused(
    step: str, blamed: str, value: Any
) -> None:
    steps = recipe_of("acetic acid")
    check_steps(LAB, steps)
    with pytest.raises(Refused, match=f"^step {blamed}: "):
        check_steps(LAB, changed(steps, step, temperature=value))


def test_a_plate_that_nothing_sets_right_before_counts_as_hot() -> None:
    steps = recipe_of("acetic acid")
    check_steps(LAB, steps)
    waits = [
        dataclasses.replace(one, at_once=False) if one.name == "acid" else one
        for one in steps
    ]
    with pytest.raises(Refused, match=r"step acid: acetic acid .* as warm as 180 °C"):
        check_steps(LAB, waits)
    with pytest.raises(Refused, match=r"step acid: acetic acid .* as warm as 180 °C"):
        check_steps(LAB, [one for one in steps if one.name != "warm"])


def test_a_wet_sample_is_not_brought_onto_a_plate_that_may_be_hot() -> None:
    acid = {"liquid": "acetic acid", "source": "shelf.6", "volume": 50.0}
    poured = Step("acid", "dispense", "arm", "chuck", {"portions": [acid]}, 1.0)
    heat = Step("heat", "heat", "anneal", "anneal", {"temperature": 25.0}, 1.0)
    spin = Step("spin", "spin", "coater", "chuck", {}, 1.0)
    rinse = Step(
        "rinse", "rinse", "arm", "rinse",
        {"portions": [{"liquid": "water", "source": "water", "volume": 50.0}]}, 1.0,
    )  # fmt: skip
    with pytest.raises(Refused, match="step heat: acetic acid"):
        check_steps(LAB, [poured, heat])
    check_steps(LAB, [poured, rinse, heat])
    check_steps(LAB, [poured, spin, heat])


def test_liquids_that_must_not_meet_on_a_sample_need_a_rinse_between() -> None:
    def pour(name: str, slot: str = "chuck") -> Step:
        place = LAB.liquids[name].place
        one = {"liquid": name, "source": place, "volume": 50.0}
        return Step(name, "dispense", "arm", slot, {"portions": [one]}, 1.0)

    spin = Step("spin", "spin", "coater", "chuck", {}, 1.0)
    water = {"portions": [{"liquid": "water", "source": "water", "volume": 50.0}]}
    rinse = Step("rinse", "rinse", "arm", "rinse", water, 1.0)
    nitric, formic = pour("nitric acid", "rinse"), pour("formic acid", "rinse")
    with pytest.raises(Refused, match="formic acid and nitric acid must not meet"):
        check_steps(LAB, [nitric, formic])
    with pytest.raises(Refused, match="must not meet"):  # traces are left
        check_steps(LAB, [pour("nitric acid"), spin, formic])
    check_steps(LAB, [nitric, rinse, formic])
    with pytest.raises(Refused, match="must not meet"):  # in the bowl of the coater
        check_steps(LAB, [pour("nitric acid"), spin, rinse, pour("formic acid")])
    nowhere = Step(
        "x", "dispense", "arm", "chuck", {"portions": [{"liquid": "gin"}]}, 1.0
    )
    with pytest.raises(Refused, match="'gin' — not on the shelf"):
        check_steps(LAB, [nowhere])


# A campaign


def test_an_option_with_a_hazard_is_left_out_and_its_reason_kept(
    files: LabFiles,
) -> None:
    on_shelf(files, "picric acid", f'kind: acid, concentration: "1 mol/L", boiling: none, flash: none, smiles: "{ENERGETIC["picric acid"]}"')  # fmt: skip
    campaign = files.load()
    assert "picric acid" not in campaign.space.choices[0].options
    assert len(campaign.space.choices[0].options) == len(ACIDS)
    assert "polynitroaromatic (energetic): three" in campaign.refused["picric acid"]
    values = {**CAMPAIGN.space.candidate(MIDDLE, {"acid": "formic acid"}).values}
    with pytest.raises(Refused, match=r"picric acid — .*polynitroaromatic"):
        compile_recipe(campaign, Candidate(values | {"acid": "picric acid"}))


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (f'boiling: none, smiles: "{WATER_REACTIVE["thionyl chloride"]}"', "water-reactive"),
        ('boiling: "20 degC", smiles: "F"', "borosilicate of the pump is etched by it"),
        ('boiling: "30 degC", smiles: "Br"', "at most 20 °C with bad"),
        ('boiling: "118 degC", flash: "39 degC", smiles: "CC(=O)OO"', "peracid"),
    ],
)  # fmt: skip
def test_an_option_asked_for_by_name_is_an_error(
    files: LabFiles, facts: str, reason: str
) -> None:
    on_shelf(files, "bad", f'kind: acid, concentration: "5 mol/L", {facts}')
    assert reason in files.load().refused["bad"]
    files.edit("campaign.yaml", "{molecule: acid}", "{molecule: acid, only: [nitric acid, bad]}")  # fmt: skip
    with pytest.raises(ConfigError) as refused:
        files.load()
    assert "campaign.yaml:8: space.acid.only[1]: bad — " in str(refused.value)
    assert reason in str(refused.value)
    files.edit("campaign.yaml", "{molecule: acid, only: [nitric acid, bad]}", "{choice: [nitric acid, bad]}")  # fmt: skip
    with pytest.raises(ConfigError, match=r"space\.acid\.choice\[1\]: bad — "):
        files.load()


def test_a_space_of_which_nothing_is_left_is_an_error(files: LabFiles) -> None:
    on_shelf(files, "bad", 'kind: poison, concentration: "5 mol/L", boiling: none, smiles: "CC(=O)Cl"')  # fmt: skip
    files.edit("campaign.yaml", "{molecule: acid}", "{molecule: poison}")
    with pytest.raises(
        ConfigError, match=r"space\.acid: acid — nothing is left of it: bad"
    ):
        files.load()


def test_an_acid_with_a_diluent_that_it_must_not_meet_is_left_out(
    files: LabFiles,
) -> None:
    on_shelf(files, "ethanol", 'boiling: "78 degC", flash: "13 degC", smiles: "CCO"')
    files.edit("recipe.yaml", "diluent: water", "diluent: ethanol")
    with pytest.raises(ConfigError, match="at most 3 °C with ethanol"):
        files.load()
    files.edit("lab.yaml", 'flash: "13 degC"', "flash: none")
    campaign = files.load()
    assert set(campaign.refused) == {"nitric acid", "sulfuric acid"}
    assert "nitric acid and ethanol must not meet" in campaign.refused["nitric acid"]
    heat = next(r for r in campaign.space.reals if r.name == "treatment_temperature")
    assert heat.caps is not None
    assert heat.caps.highs["methanesulfonic acid"] == 68.0  # the ethanol's
    assert heat.caps.highs["acetic acid"] == 29.0


def test_what_the_lab_does_not_say_keeps_an_acid_at_room_temperature(
    files: LabFiles,
) -> None:
    files.edit("lab.yaml", ', boiling: "290 degC"', "")
    campaign = files.load()
    assert (
        campaign.space.high("treatment_temperature", {"acid": "sulfuric acid"}) == ROOM
    )
    assert any(
        "sulfuric acid — boiling: is not stated" in one for one in campaign.capped
    )


def test_the_margin_is_the_lab_s(files: LabFiles) -> None:
    files.edit("lab.yaml", 'margin: "10 K"', 'margin: "5 K"')
    campaign = files.load()
    assert campaign.space.high("treatment_temperature", {"acid": "formic acid"}) == 43.0
    files.edit("lab.yaml", 'margin: "5 K"', 'margin: "20 K"')
    campaign = files.load()
    assert "at most 19 °C with acetic acid" in campaign.refused["acetic acid"]
    files.edit("lab.yaml", 'margin: "20 K"', 'margin: "10 degC"')
    with pytest.raises(ConfigError, match=r"safety\.margin: .* must be 0 to 100 K"):
        files.load()


def test_a_recipe_that_warms_its_own_liquid_too_much_names_the_step(
    files: LabFiles,
) -> None:
    files.edit("recipe.yaml", "liquid: $acid, concentration: $acid_concentration, diluent: water,", "liquid: acetic acid,")  # fmt: skip
    files.edit("campaign.yaml", "  acid:", "  # acid:")
    files.edit("campaign.yaml", "  acid_concentration:", "  # acid_concentration:")
    campaign = files.load()
    heat = next(r for r in campaign.space.reals if r.name == "treatment_temperature")
    assert (heat.low, heat.high) == (25.0, 29.0)
    assert len(campaign.capped) == 1
    files.edit(
        "recipe.yaml", "temperature: $treatment_temperature}", 'temperature: "60 degC"}'
    )
    with pytest.raises(ConfigError, match=r"recipe.yaml:\d+: steps\[4\]: acetic acid would be on treat at 60 °C — at most 29 °C"):  # fmt: skip
        files.load()


def test_a_material_that_is_not_known_is_refused(files: LabFiles) -> None:
    files.edit("lab.yaml", "PCTFE, FEP]", "PCFTE, FEP]")
    with pytest.raises(ConfigError, match=r"pump\.materials\[2\]: PCFTE — no such material: did you mean PCTFE"):  # fmt: skip
        files.load()


def test_a_pump_of_steel_leaves_only_what_it_stands(files: LabFiles) -> None:
    files.edit("lab.yaml", "[borosilicate, PTFE, PCTFE, FEP]", "[stainless steel]")
    for drivers in (True, False):  # the flow process does not import drivers
        path = files.path("campaign.yaml")
        campaign = load_campaign(path, check_drivers=drivers)
        assert set(campaign.space.choices[0].options) == {
            "nitric acid", "formic acid", "acetic acid", "phosphoric acid",
        }  # fmt: skip


def test_check_prints_what_was_refused_capped_and_not_checked(files: LabFiles) -> None:
    on_shelf(files, "bad", 'kind: acid, concentration: "5 mol/L", boiling: none, smiles: "CC(=O)Cl"')  # fmt: skip
    files.edit("lab.yaml", "    materials: [borosilicate, PTFE, PCTFE, FEP]", "    #")
    result = CliRunner().invoke(app, ["check", str(files.path("campaign.yaml"))])
    assert result.exit_code == 0, result.output
    assert (
        "refused: bad — bad is refused: acyl halide (water-reactive)" in result.output
    )
    assert "capped: treatment_temperature at 38 °C with formic acid — it flashes" in result.output  # fmt: skip
    assert "not checked: materials of the pump of arm — not stated" in result.output
    assert "not checked: what ink may meet — no smiles" in result.output
