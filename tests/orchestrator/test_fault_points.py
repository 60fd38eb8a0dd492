"""A station service killed at every telling point: what its next life says is true.

The bench goes on meanwhile, as a lab does. What really happened is what the simulated
instruments' own journals say.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from instruments.plans.evidence import Outcome
from orchestrator.records import Step
from orchestrator.station.acts import ActRecord, ActState
from orchestrator.station.client import StationClient, StationError
from tests.conftest import HOUSE, RunningBench

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

LAB = HOUSE / "lab_configs" / "sim_bench" / "lab.yaml"
SPEED = 100.0
INK = {"liquid": "ink", "source": "shelf.1", "volume": 150.0}
STEPS = {
    "transfer": Step(
        *("transfer", "transfer", "arm", "chuck"),
        {"source": "rack.1", "target": "chuck"},
        30.0,
    ),
    "dispense": Step(
        *("ink", "dispense", "arm", "chuck"),
        {"target": "chuck", "portions": [INK]},
        40.0,
    ),
    "spin": Step(
        *("coat", "spin", "coater", "chuck"),
        {"speed": 3000.0, "acceleration": 1000.0, "duration": 45.0},
        60.0,
    ),
    "heat": Step(
        *("anneal", "heat", "anneal", "anneal"),
        {"temperature": 60.0, "duration": 600.0},
        900.0,
    ),
}


@dataclass
class Life:
    """One life of the station service."""

    process: subprocess.Popen[str]
    client: StationClient

    def do(self, action: str, operation: str) -> ActRecord:
        return self.client.do(
            action, STEPS[operation], owner="me", sample="s/rack.1", trial="t001"
        )


@pytest.fixture
def lives(
    start_bench: Callable[..., RunningBench], tmp_path: Path
) -> Iterator[tuple[RunningBench, Callable[[str], Life]]]:
    bench = start_bench(speed=SPEED)
    processes: list[subprocess.Popen[str]] = []
    clients: list[StationClient] = []

    def live(point: str) -> Life:
        module = "tests.orchestrator.dying_station" if point else "orchestrator.station"
        command = [sys.executable, "-m", module, *([point] if point else [])]
        command += ["--lab", str(LAB), "--data", str(tmp_path / "data")]
        command += ["--ports", str(bench.directory), "--speed", str(SPEED)]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            cwd=HOUSE,
            env={**os.environ, "POLYLOOP_STATION_KEY": "secret"},
        )
        processes.append(process)
        assert process.stdout is not None
        said = process.stdout.readline()
        assert "ready" in said, said
        life = Life(process, StationClient(json.loads(said)["ready"], "secret"))
        clients.append(life.client)
        return life

    yield bench, live
    for client in clients:
        client.close()
    for process in processes:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def death(life: Life) -> Iterator[None]:
    """Expect the service to die meanwhile."""
    with pytest.raises(StationError, match="does not answer"):
        yield
    assert life.process.wait(30.0) == -9


def events(bench: RunningBench, instrument: str, event: str) -> int:
    return sum(one["event"] == event for one in bench.journal(instrument))


def settle() -> None:
    """Let what the instruments were told come to its end."""
    time.sleep(6000.0 / 60.0 / SPEED + 0.5)


@pytest.mark.parametrize(
    ("moment", "state", "outcome", "gripped", "released"),
    [
        ("intended", ActState.ABORTED, None, 0, 0),
        ("sent", ActState.LOST, Outcome.DID_NOT, 0, 0),
        ("grip begun", ActState.LOST, Outcome.UNKNOWN, None, 0),
        ("grip over", ActState.LOST, Outcome.PARTLY, 1, 0),
        ("release begun", ActState.LOST, Outcome.UNKNOWN, 1, None),
        ("done", ActState.LOST, Outcome.HAPPENED, 1, 1),
    ],
)
def test_what_is_said_of_a_transfer_is_what_the_gripper_did(
    lives: tuple[RunningBench, Callable[[str], Life]],
    moment: str,
    state: ActState,
    outcome: Outcome | None,
    gripped: int | None,
    released: int | None,
) -> None:
    bench, live = lives
    life = live(f"a.1 {moment}")
    with death(life):
        life.do("a.1", "transfer")
    settle()
    record = live("").client.find("a.1")
    assert record is not None
    assert record.state is state
    assert (record.verdict and record.verdict.outcome) == outcome
    for event, count in (("gripped", gripped), ("released", released)):
        # None: between the mark and the byte nobody but a person can tell.
        assert count is None or events(bench, "gantry", event) == count
    assert not events(bench, "gantry", "dropped")


@pytest.mark.parametrize(
    ("moment", "outcome", "poured"),
    [
        ("sent", Outcome.DID_NOT, 0),
        ("deliver begun", Outcome.DID_NOT, 0),
        ("deliver over", Outcome.HAPPENED, 1),
    ],
)
def test_what_is_said_of_a_dispense_is_what_the_pump_delivered(
    lives: tuple[RunningBench, Callable[[str], Life]],
    moment: str,
    outcome: Outcome,
    poured: int,
) -> None:
    bench, live = lives
    life = live(f"a.2 {moment}")
    assert life.do("a.1", "transfer").state is ActState.DONE
    with death(life):
        life.do("a.2", "dispense")
    settle()
    record = live("").client.find("a.2")
    assert record is not None
    assert record.verdict is not None
    assert record.verdict.outcome is outcome
    assert events(bench, "pump", "poured") == poured
    assert not events(bench, "pump", "spilled")


def test_a_chuck_whose_computer_died_stops_and_says_how_long_it_spun(
    lives: tuple[RunningBench, Callable[[str], Life]],
) -> None:
    bench, live = lives
    life = live("a.2 spin begun")
    assert life.do("a.1", "transfer").state is ActState.DONE
    with death(life):
        life.do("a.2", "spin")
    again = live("")
    record = again.client.find("a.2")
    assert record is not None
    assert record.verdict is not None
    assert record.verdict.outcome is Outcome.DID_NOT
    assert not events(bench, "spin_coater", "spinning")

    def spin() -> None:
        with pytest.raises(StationError):
            again.do("a.3", "spin")

    going = threading.Thread(target=spin)
    going.start()
    while not events(bench, "spin_coater", "spinning"):
        time.sleep(0.01)
    time.sleep(0.1)  # 10 s on the bench
    again.process.kill()
    going.join(30.0)
    deadline = time.monotonic() + 60.0
    while not events(bench, "spin_coater", "rest"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert events(bench, "spin_coater", "watchdog") == 1
    record = live("").client.find("a.3")
    assert record is not None
    assert record.verdict is not None
    # The watchdog may have needed longer than was left of the spin on this machine.
    assert record.verdict.outcome in (Outcome.PARTLY, Outcome.HAPPENED)
    assert record.verdict.seconds is not None
    spun = sum(
        one["seconds"] for one in bench.journal("spin_coater") if one["event"] == "spun"
    )
    assert record.verdict.seconds == pytest.approx(spun, rel=0.2, abs=5.0)
