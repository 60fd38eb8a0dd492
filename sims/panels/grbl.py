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
from sims.models.gantry import Block, Gantry, arc, straight
from sims.models.gcode import INCH, Action, Interpreter, Refused
from sims.panel import Panel
from sims.spec import Position

if TYPE_CHECKING:
    from sims.bench import Bench, Timer

BANNER = b"\r\nGrbl 1.1h ['$' for help]\r\n"
LOCKED = b"[MSG:'$H'|'$X' to unlock]\r\n"
BOOT = 0.1
"""Bench seconds from opening the port to the banner."""
GAP = 0.1
"""Real seconds from that banner to the first answer: clients need to see it first."""
RECEIVE = 127
LINE = 79
PLANNER = 15
WHOLE = {0, 1, 2, 3, 4, 5, 6, 10, 13, 20, 21, 22, 23, 26, 32}
REFRESH = {"WCO": (30, 10), "Ov": (20, 10)}
RATES = {0x90: 100, 0x91: 10, 0x92: -10, 0x93: 1, 0x94: -1}
RAPIDS = {0x95: 100, 0x96: 50, 0x97: 25}
SPINDLES = {0x99: 100, 0x9A: 10, 0x9B: -10, 0x9C: 1, 0x9D: -1}


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
        self.gantry = Gantry(bench, start, size, self._block_done)
        self.gcode = Interpreter()
        self.eeprom = factory_settings(size)
        self.eeprom.update(settings.get("eeprom", {}))
        self.blocks = {"N0": "", "N1": ""}
        bench.world.gripper = lambda: self.gantry.true
        bench.world.needle_offset = float(x), float(y)
        self._lines: deque[str] = deque()
        self._partial = ""
        self._overlong = False
        self._todo: deque[Action] = deque()
        self._answering = False
        self._booting: Timer | None = None
        self._early = b""
        self._work: Timer | None = None
        self._closed = False
        self._state = "Alarm"
        self._critical = False
        self._probed = (0.0, 0.0, 0.0)
        self._moved_from: Position | None = None
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
        if byte in (0x18, *b"?!~") or byte > 0x7F:
            self._real_time(byte)
        elif byte in b"\r\n":
            self._lines.append("\0" if self._overlong else self._partial)
            self._partial, self._overlong = "", False
        elif sum(map(len, self._lines)) + len(self._partial) < RECEIVE:
            if len(self._partial) >= LINE:
                self._overlong = True
            else:
                self._partial += chr(byte)

    def _boot(self) -> None:
        self.say(BANNER + (LOCKED if self._state == "Alarm" else b""))
        self._booting = self.later(GAP * max(self.bench.speed, 1.0), self._awake)

    def _awake(self) -> None:
        self._booting = None
        early, self._early = self._early, b""
        self.receive(early)

    def _tell(self, text: str) -> None:
        self.say(text.encode("ascii") + b"\r\n")

    # -- state ----------------------------------------------------------------------

    @property
    def state(self) -> str:
        """The first field of a status report."""
        if self._state != "Idle":
            if self._state == "Hold":
                return "Hold:1" if self.gantry.moving else "Hold:0"
            if self._state == "Door":
                return "Door:2" if self.gantry.moving else "Door:0"
            return self._state
        return "Run" if self.gantry.busy else "Idle"

    def _power_up(self) -> None:
        if self.gantry.busy:
            self._skip()
        self.gantry.kill()
        self.gantry.count_from((0.0, 0.0, 0.0))
        self._state = "Alarm" if self.eeprom[22] else "Idle"
        self._clear()
        self.gcode.position = (0.0, 0.0, 0.0)
        self._early = b""

    def _clear(self) -> None:
        """Forget lines, plan and modal state, and let go of everything."""
        self._lines.clear()
        self._partial, self._overlong = "", False
        self._todo.clear()
        self._answering = False
        if self._work is not None:
            self._work.cancel()
            self._work = None
        self._critical = False
        self.gcode.reset()
        self.gcode.position = self.gantry.counted
        self.gantry.feed_percent = self.gantry.rapid_percent = 100
        self._spindle_percent = 100
        self._counters = {"WCO": 0, "Ov": 0}
        self._moved_from = None
        self._coolant(flood=False, mist=False)

    def _reset(self) -> None:
        """Do what 0x18 does."""
        before = self._state
        active = self.gantry.moving or self.state in ("Run", "Home", "Jog")
        self.note("reset", state=self.state, at=shown(self.gantry.counted))
        if active:
            self._skip()
        self.gantry.kill()
        if active:
            self._state = "Alarm"
            self._tell("ALARM:6" if before == "Home" else "ALARM:3")
        elif before == "Sleep":
            self._state = "Alarm" if self.eeprom[22] else "Idle"
        elif before != "Alarm":
            self._state = "Idle"
        self._clear()
        self.say(BANNER + (LOCKED if self._state == "Alarm" else b""))

    def _skip(self) -> None:
        """Have the motors, cut in motion, lose steps."""
        x, y, z = self.bench.rng(self.name).normal(0.0, 0.5, 3)
        self.gantry.lose((float(x), float(y), 0.1 * float(z)))

    def _alarm(self, number: int) -> None:
        if self.gantry.busy and number == 1:
            self._skip()
        self.gantry.kill()
        self._state = "Alarm"
        self._todo.clear()
        self._critical = number in (1, 2)
        self.note("alarm", number=number)
        self._tell(f"ALARM:{number}")
        if self._critical:
            self._tell("[MSG:Reset to continue]")

    def _real_time(self, byte: int) -> None:
        if byte == 0x18:
            self._reset()
        elif byte == ord("?"):
            if self._state != "Home" and not self._critical:
                self._report()
        elif byte == ord("!"):
            self._hold("Hold")
        elif byte == ord("~"):
            self._resume()
        elif byte == 0x84:
            self._hold("Door")
        elif byte == 0x85 and self._state == "Jog":
            self._hold("Jog")
        elif byte in RATES or byte in RAPIDS or byte in SPINDLES:
            self._override(byte)
        elif byte in (0xA0, 0xA1) and self._state in ("Idle", "Hold"):
            modal = self.gcode.modal
            flood = modal.flood ^ (byte == 0xA0)
            mist = modal.mist ^ (byte == 0xA1)
            self.gcode.set_coolant(flood=flood, mist=mist)
            self._coolant(flood=flood, mist=mist)

    def _override(self, byte: int) -> None:
        gantry = self.gantry
        if byte in RATES:
            percent = 100 if byte == 0x90 else gantry.feed_percent + RATES[byte]
            gantry.feed_percent = min(max(percent, 10), 200)
        elif byte in RAPIDS:
            gantry.rapid_percent = RAPIDS[byte]
        else:
            self._spindle_percent = (
                100
                if byte == 0x99
                else min(max(self._spindle_percent + SPINDLES[byte], 10), 200)
            )
        self._counters["Ov"] = 0
        gantry.replan()

    def _hold(self, state: str) -> None:
        if self._state in ("Alarm", "Home", "Check", "Sleep"):
            return
        if self._state == "Jog":
            self.gantry.hold()
            self.gantry.queue.clear()
            if state == "Door":
                self._state = state
            return
        if self._state == "Idle":
            self.note("held", at=shown(self.gantry.counted))
        self._state = state
        self.gantry.hold()

    def _resume(self) -> None:
        if self.state in ("Hold:0", "Door:0"):
            self.note("resumed")
            self._state = "Idle"
            self.gantry.resume()
            self._work_on()

    # -- lines ----------------------------------------------------------------------

    def _work_on(self) -> None:
        """Do what can be done now: a line at a time, an action at a time."""
        while self._booting is None and not self._critical:
            if (
                self._state in ("Hold", "Door", "Sleep", "Home")
                or self._work is not None
            ):
                return
            if self._todo:
                if not self._ready(self._todo[0]):
                    return
                self._act(self._todo.popleft())
            elif self._answering:
                self._answering = False
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
        if self._state in ("Alarm", "Jog"):
            raise Refused(9)
        return self.gcode.read(line)

    def _plan(self, actions: list[Action]) -> None:
        if self._state == "Check":
            actions = []
        if self.eeprom[20] and any(self._outside(action) for action in actions):
            self.gcode.position = self.gantry.counted
            self._alarm(2)
            return
        self._answering = True
        self._todo.extend(actions)

    def _outside(self, action: Action) -> bool:
        if "to" not in action.facts:
            return False
        target = zip(action.facts["to"], (130, 131, 132), strict=True)
        return any(not -self.eeprom[key] <= one <= 0.0 for one, key in target)

    def _ready(self, action: Action) -> bool:
        if action.kind in ("move", "arc"):
            return len(self.gantry.queue) < PLANNER
        return not self.gantry.busy

    def _act(self, action: Action) -> None:
        facts = action.facts
        if action.kind in ("move", "arc"):
            self._move(action)
        elif action.kind == "dwell":
            self._work = self.later(facts["seconds"], self._rested)
        elif action.kind == "coolant":
            self._coolant(**facts)
        elif action.kind == "changed":
            self._counters["WCO"] = 0
        elif action.kind == "pause":
            self._state = "Hold"
        elif action.kind == "end":
            self._tell("[MSG:Pgm End]")
        elif action.kind == "probe":
            self._move(facts["move"])
            if facts["strict"]:
                # There is nothing to touch on this bench: the probe finds nothing.
                self._work = self.later(0.0, self._no_contact)

    def _rested(self) -> None:
        self._work = None
        self._work_on()

    def _no_contact(self) -> None:
        if self.gantry.busy:
            self._work = self.later(0.05, self._no_contact)
            return
        self._work = None
        self._answering = False
        self._alarm(5)

    def _move(self, action: Action) -> None:
        facts = action.facts
        if self._moved_from is None:
            self._moved_from = self.gantry.counted
        if action.kind == "arc":
            length, path = arc(
                facts["from"],
                facts["to"],
                facts["centre"],
                facts["axes"],
                facts["turn"],
            )
            rates = [self.eeprom[110 + axis] for axis in facts["axes"][:2]]
            limit, acceleration = (
                min(rates) / 60,
                min(self.eeprom[120], self.eeprom[121]),
            )
        else:
            length, path = straight(facts["from"], facts["to"])
            if length == 0.0:
                return
            way = zip(facts["to"], facts["from"], strict=True)
            unit = [abs(b - a) / length for b, a in way]
            limit = least(
                self.eeprom[110 + i] / 60 / u for i, u in enumerate(unit) if u
            )
            acceleration = least(
                self.eeprom[120 + i] / u for i, u in enumerate(unit) if u
            )
        rate = limit if facts["rapid"] else facts["feed"] / 60
        block = Block(length, path, rate, limit, acceleration, facts["rapid"])
        self.gantry.put(block)

    def _block_done(self) -> None:
        if self.gantry.stalled:
            self.gantry.stalled = False
            self.note(
                "stalled",
                counted=shown(self.gantry.counted),
                at=shown(self.gantry.true),
            )
        if not self.gantry.moving and self._state == "Jog" and not self.gantry.queue:
            self.gantry.kill()
            self.gcode.position = self.gantry.counted
            self._state = "Idle"
        if not self.gantry.busy and self._moved_from is not None:
            at, since = shown(self.gantry.true), shown(self._moved_from)
            self.note("moved", start=since, at=at)
            self._moved_from = None
        self._work_on()

    def _coolant(self, *, flood: bool, mist: bool) -> None:
        if flood == mist:
            return
        closed = flood
        world = self.bench.world
        if closed != (self._closed or world.carried is not None):
            (world.grip if closed else world.release)(self.gantry.true, self.name)
        self._closed = closed

    # -- $ --------------------------------------------------------------------------

    def _system(self, line: str) -> None:
        if line.startswith("J="):
            self._jog(line[2:])
        elif line == "" or line in "$#GINCXH" or line == "SLP" or line[:3] == "RST":
            self._command(line)
        elif line[0] == "N" and "=" in line:
            if self.state not in ("Idle", "Alarm"):
                raise Refused(8)
            key, _, text = line.partition("=")
            if key not in self.blocks:
                raise Refused(3)
            self.gcode.read(text)
            self.blocks[key] = text
            self._tell("ok")
        elif "=" in line:
            self._write(*line.split("=", 1))
        else:
            raise Refused(3)

    def _command(self, line: str) -> None:
        if line and line not in "$#G" and self.state not in ("Idle", "Alarm", "Check"):
            raise Refused(8)
        if line == "H":
            self._home()
            return
        if line == "C":
            self._check()
            return
        if line == "":
            self._tell(
                "[HLP:$$ $# $G $I $N $x=val $Nx=line $J=line $SLP $C $X $H ~ ! ? ctrl-x]"
            )
        elif line == "$":
            for key, value in self.eeprom.items():
                self._tell(
                    f"${key}={value:.0f}" if key in WHOLE else f"${key}={value:.3f}"
                )
        elif line == "#":
            self._parameters()
        elif line == "G":
            self._tell(f"[GC:{self.gcode.modal.report()}]")
        elif line == "I":
            self._tell("[VER:1.1h.20190825:]")
            self._tell("[OPT:V,15,128]")
        elif line == "N":
            for block, text in self.blocks.items():
                self._tell(f"${block}={text}")
        elif line == "X":
            if self._state == "Alarm":
                self._tell("[MSG:Caution: Unlocked]")
                self._state = "Idle"
        elif line == "SLP":
            self._tell("ok")
            self._tell("[MSG:Sleeping]")
            self._state = "Sleep"
            return
        elif line.startswith("RST="):
            self.eeprom = factory_settings(self.gantry.size)
            self._tell("[MSG:Restoring defaults]")
        self._tell("ok")

    def _parameters(self) -> None:
        for name, values in self.gcode.systems.items():
            self._tell(f"[{name}:{self._text(values)}]")
        self._tell(f"[G92:{self._text(self.gcode.shift)}]")
        self._tell(f"[TLO:{self._text([self.gcode.tool_length])}]")
        self._tell(f"[PRB:{self._text(self._probed)}:0]")

    def _check(self) -> None:
        if self._state == "Check":
            self._tell("[MSG:Disabled]")
            self._tell("ok")
            self._state = "Idle"
            self._reset()
        elif self._state == "Idle":
            self._state = "Check"
            self._tell("[MSG:Enabled]")
            self._tell("ok")
        else:
            raise Refused(8)

    def _write(self, key: str, text: str) -> None:
        if self.state not in ("Idle", "Alarm"):
            raise Refused(8)
        try:
            number, value = int(key), float(text)
        except ValueError:
            raise Refused(2) from None
        if value < 0.0:
            raise Refused(4)
        if number not in self.eeprom:
            raise Refused(3)
        if number == 0 and value < 3:
            raise Refused(6)
        if number == 20 and value and not self.eeprom[22]:
            raise Refused(10)
        self.eeprom[number] = value
        if number == 22 and not value:
            self.eeprom[20] = 0.0
        self._tell("ok")

    def _jog(self, line: str) -> None:
        if self.state not in ("Idle", "Jog"):
            raise Refused(8 if self._state != "Alarm" else 9)
        here = self.gcode.position
        (action,) = self.gcode.read(line, jog=True)
        if self.eeprom[20] and self._outside(action):
            self.gcode.position = here
            raise Refused(15)
        self._move(action)
        if self.gantry.busy:
            self._state = "Jog"
        self._tell("ok")

    def _home(self) -> None:
        if not self.eeprom[22]:
            raise Refused(5)
        self._state = "Home"
        pull, seek, locate = self.eeprom[27], self.eeprom[25] / 60, self.eeprom[24] / 60
        true = zip(self.gantry.true, self.gantry.size, strict=True)
        ways = [
            size + t if self._far(axis) else -t for axis, (t, size) in enumerate(true)
        ]
        near = 2 * pull / seek + pull / locate + 0.5
        seconds = ways[2] / seek + max(ways[:2]) / seek + 2 * near
        self._work = self.later(max(seconds, near), self._homed)

    def _far(self, axis: int) -> bool:
        """Return whether an axis homes towards its far, negative end."""
        return bool(int(self.eeprom[23]) >> axis & 1)

    def _homed(self) -> None:
        self._work = None
        pull = self.eeprom[27]
        x, y, z = (
            pull - size if self._far(axis) else -pull
            for axis, size in enumerate(self.gantry.size)
        )
        self.gantry.place((x, y, z))
        self.gcode.position = (x, y, z)
        self._state = "Idle"
        self.note("homed", at=shown((x, y, z)))
        self._tell("ok")
        self._work_on()

    # -- reports --------------------------------------------------------------------

    def _text(self, values: Any) -> str:
        scale, digits = (1 / INCH, 4) if self.eeprom[13] else (1.0, 3)
        return ",".join(
            f"{round(one * scale, digits) + 0.0:.{digits}f}" for one in values
        )

    def _report(self) -> None:
        mask = int(self.eeprom[10])
        machine = self.gantry.counted
        offset = self.gcode.offset
        work = [m - o for m, o in zip(machine, offset, strict=True)]
        fields = [self.state]
        fields.append(
            "MPos:" + self._text(machine) if mask & 1 else "WPos:" + self._text(work)
        )
        if mask & 2:
            room = PLANNER - len(self.gantry.queue)
            held = sum(len(line) + 1 for line in self._lines) + len(self._partial)
            fields.append(f"Bf:{room},{128 - held}")
        feed = self.gantry.speed * 60 / (INCH if self.eeprom[13] else 1.0)
        turns = self.gcode.modal.speed if self.gcode.modal.spindle != 5 else 0.0
        fields.append(f"FS:{feed:.0f},{turns:.0f}")
        if self._due("WCO"):
            fields.append("WCO:" + self._text(offset))
            if self._counters["Ov"] == 0:
                self._counters["Ov"] = 1
        if self._due("Ov"):
            gantry = self.gantry
            percents = gantry.feed_percent, gantry.rapid_percent, self._spindle_percent
            fields.append("Ov:" + ",".join(map(str, percents)))
            modal = self.gcode.modal
            on = "S" * (modal.spindle == 3) + "C" * (modal.spindle == 4)
            on += "F" * modal.flood + "M" * modal.mist
            if on:
                fields.append(f"A:{on}")
        self._tell(f"<{'|'.join(fields)}>")

    def _due(self, field: str) -> bool:
        if self._counters[field] > 0:
            self._counters[field] -= 1
            return False
        busy, idle = REFRESH[field]
        moving = self.state.partition(":")[0] in ("Run", "Home", "Hold", "Jog", "Door")
        self._counters[field] = (busy if moving else idle) - 1
        return True


def factory_settings(size: Position) -> dict[int, float]:
    """Return ``$x`` by number."""
    values: dict[int, float] = dict.fromkeys(
        (2, 3, 4, 5, 6, 13, 20, 21, 23, 31, 32), 0.0
    )
    values |= {0: 10, 1: 25, 10: 1, 11: 0.01, 12: 0.002, 22: 1, 24: 50, 25: 3000}
    values |= {26: 250, 27: 1.0, 30: 1000.0, 100: 80.0, 101: 80.0, 102: 400.0}
    values |= {110: 15000.0, 111: 15000.0, 112: 6000.0, 120: 1000.0, 121: 1000.0}
    values |= {122: 500.0, 130: size[0], 131: size[1], 132: size[2]}
    return dict(sorted(values.items()))


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


def least(values: Any) -> float:
    """Return the smallest of some numbers."""
    return float(min(values))


def shown(at: Position) -> list[float]:
    """Return a position as a journal shows it."""
    return [round(one, 3) for one in at]


PANEL = Grbl
