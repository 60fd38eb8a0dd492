r"""Spin coater: a chuck on an ODrive v3.x motor controller, ASCII protocol.

Serial settings: 115200 8N1 (USB-CDC ignores the speed). A command ends in ``\n`` alone
(``\r\n`` is answered ``unknown command`` once more); ``;`` begins a comment, ``!`` ends a
command. Answers end in ``\r\n``. A value is told in at most 9 characters.

=======================  ==========================================================
``i``                    three lines: hardware, firmware, serial number
``r <property>``         the value
``w <property> <value>``  nothing if it succeeds, so what was written is read again
``f 0``                  ``<turns> <turns/s>`` of the encoder
``t 0 <turns>``          trapezoidal move (control mode 3, input mode 5); no answer
``sc``                   clear errors; no answer
=======================  ==========================================================

A refusal is a line: ``invalid property``, ``invalid command format``, ``unknown command``.
It comes before the answer to the question that follows a write.

Properties, of ``axis0.``: ``requested_state`` (written) and ``current_state``: 1 idle, 3
full calibration (10 to 20 s, then idle), 8 closed loop. ``controller.config.``
``control_mode`` 2 velocity, ``input_mode`` 2 ramp, ``vel_ramp_rate`` turns/s²,
``vel_limit`` turns/s (1.2 times as fast is an error). ``controller.input_vel`` turns/s.
``error`` and ``motor.``, ``encoder.``, ``controller.error``: bit masks. ``vbus_voltage`` V.

Entering closed loop without a calibration sets ``axis0.error`` 1 and stays idle: that is
how `prepare` asks whether a calibration is needed.

A spin is over when the encoder has counted the turns that belong to it: those of the
ramp, v²/2a, and those of speed times duration. Then the clock of the spin is the
instrument's, not ours. ``duration`` is the time at speed; the ramps come on top.

`stop` requests idle: the chuck coasts. The watchdog of the controller (``axis0.config.
enable_watchdog``) would stop a chuck whose computer has died, but must be fed in real
time, which a bench that runs faster than life cannot promise; it is not used.

Unverified on hardware: `vel_estimate` noise at rest, the time that a state change takes,
deceleration without a brake resistor, park position after a power cycle (the encoder
without index counts from where it woke up). Never spin without vacuum: it is a separate
relay that this driver does not see.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Annotated, ClassVar

from ophyd import Component
from ophyd.status import DeviceStatus

from instruments.device import Instrument
from instruments.errors import BadReply, Fault, Rejected, WrongModel
from instruments.framing import number, plain, within
from instruments.link import Identity, Link
from instruments.orders import Spin
from instruments.signals import ReadBack, Verb

IDLE, CALIBRATION, CLOSED_LOOP = 1, 3, 8
VELOCITY, RAMP = 2, 2
CALIBRATION_TIME = 60.0
STATE_TIME = 5.0
REST = 0.05
"""Turns/s below which the chuck counts as at rest ..."""
REST_TIME = 1.0
"""... when it has been so for so many seconds."""
PARKED = 0.05
"""Turns from the park angle that are near enough for the gripper."""
HEADROOM = 1.1
"""Overspeed limit over the speed that the lab file allows."""
POLL = 0.1

AXIS_ERRORS = {
    0x1: "invalid state",
    0x40: "motor",
    0x80: "sensorless estimator",
    0x100: "encoder",
    0x200: "controller",
    0x800: "watchdog",
    0x4000: "emergency stop",
    0x40000: "over-temperature",
    0x80000: "unknown position",
}
CONTROLLER_ERRORS = {
    0x1: "overspeed",
    0x2: "invalid input mode",
    0x4: "unstable gain",
    0x20: "invalid estimate",
    0x80: "spin-out",
}
MOTOR_ERRORS = {
    0x1: "phase resistance",
    0x2: "phase inductance",
    0x8: "driver fault",
    0x400: "current sense saturation",
    0x1000: "current limit violation",
}
SOURCES = {
    "axis0": AXIS_ERRORS,
    "axis0.motor": MOTOR_ERRORS,
    "axis0.encoder": {},
    "axis0.controller": CONTROLLER_ERRORS,
}


@dataclass(frozen=True, slots=True)
class SpinCoaterSettings:
    """What the lab file says of a spin coater.

    Attributes
    ----------
    max_speed:
        Nothing faster is sent.
    current_limit:
        Of the motor; what it may accelerate with.
    park_angle:
        Where the chuck stands for the gripper, 0 to 1 turn.
    """

    max_speed: Annotated[float, "rpm"]
    max_acceleration: Annotated[float, "rpm/s"] = 5000.0
    current_limit: Annotated[float, "A"] = 10.0
    park_angle: Annotated[float, "turn"] = 0.0
    baudrate: int = 115200


class ODriveClient:
    """Words on the wire; no threads."""

    def __init__(self, link: Link) -> None:
        self.link = link

    def identity(self) -> dict[str, str]:
        """Return hardware, firmware and serial number by the names that ``i`` uses."""
        with self.link.lock:
            lines = [self.link.ask(b"i\n", end=b"\r\n")]
            if lines[0].startswith(b"Hardware version"):
                lines += [self.link.read(b"\r\n") for _ in range(2)]
        told = (line.decode("ascii", "replace").partition(": ") for line in lines)
        return {name: value for name, _, value in told}

    def read(self, name: str) -> float:
        """Return a property."""
        place = self.link.place
        answer = self.link.ask(b"r " + plain(name, place=place) + b"\n", end=b"\r\n")
        return number(self._accepted(name, answer), place=f"{place}: {name}")

    def write(self, name: str, value: float) -> None:
        """Write a property; a success is not answered."""
        text = f"{value}" if isinstance(value, int) else f"{value:.6f}"
        message = plain(f"w {name} {text}", place=self.link.place) + b"\n"
        self.link.tell(message)

    def configure(self, name: str, value: float) -> None:
        """Write a property and read it again, in case it was refused."""
        with self.link.lock:
            self.write(name, value)
            told = self.read(name)
        if not math.isclose(told, value, rel_tol=1e-5, abs_tol=1e-5):
            raise Fault(f"{self.link.place}: {name} is {told:g}, not {value:g}")

    def estimates(self) -> tuple[float, float]:
        """Return what the encoder says: turns, and turns/s."""
        answer = self._accepted("f 0", self.link.ask(b"f 0\n", end=b"\r\n"))
        words = answer.split()
        if len(words) != 2:
            raise BadReply(f"{self.link.place}: 'f 0' answered {answer!r}")
        place = self.link.place
        return number(words[0], place=place), number(words[1], place=place)

    def state(self) -> int:
        return int(self.read("axis0.current_state"))

    def request(self, state: int) -> None:
        """Ask for an axis state; it is reached later, or not."""
        self.write("axis0.requested_state", state)

    def errors(self) -> str:
        """Return what is wrong, in words; ``""`` if nothing is."""
        if not int(self.read("axis0.error")):
            return ""
        found = []
        for source, bits in SOURCES.items():
            if mask := int(self.read(f"{source}.error")):
                known = ", ".join(text for bit, text in bits.items() if mask & bit)
                found.append(f"{source}.error {mask:#x} ({known or 'not listed'})")
        return "; ".join(found)

    def clear(self) -> None:
        """Forget the errors."""
        self.link.tell(b"sc\n")

    def go_to(self, turns: float) -> None:
        """Turn to an absolute place, gently."""
        self.link.tell(f"t 0 {turns:.6f}\n".encode("ascii"))

    def coast(self) -> None:
        """Take the current off the motor, now."""
        self.link.tell(b"w axis0.requested_state 1\n", urgent=True)

    def _accepted(self, question: str, answer: bytes) -> bytes:
        if answer.startswith((b"invalid", b"unknown", b"not implemented")):
            raise Rejected(f"{self.link.place}: {question!r} answered {answer!r}")
        return answer


class SpinCoater(Instrument):
    """A chuck that spins a recipe's turns and comes to rest at its park angle."""

    Settings: ClassVar[type] = SpinCoaterSettings
    settings: SpinCoaterSettings

    spin = Component(Verb, begin="start", units="rpm", precision=1)
    mean_speed = Component(ReadBack, units="rpm", precision=1)
    turns = Component(ReadBack, units="turn", precision=2)
    angle = Component(ReadBack, units="turn", precision=3)
    vbus = Component(ReadBack, units="V", precision=2)

    def make_link(self, port: str) -> Link:
        return Link(port, baudrate=self.settings.baudrate, name=self.name)

    @property
    def client(self) -> ODriveClient:
        return ODriveClient(self.link)

    def connect(self) -> Identity:
        self.link.open()
        told = self.client.identity()
        if "Hardware version" not in told:
            raise WrongModel(
                f"{self.place}: 'i' answered {next(iter(told))!r}; "
                "the lab file promises an ODrive v3"
            )
        return Identity(
            "ODrive Robotics",
            f"ODrive {told['Hardware version']}",
            told.get("Serial number", ""),
            told.get("Firmware version", ""),
        )

    def prepare(self) -> None:
        """Clear old errors, calibrate if closed loop is refused, and stay idle."""
        client, never = self.client, threading.Event()
        client.clear()
        if client.state() != IDLE:
            client.request(IDLE)
            self._until_state(IDLE, STATE_TIME, never)
        client.request(CLOSED_LOOP)
        try:
            self._until_state(CLOSED_LOOP, STATE_TIME, never)
        except Fault:
            client.clear()
            client.request(CALIBRATION)
            self.pause(POLL, never)
            self._until_state(IDLE, CALIBRATION_TIME, never)
            client.request(CLOSED_LOOP)
            self._until_state(CLOSED_LOOP, STATE_TIME, never)
        client.request(IDLE)
        self._until_state(IDLE, STATE_TIME, never)
        self.refresh()
        self.ready()

    def refresh(self) -> None:
        self.angle.keep(self.client.estimates()[0] % 1.0)
        self.vbus.keep(self.client.read("vbus_voltage"))

    def start(self, spin: Spin) -> DeviceStatus:
        """Spin; done when the chuck is at rest at its park angle, motor idle."""
        limits, name = self.settings, self.name
        within(spin.speed, 1.0, limits.max_speed, f"{name}: speed", "rpm")
        within(
            spin.acceleration,
            1.0,
            limits.max_acceleration,
            f"{name}: acceleration",
            "rpm/s",
        )
        within(spin.duration, 0.1, 3600.0, f"{name}: duration", "s")
        ramp = spin.speed / spin.acceleration
        allowed = 1.5 * spin.duration + 4.0 * ramp + 60.0
        return self.begin(
            lambda cancelled: self._spin(spin, allowed, cancelled), within=allowed
        )

    def _spin(self, spin: Spin, allowed: float, cancelled: threading.Event) -> None:
        client = self.client
        speed, acceleration = spin.speed / 60.0, spin.acceleration / 60.0
        deadline = self.clock.now() + allowed
        config = "axis0.controller.config"
        self._no_errors("before a spin")
        client.configure("axis0.motor.config.current_lim", self.settings.current_limit)
        client.configure(
            f"{config}.vel_limit", HEADROOM * self.settings.max_speed / 60.0
        )
        client.configure(f"{config}.vel_ramp_rate", acceleration)
        client.configure(f"{config}.control_mode", VELOCITY)
        client.configure(f"{config}.input_mode", RAMP)
        client.configure("axis0.controller.input_vel", 0.0)
        client.request(CLOSED_LOOP)
        self._until_state(CLOSED_LOOP, STATE_TIME, cancelled)
        self.vbus.keep(client.read("vbus_voltage"))
        begin = client.estimates()[0]
        plateau = begin + speed**2 / (2.0 * acceleration)
        end = plateau + speed * spin.duration
        self.go_on(cancelled)
        client.configure("axis0.controller.input_vel", speed)
        seen: list[float] = []
        while (here := client.estimates())[0] < end:
            if here[0] >= plateau:
                seen.append(here[1])
            self._still_spinning(deadline, cancelled)
            self.pause(min(POLL, (end - here[0]) / speed), cancelled)
        client.configure("axis0.controller.input_vel", 0.0)
        self.spin.keep(spin.speed)
        self.mean_speed.keep(60.0 * sum(seen) / len(seen) if seen else 60.0 * here[1])
        self._until_rest(deadline, cancelled)
        self.turns.keep(client.estimates()[0] - begin)
        self._park(deadline, cancelled)
        client.request(IDLE)
        self._until_state(IDLE, STATE_TIME, cancelled)
        self._no_errors("after a spin")

    def _until_rest(self, deadline: float, cancelled: threading.Event) -> None:
        resting_since = math.inf
        while True:
            if abs(self.client.estimates()[1]) > REST:
                resting_since = math.inf
            elif self.clock.now() - resting_since >= REST_TIME:
                return
            else:
                resting_since = min(resting_since, self.clock.now())
            self._still_spinning(deadline, cancelled)
            self.pause(POLL, cancelled)

    def _park(self, deadline: float, cancelled: threading.Event) -> None:
        """Turn on to the park angle, so that the gripper finds the sample square."""
        here = self.client.estimates()[0]
        target = math.ceil(here - self.settings.park_angle) + self.settings.park_angle
        self.go_on(cancelled)
        self.client.go_to(target)
        while True:
            here, speed = self.client.estimates()
            if abs(here - target) <= PARKED and abs(speed) <= REST:
                break
            self._still_spinning(deadline, cancelled)
            self.pause(POLL, cancelled)
        self.angle.keep(here % 1.0)

    def _still_spinning(self, deadline: float, cancelled: threading.Event) -> None:
        if self.client.state() != CLOSED_LOOP:
            self.go_on(cancelled)  # it may be our own stop
            raise Fault(
                f"{self.place}: the motor gave up in mid-spin: "
                f"{self.client.errors() or 'no error is told'}"
            )
        if self.clock.now() > deadline:
            raise Fault(
                f"{self.place}: the spin took much longer than its turns should"
            )

    def _until_state(
        self, state: int, allowed: float, cancelled: threading.Event
    ) -> None:
        deadline = self.clock.now() + allowed
        while (now := self.client.state()) != state:
            if (errors := self.client.errors()) or self.clock.now() > deadline:
                raise Fault(
                    f"{self.place}: axis state is {now}, not {state}: "
                    f"{errors or f'not reached within {allowed:g} s'}"
                )
            self.pause(POLL, cancelled)

    def _no_errors(self, when: str) -> None:
        if errors := self.client.errors():
            raise Fault(f"{self.place}: {when}: {errors}")

    def make_safe(self) -> None:
        """Request idle; a chuck that spins coasts down by itself."""
        self.client.coast()


DRIVER = SpinCoater
