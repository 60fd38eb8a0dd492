"""The syringe pump: byte-exact against its transcript, and with bad luck on a bench."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from instruments.clock import Clock
from instruments.errors import (
    BadReply,
    Fault,
    LinkError,
    Rejected,
    Restarted,
    Stopped,
    WrongModel,
)
from instruments.link import Link
from instruments.new_era_framing import digits
from instruments.new_era_pump import NewEraClient, NewEraSettings, SyringePump
from instruments.orders import Infusion
from instruments.plans.evidence import Mark, Outcome, Traces
from instruments.plans.evidence import infuse as judge
from instruments.plans.infuse import infuse
from tests.conftest import RunningBench
from tests.instruments.cable import Cable, dropped, garbled
from tests.instruments.conftest import running
from tests.instruments.peer import Peer
from tests.instruments.test_transcripts import playing, settles
from tests.transcripts import Line, sections

SPEED = 100.0
TOLD = sections("new_era")
SETTINGS = NewEraSettings(diameter=14.43, syringe=10000.0)
ENTRY = {
    "panel": "new_era",
    "port": "ports/syringe_pump",
    "syringe": 10000.0,
    "contents": {"water": 9000.0},
    "target": "beaker",
}
Wire = Callable[..., tuple[SyringePump, Cable]]


def said(title: str) -> list[Line]:
    """Return a section without the pauses, and without its opening words."""
    lines = [line for line in TOLD[title] if line[0] != "."]
    opening = TOLD["Another address is not answered"][:4]
    return lines[4:] if lines[:4] == opening else lines


def basic(link: Link) -> NewEraClient:
    client = NewEraClient(link)
    client.safe = False
    return client


# -- transcripts -------------------------------------------------------------------


def test_an_alarm_is_told_and_the_command_said_again() -> None:
    title = "The first answer after power-up is the reset alarm, and its command is not executed"
    with playing(TOLD[title], NewEraClient) as client:
        with pytest.raises(Restarted, match="alarm R: was switched on"):
            client.guard(0)
        client.guard(0)
        assert client.restarted
        assert client.safe is False


def test_what_a_released_client_says_is_said() -> None:
    with playing(said("What nesp_lib says: 50 uL at 6000 uL/min"), basic) as client:
        assert client.question("VER").data == "NE1000V3.928"
        for word in ("DIA14.43", "DIRINF", "VOLUL", "VOL50", "RAT6000UM", "CLDINF"):
            assert client.question(word).prompt == "S"
        client.run()
        assert client.state() == "I"
        assert client.state() == "S"
        assert client.volumes() == (50.0, 0.0)
        client.halt()


def test_a_pump_is_paused_and_then_reset() -> None:
    lines = said("STP pauses, and a second one resets")
    with playing(lines, basic) as client:
        for word in ("DIA14.43", "VOLUL", "VOL500", "RAT6000UM"):
            client.question(word)
        client.run()
        assert client.command("STP").prompt == "P"
        assert client.state() == "P"
        client.run()
        client.halt()
        assert client.state() == "S"


def test_refusals_are_rejected() -> None:
    with playing(said("What cannot be is refused in the data"), basic) as client:
        client.question("DIA14.43")
        with pytest.raises(Rejected, match=r"\?OOR': out of range"):
            client.question("RAT9000UM")
        for word in ("RAT1UX", "FOO"):
            with pytest.raises(Rejected, match="unknown"):
                client.question(word)
        for word in ("VOLUL", "VOL500", "RAT6000UM"):
            client.question(word)
        client.run()
        with pytest.raises(Rejected, match="not now"):
            client.question("DIA11.99")


def test_in_safe_mode_every_message_is_framed() -> None:
    title = "In safe mode everything is framed, and silence ends it"
    with playing(said(title), basic) as client:
        client.guard(5)
        for word in ("DIA14.43", "VOLUL", "VOL5000", "RAT6000UM"):
            client.question(word)
        client.run()
        assert client.state() == "I"
        with pytest.raises(Fault, match="alarm T: heard nothing"):
            client.state()
        assert client.state() == "S"
        client.guard(0)
        assert client.told("SAF") == (0.0, "")


def test_a_frame_that_was_not_heard_is_a_bad_reply() -> None:
    lines = said("A safe frame whose check is wrong is not obeyed")[2:]
    with playing(lines, NewEraClient) as client:
        client.safe = True
        wrong, refused = lines[:2]
        client.link.tell(wrong[1][:-1])
        # The last byte of the frame, and the answer that it was spoiled.
        client.link.tell(wrong[1][-1:])
        assert client.link.read(b"\x03") == refused[1][:-1]
        assert client.state() == "S"


def test_the_answer_of_another_pump_is_no_answer() -> None:
    with Peer(lambda _: b"\x0201S\x03") as peer:
        link = Link(peer.path, timeout=2.0, quiet=0.01)
        link.open()
        with pytest.raises(BadReply, match="answer of pump 01"):
            basic(link).state()
        link.close()


@pytest.mark.parametrize(
    ("value", "text"), [(50.0, "50"), (14.43, "14.43"), (9999.4, "9999"), (0.5, "0.5")]
)
def test_a_number_has_four_digits_at_most(value: float, text: str) -> None:
    assert digits(value) == text


# -- on a bench --------------------------------------------------------------------


@pytest.fixture(scope="module")
def pumps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBench]:
    directory = tmp_path_factory.mktemp("pumps")
    file = directory / "bench.yaml"
    file.write_text(yaml.safe_dump({"instruments": {"syringe_pump": ENTRY}}))
    with running(file, directory, SPEED) as bench:
        yield bench


@pytest.fixture
def wire(pumps: RunningBench, tmp_path: Path) -> Iterator[Wire]:
    """A prepared pump on a cable that can be spoiled."""
    with ExitStack() as stack:

        def wire_one(settings: NewEraSettings = SETTINGS) -> tuple[SyringePump, Cable]:
            path = tmp_path / "pump"
            cable = stack.enter_context(Cable(pumps.port("syringe_pump"), path))
            pump = SyringePump(
                "pump", port=str(path), settings=settings, clock=Clock(SPEED)
            )
            stack.callback(pump.disconnect)
            pump.connect()
            pump.prepare()
            return pump, cable

        yield wire_one


def poured(bench: RunningBench) -> float:
    return sum(
        line["volume"]
        for line in bench.journal("syringe_pump")
        if line["event"] == "infused"
    )


def test_a_volume_is_infused_in_safe_mode_and_told(
    pumps: RunningBench, wire: Wire
) -> None:
    pump, cable = wire()
    before = poured(pumps)
    pump.infused.set(Infusion(50.0, 10.0)).wait(timeout=20)
    assert poured(pumps) - before == pytest.approx(50.0)
    assert pump.infused.get() == pytest.approx(50.0)
    assert pump.rate.get() == pytest.approx(10.0, rel=1e-3)
    assert b"\x02\x080RUN" in cable.heard  # framed
    assert b"SAF150" in cable.heard  # 1.5 real seconds, on a bench 100 times as fast
    assert cable.heard.endswith(b"0RAT\r0DIS\r")  # basic again


def test_a_volume_is_withdrawn_into_the_syringe(
    pumps: RunningBench, wire: Wire
) -> None:
    pump, _ = wire()
    pump.withdrawn.set(Infusion(100.0, 50.0)).wait(timeout=20)
    assert pump.withdrawn.get() == pytest.approx(100.0)
    assert pumps.journal("syringe_pump")[-1]["event"] == "aspirated"


@pytest.mark.parametrize(
    ("order", "rule"),
    [
        (Infusion(10001.0, 10.0), "10001 uL is outside 0.001 to 10000 uL"),
        (Infusion(float("nan"), 10.0), "volume nan uL"),
        (Infusion(50.0, 140.0), r"rate 140 uL/s is outside .* to 139\.0"),
        (Infusion(50.0, 0.0), "rate 0 uL/s"),
    ],
)
def test_a_value_beyond_a_limit_is_refused_before_the_first_byte(
    order: Infusion, rule: str
) -> None:
    pump = SyringePump("pump", port="/dev/nowhere", settings=SETTINGS, clock=Clock())
    with pytest.raises(Rejected, match=rule):
        pump.infused.set(order)
    pump.stop()


def test_everything_described_has_its_unit() -> None:
    pump = SyringePump("pump", port="/dev/nowhere", settings=SETTINGS, clock=Clock())
    units = {key: one["units"] for key, one in pump.describe().items()}
    assert units == {
        "pump_infused": "uL",
        "pump_withdrawn": "uL",
        "pump_counted": "uL",
        "pump_rate": "uL/s",
    }
    with pytest.raises(LinkError, match="/dev/nowhere"):
        pump.connect()


@pytest.mark.parametrize("how", [dropped, garbled])
@pytest.mark.parametrize("word", [b"RUN", b"RAT", b"DIS", b"SAF150", b"VOL"])
def test_whatever_is_lost_the_volume_is_poured_once(
    pumps: RunningBench, wire: Wire, word: bytes, how: Any
) -> None:
    pump, cable = wire()
    before = poured(pumps)
    cable.spoil(word, how)
    pump.infused.set(Infusion(2000.0, 20.0)).wait(timeout=30)
    assert cable.spoiled == 1
    assert poured(pumps) - before == pytest.approx(2000.0)
    assert cable.heard.count(b"RUN") == 1
    pump.withdrawn.set(Infusion(2000.0, 130.0)).wait(timeout=30)


def test_a_run_that_was_not_heard_is_told_again(
    pumps: RunningBench, wire: Wire
) -> None:
    pump, cable = wire()
    before = poured(pumps)
    cable.swallow(b"RUN")
    pump.infused.set(Infusion(30.0, 20.0)).wait(timeout=30)
    assert poured(pumps) - before == pytest.approx(30.0)


def test_a_stopped_pump_stands_tells_what_it_poured_and_is_prepared_again(
    pumps: RunningBench, wire: Wire
) -> None:
    pump, _ = wire()
    before = poured(pumps)
    status = pump.infused.set(Infusion(5000.0, 1.0))
    assert settles(lambda: pump.client.volumes()[0] > 5.0)
    pump.stop()
    pump.stop()
    with pytest.raises(Stopped):
        status.wait(timeout=5)
    given = poured(pumps) - before
    assert 5.0 < given < 5000.0
    assert pump.survey()["infused_uL"] == pytest.approx(given, abs=0.5)
    with pytest.raises(Rejected, match="prepare it"):
        pump.infused.set(Infusion(5.0, 1.0))
    pump.prepare()
    assert pump.survey() == {
        "state": "at rest",
        "infused_uL": 0.0,
        "withdrawn_uL": 0.0,
    }
    assert poured(pumps) - before == pytest.approx(given)


@pytest.mark.slow
def test_a_cable_that_is_pulled_is_ended_by_the_watchdog(
    pumps: RunningBench, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("instruments.device.RETURN_TIME", 0.5)
    pump, cable = wire()
    status = pump.infused.set(Infusion(5000.0, 1.0))
    assert settles(lambda: pump.client.volumes()[0] > 5.0)
    cable.unplug()
    with pytest.raises(LinkError):
        status.wait(timeout=20)
    assert settles(
        lambda: pumps.journal("syringe_pump")[-1]["event"] == "watchdog", within=10.0
    )
    cable.plug()
    pump.prepare()
    assert pump.survey()["state"] == "at rest"


def test_another_instrument_on_the_port_is_the_wrong_model() -> None:
    with Peer(lambda came: b"\x0200SXX\x03" if came else None) as peer:
        pump = SyringePump("pump", port=peer.path, settings=SETTINGS, clock=Clock())
        with pytest.raises(WrongModel, match="promises a New Era pump"):
            pump.connect()
        pump.disconnect()


@pytest.mark.parametrize("address", [-1, 100])
def test_an_address_that_no_pump_has_is_refused(address: int) -> None:
    with pytest.raises(ValueError, match="outside 0 to 99"):
        NewEraSettings(diameter=14.43, syringe=10000.0, address=address)


# -- in a plan ---------------------------------------------------------------------


def test_a_plan_infuses_and_writes_down_what_was_poured(
    pumps: RunningBench, wire: Wire, run: Callable[[Any], Any]
) -> None:
    pump, _ = wire()
    before = poured(pumps)
    documents = run(infuse(pump, volume=120.0, rate=60.0))
    (read,) = (document["data"] for name, document in documents if name == "event")
    assert read["pump_infused"] == pytest.approx(120.0)
    assert poured(pumps) - before == pytest.approx(120.0)


MARK = Mark("infuse", "begun", at=0.0)


@pytest.mark.parametrize(
    ("marks", "counted", "outcome"),
    [
        ([], 0.0, Outcome.DID_NOT),
        ([MARK], 0.0, Outcome.DID_NOT),
        ([MARK], 60.0, Outcome.PARTLY),
        ([MARK], 119.5, Outcome.HAPPENED),
        ([MARK], None, Outcome.UNKNOWN),
        ([MARK, Mark("infuse", "over", at=1.0)], None, Outcome.HAPPENED),
    ],
)
def test_what_the_pump_counted_says_what_became_of_it(
    marks: list[Mark], counted: float | None, outcome: Outcome
) -> None:
    found = {"syringe_pump": {"infused_uL": counted}}
    traces = Traces({"volume": 120.0, "rate": 60.0}, marks, found, now=2.0)
    assert judge(traces).outcome is outcome
