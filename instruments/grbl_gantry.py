r"""Gantry with a gripper and a needle, on a GRBL 1.1 controller.

Serial settings: 115200 8N1, no flow control. Lines end in ``\n`` alone (``\r\n`` makes
two lines). Every line is answered by exactly one ``ok`` or ``error:N``, after any lines
in brackets; ``ok`` to a motion means queued, not arrived. Output lines end in ``\r\n``.

============================  =====================================================
``?`` (no line end, no ok)    ``<Idle|MPos:x,y,z|FS:0,0|...>``; further fields come and go
``!`` (no line end, no ok)    feed hold: decelerates, keeps the position, ``Hold:0``
``0x18``                      soft reset; in motion the position is lost (``ALARM:3``)
``$I``                        ``[VER:1.1h.20190825:]`` ``[OPT:...]`` ``ok``
``$G``                        ``[GC:G0 G54 ... M9 T0 F0 S0]`` ``ok``
``$$``                        ``$0=10`` ... ``$132=200.000`` ``ok``
``$H``                        homes; ``ok`` when done; ``?`` is ignored meanwhile
``G21 G90 G94``               millimetres, absolute, per minute
``G53 G1 Xx Yy Zz Ff``        straight to machine coordinates, mm and mm/min
``M8``, ``M7``, ``M9``        flood, mist, neither: gripper closes, opens, stays
``G4 P<s>``                   ``ok`` after the planner has drained and the dwell is over
============================  =====================================================

Opening the port resets many boards (DTR); the banner ``Grbl 1.1h ['$' for help]``
follows within two seconds and, with homing enabled, the state is Alarm until ``$H``.

A motion has ended when ``?`` says Idle *and* the position is the target: right after the
``ok`` a status may still say Idle because the cycle has not started.

Faults: ``error:9`` locked; ``ALARM:1`` hard limit and ``ALARM:2`` soft limit (only a
reset helps), ``ALARM:3`` reset in motion, ``ALARM:8``/``9`` homing failed.

The gripper's valve is bistable, one coil on each coolant output (mist needs a firmware
built with ``ENABLE_M7``). A reset switches both off and the gripper stays as it was: a
carried sample is neither dropped nor crushed. There is no sensor in it.

Unverified on hardware: time from opening the port to the banner, time that the gripper
needs (`grip_time`), deceleration within the 0.3 s that `stop` waits for.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import Annotated, ClassVar

from ophyd import Component
from ophyd.status import DeviceStatus

from instruments.device import Instrument
from instruments.errors import (
    BadReply,
    DeviceError,
    Fault,
    LinkError,
    LinkTimeout,
    Rejected,
    WrongModel,
)
from instruments.framing import number, plain, within
from instruments.link import Identity, Link
from instruments.signals import Verb

Position = tuple[float, float, float]
"""x, y, z of the gripper in machine coordinates, mm; never positive."""

BANNER_TIME = 3.0
"""Real seconds in which a board that resets on opening has said its banner."""
HOLD_TIME = 0.3
"""Real seconds that `stop` gives a feed hold before it resets."""
HOMING_TIME = 180.0
ARRIVED = 0.05
"""mm; a step of the coarsest usual axis is 0.0125 mm."""
POLL = 0.1
OPEN, CLOSED, UNKNOWN = "open", "closed", "unknown"


@dataclass(frozen=True, slots=True)
class GantrySettings:
    """What the lab file says of a gantry.

    Attributes
    ----------
    travel:
        Length of each axis; machine space runs from ``-travel`` to 0.
    feed:
        Speed of every motion.
    needle_offset:
        x and y from the gripper's centre to the needle.
    grip_time:
        What the gripper needs to open or close; it has no sensor.
    """

    travel: Annotated[tuple[float, ...], "mm"]
    feed: Annotated[float, "mm/min"] = 6000.0
    needle_offset: Annotated[tuple[float, ...], "mm"] = (0.0, 0.0)
    grip_time: Annotated[float, "s"] = 0.5
    baudrate: int = 115200


@dataclass(frozen=True, slots=True)
class Report:
    """A status report: the state (``Hold:0`` with its digit) and the position in mm."""

    state: str
    at: Position


class GrblClient:
    """Words on the wire; no threads."""

    def __init__(self, link: Link) -> None:
        self.link = link

    def line(self, text: str, *, timeout: float | None = None) -> list[str]:
        """Send a line; return the lines that came before its ``ok``."""
        place = self.link.place
        message = plain(text, place=place) + b"\n"
        told: list[str] = []
        with self.link.lock:
            answer = self.link.ask(message, end=b"\r\n", timeout=timeout)
            while answer != b"ok":
                word = self._word(answer)
                if word.startswith("error:"):
                    raise Rejected(f"{place}: {text!r} answered {word!r}")
                if word:
                    told.append(word)
                answer = self.link.read(b"\r\n", timeout)
        return told

    def report(self, *, timeout: float | None = None) -> Report:
        """Return the state and position of this moment."""
        with self.link.lock:
            answer = self.link.ask(b"?", end=b"\r\n", timeout=timeout)
            while not answer.startswith(b"<"):
                self._word(answer)
                answer = self.link.read(b"\r\n", timeout)
        state, *fields = answer.strip(b"<>").split(b"|")
        named = dict(field.partition(b":")[::2] for field in fields)
        place = self.link.place
        axes = [number(one, place=place) for one in named.get(b"MPos", b"").split(b",")]
        if len(axes) != 3:
            raise BadReply(f"{place}: {answer!r} has no MPos:x,y,z (setting $10)")
        return Report(state.decode("ascii", "replace"), (axes[0], axes[1], axes[2]))

    def banner(self, timeout: float) -> str:
        """Return the banner that follows a reset, ``""`` if none comes."""
        try:
            while not (word := self.link.read(b"\r\n", timeout)).startswith(b"Grbl"):
                pass
        except LinkTimeout:
            return ""
        return word.decode("ascii", "replace")

    def version(self) -> str:
        """Return firmware version and build, such as ``1.1h.20190825``."""
        for word in self.line("$I"):
            if word.startswith("[VER:"):
                return word[5:].rstrip("]").split(":")[0]
        raise BadReply(f"{self.link.place}: '$I' told no version")

    def setting(self, key: str) -> float:
        """Return a setting by its name, such as ``$22``."""
        for word in self.line("$$"):
            name, _, value = word.partition("=")
            if name == key:
                return number(value.encode("ascii"), place=self.link.place)
        raise BadReply(f"{self.link.place}: '$$' told no {key}")

    def home(self, timeout: float) -> None:
        """Find the switches; returns when homed."""
        self.line("$H", timeout=timeout)

    def metric(self) -> None:
        """Count in millimetres, absolute, per minute."""
        self.line("G21 G90 G94")

    def move(self, to: Position, feed: float) -> None:
        """Queue a straight motion in machine coordinates."""
        x, y, z = to
        self.line(f"G53 G1 X{x:.3f} Y{y:.3f} Z{z:.3f} F{feed:.0f}")

    def grip(self, *, closed: bool) -> None:
        """Switch a coil of the gripper; ``ok`` comes when what was queued is done."""
        self.line("M9")
        self.line("M8" if closed else "M7")

    def gripper(self) -> str:
        """Return what the gripper was last told: closed, open, or unknown."""
        for word in self.line("$G"):
            if word.startswith("[GC:"):
                on = {"M7", "M8"} & set(word[4:].rstrip("]").split())
                return {"M8": CLOSED, "M7": OPEN}.get("".join(on), UNKNOWN)
        raise BadReply(f"{self.link.place}: '$G' told no parser state")

    def dwell(self, seconds: float, timeout: float) -> None:
        """Wait on the controller's own clock."""
        self.line(f"G4 P{seconds:g}", timeout=timeout)

    def hold(self) -> None:
        """Decelerate now, past everything in the queue."""
        self.link.tell(b"!", urgent=True)

    def reset(self) -> None:
        """Forget everything queued."""
        self.link.tell(b"\x18", urgent=True)

    def _word(self, answer: bytes) -> str:
        """Return a line that GRBL may say; raise for an alarm or what GRBL never says."""
        word = answer.decode("ascii", "replace")
        if word.startswith("ALARM:"):
            raise Fault(f"{self.link.place}: {word}: {ALARMS.get(word[6:], '')}")
        if not word or word[0] in "[$<" or word.startswith(("error:", "Grbl")):
            return word
        raise BadReply(f"{self.link.place}: {word!r} is not an answer of GRBL")


ALARMS = {
    "1": "hard limit, position lost",
    "2": "soft limit",
    "3": "reset in motion, position lost",
    "6": "homing was reset",
    "7": "door opened while homing",
    "8": "homing: the switch did not open again",
    "9": "homing: no switch was found",
}


class Gantry(Instrument):
    """Three axes, a gripper and where the needle is."""

    Settings: ClassVar[type] = GantrySettings
    settings: GantrySettings

    at = Component(Verb, begin="move", units="mm", precision=3, value=(0.0, 0.0, 0.0))
    gripper = Component(Verb, begin="grip", units="", value=UNKNOWN)

    def make_link(self, port: str) -> Link:
        return Link(port, baudrate=self.settings.baudrate, name=self.name)

    @property
    def client(self) -> GrblClient:
        return GrblClient(self.link)

    def connect(self) -> Identity:
        self.link.open()
        self.client.banner(BANNER_TIME)
        try:
            version = self.client.version()
        except BadReply as error:
            raise WrongModel(f"{error}; the lab file promises GRBL 1.1") from error
        if not version.startswith("1.1"):
            raise WrongModel(f"{self.place}: GRBL {version} is not GRBL 1.1")
        return Identity("GRBL", "Grbl 1.1", "", version)

    def prepare(self) -> None:
        """Clear a hold, home if the controller says it is locked, use millimetres."""
        client = self.client
        try:
            state = client.report().state
        except (LinkTimeout, Fault):  # after ALARM:1 or 2 only a reset is listened to
            state = "Hold"
        if not state.startswith(("Idle", "Alarm")):
            client.reset()
            client.banner(BANNER_TIME)
            state = client.report().state
        for key, rule in (("$22", 1.0), ("$13", 0.0)):
            if (value := client.setting(key)) != rule:
                raise Fault(
                    f"{self.place}: {key}={value:g}, but machine coordinates in mm "
                    f"need {key}={rule:g}"
                )
        if state.startswith("Alarm"):
            client.home(self.clock.real(HOMING_TIME) + self.link.timeout)
        client.metric()
        self.refresh()
        self.ready()

    def refresh(self) -> None:
        self.at.keep(self.client.report().at)
        self.gripper.keep(self.client.gripper())

    def move(self, to: Position) -> DeviceStatus:
        """Go straight to a position; done when at rest there."""
        for axis, value, travel in zip("xyz", to, self.settings.travel, strict=True):
            within(value, -travel, 0.0, f"{self.name}: {axis}", "mm")
        x, y, z = (float(one) for one in to)
        far = math.dist((0.0, 0.0, 0.0), self.settings.travel)
        allowed = 2.0 * 60.0 * far / self.settings.feed + 10.0
        return self.begin(
            lambda cancelled: self._move((x, y, z), allowed, cancelled), within=allowed
        )

    def _move(self, to: Position, allowed: float, cancelled: threading.Event) -> None:
        self.client.move(to, self.settings.feed)
        deadline = self.clock.now() + allowed
        while True:
            report = self.client.report()
            self.at.keep(report.at)
            if report.state == "Idle" and math.dist(report.at, to) <= ARRIVED:
                return
            if report.state.startswith(("Alarm", "Door", "Hold", "Sleep")):
                self.go_on(cancelled)  # it may be our own stop
                raise Fault(
                    f"{self.place}: {report.state} on the way to {to} mm, at {report.at}"
                )
            if self.clock.now() > deadline:
                raise Fault(
                    f"{self.place}: {report.state} at {report.at} mm, not at {to}, "
                    f"{allowed:.0f} s after it was sent there"
                )
            self.pause(POLL, cancelled)

    def grip(self, state: str) -> DeviceStatus:
        """Have the gripper ``open`` or ``closed``; done after its time to do so."""
        if state not in (OPEN, CLOSED):
            raise Rejected(f"{self.name}: gripper {state!r} is not open or closed")

        def work(_: threading.Event) -> None:
            seconds = self.settings.grip_time
            self.client.grip(closed=state == CLOSED)
            self.client.dwell(seconds, self.clock.real(seconds) + self.link.timeout)
            self.gripper.keep(self.client.gripper())
            if self.gripper.get() != state:
                raise Fault(f"{self.place}: gripper is not {state} after it was told")

        return self.begin(work, within=self.settings.grip_time + 10.0)

    def make_safe(self) -> None:
        """Come to rest, then forget the queue; nothing at all if already at rest.

        A hold keeps the position; only what still moves after `HOLD_TIME` is cut and
        must be homed. At rest nothing is sent.
        """
        client = self.client
        if not self.acting and self._state() in ("Idle", "Alarm"):
            return
        client.hold()
        deadline = time.monotonic() + HOLD_TIME
        while time.monotonic() < deadline and self._state() not in ("Hold:0", "Alarm"):
            self.clock.wait(0.0, threading.Event())
        client.reset()

    def _state(self) -> str:
        """Return the state if it can be had quickly, else ``""``."""
        if not self.link.lock.acquire(timeout=HOLD_TIME / 3):
            return ""
        try:
            return self.client.report(timeout=HOLD_TIME / 3).state
        except (LinkError, DeviceError):
            return ""
        finally:
            self.link.lock.release()


DRIVER = Gantry
