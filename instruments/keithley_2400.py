r"""Source-meter: Keithley 2400 (2400 Series User's Manual 2400S-900-01), SCPI.

Serial settings: 9600 baud, 8N1, no flow control; set on the front panel, as is the
terminator ``\n``.

==============================  =======================  ==============================
``*IDN?``                       ``KEITHLEY ...``         maker, model, serial, firmware
``*CLS``, ``*RST``              no answer                errors forgotten; known state
``:SYST:RSEN 1``                no answer                four wires
``:SOUR:FUNC CURR``             no answer                a current is sourced
``:SOUR:CURR:RANG <A>``         no answer                1 uA to 1 A by decades
``:SOUR:CURR:LEV <A>``          no answer                the current
``:SENS:FUNC 'VOLT'``           no answer                voltage is measured
``:SENS:VOLT:PROT <V>``         no answer                compliance
``:SENS:VOLT:NPLC <n>``         no answer                0.01 to 10 power line cycles
``:SENS:VOLT:RANG:AUTO 1``      no answer
``:FORM:ELEM VOLT,CURR,STAT``   no answer                always in this order
``:TRIG:COUN 1``                no answer                one reading a question
``:SOUR:FUNC VOLT``             no answer                a voltage is sourced ...
``:SOUR:VOLT:RANG <V>``         no answer                0.2 to 200 V by decades
``:SOUR:VOLT:LEV <V>``          no answer                ... this one
``:SENS:FUNC 'CURR'``           no answer                current is measured
``:SENS:CURR:PROT <A>``         no answer                where the source gives way
``:SENS:CURR:RANG:AUTO 1``      no answer
``:OUTP:STAT 0|1``              no answer                output
``:READ?``                      ``<V>,<A>,<status>``     13 characters each
``:SYST:ERR?``                  ``0,"No error"``         takes one error from the queue
``^C`` (0x03)                   no answer                takes back what is pending
==============================  =======================  ==============================

Never ``:MEAS?`` or ``:CONF``: they reset the controls of their function and switch the
output on (p. 17-2). ``:READ?`` with the output off is refused with +803 and not answered.
``+9.9E37`` is an overflow, ``+9.91E37`` no number; they are passed on as they are.

Status word: bit 3 real compliance, bit 16 range compliance: the source could not drive
its current. It is a reading and not a fault: an open contact or a bad film does it.

Faults: +802 interlock, +810 over-temperature, +900 internal; others are refusals.

Safe state: ``^C``, then output off.

Unverified on hardware: with only VOLT sensed the element CURR is the programmed current.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from ophyd import Component
from ophyd.status import DeviceStatus

from instruments.device import Instrument, Work
from instruments.errors import Fault, LinkError, Rejected, Stopped
from instruments.framing import within
from instruments.link import Identity, Link
from instruments.scpi import Scpi, scpi_link
from instruments.signals import ReadBack, Verb

ABORT = b"\x03"
COMPLIANCE = 1 << 3 | 1 << 16
POWER_LINE = 0.02
"""Seconds of the longer power line cycle."""
SILENCE = 0.1
"""Real seconds without a word after which no answer is on its way."""
READING_TIME = 2.0
"""Real seconds for the answer to a reading beside its integration."""


FAULTS = (802, 810, 900)
"""Interlock, over-temperature, internal."""


@dataclass(frozen=True, slots=True)
class SourceMeterSettings:
    """What the lab file says of a source-meter.

    Attributes
    ----------
    max_current:
        No current above it is set, either way.
    compliance:
        Voltage at which the source gives way.
    cycles:
        Power line cycles that one reading listens.
    """

    max_current: Annotated[float, "A"]
    compliance: Annotated[float, "V"]
    cycles: float = 10.0
    baudrate: int = 9600
    model: str = "MODEL 2400"


@dataclass(frozen=True, slots=True)
class Reading:
    """Volt, ampere, and whether the source could not drive its current."""

    voltage: float
    current: float
    compliance: bool


class Keithley2400Client:
    """Words on the wire; no threads."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.scpi = Scpi(link, faults=FAULTS)

    def identity(self, model: str) -> Identity:
        return self.scpi.identity(model)

    def configure(self, compliance: float, cycles: float) -> None:
        """Make it a four-wire current source with the output off."""
        self.scpi.configure(
            (
                "*CLS",
                "*RST",
                ":SYST:RSEN 1",
                ":SOUR:FUNC CURR",
                ":SENS:FUNC 'VOLT'",
                f":SENS:VOLT:PROT {compliance:g}",
                f":SENS:VOLT:NPLC {cycles:g}",
                ":SENS:VOLT:RANG:AUTO 1",
                ":FORM:ELEM VOLT,CURR,STAT",
                ":TRIG:COUN 1",
            ),
            {
                ":SYST:RSEN?": "1",
                ":SOUR:FUNC?": "CURR",
                ":FORM:ELEM?": "VOLT,CURR,STAT",
            },
        )

    def configure_voltage(
        self, voltage: float, max_current: float, cycles: float
    ) -> None:
        """Make it a two-wire source of a voltage (V) that reads the current; output off."""
        self.scpi.configure(
            (
                "*CLS",
                "*RST",
                ":SYST:RSEN 0",
                ":SOUR:FUNC VOLT",
                ":SENS:FUNC 'CURR'",
                f":SENS:CURR:PROT {max_current:g}",
                f":SENS:CURR:NPLC {cycles:g}",
                ":SENS:CURR:RANG:AUTO 1",
                ":FORM:ELEM VOLT,CURR,STAT",
                ":TRIG:COUN 1",
                f":SOUR:VOLT:RANG {abs(voltage):g}",
                f":SOUR:VOLT:LEV {voltage:g}",
            ),
            {
                ":SYST:RSEN?": "0",
                ":SOUR:FUNC?": "VOLT",
                ":FORM:ELEM?": "VOLT,CURR,STAT",
            },
        )

    def choose_range(self, current: float) -> None:
        """Take the smallest range that holds a current, and the level set now."""
        self.scpi.tell(f":SOUR:CURR:RANG {current:.6g}")

    def choose_level(self, current: float) -> None:
        """Set the current, in ampere."""
        self.scpi.tell(f":SOUR:CURR:LEV {current:.6g}")

    def confirm_level(self, current: float) -> None:
        """See that a current (A) is set; what set it may be sent again."""
        question = ":SOUR:CURR:LEV?"
        for last in (False, True):
            right, says = self.scpi.says(question, lambda told: _same(told, current))
            if right:
                return
            if not last:
                self.choose_level(current)
                self.scpi.check(f":SOUR:CURR:LEV {current:.6g}")
        raise Fault(
            f"{self.link.place}: {question!r} answered {says!r}, not {current:g}"
        )

    def switch(self, *, on: bool) -> bool:
        """Switch the output and return what it says then."""
        self.scpi.tell(f":OUTP:STAT {on:d}")
        _, says = self.scpi.says(":OUTP:STAT?", lambda told: told == f"{on:d}")
        return says != "0"

    def output(self) -> bool:
        return self.scpi.number(":OUTP:STAT?") != 0

    def read(self, timeout: float) -> Reading:
        """Take one reading; the output must be on."""
        voltage, current, status = self.scpi.numbers(":READ?", 3, timeout=timeout)
        return Reading(voltage, current, bool(round(status) & COMPLIANCE))

    def stop(self) -> None:
        """Take back what is pending and switch the output off.

        ^C takes back the answer that another thread may be waiting for; then it gets
        that of a last question, instead of none.
        """
        free = self.link.lock.acquire(blocking=False)
        try:
            question = b"" if free else b":OUTP:STAT?\n"
            self.link.tell(ABORT + b":OUTP:STAT 0\n" + question, urgent=True)
        finally:
            if free:
                self.link.lock.release()

    def drain(self) -> None:
        """Read what nobody waited for, until the link is silent."""
        self.link.settle(SILENCE)


def _same(told: str, current: float) -> bool:
    try:
        return math.isclose(float(told), current, rel_tol=1e-4, abs_tol=1e-12)
    except ValueError:
        return False


class SourceMeter(Instrument):
    """A current source that reads the voltage; off unless it is told to be on."""

    Settings: ClassVar[type] = SourceMeterSettings
    settings: SourceMeterSettings

    voltage = Component(ReadBack, units="V", precision=7)
    current = Component(ReadBack, units="A", precision=10)
    compliance = Component(ReadBack, units="", value=0)
    level = Component(
        Verb, begin="choose_level", units="A", precision=10, kind="config"
    )
    output = Component(Verb, begin="switch", units="", value=0, kind="config")
    applied = Component(Verb, begin="apply", units="V", precision=5, kind="config")
    time = Component(ReadBack, units="s", precision=3, kind="omitted")
    passed = Component(Verb, begin="let_pass", units="s", precision=1, kind="omitted")

    _range = 0.0
    _began = 0.0
    _as_current = True

    def make_link(self, port: str) -> Link:
        return scpi_link(port, self.settings.baudrate, self.name)

    @property
    def client(self) -> Keithley2400Client:
        return Keithley2400Client(self.link)

    @property
    def reading_time(self) -> float:
        """Lab seconds of one reading, generously: three phases with autozero."""
        return 4.0 * self.settings.cycles * POWER_LINE + 0.1

    def identify(self) -> Identity:
        self._listen()
        return self.client.identity(self.settings.model)

    def set_up(self, cancelled: threading.Event) -> None:
        """Configure everything anew; the output is off afterwards."""
        within(self.settings.cycles, 0.01, 10.0, f"{self.name}: cycles", "PLC")
        within(self.settings.compliance, 0.0, 200.0, f"{self.name}: compliance", "V")
        within(self.settings.max_current, 0.0, 1.05, f"{self.name}: max_current", "A")
        self._listen()
        self.client.configure(self.settings.compliance, self.settings.cycles)
        self._range, self._as_current = 0.0, True
        self.level.keep(0.0)
        self.applied.keep(0.0)
        self.output.keep(int(self.client.output()))

    def look(self) -> dict[str, Any]:
        """Return whether the output is on."""
        return {"output": self.client.output()}

    def choose_level(self, current: float) -> DeviceStatus:
        """Set the current, in ampere, in the smallest range that holds it."""
        top = self.settings.max_current
        within(current, -top, top, f"{self.name}: current", "A")
        return self._begin(lambda _: self._choose_level(current), within=1.0)

    def switch(self, on: int) -> DeviceStatus:
        """Switch the output on (1) or off (0); done when it says that it is."""
        return self._begin(
            lambda cancelled: self._switch(bool(on), cancelled), within=1.0
        )

    def apply(self, voltage: float) -> DeviceStatus:
        """Put a voltage (V) on what hangs on it, for the current to be read; 0 ends that.

        ``time`` of every reading counts from when the output was on.
        """
        top = self.settings.compliance
        within(voltage, -top, top, f"{self.name}: voltage", "V")
        return self._begin(
            lambda cancelled: self._apply(voltage, cancelled), within=2.0
        )

    def let_pass(self, seconds: float) -> DeviceStatus:
        """Go on applying what is applied for so many lab seconds."""
        within(seconds, 0.0, 3600.0, f"{self.name}: pause", "s")
        return self.begin(
            lambda cancelled: self.pause(seconds, cancelled), within=seconds + 60.0
        )

    def trigger(self) -> DeviceStatus:
        """Take one reading; done when it has been answered."""
        return self._begin(lambda _: self.refresh(), within=self.reading_time)

    def refresh(self) -> None:
        timeout = READING_TIME + self.clock.real(self.reading_time)
        began = self.clock.now()
        reading = self.client.read(timeout)
        self.time.keep((began + self.clock.now()) / 2.0 - self._began)
        self.voltage.keep(reading.voltage)
        self.current.keep(reading.current)
        self.compliance.keep(int(reading.compliance))

    def _listen(self) -> None:
        """Let the answer come that ends a stop, so that it answers nothing else."""
        if self.stopped:
            self.client.drain()

    def _begin(self, work: Work, *, within: float) -> DeviceStatus:
        """Begin work; what a stop does to its questions is no trouble of the link."""

        def carry_out(cancelled: threading.Event) -> None:
            try:
                if not cancelled.is_set():
                    work(cancelled)
            except (LinkError, Rejected):
                self._end_if(cancelled)
                raise
            self._end_if(cancelled)

        return self.begin(carry_out, within=within)

    def _end_if(self, cancelled: threading.Event) -> None:
        if cancelled.is_set():
            raise Stopped(f"{self.where}: was stopped")

    def _apply(self, voltage: float, cancelled: threading.Event) -> None:
        self._switch(False, cancelled)
        self.applied.keep(0.0)
        if not voltage:
            return
        most, cycles = self.settings.max_current, self.settings.cycles
        self.client.configure_voltage(voltage, most, cycles)
        self._as_current = False
        before = self.clock.now()
        self._switch(True, cancelled)
        self._began = (before + self.clock.now()) / 2.0
        self.applied.keep(voltage)

    def _choose_level(self, current: float) -> None:
        client = self.client
        if not self._as_current:
            client.configure(self.settings.compliance, self.settings.cycles)
            self._range, self._as_current = 0.0, True
        if current and abs(current) != self._range:
            if self.level.get():  # a range below the level would be refused
                client.choose_level(0.0)
            client.choose_range(abs(current))
            self._range = abs(current)
        client.choose_level(current)
        client.scpi.check(f":SOUR:CURR:LEV {current:.6g}")
        client.confirm_level(current)
        self.level.keep(current)

    def _switch(self, on: bool, cancelled: threading.Event) -> None:
        says = self.client.switch(on=on)
        if says != on and not cancelled.is_set():  # it was not heard, or refused
            self.client.scpi.check(f":OUTP:STAT {on:d}")
            says = self.client.switch(on=on)
        self.output.keep(int(says))
        if cancelled.is_set() and says:  # stopped between the two: off it goes
            self.make_safe()
        elif says != on:
            raise Fault(f"{self.where}: output is {says:d} after ':OUTP:STAT {on:d}'")

    def make_safe(self) -> None:
        """Switch the output off, whatever it is doing."""
        self.client.stop()
        self._range = 0.0


DRIVER = SourceMeter
