"""A campaign whose ledger is in PostgreSQL, and whose server goes away meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.benches.short import shorten
from orchestrator.campaign import Progress
from tests.end_to_end.launched import (
    CAMPAIGN,
    SPEED,
    Launched,
    check_nothing_lost,
    polyloop,
)
from tests.postgres import PostgreSql, postgresql

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
AWAY = 8.0
"""Real seconds that the server is away."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgreSql]:
    monkeypatch.delenv("POLYLOOP_LEDGER", raising=False)
    with postgresql() as one:
        yield one


def annealing(progress: Progress) -> bool:
    return any(act.step in ("anneal", "dwell") for act in progress.acting.values())


@pytest.mark.usefixtures("shared_prefect")
def test_a_server_that_goes_away_loses_and_doubles_nothing(
    tmp_path: Path, server: PostgreSql
) -> None:
    data = tmp_path / "data"
    files = tmp_path / "files"
    campaign = shorten(CAMPAIGN, files, trials=3, seed=1, unanswered="discard")
    arguments = ("--speed", "100", "--data", data, "--ledger", server.url)
    going = Launched(data, "run", campaign, *arguments)
    try:
        going.until(annealing, 300.0)
        before = going.events
        server.stop()
        time.sleep(AWAY)
        assert going.process.poll() is None, going.output.read_text()
        server.start()
        assert going.events[: len(before)] == before
        going.until(lambda progress: progress.seq > before[-1].seq)
        going.interrupt()  # drained: two of three trials are made
        assert going.wait(500.0) == 1, going.output.read_text()
    finally:
        going.kill()
    name = going.id
    assert not (data / "ledger.db").exists()

    answer = polyloop("status", "--data", data)
    assert answer.returncode == 0, answer.stderr
    assert f"{name}: 2 trials" in answer.stdout
    again = Launched(data, "resume", name, "--speed", SPEED, "--data", data)
    try:
        assert again.wait(500.0) == 0, again.output.read_text()
    finally:
        again.kill()
    check_nothing_lost(again, 3)
    seqs = [event.seq for event in again.events]
    assert seqs == sorted(set(seqs))
    for command in (
        ("status",),
        ("report", name),
        ("export", name, "--to", tmp_path / "campaign.csv"),
    ):
        answer = polyloop(*command, "--data", data)
        assert answer.returncode == 0, answer.stderr
    rows = (tmp_path / "campaign.csv").read_text().splitlines()
    assert len(rows) == 4
