"""A GPIB adapter holds instruments, and disturbs what they say as little as it must."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sims.spec import BadBench
from tests.sims.desk import BLINK, Desk

HELD: dict[str, Any] = {
    "lcr": {"panel": "e4980a", "cell": {"conductivity_S_cm": 1e-6}},
    "2400": {"panel": "keithley2400", "load": 100.0, "baud": 1e7},
}
BUS = {"panel": "gpib_adapter", "instruments": {17: "lcr", 24: "2400"}}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path, {"instruments": {"gpib": BUS, **HELD}})
    say(made, "++auto 0", "++addr 17")
    yield made
    made.close()


def say(desk: Desk, *lines: str, wait: float = BLINK) -> str:
    return desk.ask(
        "gpib", "".join(f"{one}\n" for one in lines).encode(), wait
    ).decode()


def test_an_answer_that_takes_longer_than_the_adapter_waits_is_asked_for_again(
    desk: Desk,
) -> None:
    say(desk, ":TRIG:SOUR BUS", ":FUNC:IMP RX", ":APER LONG,8", ":FREQ 20")
    assert say(desk, "++read_tmo_ms 1000", "*TRG", "++read eoi", wait=1.1) == ""
    assert say(desk, "++read eoi", wait=1.1) == ""
    assert say(desk, "++read eoi", wait=1.1) == ""
    assert say(desk, "++read eoi", wait=1.0).endswith(",+0\n")
    assert say(desk, ":SYST:ERR?", "++read eoi") == '+0,"No error"\n'


def test_the_adapter_hears_nothing_while_it_listens_to_an_instrument(
    desk: Desk,
) -> None:
    say(desk, "++read_tmo_ms 500")
    assert say(desk, "++read eoi", "++ver", wait=0.4) == ""
    assert say(desk, wait=0.2).startswith("Prologix")


def test_a_device_clear_overtakes_a_measurement(desk: Desk) -> None:
    say(desk, ":TRIG:SOUR BUS", ":APER LONG,256", ":FREQ 20", "*TRG")
    assert say(desk, "++clr", "*OPT?", "++read eoi") == "001\n"


def test_read_until_a_character_leaves_the_rest(desk: Desk) -> None:
    assert say(desk, "*IDN?", "++read 44") == "Agilent Technologies,"
    assert say(desk, "++read 44") == "E4980A,"
    assert say(desk, "++read eoi") == "MY46516036,A.02.10\n"


def test_a_plain_read_ends_after_silence(desk: Desk) -> None:
    say(desk, "++read_tmo_ms 300")
    assert say(desk, "*OPT?", "++read", "++ver", wait=0.2) == "001\n"
    assert say(desk, wait=0.2).startswith("Prologix")


def test_each_instrument_keeps_its_own_answer(desk: Desk) -> None:
    assert say(desk, "*OPT?", "++addr 24", "*IDN?", "++read eoi").startswith("KEITHLEY")
    assert say(desk, "++addr 17", "++read eoi") == "001\n"


def test_nobody_is_at_an_empty_address(desk: Desk) -> None:
    assert say(desk, "++addr 5", "*IDN?", "++read eoi", wait=1.0) == ""
    assert say(desk, "++addr 17", "*OPT?", "++read eoi") == "001\n"


def test_a_message_without_any_end_is_never_carried_out(desk: Desk) -> None:
    say(desk, "++eos 3", "++eoi 0", "*OPT?")
    assert say(desk, "++eos 2", "++read eoi", wait=1.0) == ""
    say(desk, "++clr", "++eos 3", "++eoi 1")
    assert say(desk, "*OPT?", "++read eoi") == "001\n"


def test_a_mark_can_be_put_behind_an_answer(desk: Desk) -> None:
    say(desk, "++eot_enable 1", "++eot_char 42")
    assert say(desk, "*OPT?", "++read eoi") == "001\n*"


def test_a_source_meter_on_the_bus_is_read(desk: Desk) -> None:
    say(desk, "++addr 24", "*RST", ":SOUR:FUNC CURR", ":SOUR:CURR:LEV 1E-3", ":OUTP 1")
    said = say(desk, ":SENS:FUNC 'VOLT'", ":READ?", "++read eoi", wait=1.0)
    assert float(said.split(",")[0]) == pytest.approx(0.1, rel=0.01)


def test_settings_out_of_range_are_not_taken(desk: Desk) -> None:
    for line in ("++read_tmo_ms 3001", "++addr 31", "++eos 4"):
        assert say(desk, line) == ""
    assert say(desk, "++read_tmo_ms") == "200\r\n"
    assert say(desk, "++addr") == "17\r\n"
    assert say(desk, "++eos") == "0\r\n"


def test_a_reset_forgets_everything_and_takes_its_time(desk: Desk) -> None:
    say(desk, "++addr 24", "++rst")
    assert say(desk, "++addr", wait=4.0) == ""
    assert say(desk, wait=2.0) == "17\r\n"
    assert say(desk, "++auto") == "1\r\n"


@pytest.mark.parametrize(
    ("instruments", "message"),
    [
        ({31: "lcr"}, "31 is not 0 to 30"),
        ({"a": "lcr"}, "'a' is not a GPIB address"),
        ({5: "ghost"}, "there is no instrument 'ghost'"),
        ({5: "plate"}, "'plate' has no GPIB"),
        ({5: "serial"}, "'serial' has a port of its own"),
        (["lcr"], "expected {17: name}"),
    ],
)
def test_what_cannot_be_on_a_bus_is_refused(
    instruments: object, message: str, tmp_path: Path
) -> None:
    others = HELD | {
        "plate": {"panel": "ika"},
        "serial": {"panel": "keithley2700", "port": "ports/serial"},
    }
    bus = {"panel": "gpib_adapter", "instruments": instruments}
    with pytest.raises(BadBench) as refusal:
        Desk(tmp_path, {"instruments": {"gpib": bus, **others}})
    assert message in str(refusal.value)
