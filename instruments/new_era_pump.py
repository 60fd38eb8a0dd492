r"""Syringe pump: New Era NE-1000, also sold as WPI Aladdin.

Serial settings: 19200 8N1 (300 to 19200), no flow control. Addresses 0 to 99, several
pumps on one port in a daisy chain. What goes around a command: `new_era_framing`.

===================  ==============================================================
``VER``              model and firmware, ``NE1000V3.928``
``DIA<n>``           inner diameter of the syringe, mm; without a number what it is
``VOLUL`` ``VOLML``  unit of volumes; ``VOL<n>`` volume to pump, 0 without end
``RAT<n><unit>``     rate; UM uL/min, MM mL/min, UH uL/h, MH mL/h
``DIRINF`` ``DIRWDR``  infuse or withdraw
``RUN``              go, or go on after a pause
``STP``              pause; when it is paused, give up what is left
``DIS``              infused and withdrawn since cleared: ``I<n>W<n>UL``
``CLDINF`` ``CLDWDR``  clear them
``SAF<n>``           safe mode, n = 1 to 255 s of silence; ``SAF0`` basic mode
(nothing)            what it does
===================  ==============================================================

Prompts: I infusing, W withdrawing, S at rest, P paused, X purging, T and U waiting in a
program. Refusals in the data: ``?`` unknown, ``?NA`` not now, ``?OOR`` out of range, ``?COM``
transmission error (not executed), ``?IGN`` ignored. Alarms ``A?R`` was switched on, ``A?S``
stalled, ``A?T`` safe mode timeout, ``A?E`` program, ``A?O`` out of range.

An alarm is told once, in the answer to the next command, and *that command is not
executed*. Numbers have at most four digits and a point, at most three decimals. The
plunger does 0.004205 cm/h to 5.1005 cm/min.

In basic mode an answer does not tell its question, and nothing shows a changed byte. While
it pumps the pump is in safe mode: frames have a check, and after `watchdog` seconds of
silence it stops with ``A?T``. Each question of the loop that waits feeds it. On a bench
that runs faster than life the time is longer; where 255 s are not so long, a line in the
log says that the watchdog is not armed.

What sets (``DIA``, ``VOL``, ``RAT``, ``DIR``, ``SAF``) is said again if its answer is lost, and read
again. ``RUN`` is an act: infusing, or more told by ``DIS`` than before, means taken; at
rest with as much as before means not taken.

`stop` sends ``STP`` once: the pump stands, paused, and ``DIS`` tells what has left it.
`prepare` sends it until the pump is at rest, in basic mode, and clears the volumes.

Unverified on hardware [R]: that a second ``STP`` resets; that ``SAF`` is taken in a safe frame
whatever the mode (``SAF0`` is, a released client relies on it); that other alarms too are
told once; that a pump in safe mode does not hear basic commands; that ``STP`` at rest is
no error (``?NA`` is taken for one that stands); the digits in which ``DIS`` tells.
"""

from __future__ import annotations

import logging
import math
import threading
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from ophyd import Component
from ophyd.status import DeviceStatus

from instruments.acts import act_once
from instruments.clock import Clock
from instruments.device import Instrument
from instruments.errors import (
    BadReply,
    DeviceError,
    Fault,
    LinkError,
    Rejected,
    Restarted,
    WrongModel,
)
from instruments.framing import within
from instruments.keeper import silence_allowed
from instruments.link import Identity, Link
from instruments.new_era_framing import (
    Answer,
    answer,
    basic_frame,
    digits,
    dispensed,
    inside,
    length,
    quantity,
    safe_frame,
)
from instruments.orders import Infusion
from instruments.signals import ReadBack, Verb

log = logging.getLogger(__name__)

PROMPTS = {
    "I": "infusing",
    "W": "withdrawing",
    "S": "at rest",
    "P": "paused",
    "X": "purging",
    "T": "waiting in a program",
    "U": "waiting in a program",
}
ALARMS = {
    "R": "was switched on",
    "S": "the motor has stalled",
    "T": "heard nothing in safe mode for too long, and has stopped",
    "E": "error in a pumping program",
    "O": "a phase of a pumping program is out of range",
}
REFUSALS = {"": "unknown", "NA": "not now", "OOR": "out of range", "IGN": "ignored"}
UNITS = {"UM": 60.0, "UH": 3600.0, "MM": 0.06, "MH": 3.6}
"""What a rate of 1 uL/s is in each unit; the finest that holds it is taken."""
SLOWEST, FASTEST = 0.004205 / 3600.0, 5.1005 / 60.0
"""Of the plunger, cm/s."""
MOST = 9999.0
"""In four digits."""
ADDRESSES = 99
LONGEST = 255
"""Of the watchdog, s."""
ANSWERING = 0.4
"""Real seconds for an answer, which takes some 20 ms."""
STOPPING = 0.2
POLL = 0.1
SAME = 0.001
"""Part by which a number that is read again may differ."""
METERED = 0.01
"""Part of a volume by which what is told may differ: DIS has four digits."""


@dataclass(frozen=True, slots=True)
class NewEraSettings:
    """What the lab file says of the pump.

    Attributes
    ----------
    diameter:
        Inner diameter of the syringe; all volumes follow from it. BD 5 mL 11.99 mm,
        10 mL 14.43 mm, 20 mL 19.05 mm.
    syringe:
        What it holds: nothing more is pumped at once.
    address:
        0 to 99; each pump on a port has its own.
    watchdog:
        Silence after which the pump stops by itself while it pumps; 0 for never.
    """

    diameter: Annotated[float, "mm"]
    syringe: Annotated[float, "uL"]
    address: int = 0
    watchdog: Annotated[float, "s"] = 10.0
    baudrate: int = 19200

    def __post_init__(self) -> None:
        if not 0 <= self.address <= ADDRESSES:
            raise ValueError(f"address {self.address} is outside 0 to {ADDRESSES}")


class NewEraClient:
    """Words on the wire; no threads.

    ``safe`` says in which mode the pump is; None until it has been asked. ``restarted``:
    it has said that it was switched on, and has forgotten what it was told.
    """

    def __init__(self, link: Link, address: int = 0) -> None:
        self.link = link
        self.address = address
        self.safe: bool | None = None
        self.restarted = False

    def exchange(self, command: str, *, safe: bool | None = None) -> Answer:
        """Say a command once, in the pump's mode or as told; return what is answered."""
        link, place = self.link, self.link.place
        framed = self.safe if safe is None else safe
        frame = safe_frame if framed is not False else basic_frame
        came = link.ask_frame(frame(self.address, command, place=place), length)
        told = answer(inside(came, place=place), self.address, place=place)
        if told.alarm == "R":
            self.restarted = True
        if told.data == "?COM":
            raise BadReply(f"{place}: {command!r} answered '?COM': it was not heard")
        return told

    def checked(self, command: str, told: Answer) -> Answer:
        """Return an answer that is neither alarm nor refusal."""
        place = self.link.place
        if told.alarm:
            kind: type[DeviceError] = Restarted if told.alarm == "R" else Fault
            raise kind(
                f"{place}: {command!r} answered alarm {told.alarm}: {ALARMS[told.alarm]}"
            )
        if told.data.startswith("?"):
            meaning = REFUSALS.get(told.data[1:], "not in the manual")
            raise Rejected(f"{place}: {command!r} answered {told.data!r}: {meaning}")
        return told

    def command(self, command: str) -> Answer:
        """Say a command once; returns when it is accepted."""
        return self.checked(command, self.exchange(command))

    def question(self, command: str) -> Answer:
        """Say what changes nothing, or only sets what it has set."""
        return self.link.again(lambda: self.command(command))

    def wake(self) -> None:
        """Ask for the mode until no alarm is told any more; nothing is changed."""
        for _ in ALARMS:
            told = self.link.again(lambda: self.exchange("SAF", safe=True))
            if not told.alarm:
                seconds, _ = quantity(self.checked("SAF", told).data, place=self.place)
                self.safe = seconds > 0.0
                return
            log.info("%s: %s", self.place, ALARMS[told.alarm])
        raise Fault(f"{self.place}: tells alarm after alarm")

    @property
    def place(self) -> str:
        return self.link.place

    def guard(self, seconds: int) -> None:
        """Go to safe mode with a watchdog of so many seconds; 0 is basic mode."""

        def once() -> None:
            self.checked("SAF", self.exchange(f"SAF{seconds}", safe=True))

        self.link.again(once)
        self.safe = seconds > 0

    def state(self) -> str:
        """Return the prompt: what the pump does."""
        return self.question("").prompt

    def told(self, name: str) -> tuple[float, str]:
        """Return a setting and its unit, as the pump has it."""
        return self.link.again(
            lambda: quantity(self.command(name).data, place=self.place)
        )

    def configure(self, name: str, text: str, unit: str = "") -> None:
        """Set a number, and see that the pump has it."""
        self.question(f"{name}{text}" if name == "VOL" else f"{name}{text}{unit}")
        value, its = self.told(name)
        if not math.isclose(value, float(text), rel_tol=SAME) or its != unit:
            raise Fault(f"{self.place}: {name} is {value:g} {its}, not {text} {unit}")

    def direct(self, direction: str) -> None:
        """Choose INF or WDR."""
        self.question(f"DIR{direction}")
        if (told := self.question("DIR").data) != direction:
            raise Fault(f"{self.place}: direction is {told!r}, not {direction!r}")

    def volumes(self) -> tuple[float, float]:
        """Return what was infused and withdrawn since cleared, uL."""
        return self.link.again(
            lambda: dispensed(self.command("DIS").data, place=self.place)
        )

    def clear(self) -> None:
        for direction in ("INF", "WDR"):
            self.question(f"CLD{direction}")

    def run(self) -> None:
        """Go; returns when the pump says that it does."""
        told = self.command("RUN")
        if told.prompt not in ("I", "W"):
            raise BadReply(f"{self.place}: 'RUN' answered {told.prompt!r}: not running")

    def halt(self) -> None:
        """Pause, and give up what is left."""
        for _ in ALARMS:
            told = self.link.again(lambda: self.exchange("STP"))
            if told.prompt == "S":
                return
        raise Fault(f"{self.place}: 'STP' does not bring it to rest: {told}")

    def stand(self) -> None:
        """Pause now, whatever is being asked by another thread."""
        for safe, frame in ((True, safe_frame), (False, basic_frame)):
            if self.safe in (None, safe):
                message = frame(self.address, "STP", place=self.place)
                self.link.tell(message, urgent=True)
        # Its answer must not be taken for that of the next question.
        if self.link.lock.acquire(timeout=STOPPING):
            try:
                self.link.settle(STOPPING)
            finally:
                self.link.lock.release()


class SyringePump(Instrument):
    """A syringe that infuses and withdraws a volume at a rate, and tells how much it was."""

    Settings: ClassVar[type] = NewEraSettings
    bus: ClassVar[tuple[str, ...]] = ("baudrate",)
    settings: NewEraSettings

    infused = Component(Verb, begin="infuse", units="uL", precision=3)
    withdrawn = Component(Verb, begin="withdraw", units="uL", precision=3)
    counted = Component(Verb, begin="clear", units="uL", precision=3)
    rate = Component(ReadBack, units="uL/s", precision=4)

    def __init__(
        self, name: str, *, port: str, settings: NewEraSettings, clock: Clock
    ) -> None:
        super().__init__(name, port=port, settings=settings, clock=clock)
        self.client = NewEraClient(self.link, settings.address)
        self._watchdog = 0

    def make_link(self, port: str) -> Link:
        return Link(
            port,
            baudrate=self.settings.baudrate,
            timeout=ANSWERING,
            name=self.name,
        )

    def identify(self) -> Identity:
        if self.identity is None:
            self._watchdog = self._silence_allowed()
        try:
            self.client.wake()
            told = self.client.question("VER").data
        except (BadReply, Rejected) as error:
            raise WrongModel(
                f"{error}; the lab file promises a New Era pump"
            ) from error
        model, _, firmware = told.partition("V")
        if not model.startswith("NE") or not firmware:
            raise WrongModel(
                f"{self.where}: 'VER' answered {told!r}; the lab file promises a New "
                "Era pump"
            )
        return Identity("New Era", f"NE-{model[2:]}", "", firmware)

    def set_up(self, cancelled: threading.Event) -> None:
        """Come to rest in basic mode, with this syringe and nothing counted."""
        client = self.client
        client.wake()
        client.halt()
        self.go_on(cancelled)
        client.guard(0)
        client.configure("DIA", digits(self.settings.diameter))
        client.question("VOLUL")
        client.clear()
        client.restarted = False
        self.refresh()

    def look(self) -> dict[str, Any]:
        """Return what the pump does and what it has counted.

        One that was switched off has forgotten what it counted. Asking takes an alarm
        out of the pump.
        """
        client = self.client
        client.wake()
        out, back = client.volumes()
        known = not client.restarted
        return {
            "state": PROMPTS[client.state()],
            "infused_uL": out if known else None,
            "withdrawn_uL": back if known else None,
        }

    def refresh(self) -> None:
        value, unit = self.client.told("RAT")
        if unit not in UNITS:
            raise BadReply(f"{self.where}: 'RAT' answered a unit {unit!r}")
        self.rate.keep(value / UNITS[unit])
        self.counted.keep(self.client.volumes()[0])

    def infuse(self, order: Infusion) -> DeviceStatus:
        """Push a volume out at a rate; done when the pump says that it has."""
        return self._begin("INF", order)

    def withdraw(self, order: Infusion) -> DeviceStatus:
        """Pull a volume in at a rate; done when the pump says that it has."""
        return self._begin("WDR", order)

    def clear(self, value: float = 0.0) -> DeviceStatus:
        """Count from 0 uL; done when the pump says that it does."""
        within(value, 0.0, 0.0, f"{self.name}: counted", "uL")

        def work(_: threading.Event) -> None:
            self.client.clear()
            if any(counted := self.client.volumes()):
                raise Fault(f"{self.where}: cleared, but tells {counted} uL")
            self.counted.keep(0.0)

        return self.begin(work, within=1.0)

    @property
    def rates(self) -> tuple[float, float]:
        """The slowest and the fastest rate with this syringe, uL/s."""
        area = math.pi / 4.0 * (self.settings.diameter / 10.0) ** 2
        return SLOWEST * area * 1000.0, FASTEST * area * 1000.0

    def _begin(self, direction: str, order: Infusion) -> DeviceStatus:
        within(order.volume, 0.001, self.settings.syringe, f"{self.name}: volume", "uL")
        within(order.rate, *self.rates, f"{self.name}: rate", "uL/s")
        allowed = 1.5 * order.volume / order.rate + 10.0
        return self.begin(
            lambda cancelled: self._pump(direction, order, allowed, cancelled),
            within=allowed,
        )

    def _pump(
        self,
        direction: str,
        order: Infusion,
        allowed: float,
        cancelled: threading.Event,
    ) -> None:
        client, way = self.client, ("INF", "WDR").index(direction)
        if (prompt := client.state()) != "S":
            raise Fault(f"{self.where}: is {PROMPTS[prompt]}, not at rest: prepare it")
        self._configure(direction, order)
        before = client.volumes()[way]
        client.guard(self._watchdog)
        self.go_on(cancelled)
        act_once(
            f"{self.where}: {direction} {order.volume:g} uL",
            send=client.run,
            taken=lambda: self._taken(way, before),
            go_on=lambda: self.go_on(cancelled),
        )
        self._until_rest(allowed, cancelled)
        client.guard(0)
        moved = client.volumes()[way] - before
        signal = (self.infused, self.withdrawn)[way]
        signal.keep(moved)
        self.refresh()
        if abs(moved - order.volume) > METERED * max(order.volume, before):
            raise Fault(
                f"{self.where}: is at rest after {moved:g} uL, not {order.volume:g} uL"
            )

    def _configure(self, direction: str, order: Infusion) -> None:
        client = self.client
        client.configure("DIA", digits(self.settings.diameter))
        unit, scale = ("UL", 1.0) if order.volume <= MOST else ("ML", 1000.0)
        client.question(f"VOL{unit}")
        client.configure("VOL", digits(order.volume / scale), unit)
        # The unit in which four digits say the rate most finely.
        value, unit = max(
            (order.rate * k, u) for u, k in UNITS.items() if order.rate * k <= MOST
        )
        client.configure("RAT", digits(value), unit)
        client.direct(direction)

    def _taken(self, way: int, before: float) -> bool:
        prompt = self.client.state()
        if prompt == "IW"[way]:
            return True
        if prompt != "S":
            raise LinkError(f"it is {PROMPTS[prompt]}")
        return self.client.volumes()[way] > before

    def _until_rest(self, allowed: float, cancelled: threading.Event) -> None:
        deadline = self.deadline(allowed)
        while (prompt := self.client.state()) in ("I", "W"):
            if self.clock.now() > deadline:
                raise Fault(f"{self.where}: still pumping after {allowed:.0f} s")
            self.pause(POLL, cancelled)
        self.go_on(cancelled)  # a pump that was stopped is paused
        if prompt != "S":
            raise Fault(f"{self.where}: is {PROMPTS[prompt]}: somebody stopped it")

    def _silence_allowed(self) -> int:
        """Return the whole seconds of the watchdog, 0 if there is none."""
        wanted = self.settings.watchdog
        if wanted:
            within(wanted, 1.0, LONGEST, f"{self.name}: watchdog", "s")
        return silence_allowed(self.where, wanted, LONGEST, self.clock)

    def make_safe(self) -> None:
        """Pause: nothing more leaves the syringe."""
        self.client.stand()


DRIVER = SyringePump
