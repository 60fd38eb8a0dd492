"""What can be said to an E4980A; `keysight_e4980a` tells what it means. No threads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from instruments.errors import BadReply, Fault, Restarted
from instruments.link import Identity, Link
from instruments.scpi import Scpi

SAME = 1e-3
"""Part by which a frequency may be rounded."""
STATUSES = {
    -1: "no data",
    0: "normal",
    1: "overload",
    3: "signal source overloaded",
    4: "level not regulated",
}
PERIODS: dict[str, tuple[tuple[float, float], ...]] = {
    "LONG": ((20, 0.48), (100, 0.3), (1e3, 0.24), (1e4, 0.23), (1e5, 0.22)),
    "MED": ((20, 0.38), (100, 0.18), (1e3, 0.11), (1e4, 0.092), (1e5, 0.089)),
    "SHOR": ((20, 0.33), (100, 0.1), (1e3, 0.02), (1e4, 0.0077), (1e5, 0.0057)),
}
"""Hz, and seconds of one reading from there on."""
APERTURES = {"short": "SHOR", "medium": "MED", "long": "LONG"}


@dataclass(frozen=True, slots=True)
class Configuration:
    """How it is to measure: see `keysight_e4980a.AnalyserSettings`."""

    level: float
    aperture: str
    averages: int
    cable_length: int
    open_correction: bool
    short_correction: bool


@dataclass(frozen=True, slots=True)
class Point:
    """Ohm, ohm, and what the instrument says of them."""

    resistance: float
    reactance: float
    status: int

    @property
    def size(self) -> float:
        return math.hypot(self.resistance, self.reactance)


def period(aperture: str, frequency: float) -> float:
    """Return the seconds of one reading, generously.

    Examples
    --------
    >>> period("LONG", 20.0), period("LONG", 500.0), period("SHOR", 1e6)
    (0.48, 0.3, 0.0057)
    """
    times = [took for low, took in PERIODS[aperture] if low <= frequency]
    return times[-1] if times else PERIODS[aperture][0][1]


class E4980aClient:
    """Words on the wire; no threads."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.scpi = Scpi(link)

    def identity(self, model: str) -> Identity:
        return self.scpi.identity(model)

    def options(self) -> list[str]:
        """Return what is built in."""
        return [one.strip() for one in self.scpi.ask("*OPT?").split(",")]

    def configure(self, wanted: Configuration) -> None:
        """Have it wait for triggers, with a small signal and no bias."""
        aperture = f"{APERTURES[wanted.aperture]},{wanted.averages}"
        opened, shorted = wanted.open_correction, wanted.short_correction
        self.scpi.configure(
            (
                "*CLS",
                ":ABOR",
                ":TRIG:SOUR BUS",
                ":INIT:CONT 1",
                ":BIAS:STAT 0",
                ":BIAS:VOLT:LEV 0",
                f":VOLT:LEV {wanted.level:g}",
                ":AMPL:ALC 0",
                ":FUNC:IMP RX",
                ":FUNC:IMP:RANG:AUTO 1",
                f":APER {aperture}",
                ":COMP 0",
                ":FORM ASC",
                ":FORM:ASC:LONG 1",
                ":DISP:PAGE MEAS",
                ":LIST:MODE SEQ",
                f":CORR:LENG {wanted.cable_length}",
                f":CORR:OPEN:STAT {opened:d}",
                f":CORR:SHOR:STAT {shorted:d}",
            ),
            {
                ":TRIG:SOUR?": "BUS",
                ":FUNC:IMP?": "RX",
                ":APER?": aperture,
                ":BIAS:STAT?": "0",
                ":FORM:ASC:LONG?": "1",
                ":CORR:LENG?": f"{wanted.cable_length}",
                ":CORR:OPEN:STAT?": f"{opened:d}",
                ":CORR:SHOR:STAT?": f"{shorted:d}",
            },
        )

    def choose(self, header: str, value: float) -> float:
        """Set a number, and return it as the instrument took it."""
        command = f"{header} {value:.9g}"
        for _ in range(2):
            self.scpi.tell(command)
            right, says = self.scpi.says(f"{header}?", lambda told: same(told, value))
            if right:
                return float(says)
            self.scpi.check(command)
        raise Fault(
            f"{self.link.place}: '{header}?' answered {says!r} after {command!r}"
        )

    def switch(self, header: str, *, on: bool) -> None:
        """Switch something, and see that it is so."""
        self.scpi.configure((f"{header} {on:d}",), {f"{header}?": f"{on:d}"})

    def choose_aperture(self, aperture: str, averages: int) -> None:
        told = f"{APERTURES[aperture]},{averages}"
        self.scpi.configure((f":APER {told}",), {":APER?": told})

    def level_is(self, level: float) -> None:
        """Raise `Restarted` if it has another level (V) than it was told."""
        right, says = self.scpi.says(":VOLT:LEV?", lambda told: same(told, level))
        if not right:
            raise Restarted(
                f"{self.link.place}: has a level of {says} V, not {level:g} V as it was "
                "told: it was switched off"
            )

    def measure(self, timeout: float) -> Point:
        """Measure a point; one that was not answered is measured again."""
        return _point(self.scpi.numbers("*TRG", 3, timeout=timeout), self.link.place)

    def choose_list(self, frequencies: Sequence[float]) -> list[float]:
        """Have triggers measure a list of frequencies; return them as they were taken."""
        self.scpi.tell(":DISP:PAGE LIST")
        command = ":LIST:FREQ " + ",".join(f"{one:.9g}" for one in frequencies)
        self.scpi.tell(command)
        self.scpi.check(":LIST:FREQ")
        taken = self.scpi.numbers(":LIST:FREQ?", len(frequencies))
        wrong = [
            (told, asked)
            for told, asked in zip(taken, frequencies, strict=True)
            if not math.isclose(told, asked, rel_tol=SAME)
        ]
        for told, asked in wrong:
            raise Fault(
                f"{self.link.place}: ':LIST:FREQ?' has {told:g} Hz, not {asked:g} Hz"
            )
        return taken

    def begin_list(self) -> None:
        self.scpi.tell(":TRIG:IMM")

    def fetch_list(self, count: int, timeout: float) -> list[Point]:
        """Return the points of a list, as soon as it has ended."""
        numbers = self.scpi.numbers(":FETC?", 4 * count, timeout=timeout)
        every = range(0, 4 * count, 4)
        return [_point(numbers[at : at + 3], self.link.place) for at in every]

    def leave_list(self) -> None:
        self.scpi.tell(":DISP:PAGE MEAS")

    def learn(self, what: str) -> None:
        """Begin to take what is there for an ``open`` or a ``short`` fixture."""
        self.scpi.tell(":CORR:OPEN" if what == "open" else ":CORR:SHOR")

    def wait(self, timeout: float) -> None:
        """Return when nothing is under way."""
        self.scpi.ask("*OPC?", timeout=timeout)

    def current(self) -> float:
        """Return the d.c. current, A."""
        return self.scpi.number(":FETC:SMON:IDC?")

    def biased(self) -> bool:
        return self.scpi.number(":BIAS:STAT?") != 0

    def stop(self) -> None:
        """Measure no more, with neither bias nor signal; not answered."""
        self.link.tell(
            b":ABOR\n:BIAS:STAT 0\n:BIAS:VOLT:LEV 0\n:VOLT:LEV 0\n", urgent=True
        )


def same(told: str, value: float) -> bool:
    """Whether an instrument told this number, rounded as it rounds."""
    try:
        return math.isclose(float(told), value, rel_tol=SAME, abs_tol=1e-9)
    except ValueError:
        return False


def _point(numbers: Sequence[float], place: str) -> Point:
    resistance, reactance, status = numbers
    if status not in STATUSES:
        raise BadReply(f"{place}: status {status:g} is none of -1, 0, 1, 3, 4")
    return Point(resistance, reactance, int(status))
