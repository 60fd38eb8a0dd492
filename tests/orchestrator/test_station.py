"""The station service on a real simulated bench: real HTTP, real ports."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orchestrator.records import Step
from orchestrator.station.acts import ActLedger, ActRecord, ActState, FaultClass
from orchestrator.station.client import StationClient, StationError
from tests.conftest import HOUSE, RunningBench

LAB = HOUSE / "lab_configs" / "sim_bench" / "lab.yaml"
CARRY = Step(
    "transfer",
    "transfer",
    "arm",
    "chuck",
    {"source": "rack.1", "target": "chuck"},
    30.0,
)
ANNEAL = Step(
    "anneal",
    "heat",
    "anneal",
    "anneal",
    {"temperature": 120.0, "duration": 3600.0},
    3600.0,
)


def test_an_act_is_known_from_before_it_begins_until_after_it_ended(
    tmp_path: Path,
) -> None:
    acts = ActLedger(tmp_path / "acts.db")
    act = acts.intend(ActRecord("a.1", "me", "arm", "spin", "coat", "s", "t001"))
    begun = ActLedger(tmp_path / "acts.db").find("a.1")
    assert begun is not None
    assert not begun.over
    acts.update(act, state=ActState.DONE, run_uid="u")
    again = ActLedger(tmp_path / "acts.db").find("a.1")
    assert again is not None
    assert (again.state, again.run_uid, again.over) == (ActState.DONE, "u", True)


@dataclass
class Service:
    """A station service in a process of its own."""

    bench: RunningBench
    client: StationClient
    address: str
    process: subprocess.Popen[str]

    def until_hot(self) -> None:
        deadline = time.monotonic() + 10.0
        while not any(
            e["event"] == "heater on" for e in self.bench.journal("anneal_plate")
        ):
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def do(self, action: str, step: Step, owner: str = "me") -> ActRecord:
        return self.client.do(
            action, step, owner=owner, sample="s/rack.1", trial="t001"
        )

    def gripped(self) -> int:
        return sum(e["event"] == "gripped" for e in self.bench.journal("gantry"))


@pytest.fixture
def service(
    start_bench: Callable[..., RunningBench], tmp_path: Path
) -> Iterator[Service]:
    bench = start_bench(speed=200)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "orchestrator.station", "--lab", str(LAB)),
            *("--data", str(tmp_path / "data"), "--ports", str(bench.directory)),
            *("--speed", "200"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=HOUSE,
        env={**os.environ, "POLYLOOP_STATION_KEY": "secret"},
    )
    assert process.stdout is not None
    address = json.loads(process.stdout.readline())["ready"]
    client = StationClient(address, "secret")
    yield Service(bench, client, address, process)
    client.close()
    process.terminate()
    process.wait(10)
    process.stdout.close()


@pytest.mark.slow
def test_a_repeated_action_id_is_answered_and_not_repeated(service: Service) -> None:
    first = service.do("a.1", CARRY)
    assert first.state is ActState.DONE
    assert first.events == 2
    assert service.do("a.1", CARRY) == first
    assert service.gripped() == 1
    names = [name for name, _ in service.client.documents(first.run_uid)]
    assert (names[0], names[-1]) == ("start", "stop")


@pytest.mark.slow
def test_what_is_beyond_a_limit_is_refused_before_anything_moves(
    service: Service,
) -> None:
    for action, value, rule in (
        ("a.1", 500.0, "180 °C"),
        ("a.2", "nan", "must be a number"),
        ("a.3", -300.0, "180 °C"),
    ):
        hot = replace(ANNEAL, parameters={"temperature": value, "duration": 1.0})
        refused = service.do(action, hot)
        assert (refused.state, refused.fault) == (ActState.FAILED, FaultClass.REJECTED)
        assert "temperature" in refused.reason
        assert rule in refused.reason
    assert service.client.find("a.1") is None
    assert not service.bench.journal("anneal_plate")


@pytest.mark.slow
def test_a_wrong_key_is_refused(service: Service) -> None:
    stranger = StationClient(service.address, "guess")
    with pytest.raises(StationError, match="key is wrong"):
        stranger.state()
    stranger.close()


@pytest.mark.slow
def test_abort_stops_the_act_at_once_and_the_owner_may_begin_nothing_more(
    service: Service,
) -> None:
    ended: list[ActRecord] = []
    going = threading.Thread(target=lambda: ended.append(service.do("a.1", ANNEAL)))
    going.start()
    service.until_hot()
    service.client.abort("me", "a test")
    going.join(10.0)
    assert ended[0].state is ActState.ABORTED
    assert ended[0].reason == "a test"
    assert service.bench.journal("anneal_plate")[-1]["event"] == "heater off"
    with pytest.raises(StationError, match="me was aborted"):
        service.do("a.2", CARRY)
    assert service.do("b.1", CARRY, owner="somebody else").state is ActState.DONE


@pytest.mark.slow
def test_everybody_answers_who_they_are(service: Service) -> None:
    state = service.client.state()
    assert state["instruments"]["source_meter"]["model"].endswith("2400")
    assert not any(station["busy"] for station in state["stations"].values())


@pytest.mark.slow
def test_a_service_that_is_told_to_end_leaves_a_cold_plate(service: Service) -> None:
    def anneal() -> None:
        with contextlib.suppress(StationError):
            service.do("a.1", ANNEAL)

    going = threading.Thread(target=anneal)
    going.start()
    service.until_hot()
    service.process.terminate()
    assert service.process.wait(10.0) is not None
    going.join(10.0)
    assert service.bench.journal("anneal_plate")[-1]["event"] == "heater off"
