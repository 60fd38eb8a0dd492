"""What meters and a profilometer do when they are busy, refuse, break or lose power."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.sims.desk import Desk
from tests.sims.faulty import (
    LONG,
    Faulty,
    only,
    panel,
    rule,
)
from tests.sims.film import Film, bring, put

SCPI = ["keithley2400", "keithley2700", "pm100"]


# -- SCPI --------------------------------------------------------------------------


def scpi(desk: Desk, name: str, text: str) -> str:
    return desk.ask(name, f"{text}\n".encode(), LONG).decode().strip()


def error(desk: Desk, name: str) -> int:
    return int(scpi(desk, name, ":SYST:ERR?").partition(",")[0])


@pytest.mark.parametrize("name", SCPI)
def test_a_query_is_never_answered(name: str, faulty: Faulty) -> None:
    desk = faulty(rule(name, "busy", command=r"\*IDN\?"))
    assert scpi(desk, name, "*IDN?") == ""
    desk.wait(1000.0)
    assert scpi(desk, name, "*STB?") == ""
    if name != "pm100":  # it knows no ^C
        desk.ask(name, b"\x03")
        assert scpi(desk, name, "*IDN?") != ""
    only(desk, name, "busy")


def test_only_the_power_switch_helps_a_power_meter(faulty: Faulty) -> None:
    desk = faulty(rule("pm100", "busy"), rule("pm100", "power_cycle"))
    assert scpi(desk, "pm100", "*IDN?") == ""
    assert scpi(desk, "pm100", "*IDN?") == ""
    desk.wait(10.0)
    assert scpi(desk, "pm100", "*IDN?").startswith("THORLABS")


@pytest.mark.parametrize("name", SCPI)
def test_a_refused_query_is_an_error_in_the_queue(name: str, faulty: Faulty) -> None:
    desk = faulty(rule(name, "refuse", command=r"\*IDN\?"))
    assert scpi(desk, name, "*IDN?") == ""
    assert error(desk, name) == -222
    assert error(desk, name) == 0
    assert scpi(desk, name, "*IDN?") != ""


def test_a_refused_command_is_not_done(faulty: Faulty) -> None:
    desk = faulty(rule("keithley2400", "refuse", command=":OUTP ON"))
    scpi(desk, "keithley2400", ":OUTP ON")
    assert scpi(desk, "keithley2400", ":OUTP?") == "0"


def test_an_open_interlock_switches_the_source_off(faulty: Faulty) -> None:
    desk = faulty(rule("keithley2400", "device_fault", command=r":READ\?"))
    scpi(desk, "keithley2400", ":OUTP ON")
    assert scpi(desk, "keithley2400", ":READ?") == ""
    assert error(desk, "keithley2400") == 802
    assert scpi(desk, "keithley2400", ":OUTP?") == "0"
    scpi(desk, "keithley2400", ":OUTP ON")
    assert error(desk, "keithley2400") == 802
    assert desk.events("keithley2400")[-1] == "output off"


def test_a_broken_card_moves_no_relay(faulty: Faulty) -> None:
    desk = faulty(rule("keithley2700", "device_fault", command=r"\*STB\?"))
    scpi(desk, "keithley2700", ":ROUT:MULT:CLOS (@101)")
    assert scpi(desk, "keithley2700", "*STB?") == ""
    assert error(desk, "keithley2700") == -240
    scpi(desk, "keithley2700", ":ROUT:MULT:CLOS (@110)")
    assert error(desk, "keithley2700") == -240
    assert panel(desk, "keithley2700").model.closed == {1}


def test_a_broken_head_reads_nothing(faulty: Faulty) -> None:
    desk = faulty(rule("pm100", "device_fault", command=":MEAS.*"))
    assert scpi(desk, "pm100", ":MEAS:POW?") == ""
    assert error(desk, "pm100") == -240
    assert scpi(desk, "pm100", ":READ?") == ""
    assert error(desk, "pm100") == -240
    assert scpi(desk, "pm100", "*IDN?").startswith("THORLABS")


@pytest.mark.parametrize(
    ("name", "setting", "factory", "changed"),
    [
        ("keithley2400", ":SENS:VOLT:NPLC", 1.0, 5.0),
        ("keithley2700", "*ESE", 0.0, 8.0),
        ("pm100", ":SENS:CORR:WAV", 635.0, 550.0),
    ],
)
def test_without_power_settings_are_forgotten(
    name: str, setting: str, factory: float, changed: float, faulty: Faulty
) -> None:
    desk = faulty(rule(name, "power_cycle", command=r"\*STB\?", seconds=3.0))
    scpi(desk, name, f"{setting} {changed}")
    scpi(desk, name, "*NONSENSE")
    assert float(scpi(desk, name, f"{setting}?")) == changed
    assert scpi(desk, name, "*STB?") == ""
    assert scpi(desk, name, "*IDN?") == ""
    desk.wait(3.0)
    assert float(scpi(desk, name, f"{setting}?")) == factory
    assert error(desk, name) == 0


def test_without_power_the_source_is_off_and_the_relays_are_open(
    faulty: Faulty,
) -> None:
    names = ("keithley2400", "keithley2700")
    desk = faulty(*(rule(name, "power_cycle", command=r"\*STB\?") for name in names))
    scpi(desk, "keithley2400", ":OUTP ON")
    scpi(desk, "keithley2700", ":ROUT:MULT:CLOS (@101,110)")
    for name in names:
        scpi(desk, name, "*STB?")
    assert not panel(desk, "keithley2400").output
    assert panel(desk, "keithley2700").model.closed == set()


# -- profilometer ------------------------------------------------------------------


def scans(faulty: Faulty, kind: str, **more: Any) -> tuple[Desk, list[str]]:
    """Return the desk and what was dropped for two samples, one after the other."""
    desk = faulty(rule("profilometer", kind, **more))
    for name in ("one", "two"):
        put(desk, "stylus", None)
        bring(desk, "stylus", Film(name=name, thickness=80.0))
        desk.wait(100.0)
    folder: Path = panel(desk, "profilometer").folder
    return desk, [path.read_text() for path in sorted(folder.iterdir())]


def whole(text: str) -> bool:
    """Whether every row is two numbers and the end is there."""
    *lines, last = text.splitlines()
    if last != "# end":
        return False
    try:
        for row in lines[6:]:
            _, _ = (float(one) for one in row.split(","))
    except ValueError:
        return False
    return True


def dropped(desk: Desk) -> list[str]:
    journal = desk.journal("profilometer")
    return [one["sample"] for one in journal if one["event"] == "scan dropped"]


@pytest.mark.parametrize(
    ("kind", "more", "samples"),
    [
        ("drop", {}, ["two"]),
        ("delay", {"seconds": 200.0}, ["two"]),
        ("busy", {}, []),
        ("duplicate", {}, ["one", "one", "two"]),
    ],
)
def test_files_are_lost_late_or_twice(
    kind: str, more: dict[str, Any], samples: list[str], faulty: Faulty
) -> None:
    desk, texts = scans(faulty, kind, **more)
    assert dropped(desk) == samples
    assert len(texts) == len(samples)
    assert all(whole(text) for text in texts)
    only(desk, "profilometer", kind)
    desk.wait(200.0)
    assert ("one" in dropped(desk)) == (kind in ("delay", "duplicate"))


@pytest.mark.parametrize("kind", ["garble", "truncate"])
def test_a_file_is_spoiled(kind: str, faulty: Faulty) -> None:
    desk, (first, second) = scans(faulty, kind)
    assert not whole(first)
    assert whole(second)
    assert first.endswith("\n") == (kind == "garble")
    only(desk, "profilometer", kind)


def test_an_old_file_comes_again(faulty: Faulty) -> None:
    desk, (first, second) = scans(faulty, "stale_reply")
    assert whole(first)
    assert second == first
    only(desk, "profilometer", "stale_reply")
