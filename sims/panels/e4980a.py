"""Keysight E4980A impedance analyser, SCPI on LAN, USB or GPIB.

From the User's Guide (pages 261, 316) and the dossier of what working clients send. A
reading has three fields, four with the comparator on or in a list sweep. :FETCh? waits
for the measurement under way; triggered by itself (INT) it measures on and on. It knows
no ^C: what is said waits until the measurement before it has ended.

Unverified, chosen here: the question about the level that is not selected is -221; a
list of more than 201 points -223; an open or short correction takes 60 s and learns
whatever is there; corrections outlive a power cut; the operation register's bits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from sims.e4980a_table import (
    CORRECTIONS,
    EXTRA_ERRORS,
    LONG,
    MOST_POINTS,
    OVERLOADED,
    PLAIN,
    SETTINGS,
    SPOTS,
    pair,
    period,
)
from sims.models.impedance_analyser import (
    MOST_AMPERE,
    MOST_VOLT,
    Fixture,
    ImpedanceAnalyser,
    Signal,
    Status,
)
from sims.models.measured_cell import cell_before
from sims.scpi import Command, ScpiError, boolean, choice, number
from sims.scpi_panel import Reply, ScpiPanel, Takes

if TYPE_CHECKING:
    from sims.bench import Bench

LAN = 1e7
"""Bits per second."""
CORRECTION_TIME = 60.0
"""Bench seconds of an open or short correction."""
APERTURES = ["SHORt", "MEDium", "LONG"]
MOST_AVERAGES = 256
DEFAULT_LEVEL = 1.0
SPOT = re.compile(r":CORR(?:ECTION)?:SPOT(\d+):(\w+)", re.IGNORECASE)
LEARNING, SWEEPING, MEASURING = 1, 8, 16
Point = tuple[float, complex, Status]


class E4980a(ScpiPanel):
    """An impedance analyser; settings ``slot`` or ``cell``."""

    identity = "Agilent Technologies,E4980A,MY46516036,A.02.10"
    no_error = '+0,"No error"'
    plus = "+"
    aborts = False
    extra_errors = EXTRA_ERRORS

    def __init__(self, name: str, bench: Bench, settings: Mapping[str, Any]) -> None:
        super().__init__(name, bench, settings)
        self.baud = float(settings.get("baud", LAN))
        cell, temperature = cell_before(bench, name, settings)
        self.model = ImpedanceAnalyser(cell, temperature, bench.rng(name), Fixture())
        self._level = {"VOLT": DEFAULT_LEVEL, "CURR": 0.0}
        self._selected = "VOLT"
        self._aperture, self._averages = "MED", 1
        self._list: list[float] = []
        self._spots: dict[int, float] = {}
        self._data: list[Point] = []
        self._job: Callable[[], None] | None = None
        self._until = self._bias_since = 0.0
        self._armed = self._learning = False
        self._next_step = 0
        self.keep((*SETTINGS, *CORRECTIONS))
        self.add(self._commands())

    def _commands(self) -> Mapping[str, Callable[..., Reply]]:
        return {
            "*OPT?": lambda: "001",
            "*TRG": self._trigger_and_tell,
            ":TRIGger[:IMMediate]": self._trigger,
            ":INITiate[:IMMediate]": self._arm,
            ":ABORt": self.abort,
            ":SYSTem:PRESet": self._preset,
            ":SYSTem:BEEPer[:IMMediate]": lambda: None,
            ":VOLTage[:LEVel]": partial(self._choose_level, "VOLT", MOST_VOLT),
            ":VOLTage[:LEVel]?": partial(self._tell_level, "VOLT"),
            ":CURRent[:LEVel]": partial(self._choose_level, "CURR", MOST_AMPERE),
            ":CURRent[:LEVel]?": partial(self._tell_level, "CURR"),
            ":APERture": self._choose_aperture,
            ":APERture?": lambda: f"{self._aperture},{self._averages}",
            ":LIST:FREQuency": self._choose_list,
            ":LIST:FREQuency?": lambda: ",".join(f"{f:+{LONG}}" for f in self._list),
            ":LIST:CLEar[:ALL]": self._list.clear,
            ":FETCh[:IMPedance][:FORMatted]?": lambda: self._fetch(self._show),
            ":FETCh[:IMPedance]:CORRected?": lambda: self._fetch(self._show_bare),
            ":FETCh:SMONitor:IDC?": self._monitor,
            ":CORRection:OPEN[:EXECute]": lambda: self._learn("open"),
            ":CORRection:SHORt[:EXECute]": lambda: self._learn("short"),
            ":STATus:OPERation[:EVENt]?": lambda: "+0",
            ":STATus:OPERation:CONDition?": self._condition,
        }

    # -- settings ------------------------------------------------------------------

    def changed(self, key: str) -> None:
        if key == "range":
            self.values["range.auto"] = False
        if key == "page":
            self._data = []
        if key in {"bias", "bias.VOLT"}:
            self._bias_since = self.now
            on, volt = self.values["bias"], self.values["bias.VOLT"]
            if on or key == "bias":
                self.note("bias on" if on else "bias off", volt=volt)

    def reset(self) -> Reply:
        kept = {one.key: self.values[one.key] for one in CORRECTIONS}
        super().reset()
        self.values |= kept
        self.abort()
        self._level = {"VOLT": DEFAULT_LEVEL, "CURR": 0.0}
        self._selected = "VOLT"
        self._aperture, self._averages = "MED", 1
        self._list.clear()
        self._data, self._armed, self._next_step = [], False, 0
        return None

    def _preset(self) -> None:
        """Go back to how it left the factory: the corrections are gone."""
        self.reset()
        self.values |= {one.key: one.default for one in CORRECTIONS}
        self._spots.clear()
        self.model.forget_corrections()

    def _choose_level(self, kind: str, most: float, text: str) -> None:
        self._level[kind] = number(text, 0.0, most, 0.0)
        if kind != self._selected:
            self._selected = kind
            self.note("level selected", kind=kind)

    def _tell_level(self, kind: str) -> str:
        if kind != self._selected:
            raise ScpiError(-221)
        return f"{self._level[kind]:+{LONG}}"

    def _choose_aperture(self, mode: str, averages: str = "1") -> None:
        count = round(number(averages, 1, MOST_AVERAGES, 1))
        self._aperture, self._averages = choice(mode, APERTURES), count

    def _choose_list(self, *frequencies: str) -> None:
        if not frequencies:
            raise ScpiError(-109)
        if len(frequencies) > MOST_POINTS:
            raise ScpiError(-223)
        self._list[:] = [number(one, 20.0, 2e6) for one in frequencies]
        self._data, self._next_step = [], 0

    # -- measurements --------------------------------------------------------------

    @property
    def _sweeps(self) -> bool:
        return bool(self.values["page"] == "LIST")

    @property
    def _free(self) -> bool:
        """Whether it triggers itself, on and on."""
        return bool(self.values["source"] == "INT" and self.values["continuous"])

    def _frequencies(self) -> list[float]:
        """Return what a trigger measures, in Hz."""
        if not self._sweeps:
            return [self.values["frequency"]]
        if self.values["list.mode"] == "SEQ" or not self._list:
            return list(self._list)
        step, self._next_step = self._next_step, self._next_step + 1
        return [self._list[step % len(self._list)]]

    def _duration(self, frequencies: list[float]) -> float:
        each = [period(self._aperture, one) for one in frequencies]
        delay = float(self.values["delay"])
        return sum(each) * self._averages + delay * len(each)

    def _signal(self, frequency: float) -> Signal:
        values = self.values
        return Signal(
            frequency=frequency,
            level=self._level[self._selected],
            current=self._selected == "CURR",
            aperture=self._aperture,
            averages=self._averages,
            range=None if values["range.auto"] else values["range"],
            levelled=values["alc"],
            opened=values["open"],
            shorted=values["short"],
        )

    def _begin(self) -> float:
        """Begin to measure; return the bench seconds that it takes."""
        self.check_whole()
        frequencies = self._frequencies()
        signals = [self._signal(one) for one in frequencies]
        took = self._duration(frequencies)

        def finish() -> None:
            if self._job is finish:
                self._job = None
                self._data = [(s.frequency, *self.model.measure(s)) for s in signals]

        self._job, self._until = finish, self.now + took
        self.later(took, finish)
        return took

    def _trigger(self) -> None:
        if self._free or not (self.values["continuous"] or self._armed):
            raise ScpiError(-211)
        self._armed = False
        self._begin()

    def _trigger_and_tell(self) -> Reply:
        if self.values["source"] != "BUS":
            raise ScpiError(-211)
        self._trigger()
        return self._pending(self._show)

    def _arm(self) -> None:
        self._armed = True
        if self.values["source"] == "INT":
            self._armed = False
            self._begin()

    def abort(self) -> None:
        self._job = None

    def _fetch(self, show: Callable[[], str]) -> Reply:
        if self._free and self._job is None:
            self._begin()
        return self._pending(show)

    def _pending(self, show: Callable[[], str]) -> Reply:
        """Tell the data when the measurement under way has ended."""
        if self._job is None:
            return show()

        def ready() -> str:
            if self._job is not None:
                self._job()
            return show()

        return Takes(self._until - self.now, ready)

    def completed(self) -> Reply:
        if self._job is None or self._free:
            return "1"
        return Takes(self._until - self.now, lambda: "1")

    def _condition(self) -> str:
        busy = self._job is not None
        bits = MEASURING * busy | SWEEPING * (busy and self._sweeps)
        return f"{bits | LEARNING * self._learning:+d}"

    # -- answers -------------------------------------------------------------------

    def _show(self) -> str:
        points = self._data or [(1e3, 0j, Status.NO_DATA)] * max(
            1, len(self._list) if self._sweeps else 1
        )
        return ",".join(field for point in points for field in self._fields(point))

    def _fields(self, point: Point) -> list[str]:
        frequency, impedance, status = point
        told = (OVERLOADED, OVERLOADED)
        if status not in {Status.NO_DATA, Status.OVERLOAD}:
            told = self._pair(self.values["function"], impedance, frequency)
        counted = self._sweeps or self.values["comparator"]
        return [*map(self._number, told), status.value, *(["+0"] if counted else [])]

    def _show_bare(self) -> str:
        if not self._data:
            raise ScpiError(-230)
        frequency, impedance, status = self._data[-1]
        told = (OVERLOADED, OVERLOADED)
        if status is not Status.OVERLOAD:
            told = self._pair("RX", impedance, frequency)
        return ",".join(map(self._number, told))

    def _pair(self, function: str, z: complex, frequency: float) -> tuple[float, float]:
        try:
            return pair(function, z, 2.0 * math.pi * frequency)
        except ZeroDivisionError:
            return OVERLOADED, OVERLOADED

    def _number(self, value: float) -> str:
        form = ".9E" if self.values["format.long"] else PLAIN
        return f"{max(-OVERLOADED, min(OVERLOADED, value)):+{form}}"

    def _monitor(self) -> str:
        self.check_whole()
        volt = self.values["bias.VOLT"] if self.values["bias"] else 0.0
        current = self.model.direct_current(volt, self.now - self._bias_since)
        return f"{current:+{PLAIN}}"

    # -- corrections ---------------------------------------------------------------

    def _learn(self, what: str, frequency: float | None = None) -> Reply:
        self._learning = True

        def finish() -> None:
            self._learning = False
            ohm = self.model.learn(what, frequency)
            self.note(f"{what} learned", ohm=round(abs(ohm), 4), frequency=frequency)

        whole = CORRECTION_TIME if frequency is None else period("LONG", frequency)
        return Takes(whole, finish)

    def _do(self, command: Command) -> Reply:
        match = SPOT.fullmatch(command.header)
        if match is None:
            return super()._do(command)
        place, word = int(match[1]), match[2].upper()[:4]
        if not 1 <= place <= SPOTS:
            raise ScpiError(-114)
        return self._spot(place, word, command)

    def _spot(self, place: int, word: str, command: Command) -> Reply:
        """Correct at one frequency of one's own."""
        at = self._spots.get(place, 1e3)
        if word == "FREQ" and command.query:
            return f"{at:+{LONG}}"
        if word == "STAT" and command.query:
            return str(int(place in self._spots))
        if word in {"OPEN", "SHOR"} and not command.query:
            return self._learn("open" if word == "OPEN" else "short", at)
        if command.query or word not in {"FREQ", "STAT"}:
            raise ScpiError(-113)
        if len(command.parameters) != 1:
            raise ScpiError(-109)
        (text,) = command.parameters
        if word == "FREQ":
            self._spots[place] = number(text, 20.0, 2e6)
        elif boolean(text):
            self._spots.setdefault(place, at)
        else:
            self._spots.pop(place, None)
        return None

    # -- power ---------------------------------------------------------------------

    def lose_power(self) -> None:
        super().lose_power()
        self._learning = False

    def matter(self) -> Any:
        return self.model.corrections

    def place_matter(self, matter: Any) -> None:
        self.model.corrections = matter


PANEL = E4980a
