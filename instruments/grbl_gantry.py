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

After a lost ``ok`` to a motion ``?`` tells: Run, or at the target, means taken; Idle where
it was, twice, means not taken. ``$G`` tells of the gripper: it is answered after the
lines before it. Modes, ``M9`` and dwells may be said again. An answer tells by its form
what it answers: a status is in angle brackets, a listing in square ones.

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
from typing import Annotated, Any, ClassVar

from ophyd import Component
from ophyd.status import DeviceStatus

from instruments.acts import act_once
from instruments.device import Instrument
from instruments.errors import (
    BadReply,
    DeviceError,
    Fault,
    LinkError,
    LinkTimeout,
    Rejected,
    Restarted,
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
STATE_TIME = HOLD_TIME / 3
"""Real seconds in which `stop` wants to hear the state; it has no more."""
ANSWERING = 1.0
"""Real seconds for an answer that waits for no motion; the firmware needs 20 ms."""
QUIET = 0.1
STILL = 0.2
"""Real seconds between two looks at a gantry that seems not to have heard."""
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
        answers = self.link.ask_lines(message, _ends, end=b"\r\n", timeout=timeout)
        told = [word for word in map(self._word, answers) if word]
        if told and told[-1].startswith("error:"):
            raise Rejected(f"{place}: {text!r} answered {told[-1]!r}")
        if any(word.startswith("Grbl") for word in told):
            raise BadReply(f"{place}: was reset before it answered {text!r}")
        return [word for word in told if word[0] != "<" and word != "ok"]

    def setting(self, text: str, *, timeout: float | None = None) -> None:
        """Send a line that may be sent again, because nothing more comes of it."""
        self.link.again(lambda: self.line(text, timeout=timeout))

    def report(self, *, timeout: float | None = None) -> Report:
        """Return the state and position of this moment; asks once."""
        answers = self.link.ask_lines(b"?", _is_report, end=b"\r\n", timeout=timeout)
        for before in answers[:-1]:
            self._word(before)
        answer = answers[-1]
        if not answer.startswith(b"<"):
            self._word(answer)  # an alarm
        place = self.link.place
        state, *fields = answer.strip(b"<>").split(b"|")
        named = dict(field.partition(b":")[::2] for field in fields)
        axes = [number(one, place=place) for one in named.get(b"MPos", b"").split(b",")]
        if len(axes) != 3 or not answer.endswith(b">"):
            raise BadReply(f"{place}: {answer!r} has no MPos:x,y,z (setting $10)")
        name = state.decode("ascii", "replace")
        if name.partition(":")[0] not in STATES:
            raise BadReply(f"{place}: {answer!r} tells no state of GRBL")
        return Report(name, (axes[0], axes[1], axes[2]))

    def seen(self) -> Report:
        """Return the state and position of this moment."""
        return self.link.again(self.report)

    def banner(self, timeout: float) -> str:
        """Return the banner that follows a reset, ``""`` if none comes."""
        try:
            lines = self.link.read_lines(
                lambda line: line.startswith(b"Grbl"), end=b"\r\n", timeout=timeout
            )
        except LinkTimeout:
            return ""
        return lines[-1].decode("ascii", "replace")

    def version(self) -> str:
        """Return firmware version and build, such as ``1.1h.20190825``."""
        return self._listed("$I", "[VER:", ":").split(":")[0]

    def value(self, key: str) -> float:
        """Return a setting by its name, such as ``$22``."""
        place = self.link.place

        def once() -> float:
            for word in self.line("$$"):
                name, _, value = word.partition("=")
                if name == key:
                    return number(value.encode("ascii", "replace"), place=place)
            raise BadReply(f"{place}: '$$' told no {key}")

        return self.link.again(once)

    def home(self, timeout: float) -> None:
        """Find the switches; returns when homed."""
        self.line("$H", timeout=timeout)

    def metric(self) -> None:
        """Count in millimetres, absolute, per minute."""
        self.setting("G21 G90 G94")

    def move(self, to: Position, feed: float) -> None:
        """Queue a straight motion in machine coordinates."""
        x, y, z = to
        self.line(f"G53 G1 X{x:.3f} Y{y:.3f} Z{z:.3f} F{feed:.0f}")

    def let_go(self) -> None:
        """Switch both coils of the gripper off; it stays as it is."""
        self.setting("M9")

    def grip(self, *, closed: bool) -> None:
        """Switch a coil of the gripper; ``ok`` comes when what was queued is done."""
        self.line("M8" if closed else "M7")

    def gripper(self) -> str:
        """Return what the gripper was last told: closed, open, or unknown."""
        on = {"M7", "M8"} & set(self._listed("$G", "[GC:", "G").split())
        return {"M8": CLOSED, "M7": OPEN}.get("".join(on), UNKNOWN)

    def dwell(self, seconds: float, timeout: float) -> None:
        """Wait on the controller's own clock; once more if its ``ok`` is lost."""
        self.setting(f"G4 P{seconds:g}", timeout=timeout)

    def hold(self) -> None:
        """Decelerate now, past everything in the queue."""
        self.link.tell(b"!", urgent=True)

    def reset(self) -> None:
        """Forget everything queued."""
        self.link.tell(b"\x18", urgent=True)

    def _listed(self, question: str, begin: str, inside: str) -> str:
        """Return what a listing in square brackets tells."""

        def once() -> str:
            for word in self.line(question):
                if word.startswith(begin) and word.endswith("]") and inside in word[5:]:
                    return word.removeprefix(begin).removesuffix("]")
            raise BadReply(f"{self.link.place}: {question!r} told no {begin}...]")

        return self.link.again(once)

    def _word(self, answer: bytes) -> str:
        """Return a line that GRBL may say; raise for an alarm or what GRBL never says."""
        word = answer.decode("ascii", "replace")
        if word.startswith("ALARM:"):
            raise Fault(f"{self.link.place}: {word}: {ALARMS.get(word[6:], '')}")
        if _foreign(answer):
            raise BadReply(f"{self.link.place}: {word!r} is not an answer of GRBL")
        return word


def _foreign(line: bytes) -> bool:
    """Whether this is a line that GRBL never says."""
    if not line.isascii() or not line.decode("ascii").isprintable():
        return True
    said = (b"[", b"$", b"<", b"error:", b"ALARM:", b"Grbl")
    return not (line in (b"", b"ok") or line.startswith(said))


def _ends(line: bytes) -> bool:
    """Whether this line is the last that answers another; nonsense is waited no longer."""
    ends = (b"error:", b"ALARM:")
    return line == b"ok" or line.startswith(ends) or _foreign(line)


def _is_report(line: bytes) -> bool:
    """Whether this line answers ``?``."""
    return line.startswith((b"<", b"ALARM:")) or _foreign(line)


STATES = {"Idle", "Run", "Hold", "Jog", "Alarm", "Door", "Check", "Home", "Sleep"}
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

    _gripping = False

    def make_link(self, port: str) -> Link:
        return Link(
            port,
            baudrate=self.settings.baudrate,
            timeout=ANSWERING,
            quiet=QUIET,
            name=self.name,
        )

    @property
    def client(self) -> GrblClient:
        return GrblClient(self.link)

    def identify(self) -> Identity:
        self.client.banner(BANNER_TIME)
        try:
            version = self.client.version()
        except BadReply as error:
            raise WrongModel(f"{error}; the lab file promises GRBL 1.1") from error
        if not version.startswith("1.1"):
            raise WrongModel(f"{self.where}: GRBL {version} is not GRBL 1.1")
        return Identity("GRBL", "Grbl 1.1", "", version)

    def set_up(self, cancelled: threading.Event) -> None:
        """Clear a hold, home if the controller says it is locked, use millimetres."""
        client = self.client
        try:
            state = client.seen().state
        except (LinkTimeout, Fault):  # after ALARM:1 or 2 only a reset is listened to
            state = "Hold"
        if not state.startswith(("Idle", "Alarm")):
            client.reset()
            client.banner(BANNER_TIME)
            state = client.seen().state
        for key, rule in (("$22", 1.0), ("$13", 0.0)):
            if (value := client.value(key)) != rule:
                raise Fault(
                    f"{self.where}: {key}={value:g}, but machine coordinates in mm "
                    f"need {key}={rule:g}"
                )
        if state.startswith("Alarm"):
            self._home(cancelled)
        client.metric()
        self.refresh()

    def _home(self, cancelled: threading.Event) -> None:
        """Find the switches; a controller that is homed is locked no longer."""
        client = self.client

        def taken() -> bool:
            self.go_on(cancelled)
            return client.seen().state == "Idle"

        act_once(
            f"{self.where}: homing",
            send=lambda: client.home(self.clock.real(HOMING_TIME) + ANSWERING),
            taken=taken,
            go_on=lambda: self.go_on(cancelled),
        )
        if (state := client.seen().state) != "Idle":
            raise LinkError(f"{self.where}: {state} after '$H' was acknowledged")

    def refresh(self) -> None:
        report = self.client.seen()
        if report.state == "Alarm":
            raise Restarted(
                f"{self.where}: locked (Alarm), and so it does not know where it is"
            )
        self.at.keep(report.at)
        self.gripper.keep(self.client.gripper())

    def look(self) -> dict[str, Any]:
        """Return state, position and gripper.

        A locked controller does not know where it is; opening the port has reset many
        boards, and then it is locked, and has forgotten what the gripper was told.
        """
        report = self.client.seen()
        return {
            "state": report.state,
            "at_mm": None if report.state == "Alarm" else list(report.at),
            "gripper": self.client.gripper(),
        }

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
        client = self.client
        before = client.seen().at

        def taken() -> bool:
            for _ in range(2):
                self.go_on(cancelled)
                report = client.seen()
                near = math.dist(report.at, to) <= ARRIVED
                if report.state != "Idle" or near:
                    return True  # or in trouble, which is told below
                if math.dist(report.at, before) > ARRIVED:
                    raise LinkError(
                        f"it is at rest at {report.at} mm, neither at {before}, where "
                        f"it was, nor at {to}"
                    )
                cancelled.wait(STILL)
            return False

        act_once(
            f"{self.where}: move to {to} mm",
            send=lambda: client.move(to, self.settings.feed),
            taken=taken,
            go_on=lambda: self.go_on(cancelled),
        )
        deadline = self.deadline(allowed)
        while True:
            report = client.seen()
            self.at.keep(report.at)
            if report.state == "Idle" and math.dist(report.at, to) <= ARRIVED:
                return
            if report.state.startswith(("Alarm", "Door", "Hold", "Sleep")):
                self.go_on(cancelled)  # it may be our own stop
                raise Fault(
                    f"{self.where}: {report.state} on the way to {to} mm, at {report.at}"
                )
            if self.clock.now() > deadline:
                raise Fault(
                    f"{self.where}: {report.state} at {report.at} mm, not at {to}, "
                    f"{allowed:.0f} s after it was sent there"
                )
            self.pause(POLL, cancelled)

    def grip(self, state: str) -> DeviceStatus:
        """Have the gripper ``open`` or ``closed``; done after its time to do so."""
        if state not in (OPEN, CLOSED):
            raise Rejected(f"{self.name}: gripper {state!r} is not open or closed")

        def work(cancelled: threading.Event) -> None:
            self._gripping = True
            try:
                self._grip(state, cancelled)
            finally:
                self._gripping = False

        return self.begin(work, within=self.settings.grip_time + 10.0)

    def _grip(self, state: str, cancelled: threading.Event) -> None:
        client, seconds = self.client, self.settings.grip_time
        client.let_go()
        act_once(
            f"{self.where}: gripper {state}",
            send=lambda: client.grip(closed=state == CLOSED),
            taken=lambda: client.gripper() == state,
            go_on=lambda: self.go_on(cancelled),
        )
        client.dwell(seconds, self.clock.real(seconds) + ANSWERING)
        self.gripper.keep(client.gripper())
        if self.gripper.get() != state:
            raise Fault(f"{self.where}: gripper is not {state} after it was told")

    def make_safe(self) -> None:
        """Come to rest, then forget the queue; nothing at all if already at rest.

        A hold keeps the position; only what still moves after `HOLD_TIME` is cut and
        must be homed. At rest nothing is sent, and none of it moves while it grips: a
        gripper that was told to close or open does so, because a reset would leave
        nobody to tell how far it came.
        """
        client = self.client
        if self._gripping:
            return
        if not self.acting and self._state() in ("Idle", "Alarm"):
            return
        client.hold()
        deadline = time.monotonic() + HOLD_TIME
        while time.monotonic() < deadline and self._state() not in ("Hold:0", "Alarm"):
            self.clock.wait(0.0, threading.Event())
        client.reset()

    def _state(self) -> str:
        """Return the state if it can be had quickly, else ``""``."""
        if not self.link.lock.acquire(timeout=STATE_TIME):
            return ""
        try:
            return self.client.report(timeout=STATE_TIME).state
        except (LinkError, DeviceError):
            return ""
        finally:
            self.link.lock.release()


DRIVER = Gantry
