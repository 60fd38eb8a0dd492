"""The clients ask exactly what the manuals' transcripts ask, and read their answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from instruments.cavro_client import CavroClient
from instruments.errors import DeviceError, Fault, LinkTimeout, Rejected, Restarted
from instruments.framing import DtAnswer
from instruments.grbl_gantry import GrblClient
from instruments.ika_hotplate import IkaClient
from instruments.link import Link
from instruments.odrive_client import ODriveClient, checksum
from tests.instruments.peer import Peer
from tests.transcripts import Line, sections


def settles(condition: Callable[[], bool], within: float = 5.0) -> bool:
    """Wait for the peer's thread; what is not answered cannot be waited for by asking."""
    deadline = time.monotonic() + within
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
    return condition()


@contextmanager
def playing(
    lines: Sequence[Line], client: Callable[[Link], Any], leaving: int = 0
) -> Iterator[Any]:
    with Peer.playing(lines) as peer:
        link = Link(peer.path, timeout=0.5)
        link.open()
        yield client(link)
        assert settles(lambda: bool(peer.wrong) or len(peer.left) == leaving)
        link.close()
        assert not peer.wrong


def with_checksum(line: Line) -> Line:
    """Return a line of a transcript as it is said by who wants a checksum."""
    direction, data = line
    if direction == ".":
        return line
    body = data.rstrip(b"\r\n")
    check = b"*%d" % checksum(body.decode())
    return direction, body + check + data[len(body) :]


GRBL = sections("grbl")


def test_a_locked_gantry_is_homed() -> None:
    lines = GRBL["A fresh controller is locked until homed"]
    with playing(lines, GrblClient) as client:
        assert client.report().state == "Alarm"
        assert client.report().at == (0.0, 0.0, 0.0)
        with pytest.raises(Rejected, match="'G0 X-10' answered 'error:9'"):
            client.line("G0 X-10")
        client.home(timeout=2.0)
        assert client.report().at == (-1.0, -1.0, -1.0)


def test_a_gantry_tells_its_version_and_its_lists() -> None:
    with playing(GRBL["Identity and parser state"], GrblClient) as client:
        assert client.version() == "1.1h.20190825"
        assert client.gripper() == "unknown"
        assert client.line("$N") == ["$N0=", "$N1="]
        assert "[G92:0.000,0.000,0.000]" in client.line("$#")


def test_a_dwell_is_acknowledged_after_the_move() -> None:
    title = "A move is acknowledged when it is queued; G4 P0 when it has ended"
    with playing(GRBL[title], GrblClient) as client:
        client.home(timeout=2.0)
        client.line("G90")
        client.line("G53 G1 X-100.000 Y-60.000 F12000")
        client.dwell(0.0, timeout=2.0)
        assert client.report().at == (-100.0, -60.0, -1.0)


def test_the_coolant_outputs_are_the_gripper() -> None:
    with playing(GRBL["The coolant outputs drive the gripper"], GrblClient) as client:
        client.line("$X")
        client.let_go()
        client.grip(closed=True)
        assert client.gripper() == "closed"
        client.let_go()
        client.grip(closed=False)
        assert client.gripper() == "open"


def test_every_refusal_of_a_gantry_is_rejected() -> None:
    with playing(GRBL["Refusals"], GrblClient, leaving=1) as client:
        client.line("$X")
        client.line("")
        for text in (
            "G1 X-10",
            "X",
            "G99",
            "G0 G1 X-1 F100",
            "12",
            "$Q",
            "$J=G91 X-10",
        ):
            with pytest.raises(Rejected, match="error:"):
                client.line(text)
        # A comment needs a semicolon, and that never goes on a link of ours.
        with pytest.raises(Rejected, match="printable"):
            client.line("(a comment) g0 ; and another")


def test_a_reset_after_a_hold_is_answered_by_a_banner() -> None:
    with playing(GRBL["Hold, then reset, keeps the position"], GrblClient) as client:
        client.home(timeout=2.0)
        client.line("G53 G0 X-300")
        client.hold()
        client.reset()
        assert client.banner(2.0).startswith("Grbl 1.1")
        assert client.gripper() == "unknown"


def test_a_reset_in_motion_leaves_the_gantry_locked() -> None:
    with playing(GRBL["Reset in motion loses the position"], GrblClient) as client:
        client.home(timeout=2.0)
        client.line("G53 G0 X-300")
        client.reset()
        assert client.banner(2.0).startswith("Grbl 1.1")
        with pytest.raises(Rejected, match="error:9"):
            client.line("G0 X-1")


CAVRO = sections("cavro")


@pytest.mark.parametrize("title", [title for title in CAVRO if "Another" not in title])
def test_every_block_of_a_pump_is_framed_and_read(title: str) -> None:
    lines = [line for line in CAVRO[title] if line[0] != "."]
    with playing(lines, CavroClient) as client:
        for question, answer in zip(lines[::2], lines[1::2], strict=True):
            told = client.ask(question[1].decode()[2:-1])
            status = answer[1][2]
            data = answer[1][3:-3].decode()
            assert told == DtAnswer(status & 15, bool(status & 32), data)


def test_a_pump_that_is_not_initialised_says_so() -> None:
    with playing(CAVRO["A move needs an initialised pump"], CavroClient) as client:
        with pytest.raises(Restarted, match="error 7: not initialised"):
            client.plunger(100)
        with pytest.raises(Restarted, match="error 7"):
            client.ready()


def test_a_full_stroke_is_awaited() -> None:
    title = "A full stroke at the default speed takes 4.3 s"
    with playing(CAVRO[title], CavroClient) as client:
        client.command("Z0,1,3")
        assert client.ready()
        client.valve(2)
        assert client.port() == 2
        client.plunger(3000)
        assert not client.ready()
        assert client.ready()
        assert client.position() == 3000


def test_another_pump_does_not_answer() -> None:
    with playing(CAVRO["Another address is not answered"], CavroClient) as client:
        client.link.tell(b"/2Q\r")
        assert client.ready()


@pytest.mark.parametrize(
    ("block", "error"), [(b"/0i\x03\r\n", Fault), (b"/0b\x03\r\n", Rejected)]
)
def test_an_overload_is_a_fault_and_a_bad_command_is_rejected(
    block: bytes, error: type[DeviceError]
) -> None:
    lines = [(">", b"/1A5R\r"), ("<", block)]
    with playing(lines, CavroClient) as client, pytest.raises(error):
        client.plunger(5)


ODRIVE = {
    title: [with_checksum(line) for line in lines]
    for title, lines in sections("odrive").items()
}


def test_a_spin_coater_tells_who_it_is() -> None:
    with playing(ODRIVE["Identity and supply"], ODriveClient) as client:
        assert client.identity()["Serial number"] == "306D3674364D"
        assert client.read("vbus_voltage") == pytest.approx(24.087744)


def test_closed_loop_before_calibration_is_seen_in_the_error() -> None:
    title = "Closed loop is refused before the calibration"
    with playing(ODRIVE[title], ODriveClient) as client:
        client.request(8)
        assert client.state() == 1
        assert client.read_whole("axis0.error") == 1
        client.clear()
        assert client.errors() == ""


def test_a_calibrated_spin_coater_spins() -> None:
    lines = [
        with_checksum(
            (
                sign,
                data.replace(b" 150\n", b" 150.000000\n").replace(
                    b"vel 0\n", b"vel 0.000000\n"
                ),
            )
        )
        for sign, data in sections("odrive")[
            "Calibrate, spin at 1500 rpm, come to rest"
        ]
    ]
    config = "axis0.controller.config"
    with playing(lines, ODriveClient) as client:
        client.request(3)
        assert client.state() == 1
        assert client.errors() == ""
        client.request(8)
        assert client.state() == 8
        assert client.read_whole("axis0.requested_state") == 0
        client.configure(f"{config}.vel_limit", 150.0)
        client.configure(f"{config}.vel_ramp_rate", 1000.0 / 60.0)
        client.write(f"{config}.control_mode", 2)
        client.configure(f"{config}.input_mode", 2)
        client.configure("axis0.controller.input_vel", 25.0)
        client.write("axis0.controller.input_vel", 0.0)
        assert client.read("axis0.encoder.vel_estimate") == 0.0
        client.request(1)
        assert client.state() == 1


def test_the_watchdog_of_a_spin_coater_is_armed() -> None:
    title = "The watchdog as a spin arms it, every line with its checksum"
    with playing(sections("odrive")[title], ODriveClient) as client:
        client.guard(2.0)


def test_refusals_of_a_spin_coater_are_rejected() -> None:
    said = [(">", b"r axis0.nope\n"), ("<", b"invalid property\r\n")]
    lines = [with_checksum(line) for line in said]
    with playing(lines, ODriveClient) as client:
        with pytest.raises(Rejected, match="invalid property"):
            client.read("axis0.nope")
        with pytest.raises(Rejected, match="printable"):
            client.read("vbus_voltage\nsr")


IKA = sections("ika")


def on_ika(title: str, leaving: int = 0) -> Any:
    return playing(IKA[title], IkaClient, leaving)


def test_a_hotplate_tells_its_name() -> None:
    with on_ika("Identity") as client:
        assert client.name("C-MAG HS7") == "C-MAG HS7"


def test_a_set_temperature_is_read_again() -> None:
    title = "The set temperature is read back, for a setting is not answered"
    with on_ika(title) as client:
        client.choose_temperature(60.0)
        assert client.set_temperature() == 60.0
        client.choose_temperature(82.5)
        assert client.set_temperature() == 82.5


def test_a_hotplate_is_heated_read_and_stopped() -> None:
    with on_ika("Heater, sensors and motor, readings") as client:
        client.choose_temperature(60.0)
        client.heat()
        assert client.temperature(2) == 25.3
        assert client.temperature(1) == 25.3
        client.stop_heating()


def test_the_watchdog_of_a_hotplate_is_armed_fed_and_left_behind() -> None:
    lines = [
        line for line in IKA["Watchdog 1 stops heater and motor"] if line[0] != "."
    ]
    with playing(lines, IkaClient) as client:
        client.feed_watchdog(600)
        client.choose_temperature(60.0)
        client.heat()
        client.feed_watchdog(600)
        client.stop()
        client.go_local()
        assert client.set_temperature() == 60.0


def test_the_safety_circuit_is_read() -> None:
    lines = IKA["Safety circuit and motor"][:2]
    with playing(lines, IkaClient) as client:
        assert client.safety_temperature() == 360.0


def test_silence_of_a_hotplate_is_a_timeout() -> None:
    with Peer() as peer:
        link = Link(peer.path, timeout=0.1)
        link.open()
        with pytest.raises(LinkTimeout, match="'IN_NAME"):
            IkaClient(link).name("C-MAG HS7")
        link.close()
