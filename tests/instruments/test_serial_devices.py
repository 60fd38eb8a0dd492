"""Oven, circulator and balance on a bench, as plans and stations use them."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from instruments import eurotherm_3216, julabo, mettler_balance
from instruments.clock import Clock
from instruments.device import Instrument
from instruments.errors import (
    Fault,
    LinkError,
    Rejected,
    Restarted,
    Stopped,
    WrongModel,
)
from instruments.orders import Hold
from instruments.plans.heat import heat, reach
from tests.instruments.cable import (
    Cable,
    Spoil,
    delayed,
    dropped,
    duplicated,
    echoed,
    garbled,
    stale,
    truncated,
)
from tests.instruments.conftest import (
    ROOT,
    SPEED,
    BenchOnPtys,
    made,
    running,
)
from tests.instruments.test_transcripts import settles

Open = Callable[..., Any]
NAMES = ("oven", "chiller", "balance")
THERMOSTATS = ("oven", "chiller")


class Bench(BenchOnPtys):
    """The bench of these tests, whose instruments go wrong when they are told to."""

    def events(self, name: str) -> list[str]:
        path = self.directory / "journal" / f"{name}.jsonl"
        return [one["event"] for one in self.journal(name)] if path.exists() else []

    def heater(self, name: str) -> str:
        """Return what the heater did last."""
        told = [one for one in self.events(name) if one.startswith("heater")]
        return told[-1] if told else ""

    def state(self, *rules: dict[str, Any]) -> None:
        """State faults, and wait until the bench has taken note of them."""
        concerned = {one["instrument"] for one in rules}
        before = {one: self.events(one).count("faults stated") for one in concerned}
        file = self.directory / "faults.json"
        file.with_suffix(".part").write_text(json.dumps(rules))
        file.with_suffix(".part").replace(file)
        for one in concerned:
            assert settles(
                lambda one=one: self.events(one).count("faults stated") > before[one]
            )


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    directory = tmp_path_factory.mktemp("serial")
    with running(ROOT / "tests" / "serial_bench.yaml", directory):
        yield Bench(directory)


@pytest.fixture
def open_device(bench: Bench) -> Iterator[Open]:
    opened: list[Instrument] = []

    def open_one(name: str, port: str = "", settings: Any = None) -> Any:
        device = made(name, port or bench.port(name), settings)
        opened.append(device)
        device.connect()
        device.prepare()
        return device

    yield open_one
    for device in opened:
        device.stop()
        device.disconnect()


@pytest.mark.parametrize("name", NAMES)
def test_it_says_who_it_is(bench: Bench, name: str) -> None:
    device = made(name, bench.port(name))
    identity = device.connect()
    assert (identity.maker, identity.model) == {
        "oven": ("Eurotherm", "3216"),
        "chiller": ("JULABO", "JULABO CF31"),
        "balance": ("Mettler Toledo", "XS205DU"),
    }[name]
    device.disconnect()


@pytest.mark.parametrize(
    ("name", "settings", "rule"),
    [
        (
            "oven",
            eurotherm_3216.EurothermSettings(200.0, decimals=0),
            "ends at 600 degC, but at 6000 degC with 0 decimals",
        ),
        (
            "chiller",
            julabo.CirculatorSettings("JULABO HL", 150.0),
            "'JULABO CF31 VERSION 5.0'; the lab file promises 'JULABO HL'",
        ),
        (
            "balance",
            mettler_balance.BalanceSettings("MS", 0.1),
            "'XS205DU Excellence.*; the lab file promises 'MS'",
        ),
    ],
)
def test_another_than_promised_is_the_wrong_model(
    bench: Bench, name: str, settings: Any, rule: str
) -> None:
    device = made(name, bench.port(name), settings)
    with pytest.raises(WrongModel, match=rule):
        device.connect()
    device.disconnect()


def test_settings_that_cannot_be_are_refused() -> None:
    for words in ({"unit": 255}, {"decimals": 3}, {"rate": 0.01}):
        with pytest.raises(ValueError, match=r"unit|decimals|rate"):
            eurotherm_3216.EurothermSettings(200.0, **words)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="sensor 1"):
        julabo.CirculatorSettings("it", 90.0, sensor=1)
    with pytest.raises(ValueError, match="0 mg is not above 0"):
        mettler_balance.BalanceSettings("it", 0.0)


# -- thermostats -------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", THERMOSTATS)
def test_the_plans_for_a_hotplate_heat_it(
    name: str, open_device: Open, bench: Bench, run: Any
) -> None:
    device = open_device(name)
    documents = run(heat(device, temperature=40.0, duration=120.0))
    readings = [doc["data"] for kind, doc in documents if kind == "event"]
    assert readings[-1][f"{name}_held"] >= 120.0
    assert readings[-1][f"{name}_temperature"] == pytest.approx(40.0, abs=0.5)
    assert readings[-1][f"{name}_set_point"] == 40.0
    survey = device.survey()
    assert survey["temperature_degC"] == pytest.approx(40.0, abs=0.5)
    assert bench.heater(name) == "heater on"
    device.stop()
    device.stop()
    assert settles(lambda: bench.heater(name) == "heater off")


def test_a_circulator_cools_below_the_room(open_device: Open, run: Any) -> None:
    chiller = open_device("chiller")
    run(reach(chiller, temperature=15.0))
    assert chiller.temperature.get() == pytest.approx(15.0, abs=0.2)


def test_a_circulator_is_started_and_stopped(open_device: Open, bench: Bench) -> None:
    chiller = open_device("chiller")
    chiller.running.set(1).wait(timeout=10)
    assert chiller.survey()["running"] is True
    chiller.running.set(0).wait(timeout=10)
    assert chiller.survey()["running"] is False
    assert bench.heater("chiller") == "heater off"


def test_no_temperature_is_written_to_the_eeprom(
    open_device: Open, bench: Bench, run: Any
) -> None:
    oven = open_device("oven")
    before = len(bench.journal("oven"))
    for temperature in (32.0, 36.0, 33.0):
        run(reach(oven, temperature=temperature))
    written = [
        line for line in bench.journal("oven")[before:] if line["event"] == "eeprom"
    ]
    assert {line["register"] for line in written} <= {199, 276}
    assert len(written) <= 2


def test_the_rate_of_the_set_point_is_limited(open_device: Open) -> None:
    settings = eurotherm_3216.EurothermSettings(200.0, rate=2.0, settling_time=30.0)
    oven = open_device("oven", settings=settings)
    status = oven.temperature.set(60.0)

    def on_its_way() -> bool:
        oven.refresh()
        return bool(40.0 < oven.working_set_point.get() < 59.0)

    assert settles(on_its_way)
    status.wait(timeout=30)
    assert oven.working_set_point.get() == 60.0
    oven.stop()
    oven.disconnect()
    open_device("oven")  # without a limit again


@pytest.mark.parametrize("name", THERMOSTATS)
def test_one_that_is_stopped_on_its_way_is_safe_and_can_be_prepared(
    name: str, open_device: Open, bench: Bench
) -> None:
    device = open_device(name)
    status = device.temperature.set(120.0)
    assert settles(lambda: bench.heater(name) == "heater on")
    device.stop()
    with pytest.raises(Stopped):
        status.wait(timeout=10)
    assert settles(lambda: bench.heater(name) == "heater off")
    with pytest.raises(Rejected, match="was stopped; prepare it"):
        device.temperature.set(50.0)
    device.prepare()
    state = device.survey()
    assert state.get("standby", True) is not state.get("running", False)


@pytest.mark.parametrize("name", THERMOSTATS)
def test_one_that_was_switched_off_is_found_out(
    name: str, open_device: Open, bench: Bench
) -> None:
    device = open_device(name)
    status = device.temperature.set(120.0)
    assert settles(lambda: bench.heater(name) == "heater on")
    question = {"oven": "read 75 1", "chiller": "in_pv_01"}[name]
    fault = {"instrument": name, "kind": "power_cycle", "command": question}
    bench.state(fault | {"seconds": 0.5 * SPEED})
    with pytest.raises((Restarted, LinkError)):
        status.wait(timeout=20)
    bench.state({"instrument": name, "kind": "drop", "command": "nothing"})


@pytest.mark.parametrize(
    ("name", "rule"),
    [("oven", "sensor break"), ("chiller", "-01 LOW LEVEL ALARM")],
)
def test_trouble_of_a_thermostat_is_a_fault_with_its_name(
    name: str, rule: str, open_device: Open, bench: Bench
) -> None:
    device = open_device(name)
    status = device.temperature.set(120.0)
    assert settles(lambda: bench.heater(name) == "heater on")
    question = {"oven": "read 75 1", "chiller": "in_pv_01"}[name]
    bench.state({"instrument": name, "kind": "device_fault", "command": question})
    with pytest.raises(Fault, match=rule):
        status.wait(timeout=20)
    assert bench.heater(name) == "heater off"
    with pytest.raises((Fault, Rejected)):
        device.prepare()
    mend(bench, device)
    device.prepare()


def mend(bench: Bench, device: Any) -> None:
    """Switch an instrument off and on again."""
    name = device.name
    question = {"oven": "read 107 1", "chiller": "version", "balance": "I4"}[name]
    rule = {"instrument": name, "kind": "power_cycle", "command": question}
    bench.state(rule | {"seconds": 10.0})
    device.identify()
    bench.state({"instrument": name, "kind": "drop", "command": "nothing"})


def test_a_hold_wants_a_temperature_that_was_reached(open_device: Open) -> None:
    for name in THERMOSTATS:
        device = open_device(name)
        with pytest.raises(Rejected, match="so it cannot hold 77 degC; reach it first"):
            device.held.set(Hold(77.0, 5.0)).wait(timeout=10)


def test_a_circulator_under_manual_operation_is_refused(tmp_path: Path) -> None:
    spec = tmp_path / "manual.yaml"
    entry = "{panel: julabo, port: ports/it, remote: false}"
    spec.write_text(f"instruments: {{it: {entry}}}\n")
    words = [sys.executable, "-m", "sims", str(spec), "--dir", str(tmp_path / "run")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as sims:
        try:
            assert sims.stdout is not None
            assert any(line.strip() == "ready" for line in sims.stdout)
            chiller = made("chiller", str(tmp_path / "run" / "ports" / "it"))
            chiller.connect()
            with pytest.raises(Rejected, match="00 MANUAL STOP; allow remote control"):
                chiller.prepare()
            chiller.disconnect()
        finally:
            sims.kill()


HEATS = """
import sys, threading
from instruments.clock import Clock
from instruments.julabo import Circulator, CirculatorSettings
chiller = Circulator("chiller", port=sys.argv[1], clock=Clock(float(sys.argv[2])),
    settings=CirculatorSettings("JULABO CF31", 150.0, watchdog=1200.0))
chiller.connect(); chiller.prepare(); chiller.temperature.set(60.0)
threading.Event().wait()
"""


@pytest.mark.slow
@pytest.mark.timeout(150)  # a process that imports, on a busy computer
def test_a_circulator_whose_computer_dies_stops_itself(bench: Bench) -> None:
    words = [sys.executable, "-c", HEATS, bench.port("chiller"), str(SPEED)]
    with subprocess.Popen(words, cwd=ROOT) as process:
        try:
            assert settles(lambda: bench.heater("chiller") == "heater on", 60.0)
        finally:
            process.kill()
    assert settles(
        lambda: bench.events("chiller")[-2:] == ["watchdog", "heater off"], 60
    )
    device = made("chiller", bench.port("chiller"))
    device.connect()
    device.prepare()
    device.disconnect()


@pytest.mark.slow
def test_a_circulator_goes_on_between_two_runs_while_the_process_lives(
    open_device: Open, bench: Bench, tmp_path: Path
) -> None:
    with Cable(bench.port("chiller"), tmp_path / "chiller") as cable:
        chiller = open_device("chiller", str(cable.path))
        chiller.running.set(1).wait(timeout=10)
        asked = cable.heard.count(b"in_mode_05\r")
        assert settles(lambda: cable.heard.count(b"in_mode_05\r") >= asked + 4, 40.0)
        assert bench.heater("chiller") == "heater on"
        chiller.stop()
        assert settles(lambda: bench.heater("chiller") == "heater off")
        chiller.disconnect()


def test_a_watchdog_too_short_for_a_fast_bench_is_told_of(
    open_device: Open, caplog: pytest.LogCaptureFixture
) -> None:
    settings = julabo.CirculatorSettings("JULABO CF31", 150.0, watchdog=200.0)
    chiller = open_device("chiller", settings=settings)
    with caplog.at_level(logging.WARNING):
        chiller.arm()
    assert "watchdog of 200 s is too short for a lab that runs 200 times" in caplog.text


# -- balance -----------------------------------------------------------------------


def test_a_weight_has_the_uncertainty_of_two_readings(open_device: Open) -> None:
    balance = open_device("balance")
    balance.trigger().wait(timeout=10)
    assert balance.weight.get() == pytest.approx(12.5, abs=1e-3)
    expected = (2.0 * ((5e-5) ** 2 + (1e-4) ** 2 / 12.0)) ** 0.5
    assert balance.uncertainty.get() == pytest.approx(expected)
    assert balance.describe()["balance_weight"]["units"] == "g"


def test_a_tare_is_taken_and_cleared(open_device: Open) -> None:
    balance = open_device("balance")
    balance.origin.set("tare").wait(timeout=10)
    assert balance.tare.get() == pytest.approx(12.5, abs=1e-3)
    balance.trigger().wait(timeout=10)
    assert balance.weight.get() == pytest.approx(0.0, abs=1e-3)
    balance.origin.set("gross").wait(timeout=10)
    balance.trigger().wait(timeout=10)
    assert balance.weight.get() == pytest.approx(12.5, abs=1e-3)
    assert balance.tare.get() == 0.0


def test_what_is_too_heavy_to_be_nothing_is_not_zero(open_device: Open) -> None:
    balance = open_device("balance")
    with pytest.raises(Rejected, match=r"'ZI \+': too much lies on the pan"):
        balance.origin.set("zero").wait(timeout=10)


def test_a_balance_that_was_switched_off_has_lost_its_tare(
    open_device: Open, bench: Bench
) -> None:
    balance = open_device("balance")
    balance.origin.set("tare").wait(timeout=10)
    mend(bench, balance)
    with pytest.raises(Restarted, match=r"its tare is 0 g, not 12\.\d+ g"):
        balance.trigger().wait(timeout=10)


def test_a_balance_in_trouble_is_a_fault(open_device: Open, bench: Bench) -> None:
    balance = open_device("balance")
    bench.state({"instrument": "balance", "kind": "device_fault", "command": "SI"})
    with pytest.raises(Fault, match="Error 10b"):
        balance.trigger().wait(timeout=10)
    mend(bench, balance)


def test_a_weight_that_never_lies_still_is_a_fault() -> None:
    from tests.instruments.peer import Peer

    def moving(came: bytes) -> bytes | None:
        return b"S D     1.0000 g\r\n" if came == b"SI\r\n" else None

    with Peer(moving) as peer:
        settings = mettler_balance.BalanceSettings("XS205DU", 0.05, patience=1.0)
        balance = made("balance", peer.path, settings, speed=1.0)
        balance.clock = Clock(20.0)
        balance.link.open()
        with pytest.raises(Fault, match="no stable weight in 1 s; is there a draft"):
            balance.trigger().wait(timeout=20)
        balance.disconnect()


def test_a_weighing_can_be_stopped() -> None:
    from tests.instruments.peer import Peer

    with Peer(lambda came: b"S D     1.0000 g\r\n" if came else None) as peer:
        balance = made("balance", peer.path, speed=1.0)
        balance.link.open()
        status = balance.trigger()
        assert settles(lambda: b"SI\r\n" in peer.heard)
        balance.stop()
        with pytest.raises(Stopped):
            status.wait(timeout=5)
        balance.disconnect()


# -- bad cables --------------------------------------------------------------------

QUESTION = {
    "oven": bytes.fromhex("01 03 00 01 00 05"),
    "chiller": b"in_pv_01\r",
    "balance": b"SI\r\n",
}
FAULTS = (dropped, delayed, garbled, truncated, duplicated, echoed, stale)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        pytest.param(name, fault, id=f"{name}-{fault.__name__}")
        for name in NAMES
        for fault in FAULTS
        # A number of a JULABO does not say which one it is.
        if (name, fault) != ("chiller", stale)
    ],
)
def test_a_reading_is_right_whatever_the_cable_does_to_it_once(
    name: str, fault: Spoil, bench: Bench, tmp_path: Path
) -> None:
    with Cable(bench.port(name), tmp_path / name) as cable:
        device = made(name, str(cable.path))
        device.connect()
        device.prepare()
        kept = {"oven": "temperature", "chiller": "temperature", "balance": "weight"}
        signal = getattr(device, kept[name])
        device.trigger().wait(timeout=20)
        before = signal.get()
        cable.spoil(QUESTION[name], fault)
        device.trigger().wait(timeout=20)
        assert cable.spoiled == 1
        assert signal.get() == pytest.approx(before, abs=5.0)
        device.disconnect()


@pytest.mark.parametrize("name", NAMES)
def test_a_cable_that_comes_back_is_taken_up_again(
    name: str, bench: Bench, tmp_path: Path
) -> None:
    with Cable(bench.port(name), tmp_path / name) as cable:
        device = made(name, str(cable.path))
        device.connect()
        device.prepare()
        cable.unplug()
        plug = threading.Timer(0.3, cable.plug)
        plug.start()
        time.sleep(0.05)
        device.trigger().wait(timeout=20)
        plug.join()
        device.disconnect()
