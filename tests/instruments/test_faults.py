"""Bad cables between real drivers and simulated instruments: one act, or one error."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ophyd.status import DeviceStatus

from instruments.clock import Clock
from instruments.errors import (
    BadReply,
    Fault,
    InstrumentError,
    LinkError,
    Rejected,
    Restarted,
    Stopped,
)
from instruments.grbl_gantry import Gantry, GantrySettings
from instruments.keithley_2400 import SourceMeter, SourceMeterSettings
from instruments.keithley_2700 import SwitchMatrix, SwitchMatrixSettings
from instruments.orders import Spin
from instruments.thorlabs_pm100 import PowerMeter, PowerMeterSettings
from tests.instruments.cable import FAULTS, Cable, Spoil, dropped, garbled, saying
from tests.instruments.conftest import MAKERS, SPEED, BenchOnPtys
from tests.instruments.test_transcripts import settles

ALL: dict[str, tuple[Any, Any]] = {
    **MAKERS,
    "slow_gantry": (Gantry, GantrySettings((500.0, 400.0, 100.0), feed=600.0)),
    "cool_plate": MAKERS["anneal_plate"],
    "warm_plate": MAKERS["anneal_plate"],
    "source_meter": (SourceMeter, SourceMeterSettings(0.01, 10.0, 1.0)),
    "switch_matrix": (SwitchMatrix, SwitchMatrixSettings(baudrate=9600)),
    "power_meter": (PowerMeter, PowerMeterSettings(550.0)),
}

PORTS = {
    "slow_gantry": "gantry",
    "cool_plate": "anneal_plate",
    "warm_plate": "anneal_plate",
}
Wire = Callable[[str], tuple[Any, Cable]]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instruments.grbl_gantry.BANNER_TIME", 0.3)
    monkeypatch.setattr("instruments.link.RETURNING", 0.05)
    monkeypatch.setattr("instruments.device.RETURN_TIME", 1.0)


@pytest.fixture
def wire(bench: BenchOnPtys, tmp_path: Path) -> Iterator[Wire]:
    """Devices that are prepared, on a cable that can be spoiled."""
    with ExitStack() as stack:

        def wire_one(name: str) -> tuple[Any, Cable]:
            path = tmp_path / name
            port = bench.port(PORTS.get(name, name))
            cable = stack.enter_context(Cable(port, path))
            kind, settings = ALL[name]
            device = kind(name, port=str(path), settings=settings, clock=Clock(SPEED))
            stack.callback(device.disconnect)
            device.link.timeout = 0.25
            device.link.quiet = 0.2
            device.connect()
            device.prepare()
            return device, cable

        yield wire_one


def pump(device: Any) -> DeviceStatus:
    device.valve.set("needle").wait(timeout=20)
    device.valve.set("waste").wait(timeout=20)
    return device.plunger.set(500.0)


def meter(device: Any) -> DeviceStatus:
    device.level.set(1e-4).wait(timeout=20)
    device.output.set(1).wait(timeout=20)
    device.trigger().wait(timeout=20)
    return device.output.set(0)


# What is done, and the acts of it: each is to reach the instrument once.
DONE: dict[str, tuple[Callable[[Any], DeviceStatus], tuple[bytes, ...]]] = {
    "pump": (pump, (rb"/1I3R", rb"/1A12000R")),
    "gantry": (lambda device: device.at.set((-50.0, -60.0, -10.0)), (rb"G53 .*\n",)),
    "spin_coater": (
        lambda device: device.spin.set(Spin(1500, 3000, 5)),
        (rb"input_vel 25\.0+\*", rb"t 0 "),
    ),
    "anneal_plate": (lambda device: device.temperature.set(45.0), (rb"START_1",)),
    "cool_plate": (lambda device: device.temperature.set(44.0), ()),
    "warm_plate": (lambda device: device.temperature.set(100.0), ()),
    "source_meter": (meter, (rb":OUTP:STAT 1", rb":OUTP:STAT 0\n")),
    "switch_matrix": (
        lambda device: device.choose("R12,43"),
        (rb":ROUT:MULT:CLOS \(",),
    ),
    "power_meter": (lambda device: device.trigger(), ()),
}

SPOILED = [
    ("pump", (b"/1Q", b"/1?\r", b"/1?6", b"/1I3R", b"/1A12000R")),
    ("gantry", (b"?", b"G53")),
    ("spin_coater", (b"f 0", b"current_state", b"input_vel", b"axis0.error", b"t 0")),
    ("anneal_plate", (b"IN_PV_2", b"IN_SP_1", b"OUT_WD1")),
    ("source_meter", (b":READ?", b":OUTP:STAT?", b"LEV?", b":SYST:ERR?")),
    ("switch_matrix", (b":ROUT:MULT:CLOS?", b"*OPC?")),
    ("power_meter", (b"READ?", b"WAV?")),
]


@pytest.mark.slow  # a lost answer is waited for, and there are many
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("name", "questions"), SPOILED)
def test_each_answer_may_be_spoiled_once_and_nothing_is_done_twice(
    wire: Wire, name: str, questions: tuple[bytes, ...], fault: Spoil
) -> None:
    device, cable = wire(name)
    do, acts = DONE[name]
    before = len(cable.heard)
    for question in questions:
        cable.spoil(question, fault)
    do(device).wait(timeout=30)
    said = cable.heard[before:]
    assert cable.spoiled >= len(questions) - 1
    assert {act: len(re.findall(act, said)) for act in acts} == dict.fromkeys(acts, 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pump", b"A12000"),
        ("pump", b"I3R"),
        ("gantry", b"G53"),
        ("spin_coater", b"input_vel 25"),
        ("spin_coater", b"t 0 "),
        ("spin_coater", b"requested_state 8"),
        ("cool_plate", b"OUT_SP_1 44"),
        ("warm_plate", b"START_1"),
        ("source_meter", b":OUTP:STAT 1"),
        ("switch_matrix", b":ROUT:MULT:CLOS ("),
    ],
)
def test_an_act_that_did_not_reach_the_instrument_is_told_once_more(
    wire: Wire, name: str, message: bytes
) -> None:
    device, cable = wire(name)
    before = len(cable.heard)
    cable.swallow(message)
    DONE[name][0](device).wait(timeout=30)
    assert cable.heard[before:].count(message) == 1


@pytest.mark.parametrize("fault", [dropped, garbled])
@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("pump", b"/1Q"),
        ("gantry", b"?"),
        ("spin_coater", b"f 0"),
        ("anneal_plate", b"IN_PV_2"),
        ("switch_matrix", b"*OPC?"),
    ],
)
def test_answers_that_never_come_are_one_link_error_and_the_device_is_stopped(
    wire: Wire, name: str, question: bytes, fault: Spoil
) -> None:
    device, cable = wire(name)
    cable.spoil(question, fault, times=1000)
    with pytest.raises(LinkError):
        DONE[name][0](device).wait(timeout=30)
    assert device.stopped


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (b"/0@\x03\r\n", Fault, "still busy"),
        (b"/0i\x03\r\n", Fault, "plunger overload"),
        (b"/0g\x03\r\n", Restarted, "not initialised"),
        (b"/0b\x03\r\n", Rejected, "invalid command"),
    ],
)
def test_what_a_pump_says_for_ever_ends_an_act(
    wire: Wire,
    monkeypatch: pytest.MonkeyPatch,
    answer: bytes,
    error: type[Exception],
    words: str,
) -> None:
    monkeypatch.setattr("instruments.device.LINK_SLACK", 0.2)
    device, cable = wire("pump")
    cable.spoil(b"/1Q", saying(answer), times=100000)
    with pytest.raises(error, match=words):
        device.plunger.set(500.0).wait(timeout=20)


@pytest.mark.parametrize(
    ("name", "spoiled", "words"),
    [
        ("anneal_plate", ((b"IN_SP_1", b"0.0 1 \r\n"),), "is set to 0 degC"),
        ("power_meter", ((b"WAV?", b"6.35000000E+02\n"),), r"reads at 6.35.* nm"),
        (
            "spin_coater",
            ((b"current_state", b"1*49\r\n"), (b"vel_limit", b"2.000000*28\r\n")),
            "has forgotten its settings",
        ),
    ],
)
def test_an_instrument_that_was_switched_off_in_mid_act_has_restarted(
    wire: Wire, name: str, spoiled: tuple[tuple[bytes, bytes], ...], words: str
) -> None:
    device, cable = wire(name)
    act: dict[str, Callable[[], DeviceStatus]] = {
        "anneal_plate": lambda: device.temperature.set(120.0),
        "power_meter": device.trigger,
        "spin_coater": lambda: device.spin.set(Spin(1500, 3000, 3000)),
    }
    begun = {"anneal_plate": b"START_1", "spin_coater": b"input_vel 25"}.get(name, b"")
    status = act[name]() if begun else None
    assert settles(lambda: begun in cable.heard)
    for question, answer in spoiled:
        cable.spoil(question, saying(answer), times=1000)
    with pytest.raises(Restarted, match=words):
        (status or act[name]()).wait(timeout=20)
    assert device.stopped


def test_an_act_that_went_astray_says_what_is_known(wire: Wire) -> None:
    device, cable = wire("pump")
    cable.spoil(b"A12000", dropped)
    cable.spoil(b"/1Q", saying(b"/0`\x03\r\n"))
    cable.spoil(b"/1?\r", lambda *words: [(0.0, words[2])])  # where it was
    cable.spoil(b"/1?\r", saying(b"/0`4711\x03\r\n"))
    with pytest.raises(LinkError, match=r"may or may not.*at 4711, neither at 0"):
        device.plunger.set(500.0).wait(timeout=20)
    assert cable.heard.count(b"A12000") == 1


@pytest.mark.parametrize("status", [b"/0O", b"/0o"])
def test_a_move_that_came_twice_is_gone_through_with(wire: Wire, status: bytes) -> None:
    device, cable = wire("pump")
    cable.spoil(b"/1Q", saying(status + b"\x03\r\n"))  # command while busy
    device.plunger.set(500.0).wait(timeout=20)
    assert device.plunger.get() == pytest.approx(500.0, abs=0.1)
    assert cable.heard.count(b"A12000") == 1


def test_a_gripper_whose_ok_is_lost_is_asked_for_its_state(wire: Wire) -> None:
    device, cable = wire("gantry")
    for question in (b"M9", b"M8", b"G4", b"$G"):
        cable.spoil(question, dropped)
    device.gripper.set("closed").wait(timeout=20)
    assert device.gripper.get() == "closed"
    assert cable.heard.count(b"M8") == 1


@pytest.mark.parametrize("name", ["pump", "slow_gantry", "spin_coater", "anneal_plate"])
def test_a_cable_that_goes_fails_the_act_and_prepare_takes_it_up_again(
    wire: Wire, name: str
) -> None:
    device, cable = wire(name)
    if name == "pump":
        device.valve.set("waste").wait(timeout=20)
        device.speed.set(5.0).wait(timeout=20)
    act = {
        "pump": lambda: device.plunger.set(1000.0),
        "slow_gantry": lambda: device.at.set((-400.0, -300.0, -50.0)),
        "spin_coater": lambda: device.spin.set(Spin(3000, 500, 3000)),
        "anneal_plate": lambda: device.temperature.set(90.0),
    }[name]
    status = act()
    heard = len(cable.heard)
    assert settles(lambda: len(cable.heard) > heard + 20)
    cable.unplug()
    with pytest.raises(LinkError):
        status.wait(timeout=20)
    with pytest.raises(LinkError):
        device.prepare()
    cable.plug()
    device.prepare()
    assert not device.stopped
    device.refresh()


def test_a_question_takes_up_a_cable_that_came_back(wire: Wire) -> None:
    device, cable = wire("anneal_plate")
    cable.unplug()
    with pytest.raises(LinkError):
        device.survey()
    cable.plug()
    assert 15.0 < device.survey()["temperature_degC"] < 60.0
    cable.unplug()
    cable.plug()
    device.trigger().wait(timeout=10)


def test_what_comes_back_as_another_instrument_is_refused(wire: Wire) -> None:
    device, cable = wire("spin_coater")
    device.identity = None
    device.connect()
    known = device.identity
    cable.unplug()
    cable.plug()
    device.identity = type(known)(known.maker, known.model, "another", known.firmware)
    with pytest.raises(InstrumentError, match="it was"):
        device.survey()
    assert not device.link.is_open


def test_a_stop_while_it_is_prepared_leaves_it_stopped(wire: Wire) -> None:
    device, cable = wire("pump")
    device.stop()
    cable.spoil(b"/1Q", saying(b"/0@\x03\r\n"), times=100000)
    seen: list[Exception] = []

    def prepare() -> None:
        try:
            device.prepare()
        except InstrumentError as error:
            seen.append(error)

    preparing = threading.Thread(target=prepare)
    heard = cable.heard.count(b"/1Q")
    preparing.start()
    assert settles(lambda: cable.heard.count(b"/1Q") > heard)
    device.stop()
    preparing.join(timeout=10)
    assert isinstance(seen[0], Stopped)
    assert device.stopped


def test_an_answer_to_another_question_is_not_taken(wire: Wire) -> None:
    device, cable = wire("pump")
    cable.spoil(b"/1Q", saying(b"/0`12000\x03\r\n"), times=3)
    with pytest.raises(BadReply, match="a report"):
        device.client.ready()
    device, cable = wire("spin_coater")
    cable.spoil(b"vbus", saying(b"8*56\r\n"))
    device.refresh()
    assert device.vbus.get() == pytest.approx(24.0877, abs=0.01)


SURVEYS: dict[str, dict[str, Any]] = {
    "pump": {
        "plunger_uL": 0.0,
        "port": "waste",
        "busy": False,
        "initialised": True,
        "error": "",
    },
    "gantry": {"state": "Idle", "gripper": "unknown"},
    "spin_coater": {"state": 1, "speed_turn_s": 0.0, "errors": ""},
    "anneal_plate": {},
    "source_meter": {"output": False},
    "switch_matrix": {"configuration": "open"},
    "power_meter": {},
}


@pytest.mark.parametrize("name", SURVEYS)
def test_a_survey_tells_what_an_instrument_does(wire: Wire, name: str) -> None:
    device, _ = wire(name)
    if name == "pump":
        device.valve.set("waste").wait(timeout=20)
    told = device.survey()
    assert {key: told[key] for key in SURVEYS[name]} == SURVEYS[name]
    if name == "spin_coater":
        assert told["place_turn"] == pytest.approx(device.place.get(), abs=1e-3)
        assert told["calibrated"] is True


def test_a_survey_of_a_gantry_that_was_reset_knows_no_position(wire: Wire) -> None:
    device, cable = wire("gantry")
    device.at.set((-5.0, -5.0, -5.0)).wait(timeout=20)
    assert device.survey()["at_mm"] == pytest.approx([-5.0, -5.0, -5.0], abs=0.05)
    answer = b"<Alarm|MPos:0.000,0.000,0.000|FS:0,0>\r\n"
    cable.spoil(b"?", saying(answer), times=2)
    assert device.survey()["at_mm"] is None
    with pytest.raises(Restarted, match="does not know where it is"):
        device.refresh()
