r"""Syringe pump: Tecan Cavro XCalibur or XLP 6000, with a distribution valve.

Serial settings: 9600 8N1, no flow control. Two framings, see `cavro_framing`: DT,
``/<address><string>\r`` answered within 5 ms by ``/0<status><data>\x03\r\n``; and OEM, with
checksum and sequence number. A pump that has once heard an OEM frame ignores DT until its
power is cycled; an XLP keeps the one that it hears first. With OEM an act whose answer
does not come within 100 ms is sent once more with the repeat flag: the pump executes it
at most once. With DT it is looked for, and never sent blindly.

Up to 15 pumps share one port (RS-485), told apart by `address`, with the same framing.
Address 1 is switch position 0, ASCII ``1``; address 15 is position E, ASCII ``?``.

Status byte ``01r0eeee``: ``r`` 1 is ready, valid *only in the answer to* ``Q``; ``eeee`` is
the error, valid in every answer.

===================  ==============================================================
``N1R``              fine resolution, speeds unchanged: 24000 increments a stroke,
                     48000 of an XLP
``Z<f>,<in>,<out>R``  initialise plunger and valve; f 0 full force, 1 half, 2 a third
``I<n>R``            valve to port n, clockwise
``A<n>R``            plunger to increment n, 0 is the top (syringe empty)
``P<n>R``            plunger down by n increments; ``P0`` moves nothing
``V<n>R``            top speed 5 to 6000 pulses/s; a stroke is 6000 pulses
``T``                terminate the plunger's move at once; not a turning valve
``Q``                status
``?``                plunger position  ``?2`` top speed  ``?6`` port  ``?23`` firmware
``?28``              resolution of an XLP, 0 to 2; an XCalibur does not know it
===================  ==============================================================

Errors: 1 initialisation failed, 2 invalid command, 3 invalid operand, 4 invalid
sequence, 6 EEPROM, 7 not initialised, 9 plunger overload, 10 valve overload, 11 move not
allowed with this valve position, 15 busy. 2, 3, 4 and 11 are a bad command; 7 asks for
`prepare`; 1, 6, 9, 10 are hardware in trouble. An XLP tells an invalid operand not at
once but on ``Q``; both are looked at.

No report says whether the pump is initialised (``?15`` counts initialisations over the
pump's life), so `prepare` asks for a relative move of zero increments, which moves
nothing and is answered with error 7 by a pump that is not.

A report and ``Q`` change nothing and are asked again; so are ``N1`` and ``V``, which set
what they set once more. After a lost answer to ``A`` or ``I`` the pump is asked: busy or
there means taken, ready and as before means not taken. ``Z`` of a pump that says ready
is sent again: it drives the plunger to the top, where nothing more can come of it. An
answer tells nothing of its question but that only a report has data.

A pump of the other model would pour half or twice the volume, so `connect` asks ``?28``.

Unverified on hardware [R]: ``P0`` is accepted as a move of nothing; the text of ``?23``;
what ``?28`` of an XCalibur is answered (any answer without a number will do); that a pump
counts only the frames to itself as the frame before; that frames to other pumps make an
XCalibur deaf to DT, which is why a port has one framing.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from ophyd import Component
from ophyd.status import DeviceStatus

from instruments.acts import act_once
from instruments.cavro_client import ERRORS, NOT_INITIALISED, CavroClient
from instruments.cavro_framing import Dt, Framing, Oem
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
from instruments.link import Identity, Link
from instruments.signals import Verb

INCREMENTS = {"XCalibur": 24000, "XLP6000": 48000}
"""A full stroke at resolution N1, by model."""
NAMES = {"XCalibur": "Cavro XCalibur", "XLP6000": "Cavro XLP 6000"}
FINE = 1
PULSES = 6000.0
"""A full stroke, as speeds count it."""
SLOWEST, FASTEST = 5.0, 6000.0
PORTS = 12
INITIALISING = 60.0
TURNING = 10.0
ANSWERING = 0.5
"""Real seconds; the manual says 5 ms and the wire takes 10."""
STILL = 3
"""Times that a pump must say ready and be elsewhere before it is believed."""
POLL = 0.1
ADDRESSES = 15


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
        1 to 15, one more than the rotary switch; each pump on a port has its own.
    framing:
        What is put around a string, `dt` or `oem`; the same for all pumps on a port.
    materials:
        What liquids touch from valve to needle; the hall refuses what they do not stand.
    """

    syringe: Annotated[float, "uL"]
    valve: Mapping[str, int] = field(default_factory=dict)
    speed: Annotated[float, "uL/s"] = 200.0
    model: Literal["XCalibur", "XLP6000"] = "XCalibur"
    address: int = 1
    framing: Literal["dt", "oem"] = "dt"
    baudrate: int = 9600
    materials: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.address <= ADDRESSES:
            raise ValueError(
                f"address {self.address} is outside 1 to {ADDRESSES}; switch position 0 "
                "is address 1"
            )


class Pump(Instrument):
    """A syringe whose contents are set, and a valve whose port has a name."""

    Settings: ClassVar[type] = PumpSettings
    bus: ClassVar[tuple[str, ...]] = ("framing", "baudrate")
    settings: PumpSettings

    plunger = Component(Verb, begin="draw", units="uL", precision=1)
    valve = Component(Verb, begin="turn", units="", value="")
    speed = Component(Verb, begin="hurry", units="uL/s", precision=1)

    def __init__(
        self, name: str, *, port: str, settings: PumpSettings, clock: Clock
    ) -> None:
        self._framing: Framing = Oem() if settings.framing == "oem" else Dt()
        super().__init__(name, port=port, settings=settings, clock=clock)

    def make_link(self, port: str) -> Link:
        return Link(
            port,
            baudrate=self.settings.baudrate,
            timeout=ANSWERING,
            quiet=self._framing.quiet,
            name=self.name,
        )

    @property
    def client(self) -> CavroClient:
        return CavroClient(self.link, self.settings.address, self._framing)

    @property
    def increments(self) -> int:
        """A full stroke as the plunger's place counts it."""
        return INCREMENTS[self.settings.model]

    @property
    def capacity(self) -> float:
        """Volume of a full stroke, uL."""
        return self.settings.syringe

    def identify(self) -> Identity:
        for name, port in self.settings.valve.items():
            within(port, 1, PORTS, f"{self.name}: valve port {name}", "")
        try:
            firmware = self.client.firmware()
        except BadReply as error:
            raise WrongModel(f"{error}; the lab file promises a Cavro pump") from error
        self._check_model()
        return Identity("Tecan", NAMES[self.settings.model], "", firmware)

    def _check_model(self) -> None:
        """Refuse a pump whose stroke has other increments than the lab file says."""
        client, promised = self.client, self.settings.model
        if promised == "XLP6000":
            try:
                client.resolution()
            except BadReply as error:
                raise WrongModel(
                    f"{error}; the lab file promises an XLP6000"
                ) from error
            return
        answer = self.link.again(lambda: client.ask("?28"))
        if answer.data.isdecimal():
            raise WrongModel(
                f"{self.where}: '?28' answered {answer.data!r}, which only an XLP6000 "
                f"knows; the lab file promises an {promised}"
            )

    def set_up(self, cancelled: threading.Event) -> None:
        """Initialise if the pump is not, or was stopped; empty; set the speed."""
        client = self.client
        with contextlib.suppress(
            Restarted
        ):  # it says so once it has been asked to move
            self._wait("before preparing", INITIALISING, cancelled)
        if self.stopped or not client.initialised():
            self._initialise(cancelled)
        client.fine()
        if self.settings.model == "XLP6000" and (mode := client.resolution()) != FINE:
            raise Fault(
                f"{self.where}: resolution is N{mode}, not N{FINE} as it was told"
            )
        client.speed(self._pulses(self.settings.speed))
        if client.position() and "waste" in self.settings.valve:
            self._turn("waste", cancelled)
            self._draw(0.0, cancelled)
        self.refresh()

    def look(self) -> dict[str, Any]:
        """Return contents, port, whether it is busy or initialised, and its error.

        A pump that is not initialised does not know where its plunger is. Asking takes
        an error out of the pump, as every ``Q`` does.
        """
        client = self.client
        state = client.state()
        known = state.error != NOT_INITIALISED and (
            not state.ready or self._accepts_moves()
        )
        position = client.position() * self.capacity / self.increments
        return {
            "plunger_uL": position if known else None,
            "port": self._port_name(client.port()),
            "busy": not state.ready,
            "initialised": known,
            "error": ERRORS.get(state.error, "") if state.error else "",
        }

    def _accepts_moves(self) -> bool:
        try:
            return self.client.initialised()
        except DeviceError:
            return False

    def refresh(self) -> None:
        client = self.client
        self.plunger.keep(client.position() * self.capacity / self.increments)
        self.speed.keep(client.top_speed() * self.capacity / PULSES)
        self.valve.keep(self._port_name(client.port()))

    def draw(self, volume: float) -> DeviceStatus:
        """Have ``volume`` uL in the syringe; done when the plunger is there."""
        within(volume, 0.0, self.capacity, f"{self.name}: plunger", "uL")
        return self.begin(
            lambda cancelled: self._draw(volume, cancelled),
            within=self._duration(self.capacity),
        )

    def turn(self, name: str) -> DeviceStatus:
        """Connect the syringe with a port; done when the valve says it is there."""
        if name not in self.settings.valve:
            known = ", ".join(self.settings.valve)
            raise Rejected(f"{self.name}: valve port {name!r} is not one of {known}")
        return self.begin(lambda cancelled: self._turn(name, cancelled), within=TURNING)

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

    def _port_name(self, port: int) -> str:
        names = (name for name, one in self.settings.valve.items() if one == port)
        return next(names, str(port))

    def _draw(self, volume: float, cancelled: threading.Event) -> None:
        target = round(volume / self.capacity * self.increments)
        client = self.client
        self._act(
            f"plunger to {volume:g} uL",
            lambda: client.plunger(target),
            client.position,
            (target, 1),
            self._duration(self.capacity),
            cancelled,
        )
        self.plunger.keep(client.position() * self.capacity / self.increments)

    def _turn(self, name: str, cancelled: threading.Event) -> None:
        port, client = self.settings.valve[name], self.client
        self._act(
            f"valve to port {port} ({name})",
            lambda: client.valve(port),
            client.port,
            (port, 0),
            TURNING,
            cancelled,
        )
        self.valve.keep(name)

    def _act(
        self,
        what: str,
        send: Callable[[], None],
        place: Callable[[], int],
        goal: tuple[int, int],
        allowed: float,
        cancelled: threading.Event,
    ) -> None:
        """Move plunger or valve to a goal, so near; return when it is there."""
        before = place()
        target, near = goal

        def there(where: int) -> bool:
            return abs(where - target) <= near

        def taken() -> bool:
            self.go_on(cancelled)
            if not self.client.ready() or there(here := place()):
                return True
            if here != before:
                raise LinkError(
                    f"it says that it is ready at {here}, neither at {before}, where "
                    f"it was, nor at {target}"
                )
            return False

        act_once(
            f"{self.where}: {what}",
            send=send,
            taken=taken,
            go_on=lambda: self.go_on(cancelled),
        )
        self._wait(what, allowed, cancelled, lambda: there(place()))

    def _initialise(self, cancelled: threading.Event) -> None:
        ports = self.settings.valve.values()
        waste = self.settings.valve.get("waste", max(ports, default=0))
        inlet = min((one for one in ports if one != waste), default=0)
        act_once(
            f"{self.where}: initialising",
            send=lambda: self.client.initialise(self._force, inlet, waste),
            taken=lambda: not self.client.state().ready,
            go_on=lambda: self.go_on(cancelled),
        )
        self._wait("initialising", INITIALISING, cancelled, self.client.initialised)

    def _wait(
        self,
        what: str,
        allowed: float,
        cancelled: threading.Event,
        done: Callable[[], bool] = lambda: True,
    ) -> None:
        """Wait until the pump is ready and, as far as can be asked, has done it.

        A single answer may be a late one to an earlier question: a pump is believed to
        have ended elsewhere when it has said so `STILL` times.
        """
        deadline = self.deadline(allowed)
        elsewhere = 0
        while True:
            ready = self.client.ready()
            self.go_on(cancelled)  # a terminated plunger is ready, but not there
            if ready and done():
                return
            elsewhere = elsewhere + 1 if ready else 0
            if elsewhere >= STILL:
                if not self.client.initialised():
                    raise Restarted(f"{self.where}: not initialised any more: {what}")
                raise Fault(f"{self.where}: says that it is ready, but not: {what}")
            if self.clock.now() > deadline:
                raise Fault(f"{self.where}: still busy {what} after {allowed:.0f} s")
            self.pause(POLL, cancelled)


DRIVER = Pump
