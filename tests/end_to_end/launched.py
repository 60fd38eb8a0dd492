"""A `polyloop` command in a process of its own, and what it left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.campaign import Progress
from orchestrator.fold import fold
from orchestrator.ledger import Event, Ledger
from orchestrator.station.acts import ActLedger

ROOT = Path(__file__).parents[2]
CAMPAIGN = ROOT / "lab_configs" / "pedot_pss" / "campaign.yaml"
SPEED = "400"
LEDGERS = ("ledger.db", "ledger.url")


def polyloop(
    *arguments: str | Path, timeout: float = 200.0
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "COLUMNS": "160"},
    )


class Launched:
    """A campaign under way."""

    def __init__(self, data: Path, *arguments: str | Path) -> None:
        self.data = data
        self.output = data.parent / f"{data.name}.out"
        self._file = self.output.open("a")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator.cli", *map(str, arguments)],
            cwd=ROOT,
            stdout=self._file,
            stderr=subprocess.STDOUT,
        )

    @property
    def begun(self) -> bool:
        return any((self.data / name).exists() for name in LEDGERS)

    @property
    def events(self) -> list[Event]:
        if not self.begun:
            return []
        ledger = Ledger.of(self.data)
        try:
            names = ledger.campaigns()
            return ledger.events(names[-1]) if names else []
        finally:
            ledger.close()

    @property
    def progress(self) -> Progress:
        return fold(self.events)

    @property
    def id(self) -> str:
        return self.events[0].campaign

    def until(self, what: Callable[[Progress], bool], timeout: float = 120.0) -> None:
        """Wait until the ledger says so."""
        deadline = time.monotonic() + timeout
        with ExitStack() as stack:
            ledger: Ledger | None = None
            progress = Progress()
            while True:
                if ledger is None and self.begun:
                    ledger = stack.enter_context(closing(Ledger.of(self.data)))
                for name in ledger.campaigns()[-1:] if ledger else ():
                    fresh = ledger.events(name, after=progress.seq) if ledger else []
                    progress = fold(fresh, progress)
                if what(progress):
                    return
                assert self.process.poll() is None, self.output.read_text()
                assert time.monotonic() < deadline, self.output.read_text()
                time.sleep(0.05)

    def interrupt(self) -> None:
        """Press Ctrl-C; the campaign drains."""
        self.process.send_signal(signal.SIGINT)
        self.until(lambda progress: progress.held == "draining")

    def stop(self) -> float:
        """Press Ctrl-C twice; return when it was to stop, in Unix seconds."""
        self.interrupt()
        now = time.time()
        self.process.send_signal(signal.SIGINT)
        return now

    def wait(self, timeout: float = 120.0) -> int:
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            asked = [one.text for one in self.progress.questions.values()]
            pytest.fail(f"not over, open questions {asked}: {self.output.read_text()}")
        self._file.close()
        return code

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._file.close()


def check_nothing_lost(going: Launched, trials: int) -> None:
    """Hold ledger and act ledger against each other: every act once, all trials ended."""
    progress = going.progress
    assert progress.good
    assert len(progress.trials) == trials
    assert not progress.in_flight
    assert not progress.acting
    assert not progress.strays
    events = going.events
    intended = Counter(e.data["action"] for e in events if e.kind == "step.intended")
    over = Counter(
        e.data["action"] for e in events if e.kind in ("step.done", "step.failed")
    )
    assert intended == over
    assert set(intended.values()) == {1}
    acts = ActLedger(going.data / "station" / "acts.db")
    try:
        assert {act.action for act in acts.all()} == set(intended)
    finally:
        acts.close()
    again = polyloop("replay", going.id, "--data", going.data)
    assert again.returncode == 0, again.stdout + again.stderr


def journal(data: Path, campaign: str, instrument: str) -> list[dict[str, Any]]:
    """Return what a simulated instrument itself wrote down."""
    path = data / "bench" / campaign / "journal" / f"{instrument}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def truth(data: Path, campaign: str) -> dict[str, dict[str, Any]]:
    """Return the last truth about each simulated sample; no part of polyloop reads it."""
    path = data / "bench" / campaign / "truth" / "samples.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {line["sample"]: line for line in lines}
