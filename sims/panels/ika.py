"""IKA C-MAG HS 7 control hotplate stirrer, NAMUR commands.

From its operating instructions. Commands and answers end in blank CR LF; the blank may
be left out in commands. It speaks only when asked, never about faults; an unknown
command or a malformed number is ignored without a word.

Unverified, chosen here: without a probe ``IN_PV_1`` shows the plate's own sensor; a set
temperature above the limit (50 K below the safety circuit) is ignored; ``RESET`` and a
new ``START`` end the Er 2 of watchdog 1. A watchdog is fed by sending it again only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sims.models.plate import Plate
from sims.panel import Message, Panel, cut_lines

if TYPE_CHECKING:
    from sims.bench import Bench

SPREAD = 2.0
"""Standard deviation of a plate's offset between display and truth, in K."""
SAFETY = 360.0
BELOW_SAFETY = 50.0
FASTEST = 1500.0
WATCHDOG = (20.0, 1500.0)
THINKING = 0.02
"""Bench seconds from a question to the answer. [A]"""
LONGEST_LINE = 80
BROKEN = "Er 4"
"""What the display says when only the power switch helps. [A]"""
NUMBER = r"([+-]?\d+(?:\.\d*)?)"


class Ika(Panel):
    """A hotplate; settings ``slot`` that it heats and ``safety`` (degC)."""

    def __init__(self, name: str, bench: Bench, settings: Mapping[str, Any]) -> None:
        super().__init__(name, bench, settings)
        self.baud = float(settings.get("baud", 9600.0))
        self.model = Plate(offset=float(bench.rng(name).normal(0.0, SPREAD)))
        self.model.at = bench.now
        self.safety = float(settings.get("safety", SAFETY))
        self._safe_temperature = 0.0
        self._safe_speed = 0.0
        self._watch: dict[int, tuple[float, object]] = {}
        self._error = ""
        self._bytes = b""
        if "slot" in settings:
            bench.world.heat_source(settings["slot"], self.temperature)
        self._commands: tuple[
            tuple[re.Pattern[str], Callable[..., str | None]], ...
        ] = (*((re.compile(text), call) for text, call in self._table().items()),)

    def _table(self) -> Mapping[str, Callable[..., str | None]]:
        plate = self.model
        return {
            "IN_NAME": lambda: "C-MAG HS7",
            "IN_PV_1": lambda: f"{plate.shown:.1f} 1",
            "IN_PV_2": lambda: f"{plate.shown:.1f} 2",
            "IN_PV_4": lambda: f"{abs(plate.speed):.1f} 4",
            "IN_PV_5": lambda: "0.0 5",
            "IN_SP_1": lambda: f"{plate.target:.1f} 1",
            "IN_SP_3": lambda: f"{self.safety:.1f} 3",
            "IN_SP_4": lambda: f"{plate.target_speed:.1f} 4",
            f"OUT_SP_1 {NUMBER}": self._set_temperature,
            f"OUT_SP_4 {NUMBER}": self._set_speed,
            "START_1": lambda: self._heat(on=True),
            "STOP_1": lambda: self._heat(on=False),
            "START_4": lambda: self._stir(on=True),
            "STOP_4": lambda: self._stir(on=False),
            "RESET": self._reset,
            "SET_MODE_[ABD]": lambda: None,
            f"OUT_SP_12@{NUMBER}": self._set_safe_temperature,
            f"OUT_SP_42@{NUMBER}": self._set_safe_speed,
            rf"OUT_WD([12])@{NUMBER}": self._arm,
        }

    def temperature(self) -> float:
        """Return the true temperature of the plate, degC."""
        self.model.advance(self.now)
        return self.model.truth

    def receive(self, data: bytes) -> None:
        *lines, self._bytes = re.split(rb"[\r\n]", self._bytes + data)
        self._bytes = self._bytes[-LONGEST_LINE:]
        for line in lines:
            text = line.decode("ascii", "replace").strip()
            if text and len(line) <= LONGEST_LINE:
                self._obey(text)

    # -- faults --------------------------------------------------------------------

    def cut(self, data: bytes) -> tuple[list[Message], bytes]:
        return cut_lines(data)

    def hang(self, data: bytes) -> None:
        """Heat no more, whatever it is told: the element is dead until power is cut."""
        self.model.advance(self.now)
        self.model.dead = True
        self.receive(data)

    def refuse(self, data: bytes) -> None:
        """Take no note: that is how it refuses."""

    def break_down(self, data: bytes) -> None:
        """Stop for good; only the display says so."""
        self.receive(data)
        self._stop(BROKEN)
        self.note("broken", display=BROKEN)

    def lose_power(self) -> None:
        self._stop("")
        self._watch.clear()
        self._bytes = b""
        self._safe_temperature = self._safe_speed = 0.0
        self.model.target = self.model.target_speed = 0.0
        self.model.dead = False
        self.note("power lost")

    def matter(self) -> Any:
        self.model.advance(self.now)
        return self.model.truth

    def place_matter(self, matter: Any) -> None:
        self.model.at, self.model.truth = self.now, matter

    def _stop(self, error: str) -> None:
        self.model.advance(self.now)
        self._heat(on=False)
        self._stir(on=False)
        self._error = error

    def _obey(self, text: str) -> None:
        self.model.advance(self.now)
        for pattern, call in self._commands:
            match = pattern.fullmatch(text)
            if match:
                answer = call(*match.groups())
                if answer is not None:
                    self.say(f"{answer} \r\n".encode("ascii"), THINKING)
                return

    # -- heater and motor ----------------------------------------------------------

    def _set_temperature(self, text: str) -> None:
        value = float(text)
        if not 0.0 <= value <= self.safety - BELOW_SAFETY:
            return
        if self.model.heating and value != self.model.target:
            self.note("heater on", set_temperature=value)
        self.model.target = value

    def _set_speed(self, text: str) -> None:
        if 0.0 <= float(text) <= FASTEST:
            self.model.target_speed = float(text)

    def _heat(self, *, on: bool) -> None:
        if on and self._error == BROKEN:
            return
        self._error = "" if on else self._error
        if on != self.model.heating:
            self.model.heating = on
            shown = round(self.model.shown, 1)
            if on:
                self.note("heater on", set_temperature=self.model.target, shown=shown)
            else:
                self.note("heater off", shown=shown)

    def _stir(self, *, on: bool) -> None:
        if on and self._error == BROKEN:
            return
        self._error = "" if on else self._error
        if on != self.model.stirring:
            self.model.stirring = on
            facts = {"set_speed": self.model.target_speed} if on else {}
            self.note("motor on" if on else "motor off", **facts)

    def _reset(self) -> None:
        """Go back to local operation."""
        self._heat(on=False)
        self._stir(on=False)
        self._error = self._error if self._error == BROKEN else ""

    # -- watchdogs -----------------------------------------------------------------

    def _set_safe_temperature(self, text: str) -> str | None:
        if not 0.0 <= float(text) <= self.safety - BELOW_SAFETY:
            return None
        self._safe_temperature = float(text)
        return text

    def _set_safe_speed(self, text: str) -> str | None:
        if not 0.0 <= float(text) <= FASTEST:
            return None
        self._safe_speed = float(text)
        return text

    def _arm(self, which: str, text: str) -> str | None:
        seconds = float(text)
        number = int(which)
        if number == 2 and seconds == 0.0:
            self._watch.pop(2, None)
            return text
        if not WATCHDOG[0] <= seconds <= WATCHDOG[1]:
            return None
        self._watch[number] = (seconds, object())
        self._wind(number)
        return text

    def _wind(self, number: int) -> None:
        """Start a watchdog's time anew."""
        seconds, _ = self._watch[number]
        token = object()
        self._watch[number] = (seconds, token)

        def bark() -> None:
            if self._watch.get(number, (0.0, None))[1] is token:
                del self._watch[number]
                self._bark(number)

        self.later(seconds, bark)

    def _bark(self, number: int) -> None:
        self.model.advance(self.now)
        self.note(f"watchdog {number}", shown=round(self.model.shown, 1))
        if number == 1:
            self._stop(self._error if self._error == BROKEN else "Er 2")
        else:
            self.model.target = self._safe_temperature
            self.model.target_speed = self._safe_speed
            if self.model.heating:
                self.note("heater on", set_temperature=self.model.target)


PANEL = Ika
