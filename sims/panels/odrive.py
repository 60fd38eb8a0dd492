"""ODrive v3.6, firmware 0.5.6, ASCII protocol: the motor of a spin coater.

115200. A command ends at LF, CR or ``!``; an answer ends with CR LF; a write that succeeds
is not answered. Only axis 0 is fitted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any, ClassVar

from sims import spec as checks
from sims.faults import KINDS
from sims.models.chuck import Chuck, Plateau
from sims.panel import Message, Panel, cut_lines
from sims.spec import BadBench

if TYPE_CHECKING:
    from sims.bench import Bench, Timer

LONGEST = 256
LETTERS = 9
IDLE, FULL_CALIBRATION, MOTOR, INDEX, ENCODER, CLOSED = 1, 3, 4, 6, 7, 8
MOTOR_TIME, ENCODER_TIME = 5.0, 10.0
"""Seconds of the two parts of a full calibration."""
INVALID_STATE, MOTOR_FAILED, CONTROLLER_FAILED, WATCHDOG = 0x1, 0x40, 0x200, 0x800
DRIVER_FAULT = 0x8
OVERSPEED, INVALID_INPUT_MODE = 0x1, 0x2
TORQUE, VELOCITY, POSITION = 1, 2, 3
PASSTHROUGH, RAMP, TRAPEZOID = 1, 2, 5
INPUT_MODES = {0, 1, 2, 3, 5, 6}
"""Of these a mode that does not fit the control mode moves nothing."""
HARD = 200.0
"""Turns/s² when only the current limits the acceleration."""
TOLERANCE = 1.2
JITTER = 0.02
"""Standard deviation of the measured speed while it turns, turns/s."""
SERIAL_NUMBER = 0x306D3674364D
HELP = "Please see documentation for more details"

FACTORY: dict[str, float | int | bool] = {
    "axis0.error": 0,
    "axis0.motor.error": 0,
    "axis0.encoder.error": 0,
    "axis0.controller.error": 0,
    "axis0.requested_state": 0,
    "axis0.controller.input_vel": 0.0,
    "axis0.controller.input_pos": 0.0,
    "axis0.controller.input_torque": 0.0,
    "axis0.controller.config.control_mode": POSITION,
    "axis0.controller.config.input_mode": PASSTHROUGH,
    "axis0.controller.config.vel_limit": 2.0,
    "axis0.controller.config.vel_limit_tolerance": TOLERANCE,
    "axis0.controller.config.vel_ramp_rate": 1.0,
    "axis0.controller.config.circular_setpoints": False,
    "axis0.controller.config.enable_overspeed_error": True,
    "axis0.trap_traj.config.vel_limit": 2.0,
    "axis0.trap_traj.config.accel_limit": 0.5,
    "axis0.trap_traj.config.decel_limit": 0.5,
    "axis0.motor.config.current_lim": 10.0,
    "axis0.config.enable_watchdog": False,
    "axis0.config.watchdog_timeout": 0.0,
}
WRITABLE = {key for key in FACTORY if ".config." in key or ".input_" in key} | {
    key for key in FACTORY if key.endswith((".error", "requested_state"))
}


class Complaint(Exception):
    """The line that answers a wrong command."""


class ODrive(Panel):
    """A motor controller with a spin coater's chuck on axis 0."""

    baud = 115200.0
    kinds: ClassVar[frozenset[str]] = frozenset(KINDS)

    def __init__(self, name: str, bench: Bench, settings: Mapping[str, Any]) -> None:
        super().__init__(name, bench, settings)
        self.slot = checks.text(settings.get("slot"), f"instruments.{name}.slot")
        if self.slot not in bench.world.slots:
            raise BadBench(f"instruments.{name}.slot: there is no slot {self.slot!r}")
        self.chuck = Chuck(bench, self._started, self._rested, self._overspeed)
        self._saved: dict[str, float | int | bool] = {}
        self._bytes = bytearray()
        self._calibration: Timer | None = None
        self._dog: Timer | None = None
        self._boot()

    def _boot(self) -> None:
        for timer in (self._calibration, self._dog):
            if timer is not None:
                timer.cancel()
        self._calibration = self._dog = None
        self._stuck = False
        self.values = FACTORY | self._saved
        self.state = IDLE
        self.calibrated = {"motor": False, "encoder": False}
        self.chuck.highest = float("inf")
        self.chuck.coast()

    # -- faults ---------------------------------------------------------------------

    def cut(self, data: bytes) -> tuple[list[Message], bytes]:
        messages, rest = cut_lines(data, b"\n\r!", pairs=False)
        return [Message(one.data, plain(one.text)) for one in messages], rest

    def with_wrong_checksum(self, data: bytes) -> bytes | None:
        found = re.fullmatch(rb"(.*\*\s*)(\d+)(\s*)", data, re.DOTALL)
        if found is None:
            return None
        wrong = (int(found[2]) + 1) % 256
        return found[1] + str(wrong).encode("ascii") + found[3]

    def hang(self, data: bytes) -> None:
        """Reach no state and no speed from now on; idle, and only that, ends it."""
        self._stuck = True
        self.receive(data)

    def refuse(self, data: bytes) -> None:
        line = "r refused"
        self._line(f"{line}*{checksum(line)}" if b"*" in data else line)

    def break_down(self, data: bytes) -> None:
        """Have the gate driver fail: the motor is without current."""
        self.receive(data)
        self._idle()
        self._fail("axis0.motor.error", DRIVER_FAULT)
        self._fail("axis0.error", MOTOR_FAILED)
        self.note("driver fault")

    def lose_power(self) -> None:
        self._boot()
        self._bytes.clear()
        self.note("power lost")

    # -- lines ----------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Collect lines and obey them."""
        for byte in data:
            if byte in b"\n\r!":
                line = bytes(self._bytes)
                self._bytes.clear()
                if len(line) <= LONGEST:
                    self._line(line.decode("latin-1"))
            elif len(self._bytes) <= LONGEST:
                self._bytes.append(byte)

    def _line(self, line: str) -> None:
        line = line.partition(";")[0]
        text, star, check = line.partition("*")
        if star and check.strip() != str(checksum(text)):
            return
        try:
            answers = self._obey(text.split())
        except Complaint as complaint:
            answers = [str(complaint)]
        for answer in answers:
            tail = f"*{checksum(answer)}" if star else ""
            self.say(f"{answer}{tail}\r\n".encode("ascii"))

    def _obey(self, words: list[str]) -> list[str]:
        """Do one command; return the lines that answer it."""
        if not words:
            raise Complaint("unknown command")
        command, operands = words[0], words[1:]
        if command == "r":
            return [self._read(one(operands))]
        if command == "w":
            if len(operands) < 2:
                raise Complaint("invalid command format")
            self._write(operands[0], operands[1])
        elif command in ("v", "p", "q", "c", "t", "f", "u"):
            return self._axis(command, operands)
        elif command == "i":
            return [
                "Hardware version: 3.6-56V",
                "Firmware version: 0.5.6",
                f"Serial number: {SERIAL_NUMBER:012X}",
            ]
        elif command == "h":
            return [HELP]
        elif command in self._system:
            self._system[command]()
        else:
            raise Complaint("unknown command")
        return []

    @property
    def _system(self) -> Mapping[str, Callable[[], None]]:
        return {
            "ss": self._save,
            "se": self._erase,
            "sr": self._boot,
            "sc": self._clear,
        }

    def _save(self) -> None:
        self._saved = {key: self.values[key] for key in FACTORY if ".config." in key}

    def _erase(self) -> None:
        self._saved = {}
        self._boot()

    def _clear(self) -> None:
        for key in FACTORY:
            if key.endswith(".error"):
                self.values[key] = 0

    def _axis(self, command: str, operands: list[str]) -> list[str]:
        if not operands or not operands[0].isdigit():
            raise Complaint("invalid command format")
        if operands[0] != "0":
            raise Complaint(f"invalid motor {operands[0]}")
        numbers = [number(text) for text in operands[1:]]
        if command == "f":
            place, speed = self._estimates()
            return [f"{place:f} {speed:f}"]
        self._feed()
        if command == "u":
            return []
        if not numbers:
            raise Complaint("invalid command format")
        mode = {"v": VELOCITY, "c": TORQUE}.get(command, POSITION)
        name = {VELOCITY: "vel", TORQUE: "torque", POSITION: "pos"}[mode]
        self.values[f"{CONFIG}control_mode"] = mode
        if command == "t":
            self.values[f"{CONFIG}input_mode"] = TRAPEZOID
        if command == "q" and len(numbers) > 1:
            self.values[f"{CONFIG}vel_limit"] = numbers[1]
        self.values[f"axis0.controller.input_{name}"] = numbers[0]
        self._drive()
        return []

    # -- properties -----------------------------------------------------------------

    def _read(self, path: str) -> str:
        place, speed = self._estimates()
        measured: dict[str, float | int | bool] = {
            "vbus_voltage": 24.087744,
            "ibus": 0.05,
            "serial_number": SERIAL_NUMBER,
            "hw_version_major": 3,
            "hw_version_minor": 6,
            "hw_version_variant": 56,
            "fw_version_major": 0,
            "fw_version_minor": 5,
            "fw_version_revision": 6,
            "axis0.current_state": self.state,
            "axis0.encoder.pos_estimate": place,
            "axis0.encoder.vel_estimate": speed,
            "axis0.encoder.pos_circular": place % 1.0,
            "axis0.encoder.is_ready": self.calibrated["encoder"],
            "axis0.motor.is_calibrated": self.calibrated["motor"],
            "axis0.motor.current_control.Iq_measured": 0.02 * speed,
        }
        if path in measured:
            return shown(measured[path])
        if path not in self.values:
            raise Complaint("invalid property")
        return shown(self.values[path])

    def _write(self, path: str, text: str) -> None:
        if path not in WRITABLE:
            raise Complaint("invalid property")
        kind = type(FACTORY[path])
        value = number(text)
        if path == "axis0.requested_state":
            self._request(int(value))
            return
        self.values[path] = kind(value)
        if path.startswith("axis0.config."):
            self._feed()
        elif ".controller." in path and self.state == CLOSED:
            if path.endswith("input_vel"):
                self._feed()
            self._drive()

    def _estimates(self) -> tuple[float, float]:
        place, speed = self.chuck.state()
        if speed != 0.0:
            speed += float(self.bench.rng(self.name).normal(0.0, JITTER))
        return place + 0.0, speed + 0.0

    # -- the axis -------------------------------------------------------------------

    def _request(self, state: int) -> None:
        if self._calibration is not None:
            self._calibration.cancel()
            self._calibration = None
        if state == IDLE:
            self._stuck = False
            self._idle()
        elif state in (FULL_CALIBRATION, MOTOR, INDEX, ENCODER):
            self._idle()
            self._calibrate(state)
        elif state == CLOSED:
            if not all(self.calibrated.values()):
                self._idle()
                self._fail("axis0.error", INVALID_STATE)
                return
            if self._errors():
                self._idle()
                return
            if self._stuck:
                return
            self.state = CLOSED
            self.values["axis0.controller.input_vel"] = 0.0
            self.values["axis0.controller.input_pos"] = self.chuck.state()[0]
            self._feed()
            self._drive()
        else:
            self._idle()
            self._fail("axis0.error", INVALID_STATE)

    def _calibrate(self, state: int) -> None:
        if state == ENCODER and not self.calibrated["motor"]:
            self._fail("axis0.error", INVALID_STATE)
            return
        if state in (FULL_CALIBRATION, MOTOR):
            self.state = MOTOR
            self._calibration = self.later(MOTOR_TIME, lambda: self._motor_done(state))
        else:
            self._turn_encoder()

    def _motor_done(self, state: int) -> None:
        if self._stuck:
            return
        self.calibrated["motor"] = True
        if state == FULL_CALIBRATION:
            self._turn_encoder()
        else:
            self._calibration_done()

    def _turn_encoder(self) -> None:
        self.state = ENCODER
        self._calibration = self.later(ENCODER_TIME, self._encoder_done)

    def _encoder_done(self) -> None:
        if self._stuck:
            return
        self.calibrated["encoder"] = True
        self._calibration_done()

    def _calibration_done(self) -> None:
        self._calibration = None
        self.state = IDLE
        self.note("calibrated")

    def _idle(self) -> None:
        if self.state == CLOSED:
            self.chuck.highest = float("inf")
            self.chuck.coast()
        self.state = IDLE
        if self._dog is not None:
            self._dog.cancel()
            self._dog = None

    def _errors(self) -> bool:
        return any(self.values[key] for key in FACTORY if key.endswith(".error"))

    def _fail(self, register: str, bit: int) -> None:
        self.values[register] = int(self.values[register]) | bit

    def _overspeed(self) -> None:
        self._idle()
        self._fail("axis0.controller.error", OVERSPEED)
        self._fail("axis0.error", CONTROLLER_FAILED)
        self.note("overspeed", rpm=round(self.chuck.state()[1] * 60, 1))

    def _feed(self) -> None:
        """Feed the watchdog."""
        if self._dog is not None:
            self._dog.cancel()
            self._dog = None
        timeout = float(self.values["axis0.config.watchdog_timeout"])
        enabled = self.values["axis0.config.enable_watchdog"]
        if enabled and timeout > 0.0 and self.state == CLOSED:
            self._dog = self.later(timeout, self._bite)

    def _bite(self) -> None:
        self._dog = None
        self._idle()
        self._fail("axis0.error", WATCHDOG)
        self.note("watchdog")

    def _drive(self) -> None:
        """Follow the setpoints."""
        if self.state != CLOSED or self._stuck:
            return
        values = self.values
        mode, follow = values[f"{CONFIG}control_mode"], values[f"{CONFIG}input_mode"]
        limit = float(values[f"{CONFIG}vel_limit"])
        if mode == VELOCITY and follow in (PASSTHROUGH, RAMP):
            rate = float(values[f"{CONFIG}vel_ramp_rate"]) if follow == RAMP else HARD
            on = values[f"{CONFIG}enable_overspeed_error"]
            tolerance = float(values[f"{CONFIG}vel_limit_tolerance"])
            self.chuck.highest = limit * tolerance if on else float("inf")
            self.chuck.drive(float(values["axis0.controller.input_vel"]), rate)
        elif mode == POSITION and follow in (PASSTHROUGH, TRAPEZOID, POSITION):
            place, rate = self._goal(), HARD
            if follow == TRAPEZOID:
                limit = min(limit, float(values["axis0.trap_traj.config.vel_limit"]))
                rate = float(values["axis0.trap_traj.config.accel_limit"])
            self.chuck.turn_to(place, limit, rate)
        elif mode == TORQUE:
            torque = float(values["axis0.controller.input_torque"])
            self.chuck.highest = limit * TOLERANCE
            self.chuck.drive(
                limit * 2 if torque > 0.0 else 0.0, HARD * abs(torque) + 1.0
            )
        elif follow not in INPUT_MODES:
            self._idle()
            self._fail("axis0.controller.error", INVALID_INPUT_MODE)
            self._fail("axis0.error", CONTROLLER_FAILED)

    def _goal(self) -> float:
        """Return the angle to stand at, turns; the nearest one if setpoints go round."""
        place = float(self.values["axis0.controller.input_pos"])
        if not self.values[f"{CONFIG}circular_setpoints"]:
            return place
        here = self.chuck.state()[0]
        return here + (place - here + 0.5) % 1.0 - 0.5

    # -- the chuck ------------------------------------------------------------------

    def _started(self) -> None:
        goal = float(self.values["axis0.controller.input_vel"])
        sample = self.bench.world.slots[self.slot].sample
        self.note("spinning", rpm=round(goal * 60, 2), sample=sample and sample.name)
        self.bench.world.turn(self.slot, True, self.name)

    def _rested(self, plateaus: list[Plateau]) -> None:
        self.note("rest", plateaus=len(plateaus))
        self.bench.world.turn(self.slot, False, self.name)
        for plateau in plateaus:
            rpm = abs(plateau.speed) * 60.0
            self.bench.world.spin(self.slot, rpm, plateau.seconds, self.name)


CONFIG = "axis0.controller.config."


def checksum(text: str) -> int:
    """Return the exclusive or of all characters."""
    return reduce(lambda total, letter: total ^ ord(letter), text, 0) & 0xFF


def plain(line: str) -> str:
    """Return a line without its comment and its checksum."""
    return line.partition(";")[0].partition("*")[0].strip()


def one(operands: list[str]) -> str:
    """Return the only operand."""
    if not operands:
        raise Complaint("invalid command format")
    return operands[0]


def number(text: str) -> float:
    """Return a number of a command."""
    try:
        return float(text)
    except ValueError:
        raise Complaint("invalid command format") from None


def shown(value: float | bool) -> str:
    """Return a value as the firmware prints it, cut to its buffer."""
    if isinstance(value, float):
        return f"{value:f}"[:LETTERS]
    return str(int(value))[:LETTERS]


PANEL = ODrive
