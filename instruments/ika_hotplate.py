r"""Hotplate stirrer: IKA C-MAG HS 7 control or RCT digital, NAMUR commands.

Serial settings: 9600 baud, 7 data bits, even parity, 1 stop bit, no flow control.
Commands and answers end in blank ``\r\n``. The plate speaks only when asked; it does not
report faults, and ignores what it does not know or cannot read.

================  ==========================  =====================================
``IN_NAME``       ``C-MAG HS7``                name
``IN_PV_1``       ``25.3 1``                   external sensor, degC
``IN_PV_2``       ``25.3 2``                   sensor of the plate, degC
``IN_SP_1``       ``60.0 1``                   set temperature, degC
``IN_SP_3``       ``360.0 3``                  safety circuit, degC; set on the plate
``OUT_SP_1 60``   no answer                   set temperature; read it again
``START_1``       no answer                   heater on
``STOP_1``        no answer                   heater off
``STOP_4``        no answer                   motor off
``RESET``         no answer                   local operation
``OUT_WD1@60``    ``60``                      watchdog 1 armed for 60 s, or fed
================  ==========================  =====================================

No question tells whether the heater is on. So `stop` sends ``STOP_1`` and ``STOP_4`` and
cannot have them confirmed, and `prepare` sends them as well.

A set temperature must stay about 50 K below the safety circuit.

Watchdog 1 (``OUT_WD1@m``, m = 20 to 1500 s) is armed before the heater is switched on and
sent again every m/3 by a thread of ours, until `stop`: when this process dies, or the
cable goes, the plate switches heater and motor off and shows Er 2. It cannot be cancelled,
so that it also ends the silence after the heater has been switched off on purpose. `prepare`
takes that for granted: it says ``STOP_1``, ``STOP_4`` and ``RESET``, and ``START_1`` follows.
On a bench that runs faster than life m is longer, for a feeding takes real time.

A plate that was told to heat must be seen to warm; if not, ``START_1`` is sent once more,
which changes nothing for a heater that is on.

Every answer ends in the digit of its channel, and one with another digit is asked for
again. A set point that is not as it was told is a plate that was switched off.

Unverified: that ``RESET`` and ``START_1`` end an Er 2 without a hand on the plate; that it
answers in Er 2. Unverified on hardware: ``IN_PV_1`` without a probe; the 50 K below the safety circuit; the
resolution (0.1 K on the wire); how long a plate takes, which the deadlines overestimate.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from instruments.errors import (
    BadReply,
    Fault,
    Rejected,
    Restarted,
    WrongModel,
)
from instruments.framing import number, plain, within
from instruments.keeper import silence_allowed
from instruments.link import Identity, Link
from instruments.thermostat import Thermostat

SHORTEST, LONGEST = 20.0, 1500.0
"""Seconds of watchdog 1."""
ANSWERING = 1.0
"""Real seconds for an answer; ten characters take 10 ms."""
QUIET = 0.3
log = logging.getLogger(__name__)
END = b" \r\n"


@dataclass(frozen=True, slots=True)
class HotplateSettings:
    """What the lab file says of a hotplate.

    Attributes
    ----------
    model:
        What ``IN_NAME`` must answer.
    max_temperature:
        Nothing hotter is set.
    safety_margin:
        How far a set point stays below the safety circuit.
    watchdog:
        Silence after which the plate switches its heater off by itself; 0 for never.
    sensor:
        2 is the plate's own, 1 the external one.
    """

    model: str
    max_temperature: Annotated[float, "degC"]
    safety_margin: Annotated[float, "kelvin"] = 50.0
    watchdog: Annotated[float, "s"] = 60.0
    sensor: int = 2
    baudrate: int = 9600


class IkaClient:
    """Words on the wire; no threads."""

    def __init__(self, link: Link) -> None:
        self.link = link

    def name(self, expected: str) -> str:
        """Return the name, asked for again if it is not the expected one."""

        def once() -> str:
            name = self._ask("IN_NAME").decode("ascii", "replace").strip()
            if name != expected:
                raise BadReply(f"{self.link.place}: 'IN_NAME' answered {name!r}")
            return name

        return self.link.again(once)

    def temperature(self, sensor: int) -> float:
        """Return what a sensor shows, degC."""
        return self._value(f"IN_PV_{sensor}")

    def set_temperature(self) -> float:
        return self._value("IN_SP_1")

    def safety_temperature(self) -> float:
        return self._value("IN_SP_3")

    def choose_temperature(self, value: float) -> None:
        """Set a temperature, degC; not answered."""
        self._tell(f"OUT_SP_1 {value:.1f}".removesuffix(".0"))

    def heat(self) -> None:
        self._tell("START_1")

    def feed_watchdog(self, seconds: int) -> None:
        """Arm watchdog 1 anew; a plate that takes it says the number again."""
        command = f"OUT_WD1@{seconds}"

        def once() -> None:
            answer = self._ask(command)
            if answer.strip() != b"%d" % seconds:
                raise BadReply(f"{self.link.place}: {command!r} answered {answer!r}")

        self.link.again(once)

    def stop_heating(self) -> None:
        self._tell("STOP_1")

    def stop(self) -> None:
        """Switch heater and motor off, whatever is being asked by another thread."""
        stop = b"".join(command + END for command in (b"STOP_1", b"STOP_4"))
        self.link.tell(stop, urgent=True)

    def go_local(self) -> None:
        """End remote operation, and an error that is shown."""
        self._tell("RESET")

    def _ask(self, question: str) -> bytes:
        message = plain(question, place=self.link.place) + END
        return self.link.ask(message, end=b"\r\n")

    def _tell(self, command: str) -> None:
        self.link.tell(plain(command, place=self.link.place) + END)

    def _value(self, question: str) -> float:
        def once() -> float:
            answer = self._ask(question)
            words = answer.split()
            if len(words) != 2 or words[1].decode("ascii", "replace") != question[-1]:
                raise BadReply(f"{self.link.place}: {question!r} answered {answer!r}")
            return number(words[0], place=f"{self.link.place}: {question}")

        return self.link.again(once)


class Hotplate(Thermostat):
    """A plate that is brought to a temperature, and kept there."""

    Settings: ClassVar[type] = HotplateSettings
    settings: HotplateSettings

    _safety = 0.0
    _watchdog = 0

    def make_link(self, port: str) -> Link:
        return Link(
            port,
            baudrate=self.settings.baudrate,
            bytesize=7,
            parity="E",
            timeout=ANSWERING,
            quiet=QUIET,
            name=self.name,
        )

    @property
    def client(self) -> IkaClient:
        return IkaClient(self.link)

    @property
    def highest(self) -> float:
        """The hottest set point that is sent, degC."""
        return min(
            self.settings.max_temperature, self._safety - self.settings.safety_margin
        )

    def identify(self) -> Identity:
        promised = self.settings.model
        if self.identity is None:
            self._watchdog = self._silence_allowed()
        try:
            name = self.client.name(promised)
        except BadReply as error:
            raise WrongModel(f"{error}; the lab file promises {promised!r}") from error
        self._safety = self.client.safety_temperature()
        return Identity("IKA", name)

    def set_up(self, cancelled: threading.Event) -> None:
        """Switch heater and motor off, since nothing tells whether they are on.

        A plate whose watchdog has ended a silence shows Er 2, and is taken out of it.
        """
        self.keeper.end()
        self.client.stop()
        self.client.go_local()
        self._safety = self.client.safety_temperature()
        self.refresh()

    def look(self) -> dict[str, Any]:
        """Return what the plate shows; nothing tells whether its heater is on."""
        return {
            "temperature_degC": self.client.temperature(self.settings.sensor),
            "set_point_degC": self.client.set_temperature(),
        }

    def refresh(self) -> None:
        self.temperature.keep(self.client.temperature(self.settings.sensor))
        self.set_point.keep(self.client.set_temperature())

    def check(self, temperature: float) -> None:
        if temperature > self._safety - self.settings.safety_margin:
            raise Rejected(
                f"{self.name}: {temperature:g} degC is less than "
                f"{self.settings.safety_margin:g} K below the safety circuit, which is "
                f"set to {self._safety:g} degC"
            )
        within(
            temperature,
            0.0,
            self.settings.max_temperature,
            f"{self.name}: temperature",
            "degC",
        )

    def told(self) -> float:
        return self.client.set_temperature()

    def drive(self) -> None:
        self.client.heat()

    def choose(self, temperature: float) -> None:
        """Set a temperature and read it again: a plate ignores what it will not do."""
        for _ in range(2):
            self.client.choose_temperature(temperature)
            chosen = self.client.set_temperature()
            self.set_point.keep(chosen)
            if abs(chosen - temperature) <= 0.1:
                return
        raise Fault(
            f"{self.where}: set to {temperature:g} degC, but it says {chosen:g} degC"
        )

    def show(self, wanted: float) -> float:
        shown = self.client.temperature(self.settings.sensor)
        self.temperature.keep(shown)
        chosen = self.client.set_temperature()
        if abs(chosen - wanted) > 0.1:
            chosen = self.client.set_temperature()  # one answer may be a late one
        self.set_point.keep(chosen)
        if abs(chosen - wanted) > 0.1:
            raise Restarted(
                f"{self.where}: is set to {chosen:g} degC, not to {wanted:g} degC as it "
                "was told: it was switched off, or somebody set it"
            )
        return shown

    # -- the watchdog --------------------------------------------------------------

    def _silence_allowed(self) -> int:
        """Return the whole seconds of the watchdog, 0 if there is none."""
        wanted = self.settings.watchdog
        if wanted:
            within(wanted, SHORTEST, LONGEST, f"{self.name}: watchdog", "s")
        return silence_allowed(self.where, wanted, LONGEST, self.clock)

    def feed(self) -> None:
        self.client.feed_watchdog(self._watchdog)

    def arm(self) -> None:
        if self._watchdog:
            self.keeper.keep(self.clock.real(self._watchdog) / 3.0)

    def make_safe(self) -> None:
        """Switch heater and motor off; no question can confirm it."""
        self.keeper.end()
        self.client.stop()


DRIVER = Hotplate
