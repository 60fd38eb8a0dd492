"""No text from a file can add a command to a link.

Every client that takes a text is given any text: either it is refused and no byte
leaves, or exactly that text leaves in one frame. Names of liquids, slots, steps and
valve ports change no byte at all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instruments.cavro_client import CavroClient
from instruments.cavro_pump import Pump, PumpSettings
from instruments.clock import Clock
from instruments.errors import InstrumentError, Rejected
from instruments.framing import plain
from instruments.grbl_gantry import Gantry, GantrySettings, GrblClient
from instruments.ika_hotplate import IkaClient
from instruments.julabo import JulaboClient
from instruments.link import Link
from instruments.mettler_balance import MtSicsClient
from instruments.odrive_client import ODriveClient
from instruments.plans.dispense import dispense
from instruments.plans.places import Place, Portion
from instruments.scpi import Scpi

DANGEROUS = "\r\n;!\0\x1b\x18\x85\x7f\u2028é"
words = st.text(st.sampled_from("G1X ?:*,") | st.sampled_from(DANGEROUS), max_size=8)
texts = st.one_of(st.text(max_size=20), words)


class Wire(Link):
    """A link that keeps what it is told and answers nothing."""

    def __init__(self) -> None:
        super().__init__("nowhere", name="wire")
        self.told: list[bytes] = []

    def tell(self, message: bytes, *, urgent: bool = False) -> None:
        self.told.append(message)

    def ask(self, question: bytes, *args: Any, **settings: Any) -> bytes:
        self.told.append(question)
        return b"ok"

    def ask_lines(self, question: bytes, *args: Any, **settings: Any) -> list[bytes]:
        self.told.append(question)
        return [b"ok"]

    def settle(self, *args: Any, **settings: Any) -> None:
        """Nothing is on its way here."""


class PumpOnWire(Wire):
    """A link to a pump that is always ready, and at port 7."""

    def ask(self, question: bytes, *args: Any, **settings: Any) -> bytes:
        self.told.append(question)
        return b"/0`" if question == b"/1Q\r" else b"/0`7"


class WiredPump(Pump):
    def make_link(self, port: str) -> Link:
        return PumpOnWire()


SENDERS: dict[str, tuple[Callable[[Wire, str], object], bytes, bytes]] = {
    "cavro": (lambda wire, text: CavroClient(wire).ask(text), b"/1", b"\r"),
    "grbl": (lambda wire, text: GrblClient(wire).line(text), b"", b"\n"),
    "ika question": (lambda wire, text: IkaClient(wire)._ask(text), b"", b" \r\n"),
    "ika order": (lambda wire, text: IkaClient(wire)._tell(text), b"", b" \r\n"),
    "julabo question": (lambda wire, text: JulaboClient(wire)._ask(text), b"", b"\r"),
    "mt-sics": (
        lambda wire, text: MtSicsClient(wire)._ask(text, "S", "S"),
        b"",
        b"\r\n",
    ),
    "odrive question": (lambda wire, text: ODriveClient(wire).read(text), b"r ", b"\n"),
    "odrive order": (
        lambda wire, text: ODriveClient(wire).write(text, 1),
        b"w ",
        b"\n",
    ),
    "scpi question": (lambda wire, text: Scpi(wire).ask(text), b"", b"\n"),
    "scpi order": (lambda wire, text: Scpi(wire).tell(text), b"", b"\n"),
}


@pytest.mark.parametrize("name", SENDERS)
@given(text=texts)
def test_a_text_leaves_as_one_frame_or_not_at_all(name: str, text: str) -> None:
    send, before, after = SENDERS[name]
    wire = Wire()
    refused = False
    try:
        send(wire, text)
    except Rejected:
        refused = not wire.told
    except InstrumentError:
        pass  # the wire answers nonsense, after the text has gone
    harmless = text.isascii() and text.isprintable() and not set(text) & set(";!")
    assert refused is not harmless
    for frame in wire.told:  # a question is asked again: the wire answers nonsense
        assert frame.startswith(before + text.encode("ascii"))
        assert frame.endswith(after)
        inside = frame.removesuffix(after)
        assert not set(inside) & set(b"\r\n;!\0")
    assert bool(wire.told) is harmless


@given(texts)
def test_plain_text_is_printable_and_holds_no_command(text: str) -> None:
    with contextlib.suppress(Rejected):
        assert plain(text, place="link") == text.encode("ascii")
        assert not set(text) & set(DANGEROUS)


@given(texts)
def test_the_name_of_a_valve_port_changes_no_byte(name: str) -> None:
    assert told_for(name) == told_for("port")


def told_for(name: str) -> list[bytes]:
    """Return what turning the valve to a port of that name sends."""
    settings = PumpSettings(1000.0, {name: 7})
    pump = WiredPump("pump", port="nowhere", settings=settings, clock=Clock())
    pump.turn(name).wait(10.0)
    assert isinstance(pump.link, PumpOnWire)
    assert b"/1I7R\r" in pump.link.told
    return pump.link.told


def orders(plan: Any) -> list[tuple[str, Any]]:
    """Return what a plan sets, in order."""
    return [(one.obj.name, one.args) for one in plan if one.command == "set"]


@pytest.fixture(scope="module")
def devices() -> tuple[Gantry, Pump]:
    """A gantry and a pump on links that are not open."""
    travel = GantrySettings((500.0, 400.0, 100.0), 12000.0, (40.0, 0.0))
    valve = PumpSettings(1000.0, {"needle": 1, "water": 2, "waste": 3})
    return (
        Gantry("gantry", port="nowhere", settings=travel, clock=Clock()),
        Pump("pump", port="nowhere", settings=valve, clock=Clock()),
    )


@settings(max_examples=30)
@given(liquid=texts, vial=texts, slot=texts)
def test_the_names_of_liquids_and_places_change_no_order(
    devices: tuple[Gantry, Pump], liquid: str, vial: str, slot: str
) -> None:
    def plan(liquid: str, vial: str, slot: str) -> Any:
        target, source = Place(slot, -1.0, -2.0, -3.0), Place(vial, -4.0, -5.0, -6.0)
        portions = (Portion(liquid, source, 50.0), Portion(liquid, "water", 9.0))
        return dispense(*devices, target=target, portions=portions)

    told = orders(plan(liquid, vial, slot))
    assert told == orders(plan("ink", "shelf", "chuck"))
    assert len(told) > 10
