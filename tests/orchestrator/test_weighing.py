"""Costs and beliefs in campaign.yaml and space.yaml: what is read, and refused."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.benches.weighing import bill, right, wrong
from orchestrator.cli import app
from orchestrator.config.read_space import read_problem
from orchestrator.errors import ConfigError
from orchestrator.lab import build_planner
from orchestrator.recipes import compile_recipe, duration
from planners.baseline import RandomPlanner
from planners.beliefs import Beliefs, Near
from planners.cost import Cost, Rate
from planners.data import Candidate, Objective
from planners.space import Choice, Real, Space
from planners.table import Table
from tests.orchestrator.lab_files import LabFiles

SPACE = """\
space:
  acid: {choice: [formic, nitric]}
  hot: {from: "25 degC", to: "160 degC"}
  cold: {from: "0 degF", to: "60 degF"}
  dwell: {from: "30 s", to: "600 s", scale: log}
  strength: {from: "0.5 mol/L", to: "8 mol/L"}
  bias: {from: "-1 V", to: "1 V"}
  passes: {from: "1 count", to: "8 count", steps: 7}
objectives:
  yield: {unit: percent, direction: maximise}
cost:
  each: "20 min"
  per: {dwell: 1, hot: "2 min/K", cold: "9 s/K", strength: "3 min*L/mol", bias: "5 min/V", passes: "1 min/count"}
  options: {acid: {nitric: "0.5 h"}}
  first: {acid: "90 s"}
beliefs:
  hot: {near: "90 degC", within: "15 K"}
  cold: {near: "50 degF", within: "10 K"}
  dwell: {near: "2 min", within: "30 s"}
  acid: {formic: 3, nitric: 0.5}
"""


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(SPACE)
    return path


def test_costs_and_beliefs_are_read_in_the_units_of_the_space(space: Path) -> None:
    problem = read_problem(space)
    cost, beliefs = problem.cost, problem.beliefs
    assert cost is not None
    assert beliefs is not None
    assert (cost.unit, cost.each) == ("min", 20.0)
    assert {
        name: (pytest.approx(r.each), r.origin) for name, r in cost.per.items()
    } == {
        "dwell": (1.0 / 60.0, 0.0),
        "hot": (2.0, 25.0),
        "cold": (0.15 / 1.8, 0.0),
        "strength": (3.0, 0.0),
        "bias": (5.0, -1.0),
        "passes": (1.0, 0.0),
    }
    assert cost.options == {"acid": {"nitric": 30.0}}
    assert cost.first == {"acid": {"formic": 1.5, "nitric": 1.5}}
    assert beliefs.options == {"acid": {"formic": 3.0, "nitric": 0.5}}
    assert beliefs.numbers["hot"] == Near(90.0, 15.0)
    assert beliefs.numbers["cold"] == Near(50.0, pytest.approx(18.0))
    assert beliefs.numbers["dwell"] == Near(120.0, 30.0)


def test_without_them_there_are_none(space: Path) -> None:
    space.write_text(SPACE[: SPACE.index("cost:")])
    problem = read_problem(space)
    assert (problem.cost, problem.beliefs) == (None, None)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('each: "20 min"', "each: 20", r"cost.each: 20 — write the unit"),
        ('each: "20 min"', 'each: "0 min"', "cost.each: 0 min — must be above 0: what is gained is divided"),
        ('each: "20 min"', 'each: "-20 min"', "cost.each: -20 min — a cost must be from 0"),
        ('each: "20 min"', 'each: "20 degC"', "cost.each: 20 degC — a temperature is no cost"),
        ('each: "20 min"', "each: recipe", "cost.each: recipe — there is no recipe here"),
        ('each: "20 min"', 'each: "20 parrots"', "cost.each: 20 parrots — 'parrots' is not a unit"),
        ("dwell: 1,", "dwel: 1,", "cost.per.dwel: dwel — no such parameter: did you mean dwell"),
        ("dwell: 1,", "acid: 1,", "cost.per.acid: acid — a choice among names, where a quantity"),
        ("dwell: 1,", "dwell: -1,", "cost.per.dwell: -1 — a cost must be from 0"),
        ('hot: "2 min/K"', "hot: 2", 'cost.per.hot: 2 — hot is in degC: write e.g. "2 min/K"'),
        ('hot: "2 min/K"', 'hot: "2 min"', "cost.per.hot: 2 min — a quantity in min/K is wanted"),
        ('"3 min*L/mol"', '"3 g*L/mol"', r"cost.per.strength: .* a quantity in min\*L/mol is wanted"),
        ("{nitric: ", "{nitirc: ", "cost.options.acid.nitirc: nitirc — no such option: did you mean nitric"),
        ('"0.5 h"', '"0.5 g"', "cost.options.acid.nitric: 0.5 g — a quantity in min is wanted"),
        ('first: {acid: "90 s"}', 'first: {hot: "90 s"}', "cost.first.hot: hot — a quantity, where a choice"),
        ('first: {acid: "90 s"}', 'first: {acid: 90}', "cost.first.acid: 90 — write the unit"),
        ('first: {acid: "90 s"}', 'once: {acid: "90 s"}', "cost.once: .*unknown key"),
        ("hot: {near", "heat: {near", "beliefs.heat: heat — no such parameter"),
        ('near: "90 degC"', 'near: "190 degC"', "beliefs.hot.near: 190 degC — must be from 25 °C to 160 °C"),
        ('near: "90 degC"', 'near: "90 s"', "beliefs.hot.near: 90 s — a quantity in degC is wanted"),
        ('within: "15 K"', 'within: "15 degC"', "beliefs.hot.within: 15 degC — a difference of temperatures"),
        ('within: "15 K"', 'within: "0 K"', "beliefs.hot.within: 0 K — must be above 0"),
        ('within: "30 s"', "within: 30", "beliefs.dwell.within: 30 — write the unit"),
        ("formic: 3", "formic: 0", "beliefs.acid.formic: 0 — must be from 0.001 to 1000 times as likely"),
        ("formic: 3", "formci: 3", "beliefs.acid.formci: formci — no such option: did you mean formic"),
        ("acid: {formic: 3, nitric: 0.5}", "passes: {many: 3}", "beliefs.passes: many — a quantity: write e.g."),
        ("acid: {formic: 3, nitric: 0.5}", 'acid: {near: "3 s", within: "1 s"}',
         "beliefs.acid: acid — a choice among names, where a quantity"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_by_its_line(
    space: Path, old: str, new: str, message: str
) -> None:
    assert old in SPACE
    text = SPACE.replace(old, new, 1)
    space.write_text(text)
    line = next(n for n, one in enumerate(text.splitlines(), 1) if new in one)
    with pytest.raises(ConfigError, match=rf"space.yaml:{line}: {message}"):
        read_problem(space)


BOTH = """\
cost:
  each: %s
  first: {acid: "30 min"}
beliefs:
  treatment_temperature: {near: "90 degC", within: "15 K"}
  acid: {formic acid: 3}
planner:"""


def campaign(directory: Path, each: str) -> LabFiles:
    files = LabFiles.copied(directory)
    files.edit("campaign.yaml", "planner:", BOTH % each)
    return files


def test_a_recipe_says_how_long_a_trial_takes(tmp_path: Path) -> None:
    loaded = campaign(tmp_path, "recipe").load()
    assert loaded.cost is not None
    for candidate in (
        RandomPlanner(loaded.space, loaded.objectives, 3)
        .propose(5, observed=())
        .candidates
    ):
        minutes = duration(compile_recipe(loaded, candidate)) / 60.0 + 30.0
        assert loaded.cost.of(candidate, loaded.space) == pytest.approx(minutes)


def test_a_campaign_gives_its_planner_cost_and_beliefs(tmp_path: Path) -> None:
    loaded = campaign(tmp_path, '"40 min"').load()
    acids = loaded.space.choices[0].options
    assert loaded.cost == Cost("min", 40.0, first={"acid": dict.fromkeys(acids, 30.0)})
    numbers = {"treatment_temperature": Near(90.0, 15.0)}
    assert loaded.beliefs == Beliefs(numbers, {"acid": {"formic acid": 3.0}})
    planner = build_planner(loaded)
    card = planner.propose(2, observed=()).card
    assert [one["cost"] for one in card["candidates"]] == [70.0, 70.0]
    assert card["candidates"][0]["reason"] == "initial design, as believed"


def test_an_option_that_the_chemical_gate_refuses_may_be_named(tmp_path: Path) -> None:
    files = campaign(tmp_path, '"40 min"')
    files.edit("lab.yaml", 'smiles: "Cl"', 'smiles: "OCl(=O)(=O)=O"')
    files.edit(
        "campaign.yaml", "formic acid: 3}", "hydrochloric acid: 3, formic acid: 2}"
    )
    files.edit(
        "campaign.yaml", '"30 min"', '{hydrochloric acid: "1 h", nitric acid: "1 h"}'
    )
    loaded = files.load()
    assert "hydrochloric acid" in loaded.refused
    assert loaded.cost == Cost("min", 40.0, first={"acid": {"nitric acid": 60.0}})
    assert loaded.beliefs is not None
    assert loaded.beliefs.options == {"acid": {"formic acid": 2.0}}


def test_check_says_what_a_trial_costs_and_what_is_believed(tmp_path: Path) -> None:
    path = campaign(tmp_path, '"40 min"').path("campaign.yaml")
    done = CliRunner().invoke(app, ["check", str(path)])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert (
        "cost: 70 min for this candidate, 30 min of it for what is used first" in lines
    )
    assert "believed: treatment_temperature near 90 °C, within 15 K" in lines
    assert "believed: acid formic acid x 3" in lines


@pytest.mark.parametrize("key", ["cost", "beliefs"])
def test_a_planner_that_does_not_learn_is_told_neither(
    tmp_path: Path, key: str
) -> None:
    files = campaign(tmp_path, '"40 min"')
    files.edit("campaign.yaml", "name: bayes", "name: random")
    if key == "beliefs":
        files.edit("campaign.yaml", BOTH[: BOTH.index("beliefs:")] % '"40 min"', "")
    line = files.line("campaign.yaml", f"{key}:")
    with pytest.raises(
        ConfigError, match=rf"campaign.yaml:{line}: {key}: .*learns nothing"
    ):
        files.load()


def test_the_recipe_is_not_paid_for_twice(tmp_path: Path) -> None:
    files = campaign(tmp_path, "recipe")
    files.edit("campaign.yaml", "  first:", "  per: {dwell: 2}\n  first:")
    with pytest.raises(
        ConfigError, match=r"cost\.per\.dwell: 2.* — the recipe says how long"
    ):
        files.load()


@pytest.mark.slow
def test_what_is_proposed_says_what_it_costs(space: Path) -> None:
    heads = ["acid", "hot [degC]", "cold [degF]", "dwell [s]", "strength [mol/L]",
             "bias [V]", "passes [count]", "yield [percent]"]  # fmt: skip
    rows = [
        "formic,60,30,60,2,0,3,40",
        "nitric,90,40,90,3,0.5,4,55",
        "formic,120,20,300,1,1,1,35",
    ]
    observed = space.parent / "observed.csv"
    observed.write_text("\n".join([",".join(heads), *rows]) + "\n")
    done = CliRunner().invoke(app, ["propose", str(space), str(observed), "-n", "2"])
    assert done.exit_code == 0, done.output
    problem = read_problem(space)
    assert problem.cost is not None
    for row in csv.DictReader(io.StringIO(done.output)):
        values = {
            name: row[head] if name == "acid" else float(row[head])
            for name, head in zip(
                (p.name for p in problem.space.parameters), heads, strict=False
            )
        }
        loaded = frozenset({("acid", "formic"), ("acid", "nitric")})
        cost = problem.cost.of(Candidate(values), problem.space, loaded)
        assert float(row["cost [min]"]) == pytest.approx(cost, rel=1e-3)


def test_the_keys_in_the_docs_are_read(tmp_path: Path) -> None:
    docs = (Path(__file__).parents[2] / "docs" / "planners.md").read_text()
    space = re.search(r"```yaml\n(space:\n.*?)```", docs, re.DOTALL)
    block = re.search(r"```yaml\n(cost:\n.*?)```", docs, re.DOTALL)
    assert space is not None
    assert block is not None
    path = tmp_path / "space.yaml"
    path.write_text(space[1] + block[1])
    problem = read_problem(path)
    assert problem.cost is not None
    assert problem.beliefs is not None


def test_the_bench_bills_each_bottle_once_and_believes_what_is_so() -> None:
    pool = tuple(
        Candidate({"acid": acid, "x": float(x)}) for acid in "ab" for x in range(5)
    )
    parameters = (Choice("acid", ("a", "b")), Real("x", 0.0, 4.0, "m"))
    values = (0.0, 1.0, 2.0, 3.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    table = Table("small", Space(parameters, pool), Objective("y", "1"), values)
    cost = Cost("min", 10.0, {"x": Rate(1.0)}, first={"acid": {"a": 100.0, "b": 200.0}})
    assert bill(table, [0, 1, 6], cost) == 10.0 + 100.0 + 11.0 + 11.0 + 200.0
    assert right(table) == Beliefs({"x": Near(4.0, 0.8)}, {"acid": {"a": 3.0}})
    assert wrong(table) == Beliefs({"x": Near(0.0, 0.8)}, {"acid": {"b": 3.0}})
