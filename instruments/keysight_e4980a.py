r"""Impedance analyser: Keysight/Agilent E4980A (User's Guide p. 261, 316), SCPI.

Reached over its LAN socket, ``port: socket://host:5025``, or over GPIB with an adapter
on a serial port (``gpib_address``, see `instruments.gpib`); it has no RS-232. Messages
end in ``\n`` both ways.

================================  =================  ==================================
``*IDN?``, ``*OPT?``              ``...``, ``001``   who is there; 001: bias to 40 V
``:TRIG:SOUR BUS``                no answer          it measures when it is told
``:INIT:CONT 1``                  no answer          and waits for the next trigger
``:VOLT:LEV <V>``                 no answer          signal; ``?`` asks
``:AMPL:ALC 0``                   no answer          level not regulated
``:FUNC:IMP RX``                  no answer          R and X, ohm
``:FUNC:IMP:RANG:AUTO 1``         no answer
``:APER LONG,<n>``                no answer          SHOR, MED, LONG; averages 1 to 256
``:COMP 0``                       no answer          no bin number behind a reading
``:FORM ASC``                     no answer
``:FORM:ASC:LONG 1``              no answer          ten digits
``:CORR:LENG <m>``                no answer          cable 0, 1, 2 or 4 m
``:CORR:OPEN``, ``:CORR:SHOR``    no answer          learns it, about a minute each
``:CORR:OPEN:STAT 1``, ``SHOR``   no answer          whether it is used; ``?`` asks
``:BIAS:VOLT:LEV <V>``            no answer          d.c. voltage; ``?`` asks
``:BIAS:STAT 1``                  no answer          whether it is on; ``?`` asks
``:FREQ <Hz>``                    no answer          20 Hz to 2 MHz; ``?`` asks
``*TRG``                          ``<R>,<X>,<s>``    measures; status -1, 0, 1, 3, 4
``:DISP:PAGE LIST``, ``MEAS``     no answer          list sweep, or point
``:LIST:MODE SEQ``                no answer          one trigger, all points
``:LIST:FREQ <Hz>,...``           no answer          at most 201; ``?`` asks
``:TRIG:IMM``                     no answer          begins a list
``:FETC?``                        4 numbers a point  waits for its end: R, X, status, bin
``:FETC:SMON:IDC?``               ``<A>``            d.c. current, option 001
``:ABOR``                         no answer          forgets the measurement under way
``:SYST:ERR?``                    ``+0,"No error"``  takes one error from the queue
================================  =================  ==================================

Status: -1 no data and +1 overload, both with 9.9E37 for data; +3 signal source
overloaded and +4 level not regulated, with real data. A reading is passed on with its
status as it is; a sweep says in the log which points were not normal.

Never ``*RST``: it puts 1 V on the cell and measures on and on. Corrections outlive it,
and are erased by ``:SYST:PRES``. Switched on anew it does the same as after ``*RST``;
that is noticed before each measurement by its level.

Safe state: no measurement, no bias, level 0. The instrument hears a stop when the point
under way has ended: after 0.5 s per average at most; over GPIB at once.

Unverified on hardware: the times of a point; that ``:LIST:FREQ`` forgets the data of the
list before; the monitor of the d.c. current; ``:COMP 0`` and ``:FORM:ASC:LONG`` in the
firmware of AL models.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from ophyd import Component, Kind
from ophyd.status import DeviceStatus

from instruments.device import Instrument
from instruments.e4980a_client import (
    APERTURES,
    STATUSES,
    Configuration,
    E4980aClient,
    Point,
    period,
)
from instruments.errors import Fault, Rejected, WrongModel
from instruments.framing import within
from instruments.gpib import GpibLink
from instruments.link import Identity, Link
from instruments.scpi import ANSWERING, scpi_link
from instruments.signals import ReadBack, Verb

LOWEST, HIGHEST = 20.0, 2e6
MOST_POINTS, MOST_AVERAGES = 201, 256
READING_TIME = 2.0
"""Real seconds for the answer to a reading beside its measurement."""
LEARNING, LEARNT_WITHIN = 60.0, 240.0
"""Seconds of a correction, and those after which it is given up."""
REFERENCE = 1e3
"""Hz at which it is seen whether the fixture is open, or shorted."""
OPEN_ABOVE, SHORT_BELOW = 1e7, 10.0
"""ohm at `REFERENCE`."""
BETTER = 2.0
"""What is left of an open or a shorted fixture is smaller by this, once corrected."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AnalyserSettings:
    """What the lab file says of an impedance analyser.

    Attributes
    ----------
    max_level:
        No a.c. voltage above it is put on a cell.
    max_bias:
        Nor a d.c. voltage, either way; above 0 it needs option 001.
    level:
        A.c. voltage at the start.
    aperture:
        How long it listens: short, medium or long.
    averages:
        Readings that make one.
    cable_length:
        Of the leads, 0, 1, 2 or 4 m.
    open_correction, short_correction:
        Whether what the fixture adds is taken off.
    gpib_address:
        Where it is on the bus of an adapter; without one the port is its own.
    """

    max_level: Annotated[float, "V"]
    max_bias: Annotated[float, "V"] = 0.0
    level: Annotated[float, "V"] = 0.01
    aperture: Literal["short", "medium", "long"] = "long"
    averages: int = 1
    cable_length: Literal[0, 1, 2, 4] = 1
    open_correction: bool = True
    short_correction: bool = True
    gpib_address: int | None = None
    baudrate: int = 115200
    model: str = "E4980A"


class ImpedanceAnalyser(Instrument):
    """Measures the impedance of a cell, point by point or in a sweep.

    A trigger takes one point. `swept` takes many: set it to the frequencies; what they
    gave is in the signals beside it, which are read one by one.
    """

    Settings: ClassVar[type] = AnalyserSettings
    settings: AnalyserSettings

    frequency = Component(Verb, begin="choose_frequency", units="Hz", precision=3)
    resistance = Component(ReadBack, units="ohm", precision=4)
    reactance = Component(ReadBack, units="ohm", precision=4)
    status = Component(ReadBack, units="", value=-1)
    dc_current = Component(ReadBack, units="A", precision=12)
    level = Component(Verb, begin="choose_level", units="V", precision=4, kind="config")
    bias = Component(Verb, begin="choose_bias", units="V", precision=4, kind="config")
    aperture = Component(
        Verb, begin="choose_aperture", units="", value="long", kind="config"
    )
    averages = Component(
        Verb, begin="choose_averages", units="", value=1, kind="config"
    )
    compensated = Component(Verb, begin="compensate", units="", value=0, kind="config")
    learnt = Component(Verb, begin="learn", units="", value="", kind=Kind.omitted)
    swept = Component(Verb, begin="sweep", units="Hz", value=[0.0], kind=Kind.omitted)
    point = Component(Verb, begin="show_point", units="", value=0, kind=Kind.omitted)
    swept_resistance = Component(ReadBack, units="ohm", value=[0.0], kind=Kind.omitted)
    swept_reactance = Component(ReadBack, units="ohm", value=[0.0], kind=Kind.omitted)
    swept_status = Component(ReadBack, units="", value=[0], kind=Kind.omitted)

    def make_link(self, port: str) -> Link:
        address = self.settings.gpib_address
        if address is None:
            return scpi_link(port, self.settings.baudrate, self.name)
        return GpibLink(
            port,
            address,
            baudrate=self.settings.baudrate,
            timeout=2.0 * ANSWERING,
            name=self.name,
        )

    @property
    def client(self) -> E4980aClient:
        return E4980aClient(self.link)

    def identify(self) -> Identity:
        identity = self.client.identity(self.settings.model)
        if self.settings.max_bias and "001" not in (built := self.client.options()):
            raise WrongModel(
                f"{self.where}: '*OPT?' answered {','.join(built)!r}; max_bias "
                f"{self.settings.max_bias:g} V needs option 001"
            )
        return identity

    def set_up(self, cancelled: threading.Event) -> None:
        """Configure everything; neither bias nor a measurement is there afterwards."""
        settings = self.settings
        within(settings.max_level, 0.0, 20.0, f"{self.name}: max_level", "V")
        within(settings.max_bias, 0.0, 40.0, f"{self.name}: max_bias", "V")
        self._check_level(settings.level)
        self._check_averages(settings.averages)
        self.client.configure(
            Configuration(
                level=settings.level,
                aperture=settings.aperture,
                averages=settings.averages,
                cable_length=settings.cable_length,
                open_correction=settings.open_correction,
                short_correction=settings.short_correction,
            )
        )
        self.level.keep(settings.level)
        self.bias.keep(0.0)
        self.aperture.keep(settings.aperture)
        self.averages.keep(settings.averages)
        self.compensated.keep(
            int(settings.open_correction or settings.short_correction)
        )
        self.frequency.keep(self.client.scpi.number(":FREQ?"))

    def look(self) -> dict[str, Any]:
        """Return whether there is a d.c. voltage on the cell."""
        return {"bias": self.client.biased()}

    def make_safe(self) -> None:
        """Measure no more, with neither bias nor signal."""
        self.client.stop()

    # -- settings ------------------------------------------------------------------

    def choose_frequency(self, frequency: float) -> DeviceStatus:
        """Set the frequency of points, in Hz."""
        self._check_frequency(frequency)

        def work(_: threading.Event) -> None:
            self.frequency.keep(self.client.choose(":FREQ", frequency))

        return self.begin(work, within=1.0)

    def choose_level(self, level: float) -> DeviceStatus:
        """Set the a.c. voltage, in V."""
        self._check_level(level)

        def work(_: threading.Event) -> None:
            self.level.keep(self.client.choose(":VOLT:LEV", level))

        return self.begin(work, within=1.0)

    def choose_bias(self, bias: float) -> DeviceStatus:
        """Put a d.c. voltage (V) on the cell; 0 takes it off."""
        top = self.settings.max_bias
        within(bias, -top, top, f"{self.name}: bias", "V")

        def work(cancelled: threading.Event) -> None:
            if not bias:
                self.client.switch(":BIAS:STAT", on=False)
            self.client.choose(":BIAS:VOLT:LEV", bias)
            self.go_on(cancelled)
            if bias:
                self.client.switch(":BIAS:STAT", on=True)
            self.bias.keep(bias)

        return self.begin(work, within=1.0)

    def choose_aperture(self, aperture: str) -> DeviceStatus:
        """Choose how long it listens: short, medium or long."""
        if aperture not in APERTURES:
            raise Rejected(
                f"{self.name}: aperture {aperture!r} is none of {', '.join(APERTURES)}"
            )
        return self._listen(aperture, self.averages.get())

    def choose_averages(self, averages: int) -> DeviceStatus:
        """Choose how many readings make one."""
        self._check_averages(averages)
        return self._listen(self.aperture.get(), averages)

    def compensate(self, on: int) -> DeviceStatus:
        """Have what the fixture adds taken off (1), or not (0)."""

        def work(_: threading.Event) -> None:
            self._use_corrections(on=bool(on))

        return self.begin(work, within=1.0)

    # -- measurements ----------------------------------------------------------------

    def trigger(self) -> DeviceStatus:
        """Measure a point; done when it has been answered."""
        took = self.time_of([self.frequency.get()])
        return self.begin(
            lambda _: self._asked(self.refresh), within=2.0 * took, alone=False
        )

    def refresh(self) -> None:
        client = self.client
        client.level_is(self.level.get())
        point = client.measure(self._patience([self.frequency.get()]))
        self._say_what_is_wrong([self.frequency.get()], [point])
        self.resistance.keep(point.resistance)
        self.reactance.keep(point.reactance)
        self.status.keep(point.status)
        if self.bias.get():
            self.dc_current.keep(client.current())

    def sweep(
        self, frequencies: Sequence[float], *, by_list: bool = False
    ) -> DeviceStatus:
        """Measure at many frequencies (Hz), in their order.

        Parameters
        ----------
        frequencies:
            At most 201.
        by_list:
            Whether the instrument goes through them by itself, which spares the
            traffic between points.
        """
        wanted = [float(one) for one in frequencies]
        within(len(wanted), 1, MOST_POINTS, f"{self.name}: frequencies", "")
        for one in wanted:
            self._check_frequency(one)
        go = self._sweep_list if by_list else self._sweep_points

        def work(cancelled: threading.Event) -> None:
            self.client.level_is(self.level.get())
            taken, points = go(wanted, cancelled)
            self._say_what_is_wrong(taken, points)
            self.swept.keep(taken)
            self.swept_resistance.keep([one.resistance for one in points])
            self.swept_reactance.keep([one.reactance for one in points])
            self.swept_status.keep([one.status for one in points])

        return self.begin(work, within=2.0 * self.time_of(wanted) + len(wanted))

    def show_point(self, index: int) -> DeviceStatus:
        """Keep point ``index`` of the last sweep as the reading, so that it is an event."""
        every = self.swept.get()
        within(index, 0, len(every) - 1, f"{self.name}: point", "")

        def work(_: threading.Event) -> None:
            self.frequency.keep(every[index])
            self.resistance.keep(self.swept_resistance.get()[index])
            self.reactance.keep(self.swept_reactance.get()[index])
            self.status.keep(self.swept_status.get()[index])

        return self.begin(work, within=1.0)

    def learn(self, what: str) -> DeviceStatus:
        """Take the fixture as it is for an ``open`` or a ``short`` one.

        That it is one is measured before, and afterwards that it helped.
        """
        if what not in {"open", "short"}:
            raise Rejected(f"{self.name}: correction {what!r} is none of open, short")
        return self.begin(
            lambda cancelled: self._learn(what, cancelled), within=LEARNT_WITHIN + 60.0
        )

    def time_of(self, frequencies: Sequence[float]) -> float:
        """Return the lab seconds that points at these frequencies (Hz) take."""
        aperture = APERTURES[self.aperture.get()]
        each = sum(period(aperture, one) for one in frequencies)
        return float(each * self.averages.get())

    # -- how -------------------------------------------------------------------------

    def _patience(self, frequencies: Sequence[float]) -> float:
        """Return the real seconds in which a reading must have come."""
        return READING_TIME + self.clock.real(2.0 * self.time_of(frequencies))

    def _sweep_points(
        self, frequencies: Sequence[float], cancelled: threading.Event
    ) -> tuple[list[float], list[Point]]:
        taken, points = [], []
        for one in frequencies:
            self.go_on(cancelled)
            taken.append(self.client.choose(":FREQ", one))
            self.frequency.keep(taken[-1])
            points.append(self.client.measure(self._patience([one])))
        return taken, points

    def _sweep_list(
        self, frequencies: Sequence[float], cancelled: threading.Event
    ) -> tuple[list[float], list[Point]]:
        """Have a list measured; while it is, the instrument can still be stopped."""
        client, count = self.client, len(frequencies)
        taken = client.choose_list(frequencies)
        try:
            for _ in range(2):
                self.go_on(cancelled)
                client.begin_list()
                self.pause(self.time_of(frequencies), cancelled)
                points = client.fetch_list(count, self._patience(frequencies))
                if any(one.status != -1 for one in points):
                    return taken, points
            raise Fault(
                f"{self.where}: ':FETC?' has no data of a list told twice to begin"
            )
        finally:
            if not cancelled.is_set():
                client.leave_list()

    def _learn(self, what: str, cancelled: threading.Event) -> None:
        client = self.client
        self._use_corrections(on=False)
        client.choose(":FREQ", REFERENCE)
        self.frequency.keep(REFERENCE)
        client.level_is(self.level.get())
        before = client.measure(self._patience([REFERENCE])).size
        if not (before > OPEN_ABOVE if what == "open" else before < SHORT_BELOW):
            self._use_corrections(on=True)
            raise Rejected(
                f"{self.where}: {before:.4g} ohm at 1 kHz: the fixture is not {what}"
            )
        self.go_on(cancelled)
        client.learn(what)
        self.pause(LEARNING, cancelled)
        client.wait(READING_TIME + self.clock.real(LEARNT_WITHIN - LEARNING))
        client.scpi.check(f":CORR:{'OPEN' if what == 'open' else 'SHOR'}")
        client.switch(_state(what), on=True)
        after = client.measure(self._patience([REFERENCE])).size
        if (after / before if what == "open" else before / after) < BETTER:
            raise Fault(
                f"{self.where}: {after:.4g} ohm at 1 kHz, {before:.4g} ohm before: the "
                f"{what} correction was not taken"
            )
        self._use_corrections(on=True)
        self.learnt.keep(what)

    def _use_corrections(self, *, on: bool) -> None:
        settings = self.settings
        self.client.switch(_state("open"), on=on and settings.open_correction)
        self.client.switch(_state("short"), on=on and settings.short_correction)
        self.compensated.keep(
            int(on and (settings.open_correction or settings.short_correction))
        )

    def _listen(self, aperture: str, averages: int) -> DeviceStatus:
        def work(_: threading.Event) -> None:
            self.client.choose_aperture(aperture, averages)
            self.aperture.keep(aperture)
            self.averages.keep(averages)

        return self.begin(work, within=1.0)

    def _say_what_is_wrong(
        self, frequencies: Sequence[float], points: Sequence[Point]
    ) -> None:
        pairs = sorted(zip(points, frequencies, strict=True), key=lambda p: p[0].status)
        for status, group in itertools.groupby(pairs, key=lambda pair: pair[0].status):
            if status != 0:
                at = ", ".join(f"{frequency:g}" for _, frequency in group)
                log.warning(
                    "%s: status %+d, %s, at %s Hz",
                    *(self.where, status, STATUSES[status], at),
                )

    def _check_frequency(self, frequency: float) -> None:
        within(frequency, LOWEST, HIGHEST, f"{self.name}: frequency", "Hz")

    def _check_level(self, level: float) -> None:
        top = self.settings.max_level
        within(level, 0.0, top, f"{self.name}: level", "V")

    def _check_averages(self, averages: int) -> None:
        within(averages, 1, MOST_AVERAGES, f"{self.name}: averages", "readings")


def _state(what: str) -> str:
    return f":CORR:{'OPEN' if what == 'open' else 'SHOR'}:STAT"


DRIVER = ImpedanceAnalyser
