"""The whole loop in real processes: server, serial ports, ledger, catalog, model."""

from __future__ import annotations

import csv
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from orchestrator.archive.catalog import open_catalog
from orchestrator.archive.uploader import Uploader
from orchestrator.benches.short import shorten
from orchestrator.records import TrialStatus
from tests.end_to_end.launched import (
    CAMPAIGN,
    SPEED,
    Launched,
    journal,
    polyloop,
    truth,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_every_trial_of_the_budget_ends_and_all_samples_are_back(
    finished: Launched,
) -> None:
    progress = finished.progress
    assert progress.good
    assert len(progress.trials) == 3
    assert not progress.in_flight
    assert not progress.strays
    assert not progress.acting


def test_the_ledger_and_the_instruments_tell_the_same_story(finished: Launched) -> None:
    done = [event.data for event in finished.events if event.kind == "step.done"]
    spun = [
        e
        for e in journal(finished.data, finished.id, "spin_coater")
        if e["event"] == "spun"
    ]
    assert len(spun) == sum(one["operation"] == "spin" for one in done)
    gripped = [
        e
        for e in journal(finished.data, finished.id, "gantry")
        if e["event"] == "gripped"
    ]
    assert len(gripped) == sum(one["operation"] == "transfer" for one in done)
    dropped = [
        e
        for e in journal(finished.data, finished.id, "gantry")
        if e["event"] == "dropped"
    ]
    assert not dropped


def test_what_was_measured_is_what_the_films_are(finished: Launched) -> None:
    true = truth(finished.data, finished.id)
    for trial in finished.progress.observed:
        assert trial.observation is not None
        estimate = trial.observation.estimates["conductivity"]
        film = true[trial.home]["conductivity_S_cm"]
        assert estimate.value == pytest.approx(film, rel=0.25)


def test_documents_come_back_from_the_catalog_with_units(finished: Launched) -> None:
    trial = finished.progress.observed[0]
    with open_catalog(finished.data) as catalog:
        Uploader(finished.data, catalog).upload()  # what a busy machine left to do
        run = catalog.read(trial.runs["probe"])
    assert run.start["trial"] == trial.id
    assert run.start["sample"] == trial.sample
    units = run.streams["primary"].units
    assert {"V", "A"} <= set(units.values())


@pytest.mark.parametrize("ending", ["csv", "xlsx", "json"])
def test_a_campaign_is_exported(
    finished: Launched, ending: str, tmp_path: Path
) -> None:
    target = tmp_path / f"campaign.{ending}"
    answer = polyloop("export", finished.id, "--to", target, "--data", finished.data)
    assert answer.returncode == 0, answer.stderr
    assert target.stat().st_size > 1000
    if ending == "csv":
        with target.open() as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 3
        assert any("[s]" in column for column in rows[0])


def test_a_campaign_that_has_ended_is_not_resumed(finished: Launched) -> None:
    answer = polyloop("resume", finished.id, "--data", finished.data)
    assert answer.returncode == 2
    assert "has reached its end" in answer.stderr


def test_status_and_report_work_from_the_ledger_alone(finished: Launched) -> None:
    answer = polyloop("status", "--data", finished.data)
    assert answer.returncode == 0
    assert all(f"t00{n}" in answer.stdout for n in (1, 2, 3))
    answer = polyloop("report", finished.id, "--data", finished.data)
    assert answer.returncode == 0
    page = (finished.data / "reports" / f"{finished.id}.html").read_text()
    assert "S/cm" in page
    assert not re.search(r"""(src|href)=["']https?:""", page)


@pytest.fixture
def going(tmp_path: Path) -> Iterator[Launched]:
    data, files = tmp_path / "data", tmp_path / "files"
    campaign = shorten(CAMPAIGN, files, trials=2, seed=1, unanswered="discard")
    one = Launched(data, "run", campaign, "--speed", "100", "--data", data)
    try:
        yield one
    finally:
        one.kill()


def hot_and_held(data: Path, campaign: str) -> str:
    """Return which instruments are not in their safe state, by their own journals."""
    wrong = []
    for plate in ("anneal_plate", "treat_plate"):
        heater = [
            e["event"] for e in journal(data, campaign, plate) if "heater" in e["event"]
        ]
        if heater and heater[-1] != "heater off":
            wrong.append(plate)
    chuck = [e["event"] for e in journal(data, campaign, "spin_coater")]
    if "spinning" in chuck and chuck[-1] == "spinning":
        wrong.append("spin_coater")
    output = [
        e["event"]
        for e in journal(data, campaign, "source_meter")
        if "output" in e["event"]
    ]
    if output and output[-1] != "output off":
        wrong.append("source_meter")
    return ", ".join(wrong)


def last_heater_on(data: Path, campaign: str) -> float:
    return max(
        (
            e["wall"]
            for plate in ("anneal_plate", "treat_plate")
            for e in journal(data, campaign, plate)
            if e["event"] == "heater on"
        ),
        default=0.0,
    )


def until_safe(data: Path, campaign: str, since: float) -> float:
    """Return how many real seconds after ``since`` every heater was off."""
    while hot_and_held(data, campaign):
        assert time.time() < since + 10.0, hot_and_held(data, campaign)
        time.sleep(0.02)
    off = [
        e["wall"]
        for plate in ("anneal_plate", "treat_plate")
        for e in journal(data, campaign, plate)
        if e["event"] == "heater off" and e["wall"] > since
    ]
    return max(off) - since


@pytest.mark.usefixtures("shared_prefect")
def test_ctrl_c_twice_makes_everything_safe_and_resume_loses_no_trial(
    going: Launched,
) -> None:
    going.until(
        lambda p: (
            any(a.step in ("anneal", "dwell") for a in p.acting.values())
            and last_heater_on(going.data, going.id) > 0
        )
    )
    campaign = going.id
    took = until_safe(going.data, campaign, going.stop())
    assert took < 1.0
    assert going.wait(60.0) == 1
    assert f"polyloop resume {campaign}" in going.output.read_text()
    before = set(going.progress.trials)

    again = Launched(
        going.data, "resume", campaign, "--speed", SPEED, "--data", going.data
    )
    try:
        assert again.wait(240.0) == 0, again.output.read_text()
    finally:
        again.kill()
    progress = again.progress
    assert before <= set(progress.trials)
    assert len(progress.trials) == 2
    assert all(t.status is not TrialStatus.PROPOSED for t in progress.trials.values())
    assert not progress.in_flight
    # Whatever the stop cut short was not done again on the same film.
    spun = [
        e["sample"]
        for e in journal(going.data, campaign, "spin_coater")
        if e["event"] == "spun"
    ]
    assert len(spun) == len(set(spun))


@pytest.mark.usefixtures("shared_prefect")
def test_cancel_in_prefect_makes_everything_safe_within_a_second(
    going: Launched,
) -> None:
    going.until(
        lambda p: (
            any(a.step in ("anneal", "dwell") for a in p.acting.values())
            and last_heater_on(going.data, going.id) > 0
        )
    )
    campaign = going.id
    log = (going.data / "logs" / campaign / "flow.log").read_text()
    flow = json.loads(next(line for line in log.splitlines() if '"flow_run"' in line))
    server = flow["url"].split("/runs/")[0]
    asked = time.time()
    answer = httpx.post(
        f"{server}/api/flow_runs/{flow['flow_run']}/set_state",
        json={"state": {"type": "CANCELLING", "name": "Cancelling"}},
        trust_env=False,
    )
    assert answer.is_success
    assert until_safe(going.data, campaign, asked) < 1.0
    assert going.wait(60.0) == 1
