"""A desirability, from the files to the best trial, the report and the tables."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from orchestrator.best import best_trials, none_yet
from orchestrator.cli import app
from orchestrator.config.models import Campaign
from orchestrator.config.read_space import read_problem, read_told
from orchestrator.display import best_table, best_word, trials_table
from orchestrator.errors import ConfigError
from orchestrator.fold import fold
from orchestrator.learning import Failed, Learned, learn
from orchestrator.ledger import Event
from orchestrator.records import Measurement
from orchestrator.reporting.export import export
from orchestrator.reporting.history import read_history
from orchestrator.reporting.report import report_html, trials_markdown
from orchestrator.reporting.surrogates import card_rows
from planners.data import Limit, Objective, Observation
from planners.desirability import Desirability, Desire
from tests.orchestrator.fake_campaign import FakeCampaign
from tests.orchestrator.lab_files import LabFiles
from tests.orchestrator.virtual_lab import RECIPE

OLD = "objectives:\n  conductivity: {unit: S/cm, direction: maximise, scale: log}\n"
NEW = """desirability:
  sheet_resistance: {useless: "0.5 kiloohm", ideal: "5 ohm", scale: log, weight: 2}
  transmittance: {useless: "70 percent", ideal: "90 percent"}
  thickness: {useless: ["20 nm", "0.2 um"], ideal: ["60 nm", "90 nm"], exponent: 0.5}
limits:
  transmittance: {at_least: "60 percent"}
"""
RESISTANCE = Desire("sheet_resistance", "ohm", ((500.0, 5.0),), "log", weight=2.0)
CLEAR = Desire("transmittance", "1", ((0.8, 0.9),))
WHOLE = Desirability(desires=(RESISTANCE, CLEAR))
DONE = replace(RECIPE, steps=(), measurements=())
"""A recipe all steps of which are done, its quantities measured."""


def written(directory: Path, text: str = NEW) -> LabFiles:
    files = LabFiles.copied(directory)
    files.edit("campaign.yaml", OLD, text)
    return files


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return written(tmp_path_factory.mktemp("files")).load()


def observed(*rows: tuple[float, float]) -> list[Event]:
    """Return trials with these sheet resistances and transmittances."""
    made = FakeCampaign(objectives=[asdict(WHOLE)])
    for number, (ohm, clear) in enumerate(rows, 1):
        name = f"t{number:03d}"
        candidate = made.candidate(best_acids=True)
        made.add("candidate.proposed", name, candidate=candidate, proposal=number)
        home = f"rack.{number}"
        made.add("trial.started", name, sample=f"c/{home}", home=home)
        known = {
            "sheet_resistance": Measurement("sheet_resistance", ohm, ohm / 100, "ohm", ""),
            "transmittance": Measurement("transmittance", clear, 0.002, "1", ""),
        }  # fmt: skip
        for one in known.values():
            made.add("measurement", name, **asdict(one), sample=f"c/{home}")
        seen = fold(made.events).trials[name]
        seen = replace(seen, recipe=DONE)
        for lesson in learn(seen, "probe", [WHOLE], lambda _: []):
            match lesson:
                case Learned(one):
                    made.add("measurement", name, **asdict(one), sample=f"c/{home}")
                case Observation(_, estimates):
                    plain = {key: asdict(one) for key, one in estimates.items()}
                    made.add("observation", name, candidate=candidate, estimates=plain)
    return made.events


# -- reading ------------------------------------------------------------------------------


def test_each_quantity_is_in_the_unit_of_its_useless_bound_and_so_is_its_limit(
    campaign: Campaign,
) -> None:
    assert campaign.objectives == (
        Desirability(
            desires=(
                Desire("sheet_resistance", "kiloohm", ((0.5, 0.005),), "log", 2.0),
                Desire("transmittance", "percent", ((70.0, 90.0),)),
                Desire("thickness", "nm", ((20.0, 60.0), (200.0, 90.0)), exponent=0.5),
            )
        ),
    )
    assert campaign.limits == (Limit("transmittance", "percent", at_least=60.0),)


def test_a_rule_to_stop_is_a_part_of_all_that_one_wants(tmp_path: Path) -> None:
    rule = 'stop: {regret_below: "5 percent"}\nin_flight: 2'
    files = written(tmp_path)
    files.edit("campaign.yaml", "in_flight: 2", rule)
    stop = files.load().stop
    assert stop is not None
    assert stop.below == pytest.approx(0.05)
    three = ((1, 0.04), (2, 0.03), (3, 0.02))
    assert stop.reason(three) == "stopped: no more than 0.02 to be gained (95 %)"


RESISTANCE_LINE = (
    'sheet_resistance: {useless: "0.5 kiloohm", ideal: "5 ohm", scale: log, weight: 2}'
)
CLEAR_LINE = 'transmittance: {useless: "70 percent", ideal: "90 percent"}'
THICK_LINE = 'thickness: {useless: ["20 nm", "0.2 um"], ideal: ["60 nm", "90 nm"], exponent: 0.5}'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (CLEAR_LINE, 'transmittance: {useless: "70 percent", ideal: "0.7 dimensionless"}',
         "desirability.transmittance: 70 percent, 0.7 dimensionless — useless and ideal must differ"),
        (CLEAR_LINE, 'transmittance: {useless: "70 ohm", ideal: "90 ohm"}',
         "desirability.transmittance.useless: 70 ohm — the recipe measures it in 1"),
        (CLEAR_LINE, 'transmittance: {useless: "70 percent", ideal: "90 nm"}',
         "desirability.transmittance.ideal: 90 nm — a quantity in percent is wanted"),
        (CLEAR_LINE, 'transmittance: {useless: 0.7, ideal: "90 percent"}',
         "desirability.transmittance.useless: 0.7 — write the unit"),
        (CLEAR_LINE, 'transmittance: {useless: "70", ideal: "90 percent"}',
         "desirability.transmittance.useless: 70 — write a number and its unit"),
        (CLEAR_LINE, 'transmittance: {ideal: "90 percent"}',
         "desirability.transmittance: useless — missing"),
        (CLEAR_LINE, 'transmitance: {useless: "70 percent", ideal: "90 percent"}',
         "transmitance — the recipe does not measure it: did you mean transmittance"),
        (RESISTANCE_LINE, 'sheet_resistance: {useless: "500 ohm", ideal: "0 ohm", scale: log}',
         "500 ohm, 0 ohm — bounds on a log scale must be above 0"),
        ("weight: 2", "weight: 0", "desirability.sheet_resistance.weight: 0 — should be greater than 0"),
        ("exponent: 0.5", "exponent: -1", "desirability.thickness.exponent: -1 — should be greater than 0"),
        (THICK_LINE, 'thickness: {useless: ["20 nm", "200 nm"], ideal: "300 nm"}',
         "what is ideal must be between two useless bounds"),
        (THICK_LINE, 'thickness: {useless: "20 nm", ideal: ["60 nm", "90 nm"]}',
         "desirability.thickness.ideal: 60 nm to 90 nm — what is ideal between two bounds needs two useless ones"),
        (THICK_LINE, 'thickness: {useless: ["20 nm"], ideal: "60 nm"}', "desirability.thickness.useless: "),
        ("limits:", "limits:\n  desirability: {at_least: \"50 percent\"}",
         "limits.desirability: desirability — what is useless in it is said there"),
        ("limits:", f"{OLD}limits:", "desirability: sheet_resistance, transmittance, thickness — objectives are there too"),
        ("seed: 1", "seed: 1, replicates: true",
         "planner.replicates: true — proposed with one objective only; there are sheet_resistance, transmittance, thickness"),
    ],
)  # fmt: skip
def test_what_cannot_be_desired_is_refused_by_its_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    files = written(tmp_path)
    files.edit("campaign.yaml", old, new)
    with pytest.raises(ConfigError) as refused:
        files.load()
    mark = "desirability:" if "objectives are" in message else new.splitlines()[-1]
    line = files.line("campaign.yaml", mark.strip())
    assert f"campaign.yaml:{line}: " in str(refused.value)
    assert message in str(refused.value)


def test_without_anything_wanted_a_campaign_is_refused(tmp_path: Path) -> None:
    files = written(tmp_path, "")
    with pytest.raises(ConfigError, match="objectives — missing: write this key, or d"):
        files.load()


# -- what a trial is worth ----------------------------------------------------------------


def test_a_trial_s_desirability_is_a_measurement_before_it_is_an_observation() -> None:
    history = read_history(observed((50.0, 0.85)))
    (one,) = history.trials
    worth = history.measured(one, "desirability")
    assert worth is not None
    expected = (0.5**2 * 0.5) ** (1.0 / 3.0)
    assert worth.value == pytest.approx(expected)
    assert worth.details == {
        "sheet_resistance_share": pytest.approx(0.5),
        "transmittance_share": pytest.approx(0.5),
    }
    assert one.observation is not None
    assert one.observation.estimates["desirability"].value == worth.value
    assert set(one.observation.estimates) == {
        "sheet_resistance",
        "transmittance",
        "desirability",
    }


def test_a_quantity_that_was_not_measured_fails_the_trial() -> None:
    seen = replace(fold(observed((50.0, 0.85))).trials["t001"], recipe=DONE)
    (lesson,) = learn(replace(seen, measurements=()), "probe", [WHOLE], lambda _: [])
    assert lesson == Failed("sheet_resistance: was not measured")


ROWS = ((100.0, 0.95), (6.0, 0.79), (50.0, 0.85), (40.0, 0.86))


def shown(thing: Any) -> str:
    console = Console(file=io.StringIO(), width=300)
    console.print(thing)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_best_is_the_most_desirable_and_nothing_useless(
    campaign: Campaign,
) -> None:
    campaign = replace(campaign, objectives=(WHOLE,), limits=())
    progress = fold(observed(*ROWS))
    assert [one.id for one in best_trials(progress, [WHOLE])] == ["t004"]
    assert best_word(progress, campaign).startswith("best: 0.56")
    said = " ".join(shown(best_table(progress, campaign)).split())
    assert "sheet resistance 40.00 ± 0.40 Ω, desirability 0.55" in said
    assert "transmittance 0.8600 ± 0.0020, desirability 0.60" in said
    lines = shown(trials_table(progress, campaign)).splitlines()
    for name in ("desirability", "sheet resistance", "transmittance"):
        assert name in lines[0]
    assert [line[:6] for line in lines if "*" in line] == ["t004 *"]
    useless = fold(observed((900.0, 0.95)))
    assert best_word(useless, campaign) == "best: none of any use yet"
    assert none_yet(fold([]), [WHOLE]) == "none yet"


def test_the_report_shows_what_the_best_film_is_worth_and_why() -> None:
    events = observed(*ROWS)
    html = report_html(events)
    assert "The highest desirability measured, in trial t004" in " ".join(html.split())
    assert "ideal up to 5 Ω, useless from 500 Ω on (log)" in html
    assert "<td>0.55</td>" in html
    assert "<h2>Sheet resistance and transmittance</h2>" in html
    assert "No film of any use yet" in report_html(observed((900.0, 0.95)))
    assert "desirability" in trials_markdown(read_history(events)).splitlines()[0]


def test_the_names_of_the_surrogates_are_those_of_the_quantities() -> None:
    events = observed(*ROWS)
    for event in events:
        if event.kind == "candidate.proposed":
            part = {"importance": {"dwell": 1.0}, "observations": 3}
            event.data["card"] = {"surrogate": part, "others": {"transmittance": part}}
    rows = card_rows(read_history(events))
    assert [row["trial"] for row in rows[:2]] == [
        "t001 sheet resistance",
        "t001 transmittance",
    ]


def test_a_table_has_the_desirability_and_that_of_each_quantity(tmp_path: Path) -> None:
    path = export(observed(*ROWS), tmp_path, tmp_path / "out.csv")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["best"] for row in rows] == ["False", "False", "False", "True"]
    assert [float(row["desirability [1]"]) > 0 for row in rows] == [1, 0, 1, 1]
    assert float(rows[3]["transmittance desirability"]) == pytest.approx(0.6)
    export(observed(*ROWS), tmp_path, tmp_path / "out.json")
    assert '"ramps"' in (tmp_path / "out.json").read_text()


# -- without a lab ------------------------------------------------------------------------

SPACE = """space:
  speed: {from: "1000 rpm", to: "4000 rpm"}
desirability:
  sheet_resistance: {useless: "500 ohm", ideal: "5 ohm", scale: log, weight: 2}
  transmittance: {useless: "70 percent", ideal: "90 percent"}
"""
TABLE = """speed [rpm],sheet_resistance [ohm],transmittance [percent]
1000,20,72
2000,60,80
3000,140,86
"""


def files(folder: Path, space: str = SPACE) -> list[str]:
    paths = folder / "space.yaml", folder / "observed.csv"
    for path, text in zip(paths, (space, TABLE), strict=True):
        path.write_text(text)
    return [str(one) for one in paths]


@pytest.mark.slow
def test_propose_says_what_it_expects_of_the_desirability_and_of_each_quantity(
    tmp_path: Path,
) -> None:
    done = CliRunner().invoke(app, ["propose", *files(tmp_path)])
    assert done.exit_code == 0, done.output
    (row,) = csv.DictReader(io.StringIO(done.output))
    assert row["reason"] == "expected gain"
    for name in ("desirability", "sheet_resistance [ohm]", "transmittance [percent]"):
        low, middle, high = (
            float(row[f"{name} {what}"]) for what in ("5 %", "expected", "95 %")
        )
        assert low < middle < high
    assert float(row["desirability 5 %"]) >= 0.0
    refused = CliRunner().invoke(app, ["propose", *files(tmp_path), "--replicates"])
    assert "--replicates: proposed with one objective only" in str(refused.exception)


def test_what_was_observed_without_a_lab_is_worth_something_too(tmp_path: Path) -> None:
    space, table = map(Path, files(tmp_path))
    problem = read_problem(space)
    told = read_told(table, problem)
    values = [one.estimates["desirability"].value for one in told.observed]
    assert values[1] == pytest.approx((0.4604**2 * 0.5) ** (1.0 / 3.0), abs=1e-3)
    assert problem.expected == (*problem.objectives, *(
        Objective("sheet_resistance", "ohm", "minimise", "log"),
        Objective("transmittance", "percent"),
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("speed:", "desirability:", "space.yaml:2: space.desirability: is worked out"),
        ("speed:", "transmittance:", "space.yaml:2: space.transmittance: is measured"),
        ("desirability:", "objectives: {x: {unit: m, direction: maximise}}\ndesirability:",
         "space.yaml:4: desirability: sheet_resistance, transmittance — objectives are there too"),
        ("weight: 2", "weight: many", "space.yaml:4: desirability.sheet_resistance.weight: many — "),
    ],
)  # fmt: skip
def test_a_space_that_cannot_be_meant_is_refused_by_its_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    space, _ = files(tmp_path, SPACE.replace(old, new, 1))
    with pytest.raises(ConfigError) as refused:
        read_problem(Path(space))
    assert message in str(refused.value)
