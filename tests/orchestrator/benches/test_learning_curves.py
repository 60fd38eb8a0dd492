"""The loop's own campaign without a lab: what is made, what is counted, who is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from orchestrator.benches.films import Films
from orchestrator.benches.learning_curves import (
    Curve,
    Search,
    contestant,
    mean,
    table,
    write,
)
from orchestrator.cli import app
from orchestrator.config.read_campaign import load_campaign
from orchestrator.errors import CampaignFailed
from orchestrator.recipes import compile_recipe
from planners.data import Candidate
from tests.conftest import SIM_BENCH
from tests.orchestrator.lab_files import CONFIGS

CAMPAIGN = CONFIGS / "pedot_pss" / "campaign.yaml"
GOOD = {
    "acid": "nitric acid",
    "acid_concentration": 14.0,
    "dwell": 500.0,
    "treatment_temperature": 100.0,
    "spin_speed": 2000.0,
    "anneal_temperature": 110.0,
    "anneal_time": 240.0,
}


def made(films: Films, **values: float | str) -> float:
    campaign = load_campaign(CAMPAIGN, check_drivers=False)
    film = films.made(compile_recipe(campaign, Candidate({**GOOD, **values})))
    return float(film["conductivity_S_cm"])


def test_a_film_is_made_by_the_recipe_of_its_candidate() -> None:
    with Films(SIM_BENCH, 1, ideal=True) as films:
        good = made(films)
        assert 3000.0 < good < 5200.0
        assert made(films) == good
        assert made(films, acid_concentration=1.0) < 0.7 * good
        assert made(films, dwell=30.0) < 0.95 * good


def test_films_of_a_laboratory_differ_and_come_out_alike_with_its_seed() -> None:
    with Films(SIM_BENCH, 1) as films, Films(SIM_BENCH, 1) as same:
        three = [made(films) for _ in range(3)]
        assert len(set(three)) == 3
        assert [made(same) for _ in range(3)] == three


def test_a_chemistry_that_cannot_be_read_is_said_to_have_ended(tmp_path: Path) -> None:
    (tmp_path / "bench.yaml").write_text("chemistry: {}\n")
    with (
        Films(tmp_path / "bench.yaml", 1) as films,
        pytest.raises(CampaignFailed, match="chemistry ended with 2"),
    ):
        made(films)


def test_a_campaign_is_searched_and_its_curve_is_kept(tmp_path: Path) -> None:
    kept, drawn = tmp_path / "curves.csv", tmp_path / "curves.png"
    asked = ["bench", "loop", "--against", "random", "--seeds", "2", "--trials", "10"]
    asked += ["--campaign", str(CAMPAIGN), "--to", str(kept), "--to", str(drawn)]
    done = CliRunner().invoke(app, asked, env={"COLUMNS": "160"})
    assert done.exit_code == 0, done.output + str(done.exception)
    with kept.open() as file:
        rows = list(csv.DictReader(file))
    best = [float(row["best true conductivity [S/cm]"]) for row in rows]
    assert [row["trial"] for row in rows] == [f"{n}" for n in range(1, 11)] * 2
    assert best[:10] == sorted(best[:10])
    assert best[:10] != best[10:]
    assert f"seed 2  random  {best[19]:6.0f} S/cm after 10 trials" in done.output
    (last,) = [one for one in done.output.splitlines() if one.startswith("10 ")]
    assert last.split()[1] == f"{np.sqrt(best[9] * best[19]):.0f}"
    assert drawn.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_botorch_begins_with_the_design_of_ours() -> None:
    search = Search(load_campaign(CAMPAIGN, check_drivers=False), 9, 2)
    plain, ours = (contestant(name, search, 1) for name in ("botorch", "ours"))
    design = ours.propose(8, observed=[]).candidates
    assert plain.propose(8, observed=[]).candidates == design
    assert plain.propose(1, observed=[], pending=design[:5]).candidates == design[5:6]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--campaign", "pedot_pss/transparent.yaml"], "must be one objective, conductivity in S/cm"),
        (["--campaign", "ion_conductor/campaign.yaml"], "must be one objective"),
        (["--against", "chance"], "'chance' is not one of ours, botorch, random"),
        (["--to", "curves.txt"], "--to: curves.txt — must end in .csv, .png, .svg"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused(words: list[str], message: str) -> None:
    if words[0] == "--campaign":
        words = ["--campaign", str(CONFIGS / words[1]), "--against", "random"]
    done = CliRunner().invoke(app, ["bench", "loop", *words])
    assert done.exit_code != 0
    assert message in str(done.exception)


def test_the_table_pairs_the_seeds_and_the_mean_is_geometric() -> None:
    curves = [
        Curve(name, seed, (100.0 * times * seed, 400.0 * times * seed), 1.0)
        for seed in (1, 4)
        for name, times in (("ours", 3.0), ("random", 2.0))
    ]
    head, last, over, seconds = table(curves)
    assert head == ["trials", "ours", "random"]
    assert last[:2] == ["2", "2400 (1200 to 4800)"]
    assert over == ["the first over it", "", "1.50 (1.50 to 1.50)"]
    assert seconds == ["CPU s a campaign", "1.0", "1.0"]
    exact, low, high = mean([1.0, 100.0])
    assert (exact, low, high) == (
        pytest.approx(10.0),
        pytest.approx(1.0),
        pytest.approx(100.0),
    )


def test_curves_are_drawn_as_svg(tmp_path: Path) -> None:
    path = tmp_path / "curves.svg"
    write([Curve("ours", 1, (100.0, 400.0), 1.0)], path)
    assert path.read_text().startswith("<svg")
