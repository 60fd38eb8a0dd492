"""GRBL 1.1h: the stream of lines and real-time characters of a gantry controller.

115200 8N1. Opening the port resets the controller, as on an Arduino; the coolant
outputs drive the two coils of the gripper's bistable valve: M8 closes it, M7 opens it,
with neither (M9, a reset, no power) it stays as it was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sims import spec as checks
from sims.grbl_motion import OVERRIDES, Motion
from sims.grbl_report import Report
from sims.grbl_settings import Settings
from sims.models.gcode import Action, Refused
from sims.panel import Message, Panel

if TYPE_CHECKING:
    from sims.bench import Bench, Timer

BANNER = b"\r\nGrbl 1.1h ['$' for help]\r\n"
LOCKED = b"[MSG:'$H'|'$X' to unlock]\r\n"
BOOT = 0.1
"""Bench seconds from opening the port to the banner."""
GAP = 0.1
"""Real seconds from that banner to the first answer: clients need to see it first."""
RESET = 0x18
RECEIVE = 127
LINE = 79


class Grbl(Panel):
    """A gantry with a gripper and a needle."""

    baud = 115200.0

    def __init__(self, name: str, bench: Bench, settings: Mapping[str, Any]) -> None:
        super().__init__(name, bench, settings)
        where = f"instruments.{name}"
        size = checks.position(
            settings.get("travel", [500, 400, 100]), f"{where}.travel"
        )
        half = [-0.5 * one for one in size]
        start = checks.position(settings.get("start", half), f"{where}.start")
        x, y = settings.get("needle_offset", [0.0, 0.0])
        self.eeprom = Settings(size, settings.get("eeprom", {}))
        self.motion = Motion(self, start, self.eeprom, self._tell, self._work_on)
        self.report = Report(self.motion)
        bench.world.gripper = lambda: self.motion.gantry.true
        bench.world.needle_offset = float(x), float(y)
        self._lines: deque[str] = deque()
        self._partial = ""
        self._overlong = False
        self._booting: Timer | None = None
        self._early = b""
        self._closed = False
        self._power_up()

    # -- the wire -------------------------------------------------------------------

    def opened(self) -> None:
        """Reset, as DTR does; the banner follows."""
        self._power_up()
        if self._booting is not None:
            self._booting.cancel()
        self._booting = self.later(BOOT, self._boot)

    def receive(self, data: bytes) -> None:
        """Take real-time characters out of the stream and collect lines."""
        if self._booting is not None:
            self._early += data
            return
        for byte in data:
            self._take(byte)
        self._work_on()

    def _take(self, byte: int) -> None:
        if is_real_time(byte):
            self._real_time(byte)
        elif byte in b"\r\n":
            self._lines.append("\0" if self._overlong else self._partial)
            self.asked += 1
            self._partial, self._overlong = "", False
        elif sum(map(len, self._lines)) + len(self._partial) < RECEIVE:
            if len(self._partial) >= LINE:
                self._overlong = True
            else:
                self._partial += chr(byte)

    def _boot(self) -> None:
        self._greet()
        self._booting = self.later(GAP * max(self.bench.speed, 1.0), self._awake)

    def _awake(self) -> None:
        self._booting = None
        early, self._early = self._early, b""
        self.receive(early)

    def _tell(self, text: str) -> None:
        self.say(text.encode("ascii") + b"\r\n")
        if text == "ok" or text.startswith("error:"):
            self.answered += 1

    def _greet(self) -> None:
        self.say(BANNER + (LOCKED if self.motion.mode == "Alarm" else b""))

    def _power_up(self) -> None:
        self.motion.power_up()
        self._clear()
        self._early = b""

    def _reset(self) -> None:
        """Do what 0x18 does."""
        self.motion.reset()
        self._clear()
        self._greet()

    def _clear(self) -> None:
        """Forget the lines; the coils of the gripper are without power."""
        self._lines.clear()
        self.answered = self.asked
        self._partial, self._overlong = "", False
        self.report.reset()
        self._coolant(flood=False, mist=False)

    # -- faults -----------------------------------------------------------------------

    def cut(self, data: bytes) -> tuple[list[Message], bytes]:
        """Have each real-time character be a message, and each line."""
        messages, line = [], b""
        for byte in data:
            one = bytes([byte])
            if is_real_time(byte):
                messages.append(Message(one, one.decode("latin-1")))
                line = b"" if byte == RESET else line
            elif byte in b"\r\n":
                messages.append(Message(line + one, line.decode("latin-1").strip()))
                line = b""
            else:
                line += one
        return messages, line

    def hang(self, data: bytes) -> None:
        """Obey, and stay in Run: a reset ends it."""
        self.receive(data)
        self.motion.stuck = True

    def refuse(self, data: bytes) -> None:
        """Read a line as one with a bad number; take no note of a real-time character."""
        if not is_real_time(data[0]):
            self.receive(b"GX\n")

    def break_down(self, data: bytes) -> None:
        """Run into a limit switch."""
        self.receive(data)
        self.motion.break_down()

    def lose_power(self) -> None:
        self.note("power lost")
        self._power_up()

    def get_power(self) -> None:
        self.opened()

    def matter(self) -> Any:
        return self.motion.gantry.true

    def place_matter(self, matter: Any) -> None:
        self.motion.gantry.place(matter)
        self._power_up()

    # -- real-time characters -------------------------------------------------------

    def _real_time(self, byte: int) -> None:
        motion = self.motion
        if byte == RESET:
            self._reset()
        elif byte == ord("?"):
            if motion.mode != "Home" and not motion.critical:
                held = sum(len(line) + 1 for line in self._lines) + len(self._partial)
                self._tell(self.report.status(held))
        elif byte == ord("!"):
            motion.hold("Hold")
        elif byte == ord("~"):
            motion.resume()
        elif byte == 0x84:
            motion.hold("Door")
        elif byte == 0x85 and motion.mode == "Jog":
            motion.hold("Jog")
        elif byte in OVERRIDES:
            self.report.renew("Ov")
            motion.override(byte)
        elif byte in (0xA0, 0xA1) and motion.mode in ("Idle", "Hold"):
            modal = motion.gcode.modal
            flood = modal.flood ^ (byte == 0xA0)
            mist = modal.mist ^ (byte == 0xA1)
            motion.gcode.set_coolant(flood=flood, mist=mist)
            self._coolant(flood=flood, mist=mist)

    # -- lines ----------------------------------------------------------------------

    def _work_on(self) -> None:
        """Do what can be done now: a line at a time, an action at a time."""
        motion = self.motion
        while self._booting is None and not motion.critical and not motion.waits:
            if motion.todo:
                if not motion.ready(motion.todo[0]):
                    return
                self._act(motion.todo.popleft())
            elif motion.todo is not None:
                motion.todo = None
                self._tell("ok")
            elif self._lines:
                self._line(self._lines.popleft())
            else:
                return

    def _line(self, raw: str) -> None:
        if raw == "\0":
            self._tell("error:11")
            return
        line = plain(raw)
        try:
            if line.startswith("$"):
                self._system(line[1:])
                return
            self._plan(self._read(line))
        except Refused as no:
            self._tell(str(no))

    def _read(self, line: str) -> list[Action]:
        if not line:
            return []
        if self.motion.mode in ("Alarm", "Jog"):
            raise Refused(9)
        return self.motion.gcode.read(line)

    def _plan(self, actions: list[Action]) -> None:
        motion = self.motion
        if motion.mode == "Check":
            actions = []
        if any(motion.outside(action) for action in actions):
            motion.gcode.position = motion.gantry.counted
            motion.alarm(2)
            return
        motion.todo = deque(actions)

    def _act(self, action: Action) -> None:
        facts = action.facts
        if action.kind in ("move", "arc"):
            self.motion.move(action)
        elif action.kind == "dwell":
            self.motion.rest(facts["seconds"])
        elif action.kind == "coolant":
            self._coolant(**facts)
        elif action.kind == "changed":
            self.report.renew("WCO")
        elif action.kind == "pause":
            self.motion.mode = "Hold"
        elif action.kind == "end":
            self._tell("[MSG:Pgm End]")
        elif action.kind == "probe":
            self.motion.probe(facts["move"], strict=facts["strict"])

    def _coolant(self, *, flood: bool, mist: bool) -> None:
        if flood == mist:
            return
        closed = flood
        world = self.bench.world
        if closed != (self._closed or world.carried is not None):
            grip_or_release = world.grip if closed else world.release
            grip_or_release(self.motion.gantry.true, self.name)
        self._closed = closed

    # -- $ --------------------------------------------------------------------------

    def _system(self, line: str) -> None:
        if line.startswith("J="):
            self._jog(line[2:])
        elif line == "" or line in "$#GINCXH" or line == "SLP" or line[:3] == "RST":
            self._command(line)
        elif "=" in line:
            self._write(*line.split("=", 1))
        else:
            raise Refused(3)

    def _command(self, line: str) -> None:
        motion = self.motion
        resting = motion.state in ("Idle", "Alarm", "Check")
        if line and line not in "$#G" and not resting:
            raise Refused(8)
        if line == "H":
            motion.home()
            return
        if line == "C":
            self._check()
            return
        for one in self.report.listing(line):
            self._tell(one)
        if line == "X" and motion.mode == "Alarm":
            self._tell("[MSG:Caution: Unlocked]")
            motion.mode = "Idle"
        elif line == "SLP":
            self._tell("ok")
            self._tell("[MSG:Sleeping]")
            motion.mode = "Sleep"
            return
        elif line.startswith("RST="):
            self.eeprom.restore()
            self._tell("[MSG:Restoring defaults]")
        self._tell("ok")

    def _check(self) -> None:
        if self.motion.mode == "Check":
            self._tell("[MSG:Disabled]")
            self._tell("ok")
            self.motion.mode = "Idle"
            self._reset()
        elif self.motion.mode == "Idle":
            self.motion.mode = "Check"
            self._tell("[MSG:Enabled]")
            self._tell("ok")
        else:
            raise Refused(8)

    def _write(self, key: str, text: str) -> None:
        if self.motion.state not in ("Idle", "Alarm"):
            raise Refused(8)
        if key.startswith("N"):
            if key not in self.eeprom.blocks:
                raise Refused(3)
            self.motion.gcode.read(text)
            self.eeprom.blocks[key] = text
        else:
            self.eeprom.write(key, text)
        self._tell("ok")

    def _jog(self, line: str) -> None:
        motion = self.motion
        if motion.state not in ("Idle", "Jog"):
            raise Refused(8 if motion.mode != "Alarm" else 9)
        here = motion.gcode.position
        (action,) = motion.gcode.read(line, jog=True)
        if motion.outside(action):
            motion.gcode.position = here
            raise Refused(15)
        motion.move(action)
        if motion.gantry.busy:
            motion.mode = "Jog"
        self._tell("ok")


def is_real_time(byte: int) -> bool:
    """Return whether a byte is taken out of the stream at once."""
    return byte in (RESET, *b"?!~") or byte > 0x7F


def plain(line: str) -> str:
    """Return a line without blanks and comments, in capitals."""
    kept, comment = [], False
    for letter in line:
        if letter == ";" and not comment:
            break
        if letter in "()":
            comment = letter == "("
        elif not comment and letter > " ":
            kept.append(letter.upper())
    return "".join(kept)


PANEL = Grbl
