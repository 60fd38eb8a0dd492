"""Never spin without vacuum, never release it while the chuck turns: whoever asks."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from bluesky.utils import FailedStatus

from instruments.clock import Clock
from instruments.errors import (
    BadReply,
    Fault,
    LinkError,
    Rejected,
    Stopped,
    WrongModel,
)
from instruments.link import Link
from instruments.odrive_client import IDLE
from instruments.odrive_spin_coater import SpinCoater, SpinCoaterSettings
from instruments.orders import Spin
from instruments.plans.spin import spin
from instruments.relay import RelayClient, Vacuum, VacuumSettings
from tests.conftest import RunningBench
from tests.instruments.cable import Cable, dropped, garbled
from tests.instruments.conftest import ROOT, running
from tests.instruments.peer import Peer
from tests.instruments.test_transcripts import playing, settles
from tests.transcripts import sections

SPEED = 20.0
PAIRS = 12
"""Chucks with a vacuum on the bench: a sample that flew off is gone."""
TOLD = sections("relay")
LONG = Spin(3000.0, 3000.0, 600.0)
Run = Callable[[Any], list[tuple[str, dict[str, Any]]]]


# -- transcripts -------------------------------------------------------------------


def test_a_relay_is_switched_and_read_back() -> None:
    title = "A relay is closed and opened, and read back"
    with playing(TOLD[title], RelayClient) as client:
        for channel, closed, state in (
            (1, True, (True, False)),
            (2, True, (True, True)),
            (1, False, (False, True)),
            (2, False, (False, False)),
        ):
            client.switch(channel, closed=closed)
            assert client.closed() == state


@pytest.mark.parametrize(
    "answer",
    [
        b"CH1: OFF\r\nCH2: WHAT\r\n",
        b"CH2: OFF\r\n",
        b"CH1: ON \r\nCH1: ON \r\nCH2: ON \r\n",
    ],
)
def test_a_state_that_cannot_be_read_is_a_bad_reply(answer: bytes) -> None:
    with Peer(lambda came: answer if came else None) as peer:
        link = Link(peer.path, timeout=2.0, quiet=0.01)
        link.open()
        with pytest.raises(BadReply, match="FF answered"):
            RelayClient(link).closed()
        link.close()


def test_a_board_that_cannot_be_read_back_is_refused() -> None:
    with Peer() as peer:
        vacuum = Vacuum(
            "vacuum", port=peer.path, settings=VacuumSettings(), clock=Clock()
        )
        vacuum.link.timeout = vacuum.link.quiet = 0.05
        with pytest.raises(
            WrongModel, match="what cannot be read back holds no sample"
        ):
            vacuum.connect()
        vacuum.disconnect()


def test_a_relay_that_sticks_is_a_fault() -> None:
    def stuck(came: bytes) -> bytes | None:
        return b"CH1: OFF\r\nCH2: OFF\r\n" if came.endswith(b"\xff") else None

    with Peer(stuck) as peer:
        vacuum = Vacuum(
            "vacuum", port=peer.path, settings=VacuumSettings(), clock=Clock()
        )
        vacuum.connect()
        vacuum.prepare()
        with pytest.raises(Fault, match="told 3 times to be closed, and is not"):
            vacuum.suction.set("on").wait(timeout=10)
        vacuum.disconnect()


def test_a_channel_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="channel 3 is not 1 or 2"):
        VacuumSettings(channel=3)


# -- the interlock -----------------------------------------------------------------


@dataclass
class Chuck:
    """A chuck with its vacuum, and with a sample on it."""

    bench: RunningBench
    number: int
    coater: SpinCoater
    vacuum: Vacuum
    cable: Cable

    def events(self) -> list[str]:
        """What both did, in the order of bench time."""
        lines = [
            (line["t"], line["event"])
            for name in (f"vacuum{self.number}", f"coater{self.number}")
            for line in self.bench.journal(name)
        ]
        return [event for _, event in sorted(lines, key=lambda one: one[0])]

    def told(self, *known: str) -> list[str]:
        return [event for event in self.events() if event in known]

    def spinning(self) -> bool:
        return self.coater.client.estimates()[1] > 5.0

    def state(self, instrument: str, command: str, after: int) -> None:
        """Have the instrument break at one of its messages from now on."""
        rule = {
            "instrument": f"{instrument}{self.number}",
            "kind": "device_fault",
            "command": command,
            "after": after,
        }
        path = self.bench.directory / "faults.json"
        path.with_suffix(".new").write_text(json.dumps([rule]))
        path.with_suffix(".new").replace(path)
        assert settles(lambda: "faults stated" in self.events())


def on_bench(number: int) -> dict[str, dict[str, Any]]:
    return {
        f"vacuum{number}": {
            "panel": "relay",
            "port": f"ports/vacuum{number}",
            "vacuum": {1: f"chuck{number}"},
        },
        f"coater{number}": {
            "panel": "odrive",
            "port": f"ports/coater{number}",
            "slot": f"chuck{number}",
        },
    }


@pytest.fixture(scope="module")
def chucks(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RunningBench, Iterator[int]]]:
    directory = tmp_path_factory.mktemp("chucks")
    spec = yaml.safe_load(
        (ROOT / "lab_configs" / "sim_bench" / "bench.yaml").read_text()
    )
    numbers = range(1, PAIRS + 1)
    spec = {
        "chemistry": spec["chemistry"],
        "slots": {
            f"chuck{one}": {"at": [-30.0 * one, -60.0, -80.0], "substrates": 1}
            for one in numbers
        },
        "instruments": {k: v for one in numbers for k, v in on_bench(one).items()},
    }
    file = directory / "bench.yaml"
    file.write_text(yaml.safe_dump(spec))
    with running(file, directory, SPEED) as bench:
        yield bench, iter(numbers)


@pytest.fixture
def chuck(
    chucks: tuple[RunningBench, Iterator[int]], tmp_path: Path
) -> Iterator[Chuck]:
    bench, numbers = chucks
    number = next(numbers)
    clock = Clock(SPEED)
    with ExitStack() as stack:
        cable = stack.enter_context(
            Cable(bench.port(f"vacuum{number}"), tmp_path / "cable")
        )
        vacuum = Vacuum(
            "vacuum", port=str(cable.path), settings=VacuumSettings(), clock=clock
        )
        coater = SpinCoater(
            "coater",
            port=bench.port(f"coater{number}"),
            settings=SpinCoaterSettings(8000.0, watchdog=0.0),
            clock=clock,
        )
        coater.link.timeout = 2.0  # a busy computer is no bad cable
        station: dict[str, Any] = {"spin_coater": coater, "vacuum": vacuum}
        for device in station.values():
            stack.callback(device.disconnect)
            device.meet(station)
            device.connect()
        for device in station.values():
            device.prepare()
        yield Chuck(bench, number, coater, vacuum, cable)


def test_a_plan_holds_spins_and_releases_at_rest(chuck: Chuck, run: Run) -> None:
    plan = spin(
        chuck.coater, chuck.vacuum, speed=1500.0, acceleration=3000.0, duration=10.0
    )
    documents = run(plan)
    assert chuck.told("closed", "opened", "spinning", "rest", "flew off") == [
        "closed", "spinning", "rest", "opened",
    ]  # fmt: skip
    journal = chuck.bench.journal(f"coater{chuck.number}")
    (spun,) = (line for line in journal if line["event"] == "spun")
    assert spun["sample"] == f"chuck{chuck.number}"
    assert any(name == "event" for name, _ in documents)
    assert chuck.vacuum.suction.get() == "off"


def test_nothing_is_spun_that_is_not_held(chuck: Chuck) -> None:
    with pytest.raises(Rejected, match="no vacuum: vacuum says that suction is off"):
        chuck.coater.spin.set(Spin(600.0, 1000.0, 5.0))
    assert chuck.told("spinning", "flew off") == []


def test_vacuum_is_not_released_while_the_chuck_turns(chuck: Chuck) -> None:
    chuck.vacuum.suction.set("on").wait(timeout=10)
    status = chuck.coater.spin.set(LONG)
    assert settles(chuck.spinning)
    with pytest.raises(Rejected, match="the chuck is not at rest"):
        chuck.vacuum.suction.set("off")
    chuck.coater.stop()
    with pytest.raises(Stopped):
        status.wait(timeout=5)
    assert chuck.told("opened", "flew off") == []


def test_a_stop_leaves_it_held_and_preparing_waits_for_rest(chuck: Chuck) -> None:
    chuck.vacuum.suction.set("on").wait(timeout=10)
    status = chuck.coater.spin.set(LONG)
    assert settles(chuck.spinning)
    for device in (chuck.vacuum, chuck.coater, chuck.vacuum, chuck.coater):
        device.stop()
    with pytest.raises(Stopped):
        status.wait(timeout=5)
    assert chuck.vacuum.holds()
    assert chuck.spinning()
    with pytest.raises(Rejected, match="prepare it"):
        chuck.vacuum.suction.set("off", patient=True)
    chuck.vacuum.prepare()
    assert chuck.told("spinning", "rest", "opened", "flew off") == [
        "spinning", "rest", "opened",
    ]  # fmt: skip


def test_a_release_waits_for_a_chuck_that_is_being_prepared(chuck: Chuck) -> None:
    """A service that starts after a crash prepares both at once, with a sample held."""
    chuck.coater.link.tell(b"sr\n")  # it starts anew and must be calibrated
    preparing = threading.Thread(target=chuck.coater.prepare)
    preparing.start()
    assert settles(lambda: chuck.coater.client.state() != IDLE)
    with chuck.coater.kept_at_rest():
        assert chuck.coater.client.state() == IDLE
    preparing.join(timeout=10)
    assert not chuck.coater.stopped


def test_a_release_and_a_spin_at_once_lose_no_sample(chuck: Chuck) -> None:
    def release() -> None:
        with contextlib.suppress(Rejected):
            chuck.vacuum.suction.set("off").wait(timeout=10)

    for _ in range(5):
        chuck.vacuum.suction.set("on").wait(timeout=10)
        releasing = threading.Thread(target=release)
        releasing.start()
        with contextlib.suppress(Rejected):
            chuck.coater.spin.set(Spin(600.0, 3000.0, 2.0)).wait(timeout=20)
        releasing.join(timeout=10)
        for device in (chuck.coater, chuck.vacuum):
            device.prepare()
    assert chuck.told("flew off") == []


def test_a_plan_whose_motor_fails_releases_when_the_chuck_has_run_out(
    chuck: Chuck, run: Run
) -> None:
    chuck.state("coater", "f 0", after=40)
    with pytest.raises(FailedStatus) as failed:
        run(
            spin(
                chuck.coater,
                chuck.vacuum,
                speed=3000.0,
                acceleration=3000.0,
                duration=600.0,
            )
        )
    assert "driver fault" in str(failed.value.__cause__)
    assert chuck.told("spinning", "driver fault", "rest", "opened", "flew off") == [
        "spinning", "driver fault", "rest", "opened",
    ]  # fmt: skip


def test_a_spin_ends_when_the_vacuum_is_lost(chuck: Chuck) -> None:
    chuck.vacuum.suction.set("on").wait(timeout=10)
    chuck.state("vacuum", "status", after=30)
    with pytest.raises(Fault, match=r"no vacuum: .* in mid-spin"):
        chuck.coater.spin.set(LONG).wait(timeout=20)
    assert chuck.coater.stopped
    assert chuck.told("flew off") == ["flew off"]  # a bench is as bad as life


def test_a_spin_ends_when_the_board_cannot_be_asked(chuck: Chuck) -> None:
    chuck.vacuum.suction.set("on").wait(timeout=10)
    status = chuck.coater.spin.set(LONG)
    assert settles(chuck.spinning)
    chuck.cable.unplug()
    with pytest.raises(LinkError):
        status.wait(timeout=20)
    assert chuck.told("opened", "flew off") == []
    with pytest.raises(LinkError):
        chuck.coater.spin.set(LONG)
    chuck.cable.plug()
    for device in (chuck.coater, chuck.vacuum):
        device.prepare()
    assert chuck.told("rest", "opened", "flew off") == ["rest", "opened"]


@pytest.mark.parametrize("how", [dropped, garbled])
def test_a_lost_answer_or_switch_changes_nothing(chuck: Chuck, how: Any) -> None:
    chuck.cable.spoil(b"\xff", how, times=2)
    chuck.vacuum.suction.set("on").wait(timeout=10)
    chuck.cable.swallow(b"\xa0\x01\x00")
    chuck.vacuum.suction.set("off").wait(timeout=10)
    assert chuck.told("closed", "opened") == ["closed", "opened"]


def test_a_chuck_without_a_vacuum_at_its_station_spins_as_before(
    chuck: Chuck, run: Run
) -> None:
    chuck.coater.meet({"spin_coater": chuck.coater})
    run(spin(chuck.coater, speed=600.0, acceleration=3000.0, duration=5.0))
    # The station has none, the bench has: nobody held the sample.
    assert chuck.told("spinning", "flew off", "rest") == [
        "spinning",
        "flew off",
        "rest",
    ]


def test_a_value_that_is_no_state_is_refused() -> None:
    vacuum = Vacuum(
        "vacuum", port="/dev/nowhere", settings=VacuumSettings(), clock=Clock()
    )
    with pytest.raises(Rejected, match="'ajar' is not on or off"):
        vacuum.suction.set("ajar")
    with pytest.raises(LinkError, match="/dev/nowhere"):
        vacuum.connect()
    vacuum.stop()
    assert vacuum.describe()["vacuum_suction"]["units"] == ""
