"""Rules between parameters in campaign.yaml and space.yaml: what is read, and refused."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.campaign import Trial
from orchestrator.cli import app
from orchestrator.config.read_campaign import corners
from orchestrator.config.read_space import read_problem, read_told
from orchestrator.errors import ConfigError
from orchestrator.flows.loop import as_made
from orchestrator.recipes import compile_recipe
from planners.baseline import RandomPlanner
from planners.rules import Forbidden, Linear, OnlyIf, Span
from tests.orchestrator.lab_files import LabFiles

SPACE = """\
space:
  polymer: {from: "20 percent", to: "90 percent"}
  filler: {from: "0 percent", to: "60 percent"}
  salt: {from: "0 percent", to: "20 percent"}
  dopant: {choice: [none, F4TCNQ, FeCl3]}
  dopant_level: {from: "1 percent", to: "5 percent", scale: log}
  hot: {from: "60 degC", to: "160 degC"}
  cold: {from: "20 degC", to: "100 degC"}
  soak: {from: "10 s", to: "60 s"}
  dry: {from: "1 min", to: "20 min"}
rules:
  - {sum: [polymer, filler, salt], is: "100 percent"}
  - {sum: {filler: 1, salt: 2}, at_most: "0.6 dimensionless"}
  - {sum: {hot: 1, cold: -1}, at_least: "30 K"}
  - {sum: {soak: 2, dry: 1}, at_least: "2 min", at_most: "15 min"}
  - {never: {dopant: FeCl3, hot: {above: "90 degC"}}}
  - {vary: dopant_level, only_if: {dopant: [F4TCNQ, FeCl3]}, else: "0 percent"}
objectives:
  yield: {unit: percent, direction: maximise}
"""


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(SPACE)
    return path


def test_rules_are_read_in_the_units_of_the_space(space: Path) -> None:
    assert read_problem(space).space.rules == (
        Linear({"polymer": 1.0, "filler": 1.0, "salt": 1.0}, "percent", 100.0, 100.0),
        Linear({"filler": 1.0, "salt": 2.0}, "percent", high=60.0),
        Linear({"hot": 1.0, "cold": -1.0}, "K", low=30.0),
        Linear({"soak": 2.0, "dry": 60.0}, "s", 120.0, 900.0),
        Forbidden({"dopant": ("FeCl3",), "hot": Span("degC", above=90.0)}),
        OnlyIf("dopant_level", {"dopant": ("F4TCNQ", "FeCl3")}, 0.0, "percent"),
    )


def test_the_rules_in_the_docs_are_read(space: Path) -> None:
    docs = (Path(__file__).parents[2] / "docs" / "planners.md").read_text()
    block = re.search(r"```yaml\n(rules:\n.*?)```", docs, re.DOTALL)
    assert block is not None
    before, _, after = SPACE.partition("rules:\n")
    more = "".join(
        f'  {name}: {{from: "0 percent", to: "60 percent"}}\n'
        for name in ("solvent_a", "solvent_b")
    )
    more += "  acid: {choice: [nitric, formic]}\n"
    more += '  treatment_temperature: {from: "25 degC", to: "160 degC"}\n'
    goal = after[after.index("objectives:") :]
    space.write_text(before + more + block[1] + goal)
    kinds = [type(rule) for rule in read_problem(space).space.rules]
    assert kinds == [Linear, Linear, Linear, Forbidden, OnlyIf]


WRONG = [
    ('is: "100 percent"', 'is: "100"', '12: rules[0].is: 100 — write the unit, e.g. "20 percent"'),
    ('is: "100 percent"', 'is: "100 s"', '12: rules[0].is: 100 s — a quantity in percent is wanted, e.g. "20 percent"'),
    ('is: "100 percent"', 'is: "200 percent"', "12: rules[0]: polymer + filler + salt — is at most 170 percent, and must be 200 percent"),
    ('is: "100 percent"', 'is: "10 percent"', "12: rules[0]: polymer + filler + salt — is at least 20 percent, and must be 10 percent"),
    (', is: "100 percent"', "", "12: rules[0]: {'sum': ['polymer', 'filler', 'salt']} — write either is, or at_least and at_most, e.g. \"60 percent\""),
    ("sum: [polymer, filler, salt]", "sun: [polymer]", "12: rules[0].sun: ['polymer'] — unknown key: did you mean sum? Known: sum, is, at_least, at_most"),
    ("polymer, filler, salt]", "polymer, filer]", "12: rules[0].sum[1]: filer — no such parameter: did you mean filler? Known: polymer, filler, salt, dopant, dopant_level, hot, cold, soak, dry"),
    ("polymer, filler, salt]", "polymer, dopant]", "12: rules[0].sum[1]: dopant — a choice among names, where a quantity is wanted"),
    ("polymer, filler, salt]", "polymer, hot]", "12: rules[0].sum[1]: hot — is in degC, but polymer in percent: no sum"),
    ("polymer, filler, salt]", "polymer, polymer]", "name each parameter of a sum once"),
    ("polymer, filler, salt]", "polymer, dopant_level]", "12: rules[0]: polymer + dopant_level — dopant_level has a log scale, with which it cannot be in a sum"),
    ("salt: 2", "salt: 0", "13: rules[1]: filler + 0 salt — the coefficient of salt is 0"),
    ('"0.6 dimensionless"', '"60 percent", at_least: "70 percent"', "13: rules[1]: filler + 2 salt — from 70 to 60 percent is empty"),
    ('"0.6 dimensionless"', '"5 percent"', "11: rules: no candidate keeps all of them"),
    ('"30 K"', '"30 degC"', '14: rules[2].at_least: 30 degC — a difference of temperatures is wanted, e.g. "10 K"'),
    ("cold: -1", "cold: 1", "14: rules[2].sum: hot, cold — temperatures have no sum, only differences: write sum: {hot: 1, cold: -1}, at_least: \"10 K\""),
    ("FeCl3, hot", "FeCl4, hot", "16: rules[4].never.dopant: FeCl4 — no such option: did you mean FeCl3? Known: none, F4TCNQ, FeCl3"),
    ('above: "90 degC"', 'above: "90"', '16: rules[4].never.hot.above: 90 — write the unit, e.g. "120 degC"'),
    ('{above: "90 degC"}', "{}", '16: rules[4].never.hot: {} — write above, below or both, e.g. above: "90 degC"'),
    ('{above: "90 degC"}', '{above: "90 degC", below: "80 degC"}', "hot is never above 90 and below 80 degC"),
    ('hot: {above: "90 degC"}', 'hot: "90 degC"', "16: rules[4].never.hot: hot — a quantity, of which a range is wanted, e.g. {above: ...}"),
    ('never: {dopant: FeCl3, hot: {above: "90 degC"}}', "never: {dopant: [none, F4TCNQ, FeCl3]}", "11: rules: no candidate keeps all of them"),
    ('else: "0 percent"', 'else: "0 K"', '17: rules[5].else: 0 K — a quantity in percent is wanted, e.g. "20 percent"'),
    (', else: "0 percent"', "", "17: rules[5]: else — missing: write this key"),
    ("vary: dopant_level", "vary: dopant", "17: rules[5].else: 0 percent — no such option: known: none, F4TCNQ, FeCl3"),
    ("vary: dopant_level", "vary: dopant_lev", "17: rules[5].vary: dopant_lev — no such parameter: did you mean dopant_level?"),
    ("{dopant: [F4TCNQ, FeCl3]}", "{hot: [a]}", "17: rules[5].only_if.hot: hot — a quantity, where a choice among names is wanted"),
    ("{dopant: [F4TCNQ, FeCl3]}", "{dopant: F4TCN}", "17: rules[5].only_if.dopant: F4TCN — no such option: did you mean F4TCNQ?"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_a_bad_rule_is_refused_by_line_key_and_value(
    space: Path, old: str, new: str, message: str
) -> None:
    assert old in SPACE
    space.write_text(SPACE.replace(old, new, 1))
    with pytest.raises(ConfigError, match=re.escape(message)):
        read_problem(space)


def test_what_is_proposed_under_rules_can_be_told_again(space: Path) -> None:
    """To its last digit: what is told is the candidate that was proposed."""
    problem = read_problem(space)
    table = space.parent / "observed.csv"
    units = {one.name: f" [{one.unit}]" for one in problem.space.reals}
    heads = [f"{one.name}{units.get(one.name, '')}" for one in problem.space.parameters]
    table.write_text(",".join([*heads, "yield [percent]"]) + "\n")
    done = CliRunner().invoke(app, ["propose", str(space), str(table), "-n", "4"])
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    lines = [",".join([*(row[head] for head in heads), ""]) for row in rows]
    table.write_text(table.read_text() + "\n".join(lines) + "\n")
    told = read_told(table, problem)
    assert len(told.pending) == 4
    for one in told.pending:
        made = problem.space.candidate(
            problem.space.positions(one),
            {c.name: str(one.values[c.name]) for c in problem.space.choices},
        )
        assert made.id == one.id


def test_a_row_that_breaks_a_rule_is_refused_and_what_does_not_count_may_be_empty(
    space: Path,
) -> None:
    problem = read_problem(space)
    table = space.parent / "observed.csv"
    heads = (
        "polymer [percent],filler [percent],salt [percent],dopant,"
        "dopant_level [percent],hot [degC],cold [degC],soak [s],dry [min],yield [percent]\n"
    )
    table.write_text(heads + "50,40,10,none,,90,40,30,5,61\n")
    (one,) = read_told(table, problem).observed
    assert one.candidate.values["dopant_level"] == 0.0
    table.write_text(heads + "50,40,5,none,,90,40,30,5,61\n")
    message = "observed.csv:2: polymer + filler + salt: 95 percent is not 100 percent"
    with pytest.raises(ConfigError, match=re.escape(message)):
        read_told(table, problem)
    rows = space.parent / "rows.csv"
    rows.write_text(heads + "50,40,5,none,0,90,40,30,5,\n")
    space.write_text(SPACE + "pool: rows.csv\n")
    with pytest.raises(
        ConfigError, match=re.escape(message.replace("observed", "rows"))
    ):
        read_problem(space)


# -- campaigns -------------------------------------------------------------------------

RULES = """\
rules:
  - {never: {acid: [nitric acid, sulfuric acid], treatment_temperature: {above: "60 degC"}}}
  - {sum: {anneal_temperature: 1, treatment_temperature: -1}, at_least: "20 K"}

objectives:
"""


@pytest.fixture
def files(tmp_path: Path) -> LabFiles:
    return LabFiles.copied(tmp_path)


def test_every_corner_of_a_campaign_with_rules_can_be_made(files: LabFiles) -> None:
    files.edit("campaign.yaml", "objectives:\n", RULES)
    campaign = files.load()
    most = 0.0
    for candidate in corners(campaign.space):
        values = candidate.values
        assert campaign.space.check(candidate) == []
        compile_recipe(campaign, candidate)
        warm, anneal = (
            float(values[f"{one}_temperature"]) for one in ("treatment", "anneal")
        )
        assert anneal - warm >= 20.0 - 1e-6
        if values["acid"] == "nitric acid":
            most = max(most, warm)
    assert most == 60.0
    planner = RandomPlanner(campaign.space, campaign.objectives, 3)
    for candidate in planner.propose(20, observed=[]).candidates:
        compile_recipe(campaign, candidate)


def test_rules_of_a_campaign_are_held_against_its_space(files: LabFiles) -> None:
    files.edit("campaign.yaml", "objectives:\n", RULES)
    line = files.line("campaign.yaml", "never")
    files.edit("campaign.yaml", "[nitric acid, sulfuric", "[nitrous acid, sulfuric")
    with pytest.raises(
        ConfigError,
        match=rf"campaign.yaml:{line}: rules\[0\].never.acid\[0\]: nitrous acid — no such",
    ):
        files.load()


def test_options_that_a_rule_keeps_apart_are_no_danger(files: LabFiles) -> None:
    """Nitric and sulfuric acid and ethanol must not meet; a rule says that they never will."""
    facts = 'boiling: "78 degC", flash: none, smiles: "CCO"'
    ethanol = f'    ethanol: {{place: shelf.16, volume: "40 mL", {facts}}}\n    water: '
    files.edit("lab.yaml", "    water: ", ethanol)
    files.edit("recipe.yaml", "diluent: water", "diluent: $diluent")
    files.edit(
        "campaign.yaml",
        "  acid:  ",
        "  diluent: {choice: [water, ethanol]}\n  acid:  ",
    )
    with pytest.raises(ConfigError, match=r"sulfuric acid and ethanol must not meet"):
        files.load()
    rule = (
        "rules:\n  - {never: {acid: [nitric acid, sulfuric acid], diluent: ethanol}}\n"
    )
    files.edit("campaign.yaml", "objectives:\n", rule + "objectives:\n")
    campaign = files.load()
    assert {"nitric acid", "sulfuric acid"} <= set(campaign.space.choices[1].options)
    pairs = [(one["acid"], one["diluent"]) for one in campaign.space.combinations()]
    assert ("nitric acid", "water") in pairs
    assert ("nitric acid", "ethanol") not in pairs


def test_a_rule_about_what_the_gate_took_out_is_no_mistake(files: LabFiles) -> None:
    files.edit("campaign.yaml", "objectives:\n", RULES)
    files.edit("lab.yaml", ', boiling: "290 degC"', ', boiling: "30 degC"')
    campaign = files.load()
    assert "sulfuric acid" in campaign.refused
    (first, *_) = campaign.space.rules
    assert isinstance(first, Forbidden)
    assert first.when["acid"] == ("nitric acid",)


def test_what_does_not_count_is_learned_with_its_fixed_value(space: Path) -> None:
    """Whatever a balance says of a dopant that is not there."""
    problem = read_problem(space)
    candidate = (
        RandomPlanner(problem.space, problem.objectives, 0)
        .propose(9, observed=[])
        .candidates
    )
    one = next(c for c in candidate if c.values["dopant"] == "none")
    trial = Trial(id="t1", candidate=one, made={"dopant_level": 3.0})
    assert as_made(trial, problem.space).candidate == one
