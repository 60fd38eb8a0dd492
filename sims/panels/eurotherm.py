"""Eurotherm 3216 temperature controller, Modbus RTU; from its handbook HA028651.

Functions 3 and 4 read, 6 and 16 write; exceptions 1 to 3; unit 0 is everybody and not
answered. A parameter n is a signed number with one decimal at n, and a float in two
registers at 8000h + 2 n. All parameters but the remote set point are EEPROM, and each
write of them is counted and noted: 100 000 are allowed.

Unverified, chosen here: parameters that the handbook lists and this table has not do not
exist (exception 2); a value outside its range is refused (exception 3), not clipped; a
float that reaches beyond one parameter is refused; in standby the outputs are off and the
status says nothing of it; without power the remote set point becomes 0.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sims import modbus
from sims.models.bath import Bath
from sims.panel import Message, Panel

if TYPE_CHECKING:
    from sims.bench import Bench, Timer

SPREAD = 0.3
"""Standard deviation of a sensor's offset, in K. [A]"""
HEATING, COOLING, LEAK = 5.0 / 60.0, 3.0 / 60.0, 2400.0
"""An oven of some litres: K/s at full power, and the time of its leak, s. [A]"""
SCALE = 10
FLOATS = 0x8000
BROADCAST = 0
CHARACTERS = 3.5
THINKING = 0.005
"""Bench seconds from the end of a question to the answer. [A]"""
BREATH = 0.05
"""Real seconds of silence that a computer may take within a frame."""
MOST = 125
"""Registers in one frame."""
PV, TARGET, MANUAL, OUTPUT, WORKING, ACTIVE = 1, 2, 3, 4, 5, 15
SP1, SP2, REMOTE, RATE, ERROR = 24, 25, 26, 35, 39
STATUS, INVERTED, FIRMWARE, STANDBY, LOOP, FOLLOWS, UNITS = (
    75,
    76,
    107,
    199,
    273,
    276,
    531,
)
SENSOR_BREAK = 1 << 5
IN_MANUAL = 1 << 4
UNIT_SECONDS = {0: 60.0, 1: 3600.0, 2: 1.0}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: the number it starts with, its range, and its decimals."""

    value: float
    low: float = -200.0
    high: float = 600.0
    scale: int = SCALE
    fixed: bool = False


WHOLE: Mapping[str, Any] = {"scale": 1, "low": 0.0}
TABLE: Mapping[int, Parameter] = {
    PV: Parameter(0.0, fixed=True),
    TARGET: Parameter(20.0),
    MANUAL: Parameter(0.0, -100.0, 100.0),
    OUTPUT: Parameter(0.0, fixed=True),
    WORKING: Parameter(0.0, fixed=True),
    6: Parameter(20.0, 0.0, 999.9),
    7: Parameter(0.0, high=1.0, **WHOLE),
    8: Parameter(360.0, high=9999.0, **WHOLE),
    9: Parameter(60.0, high=9999.0, **WHOLE),
    11: Parameter(0.0, fixed=True),
    12: Parameter(600.0, fixed=True),
    **{number: Parameter(0.0) for number in (13, 14, 81, 82)},
    ACTIVE: Parameter(0.0, high=1.0, **WHOLE),
    23: Parameter(0.0, high=3.0, **WHOLE),
    SP1: Parameter(20.0),
    SP2: Parameter(20.0),
    REMOTE: Parameter(0.0),
    RATE: Parameter(0.0, 0.0, 3000.0),
    ERROR: Parameter(0.0, fixed=True),
    STATUS: Parameter(0.0, high=65535.0, fixed=True, **WHOLE),
    INVERTED: Parameter(65535.0, high=65535.0, fixed=True, **WHOLE),
    FIRMWARE: Parameter(float(0x132), high=65535.0, fixed=True, **WHOLE),
    131: Parameter(1.0, 1.0, 254.0, 1),
    STANDBY: Parameter(0.0, high=2.0, **WHOLE),
    LOOP: Parameter(0.0, high=2.0, **WHOLE),
    FOLLOWS: Parameter(0.0, high=1.0, **WHOLE),
    525: Parameter(1.0, high=2.0, fixed=True, **WHOLE),
    UNITS: Parameter(0.0, high=2.0, **WHOLE),
}


class Refusal(Exception):
    """A request that is answered by an exception."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Eurotherm(Panel):
    """A controller of an oven, or of a smaller thing.

    Settings: ``slot`` that it heats, ``unit``, ``room``, ``cooler``; rates ``heating``
    and ``cooling`` in K/min, ``approach`` and ``lag`` in s (see `Bath`).
    """

    kinds = Panel.kinds | {"wrong_checksum"}

    def __init__(self, name: str, bench: Bench, settings: Mapping[str, Any]) -> None:
        super().__init__(name, bench, settings)
        self.baud = float(settings.get("baud", 9600.0))
        room = float(settings.get("room", 23.0))
        offset = settings.get("offset", bench.rng(name).normal(0.0, SPREAD))
        heating = float(settings.get("heating", HEATING * 60.0)) / 60.0
        cooling = float(settings.get("cooling", COOLING * 60.0)) / 60.0
        self.model = Bath(
            heating,
            cooling if settings.get("cooler") else 0.0,
            LEAK,
            approach=float(settings.get("approach", 60.0)),
            lag=float(settings.get("lag", 20.0)),
            room=room,
            truth=room,
            offset=float(offset),
        )
        self.model.at = bench.now
        self.values = {number: one.value for number, one in TABLE.items()}
        self.values[131] = float(settings.get("unit", 1))
        self.eeprom_writes = 0
        self.broken = False
        self._take_up()
        self._bytes = b""
        self._silence: Timer | None = None
        if "slot" in settings:
            bench.world.heat_source(settings["slot"], self.temperature)

    def temperature(self) -> float:
        """Return the true temperature of the oven, degC."""
        self.advance()
        return self.model.truth

    # -- frames --------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        if self._silence is not None:
            self._silence.cancel()
        messages, self._bytes = modbus.cut(self._bytes + data)
        for message in messages:
            if message.text:
                self._obey(message.data)
        if self._bytes:
            characters = CHARACTERS * 10.0 / self.baud
            silence = max(characters, BREATH * self.bench.speed)
            self._silence = self.later(silence, self._forget)

    def _forget(self) -> None:
        self._bytes = b""

    def _obey(self, frame: bytes) -> None:
        unit, function, data = frame[0], frame[1], frame[2:-2]
        if unit not in (BROADCAST, int(self.values[131])):
            return
        self.advance()
        try:
            body = self._answer(function, data)
        except Refusal as refusal:
            body = bytes((function | 0x80, refusal.code))
        if unit != BROADCAST:
            self.say(modbus.framed(bytes((unit,)) + body), self._pause)

    @property
    def _pause(self) -> float:
        return CHARACTERS * 10.0 / self.baud + THINKING

    def _answer(self, function: int, data: bytes) -> bytes:
        if function in modbus.READS:
            first, count = struct.unpack(">2H", data)
            if not 1 <= count <= MOST:
                raise Refusal(3)
            registers = self._read(first, count)
            return bytes((function, 2 * count)) + struct.pack(f">{count}H", *registers)
        if function == modbus.WRITE:
            first, value = struct.unpack(">2H", data)
            self._write(first, [value])
            return bytes((function,)) + data
        if function == modbus.WRITES:
            first, count, size = struct.unpack(">2HB", data[:5])
            if not 1 <= count <= MOST or size != 2 * count or len(data) != 5 + size:
                raise Refusal(3)
            self._write(first, list(struct.unpack(f">{count}H", data[5:])))
            return bytes((function,)) + data[:4]
        raise Refusal(1)

    # -- parameters ----------------------------------------------------------------

    def _read(self, first: int, count: int) -> list[int]:
        if first < FLOATS:
            return [self._word(number) for number in range(first, first + count)]
        words: list[int] = []
        for number in self._floats(first, count):
            words += struct.unpack(">2H", struct.pack(">f", self._value(number)))
        return words

    def _write(self, first: int, words: list[int]) -> None:
        """Write all of them or, where one is refused, none."""
        if first < FLOATS:
            numbers = range(first, first + len(words))
            wanted = {
                number: (word - 0x10000 if word & 0x8000 else word)
                / self._of(number).scale
                for number, word in zip(numbers, words, strict=True)
            }
        else:
            pairs = zip(words[::2], words[1::2], strict=False)
            wanted = {
                number: float(struct.unpack(">f", struct.pack(">2H", *pair))[0])
                for number, pair in zip(
                    self._floats(first, len(words)), pairs, strict=True
                )
            }
        for number, value in wanted.items():
            one = self._of(number)
            if one.fixed:
                raise Refusal(2)
            if not one.low <= value <= one.high:
                raise Refusal(3)
        for number, value in wanted.items():
            self._set(number, value)

    def _floats(self, first: int, count: int) -> list[int]:
        if (first - FLOATS) % 2 or count % 2:
            raise Refusal(2)
        number = (first - FLOATS) // 2
        return list(range(number, number + count // 2))

    def _of(self, number: int) -> Parameter:
        if number not in TABLE:
            raise Refusal(2)
        return TABLE[number]

    def _word(self, number: int) -> int:
        return round(self._value(number) * self._of(number).scale) & 0xFFFF

    def _value(self, number: int) -> float:
        one = self._of(number)
        status = (SENSOR_BREAK if self.broken else 0) | (
            IN_MANUAL if self.values[LOOP] == 1.0 else 0
        )
        live = {
            PV: one.high if self.broken else self.model.shown,
            TARGET: self.values[self._local],
            OUTPUT: 100.0 * self.model.power,
            WORKING: self._working,
            ERROR: self.model.shown - self._working,
            STATUS: float(status),
            INVERTED: float(status ^ 0xFFFF),
        }
        return live.get(number, self.values[number])

    @property
    def _local(self) -> int:
        return SP2 if self.values[ACTIVE] else SP1

    def _set(self, number: int, value: float) -> None:
        if number == TARGET:
            number = self._local
        self.values[number] = value
        if number != REMOTE:
            self.eeprom_writes += 1
            self.note("eeprom", register=number, value=value, writes=self.eeprom_writes)
        self._control()

    # -- the loop ------------------------------------------------------------------

    def advance(self) -> None:
        """Let working set point and oven live until now."""
        while self.model.at < self.now:
            step = min(1.0, self.now - self.model.at)
            self._move(step)
            self.model.target = self._working
            self.model.advance(self.model.at + step)

    def _goal(self) -> float:
        return self.values[REMOTE if self.values[FOLLOWS] else self._local]

    def _move(self, seconds: float) -> None:
        """Let the working set point follow, no faster than its limit."""
        goal, rate = self._goal(), self.values[RATE]
        way = goal - self._working
        if rate and self.model.running:
            most = rate * seconds / UNIT_SECONDS[int(self.values[UNITS])]
            way = max(-most, min(most, way))
        self._working += way

    @property
    def _on(self) -> bool:
        operating = self.values[STANDBY] == 0.0 and self.values[LOOP] == 0.0
        return operating and not self.broken

    def _take_up(self) -> None:
        """Control, or not, as it stands in the parameters after switching on."""
        self.model.running = self._on
        self._working = self.model.target = self._told = self._goal()

    def _control(self) -> None:
        """Take up what was set: whether it controls, and towards what."""
        on, before, self._told = self._on, self._told, self._goal()
        was, self.model.running = self.model.running, on
        if on and not was:
            self._working = self.model.shown  # it begins where the oven is
        self._move(0.0)
        self.model.target = self._working
        if on and (not was or self._told != before):
            self.note("heater on", set_temperature=self._told)
        if was and not on:
            self.note("heater off", shown=round(self.model.shown, 1))

    # -- faults --------------------------------------------------------------------

    def cut(self, data: bytes) -> tuple[list[Message], bytes]:
        return modbus.cut(data)

    def with_wrong_checksum(self, data: bytes) -> bytes | None:
        return data[:-2] + bytes(255 - byte for byte in data[-2:])

    def hang(self, data: bytes) -> None:
        """Heat no more, whatever it is told: the element is dead until power is cut."""
        self.advance()
        self.model.dead = True
        self.receive(data)

    def refuse(self, data: bytes) -> None:
        """Answer that the value is illegal, and do nothing."""
        if data[0] == int(self.values[131]):
            body = bytes((data[0], data[1] | 0x80, 3))
            self.say(modbus.framed(body), self._pause)

    def break_down(self, data: bytes) -> None:
        """Have the wire of the sensor break."""
        self.advance()
        self.broken = True
        self._control()
        self.note("broken", sensor=True)
        self.receive(data)

    def lose_power(self) -> None:
        self.advance()
        self._bytes = b""
        if self.model.running:
            self.note("heater off", shown=round(self.model.shown, 1))
        self.model.running = False
        self.values[REMOTE] = TABLE[REMOTE].value
        self.note("power lost")

    def get_power(self) -> None:
        self.advance()
        self.broken = self.model.dead = False
        self._take_up()
        if self.model.running:
            self.note("heater on", set_temperature=self._told)

    def matter(self) -> Any:
        self.advance()
        kept = {n: v for n, v in self.values.items() if n != REMOTE}
        return self.model.truth, kept, self.eeprom_writes

    def place_matter(self, matter: Any) -> None:
        self.model.at = self.now
        self.model.truth, kept, self.eeprom_writes = matter
        self.values.update(kept)
        self._take_up()


PANEL = Eurotherm
