"""JULABO CF31 circulator, text commands; from its manual and that of the MAGIO.

Commands end in CR, answers in CR LF; upper and lower case are one. What sets is not
answered; what it was refused for stands in the next ``status``, once.

Unverified, chosen here: what comes sooner than 200 ms after an ``out_`` command is not
heard; a set point outside the warning limits is not taken (-13); the watchdog, set in the
menu, stops it after so long without a command, and its alarm goes with the next start or
stop; power is negative while it cools.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sims.models.bath import Bath
from sims.panel import Message, Panel, cut_lines

if TYPE_CHECKING:
    from sims.bench import Bench, Timer

HEATING, COOLING, LEAK = 2.0 / 60.0, 1.0 / 60.0, 7200.0
"""Rates of a bath of 4 L, K/s, and the time of its leak, s; the cooler ... [A]"""
SPREAD = 0.05
"""Standard deviation of the sensor's offset, in K. [A]"""
RIPPLE = 0.01
"""Standard deviation of what the control leaves, in K."""
LOWEST, HIGHEST = -30.0, 200.0
"""Its range, degC."""
DEAF = 0.2
"""Bench seconds after an order in which it hears nothing. [A]"""
THINKING = 0.01
LONGEST_LINE = 64
NUMBER = r"([+-]?\d+(?:\.\d*)?)"
REASONS = {
    -1: "LOW LEVEL ALARM",
    -5: "WORKING SENSOR ALARM",
    -8: "INVALID COMMAND",
    -9: "COMMAND NOT ALLOWED IN CURRENT OPERATING MODE",
    -10: "VALUE TOO SMALL",
    -11: "VALUE TOO LARGE",
    -13: "VALUE EXCEEDS TEMPERATURE LIMITS",
    -1501: "SERIAL WATCHDOG ALARM",
}


class Julabo(Panel):
    """A circulator; settings ``slot``, ``remote``, ``watchdog`` (s), ``room``, ``ripple``."""

    def __init__(self, name: str, bench: Bench, settings: Mapping[str, Any]) -> None:
        super().__init__(name, bench, settings)
        self.baud = float(settings.get("baud", 4800.0))
        self.remote = bool(settings.get("remote", True))
        room = float(settings.get("room", 23.0))
        offset = float(bench.rng(name).normal(0.0, SPREAD))
        self.model = Bath(HEATING, COOLING, LEAK, room=room, truth=room, offset=offset)
        self.model.at = bench.now
        self.model.target = 25.0
        self.warnings = {3: HIGHEST, 4: LOWEST}
        self.alarm = 0
        self._ripple = float(settings.get("ripple", RIPPLE))
        self._reason = 0
        self._deaf_until = -1.0
        self._bytes = b""
        self._watch: Timer | None = None
        if "slot" in settings:
            bench.world.heat_source(settings["slot"], self.temperature)
        self._questions: Mapping[str, Callable[[], str]] = {
            "version": lambda: "JULABO CF31 VERSION 5.0",
            "status": self._status,
            "in_pv_00": self._bath,
            "in_pv_01": lambda: f"{100.0 * self.model.power:.1f}",
            "in_pv_02": self._bath,
            "in_pv_03": self._bath,
            "in_sp_00": lambda: f"{self.model.target:.2f}",
            "in_sp_03": lambda: f"{self.warnings[3]:.2f}",
            "in_sp_04": lambda: f"{self.warnings[4]:.2f}",
            "in_mode_05": lambda: f"{self.model.running:d}",
        }
        self._orders: Mapping[str, Callable[[str], int]] = {
            f"out_sp_00 {NUMBER}": self._set,
            f"out_sp_03 {NUMBER}": lambda text: self._warn(3, text),
            f"out_sp_04 {NUMBER}": lambda text: self._warn(4, text),
            "out_mode_05 ([01])": self._run,
        }

    def temperature(self) -> float:
        """Return the true temperature of the bath, degC."""
        self.model.advance(self.now)
        return self.model.truth

    def receive(self, data: bytes) -> None:
        *lines, self._bytes = re.split(rb"[\r\n]", self._bytes + data)
        self._bytes = self._bytes[-LONGEST_LINE:]
        for line in lines:
            text = " ".join(line.decode("ascii", "replace").lower().split())
            if text and self.now >= self._deaf_until:
                self._obey(text)

    def _obey(self, text: str) -> None:
        self.model.advance(self.now)
        self._wind()
        if text in self._questions:
            self.say(self._questions[text]().encode("ascii") + b"\r\n", THINKING)
            return
        for pattern, order in self._orders.items():
            match = re.fullmatch(pattern, text)
            if match:
                self._deaf_until = self.now + DEAF
                self._reason = order(match[1]) if self.remote else -9
                return
        self._reason = -8

    def _status(self) -> str:
        code, self._reason = self._reason or self.alarm, 0
        if code:
            return f"{code:03d} {REASONS[code]}"
        state = 2 * self.remote + self.model.running
        words = "REMOTE" if self.remote else "MANUAL"
        return f"{state:02d} {words} {'START' if self.model.running else 'STOP'}"

    def _bath(self) -> str:
        ripple = self.bench.rng(f"{self.name}.ripple").normal(0.0, self._ripple)
        return f"{self.model.shown + ripple:.2f}"

    # -- orders: each returns the reason for refusing it, or 0 -----------------------

    def _set(self, text: str) -> int:
        value = float(text)
        if value < LOWEST - 20.0:
            return -10
        if value > HIGHEST + 50.0:
            return -11
        if not self.warnings[4] <= value <= self.warnings[3]:
            return -13
        if self.model.running and value != self.model.target:
            self.note("heater on", set_temperature=value)
        self.model.target = value
        return 0

    def _warn(self, which: int, text: str) -> int:
        value = float(text)
        if not LOWEST <= value <= HIGHEST:
            return -10 if value < LOWEST else -11
        self.warnings[which] = value
        return 0

    def _run(self, text: str) -> int:
        if self.alarm not in (0, -1501):
            return -9
        self.alarm = 0
        self._switch(on=text == "1")
        self._wind()
        return 0

    def _switch(self, *, on: bool) -> None:
        if on != self.model.running:
            self.model.running = on
            shown = round(self.model.shown, 2)
            if on:
                self.note("heater on", set_temperature=self.model.target, shown=shown)
            else:
                self.note("heater off", shown=shown)

    def _wind(self) -> None:
        """Start the watchdog's time anew."""
        if self._watch is not None:
            self._watch.cancel()
        seconds = float(self.settings.get("watchdog", 0.0))
        if seconds and self.model.running:
            self._watch = self.later(seconds, self._bark)

    def _bark(self) -> None:
        self.model.advance(self.now)
        self.note("watchdog", shown=round(self.model.shown, 2))
        self.alarm = -1501
        self._switch(on=False)

    # -- faults --------------------------------------------------------------------

    def cut(self, data: bytes) -> tuple[list[Message], bytes]:
        return cut_lines(data)

    def hang(self, data: bytes) -> None:
        """Heat and cool no more, whatever it is told, until power is cut."""
        self.model.advance(self.now)
        self.model.dead = True
        self.receive(data)

    def refuse(self, data: bytes) -> None:
        """Take no note, and say why when asked for the status."""
        self._reason = -9

    def break_down(self, data: bytes) -> None:
        """Run low of liquid."""
        self.model.advance(self.now)
        self.alarm = -1
        self._switch(on=False)
        self.note("broken", alarm=self.alarm)
        self.receive(data)

    def lose_power(self) -> None:
        self.model.advance(self.now)
        self._switch(on=False)
        self.model.dead = False
        self.alarm = self._reason = 0
        self._bytes = b""
        self._deaf_until = -1.0
        if self._watch is not None:
            self._watch.cancel()
        self.note("power lost")

    def matter(self) -> Any:
        self.model.advance(self.now)
        return self.model.truth, self.model.target

    def place_matter(self, matter: Any) -> None:
        self.model.at = self.now
        self.model.truth, self.model.target = matter


PANEL = Julabo
