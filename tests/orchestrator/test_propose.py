"""`polyloop propose` and the example in docs/planners.md do what is written there."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.config.read_space import proposed, read_problem, read_told
from orchestrator.errors import ConfigError
from planners.data import Candidate, Estimate, Limit, Proposal

DOCS = Path(__file__).parents[2] / "docs" / "planners.md"


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(block("yaml"))
    return path


@pytest.fixture
def observed(tmp_path: Path) -> Path:
    path = tmp_path / "observed.csv"
    path.write_text(block("csv"))
    return path


@pytest.mark.slow
def test_what_is_proposed_can_be_told_again(space: Path, observed: Path) -> None:
    done = CliRunner().invoke(app, ["propose", str(space), str(observed), "-n", "4"])
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(io.StringIO(done.output)))
    assert len(rows) == 4
    assert {row["reason"] for row in rows} == {"expected gain"}
    for row in rows:
        low, middle, high = (
            float(row[f"yield [percent] {what}"])
            for what in ("5 %", "expected", "95 %")
        )
        assert low < middle < high
    heads = observed.read_text().splitlines()[0].split(",")
    lines = [",".join([*(row[h] for h in heads[:-1]), ""]) for row in rows]
    observed.write_text(observed.read_text() + "\n".join(lines) + "\n")
    told = read_told(observed, read_problem(space))
    assert [len(told.observed), len(told.pending), len(told.failed)] == [3, 5, 1]


@pytest.mark.slow
def test_the_python_example_of_the_docs_runs() -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(block("python"), {})  # noqa: S102
    assert len(said.getvalue().splitlines()) == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("12.5", "nan", r"observed.csv:2: yield \[percent\]: nan — must be a finite"),
        ("12.5", "inf", "must be a finite number"),
        ("12.5", "much", "much — must be a finite number"),
        (
            "toluene,80",
            "toluene,800",
            "observed.csv:2: temperature: 800 degC is outside",
        ),
        ("PPh3,", "PPh4,", "ligand: 'PPh4' is not among its options"),
        ("temperature [degC]", "temperature", r"temperature \[degC\] — no such column"),
        ("PPh3,toluene", "PPh3", "observed.csv:2: not as many cells as the 5 columns"),
    ],
)
def test_a_bad_row_is_refused_by_its_line(
    space: Path, observed: Path, old: str, new: str, message: str
) -> None:
    observed.write_text(observed.read_text().replace(old, new, 1))
    with pytest.raises(ConfigError, match=message):
        read_told(observed, read_problem(space))


def test_every_bad_molecule_of_a_pool_is_named(space: Path) -> None:
    (space.parent / "pool.csv").write_text("name,smiles\na,CCO\nb,C(\nc,CC\nd,xyz\n")
    text = re.sub(
        r"molecules:\n(      .*\n)+", "molecules: pool.csv\n", space.read_text()
    )
    space.write_text(text)
    with pytest.raises(ConfigError) as refused:
        read_problem(space)
    lines = str(refused.value).splitlines()
    assert len(lines) == 2
    assert "pool.csv:3: b: 'C(' is not a SMILES" in lines[0]
    assert "pool.csv:5: d: 'xyz' is not a SMILES" in lines[1]


def test_a_bound_without_a_unit_is_refused_by_its_line(space: Path) -> None:
    space.write_text(space.read_text().replace('"60 degC"', '"60"'))
    with pytest.raises(ConfigError, match=r"space.yaml:8: space.temperature: .*unit"):
        read_problem(space)


def test_numbers_in_steps_are_all_proposed_before_there_is_nothing_left(
    tmp_path: Path,
) -> None:
    space = tmp_path / "space.yaml"
    space.write_text(
        "space:\n"
        '  cycles: {from: "1 count", to: "3 count", steps: 2}\n'
        "  grade: {choice: [coarse, fine], ordered: true}\n"
        "objectives: {hardness: {unit: GPa, direction: maximise}}\n"
    )
    table = tmp_path / "observed.csv"
    table.write_text(
        "cycles [count],grade,hardness [GPa]\n1,coarse,1\n3,coarse,2\n1,fine,1.5\n"
    )

    def propose(n: int) -> Result:
        return CliRunner().invoke(
            app, ["propose", str(space), str(table), "-n", str(n)]
        )

    done = propose(3)
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(io.StringIO(done.output)))
    assert {(row["cycles [count]"], row["grade"]) for row in rows} == {
        ("2", "coarse"),
        ("2", "fine"),
        ("3", "fine"),
    }
    assert rows[0]["reason"] == "expected gain"
    assert "all 6 candidates were asked for" in str(propose(4).exception)
    table.write_text("cycles [count],grade,hardness [GPa]\n1.5,coarse,1\n")
    wrong = str(propose(1).exception)
    assert "1.5 count is none of the 2 steps from 1 to 3 count" in wrong


TWO = """space:
  temperature: {from: "60 degC", to: "110 degC"}
objectives:
  yield: {unit: percent, direction: maximise}
  waste: {unit: g, direction: minimise, scale: log}
limits:
  purity: {at_least: "95 percent"}
  waste: {at_most: "20 kg"}
"""
HEAD = "temperature [degC],yield [percent],yield std [percent],waste [g],purity [percent]\n"


def written(folder: Path, rows: str, space: str = TWO) -> tuple[Path, Path]:
    paths = folder / "space.yaml", folder / "observed.csv"
    for path, text in zip(paths, (space, HEAD + rows), strict=True):
        path.write_text(text)
    return paths


def test_each_objective_and_limited_quantity_has_its_column(tmp_path: Path) -> None:
    space, table = written(tmp_path, "80,50,1,3,99\n90,,,,\n70,failed,,,\n")
    problem = read_problem(space)
    assert problem.limits == (
        Limit("purity", "percent", at_least=95.0),
        Limit("waste", "g", at_most=20_000.0),
    )
    told = read_told(table, problem)
    assert [len(told.observed), len(told.pending), len(told.failed)] == [1, 1, 1]
    assert told.observed[0].estimates == {
        "yield": Estimate(50.0, 1.0),
        "waste": Estimate(3.0, 0.0),
        "purity": Estimate(99.0, 0.0),
    }


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "80,50,1,,99",
            r"observed.csv:2: waste \[g\]:  — a row has every value, or none",
        ),
        ("80,50,1,failed,99", r"waste \[g\]: failed — a row has every value, or none"),
        ("80,50,1,0,99", r"waste \[g\]: 0 — must be above 0 on a log scale"),
        ("80,50,1,3,clear", r"purity \[percent\]: clear — must be a finite number"),
    ],
)
def test_a_row_that_lacks_a_value_is_refused_by_its_line(
    tmp_path: Path, row: str, message: str
) -> None:
    space, table = written(tmp_path, f"{row}\n")
    with pytest.raises(ConfigError, match=message):
        read_told(table, read_problem(space))


def test_what_is_varied_and_what_is_measured_have_different_names(
    tmp_path: Path,
) -> None:
    space, _ = written(tmp_path, "", TWO.replace("temperature:", "purity:"))
    with pytest.raises(ConfigError, match=r"space.yaml:2: space.purity: is measured"):
        read_problem(space)


def test_what_is_expected_of_each_objective_is_printed(tmp_path: Path) -> None:
    space, _ = written(tmp_path, "")
    card = {
        "reason": "expected gain",
        "predicted": 61.2,
        "predicted_90": [50.0, 70.0],
        "others": {"waste": {"predicted": 0.5, "predicted_90": [0.0, 1.0]}},
    }
    proposal = Proposal((Candidate({"temperature": 71.0}),), {"candidates": [card]})
    heads, row = csv.reader(proposed(proposal, read_problem(space)))
    assert dict(zip(heads, row, strict=True)) == {
        "temperature [degC]": "71",
        "yield [percent] expected": "61.2",
        "yield [percent] 5 %": "50",
        "yield [percent] 95 %": "70",
        "waste [g] expected": "3.162",
        "waste [g] 5 %": "1",
        "waste [g] 95 %": "10",
        "reason": "expected gain",
    }


def test_the_rows_of_several_objectives_in_the_docs_are_read_as_they_say(
    tmp_path: Path,
) -> None:
    (whole, goals, *_), (_, rows) = (
        re.findall(rf"```{language}\n(.*?)```", DOCS.read_text(), re.DOTALL)
        for language in ("yaml", "csv")
    )
    space = tmp_path / "space.yaml"
    space.write_text(whole[: whole.index("objectives:")] + goals)
    table = tmp_path / "observed.csv"
    table.write_text(rows)
    with pytest.raises(
        ConfigError, match=r"csv:3: waste \[g\]: .*every value, or none"
    ):
        read_told(table, read_problem(space))
    table.write_text("\n".join(rows.splitlines()[:2]) + "\n")
    assert len(read_told(table, read_problem(space)).observed) == 1


def test_replicates_are_refused_for_several_objectives(tmp_path: Path) -> None:
    space, table = written(tmp_path, "80,50,1,3,99\n")
    words = ["propose", str(space), str(table), "--replicates"]
    wrong = str(CliRunner().invoke(app, words).exception)
    assert "--replicates: proposed with one objective only; there are yield" in wrong
    words[-1:] = ["--wanted", "5"]
    wrong = str(CliRunner().invoke(app, words).exception)
    assert "--wanted 5: several good ones of one objective only" in wrong
