"""Tecan Cavro XCalibur or XLP 6000: command strings, errors and reports.

9600 8N1, DT or OEM framing. The status byte is 0x40, plus 0x20 when ready, plus the error code.
An XCalibur is deaf to DT from its first OEM frame on; an XLP keeps what it hears first.
An XLP takes a string whose operand is invalid, and tells the error on ``Q``.

Unverified, chosen here: the ranges of K, k and of the overtravel of an XLP, which are twice
an XCalibur's; its N2 scales speeds by 8; the texts of ``?23`` and ``?76``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from sims import spec as checks
from sims.cavro_commands import (
    BAD_COMMAND,
    BAD_OPERAND,
    BAD_SEQUENCE,
    INIT_FAILED,
    MOVES,
    NOT_INITIALISED,
    OVERFLOW,
    OVERLOAD,
    QUESTIONS,
    VALVE,
    VALVE_OVERLOAD,
    Trouble,
    checked,
    only,
    parsed,
    within,
)
from sims.cavro_framing import Block, DtFraming, OemFraming, cut, spoiled
from sims.faults import KINDS
from sims.models.syringe_pump import PRESETS, SyringePump
from sims.panel import Message, Panel
from sims.spec import BadBench

if TYPE_CHECKING:
    from sims.bench import Bench, Timer

TICK = 0.005
"""Seconds that the pump needs for a command without motion."""
BUFFER = 255
FINE = 8
STROKES = {"XCalibur": 3000, "XLP6000": 6000}
"""Increments of a full stroke at resolution N0."""
OVERTRAVEL = 0.05
"""Of a stroke, that relative moves may go beyond its end."""
ADDRESSES = 15
LOOPS = 10


class Cavro(Panel):
    """A syringe pump with a distribution valve."""

    baud = 9600.0
    kinds: ClassVar[frozenset[str]] = frozenset(KINDS)

    def __init__(self, name: str, bench: Bench, settings: Mapping[str, Any]) -> None:
        super().__init__(name, bench, settings)
        where = f"instruments.{name}"
        volume = checks.number(settings.get("syringe"), f"{where}.syringe", 1.0)
        ports = int(checks.number(settings.get("ports", 9), f"{where}.ports", 2))
        outlets = connected(settings.get("valve", {}), ports, f"{where}.valve")
        self.pump = SyringePump(bench, name, volume, outlets, ports)
        self.model = checks.text(settings.get("model", "XCalibur"), f"{where}.model")
        if self.model not in STROKES:
            known = ", ".join(STROKES)
            raise BadBench(f"{where}.model: {self.model!r} is not one of {known}")
        self.stroke = STROKES[self.model]
        number = int(checks.number(settings.get("address", 1), f"{where}.address", 1))
        if number > ADDRESSES:
            raise BadBench(f"{where}.address: {number} is above {ADDRESSES}")
        switch = number - 1
        self.address = chr(ord("0") + number)
        self.groups = {"_", chr(0x41 + switch // 2 * 2), chr(0x51 + switch // 4 * 4)}
        self._lost = False
        self._power_up()

    @property
    def xlp(self) -> bool:
        return self.model == "XLP6000"

    def mine(self, address: str) -> bool:
        """Whether something is said to this pump or to its group."""
        return address == self.address or address in self.groups

    def _power_up(self) -> None:
        self._dt, self._oem = DtFraming(), OemFraming(self.mine)
        self.framing: DtFraming | OemFraming = self._dt
        self._settled = False
        self.scale = 1
        self.error = 0
        self.initialised = False
        self.overloaded = 0
        self.fine = 1
        self.backlash, self.dead = 12, 50
        self.inits = self._valve_told = 0
        self._stored = self._last = ""
        self._program: list[tuple[str, tuple[int, ...]]] = []
        self._loops: list[list[int]] = []
        self._step = 0
        self._running = self._quiet = self._halted = self._stuck = False
        self._timer: Timer | None = None

    def receive(self, data: bytes) -> None:
        """Answer the blocks for this pump; obey those for its group in silence."""
        for address, text in self._blocks(data):
            if address == self.address:
                code, told = (self.error, "") if text is None else self._obey(text)
                self._answer(code, told)
            elif address in self.groups and text is not None:
                self._obey(text)

    def _answer(self, code: int, told: str = "") -> None:
        busy = self._running and not self._quiet
        status = 0x40 | (0 if busy else 0x20) | code
        self.say(self.framing.answer(status, told))

    def _blocks(self, data: bytes) -> list[Block]:
        """Take bytes apart; after the first OEM frame the pump is deaf to DT."""
        framed = self._oem.take(data)
        blocks = self._dt.take(data)
        if framed and not self._settled:
            self.framing = self._oem
        if self.xlp and (framed or blocks):
            self._settled = True
        return framed if self.framing is self._oem else blocks

    # -- faults -----------------------------------------------------------------------

    def cut(self, data: bytes) -> tuple[list[Message], bytes]:
        return cut(data, self.mine)

    def with_wrong_checksum(self, data: bytes) -> bytes | None:
        return spoiled(data)

    def hang(self, data: bytes) -> None:
        """Obey, and stay busy: T ends it, as it ends a string that never ends."""
        self.receive(data)
        self._running = self._stuck = True
        self._quiet = False

    def refuse(self, data: bytes) -> None:
        for address, _ in self._blocks(data):
            if address == self.address:
                self._answer(BAD_OPERAND)

    def break_down(self, data: bytes) -> None:
        """Have the plunger lose steps: nothing moves until it is initialised."""
        self.receive(data)
        self.pump.stop()
        self._stop()
        self.initialised = False
        self.error = self.overloaded = OVERLOAD
        self.note("overload")

    def lose_power(self) -> None:
        self.pump.stop()
        self._stop()
        self._power_up()
        self.pump.forget_speeds()
        self._lost = True
        self.note("power lost")

    def matter(self) -> Any:
        return self.pump.place, self.pump.port, dict(self.pump.contents)

    def place_matter(self, matter: Any) -> None:
        self.pump.stand(*matter)
        self._lost = True

    # -- strings ----------------------------------------------------------------------

    def _obey(self, text: str) -> tuple[int, str]:
        """Return the error code and the data of the answer."""
        try:
            if text == "Q":
                code = self.error
                if code not in (INIT_FAILED, NOT_INITIALISED):
                    self.error = 0
                return code, ""
            if text.startswith(QUESTIONS):
                return self._lasting(), self._report(text)
            if text in ("T", "TR"):
                self._terminate()
                return self._lasting(), ""
            self._string(text)
        except Trouble as trouble:
            if trouble.code == OVERFLOW:
                self.error = OVERFLOW
            if trouble.code == BAD_OPERAND and self.xlp:
                self.error = BAD_OPERAND
                return 0, ""
            return trouble.code, ""
        return self.error, ""

    def _lasting(self) -> int:
        """Return the error that a valid question does not clear."""
        if self.error not in (INIT_FAILED, NOT_INITIALISED, OVERLOAD, VALVE_OVERLOAD):
            self.error = 0
        return self.error

    def _string(self, text: str) -> None:
        if len(text) > BUFFER:
            raise Trouble(BAD_COMMAND)
        if self._running:
            self._interrupt(text)
            return
        if self.error not in (INIT_FAILED, NOT_INITIALISED):
            self.error = 0
        if text == "X":
            text = self._last + "R"
        run = text.endswith("R")
        body = text[:-1] if run else text
        program = parsed(body)
        if not run:
            self._stored = body
            return
        if not body:
            body, self._stored = self._stored, ""
            program = parsed(body)
        if not program:
            return
        self._last = body
        self._program, self._step, self._loops = program, 0, []
        self._running = True
        self._quiet = program[0][0] in "apd"
        try:
            self._do(*program[0])
        except Trouble as trouble:
            self._stop()
            self.error = trouble.code if trouble.code in (7, 9, 10) else 0
            raise

    def _interrupt(self, text: str) -> None:
        """Take what may be said while busy: a new speed, or R after a halt."""
        if self._halted and text == "R":
            self._halted = False
            self._next()
            return
        program = parsed(text.removesuffix("R"))
        if [command for command, _ in program] != ["V"] or not text.endswith("R"):
            raise Trouble(OVERFLOW)
        self._set("V", program[0][1])
        self.pump.hurry()

    def _terminate(self) -> None:
        self.pump.stop()
        self._stop()
        self.note("terminated", position=self._increments())

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._running = self._quiet = self._halted = self._stuck = False
        self._program = []

    def _next(self) -> None:
        self._timer = None
        self._step += 1
        if self._step >= len(self._program):
            if not self._stuck:
                self._stop()
            return
        command, operands = self._program[self._step]
        self._quiet = command in "apd"
        try:
            self._do(command, operands)
        except Trouble as trouble:
            self._stop()
            self.error = trouble.code

    def _wait(self, seconds: float, then: Callable[[], None] | None = None) -> None:
        self._timer = self.later(seconds, then or self._next)

    # -- commands ---------------------------------------------------------------------

    def _do(self, command: str, operands: tuple[int, ...]) -> None:
        """Start one command; `_next` follows when it is done."""
        if command in "ZYWwz":
            self._initialise(command, operands)
        elif command in MOVES + VALVE:
            if not self.initialised:
                raise Trouble(self.overloaded or NOT_INITIALISED)
            if command in VALVE:
                self._turn(command, operands)
            else:
                self._move(command, only(operands))
        elif command == "M":
            self._wait(max(checked("M", only(operands)) / 1000.0, TICK))
        elif command == "H":
            checked("H", only(operands))
            self._halted = True
        else:
            self._loop(command, operands)
            self._set(command, operands)
            self._wait(TICK)

    def _initialise(self, command: str, operands: tuple[int, ...]) -> None:
        force, inlet, outlet = (*operands, 0, 0, 0)[:3]
        pump = self.pump
        if command == "w":
            self._wait(pump.turn(force or 1, clockwise=inlet == 0))
            return
        if force not in (0, 1, 2) and not 10 <= force <= 40:
            raise Trouble(BAD_OPERAND)
        if inlet > pump.ports or outlet > pump.ports:
            raise Trouble(BAD_OPERAND)
        if command == "z":
            self._ready()
            self._wait(TICK)
            return
        top = PRESETS[force] if force >= 10 else 1000
        valve = 0.3 + DETENTS
        if command in "ZY":
            pump.turn(outlet or pump.ports, clockwise=command == "Z")
        kept = pump.top_speed
        pump.top_speed = top

        def arrived() -> None:
            pump.top_speed = kept
            if command in "ZY":
                pump.turn(inlet or 1, clockwise=command == "Z")
            self._ready()
            self._wait(valve)

        self._wait(valve, lambda: pump.move(0.0, arrived))

    def _ready(self) -> None:
        self._lost = False
        self.initialised, self.overloaded, self.error = True, 0, 0
        self.inits += 1
        self.note("initialised", port=self.pump.port)

    def _turn(self, command: str, operands: tuple[int, ...]) -> None:
        port = only(operands)
        if not 1 <= port <= self.pump.ports:
            raise Trouble(BAD_OPERAND)
        seconds = self.pump.turn(port, clockwise=command == "I")
        self.note("valve", port=port, outlet=self.pump.outlets.get(port))
        self._wait(seconds)

    def _move(self, command: str, operand: int) -> None:
        here = self._increments()
        target = {"A": operand, "P": here + operand, "D": here - operand}[
            command.upper()
        ]
        beyond = 0.0 if command in "Aa" else OVERTRAVEL
        highest = self.stroke * self.fine * (1.0 + beyond)
        if not 0 <= target <= highest:
            raise Trouble(BAD_OPERAND)
        if target == here:
            self._wait(TICK)
            return
        self.pump.move(target / (self.stroke * self.fine), self._next)

    def _increments(self) -> int:
        """Return where the pump believes its plunger to be."""
        if self._lost:
            return 0
        return round(self.pump.place * self.stroke * self.fine)

    def _loop(self, command: str, operands: tuple[int, ...]) -> None:
        if command == "g":
            if len(self._loops) >= LOOPS:
                raise Trouble(BAD_SEQUENCE)
            self._loops.append([self._step, 0])
        elif command == "G":
            count = checked("G", only(operands))
            if not self._loops:
                raise Trouble(BAD_SEQUENCE)
            self._loops[-1][1] += 1
            if count == 0 or self._loops[-1][1] < count:
                self._step = self._loops[-1][0]
            else:
                self._loops.pop()

    def _set(self, command: str, operands: tuple[int, ...]) -> None:
        if command in "gG":
            return
        value = only(operands)
        pump = self.pump
        size = self.fine * (2 if self.xlp else 1)
        if command == "K":
            self.backlash = within(value, 0, 31 * size)
        elif command == "k":
            self.dead = within(value, 0, 80 * size)
        elif command == "J":
            self.note("outputs", value=checked("J", value))
        elif command == "N":
            fine = FINE if within(value, 0, 2 if self.xlp else 1) else 1
            self.scale = FINE if value == 2 else 1
            self.backlash = self.backlash * fine // self.fine
            self.dead = self.dead * fine // self.fine
            self.fine = fine
        elif command == "S":
            pump.top_speed = PRESETS[checked("S", value)]
        elif command == "V":
            pump.top_speed = checked("V", value // self.scale)
        elif command == "v":
            pump.start_speed = checked("v", value // self.scale)
        elif command == "c":
            pump.cut_off = checked("c", value // self.scale)
        elif command == "L":
            pump.slope = checked("L", value)

    # -- reports ----------------------------------------------------------------------

    def _report(self, text: str) -> str:
        pump = self.pump
        place = self._increments()
        answers = {
            "?": place,
            "?0": place,
            "?1": pump.start_speed * self.scale,
            "?2": pump.top_speed * self.scale,
            "?3": pump.cut_off * self.scale,
            "?4": place,
            "?6": pump.port,
            "?10": int(bool(self._stored)),
            "?12": self.backlash,
            "?15": self.inits,
            "?16": pump.plunger_moves,
            "?17": pump.valve_moves,
            "?18": pump.valve_moves - self._valve_told,
            "?20": "C2F8",
            "?22": 255,
            "?23": "XLP 2.02" if self.xlp else "XC 1.40",
            "?24": self.dead,
            "?76": "XLP6000" if self.xlp else "XCALIBUR",
        }
        if self.xlp:
            answers["?28"] = 2 if self.scale > 1 else int(self.fine > 1)
        short = {"F": "?10", "%": "?18", "#": "?20", "*": "?22", "&": "?23"}
        key = short.get(text.removesuffix("R"), text.removesuffix("R"))
        if key not in answers:
            raise Trouble(BAD_COMMAND)
        if key == "?18":
            self._valve_told = pump.valve_moves
        return str(answers[key])


DETENTS = 0.7
"""Seconds that the valve takes to find its ports."""


def connected(valve: Any, ports: int, where: str) -> dict[int, str]:
    """Return what is connected to which port of the valve."""
    outlets: dict[int, str] = {}
    keys: dict[Any, Any] = dict(checks.mapping(valve, where))
    for port, outlet in keys.items():
        if not isinstance(port, int) or not 1 <= port <= ports:
            raise BadBench(f"{where}.{port}: ports are numbered 1 to {ports}")
        outlets[port] = checks.text(outlet, f"{where}.{port}")
    return outlets


PANEL = Cavro
