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
================  ==========================  =====================================

No question tells whether the heater is on. So `stop` sends ``STOP_1`` and ``STOP_4`` and
cannot have them confirmed, and `prepare` sends them as well.

A set temperature must stay about 50 K below the safety circuit.

Watchdog 1 (``OUT_WD1@m``) would switch the heater off when the computer falls silent, but
cannot be cancelled once armed, so that it also ends every wanted silence, such as the
change from one campaign to the next; it is not used.

Unverified on hardware: ``IN_PV_1`` without a probe; the 50 K below the safety circuit; the
resolution (0.1 K on the wire); how long a plate takes, which the deadlines overestimate.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Annotated, ClassVar

from ophyd import Component
from ophyd.status import DeviceStatus

from instruments.device import Instrument
from instruments.errors import BadReply, Fault, Rejected, WrongModel
from instruments.framing import number, plain, within
from instruments.link import Identity, Link
from instruments.orders import Hold
from instruments.signals import ReadBack, Verb

SETTLED = 1.0
"""K between plate and set point that count as there ..."""
SETTLING_TIME = 30.0
"""... when it has been so for so many seconds."""
WINDOW = 5.0
"""K that a plate may leave its set point while it is held."""
FLAT = 0.2
FLAT_TIME = 120.0
"""A plate that cools by less than `FLAT` K in this many seconds has met the room."""
HEATING, COOLING = 30.0, 90.0
"""Seconds that a K may take, generously; each way has a quarter of an hour more."""
PATIENCE = 900.0
POLL = 2.0
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
    sensor:
        2 is the plate's own, 1 the external one.
    """

    model: str
    max_temperature: Annotated[float, "degC"]
    safety_margin: Annotated[float, "kelvin"] = 50.0
    sensor: int = 2
    baudrate: int = 9600


class IkaClient:
    """Words on the wire; no threads."""

    def __init__(self, link: Link) -> None:
        self.link = link

    def name(self) -> str:
        return self._ask("IN_NAME").decode("ascii", "replace").strip()

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

    def stop_heating(self) -> None:
        self._tell("STOP_1", urgent=True)

    def stop_stirring(self) -> None:
        self._tell("STOP_4", urgent=True)

    def _ask(self, question: str) -> bytes:
        message = plain(question, place=self.link.place) + END
        return self.link.ask(message, end=b"\r\n")

    def _tell(self, command: str, *, urgent: bool = False) -> None:
        self.link.tell(plain(command, place=self.link.place) + END, urgent=urgent)

    def _value(self, question: str) -> float:
        answer = self._ask(question)
        words = answer.split()
        if len(words) != 2 or words[1].decode("ascii", "replace") != question[-1]:
            raise BadReply(f"{self.link.place}: {question!r} answered {answer!r}")
        return number(words[0], place=f"{self.link.place}: {question}")


class Hotplate(Instrument):
    """A plate that is brought to a temperature, and kept there."""

    Settings: ClassVar[type] = HotplateSettings
    settings: HotplateSettings

    temperature = Component(Verb, begin="reach", units="degC", precision=1)
    set_point = Component(ReadBack, units="degC", precision=1)
    held = Component(Verb, begin="keep_for", units="s", precision=0)

    _safety = 0.0

    def make_link(self, port: str) -> Link:
        return Link(
            port,
            baudrate=self.settings.baudrate,
            bytesize=7,
            parity="E",
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

    def connect(self) -> Identity:
        self.link.open()
        name = self.client.name()
        if name != self.settings.model:
            raise WrongModel(
                f"{self.place}: 'IN_NAME' answered {name!r}; "
                f"the lab file promises {self.settings.model!r}"
            )
        self._safety = self.client.safety_temperature()
        return Identity("IKA", name)

    def prepare(self) -> None:
        """Switch heater and motor off, since nothing tells whether they are on."""
        self.client.stop_heating()
        self.client.stop_stirring()
        self._safety = self.client.safety_temperature()
        self.refresh()
        self.ready()

    def refresh(self) -> None:
        self.temperature.keep(self.client.temperature(self.settings.sensor))
        self.set_point.keep(self.client.set_temperature())

    def reach(self, temperature: float) -> DeviceStatus:
        """Heat or cool to a temperature; done when it has settled there."""
        self._check(temperature)
        way = temperature - self.temperature.get()
        allowed = PATIENCE + (HEATING * way if way > 0 else -COOLING * way)
        return self.begin(
            lambda cancelled: self._reach(temperature, allowed, cancelled),
            within=allowed,
        )

    def keep_for(self, hold: Hold) -> DeviceStatus:
        """Keep the temperature that the plate has; done when the time is over.

        The heater stays on afterwards.
        """
        self._check(hold.temperature)
        within(hold.duration, 0.0, 86400.0, f"{self.name}: duration", "s")
        return self.begin(
            lambda cancelled: self._hold(hold, cancelled), within=hold.duration + 60.0
        )

    def _check(self, temperature: float) -> None:
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

    def _reach(
        self, temperature: float, allowed: float, cancelled: threading.Event
    ) -> None:
        self._choose(temperature)
        self.go_on(cancelled)
        self.client.heat()
        deadline = self.clock.now() + allowed
        settled_since = flat_since = self.clock.now()
        lowest = float("inf")
        while True:
            self.pause(POLL, cancelled)
            shown, now = self._look(), self.clock.now()
            if abs(shown - temperature) > SETTLED:
                settled_since = now
            elif now - settled_since >= SETTLING_TIME:
                return
            if shown < lowest - FLAT:
                lowest, flat_since = shown, now
            # A plate has no cooler: a set point that the room is above is met when
            # it cools no further.
            cool = temperature < shown <= temperature + WINDOW
            if cool and now - flat_since >= FLAT_TIME:
                return
            if now > deadline:
                raise Fault(
                    f"{self.place}: {shown:g} degC, not settled within {SETTLED:g} K of "
                    f"{temperature:g} degC {allowed:.0f} s after it was told"
                )

    def _hold(self, hold: Hold, cancelled: threading.Event) -> None:
        chosen = self.client.set_temperature()
        self.set_point.keep(chosen)
        if abs(chosen - hold.temperature) > 0.1:
            raise Rejected(
                f"{self.place}: is set to {chosen:g} degC, so it cannot hold "
                f"{hold.temperature:g} degC; reach it first"
            )
        began = self.clock.now()
        while True:
            shown = self._look()
            if abs(shown - hold.temperature) > WINDOW:
                raise Fault(
                    f"{self.place}: {shown:g} degC, more than {WINDOW:g} K from the "
                    f"{hold.temperature:g} degC that it was to hold"
                )
            passed = self.clock.now() - began
            self.held.keep(passed)
            if passed >= hold.duration:
                return
            self.pause(min(POLL, hold.duration - passed), cancelled)

    def _choose(self, temperature: float) -> None:
        """Set a temperature and read it again: a plate ignores what it will not do."""
        self.client.choose_temperature(temperature)
        chosen = self.client.set_temperature()
        self.set_point.keep(chosen)
        if abs(chosen - temperature) > 0.1:
            raise Fault(
                f"{self.place}: set to {temperature:g} degC, but it says {chosen:g} degC"
            )

    def _look(self) -> float:
        shown = self.client.temperature(self.settings.sensor)
        self.temperature.keep(shown)
        return shown

    def make_safe(self) -> None:
        """Switch heater and motor off; no question can confirm it."""
        self.client.stop_heating()
        self.client.stop_stirring()


DRIVER = Hotplate
