r"""Circulator: JULABO CF31 and its family, text commands.

Serial settings: 4800 baud, 7 data bits, even parity, 1 stop bit, RTS/CTS as supplied
(not used here: a command and its answer are short). Commands end in ``\r``, answers in
``\r\n``; upper and lower case are one.

====================  =============================  ================================
``version``           ``JULABO CF31 VERSION 5.0``     name and firmware
``status``            ``02 REMOTE STOP``             state, or a negative code
``in_pv_00``          ``23.05``                      bath, degC
``in_pv_01``          ``37.5``                       heating power, %; below 0 cooling
``in_pv_02``          ``22.90``                      external Pt100, degC
``in_sp_00``          ``60.00``                      set point, degC
``in_sp_03``          ``200.00``                     high temperature warning, degC
``in_sp_04``          ``-30.00``                     low temperature warning, degC
``in_mode_05``        ``1``                          1 started, 0 stopped
``out_sp_00 60.00``   no answer                      set point
``out_mode_05 1``     no answer                      start; 0 stop
====================  =============================  ================================

States are ``00 MANUAL STOP``, ``01 MANUAL START``, ``02 REMOTE STOP`` and ``03 REMOTE
START``. What an ``out_`` command was refused for stands once in the next ``status``: -08
unknown, -09 not under manual operation, -10 and -11 too small or large, -13 outside the
warning limits (some models take the value all the same). Alarms stay: -01 liquid low,
-03 and -04 beyond a warning limit, -05 sensor, -14 excess temperature, -1501 watchdog.

An ``out_`` command is only obeyed under remote control, which a person allows at the
panel: `prepare` refuses a circulator that is under manual operation. After it the reason
is asked for and the value is read again; one that was not taken, without a reason, is
told once more. 250 ms of real time pass after an ``out_`` command, 10 ms after a question.

`stop` says ``out_mode_05 0`` twice, 300 ms apart: what comes too soon after another
command may not be heard.

Its watchdog is set in its own menu; no command for it is known. Where the lab file says
how long it is (``watchdog``), a thread of ours asks ``in_mode_05`` every third of it from
the first start until `stop`, so that it does not bite between two runs, and a computer
that dies leaves a circulator that stops itself. Without one it runs on.

Unverified on hardware: all of the watchdog but its code; that the external sensor answers
no number when there is none; how the power is told while it cools.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from ophyd import Component
from ophyd.status import DeviceStatus

from instruments.clock import Clock
from instruments.errors import BadReply, Fault, Rejected, Restarted, WrongModel
from instruments.framing import number, plain, within
from instruments.keeper import ALIVE
from instruments.link import Identity, Link
from instruments.signals import ReadBack, Verb
from instruments.thermostat import Thermostat

MANUAL = (0, 1)
REFUSALS = (-8, -9, -10, -11, -13)
"""Codes that stand in the status once; all other negative ones are alarms."""
AFTER_ORDER, AFTER_QUESTION = 0.25, 0.01
"""Real seconds before anything else is said."""
STOP_GAP = 0.3
ANSWERING = 1.0
"""Real seconds for an answer; 25 characters take 52 ms."""
SAME = 0.005
"""K by which a set point may differ from what was told."""
VERSION = re.compile(r"(?P<model>.+?) VERSION (?P<firmware>\S.*)")
CODE = re.compile(r"(?P<code>-\d{2,4}|0[0-3])( .*)?")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CirculatorSettings:
    """What the lab file says of a circulator.

    Attributes
    ----------
    model:
        What ``version`` must say before the word VERSION.
    max_temperature, min_temperature:
        Nothing hotter, or colder, is set.
    tolerance, settling_time:
        It has reached a temperature when it is so near to it for so long.
    sensor:
        0 is the bath's own, 2 the external Pt100.
    watchdog:
        How long its own is, as set in its menu; 0 where it has none.
    """

    model: str
    max_temperature: Annotated[float, "degC"]
    min_temperature: Annotated[float, "degC"] = 5.0
    tolerance: Annotated[float, "kelvin"] = 0.1
    settling_time: Annotated[float, "s"] = 60.0
    sensor: int = 0
    watchdog: Annotated[float, "s"] = 0.0
    baudrate: int = 4800

    def __post_init__(self) -> None:
        if self.sensor not in (0, 2):
            raise ValueError(f"sensor {self.sensor} is not one of 0, 2")


class JulaboClient:
    """Words on the wire; no threads."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._quiet_until = 0.0

    def version(self, expected: str) -> tuple[str, str]:
        """Return model and firmware, asked again if the model is not the expected one."""

        def once() -> tuple[str, str]:
            answer = self._ask("version")
            found = VERSION.fullmatch(answer)
            if found is None or found["model"] != expected:
                raise BadReply(f"{self.link.place}: 'version' answered {answer!r}")
            return found["model"], found["firmware"]

        return self.link.again(once)

    def status(self) -> tuple[int, str]:
        """Return its code, and all that it says; a reason is said only once."""

        def once() -> tuple[int, str]:
            answer = self._ask("status")
            found = CODE.fullmatch(answer)
            if found is None:
                raise BadReply(f"{self.link.place}: 'status' answered {answer!r}")
            return int(found["code"]), answer

        return self.link.again(once)

    def temperature(self, sensor: int) -> float:
        """Return what a sensor shows, degC."""
        return self._value(f"in_pv_{sensor:02d}")

    def power(self) -> float:
        """Return the heating power, %; below 0 it cools."""
        return self._value("in_pv_01")

    def set_point(self) -> float:
        return self._value("in_sp_00")

    def limits(self) -> tuple[float, float]:
        """Return its low and high temperature warnings, degC."""
        return self._value("in_sp_04"), self._value("in_sp_03")

    def runs(self) -> bool:
        """Whether it is started."""

        def once() -> bool:
            answer = self._ask("in_mode_05")
            if answer not in ("0", "1"):
                raise BadReply(f"{self.link.place}: 'in_mode_05' answered {answer!r}")
            return answer == "1"

        return self.link.again(once)

    def choose(self, temperature: float) -> None:
        """Set a temperature, degC; it is read again."""
        self._order(
            f"out_sp_00 {temperature:.2f}",
            lambda: abs(self.set_point() - temperature) <= SAME,
        )

    def run(self, *, on: bool) -> None:
        """Start or stop; it is read again."""
        self._order(f"out_mode_05 {on:d}", lambda: self.runs() is on)

    def stop(self) -> None:
        """Stop it, whatever is being asked by another thread; not confirmed."""
        self.link.tell(b"out_mode_05 0\r", urgent=True)
        time.sleep(STOP_GAP)
        self.link.tell(b"out_mode_05 0\r", urgent=True)

    def _order(self, command: str, taken: Any) -> None:
        """Say what only sets what it has set, until it has been taken."""
        message = plain(command, place=self.link.place) + b"\r"
        for _ in range(2):
            with self.link.lock:
                self._wait()
                self.link.tell(message)
                self._quiet_until = time.monotonic() + AFTER_ORDER
                code, status = self.status()
            if taken():
                return
            if code in REFUSALS:
                raise Rejected(f"{self.link.place}: {command!r} was refused: {status}")
        raise Fault(
            f"{self.link.place}: {command!r} was said twice and not done; status {status}"
        )

    def _value(self, question: str) -> float:
        return self.link.again(
            lambda: number(
                self._ask(question).encode(), place=f"{self.link.place}: {question}"
            )
        )

    def _ask(self, question: str) -> str:
        message = plain(question, place=self.link.place) + b"\r"
        with self.link.lock:
            self._wait()
            try:
                answer = self.link.ask(message, end=b"\r\n")
            finally:
                self._quiet_until = time.monotonic() + AFTER_QUESTION
        # A line with XON/XOFF may have either in it.
        return answer.translate(None, b"\x11\x13").decode("ascii", "replace").strip()

    def _wait(self) -> None:
        time.sleep(max(0.0, self._quiet_until - time.monotonic()))


class Circulator(Thermostat):
    """A bath that is brought to a temperature, pumped around, and kept there."""

    Settings: ClassVar[type] = CirculatorSettings
    settings: CirculatorSettings
    window: ClassVar[float] = 2.0
    heating: ClassVar[float] = 60.0
    cooling: ClassVar[float] = 240.0
    warming_time: float = 300.0
    cools: bool = True

    temperature = Component(Verb, begin="reach", units="degC", precision=2)
    set_point = Component(ReadBack, units="degC", precision=2)
    power = Component(ReadBack, units="percent", precision=1)
    running = Component(Verb, begin="run", units="", value=0)

    _limits = (-273.15, 500.0)

    def __init__(
        self, name: str, *, port: str, settings: CirculatorSettings, clock: Clock
    ) -> None:
        super().__init__(name, port=port, settings=settings, clock=clock)
        self.client = JulaboClient(self.link)
        self.settled = settings.tolerance
        self.settling_time = settings.settling_time

    def make_link(self, port: str) -> Link:
        return Link(
            port,
            baudrate=self.settings.baudrate,
            bytesize=7,
            parity="E",
            timeout=ANSWERING,
            name=self.name,
        )

    def identify(self) -> Identity:
        promised = self.settings.model
        try:
            model, firmware = self.client.version(promised)
        except BadReply as error:
            raise WrongModel(f"{error}; the lab file promises {promised!r}") from error
        self._limits = self.client.limits()
        return Identity("JULABO", model, firmware=firmware)

    def set_up(self, cancelled: threading.Event) -> None:
        """Stop it; it must be under remote control and without an alarm."""
        self.keeper.end()
        self.client.run(on=False)
        code, status = self.client.status()
        if code in MANUAL:
            raise Rejected(
                f"{self.where}: status {status}; allow remote control at its panel"
            )
        self._see(code, status)
        self._limits = self.client.limits()
        self.refresh()

    def _see(self, code: int, status: str) -> None:
        if code < 0 and code not in REFUSALS:
            raise Fault(f"{self.where}: status {status}")

    def look(self) -> dict[str, Any]:
        """Return what the bath shows, and whether it is started."""
        return {
            "temperature_degC": self.client.temperature(self.settings.sensor),
            "set_point_degC": self.client.set_point(),
            "running": self.client.runs(),
        }

    def refresh(self) -> None:
        self.temperature.keep(self.client.temperature(self.settings.sensor))
        self.power.keep(self.client.power())
        self.set_point.keep(self.client.set_point())
        self.running.keep(int(self.client.runs()))

    def run(self, on: int) -> DeviceStatus:
        """Start (1) or stop (0) it at the set point that it has."""
        if on not in (0, 1):
            raise Rejected(f"{self.name}: running {on!r} is neither 1 nor 0")

        def work(_: threading.Event) -> None:
            if on:
                self.arm()
                self.drive()
            else:
                self.keeper.end()
                self.client.run(on=False)
                self.running.keep(0)

        return self.begin(work, within=10.0)

    def check(self, temperature: float) -> None:
        low = max(self.settings.min_temperature, self._limits[0])
        high = min(self.settings.max_temperature, self._limits[1])
        within(temperature, low, high, f"{self.name}: temperature", "degC")

    def told(self) -> float:
        return self.client.set_point()

    def choose(self, temperature: float) -> None:
        self.client.choose(temperature)
        self.set_point.keep(temperature)

    def drive(self) -> None:
        self.client.run(on=True)
        self.running.keep(1)

    def show(self, wanted: float) -> float:
        """Return what the bath shows; it must be started, and set to what is wanted."""
        shown = self.client.temperature(self.settings.sensor)
        self.temperature.keep(shown)
        self.power.keep(self.client.power())
        self._see(*self.client.status())
        # One answer may be a late one.
        if not (self.client.runs() or self.client.runs()):
            raise Restarted(f"{self.where}: is stopped, and nobody told it from here")
        chosen = self.client.set_point()
        if abs(chosen - wanted) > SAME:
            chosen = self.client.set_point()
        self.set_point.keep(chosen)
        if abs(chosen - wanted) > SAME:
            raise Restarted(
                f"{self.where}: is set to {chosen:g} degC, not to {wanted:g} degC as it "
                "was told: it was switched off, or somebody set it"
            )
        return shown

    # -- the watchdog --------------------------------------------------------------

    def arm(self) -> None:
        """Keep its own watchdog, if it has one, from biting until we are told to stop."""
        silence = self.settings.watchdog
        if silence and self.clock.real(silence) < ALIVE:
            log.warning(
                "%s: its watchdog of %g s is too short for a lab that runs %g times as "
                "fast as life, and may bite",
                self.where,
                silence,
                self.clock.speed,
            )
        if silence:
            self.keeper.keep(self.clock.real(silence) / 3.0)

    def feed(self) -> None:
        self.client.runs()  # not `status`: it would take a reason from who needs it

    def make_safe(self) -> None:
        """Stop it; `prepare` sees that it was heard."""
        self.keeper.end()
        self.client.stop()


DRIVER = Circulator
