"""What bluesky sees: limits, units, readiness, and stopping."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from ophyd.utils import ReadOnlyError

from instruments.clock import Clock
from instruments.errors import Fault, LinkError, Rejected, Stopped, WrongModel
from instruments.grbl_gantry import Gantry, GantrySettings
from instruments.ika_hotplate import Hotplate, HotplateSettings
from instruments.odrive_spin_coater import SpinCoater, SpinCoaterSettings
from instruments.orders import Hold, Spin
from tests.instruments.conftest import MAKERS, BenchOnPtys, made, unplugged
from tests.instruments.peer import Peer
from tests.instruments.test_transcripts import settles

Open = Callable[[str], Any]


@pytest.mark.parametrize(
    ("name", "verb", "value", "rule"),
    [
        ("gantry", "at", (1.0, 0.0, 0.0), "x 1 mm is outside -500 to 0 mm"),
        ("gantry", "at", (0.0, float("nan"), 0.0), "y nan mm"),
        ("gantry", "gripper", "ajar", "'ajar' is not open or closed"),
        ("pump", "plunger", 1001.0, "1001 uL is outside 0 to 1000 uL"),
        ("pump", "valve", "gin\r/1ZR", "is not one of needle, water, waste"),
        ("pump", "speed", 1e6, "outside 0.8"),
        ("spin_coater", "spin", Spin(9000, 1000, 5), "9000 rpm is outside 1 to 8000"),
        ("spin_coater", "spin", Spin(900, 0, 5), "acceleration 0 rpm/s"),
        ("spin_coater", "spin", Spin(900, 1000, float("inf")), "duration inf s"),
        ("anneal_plate", "temperature", 30.0, "below the safety circuit"),
        ("anneal_plate", "held", Hold(-80.0, -1.0), "temperature -80 degC|duration"),
        ("oven", "temperature", 200.1, "200.1 degC is outside 0 to 200 degC"),
        ("oven", "temperature", float("nan"), "temperature nan degC"),
        ("oven", "held", Hold(-1.0, 5.0), "-1 degC is outside 0 to 200 degC"),
        ("chiller", "temperature", 151.0, "151 degC is outside -20 to 150 degC"),
        ("chiller", "held", Hold(20.0, -1.0), "duration -1 s is outside"),
        ("chiller", "running", 2, "running 2 is neither 1 nor 0"),
        ("balance", "origin", "tara", "'tara' is not one of zero, tare, gross"),
    ],
)
def test_a_value_beyond_a_limit_is_refused_before_the_first_byte(
    name: str, verb: str, value: Any, rule: str
) -> None:
    with pytest.raises(Rejected, match=rule):
        getattr(unplugged(name), verb).set(value)


@pytest.mark.parametrize("name", MAKERS)
def test_everything_described_has_units_and_is_read(name: str) -> None:
    device = unplugged(name)
    described = device.describe()
    assert described.keys() == device.read().keys()
    assert all(isinstance(entry["units"], str) for entry in described.values())


@pytest.mark.parametrize("name", MAKERS)
def test_a_port_that_does_not_exist_is_a_link_error(name: str) -> None:
    device = unplugged(name)
    with pytest.raises(LinkError, match="/dev/nowhere"):
        device.connect()
    device.stop()
    device.disconnect()
    device.disconnect()


def test_a_reading_is_not_set() -> None:
    with pytest.raises(ReadOnlyError):
        unplugged("spin_coater").turns.set(3.0)


def test_every_instrument_says_who_it_is(bench: BenchOnPtys) -> None:
    models = {}
    for name in ("gantry", "pump", "spin_coater", "anneal_plate"):
        device = bench.device(name)
        models[name] = device.connect().model
        device.disconnect()
    assert models == {
        "gantry": "Grbl 1.1",
        "pump": "Cavro XCalibur",
        "spin_coater": "ODrive 3.6-56V",
        "anneal_plate": "C-MAG HS7",
    }


def test_another_plate_than_promised_is_the_wrong_model(bench: BenchOnPtys) -> None:
    plate = Hotplate(
        "plate",
        port=bench.port("anneal_plate"),
        settings=HotplateSettings("RCT digital", 200.0),
        clock=Clock(),
    )
    with pytest.raises(WrongModel, match=r"'C-MAG HS7'.*promises 'RCT digital'"):
        plate.connect()
    plate.disconnect()


@pytest.mark.parametrize(
    ("kind", "settings", "port"),
    [
        (Gantry, GantrySettings((1.0, 1.0, 1.0)), "spin_coater"),
        (SpinCoater, SpinCoaterSettings(100.0), "gantry"),
    ],
)
def test_another_instrument_on_the_port_is_the_wrong_model(
    bench: BenchOnPtys,
    monkeypatch: pytest.MonkeyPatch,
    kind: Any,
    settings: Any,
    port: str,
) -> None:
    monkeypatch.setattr("instruments.grbl_gantry.BANNER_TIME", 0.1)
    device = kind("it", port=bench.port(port), settings=settings, clock=Clock())
    with pytest.raises(WrongModel):
        device.connect()
    device.disconnect()


@pytest.mark.slow  # a board that says no banner is waited for
def test_a_move_ends_where_it_should(open_device: Open) -> None:
    gantry = open_device("gantry")
    gantry.at.set((-50.0, -60.0, -10.0)).wait()
    assert gantry.at.get() == pytest.approx((-50.0, -60.0, -10.0), abs=0.05)
    gantry.gripper.set("closed").wait()
    assert gantry.gripper.get() == "closed"
    gantry.gripper.set("open").wait()


@pytest.mark.parametrize("after", [0.0, 0.02, 0.1, 0.3])
def test_a_gripper_that_is_stopped_ends_what_it_was_told_and_says_so(
    bench: BenchOnPtys, after: float
) -> None:
    settings = GantrySettings((500.0, 400.0, 100.0), grip_time=0.5)
    gantry = Gantry(
        "gantry", port=bench.port("gantry"), settings=settings, clock=Clock()
    )
    gantry.connect()
    gantry.prepare()
    status = gantry.gripper.set("closed")
    assert settles(lambda: gantry.client.gripper() == "closed")
    time.sleep(after)
    gantry.stop()
    assert gantry.survey()["gripper"] == "closed"
    with contextlib.suppress(Stopped):
        status.wait(timeout=5)
    gantry.stop()
    assert gantry.survey()["gripper"] == "closed"
    gantry.prepare()
    assert gantry.gripper.get() == "closed"
    gantry.disconnect()


def test_a_gantry_stopped_in_mid_move_is_held_then_reset_and_can_be_prepared(
    bench: BenchOnPtys,
) -> None:
    slow = GantrySettings((500.0, 400.0, 100.0), feed=600.0)
    gantry = Gantry(
        "gantry", port=bench.port("gantry"), settings=slow, clock=Clock(200)
    )
    gantry.connect()
    gantry.prepare()
    status = gantry.at.set((-400.0, -300.0, -50.0))
    assert settles(lambda: gantry.at.get()[0] < -5.0)
    gantry.stop()
    gantry.stop()
    with pytest.raises(Stopped):
        status.wait(timeout=5)
    with pytest.raises(Rejected, match="prepare it"):
        gantry.at.set((-1.0, -1.0, 0.0))
    events = [line["event"] for line in bench.journal("gantry")]
    assert events[-1] == "reset"
    assert gantry.client.report().state in ("Idle", "Alarm")
    gantry.prepare()
    gantry.at.set((-1.0, -1.0, -1.0)).wait(timeout=20)
    gantry.disconnect()


def test_a_pump_stopped_in_mid_stroke_is_initialised_again(
    bench: BenchOnPtys, open_device: Open
) -> None:
    pump = open_device("pump")
    pump.valve.set("waste").wait()
    pump.speed.set(5.0).wait()
    status = pump.plunger.set(1000.0)
    assert settles(lambda: pump.client.position() > 0)
    pump.stop()
    pump.stop()
    with pytest.raises(Stopped):
        status.wait(timeout=5)
    before = [line["event"] for line in bench.journal("pump")]
    pump.prepare()
    after = [line["event"] for line in bench.journal("pump")][len(before) :]
    assert "terminated" in before
    assert "initialised" in after
    assert pump.plunger.get() == 0.0


def test_a_stopped_chuck_is_idle_and_spins_again_after_preparing(
    open_device: Open,
) -> None:
    chuck = open_device("spin_coater")
    status = chuck.spin.set(Spin(3000, 3000, 300))
    assert settles(lambda: chuck.client.estimates()[1] > 5.0)
    chuck.stop()
    chuck.stop()
    assert chuck.client.state() == 1
    with pytest.raises(Stopped):
        status.wait(timeout=5)
    assert settles(lambda: chuck.client.estimates()[1] < 0.1)
    chuck.prepare()
    chuck.spin.set(Spin(600, 1000, 5)).wait(timeout=20)
    assert chuck.turns.get() >= 50.0


def test_stopping_a_plate_switches_its_heater_off(
    bench: BenchOnPtys, open_device: Open
) -> None:
    plate = open_device("anneal_plate")
    status = plate.temperature.set(90.0)
    assert settles(lambda: plate.temperature.get() > 30.0)
    plate.stop()
    plate.stop()
    with pytest.raises(Stopped):
        status.wait(timeout=5)
    # STOP_1 is not answered, so that it may still be on its way.
    assert settles(lambda: bench.journal("anneal_plate")[-1]["event"] == "heater off")


SAFE = {
    "gantry": b"!",
    "pump": b"/1T\r",
    "spin_coater": b"requested_state 1\n",
    "anneal_plate": b"STOP_1 \r\nSTOP_4 \r\n",
    "oven": 2 * b"\x01\x06\x00\xc7\x00\x01\xf9\xf7",  # register 199: standby
    "chiller": 2 * b"out_mode_05 0\r",
}


@pytest.mark.parametrize("name", SAFE)
def test_stopping_does_not_wait_for_a_question_that_is_not_answered(name: str) -> None:
    with Peer() as peer:
        device = made(name, peer.path, speed=1.0)
        device.link.timeout = 30.0
        device.link.open()

        def ask() -> None:
            with contextlib.suppress(LinkError):
                device.refresh()

        asking = threading.Thread(target=ask)
        asking.start()
        assert settles(lambda: bool(peer.heard))
        device.stop()
        device.stop()
        assert asking.is_alive()
        assert settles(lambda: SAFE[name] in peer.heard)
        device.disconnect()
        asking.join(timeout=5)
        assert not asking.is_alive()


def test_a_cable_pulled_in_mid_move_fails_the_status_with_a_link_error() -> None:
    def grbl(came: bytes) -> bytes:
        return b"<Run|MPos:0.000,0.000,0.000>\r\n" if came == b"?" else b"ok\r\n"

    with Peer(grbl) as peer:
        gantry = made("gantry", peer.path, speed=1.0)
        gantry.link.open()
        status = gantry.at.set((-1.0, -1.0, -1.0))
        assert settles(lambda: peer.heard.count(b"?") > 2)
        peer.hang_up()
        with pytest.raises(LinkError, match="link lost"):
            status.wait(timeout=5)
        gantry.disconnect()


def test_a_plate_that_drifts_away_while_held_is_a_fault() -> None:
    def ika(came: bytes) -> bytes | None:
        return {b"IN_SP_1 \r\n": b"100.0 1 \r\n", b"IN_PV_2 \r\n": b"92.5 2 \r\n"}.get(
            came
        )

    with Peer(ika) as peer:
        settings = HotplateSettings("C-MAG HS7", 200.0)
        plate = Hotplate("plate", port=peer.path, settings=settings, clock=Clock())
        plate._safety = 360.0
        plate.link.open()
        status = plate.held.set(Hold(100.0, 60.0))
        with pytest.raises(Fault, match=r"92\.5 degC, more than 5 K from the 100 degC"):
            status.wait(timeout=5)
        plate.disconnect()


def test_a_second_verb_at_once_is_refused(open_device: Open) -> None:
    pump = open_device("pump")
    pump.valve.set("waste").wait()
    status = pump.plunger.set(1000.0)
    with pytest.raises(Rejected, match="still doing"):
        pump.plunger.set(0.0)
    status.wait()
    pump.plunger.set(0.0).wait()


def test_a_trigger_may_ask_while_a_verb_acts(open_device: Open) -> None:
    pump = open_device("pump")
    pump.valve.set("waste").wait()
    status = pump.plunger.set(500.0)
    pump.trigger().wait()
    status.wait()
    assert pump.plunger.get() == pytest.approx(500.0, abs=0.05)
    pump.plunger.set(0.0).wait()
