"""Mettler Toledo XS205DU analytical balance, MT-SICS; from its reference manual.

Commands and answers end in CR LF. ``S``, ``Z`` and ``T`` are silent until the weight is
stable; what comes meanwhile is dropped, but for ``@``, which cancels.

Unverified, chosen here: ``S``, ``Z`` and ``T`` give up after 30 s; zero may be set within
2 % of what it carries, and -1 g is underload; a command with a parameter that it has not
is ``EL``; ``@`` and a lost power clear the tare, and neither zeroes; a draft shield takes
2 s, and an internal adjustment 90 s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sims.models.load_cell import LoadCell
from sims.panel import Message, Panel, cut_lines

if TYPE_CHECKING:
    from sims.bench import Bench, Timer

CARRIES = 220.0
"""g"""
UNDER = -1.0
ZERO_RANGE = 0.02 * CARRIES
LEAST_TARE = -0.001
"""g; an empty pan is never quite at zero."""
SERIAL = "B123456789"
MODEL = "XS205DU"
PATIENCE = 30.0
LOOK = 0.25
"""Bench seconds between two looks for stability, and between two weights of SIR."""
DOORS = 2.0
ADJUSTING = 90.0
THINKING = 0.005
LONGEST_LINE = 80
WEIGHT = r"(-?\d+(?:\.\d*)?) (\S+)"
TEXT = r'"([^"]*)"'


class Mettler(Panel):
    """A balance; settings ``slot`` or ``load`` (g), ``noise`` and ``drift`` (mg)."""

    def __init__(self, name: str, bench: Bench, settings: Mapping[str, Any]) -> None:
        super().__init__(name, bench, settings)
        self.baud = float(settings.get("baud", 9600.0))
        self.load = float(settings.get("load", 0.0))
        self.slot = settings.get("slot")
        if self.slot:
            bench.world.slot(self.slot)
        self.model = LoadCell(
            self.mass,
            bench.rng(name),
            noise=float(settings.get("noise", 0.05)) * 1e-3,
            drift=float(settings.get("drift", 0.02)) * 1e-3,
        )
        self.model.at = bench.now
        self.zero = self.tare = 0.0
        self.broken = ""
        self.hung = False
        self._id = ""
        self._bytes = b""
        self._waits: Timer | None = None
        self._repeats: Timer | None = None
        self._adjusts: Timer | None = None
        self._commands: Mapping[str, Callable[..., str | None]] = {
            "@": self._cancel,
            "S": lambda: self._when_stable("S", self._net),
            "SI": self._net,
            "SIR": self._repeat,
            "Z": lambda: self._when_stable("Z", self._zero_set),
            "ZI": lambda: self._zero_set("ZI"),
            "T": lambda: self._when_stable("T", self._tare_set),
            "TI": lambda: self._tare_set("TI"),
            "TA": lambda: f"TA A {weight(self.tare)}",
            f"TA {WEIGHT}": self._preset,
            "TAC": self._clear,
            "I1": lambda: 'I1 A "0123" "2.30" "2.22" "2.33" "2.20"',
            "I2": lambda: f'I2 A "{MODEL} Excellence {CARRIES:.4f} g"',
            "I3": lambda: 'I3 A "3.10 10.28.0.493.142"',
            "I4": lambda: f'I4 A "{SERIAL}"',
            "I10": lambda: f'I10 A "{self._id}"',
            f"I10 {TEXT}": self._name,
            "I11": lambda: f'I11 A "{MODEL}"',
            f"D {TEXT}": lambda _: "D A",
            "DW": lambda: "DW A",
            "C3": self._adjust,
            r"M21 0 (\d+)": lambda unit: "M21 A" if unit == "0" else "M21 L",
            r"WS (\d+)": self._doors,
            "I0": self._list,
        }

    def mass(self) -> float:
        """Return what lies on the pan, g."""
        return self.load + (self.bench.world.mass_in(self.slot) if self.slot else 0.0)

    # -- lines ---------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        *lines, self._bytes = re.split(rb"[\r\n]", self._bytes + data)
        self._bytes = self._bytes[-LONGEST_LINE:]
        for line in lines:
            if line.strip():
                self._hear(line.strip())

    def _hear(self, line: bytes) -> None:
        self.model.advance(self.now)
        if self.hung:
            return
        if not line.isascii():
            self._tell("ET")
            return
        text = line.decode("ascii")
        if self._waits is not None and text != "@":
            return  # it may mix up or drop commands, and drops them
        if self._repeats is not None:
            self._repeats.cancel()
            self._repeats = None
        self._obey(text)

    def _obey(self, text: str) -> None:
        for pattern, call in self._commands.items():
            match = re.fullmatch(pattern, text)
            if match:
                answer = call(*match.groups())
                if answer is not None:
                    self._tell(answer)
                return
        word = text.split(" ", maxsplit=1)[0]
        about = [one for one in self._commands if one.split(" ")[0] == word]
        wanted = any(" " in one for one in about)
        self._tell(f"{word} L" if wanted else "EL" if about else "ES")

    def _tell(self, answer: str) -> None:
        self.say(f"{answer}\r\n".encode("ascii"), THINKING)

    # -- weights -------------------------------------------------------------------

    def _gross(self) -> float:
        return self.model.reading() - self.zero

    def _beyond(self) -> str:
        """Return ``+`` or ``-`` where the load is beyond the range."""
        gross = self.model.load() - self.zero
        return "+" if gross > CARRIES else "-" if gross < UNDER else ""

    def _net(self, word: str = "S") -> str:
        if self.broken:
            return f"S S {self.broken}"
        if self._adjusts is not None:
            return f"{word} I"
        if beyond := self._beyond():
            return f"{word} {beyond}"
        letter = "S" if self.model.stable else "D"
        return f"{word} {letter} {weight(self._gross() - self.tare)}"

    def _zero_set(self, word: str) -> str:
        if self._adjusts is not None or self.broken:
            return f"{word} I"
        reading = self.model.reading()
        if abs(reading) > ZERO_RANGE:
            return f"{word} {'+' if reading > 0.0 else '-'}"
        self.zero, self.tare = reading, 0.0
        self.note("zeroed", gram=round(reading, 6))
        if word == "Z":
            return "Z A"
        return f"{word} {'S' if self.model.stable else 'D'}"

    def _tare_set(self, word: str) -> str:
        if self._adjusts is not None or self.broken:
            return f"{word} I"
        if beyond := self._beyond():
            return f"{word} {beyond}"
        gross = self._gross()
        if gross < LEAST_TARE:
            return f"{word} -"
        self.tare = gross
        self.note("tared", gram=round(gross, 6))
        return f"{word} {'S' if self.model.stable else 'D'} {weight(gross)}"

    def _preset(self, text: str, unit: str) -> str:
        if unit != "g" or not 0.0 <= float(text) <= CARRIES:
            return "TA L"
        self.tare = float(text)
        return f"TA A {weight(self.tare)}"

    def _clear(self) -> str:
        self.tare = 0.0
        return "TAC A"

    def _when_stable(self, word: str, answer: Callable[[str], str]) -> str | None:
        """Answer as soon as the weight is stable, or that it cannot."""
        if self._adjusts is not None or self.broken:
            return answer(word)
        self._look(word, answer, self.now + PATIENCE)
        return None

    def _look(self, word: str, answer: Callable[[str], str], until: float) -> None:
        self._waits = None
        self.model.advance(self.now)
        if self.model.stable or self._beyond():
            self._tell(answer(word))
        elif self.now >= until:
            self._tell(f"{word} I")
        else:
            self._waits = self.later(LOOK, lambda: self._look(word, answer, until))

    def _repeat(self) -> None:
        self.model.advance(self.now)
        self._tell(self._net())
        self._repeats = self.later(LOOK, self._repeat)

    # -- all else ------------------------------------------------------------------

    def _cancel(self) -> str:
        """Forget what it was doing, and the tare."""
        self._rest()
        return f'I4 A "{SERIAL}"'

    def _rest(self) -> None:
        for timer in (self._waits, self._repeats, self._adjusts):
            if timer is not None:
                timer.cancel()
        self._waits = self._repeats = self._adjusts = None
        self.tare = 0.0

    def _adjust(self) -> str:
        if self._adjusts is not None or self.broken:
            return "C3 I"
        self._adjusts = self.later(ADJUSTING, self._adjusted)
        return "C3 B"

    def _adjusted(self) -> None:
        self._adjusts = None
        self.note("adjusted")
        self._tell("C3 A")

    def _doors(self, which: str) -> str | None:
        if which not in ("0", "1", "2"):
            return "WS L"

        def done() -> None:
            self.model.advance(self.now)
            self.model.open = which != "0"
            self._waits = None
            self._tell("WS A")

        self._waits = self.later(DOORS, done)
        return None

    def _name(self, text: str) -> str:
        self._id = text
        return "I10 A"

    def _list(self) -> None:
        words = list(dict.fromkeys(one.split(" ")[0] for one in self._commands))
        for place, word in enumerate(words):
            letter = "A" if place == len(words) - 1 else "B"
            self._tell(f'I0 {letter} {0 if len(word) < 3 else 1} "{word}"')

    # -- faults --------------------------------------------------------------------

    def cut(self, data: bytes) -> tuple[list[Message], bytes]:
        return cut_lines(data)

    def hang(self, data: bytes) -> None:
        """Answer nothing any more, until power is cut."""
        self.hung = True

    def refuse(self, data: bytes) -> None:
        self._tell("EL")

    def break_down(self, data: bytes) -> None:
        """Show an error of the electronics instead of a weight."""
        self.broken = "Error 10b"
        self.note("broken", display=self.broken)
        self.receive(data)

    def lose_power(self) -> None:
        self._rest()
        self.hung, self.broken, self._bytes = False, "", b""
        self.note("power lost")

    def get_power(self) -> None:
        self._tell(f'I4 A "{SERIAL}"')

    def matter(self) -> Any:
        return self.zero, self.load

    def place_matter(self, matter: Any) -> None:
        self.model.at = self.now
        self.zero, self.load = matter


def weight(value: float) -> str:
    """Return a weight as ten characters, a blank and the unit.

    >>> weight(10.0), weight(-0.00004)
    ('   10.0000 g', '    0.0000 g')
    """
    return f"{round(value, 4) + 0.0:10.4f} g"


PANEL = Mettler
