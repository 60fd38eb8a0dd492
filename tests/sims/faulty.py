"""A desk with one instrument of each dialect, and what each is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.sims.desk import Desk

SLOTS = ("chuck", "anneal", "probe", "optics", "stylus")
INSTRUMENTS: dict[str, dict[str, Any]] = {
    "2700 on the bus": {"panel": "keithley2700"},
    "cavro": {"panel": "cavro", "syringe": 1000.0, "ports": 3},
    "e4980a": {"panel": "e4980a", "cell": {"conductivity_S_cm": 1e-6}},
    "gpib_adapter": {
        "panel": "gpib_adapter",
        "instruments": {16: "2700 on the bus"},
    },
    "grbl": {"panel": "grbl", "start": [-250.0, -200.0, -20.0]},
    "ika": {"panel": "ika", "slot": "anneal"},
    "keithley2400": {
        "panel": "keithley2400",
        "matrix": "keithley2700",
        "slot": "probe",
        "load": 100.0,
    },
    "keithley2700": {"panel": "keithley2700"},
    "new_era": {"panel": "new_era", "syringe": 10000.0, "target": "anneal"},
    "odrive": {"panel": "odrive", "slot": "chuck"},
    "pm100": {"panel": "pm100", "slot": "optics"},
    "relay": {"panel": "relay"},
    "eurotherm": {"panel": "eurotherm"},
    "julabo": {"panel": "julabo"},
    "mettler": {"panel": "mettler", "load": 10.0},
    "profilometer": {"panel": "profilometer", "slot": "stylus", "folder": "drops"},
}
SPEC = {
    "instruments": INSTRUMENTS,
    "slots": {
        name: {"at": [-50.0 * place, 0.0, 0.0]} for place, name in enumerate(SLOTS)
    },
}
WIRED = [
    name for name in INSTRUMENTS if name not in {"profilometer", "2700 on the bus"}
]
QUESTION = {
    "cavro": b"/1?23\r",
    "e4980a": b"*IDN?\n",
    "gpib_adapter": b"++ver\n",
    "grbl": b"$G\n",
    "ika": b"IN_NAME \r\n",
    "keithley2400": b"*IDN?\n",
    "keithley2700": b"*IDN?\n",
    "new_era": b"0VER\r",
    "odrive": b"r vbus_voltage\n",
    "pm100": b"*IDN?\n",
    "relay": b"\xff",
    "eurotherm": b"\x01\x03\x00\x6b\x00\x01\xf5\xd6",
    "julabo": b"version\r",
    "mettler": b"I4\r\n",
}
SAID = {"eurotherm": "read 107 1", "relay": "status"}
"""What the bytes of a question say, where it is no text."""
ANOTHER = {
    "cavro": b"/1?20\r",
    "e4980a": b"*STB?\n",
    "gpib_adapter": b"++addr\n",
    "grbl": b"$I\n",
    "ika": b"IN_SP_3\r\n",
    "keithley2400": b"*STB?\n",
    "keithley2700": b"*STB?\n",
    "new_era": b"0DIA\r",
    "odrive": b"r hw_version_major\n",
    "pm100": b"*STB?\n",
    "relay": b"\xff",
    "eurotherm": b"\x01\x03\x00\x0b\x00\x02\xb5\xc9",
    "julabo": b"in_sp_03\r",
    "mettler": b"I11\r\n",
}
LONG = 1.0
"""Bench seconds in which any of these answers is there."""


class Faulty:
    """Make desks that go wrong by rules, and close them in the end."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.desks: list[Desk] = []

    def __call__(self, *rules: dict[str, Any], seed: int = 0) -> Desk:
        """Return a desk; its gantry has booted, and its pump told that it has."""
        folder = self.directory / str(len(self.desks))
        made = Desk(folder, SPEC | {"faults": list(rules)}, seed)
        self.desks.append(made)
        made.open("grbl")
        made.wait(LONG)
        made.take("grbl")
        made.bench.instruments["new_era"].alarm = ""
        return made

    def answer(self, name: str, question: bytes) -> bytes:
        """Return what an instrument without faults answers."""
        heard = self().ask(name, question, LONG)
        assert heard
        return heard

    def close(self) -> None:
        for one in self.desks:
            one.close()


def faults(desk: Desk, name: str) -> list[str]:
    """Return the kinds of the faults in an instrument's journal."""
    return [one["kind"] for one in desk.journal(name) if one["event"] == "fault"]


def rule(instrument: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"instrument": instrument, "kind": kind, **more}


def panel(desk: Desk, name: str) -> Any:
    return desk.bench.instruments[name]


def only(desk: Desk, name: str, kind: str) -> None:
    assert faults(desk, name) == [kind]
