"""Prefect goes away in mid-campaign: the lab goes on, or drains, and nothing is lost."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from orchestrator.benches import victims
from orchestrator.benches.short import shorten
from orchestrator.benches.victims import Victim
from orchestrator.flows.loop import STANDING
from tests.end_to_end.launched import CAMPAIGN, Launched, check_nothing_lost
from tests.orchestrator.test_desk import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
AWAY = 10.0
"""Real seconds that a server of others is away."""


@pytest.fixture
def launched() -> Iterator[list[Launched]]:
    """Campaigns that were launched; ended whatever happens."""
    all_of_them: list[Launched] = []
    yield all_of_them
    for one in all_of_them:
        one.kill()


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    one = Server(tmp_path_factory.mktemp("elsewhere"))
    yield one
    one.end()


@pytest.fixture
def server(elsewhere: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A Prefect server of others, which the campaign is shown on."""
    monkeypatch.setenv("PREFECT_API_URL", elsewhere.api)
    return elsewhere


def short(folder: Path, trials: int) -> Path:
    return shorten(CAMPAIGN, folder, trials=trials, seed=1, unanswered="discard")


def flow_of(going: Launched) -> dict[str, str]:
    """Return the id of the flow run, and where it is shown."""
    log = (going.data / "logs" / going.id / "flow.log").read_text()
    said: dict[str, str] = json.loads(
        next(line for line in log.splitlines() if '"flow_run"' in line)
    )
    return said


def ended(going: Launched) -> int:
    """Return how many acts have ended well."""
    return sum(event.kind == "step.done" for event in going.events)


def answers(api: str) -> bool:
    try:
        answer = httpx.get(f"{api}/health", timeout=2.0, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.is_success


def controls(going: Launched) -> list[tuple[Any, ...]]:
    said = (one.data for one in going.events if one.kind == "control")
    return [(one["verb"], one["who"], one["via"]) for one in said]


def test_a_killed_server_of_our_own_is_started_again_and_shows_the_end(
    tmp_path: Path, launched: list[Launched]
) -> None:
    data = tmp_path / "data"
    file = short(tmp_path / "files", 3)
    going = Launched(data, "run", file, "--speed", "60", "--data", data)
    launched.append(going)
    going.until(lambda progress: bool(progress.trials), 300.0)
    flow = flow_of(going)
    api = f"{flow['url'].split('/runs/')[0]}/api"
    killed = victims.find(Victim.PREFECT, going.process.pid)
    assert killed
    before = ended(going)
    victims.kill(killed)
    deadline = time.monotonic() + 120.0
    while not answers(api):
        assert going.process.poll() is None, going.output.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert ended(going) > before
    assert victims.find(Victim.PREFECT, going.process.pid) != killed
    assert going.wait(500.0) == 0, going.output.read_text()
    check_nothing_lost(going, 3)
    with sqlite3.connect(data / "prefect" / "prefect.db") as database:
        query = "SELECT state_type FROM flow_run WHERE name = ?"
        assert database.execute(query, [going.id]).fetchall() == [("COMPLETED",)]


def test_while_a_server_of_others_is_away_the_lab_goes_on(
    tmp_path: Path, server: Server, launched: list[Launched]
) -> None:
    data = tmp_path / "data"
    file = short(tmp_path / "files", 3)
    going = Launched(data, "run", file, "--speed", "60", "--data", data)
    launched.append(going)
    going.until(lambda progress: bool(progress.trials), 300.0)
    server.kill()
    before = ended(going)
    time.sleep(AWAY)
    assert ended(going) > before
    server.come_back()
    assert going.wait(500.0) == 0, going.output.read_text()
    check_nothing_lost(going, 3)
    assert not controls(going)
    shown = httpx.get(f"{server.api}/flow_runs/{flow_of(going)['flow_run']}")
    assert shown.json()["state"]["type"] == "COMPLETED"


def test_a_campaign_that_wants_to_drains_and_goes_on_when_the_server_is_back(
    tmp_path: Path, server: Server, launched: list[Launched]
) -> None:
    file = short(tmp_path / "files", 4)
    text = yaml.safe_load(file.read_text()) | {"without_prefect": "drain"}
    file.write_text(yaml.safe_dump(text, sort_keys=False))
    data = tmp_path / "data"
    going = Launched(data, "run", file, "--speed", "200", "--data", data)
    launched.append(going)
    going.until(lambda progress: bool(progress.trials), 300.0)
    server.kill()
    going.until(lambda progress: progress.held == "draining")
    begun = len(going.progress.trials)
    going.until(lambda progress: not (progress.in_flight or progress.strays), 300.0)
    time.sleep(AWAY / 4)
    assert going.process.poll() is None, going.output.read_text()
    assert len(going.progress.trials) == begun < 4
    server.come_back()
    assert going.wait(500.0) == 0, going.output.read_text()
    check_nothing_lost(going, 4)
    assert controls(going) == [
        ("drain", "polyloop", "Prefect is away"),
        ("resume", "polyloop", "Prefect is away"),
    ]
    alerts = [e.data["about"] for e in going.events if e.kind == "alert"]
    assert alerts.count(STANDING) == 1  # however long it stands still
    shown = httpx.get(f"{server.api}/flow_runs/{flow_of(going)['flow_run']}")
    assert shown.json()["state"]["type"] == "COMPLETED"
