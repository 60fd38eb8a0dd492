"""A gantry as GRBL drives it: moves, holds, homing and alarms."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from sims.grbl_settings import Settings
from sims.models.gantry import Block, Gantry, arc, straight
from sims.models.gcode import Action, Interpreter, Refused
from sims.panel import Panel
from sims.spec import Position

if TYPE_CHECKING:
    from sims.bench import Timer

PLANNER = 15
RATES = {0x90: 100, 0x91: 10, 0x92: -10, 0x93: 1, 0x94: -1}
RAPIDS = {0x95: 100, 0x96: 50, 0x97: 25}
SPINDLES = {0x99: 100, 0x9A: 10, 0x9B: -10, 0x9C: 1, 0x9D: -1}
OVERRIDES = {*RATES, *RAPIDS, *SPINDLES}


class Motion:
    """What the controller does, and the mode it is in.

    Parameters
    ----------
    panel:
        Whose name, bench and journal are used.
    start:
        Where the carriage stands when the power comes on.
    eeprom:
        The settings, with the travel of the axes.
    tell:
        Called with a line for the wire.
    free:
        Called when the next action or line may begin.
    """

    def __init__(
        self,
        panel: Panel,
        start: Position,
        eeprom: Settings,
        tell: Callable[[str], None],
        free: Callable[[], None],
    ) -> None:
        self.panel = panel
        self.eeprom = eeprom
        self.tell = tell
        self.free = free
        self.gantry = Gantry(panel.bench, start, eeprom.size, self._block_done)
        self.gcode = Interpreter()
        self.mode = "Alarm"
        """The state, but for what depends on whether a motor turns."""
        self.critical = False
        self.stuck = False
        """Whether what it does now never ends."""
        self.todo: deque[Action] | None = None
        """What is left of the line that is being executed."""
        self.spindle_percent = 100
        self._pause: Timer | None = None
        self._moved_from: Position | None = None

    @property
    def state(self) -> str:
        """The first field of a status report."""
        if self.mode == "Idle":
            return "Run" if self.gantry.busy or self.stuck else "Idle"
        if self.mode == "Hold":
            return "Hold:1" if self.gantry.moving else "Hold:0"
        if self.mode == "Door":
            return "Door:2" if self.gantry.moving else "Door:0"
        return self.mode

    @property
    def waits(self) -> bool:
        """Whether no action and no line may begin."""
        waiting = self.mode in ("Hold", "Door", "Sleep", "Home")
        return waiting or self.stuck or self._pause is not None

    # -- power, reset, alarm --------------------------------------------------------

    def power_up(self) -> None:
        """Begin anew, wherever the carriage is."""
        if self.gantry.busy:
            self._skip()
        self.gantry.kill()
        self.gantry.count_from((0.0, 0.0, 0.0))
        self._wake()
        self._clear()

    def reset(self) -> None:
        """Do what 0x18 does."""
        before = self.mode
        active = self.gantry.moving or self.state in ("Run", "Home", "Jog")
        self.panel.note("reset", state=self.state, at=shown(self.gantry.counted))
        if active:
            self._skip()
        self.gantry.kill()
        if active:
            self.mode = "Alarm"
            self.tell("ALARM:6" if before == "Home" else "ALARM:3")
        elif before == "Sleep":
            self._wake()
        elif before != "Alarm":
            self.mode = "Idle"
        self._clear()

    def alarm(self, number: int) -> None:
        """Stop and lock."""
        self.gantry.kill()
        self.mode = "Alarm"
        self.todo = None
        self.stuck = False
        self.critical = number in (1, 2)
        self.panel.note("alarm", number=number)
        self.tell(f"ALARM:{number}")
        if self.critical:
            self.tell("[MSG:Reset to continue]")

    def break_down(self) -> None:
        """Touch a limit switch, maybe in motion."""
        if self.gantry.moving:
            self._skip()
        self.alarm(1)

    def _wake(self) -> None:
        self.mode = "Alarm" if self.eeprom[22] else "Idle"

    def _clear(self) -> None:
        """Forget plan and modal state."""
        self.todo = None
        self.stuck = False
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self.critical = False
        self.gcode.reset()
        self.gcode.position = self.gantry.counted
        self.gantry.feed_percent = self.gantry.rapid_percent = 100
        self.spindle_percent = 100
        self._moved_from = None

    def _skip(self) -> None:
        """Have the motors, cut in motion, lose steps."""
        x, y, z = self.panel.bench.rng(self.panel.name).normal(0.0, 0.5, 3)
        self.gantry.lose((float(x), float(y), 0.1 * float(z)))

    # -- real-time characters -------------------------------------------------------

    def override(self, byte: int) -> None:
        """Change a percentage, also of what moves already."""
        gantry = self.gantry
        if byte in RATES:
            percent = 100 if byte == 0x90 else gantry.feed_percent + RATES[byte]
            gantry.feed_percent = min(max(percent, 10), 200)
        elif byte in RAPIDS:
            gantry.rapid_percent = RAPIDS[byte]
        else:
            percent = 100 if byte == 0x99 else self.spindle_percent + SPINDLES[byte]
            self.spindle_percent = min(max(percent, 10), 200)
        gantry.replan()

    def hold(self, mode: str) -> None:
        """Slow down to rest; a jog is given up."""
        if self.mode in ("Alarm", "Home", "Check", "Sleep"):
            return
        if self.mode == "Jog":
            self.gantry.hold()
            self.gantry.queue.clear()
            if mode == "Door":
                self.mode = mode
            return
        if self.mode == "Idle":
            self.panel.note("held", at=shown(self.gantry.counted))
        self.mode = mode
        self.gantry.hold()

    def resume(self) -> None:
        """Go on, once at rest."""
        if self.state in ("Hold:0", "Door:0"):
            self.panel.note("resumed")
            self.mode = "Idle"
            self.gantry.resume()
            self.free()

    # -- actions --------------------------------------------------------------------

    def outside(self, action: Action) -> bool:
        """Return whether an action leads beyond the soft limits."""
        return "to" in action.facts and self.eeprom.outside(action.facts["to"])

    def ready(self, action: Action) -> bool:
        """Return whether there is room in the plan, or rest where rest is needed."""
        if action.kind in ("move", "arc"):
            return len(self.gantry.queue) < PLANNER
        return not self.gantry.busy

    def move(self, action: Action) -> None:
        """Plan a line or an arc, as fast as the slowest axis allows."""
        facts = action.facts
        if self._moved_from is None:
            self._moved_from = self.gantry.counted
        here, there = facts["from"], facts["to"]
        if action.kind == "arc":
            axes = facts["axes"]
            length, path = arc(here, there, facts["centre"], axes, facts["turn"])
            limit, acceleration = self.eeprom.around(axes[:2])
        else:
            length, path = straight(here, there)
            if length == 0.0:
                return
            way = zip(there, here, strict=True)
            limit, acceleration = self.eeprom.along(
                [abs(b - a) / length for b, a in way]
            )
        rate = limit if facts["rapid"] else facts["feed"] / 60
        block = Block(length, path, rate, limit, acceleration, facts["rapid"])
        self.gantry.put(block)

    def rest(self, seconds: float) -> None:
        """Do nothing for some seconds."""
        self._pause = self.panel.later(seconds, self._rested)

    def probe(self, move: Action, *, strict: bool) -> None:
        """Move until something is touched; on this bench there is nothing to touch."""
        self.move(move)
        if strict:
            self._pause = self.panel.later(0.0, self._no_contact)

    def home(self) -> None:
        """Look for the switches, Z first; the ok follows."""
        if not self.eeprom[22]:
            raise Refused(5)
        self.mode = "Home"
        pull, seek, locate = self.eeprom[27], self.eeprom[25] / 60, self.eeprom[24] / 60
        true = zip(self.gantry.true, self.gantry.size, strict=True)
        ways = [
            size + t if self.eeprom.far(axis) else -t
            for axis, (t, size) in enumerate(true)
        ]
        near = 2 * pull / seek + pull / locate + 0.5
        seconds = ways[2] / seek + max(ways[:2]) / seek + 2 * near
        self._pause = self.panel.later(max(seconds, near), self._homed)

    # -- what ends ------------------------------------------------------------------

    def _rested(self) -> None:
        self._pause = None
        self.free()

    def _no_contact(self) -> None:
        if self.gantry.busy:
            self._pause = self.panel.later(0.05, self._no_contact)
            return
        self._pause = None
        self.alarm(5)

    def _homed(self) -> None:
        self._pause = None
        if self.stuck:
            return
        pull = self.eeprom[27]
        x, y, z = (
            pull - size if self.eeprom.far(axis) else -pull
            for axis, size in enumerate(self.gantry.size)
        )
        self.gantry.place((x, y, z))
        self.gcode.position = (x, y, z)
        self.mode = "Idle"
        self.panel.note("homed", at=shown((x, y, z)))
        self.tell("ok")
        self.free()

    def _block_done(self) -> None:
        gantry, note = self.gantry, self.panel.note
        if gantry.stalled:
            gantry.stalled = False
            note("stalled", counted=shown(gantry.counted), at=shown(gantry.true))
        if not gantry.moving and self.mode == "Jog" and not gantry.queue:
            gantry.kill()
            self.gcode.position = gantry.counted
            self.mode = "Idle"
        if not gantry.busy and self._moved_from is not None:
            at, since = shown(gantry.true), shown(self._moved_from)
            note("moved", start=since, at=at)
            self._moved_from = None
        self.free()


def shown(at: Position) -> list[float]:
    """Return a position as a journal shows it."""
    return [round(one, 3) for one in at]
