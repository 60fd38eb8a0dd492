"""Which faults the bench tries: one cell for each kind that a driver can meet.

Pure. Every driver has two telling commands: an *act*, which moves something or sets it,
and a *question*. A fault of the wire hits what is said (`side: command`) and what is
answered (`side: reply`); the others are what an instrument does.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from orchestrator.config.forms import FaultKind

KINDS: tuple[str, ...] = get_args(FaultKind)
WIRE = (
    *("drop", "delay", "garble", "truncate", "duplicate"),
    *("wrong_checksum", "disconnect"),
)
"""Kinds that hit one side of the wire."""
LASTING = ("busy", "device_fault")
"""Kinds that leave an instrument unfit until a person has seen to it."""
AWAY: Mapping[str, float] = {"delay": 3.0, "disconnect": 1.0, "power_cycle": 1.0}
"""Real seconds that a fault lasts: longer than an answer is waited for, or shorter than
a port is tried to be opened again."""

CHECKSUMS = ("odrive_spin_coater", "eurotherm_3216")
"""Drivers whose messages have a checksum; a Cavro could, but is not spoken to so."""
FOLDER = "profilometer_folder"
ON_FILES = ("drop", "delay", "garble", "truncate", "duplicate", "stale_reply", "busy")
"""What can befall the files of a program without a wire."""


@dataclass(frozen=True, slots=True)
class Command:
    """A message that a driver sends in every campaign.

    ``pattern``: the whole message. ``answered``: whether the instrument says anything.
    ``spread``: a fault hits one of so many of them, drawn from the seed.
    """

    pattern: str
    answered: bool = True
    spread: int = 1


COMMANDS: Mapping[str, tuple[Command, ...]] = {
    "cavro_pump": (Command(r"A\d+R", spread=4), Command("Q", spread=12)),
    "grbl_gantry": (Command("G53 .*", spread=20), Command("M[78]", spread=4)),
    "odrive_spin_coater": (
        Command(r"w axis0\.controller\.input_vel [1-9].*", answered=False),
        Command("f 0", spread=6),
    ),
    "relay": (
        Command("010[01]", answered=False, spread=2),
        Command("status", spread=6),
    ),
    "ika_hotplate": (
        Command("START_1", answered=False),
        Command("IN_PV_[12]", spread=6),
    ),
    "eurotherm_3216": (
        Command(r"write 26 \d+"),
        Command("read 1 5", spread=6),
    ),
    "julabo": (
        Command("out_mode_05 1", answered=False),
        Command(r"in_pv_0[02]", spread=6),
    ),
    "mettler_balance": (Command("SI", spread=4), Command("TA", spread=4)),
    "keysight_e4980a": (
        Command(":TRIG:IMM", answered=False, spread=2),
        Command(r":FETC\?", spread=2),
    ),
    "keithley_2400": (
        Command(":OUTP:STAT 1", answered=False),
        Command(r":READ\?", spread=4),
    ),
    "keithley_2700": (
        Command(r":ROUT:MULT:CLOS \(.*", answered=False, spread=3),
        Command(r":ROUT:MULT:CLOS\?", spread=3),
    ),
    "thorlabs_pm100": (Command(r"READ\?", spread=2),),
    FOLDER: (Command("scan"),),
}
"""Driver → its act and its question, or the one command that it has in a campaign."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One fault at one message of one instrument; without a kind: no fault at all."""

    driver: str = ""
    instrument: str = ""
    kind: str = ""
    side: str = ""
    command: str = ""
    after: int = 0

    def __str__(self) -> str:
        if not self.kind:
            return "no fault"
        side = f", {self.side}" if self.side else ""
        return f"{self.instrument}: {self.kind}{side} at {self.command}"

    @property
    def lasting(self) -> bool:
        """Whether a campaign may stop for it until a person has seen to it."""
        return self.kind in LASTING

    def rule(self, speed: float) -> dict[str, Any]:
        """Return the fault as a bench is told, at ``speed`` lab seconds per second."""
        rule: dict[str, Any] = {
            "instrument": self.instrument,
            "kind": self.kind,
            "command": self.command,
            "after": self.after,
        }
        if self.kind in AWAY and self.driver != FOLDER:
            rule["seconds"] = AWAY[self.kind] * speed
        if self.side:
            rule["side"] = self.side
        return rule


def can_have(driver: str, kind: str) -> bool:
    """Return whether a kind of fault exists for a driver."""
    if driver == FOLDER:
        return kind in ON_FILES
    return kind != "wrong_checksum" or driver in CHECKSUMS


def cells(
    instruments: Mapping[str, str],
    kinds: Iterable[str],
    seed: int,
    *,
    thorough: bool = False,
) -> list[Cell]:
    """Return the cells of a table.

    Parameters
    ----------
    instruments:
        Instrument → its driver; the first of each driver stands for it.
    kinds:
        The kinds of fault.
    seed:
        Says which of several such messages is hit.
    thorough:
        Whether both commands of a driver are hit, or only the more telling one.
    """
    first: dict[str, str] = {}
    for instrument, driver in instruments.items():
        if driver in COMMANDS:
            first.setdefault(driver, instrument)
    found = []
    for kind in kinds:
        for driver, instrument in first.items():
            if can_have(driver, kind):
                for side, command in _targets(driver, kind, thorough=thorough):
                    chance = random.Random(f"{seed} {driver} {kind} {side}")
                    after = chance.randrange(command.spread)
                    found.append(
                        Cell(driver, instrument, kind, side, command.pattern, after)
                    )
    return found


def _targets(
    driver: str, kind: str, *, thorough: bool
) -> Iterator[tuple[str, Command]]:
    """Yield sides and commands: the act, unless there must be an answer to hit."""
    both = kind in WIRE and driver != FOLDER
    for side in ("command", "reply") if both else ("",):
        hits_answer = kind == "stale_reply" or (
            side == "reply" and kind != "disconnect"
        )
        commands = [one for one in COMMANDS[driver] if one.answered or not hits_answer]
        for command in commands if thorough else commands[:1]:
            yield side, command
