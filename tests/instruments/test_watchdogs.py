"""A computer that dies leaves a cold plate and a still chuck."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from instruments.clock import Clock
from instruments.errors import Fault
from instruments.ika_hotplate import Hotplate, HotplateSettings
from instruments.keeper import Keeper
from instruments.odrive_spin_coater import SpinCoater, SpinCoaterSettings
from instruments.orders import Spin
from tests.instruments.cable import Cable, saying
from tests.instruments.conftest import ROOT, SPEED, BenchOnPtys
from tests.instruments.test_transcripts import settles

HEATS = """
import sys, threading
from instruments.clock import Clock
from instruments.ika_hotplate import Hotplate, HotplateSettings
plate = Hotplate("plate", port=sys.argv[1],
    settings=HotplateSettings("C-MAG HS7", 200.0), clock=Clock(float(sys.argv[2])))
plate.connect(); plate.prepare(); plate.temperature.set(150.0)
threading.Event().wait()
"""
SPINS = """
import sys, threading
from instruments.clock import Clock
from instruments.odrive_spin_coater import SpinCoater, SpinCoaterSettings
from instruments.orders import Spin
chuck = SpinCoater("chuck", port=sys.argv[1],
    settings=SpinCoaterSettings(8000.0), clock=Clock(float(sys.argv[2])))
chuck.connect(); chuck.prepare(); chuck.spin.set(Spin(1500.0, 3000.0, 3600.0))
threading.Event().wait()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "program", "begun", "ended"),
    [
        ("anneal_plate", HEATS, "heater on", ["watchdog 1", "heater off"]),
        ("spin_coater", SPINS, "spinning", ["watchdog", "rest"]),
    ],
)
def test_a_process_that_is_killed_is_ended_by_the_watchdog(
    bench: BenchOnPtys, name: str, program: str, begun: str, ended: list[str]
) -> None:
    def events() -> list[str]:
        path = bench.directory / "journal" / f"{name}.jsonl"
        if not path.exists():
            return []
        return [str(line["event"]) for line in bench.journal(name)]

    words = [sys.executable, "-c", program, bench.port(name), str(SPEED)]
    with subprocess.Popen(words, cwd=ROOT) as process:
        try:
            assert settles(lambda: begun in events()[-1:], within=20.0)
        finally:
            process.kill()
    assert settles(
        lambda: [one for one in events() if one in (*ended, begun)][-2:] == ended,
        within=20.0,
    )


@pytest.mark.slow
def test_a_plate_in_er_2_is_prepared_and_heats_again(bench: BenchOnPtys) -> None:
    plate = Hotplate(
        "plate",
        port=bench.port("anneal_plate"),
        settings=HotplateSettings("C-MAG HS7", 200.0),
        clock=Clock(SPEED),
    )
    plate.connect()
    plate.prepare()
    plate.temperature.set(45.0).wait(timeout=20)
    plate.stop()
    last = len(bench.journal("anneal_plate"))
    assert settles(
        lambda: (
            "watchdog 1" in [e["event"] for e in bench.journal("anneal_plate")][-1:]
        ),
        within=20.0,
    )
    assert len(bench.journal("anneal_plate")) >= last
    plate.prepare()
    plate.temperature.set(60.0).wait(timeout=20)
    plate.stop()
    plate.disconnect()


@pytest.mark.slow
def test_the_heater_stays_on_between_two_runs_while_the_process_lives(
    bench: BenchOnPtys, tmp_path: Path
) -> None:
    with Cable(bench.port("anneal_plate"), tmp_path / "plate") as cable:
        plate = Hotplate(
            "plate",
            port=str(cable.path),
            settings=HotplateSettings("C-MAG HS7", 200.0),
            clock=Clock(SPEED),
        )
        plate.connect()
        plate.prepare()
        plate.temperature.set(50.0).wait(timeout=20)
        fed = cable.heard.count(b"OUT_WD1@300")
        assert settles(
            lambda: cable.heard.count(b"OUT_WD1@300") >= fed + 4, within=20.0
        )
        assert bench.journal("anneal_plate")[-1]["event"] == "heater on"
        plate.stop()
        fed = cable.heard.count(b"OUT_WD1@300")
        assert settles(
            lambda: bench.journal("anneal_plate")[-1]["event"] == "watchdog 1",
            within=20.0,
        )
        assert cable.heard.count(b"OUT_WD1@300") == fed
        plate.disconnect()


def test_a_bite_in_mid_spin_is_a_fault_with_its_name(
    bench: BenchOnPtys, tmp_path: Path
) -> None:
    with Cable(bench.port("spin_coater"), tmp_path / "chuck") as cable:
        chuck: Any = SpinCoater(
            "chuck",
            port=str(cable.path),
            settings=SpinCoaterSettings(8000.0),
            clock=Clock(SPEED),
        )
        chuck.connect()
        chuck.prepare()
        cable.spoil(b"axis0.current_state", saying(b"8*56\r\n"))
        cable.spoil(b"axis0.current_state", saying(b"1*49\r\n"), times=2)
        cable.spoil(b"axis0.error", saying(b"0*48\r\n"))
        cable.spoil(b"axis0.error", saying(b"2048*14\r\n"), times=2)
        with pytest.raises(Fault, match=r"axis0.error 0x800 \(watchdog\)"):
            chuck.spin.set(Spin(1500, 3000, 600)).wait(timeout=20)
        chuck.disconnect()


def test_a_bench_too_fast_for_the_watchdog_is_told_of_once(
    bench: BenchOnPtys, caplog: pytest.LogCaptureFixture
) -> None:
    plate = Hotplate(
        "plate",
        port=bench.port("anneal_plate"),
        settings=HotplateSettings("C-MAG HS7", 200.0),
        clock=Clock(2000.0),
    )
    with caplog.at_level(logging.WARNING):
        plate.connect()
        plate.prepare()
        plate.reconnect()
    plate.disconnect()
    told = [one for one in caplog.messages if "watchdog is not armed" in one]
    assert len(told) == 1
    assert "would need 3000 s, and has at most 1500 s" in told[0]


def test_a_feeding_that_fails_is_told_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    times: list[int] = []

    def feed() -> None:
        times.append(1)
        if len(times) == 2:
            raise Fault("plate: no echo")

    keeper = Keeper("plate", feed)
    keeper.keep(0.005)
    assert settles(lambda: len(times) >= 4)
    keeper.end()
    keeper.end()
    assert "plate: its watchdog was not fed: plate: no echo" in caplog.messages
