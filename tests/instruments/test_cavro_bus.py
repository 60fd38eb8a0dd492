"""OEM frames, several pumps on one port, and the XLP: real drivers, real bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from instruments.cavro_client import CavroClient
from instruments.cavro_framing import Oem
from instruments.cavro_pump import Pump, PumpSettings
from instruments.clock import Clock
from instruments.errors import (
    BadReply,
    LinkError,
    LinkTimeout,
    Rejected,
    Stopped,
    WrongModel,
)
from instruments.framing import DtAnswer
from instruments.link import Link
from orchestrator.config.read_lab import load_lab
from orchestrator.errors import ConfigError
from orchestrator.lab import build_devices
from tests.conftest import RunningBench
from tests.instruments.cable import Cable, dropped, garbled
from tests.instruments.conftest import running
from tests.instruments.peer import Peer
from tests.instruments.test_transcripts import playing, settles
from tests.orchestrator.lab_files import LabFiles
from tests.transcripts import sections

SPEED = 200.0
VALVE = {"needle": 1, "water": 2, "waste": 3}
OEM = sections("cavro_oem")
XLP = sections("cavro_xlp")


def framed(link: Link) -> CavroClient:
    return CavroClient(link, 1, Oem())


def without_pauses(lines: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [line for line in lines if line[0] != "."]


# -- transcripts -------------------------------------------------------------------


def test_frames_are_numbered_from_1_to_7_and_from_1_again() -> None:
    title = "Frames are numbered from 1 to 7 and from 1 again"
    with playing(without_pauses(OEM[title]), framed) as client:
        client.command("Z")
        assert client.ready()
        client.valve(2)
        assert client.ready()
        client.plunger(300)
        assert client.ready()
        assert client.position() == 300
        assert client.ready()


def test_an_act_that_was_not_heard_is_repeated_with_the_flag() -> None:
    title = "An act that the pump did not hear is repeated, and executed"
    lines = without_pauses(OEM[title])
    # What the driver says is whole; the cable spoils it.
    said = lines[4][1]
    lines[4] = (">", said[:-1] + bytes([said[-1] ^ 1]))
    with playing(lines, framed) as client:
        client.command("Z")
        client.valve(2)
        client.plunger(300)
        assert client.position() == 300


@pytest.mark.parametrize(
    "title", [title for title in OEM if title.startswith(("A pump", "What"))]
)
def test_every_answer_of_a_frame_is_read(title: str) -> None:
    answers = [data for direction, data in OEM[title] if direction == "<"]
    with Peer(lambda came: b"\xff" + answers.pop(0) if came else None) as peer:
        link = Link(peer.path, timeout=0.5)
        link.open()
        client = framed(link)
        for answer in list(answers):
            told = DtAnswer(answer[2] & 15, bool(answer[2] & 32), answer[3:-2].decode())
            assert client.ask("Q") == told
        link.close()


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (b"\x020`\x03\x00", "wrong checksum"),
        (b"\x021`\x03P", "is not an OEM answer"),
        (b"\x020\x10\x03!", "no status byte"),
    ],
)
def test_a_frame_that_cannot_be_read_is_a_bad_reply(answer: bytes, rule: str) -> None:
    with Peer(lambda came: answer if came else None) as peer:
        link = Link(peer.path, timeout=2.0, quiet=0.01)
        link.open()
        with pytest.raises(BadReply, match=rule):
            framed(link).ask("Q")
        link.close()


def test_an_act_is_repeated_once_and_never_after_a_stop() -> None:
    with Peer() as peer:
        link = Link(peer.path, timeout=0.2, quiet=0.05)
        link.open()
        client = framed(link)
        with pytest.raises(LinkTimeout):
            client.act("A300R")
        assert peer.heard == b"\x0211A300R\x03!" + b"\x0219A300R\x03)"
        tell = link.tell

        def overtaken(message: bytes, *, urgent: bool = False) -> None:
            tell(message, urgent=urgent)
            link.interrupt()

        link.tell = overtaken  # type: ignore[method-assign]
        with pytest.raises(LinkTimeout):
            client.act("A600R")
        assert peer.heard.count(b"A600R") == 1
        link.close()


def test_an_invalid_operand_of_an_xlp_is_told_when_it_is_asked() -> None:
    lines = without_pauses(XLP["An invalid operand is told on Q, not at once"])
    with playing(lines, CavroClient) as client:
        client.command("Z")
        client.plunger(6001)
        with pytest.raises(Rejected, match="error 3: invalid operand"):
            client.ready()
        assert client.ready()
        assert client.position() == 0


# -- on a bench --------------------------------------------------------------------


def entry(**more: Any) -> dict[str, Any]:
    valve = {number: name for name, number in VALVE.items()}
    return {"panel": "cavro", "syringe": 1000.0, "ports": 3, "valve": valve, **more}


SPEC = {
    "instruments": {
        "pumps": {"panel": "line", "port": "ports/pumps"},
        "pump": entry(line="pumps", address=1),
        "pump_b": entry(line="pumps", address=15),
        "xlp": entry(port="ports/xlp", model="XLP6000"),
        "oem": entry(port="ports/oem"),
    }
}


@pytest.fixture(scope="module")
def pumps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBench]:
    directory = tmp_path_factory.mktemp("pumps")
    file = directory / "bench.yaml"
    file.write_text(yaml.safe_dump(SPEC, sort_keys=False))
    with running(file, directory, SPEED) as bench:
        yield bench


def moves(bench: RunningBench, name: str) -> list[tuple[str, float]]:
    """What a pump aspirated and dispensed, uL."""
    return [
        (line["event"], sum(line["parts"].values()))
        for line in bench.journal(name)
        if line["event"] in ("aspirated", "dispensed")
    ]


def make(port: str, **more: Any) -> Pump:
    settings = PumpSettings(1000.0, VALVE, **more)
    return Pump("pump", port=port, settings=settings, clock=Clock(SPEED))


@pytest.fixture
def wire(pumps: RunningBench, tmp_path: Path) -> Iterator[tuple[Pump, Cable]]:
    """A prepared pump that talks OEM, on a cable that can be spoiled."""
    with ExitStack() as stack:
        cable = stack.enter_context(Cable(pumps.port("oem"), tmp_path / "oem"))
        pump = make(str(cable.path), framing="oem")
        stack.callback(pump.disconnect)
        pump.connect()
        pump.prepare()
        pump.valve.set("waste").wait(timeout=20)
        yield pump, cable


@pytest.mark.parametrize("how", [dropped, garbled])
def test_an_act_whose_answer_is_lost_is_repeated_and_done_once(
    pumps: RunningBench, wire: tuple[Pump, Cable], how: Any
) -> None:
    pump, cable = wire
    before = len(moves(pumps, "oem"))
    cable.spoil(b"A12000R", how)
    pump.plunger.set(500.0).wait(timeout=20)
    assert cable.heard.count(b"A12000R") == 2
    first, second = (
        frame for frame in cable.heard.split(b"\x02") if b"A12000R" in frame
    )
    assert second[1] == first[1] | 0x08
    assert moves(pumps, "oem")[before:] == [("aspirated", 500.0)]
    pump.plunger.set(0.0).wait(timeout=20)


def test_an_act_that_is_lost_is_repeated_and_done(
    pumps: RunningBench, wire: tuple[Pump, Cable]
) -> None:
    pump, cable = wire
    before = len(moves(pumps, "oem"))
    cable.swallow(b"A12000R")
    pump.plunger.set(500.0).wait(timeout=20)
    assert moves(pumps, "oem")[before:] == [("aspirated", 500.0)]
    pump.plunger.set(0.0).wait(timeout=20)


def test_a_stopped_pump_that_talks_oem_is_initialised_again(
    pumps: RunningBench, wire: tuple[Pump, Cable]
) -> None:
    pump, _ = wire
    pump.speed.set(5.0).wait(timeout=20)
    status = pump.plunger.set(1000.0)
    assert settles(lambda: pump.client.position() > 0)
    pump.stop()
    pump.stop()
    with pytest.raises(Stopped):
        status.wait(timeout=5)
    assert "terminated" in [line["event"] for line in pumps.journal("oem")]
    pump.prepare()
    assert pump.plunger.get() == 0.0


def test_a_pump_that_has_heard_a_frame_does_not_hear_dt(
    wire: tuple[Pump, Cable],
) -> None:
    wire[0].disconnect()
    deaf = make(str(wire[1].path))
    deaf.link.timeout = deaf.link.quiet = 0.05
    with pytest.raises(LinkTimeout, match="/1"):
        deaf.connect()
    deaf.disconnect()


def test_half_of_an_xlps_stroke_is_half_of_its_syringe(pumps: RunningBench) -> None:
    pump = make(pumps.port("xlp"), model="XLP6000")
    assert pump.connect().model == "Cavro XLP 6000"
    pump.prepare()
    pump.valve.set("waste").wait(timeout=20)
    before = len(moves(pumps, "xlp"))
    pump.plunger.set(500.0).wait(timeout=20)
    assert pump.client.position() == 24000
    assert moves(pumps, "xlp")[before:] == [("aspirated", 500.0)]
    pump.plunger.set(0.0).wait(timeout=20)
    pump.disconnect()


@pytest.mark.parametrize(
    ("port", "model", "rule"),
    [
        ("xlp", "XCalibur", r"'\?28' answered '1', which only an XLP6000 knows"),
        ("oem", "XLP6000", "promises an XLP6000"),
    ],
)
def test_a_pump_of_the_other_model_is_refused(
    pumps: RunningBench, port: str, model: Any, rule: str
) -> None:
    if port == "xlp":
        other = make(pumps.port(port), model="XLP6000")
        other.connect()
        other.prepare()
        other.disconnect()
    framing: Any = "oem" if port == "oem" else "dt"
    pump = make(pumps.port(port), model=model, framing=framing)
    with pytest.raises(WrongModel, match=rule):
        pump.connect()
    pump.disconnect()


# -- on one port -------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> LabFiles:
    """The lab of the simulated bench, with a second pump on the port of the first."""
    made = LabFiles.copied(tmp_path)
    made.edit("lab.yaml", "    port: ports/pump\n", FIRST)
    made.edit("lab.yaml", "  spin_coater:\n    driver", SECOND)
    return made


FIRST = "    port: ports/pumps\n    framing: oem\n"
SECOND = """  pump_b:
    driver: cavro_pump
    port: ports/pumps
    framing: oem
    address: 15
    syringe: "1 mL"
    valve: {needle: 1, water: 2, waste: 3}
  spin_coater:
    driver"""


@pytest.fixture
def pair(
    pumps: RunningBench, files: LabFiles, tmp_path: Path
) -> Iterator[tuple[Any, Any, Cable]]:
    """Both pumps of the lab, prepared, on one cable."""
    ports = tmp_path / "ports"
    ports.mkdir()
    with Cable(pumps.port("pumps"), ports / "pumps") as cable:
        lab = load_lab(files.path("lab.yaml"))
        devices = build_devices(lab, Clock(SPEED), tmp_path)
        both = devices["pump"], devices["pump_b"]
        for device in both:
            device.connect()
        for device in both:
            device.prepare()
            device.valve.set("waste").wait(timeout=20)
        yield *both, cable
        for device in both:
            device.disconnect()


def test_two_pumps_on_one_port_act_at_the_same_time(
    pumps: RunningBench, pair: tuple[Any, Any, Cable]
) -> None:
    one, two, _ = pair
    before = len(moves(pumps, "pump")), len(moves(pumps, "pump_b"))
    for volume in (1000.0, 250.0, 0.0):
        moving = one.plunger.set(volume), two.plunger.set(1000.0 - volume)
        for status in moving:
            status.wait(timeout=20)
        assert one.plunger.get() == pytest.approx(volume, abs=0.1)
        assert two.plunger.get() == pytest.approx(1000.0 - volume, abs=0.1)
    assert moves(pumps, "pump")[before[0] :] == [
        ("aspirated", 1000.0), ("dispensed", 750.0), ("dispensed", 250.0),
    ]  # fmt: skip
    assert moves(pumps, "pump_b")[before[1] :] == [
        ("aspirated", 750.0), ("aspirated", 250.0),
    ]  # fmt: skip


def test_one_of_two_pumps_is_stopped_and_the_other_goes_on(
    pair: tuple[Any, Any, Cable],
) -> None:
    one, two, _ = pair
    one.speed.set(5.0).wait(timeout=20)
    stopped, going = one.plunger.set(1000.0), two.plunger.set(500.0)
    assert settles(lambda: one.client.position() > 0)
    one.stop()
    with pytest.raises(Stopped):
        stopped.wait(timeout=5)
    going.wait(timeout=20)
    assert two.plunger.get() == pytest.approx(500.0, abs=0.1)
    one.disconnect()
    assert two.survey()["plunger_uL"] == pytest.approx(500.0, abs=0.1)
    two.plunger.set(0.0).wait(timeout=20)


def test_a_port_that_two_pumps_lost_is_taken_up_by_both(
    pair: tuple[Any, Any, Cable], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("instruments.link.RETURNING", 0.05)
    one, two, cable = pair
    cable.unplug()
    for pump in (one, two):
        with pytest.raises(LinkError):
            pump.client.position()
    cable.plug()
    assert one.survey()["initialised"]
    assert two.survey()["initialised"]
    assert one.link._wire.opened == 2
    one.plunger.set(10.0).wait(timeout=20)
    two.plunger.set(10.0).wait(timeout=20)


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("address: 15", "address: 1", "both have address 1: give each its own"),
        (
            "framing: oem\n    address",
            "address",
            "with framing oem, so it cannot be dt",
        ),
        ("address: 15", "address: 16", "address 16 is outside 1 to 15"),
        ("address: 15", "address: 0", "switch position 0 is address 1"),
        ("address: 15", "address: 2\n    baudrate: 38400", "with baudrate 9600"),
    ],
)
def test_pumps_that_cannot_be_told_apart_are_refused(
    files: LabFiles, old: str, new: str, rule: str
) -> None:
    load_lab(files.path("lab.yaml"))
    files.edit("lab.yaml", old, new)
    with pytest.raises(ConfigError, match=rule):
        load_lab(files.path("lab.yaml"))


def test_other_instruments_do_not_share_a_port(files: LabFiles) -> None:
    files.edit("lab.yaml", "port: ports/spin_coater", "port: ports/pumps")
    with pytest.raises(ConfigError, match="one instrument on one port"):
        load_lab(files.path("lab.yaml"))


def test_two_plates_do_not_share_a_port(files: LabFiles) -> None:
    files.edit("lab.yaml", "port: ports/treat_plate", "port: ports/anneal_plate")
    with pytest.raises(ConfigError, match="one instrument on one port"):
        load_lab(files.path("lab.yaml"))


def test_links_of_other_settings_are_not_put_on_one_wire() -> None:
    slow, fast = Link("port", baudrate=9600), Link("port", baudrate=38400)
    with pytest.raises(ValueError, match="other serial settings"):
        slow.join(fast)


def test_a_bench_with_two_pumps_of_one_address_is_refused(tmp_path: Path) -> None:
    from sims.bench import Bench
    from sims.spec import BadBench

    line = {"panel": "line", "port": "ports/line"}
    one, two = entry(line="line", address=2), entry(line="line", address=2)
    with pytest.raises(BadBench, match=r"two\.address: 2 is that of one on line line"):
        Bench({"instruments": {"line": line, "one": one, "two": two}}, tmp_path)
    with pytest.raises(BadBench, match="there is no 'line' before it"):
        Bench({"instruments": {"one": one}}, tmp_path)
    with pytest.raises(BadBench, match="'two' is not a line"):
        Bench({"instruments": {"two": entry(), "one": entry(line="two")}}, tmp_path)
