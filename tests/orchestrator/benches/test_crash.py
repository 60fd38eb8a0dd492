from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.benches import cli, victims
from orchestrator.benches.accounting import Finding, Wrong
from orchestrator.benches.crash import Kill, Settings, Tally, under_way
from orchestrator.benches.short import shorten
from orchestrator.benches.victims import Victim
from orchestrator.config.read_campaign import load_campaign
from orchestrator.errors import CampaignFailed
from tests.orchestrator.benches.journals import Book

ROOT = Path(__file__).parents[3]
CAMPAIGN = ROOT / "lab_configs" / "pedot_pss" / "campaign.yaml"
SLEEP = "import time; time.sleep(60)"
FAMILY = f"""
import subprocess, sys, time
sleep = [sys.executable, "-c", {SLEEP!r}]
subprocess.Popen([*sleep, "orchestrator.station"])
subprocess.Popen([*sleep, "orchestrator.archive.uploader"])
runner = "import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEP!r}])"
subprocess.Popen([sys.executable, "-c", runner, "orchestrator.flows.runner"])
time.sleep(60)
"""


@pytest.fixture
def launcher() -> Iterator[int]:
    """Return a process whose children look like those of a launcher."""
    process = subprocess.Popen([sys.executable, "-c", FAMILY])
    try:
        while len(victims.family(process.pid)) < 5:
            assert process.poll() is None
            time.sleep(0.02)
        yield process.pid
    finally:
        victims.kill([one.pid for one in victims.family(process.pid)])
        process.wait()


def test_each_victim_is_found_by_what_it_was_started_as(launcher: int) -> None:
    family = {one.pid: one for one in victims.family(launcher)}
    (station,) = victims.find(Victim.STATION, launcher)
    assert "orchestrator.station" in family[station].command
    (runner,) = victims.find(Victim.RUNNER, launcher)
    (flow,) = victims.find(Victim.FLOW, launcher)
    assert family[flow].parent == runner
    assert victims.find(Victim.LAUNCHER, launcher) == [launcher]
    assert set(victims.find(Victim.POWER, launcher)) == set(family)
    assert victims.find(Victim.PREFECT, launcher) == []
    (uploader,) = victims.uploaders(launcher)
    assert "orchestrator.archive.uploader" in family[uploader].command


def test_what_is_killed_is_gone(launcher: int) -> None:
    station = victims.find(Victim.STATION, launcher)
    victims.kill(station)
    while victims.alive(station):
        time.sleep(0.02)
    assert victims.find(Victim.STATION, launcher) == []
    victims.kill(station)  # it has gone already


def test_a_short_campaign_is_one_that_polyloop_accepts(tmp_path: Path) -> None:
    made = shorten(CAMPAIGN, tmp_path, trials=3, seed=5, unanswered="discard")
    campaign = load_campaign(made, check_drivers=False)
    assert campaign.planner.name == "random"
    assert campaign.budget.trials == 3
    assert campaign.lab.bench is not None
    assert campaign.lab.bench.is_relative_to(tmp_path)
    dwell = next(one for one in campaign.space.reals if one.name == "dwell")
    assert dwell.high == 60.0


def test_a_kill_is_known_by_the_acts_of_this_life_alone() -> None:
    book = Book()
    assert under_way(book.events) == ("between acts",)
    book.carry("chuck", ledger="")
    assert under_way(book.events) == ("transfer",)
    book.event("campaign.resumed", "", speed=1.0)
    assert under_way(book.events) == ("starting",)
    book.ink(150.0, ledger="")
    assert under_way(book.events) == ("dispense",)


@pytest.mark.parametrize("wrong", [None, *Wrong])
def test_anything_wrong_ends_with_1_and_is_printed(
    wrong: Wrong | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kill = Kill(Victim.FLOW, ("spin",), "c", 1.0)
    findings = (
        [Finding(wrong, "c", "c/rack.1", "c.t001.003", "it was")] if wrong else []
    )
    tally = Tally(kills=[kill], findings=findings, campaigns=1, seconds=1.0)
    asked: list[Settings] = []

    def crash(settings: Settings, _tell: object) -> Tally:
        asked.append(settings)
        return tally

    monkeypatch.setattr("orchestrator.benches.crash.crash", crash)
    if wrong is None:
        cli.crash(kills=1, seed=3, campaign=CAMPAIGN, keep=tmp_path)
    else:
        with pytest.raises(CampaignFailed, match="1 "):
            cli.crash(kills=1, seed=3, campaign=CAMPAIGN, keep=tmp_path)
        assert "c.t001.003: it was" in capsys.readouterr().out
    assert (asked[0].kills, asked[0].seed) == (1, 3)
