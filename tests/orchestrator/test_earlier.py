"""What an earlier campaign has found is read with the campaign, copied, and replayed."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.config.models import Campaign
from orchestrator.config.read_earlier import read_earlier
from orchestrator.config.read_rows import heads_of
from orchestrator.errors import ConfigError
from orchestrator.reporting.export import export
from planners.baseline import draw
from planners.data import Estimate, Objective
from planners.question import Asked
from planners.space import Molecule, Real, Space
from tests.orchestrator.decided import Decided, conductivity
from tests.orchestrator.fake_campaign import SPACE, FakeCampaign
from tests.orchestrator.lab_files import LabFiles

PLANNER = "planner: {name: bayes, initial: 8, seed: 1"
EARLIER = f"{PLANNER}, earlier: [last_year.csv]"


def table(campaign: Campaign, count: int) -> str:
    """Return random candidates and what the formula says of them, as CSV."""
    rng = np.random.default_rng(0)
    heads = heads_of(campaign.space)
    lines = [",".join([*heads.values(), "conductivity [S/cm]"])]
    for _ in range(count):
        one = draw(campaign.space, rng, Asked([]))
        cells = [*(one.values[name] for name in heads), conductivity(one)]
        lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> str:
    return table(LabFiles.copied(tmp_path_factory.mktemp("whole")).load(), 6)


@pytest.fixture
def files(tmp_path: Path, rows: str) -> LabFiles:
    """A campaign that begins with a table of six rows that fit."""
    files = LabFiles.copied(tmp_path)
    files.edit("campaign.yaml", PLANNER, EARLIER)
    (tmp_path / "pedot_pss" / "last_year.csv").write_text(rows)
    return files


def beside(files: LabFiles, name: str = "last_year.csv") -> Path:
    return files.path("campaign.yaml").parent / name


def test_what_a_campaign_is_told_beforehand_is_one_of_its_files(
    files: LabFiles,
) -> None:
    campaign = files.load()
    (one,) = campaign.planner.earlier
    assert (one.told.name, len(one.told.observations)) == ("last_year", 6)
    assert one.told.observations[0].estimates["conductivity"].std == 0.0
    assert beside(files) in campaign.files
    assert not campaign.planner.replicates


def test_check_says_how_many_rows_fit(files: LabFiles, rows: str) -> None:
    head, first, second, third, *rest = rows.splitlines()
    acid = first.partition(",")[0]
    other = first.replace(acid, "no such acid")
    hot = third.split(",")
    hot[list(heads_of(files.load().space)).index("treatment_temperature")] = "400"
    empty = f"{second.rpartition(',')[0]},"
    beside(files).write_text("\n".join([head, other, empty, ",".join(hot), *rest]))
    path = str(files.path("campaign.yaml"))
    result = CliRunner().invoke(app, ["check", path], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    line = "earlier last_year.csv: 4 of 6 rows fit this space; 1 of them left out, not"
    assert line in result.output


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("conductivity [S/cm]", "conductivity", r"earlier\[0\]: .*last_year.csv:1: conductivity \[S/cm\] — no such column"),
        ("acid", "acid,x", "last_year.csv:2: not as many cells as the 9 columns"),
        ("acid", "Acid", "last_year.csv:1: acid — no such column: did you mean Acid"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_read_is_refused_by_its_line(
    files: LabFiles, rows: str, old: str, new: str, message: str
) -> None:
    beside(files).write_text(rows.replace(old, new, 1))
    with pytest.raises(ConfigError, match=message):
        files.load()


def test_a_table_of_which_nothing_is_of_use_is_refused(
    files: LabFiles, rows: str
) -> None:
    head, *lines = rows.splitlines()
    strange = [f"tea,{line.partition(',')[2]}" for line in lines]
    beside(files).write_text("\n".join([head, *strange]))
    wrong = r"campaign.yaml:\d+: planner.earlier\[0\]: .*last_year.csv: none of 6 rows"
    with pytest.raises(
        ConfigError, match=f"{wrong} fits this space, e.g. .*csv:2: aci"
    ):
        files.load()
    empty = [f"{line.rpartition(',')[0]},failed" for line in lines]
    beside(files).write_text("\n".join([head, *empty]))
    with pytest.raises(ConfigError, match=f"{wrong} that fit this space has a value"):
        files.load()
    beside(files).write_text(head)
    with pytest.raises(ConfigError, match="none of 0 rows fits"):
        files.load()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: bayes", "name: random", r"planner.earlier: .*planner random learns nothing"),
        (EARLIER, f"{PLANNER.replace('bayes', 'random')}, replicates: true", "planner.replicates: true — planner random learns nothing"),
        ("last_year.csv", "last.csv", r"planner.earlier\[0\]: last.csv — no such file"),
        ("last_year.csv", "/last_year.csv", "say where it is seen from this file"),
        ("[last_year.csv", "[last_year.csv, ../pedot_pss/last_year.csv", r"earlier\[1\]: .*last_year is there already"),
        (EARLIER, f"{PLANNER.replace('bayes', 'random')}, wanted: 5", "planner.wanted: 5 — planner random learns nothing"),
        ("seed: 1", "seed: 1, wanted: 0", "planner.wanted: 0"),
        ("seed: 1", "seed: 1, wanted: 5, replicates: true", "planner.wanted: 5 — leave out replicates"),
        ("seed: 1", "seed: 1, replicates: many", "planner.replicates: many"),
        ("seed: 1", "seed: 1, replicates: on", "planner.replicates"),
        ("objectives:", "objectives:\n  transmittance: {unit: '1', direction: maximise}", r"last_year.csv:1: transmittance — no such column"),
    ],
)  # fmt: skip
def test_what_a_planner_cannot_be_told_is_refused_by_line(
    files: LabFiles, old: str, new: str, message: str
) -> None:
    files.edit("campaign.yaml", old, new)
    with pytest.raises(ConfigError, match=message):
        files.load()


def test_nothing_is_made_twice_for_several_objectives(files: LabFiles) -> None:
    files.edit("campaign.yaml", EARLIER, f"{PLANNER}, replicates: true")
    assert files.load().planner.replicates
    both = "objectives:\n  sheet_resistance: {unit: ohm, direction: minimise}"
    files.edit("campaign.yaml", "objectives:", both)
    with pytest.raises(ConfigError, match=r"replicates: true — .*one objective only"):
        files.load()
    files.edit("campaign.yaml", "replicates: true", "wanted: 5")
    with pytest.raises(ConfigError, match=r"wanted: 5 — .*one objective only"):
        files.load()


def test_the_export_of_an_earlier_campaign_is_read(tmp_path: Path) -> None:
    """Believed values count, also of a trial that failed; the others do not."""
    campaign = FakeCampaign(seed=3)
    fates = ["observed", "failed", "doubted", "nan", "observed"]
    for number, fate in enumerate(fates, 1):
        campaign.trial(number, fate)
    path = export(campaign.events, tmp_path, tmp_path / "last_year.csv")
    acid, *reals = SPACE
    space = Space(
        (
            Molecule("acid", dict.fromkeys(acid["options"], "O")),
            *(
                Real(one["name"], one["low"], one["high"], one["unit"], one["scale"])
                for one in reals
            ),
        )
    )
    objective = Objective("conductivity", "S/cm", scale="log")
    one = read_earlier(path, space, [objective])
    assert (one.count, one.fitting) == (5, 5)
    assert str(one).endswith(
        "5 of 5 rows fit this space; 3 of them left out, not measured"
    )
    made = [e for e in campaign.events if e.kind == "observation" and e.trial != "t004"]
    assert [dict(o.candidate.values) for o in one.told.observations] == [
        e.data["candidate"] for e in made
    ]
    assert [o.estimates["conductivity"] for o in one.told.observations] == [
        Estimate(**e.data["estimates"]["conductivity"]) for e in made
    ]
    light = Objective("transmittance", "1")
    both = read_earlier(path, space, [objective, light])
    assert all("transmittance" in o.estimates for o in both.told.observations)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_campaign_replays_after_the_table_it_began_with_was_changed(
    tmp_path: Path, rows: str
) -> None:
    path = tmp_path / "files" / "pedot_pss" / "last_year.csv"
    path.parent.mkdir(parents=True)
    path.write_text(rows)
    told = {"seed: 1}": "seed: 1, earlier: [last_year.csv], replicates: true}"}
    decided = Decided.begun(tmp_path, "bayes", 6, edits=told).run()
    cards = [e.data["card"] for e in decided.events() if "card" in e.data]
    assert cards[0]["earlier campaigns"] == {
        "last_year: conductivity": "6 observations"
    }
    assert [card["candidates"][0]["reason"] for card in cards[:2]] == [
        "initial design, as last_year: conductivity",
    ] * 2
    path.write_text(rows.splitlines()[0])
    command = ["replay", decided.name, "--data", str(decided.data)]
    result = CliRunner().invoke(app, command, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert "the same candidates in the same order" in result.output
    words = ["status", decided.name, "--data", str(decided.data)]
    status = CliRunner().invoke(app, words, env={"COLUMNS": "250"}).output
    assert "initial design, as last_year: conductivity: " in status
    (copy,) = decided.data.rglob("last_year.csv")
    lines = copy.read_text().splitlines()
    copy.write_text("\n".join([lines[0], *lines[3:]]))
    result = CliRunner().invoke(app, command, env={"COLUMNS": "200"})
    assert result.exit_code == 1
    assert "last_year.csv: no longer what it was" in result.output


@pytest.mark.slow
def test_propose_begins_with_what_an_earlier_campaign_would_make(
    tmp_path: Path,
) -> None:
    space, observed, past = (
        tmp_path / name for name in ("space.yaml", "observed.csv", "past.csv")
    )
    space.write_text(
        "space:\n"
        '  cycles: {from: "0 count", to: "20 count", steps: 20}\n'
        "objectives: {hardness: {unit: GPa, direction: maximise}}\n"
        "initial: 2\n"
    )
    observed.write_text("cycles [count],hardness [GPa]\n")
    found = [f"{n},{10 - abs(n - 14) / 2}" for n in (1, 4, 8, 12, 14, 17, 30)]
    past.write_text("\n".join(["cycles [count],hardness [GPa]", *found]))
    words = ["propose", str(space), str(observed), "--replicates"]
    result = CliRunner().invoke(app, [*words, "--earlier", str(past)])
    assert result.exit_code == 0, result.output
    assert "earlier past.csv: 6 of 7 rows fit this space" in result.stderr
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    assert row["reason"] == "initial design, as past: hardness"
    assert 13 <= float(row["cycles [count]"]) <= 15
