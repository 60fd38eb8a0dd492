"""Searches are kept in a file and not made again; what is true over all sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from orchestrator.benches.contest import Score, contest, overall, report
from orchestrator.benches.data_sets import own
from orchestrator.benches.results import Result, Results
from orchestrator.cli import app
from orchestrator.errors import ConfigError, Refused
from planners.data import Candidate, Objective
from planners.space import Real, Space
from planners.table import Goal, Table

UNCHANGED = {"shuffled": False, "failing": False}
GOALS = (Goal("best", 0.05, 1), Goal("half", 0.5, 5))


def line(name: str = "line") -> Table:
    pool = tuple(Candidate({"x": float(i)}) for i in range(20))
    space = Space((Real("x", 0.0, 19.0, "m"),), pool)
    values = tuple(float(i) for i in range(20))
    return Table(name, space, Objective("height", "m"), values, goals=GOALS)


def counts(path: Path, seeds: int) -> list[int]:
    scores = contest([line()], ["random"], seeds, UNCHANGED, Results(path))
    return [int(n) for score in scores for n in score.counts("best")]


def test_a_search_that_is_in_the_file_is_not_made_again(tmp_path: Path) -> None:
    path = tmp_path / "kept.csv"
    two = counts(path, 2)
    kept = path.read_text()
    assert len(kept.splitlines()) == 1 + 2 * len(GOALS)
    # A count that no search of 20 rows can have: it was taken from the file.
    path.write_text(kept.replace(f"random,0,best,{two[0]},", "random,0,best,77,"))
    assert counts(path, 3)[:2] == [77, two[1]]
    assert len(path.read_text().splitlines()) == 1 + 3 * len(GOALS)


def test_a_search_with_a_goal_missing_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "kept.csv"
    whole = counts(path, 2)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    assert counts(path, 2) == whole
    assert len(path.read_text().splitlines()) == len(lines) - 1 + len(GOALS)


def test_a_line_that_cannot_be_read_is_refused_by_its_place(tmp_path: Path) -> None:
    path = tmp_path / "kept.csv"
    counts(path, 1)
    path.write_text(path.read_text() + "line,random,1,best,ma")
    with pytest.raises(Refused, match=r"kept\.csv:4: .*take this line out"):
        Results(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(Refused, match="its columns must be set, contestant"):
        Results(path)


@given(
    st.lists(st.integers(2, 200), min_size=2, max_size=12), st.sampled_from([1, 2, 5])
)
def test_what_needs_so_many_times_as_many_has_the_inverse_ratio(
    found: list[int], times: int
) -> None:
    ours = np.array(found)
    exact, low, high = overall([[ours], [2 * ours]], [[times * ours], [times * ours]])
    assert exact == pytest.approx(2**0.5 / times)
    assert (low, high) == (pytest.approx(exact), pytest.approx(exact))


def test_a_search_whose_first_rows_reach_the_goal_takes_no_time(tmp_path: Path) -> None:
    table = Table("easy", line().space, line().objective, line().values, initial=20)
    results = Results(tmp_path / "kept.csv")
    (score,) = contest([table], ["random"], 2, UNCHANGED, results)
    assert np.isnan(score.seconds)
    (score,) = contest([table], ["random"], 2, UNCHANGED, Results(results.path))
    assert np.isnan(score.seconds)


def test_the_last_lines_compare_over_all_sets() -> None:
    made = {"ours": (5, 20), "ax": (20, 10), "baybe": (10, 40)}
    scores = [
        Score(name, table, who, [Result({"best": found[i]}, 0.1, 0, 0)] * 3)
        for i, name in enumerate(("one", "two"))
        for table in [Table(name, line().space, line().objective, line().values,
                            goals=GOALS[:1])]
        for who, found in made.items()
    ]  # fmt: skip
    said = list(report(iter(scores)))
    assert "the best single peer: ax" in said[-5]
    rows = [one.split() for one in said[-3:]]
    assert [row[:2] for row in rows] == [
        ["ours", "10.0"],
        ["ax", "14.1"],
        ["baybe", "20.0"],
    ]
    assert rows[0][2:] == ["1.41", "(1.41", "to", "1.41)"]
    assert rows[1][2] == "0.71"
    assert (rows[2][2], rows[2][6]) == ("0.50", "0.71")


MINE = """\
space:
  solvent: {choice: [toluene, dioxane]}
  temperature: {from: "60 degC", to: "110 degC"}
objectives:
  yield: {unit: percent, direction: minimise}
"""
DATA = """\
solvent,temperature [degC],yield [percent]
toluene,80,10
toluene,80,20
toluene,100,60
dioxane,90,40
dioxane,70,failed
dioxane,60,
dioxane,65,5
"""


def mine(folder: Path, name: str = "mine", data: str = DATA) -> Path:
    (folder / name).mkdir()
    (folder / name / "space.yaml").write_text(MINE)
    (folder / name / "data.csv").write_text(data)
    return folder / name


def test_a_folder_of_your_own_is_a_table(tmp_path: Path) -> None:
    table = own(mine(tmp_path))
    assert table.name == "mine"
    assert table.values == (15.0, 60.0, 40.0, 5.0)
    assert table.objective.direction == "minimise"
    assert table.space.pool[0].values == {"solvent": "toluene", "temperature": 80.0}
    with pytest.raises(ConfigError, match="2 — a table needs more than 2"):
        own(mine(tmp_path, "small", "\n".join(DATA.splitlines()[:4]) + "\n"))


def test_a_folder_of_your_own_is_searched_under_its_name(tmp_path: Path) -> None:
    mine(tmp_path)
    asked = ["bench", "planners", "--data", str(tmp_path), "--against", "random"]
    done = CliRunner().invoke(app, [*asked, "--seeds", "2", "--sets", "mine"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[2].split()[0] == "mine"
    mine(tmp_path, "p3ht")
    done = CliRunner().invoke(app, asked)
    assert done.exit_code != 0
    assert "a set of polyloop's has this name" in str(done.exception)


def test_peers_that_are_not_installed_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ["bench", "planners", "--sets", "invented", "--seeds", "1"]
    done = CliRunner().invoke(app, [*asked, "--against", "random,ax,baybe"])
    assert done.exit_code != 0
    assert "--against: ax, baybe not installed: make peers" in str(done.exception)
    done = CliRunner().invoke(app, [*asked, "--quick", "--against", "ax"])
    assert "'ax' is not one of ours, random" in str(done.exception)


def test_peers_that_are_not_installed_are_left_out_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    results = Results(tmp_path / "kept.csv")
    for who in ("ours", "botorch", "random", "ax"):
        results.add(("invented", who, 0), Result({"to top-1 %": 9}, 0.1, 0, 0))
    asked = ["bench", "planners", "--sets", "invented", "--seeds", "1"]
    done = CliRunner().invoke(app, [*asked, "--to", "kept.csv"])
    assert done.exit_code == 0, done.output
    said = done.output.splitlines()
    assert said[0] == "left out, not installed (make peers): baybe, bofire, physbo"
    rows = [one.split() for one in said if one.startswith("invented")]
    assert [row[4] for row in rows] == ["ours", "ax", "botorch", "random"]
