r"""Syringe pump: Tecan Cavro XCalibur (and XLP 6000) with a distribution valve.

Serial settings: 9600 8N1, no flow control. DT framing: ``/<address><string>\r`` is
answered within 5 ms by ``/0<status><data>\x03\r\n``. A pump that has once seen the OEM
framing ignores DT until its power is cycled. Address switch 0 is ASCII ``1``.

Status byte ``01r0eeee``: ``r`` 1 is ready, valid *only in the answer to* ``Q``; ``eeee`` is
the error, valid in every answer.

===================  ==============================================================
``N1R``              fine resolution: 24000 increments a stroke, speeds unchanged
``Z<f>,<in>,<out>R``  initialise plunger and valve; f 0 full force, 1 half, 2 a third
``I<n>R``            valve to port n, clockwise
``A<n>R``            plunger to increment n, 0 is the top (syringe empty)
``P<n>R``            plunger down by n increments; ``P0`` moves nothing
``V<n>R``            top speed 5 to 6000 pulses/s; a stroke is 6000 pulses
``T``                terminate the plunger's move at once; not a turning valve
``Q``                status
``?``                plunger position  ``?2`` top speed  ``?6`` port  ``?23`` firmware
===================  ==============================================================

Errors: 1 initialisation failed, 2 invalid command, 3 invalid operand, 4 invalid
sequence, 6 EEPROM, 7 not initialised, 9 plunger overload, 10 valve overload, 11 move not
allowed with this valve position, 15 busy. 2, 3, 4 and 11 are a bad command; 7 asks for
`prepare`; 1, 6, 9, 10 are hardware in trouble.

No report says whether the pump is initialised (``?15`` counts initialisations over the
pump's life), so `prepare` asks for a relative move of zero increments, which moves
nothing and is answered with error 7 by a pump that is not.

Unverified on hardware: ``P0`` is accepted as a move of nothing; the text of ``?23``; the
XLP reports an invalid operand on ``Q`` rather than at once (both are looked at).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from ophyd import Component
from ophyd.status import DeviceStatus

from instruments.device import Instrument
from instruments.errors import BadReply, Fault, LinkTimeout, Rejected, WrongModel
from instruments.framing import DtAnswer, dt_answer, dt_block, number, within
from instruments.link import Identity, Link
from instruments.signals import Verb

INCREMENTS = 24000
"""A full stroke at resolution N1."""
PULSES = 6000.0
"""A full stroke, as speeds count it."""
SLOWEST, FASTEST = 5.0, 6000.0
NOT_INITIALISED = 7
PORTS = 12
INITIALISING = 60.0
TURNING = 10.0
TERMINATING = 0.2
"""Real seconds, of the few milliseconds that an answer takes."""
POLL = 0.1
END = b"\x03\r\n"

ERRORS = {
    1: "initialisation failed",
    2: "invalid command",
    3: "invalid operand",
    4: "invalid command sequence",
    6: "EEPROM failure",
    7: "not initialised",
    9: "plunger overload (back pressure)",
    10: "valve overload",
    11: "plunger move not allowed with this valve position",
    15: "command while busy",
}
FAULTS = {1, 6, 9, 10}


@dataclass(frozen=True, slots=True)
class PumpSettings:
    """What the lab file says of a pump.

    Attributes
    ----------
    syringe:
        Volume of a full stroke.
    valve:
        Port number of each connection, by name. `waste` is where the pump empties
        itself when it initialises; without it, the last port.
    speed:
        How fast it aspirates and dispenses, until told otherwise.
    address:
        The rotary switch, 0 to 14.
    materials:
        What liquids touch from valve to needle; the hall refuses what they do not stand.
    """

    syringe: Annotated[float, "uL"]
    valve: Mapping[str, int] = field(default_factory=dict)
    speed: Annotated[float, "uL/s"] = 200.0
    address: int = 0
    baudrate: int = 9600
    materials: tuple[str, ...] = ()


class CavroClient:
    """Words on the wire; no threads."""

    def __init__(self, link: Link, address: int = 0) -> None:
        self.link = link
        self.address = chr(ord("1") + address)

    def ask(self, data: str) -> DtAnswer:
        """Send one string and return the answer, whatever error it tells."""
        place = self.link.place
        block = self.link.ask(dt_block(self.address, data, place=place), end=END)
        return dt_answer(block, place=place)

    def command(self, data: str) -> None:
        """Send a string to be executed; returns when acknowledged, not when done."""
        self.check(data, self.ask(data + "R"))

    def report(self, data: str) -> str:
        """Return what a report command tells."""
        answer = self.ask(data)
        if answer.error in FAULTS:
            self.check(data, answer)
        return answer.data

    def ready(self) -> bool:
        """Whether the last string has been carried out; raises the error that ended it."""
        answer = self.ask("Q")
        # While it initialises a pump is busy and, still, not initialised.
        if answer.ready or answer.error != NOT_INITIALISED:
            self.check("Q", answer)
        return answer.ready

    def check(self, data: str, answer: DtAnswer) -> None:
        if answer.error:
            kind = Fault if answer.error in FAULTS else Rejected
            meaning = ERRORS.get(answer.error, "not in the manual")
            raise kind(
                f"{self.link.place}: {data!r} answered error {answer.error}: {meaning}"
            )

    def fine(self) -> None:
        """Count 24000 increments to the stroke."""
        self.command("N1")

    def initialised(self) -> bool:
        """Whether moves are accepted; moves nothing."""
        answer = self.ask("P0R")
        if answer.error == NOT_INITIALISED:
            return False
        self.check("P0", answer)
        return True

    def initialise(self, force: int, inlet: int, outlet: int) -> None:
        """Find the top of the plunger, emptying the syringe into a port."""
        # A previous error must not end the new initialisation before it has begun.
        self.ask("Q")
        answer = self.ask(f"Z{force},{inlet},{outlet}R")
        if answer.error != NOT_INITIALISED:
            self.check("Z", answer)

    def plunger(self, increments: int) -> None:
        self.command(f"A{increments}")

    def valve(self, port: int) -> None:
        self.command(f"I{port}")

    def speed(self, pulses: int) -> None:
        self.command(f"V{pulses}")

    def position(self) -> int:
        """Return the plunger's place, in increments."""
        return self._whole("?")

    def port(self) -> int:
        return self._whole("?6")

    def top_speed(self) -> int:
        """Return the top speed, in pulses/s."""
        return self._whole("?2")

    def firmware(self) -> str:
        return self.report("?23")

    def terminate(self) -> None:
        """Stop the plunger now, whatever is being asked by another thread."""
        block = dt_block(self.address, "T", place=self.link.place)
        self.link.tell(block, urgent=True)
        # Its answer must not be taken for that of the next question.
        if self.link.lock.acquire(timeout=TERMINATING):
            try:
                self.link.read(END, TERMINATING)
            except LinkTimeout:
                pass
            finally:
                self.link.lock.release()

    def _whole(self, data: str) -> int:
        text = self.report(data)
        return int(number(text.encode("ascii"), place=f"{self.link.place}: {data}"))


class Pump(Instrument):
    """A syringe whose contents are set, and a valve whose port has a name."""

    Settings: ClassVar[type] = PumpSettings
    settings: PumpSettings

    plunger = Component(Verb, begin="draw", units="uL", precision=1)
    valve = Component(Verb, begin="turn", units="", value="")
    speed = Component(Verb, begin="hurry", units="uL/s", precision=1)

    def make_link(self, port: str) -> Link:
        return Link(port, baudrate=self.settings.baudrate, name=self.name)

    @property
    def client(self) -> CavroClient:
        return CavroClient(self.link, self.settings.address)

    @property
    def capacity(self) -> float:
        """Volume of a full stroke, uL."""
        return self.settings.syringe

    def connect(self) -> Identity:
        for name, port in self.settings.valve.items():
            within(port, 1, PORTS, f"{self.name}: valve port {name}", "")
        self.link.open()
        try:
            firmware = self.client.firmware()
        except BadReply as error:
            raise WrongModel(f"{error}; the lab file promises a Cavro pump") from error
        return Identity("Tecan", "Cavro XCalibur", "", firmware)

    def prepare(self) -> None:
        """Initialise if the pump is not, or was stopped; empty; set the speed."""
        client = self.client
        never = threading.Event()
        self._wait("before preparing", INITIALISING, never)
        client.fine()
        if self.stopped or not client.initialised():
            ports = self.settings.valve.values()
            waste = self.settings.valve.get("waste", max(ports, default=0))
            inlet = min((one for one in ports if one != waste), default=0)
            client.initialise(self._force, inlet, waste)
            self._wait("initialising", INITIALISING, never)
        client.speed(self._pulses(self.settings.speed))
        if client.position() and "waste" in self.settings.valve:
            client.valve(self.settings.valve["waste"])
            self._wait("turning the valve to waste", TURNING, never)
            client.plunger(0)
            self._wait("emptying", self._duration(self.capacity), never)
        self.refresh()
        self.ready()

    def refresh(self) -> None:
        client = self.client
        self.plunger.keep(client.position() * self.capacity / INCREMENTS)
        self.speed.keep(client.top_speed() * self.capacity / PULSES)
        port = client.port()
        names = (name for name, one in self.settings.valve.items() if one == port)
        self.valve.keep(next(names, str(port)))

    def draw(self, volume: float) -> DeviceStatus:
        """Have ``volume`` uL in the syringe; done when the plunger is there."""
        within(volume, 0.0, self.capacity, f"{self.name}: plunger", "uL")
        increments = round(volume / self.capacity * INCREMENTS)
        allowed = self._duration(self.capacity)

        def work(cancelled: threading.Event) -> None:
            self.client.plunger(increments)
            self._wait(f"drawing to {volume:g} uL", allowed, cancelled)
            reached = self.client.position()
            self.plunger.keep(reached * self.capacity / INCREMENTS)
            if abs(reached - increments) > 1:
                raise Fault(
                    f"{self.place}: plunger is at increment {reached}, not at "
                    f"{increments}, and says that it is ready"
                )

        return self.begin(work, within=allowed)

    def turn(self, name: str) -> DeviceStatus:
        """Connect the syringe with a port; done when the valve says it is there."""
        if name not in self.settings.valve:
            known = ", ".join(self.settings.valve)
            raise Rejected(f"{self.name}: valve port {name!r} is not one of {known}")
        port = self.settings.valve[name]

        def work(cancelled: threading.Event) -> None:
            self.client.valve(port)
            self._wait(f"turning the valve to {name}", TURNING, cancelled)
            if (reached := self.client.port()) != port:
                raise Fault(
                    f"{self.place}: valve is at port {reached}, not at {port} ({name})"
                )
            self.valve.keep(name)

        return self.begin(work, within=TURNING)

    def hurry(self, speed: float) -> DeviceStatus:
        """Aspirate and dispense at ``speed`` uL/s from the next move on."""
        pulses = self._pulses(speed)

        def work(_: threading.Event) -> None:
            self.client.speed(pulses)
            self.speed.keep(self.client.top_speed() * self.capacity / PULSES)

        return self.begin(work, within=1.0)

    def make_safe(self) -> None:
        """Stop the plunger where it is; it has lost steps and must be initialised."""
        self.client.terminate()

    @property
    def _force(self) -> int:
        """Return how hard to drive a plunger of this size against its stop."""
        if self.capacity >= 1000.0:
            return 0
        return 1 if self.capacity >= 250.0 else 2

    def _pulses(self, speed: float) -> int:
        lowest, highest = (one * self.capacity / PULSES for one in (SLOWEST, FASTEST))
        within(speed, lowest, highest, f"{self.name}: speed", "uL/s")
        return round(speed / self.capacity * PULSES)

    def _duration(self, volume: float) -> float:
        """Return generous lab seconds for a move."""
        slowest = self.speed.get() or self.settings.speed
        return 2.0 * volume / slowest + 10.0

    def _wait(self, what: str, allowed: float, cancelled: threading.Event) -> None:
        deadline = self.clock.now() + allowed
        while True:
            ready = self.client.ready()
            self.go_on(cancelled)  # a terminated plunger is ready, but not there
            if ready:
                return
            if self.clock.now() > deadline:
                raise Fault(f"{self.place}: still busy {what} after {allowed:.0f} s")
            self.pause(POLL, cancelled)


DRIVER = Pump
