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
``u 0``                  feeds the watchdog; no answer
=======================  ==========================================================

Whatever is said may end in ``*<decimal XOR of all characters before it>``, and then its
answer does so as well; a line whose checksum is wrong is ignored. Everything but `stop`
is said so here, and an answer without its checksum is asked for again.

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

`stop` requests idle: the chuck coasts.

The watchdog of the controller (``axis0.config.watchdog_timeout`` s, ``enable_watchdog``)
is armed at the start of a spin, fed with ``u 0`` in every turn of every loop, and disabled
when the motor is idle again. When this process dies, or the cable goes, the motor is
disarmed with ``axis0.error`` 0x800 and the chuck coasts. On a bench that runs faster than
life the time is longer, for feeding takes real time.

A property's value tells by its form whether it is a whole number; that and the checksum
are all that an answer tells of its question. What a write or a move has set is read again.

Unverified on hardware: whether ``input_pos`` says the goal of a ``t``; whether feeding
before enabling is enough to enable it unbitten; `vel_estimate` noise at rest, the time that a state change takes,
deceleration without a brake resistor, park position after a power cycle (the encoder
without index counts from where it woke up).

Never spin without vacuum. It is a relay of its own (`relay`); where the station has one,
its board is asked before the motor is told to turn and in every turn of the loops, and a
spin without it is refused, or ended. A release goes through `kept_at_rest`. Where the
station has none, this driver does not see what holds the sample.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from ophyd import Component
from ophyd.status import DeviceStatus

from instruments.clock import Clock
from instruments.device import Instrument
from instruments.errors import (
    BadReply,
    Fault,
    Rejected,
    Restarted,
    WrongModel,
)
from instruments.framing import within
from instruments.keeper import ALIVE
from instruments.link import Identity, Link
from instruments.odrive_client import CALIBRATION, CLOSED_LOOP, IDLE, ODriveClient
from instruments.orders import Spin
from instruments.signals import ReadBack, Verb

if TYPE_CHECKING:
    from instruments.relay import Vacuum

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
ANSWERING = 0.4
"""Real seconds for an answer, which takes milliseconds."""
QUIET = 0.1


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
    watchdog:
        Silence after which the motor is disarmed in mid-spin; 0 for never.
    """

    max_speed: Annotated[float, "rpm"]
    max_acceleration: Annotated[float, "rpm/s"] = 5000.0
    current_limit: Annotated[float, "A"] = 10.0
    park_angle: Annotated[float, "turn"] = 0.0
    watchdog: Annotated[float, "s"] = 2.0
    baudrate: int = 115200


class SpinCoater(Instrument):
    """A chuck that spins a recipe's turns and comes to rest at its park angle."""

    Settings: ClassVar[type] = SpinCoaterSettings
    settings: SpinCoaterSettings

    spin = Component(Verb, begin="start", units="rpm", precision=1)
    mean_speed = Component(ReadBack, units="rpm", precision=1)
    turns = Component(ReadBack, units="turn", precision=2)
    angle = Component(ReadBack, units="turn", precision=3)
    place = Component(ReadBack, units="turn", precision=3)
    vbus = Component(ReadBack, units="V", precision=2)

    _vacuum: Vacuum | None = None

    def __init__(
        self, name: str, *, port: str, settings: SpinCoaterSettings, clock: Clock
    ) -> None:
        super().__init__(name, port=port, settings=settings, clock=clock)
        self._setting_off = threading.RLock()
        """Held while the chuck is set in motion, and while it must not be."""

    def meet(self, station: Mapping[str, Instrument]) -> None:
        """Be told of the vacuum that holds the sample."""
        vacuum: Any = station.get("vacuum")
        self._vacuum = vacuum

    def check_at_rest(self) -> None:
        """Refuse unless the motor is idle and the chuck stands; asked now.

        Raises
        ------
        Rejected
            If it turns, or may begin to.
        """
        state, speed = self.client.state(), self.client.estimates()[1]
        if state != IDLE or abs(speed) > REST:
            raise Rejected(
                f"{self.where}: the chuck is not at rest (axis state {state}, "
                f"{60.0 * speed:.0f} rpm): what it carries stays held"
            )

    @contextlib.contextmanager
    def kept_at_rest(self) -> Iterator[None]:
        """Have the chuck at rest, and no spin begin meanwhile; refuse if it is not."""
        with self._setting_off:
            self.check_at_rest()
            yield

    def _check_held(self) -> None:
        """Refuse to turn what nothing holds; the board is asked."""
        if self._vacuum is not None and not self._vacuum.holds():
            raise Rejected(
                f"{self.where}: no vacuum: {self._vacuum.name} says that suction is off"
            )

    def make_link(self, port: str) -> Link:
        return Link(
            port,
            baudrate=self.settings.baudrate,
            timeout=ANSWERING,
            quiet=QUIET,
            name=self.name,
        )

    @property
    def client(self) -> ODriveClient:
        return ODriveClient(self.link)

    def identify(self) -> Identity:
        within(self.settings.watchdog, 0.0, 3600.0, f"{self.name}: watchdog", "s")
        try:
            told = self.client.identity()
        except (BadReply, Rejected) as error:
            raise WrongModel(f"{error}; the lab file promises an ODrive v3") from error
        return Identity(
            "ODrive Robotics",
            f"ODrive {told['Hardware version']}",
            told.get("Serial number", ""),
            told.get("Firmware version", ""),
        )

    def set_up(self, cancelled: threading.Event) -> None:
        """Clear old errors, calibrate if closed loop is refused, and stay idle."""
        with self._setting_off:  # a vacuum that is prepared meanwhile waits for its end
            self._rouse(cancelled)
        self.refresh()

    def _rouse(self, cancelled: threading.Event) -> None:
        """See that the motor enters closed loop, calibrated if it must be; then idle."""
        client = self.client
        client.unguard()  # one that a process left armed when it died
        client.clear()
        if client.state() != IDLE:
            self._enter(IDLE, STATE_TIME, cancelled)
        try:
            self._enter(CLOSED_LOOP, STATE_TIME, cancelled)
        except Fault:
            client.clear()
            self.go_on(cancelled)
            client.request(CALIBRATION)
            self.pause(POLL, cancelled)
            self._until_state(IDLE, CALIBRATION_TIME, cancelled)
            self._enter(CLOSED_LOOP, STATE_TIME, cancelled)
        self._enter(IDLE, STATE_TIME, cancelled)

    def refresh(self) -> None:
        self._keep_place(self.client.estimates()[0])
        self.vbus.keep(self.client.read("vbus_voltage"))

    def look(self) -> dict[str, Any]:
        """Return axis state, encoder and errors; a spin adds its turns to the place.

        A controller that was switched off counts from 0 again, and is not calibrated.
        """
        place, speed = self.client.estimates()
        return {
            "state": self.client.state(),
            "place_turn": place,
            "speed_turn_s": speed,
            "calibrated": bool(self.client.read_whole("axis0.motor.is_calibrated")),
            "errors": self.client.errors(),
        }

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
        self._check_held()
        ramp = spin.speed / spin.acceleration
        allowed = 1.5 * spin.duration + 4.0 * ramp + 60.0
        return self.begin(
            lambda cancelled: self._spin(spin, allowed, cancelled), within=allowed
        )

    def _spin(self, spin: Spin, allowed: float, cancelled: threading.Event) -> None:
        client = self.client
        speed, acceleration = spin.speed / 60.0, spin.acceleration / 60.0
        deadline = self.deadline(allowed)
        self._no_errors("before a spin")
        self._configure(acceleration)
        self._enter(CLOSED_LOOP, STATE_TIME, cancelled)
        self.vbus.keep(client.read("vbus_voltage"))
        begin = client.estimates()[0]
        plateau = begin + speed**2 / (2.0 * acceleration)
        end = plateau + speed * spin.duration
        with self._setting_off:
            self._check_held()
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
        self._enter(IDLE, STATE_TIME, cancelled)
        client.unguard()
        self._no_errors("after a spin")

    def _configure(self, acceleration: float) -> None:
        """Set everything anew, turns/s²; the watchdog as well, and last."""
        client, config = self.client, "axis0.controller.config"
        client.configure("axis0.motor.config.current_lim", self.settings.current_limit)
        client.configure(f"{config}.vel_limit", self._limit)
        client.configure(f"{config}.vel_ramp_rate", acceleration)
        client.configure(f"{config}.control_mode", VELOCITY)
        client.configure(f"{config}.input_mode", RAMP)
        client.configure("axis0.controller.input_vel", 0.0)
        if self.settings.watchdog:
            client.guard(self.clock.lasting(self.settings.watchdog, ALIVE))

    @property
    def _limit(self) -> float:
        """Turns/s at which the controller gives up."""
        return HEADROOM * self.settings.max_speed / 60.0

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
        client = self.client
        here = client.estimates()[0]
        target = math.ceil(here - self.settings.park_angle) + self.settings.park_angle
        for last in (False, True):  # an absolute place may be told again
            self.go_on(cancelled)
            client.go_to(target)
            if math.isclose(goal := client.goal(), target, rel_tol=1e-5, abs_tol=1e-3):
                break
            if last:
                raise Fault(f"{self.where}: turns to {goal:g} turns, not to {target:g}")
        while True:
            here, speed = client.estimates()
            if abs(here - target) <= PARKED and abs(speed) <= REST:
                break
            self._still_spinning(deadline, cancelled)
            self.pause(POLL, cancelled)
        self._keep_place(here)

    def _keep_place(self, turns: float) -> None:
        self.place.keep(turns)
        self.angle.keep(turns % 1.0)

    def _still_spinning(self, deadline: float, cancelled: threading.Event) -> None:
        client = self.client
        client.feed()
        try:
            self._check_held()
        except Rejected as lost:
            raise Fault(f"{lost}, in mid-spin") from lost
        # One answer that says otherwise may be a late one.
        if client.state() != CLOSED_LOOP and client.state() != CLOSED_LOOP:
            self.go_on(cancelled)  # it may be our own stop
            if errors := client.errors():
                raise Fault(f"{self.where}: the motor gave up in mid-spin: {errors}")
            limit = client.read("axis0.controller.config.vel_limit")
            if not math.isclose(limit, self._limit, rel_tol=1e-4):
                raise Restarted(
                    f"{self.where}: has forgotten its settings in mid-spin: it was "
                    "switched off"
                )
            raise Fault(f"{self.where}: is idle in mid-spin, and tells no error")
        if self.clock.now() > deadline:
            raise Fault(
                f"{self.where}: the spin took much longer than its turns should"
            )

    def _enter(self, state: int, allowed: float, cancelled: threading.Event) -> None:
        """Request an axis state, once more if it is not heard, and wait for it."""
        self.go_on(cancelled)
        self.client.request(state)
        self._until_state(state, allowed, cancelled, lambda: self.client.request(state))

    def _until_state(
        self,
        state: int,
        allowed: float,
        cancelled: threading.Event,
        remind: Callable[[], None] = lambda: None,
    ) -> None:
        deadline = self.deadline(allowed)
        reminded = False
        while (now := self.client.state()) != state:
            self.client.feed()
            errors, late = self.client.errors(), self.clock.now() > deadline
            if errors or (late and reminded):
                raise Fault(
                    f"{self.where}: axis state is {now}, not {state}: "
                    f"{errors or f'not reached within {2 * allowed:g} s'}"
                )
            self.pause(POLL, cancelled)
            if late:
                remind()
                deadline, reminded = self.deadline(allowed), True

    def _no_errors(self, when: str) -> None:
        if errors := self.client.errors():
            raise Fault(f"{self.where}: {when}: {errors}")

    def make_safe(self) -> None:
        """Request idle; a chuck that spins coasts down by itself."""
        self.client.coast()


DRIVER = SpinCoater
