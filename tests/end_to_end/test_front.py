"""Two objectives and a limit on the simulated bench, and a candidate of a person's own.

The person speaks while a trial is under way, and the campaign is drained right after. The
surrogates are asked from the third trial on.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from orchestrator.reporting.history import read_history
from planners.bayes.planner import ENOUGH
from tests.end_to_end.launched import SPEED, Launched, check_nothing_lost, polyloop
from tests.orchestrator.lab_files import CONFIGS, LabFiles

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

OBJECTIVES = """
  conductivity: {unit: S/cm, direction: maximise, scale: log}
"""
TWO = f"""{OBJECTIVES}  sheet_resistance: {{unit: ohm, direction: minimise, scale: log}}
limits:
  transmittance: {{at_least: "1 percent"}}
"""
NITRIC = (
    *("acid=nitric acid", "acid_concentration=10 mol/L", "dwell=1 min"),
    *("treatment_temperature=60 degC", "spin_speed=2000 rpm"),
    *("anneal_temperature=120 degC", "anneal_time=2 min"),
)


@pytest.mark.usefixtures("shared_prefect")
def test_two_objectives_are_measured_and_a_person_s_candidate_is_made_once(
    tmp_path: Path,
) -> None:
    files, data = LabFiles.copied(tmp_path), tmp_path / "data"
    bench = CONFIGS / "sim_bench" / "bench.yaml"
    (tmp_path / "sim_bench" / "bench.yaml").write_bytes(bench.read_bytes())
    files.edit("campaign.yaml", OBJECTIVES, TWO)
    files.edit("campaign.yaml", "initial: 8", "initial: 2")
    files.edit("campaign.yaml", "in_flight: 2", "in_flight: 1")
    campaign = files.path("campaign.yaml")
    options = ("--speed", SPEED, "--no-ui", "--data", data)
    going = Launched(data, "run", campaign, "--trials", "5", *options)
    try:
        going.until(lambda progress: bool(progress.acting))
        told = ("--who", "ada", "--note", "as in the paper", "--data", data)
        answer = polyloop("suggest", going.id, *NITRIC, *told)
        assert answer.returncode == 0, answer.stderr
        assert "made next, says ada: nitric acid, 10 mol/L, 60 s" in answer.stdout
        going.interrupt()
        assert going.wait(200.0) == 1, going.output.read_text()
    finally:
        going.kill()
    # She waits, unless the trial ended between her word and the end of new ones.
    progress = going.progress
    begun = [one for one in progress.trials.values() if one.suggestion]
    assert len(begun) + len(progress.suggested) == 1
    before = len(progress.trials)  # one, or more if she spoke slowly
    again = Launched(data, "resume", going.id, *options)
    try:
        assert again.wait(400.0) == 0, again.output.read_text()
    finally:
        again.kill()
    check_nothing_lost(again, 5)
    history = read_history(again.events)
    by = [one.suggestion.who if one.suggestion else "" for one in history.trials]
    assert sorted(by) == [*[""] * 4, "ada"]
    assert begun or by.index("ada") == before
    observed = history.progress.observed
    assert observed
    for trial in observed:
        assert trial.observation is not None
        names = {"conductivity", "sheet_resistance", "transmittance"}
        assert set(trial.observation.estimates) == names
    front = [trial.id for trial in history.front()]
    planned = [trial for trial in history.trials if not trial.suggestion]
    start = [t for t in history.trials[:2] if t in planned]
    assert {trial.why for trial in start} == {"initial design"}
    later = planned[len(start) :]
    asked = [trial for trial in later if "surrogate" in history.cards[trial.id]]
    assert asked, "no surrogate was ever asked"
    for trial in later:
        card = history.cards[trial.id]
        enough = card["observed"] >= ENOUGH + bool(card["failed"])
        assert enough == (trial in asked), card
        assert trial.why == ("expected gain" if enough else "space-filling")
    for trial in asked:
        card = history.cards[trial.id]
        assert list(card["others"]) == ["sheet_resistance"]
        assert card["surrogate"]["observations"] == card["observed"]
        assert all(one.prediction(trial) for one in history.each())
    replayed = polyloop("replay", again.id, "--data", data)
    assert replayed.returncode == 0, replayed.stdout
    assert "(4 candidates) made again" in " ".join(replayed.stdout.split())

    said = again.output.read_text()
    assert f"beaten by no other: {', '.join(front)}" in said
    status = polyloop("status", again.id, "--data", data).stdout
    assert f"{front[0]} *" in status
    assert "by ada (as in the paper): " in status
    report = (data / "reports" / f"{again.id}.html").read_text()
    assert "that no other beats in conductivity and sheet resistance" in report
    assert "by ada" in report
    assert f"What matters, to the surrogate behind {asked[-1].id}" in report
    table = tmp_path / "film.csv"
    assert polyloop("export", again.id, "--to", table, "--data", data).returncode == 0
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["who"] for row in rows] == by
    assert {(row["by"], row["who"]) for row in rows} == {
        ("planner", ""),
        ("person", "ada"),
    }
    assert [row["trial"] for row in rows if row["best"] == "True"] == sorted(front)
    kept = [row["trial"] for row in rows if row["within limits"] == "True"]
    assert kept == [trial.id for trial in observed]
