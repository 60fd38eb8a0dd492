r"""Temperature controller: Eurotherm 3216 of the 3200 series, Modbus RTU.

Serial settings: 9600 baud, 8 data bits, no parity, 1 stop bit; RS-232, or RS-485 on two
wires. Frames: see `modbus`. It speaks only when asked. Temperatures are signed 16-bit
numbers with the decimals that the controller is configured for; the same parameter n is a
big-endian IEEE float, two registers, at 0x8000 + 2 n.

====  ===========================================================================
1     process value, degC
2     target set point, degC: EEPROM, 100 000 writes; never written here
4     working output, %
5     working set point, degC: follows the target at the limit of register 35
11    range low; 12 range high, degC
26    remote set point, degC: RAM, the only one that is written for a temperature
35    limit of the set point's rate, K/min; 0 off
75    status: bit 4 manual, 5 sensor break, 6 loop break, 10 over-range, 14 remote lost
107   firmware, hexadecimal
199   0 operating, 1 standby: outputs off
273   0 automatic, 1 manual, 2 off
276   1 follows the remote set point
====  ===========================================================================

All registers but 26 are taken for EEPROM: each is read first, written only if it differs,
and read again. A write whose answer is lost is looked for, not repeated; the exceptions 1
to 3 are refusals. Questions are asked again when their checksum is wrong.

Safe is standby (199 = 1): told three times without waiting for an answer, since a frame
that follows another at once is lost with it. `prepare` goes there as well and sees that it
is so. There is no watchdog: a controller whose computer has died goes on controlling at
its last set point, so that an oven needs a cut-out of its own.

A remote set point that has vanished from RAM is a controller that was switched off; it
may then follow the set point of its EEPROM, so that losing it is trouble at once.

`connect` compares the range as number and as float: a controller with other decimals than
the lab file says is refused, for it would take 60.0 degC for 600.

Unverified on hardware: 199 and 273 and their values; that 276 and 199 are EEPROM; that
exceptions beyond 3 exist; 20 ms between transactions; the limit of the rate is taken in
K/min, which register 531 may say otherwise.
"""

from __future__ import annotations

import struct
import threading
import time
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from ophyd import Component

from instruments.clock import Clock
from instruments.errors import (
    DeviceError,
    Fault,
    Restarted,
    WrongModel,
)
from instruments.framing import within
from instruments.link import Identity, Link
from instruments.modbus import ModbusClient, signed
from instruments.signals import ReadBack
from instruments.thermostat import Thermostat

PROCESS_VALUE, RANGE_LOW, RANGE_HIGH, REMOTE, RATE = 1, 11, 12, 26, 35
STATUS, FIRMWARE, MODE, LOOP, FOLLOWS = 75, 107, 199, 273, 276
OPERATING, STANDBY = 0, 1
AUTOMATIC = 0
FLOATS = 0x8000
TROUBLE = {
    4: "in manual",
    5: "sensor break",
    6: "loop break",
    10: "process value over range",
    14: "remote set point lost",
}
ANSWERING = 0.5
"""Real seconds for an answer; fifteen characters take 16 ms."""
STOPS = 3
STOP_GAP = 0.03
"""Real seconds between two stops; a frame that they may follow is over by then."""


@dataclass(frozen=True, slots=True)
class EurothermSettings:
    """What the lab file says of a temperature controller.

    Attributes
    ----------
    max_temperature, min_temperature:
        Nothing hotter, or colder, is set.
    rate:
        How fast the set point moves, at most; 0 for at once.
    tolerance, settling_time:
        It has reached a temperature when it is so near to it for so long.
    decimals:
        Of its numbers, as it is configured.
    unit:
        Its Modbus address, 1 to 254.
    cooler:
        Whether what it controls can cool, so that it must come to a set point below the
        room.
    """

    max_temperature: Annotated[float, "degC"]
    min_temperature: Annotated[float, "degC"] = 0.0
    rate: Annotated[float, "kelvin/min"] = 0.0
    tolerance: Annotated[float, "kelvin"] = 0.5
    settling_time: Annotated[float, "s"] = 120.0
    decimals: int = 1
    unit: int = 1
    cooler: bool = False
    baudrate: int = 9600

    def __post_init__(self) -> None:
        if not 1 <= self.unit <= 254:
            raise ValueError(f"unit {self.unit} is outside 1 to 254")
        if self.decimals not in (0, 1, 2):
            raise ValueError(f"decimals {self.decimals} is not one of 0, 1, 2")
        finest = 10.0**-self.decimals
        if self.rate and not finest <= self.rate <= 100.0:
            raise ValueError(
                f"rate {self.rate:g} K/min is neither 0 nor from {finest:g} to 100 K/min"
            )


@dataclass(frozen=True, slots=True)
class LoopState:
    """Registers 1 to 5: process value, target, working set point (degC), output (%)."""

    process_value: float
    target: float
    output: float
    working: float


class EurothermClient:
    """Words on the wire; no threads."""

    def __init__(self, link: Link, unit: int = 1, decimals: int = 1) -> None:
        self.link = link
        self.modbus = ModbusClient(link, unit)
        self.scale = 10.0**decimals

    def firmware(self) -> str:
        """Return the version, such as 132 for 1.32."""
        (version,) = self.modbus.read(FIRMWARE)
        return f"{version:x}"

    def loop(self) -> LoopState:
        """Return what the loop does, of one moment."""
        value, target, _, output, working = self._numbers(PROCESS_VALUE, 5)
        return LoopState(value, target, output, working)

    def range(self) -> tuple[float, float]:
        """Return the lowest and the highest set point, degC."""
        low, high = self._numbers(RANGE_LOW, 2)
        return low, high

    def as_float(self, register: int) -> float:
        """Return a parameter as the float that it is, free of decimals."""
        words = self.modbus.read(FLOATS + 2 * register, 2)
        (value,) = struct.unpack(">f", struct.pack(">2H", *words))
        return float(value)

    def remote(self) -> float:
        """Return the remote set point, degC."""
        return self._numbers(REMOTE)[0]

    def choose_remote(self, temperature: float) -> None:
        """Set the remote set point, degC."""
        self.have(REMOTE, round(temperature * self.scale))

    def limit_rate(self, rate: float) -> None:
        """Limit the rate of the set point, K/min; 0 for none."""
        self.have(RATE, round(rate * self.scale))

    def trouble(self) -> str:
        """Return what the status says is wrong, or nothing."""
        (status,) = self.modbus.read(STATUS)
        return ", ".join(text for bit, text in TROUBLE.items() if status >> bit & 1)

    def is_at(self, register: int, value: int) -> bool:
        """Whether a register has a value; asked twice, since one answer may be late."""
        return any(self.modbus.read(register) == [value & 0xFFFF] for _ in range(2))

    def have(self, register: int, value: int) -> None:
        """See that a register has a value; written only if it has another."""
        if self.modbus.read(register) == [value & 0xFFFF]:
            return
        self.modbus.write(register, value)
        if not self.is_at(register, value):
            raise Fault(
                f"{self.link.place}: register {register} was set to {value}, but is "
                f"{signed(self.modbus.read(register)[0])}"
            )

    def stop(self) -> None:
        """Switch the outputs off, whatever another thread asks; not confirmed."""
        for number in range(STOPS):
            time.sleep(STOP_GAP if number else 0.0)
            self.modbus.urge(MODE, STANDBY)

    def _numbers(self, register: int, count: int = 1) -> list[float]:
        registers = self.modbus.read(register, count)
        return [signed(one) / self.scale for one in registers]


class TemperatureController(Thermostat):
    """An oven or chamber behind a controller, brought to a temperature and kept there."""

    Settings: ClassVar[type] = EurothermSettings
    settings: EurothermSettings
    window: ClassVar[float] = 2.0
    heating: ClassVar[float] = 60.0
    cooling: ClassVar[float] = 180.0

    output = Component(ReadBack, units="percent", precision=1)
    working_set_point = Component(ReadBack, units="degC", precision=1)

    _range = (-200.0, 2000.0)

    def __init__(
        self, name: str, *, port: str, settings: EurothermSettings, clock: Clock
    ) -> None:
        super().__init__(name, port=port, settings=settings, clock=clock)
        self.client = EurothermClient(self.link, settings.unit, settings.decimals)
        self.settled = settings.tolerance
        self.settling_time = settings.settling_time
        self.cools = settings.cooler
        if settings.rate:
            self.warming_time = max(self.warming_time, 240.0 / settings.rate)

    def make_link(self, port: str) -> Link:
        return Link(
            port, baudrate=self.settings.baudrate, timeout=ANSWERING, name=self.name
        )

    def identify(self) -> Identity:
        try:
            firmware = self.client.firmware()
            self._range = self.client.range()
            high = self.client.as_float(RANGE_HIGH)
        except DeviceError as error:
            raise WrongModel(f"{error}; a Eurotherm 3216 has it") from error
        if abs(high - self._range[1]) > 1.0:
            raise WrongModel(
                f"{self.where}: its range ends at {high:g} degC, but at "
                f"{self._range[1]:g} degC with {self.settings.decimals} decimals, as "
                "the lab file says"
            )
        return Identity("Eurotherm", "3216", firmware=firmware)

    def set_up(self, cancelled: threading.Event) -> None:
        """Switch the outputs off and see that they are; set the limit of the rate."""
        self.client.have(MODE, STANDBY)
        self.client.limit_rate(self.settings.rate)
        if trouble := self.client.trouble():
            raise Fault(f"{self.where}: {trouble}")
        self.refresh()

    def look(self) -> dict[str, Any]:
        """Return what it shows, and whether its outputs are off."""
        state = self.client.loop()
        return {
            "temperature_degC": state.process_value,
            "set_point_degC": self.client.remote(),
            "output_percent": state.output,
            "standby": self.client.is_at(MODE, STANDBY),
        }

    def refresh(self) -> None:
        self._keep(self.client.loop())
        self.set_point.keep(self.client.remote())

    def _keep(self, state: LoopState) -> None:
        self.temperature.keep(state.process_value)
        self.output.keep(state.output)
        self.working_set_point.keep(state.working)

    def time_for(self, way: float) -> float:
        rate = self.settings.rate
        return super().time_for(way) + (60.0 * abs(way) / rate if rate else 0.0)

    def check(self, temperature: float) -> None:
        low = max(self.settings.min_temperature, self._range[0])
        high = min(self.settings.max_temperature, self._range[1])
        within(temperature, low, high, f"{self.name}: temperature", "degC")

    def told(self) -> float:
        return self.client.remote()

    def choose(self, temperature: float) -> None:
        """Set the remote set point, and have it followed; not yet with the outputs on."""
        self.client.choose_remote(temperature)
        self.set_point.keep(self.client.remote())
        self.client.have(FOLLOWS, 1)

    def drive(self) -> None:
        self.client.have(LOOP, AUTOMATIC)
        self.client.have(MODE, OPERATING)

    def show(self, wanted: float) -> float:
        """Return the process value; it must still follow what is wanted, in operation."""
        state = self.client.loop()
        self._keep(state)
        if trouble := self.client.trouble():
            raise Fault(f"{self.where}: {trouble}")
        counts = round(wanted * self.client.scale)
        for register, value, what in (
            (REMOTE, counts, f"its remote set point is not {wanted:g} degC any more"),
            (FOLLOWS, 1, "it does not follow its remote set point any more"),
            (MODE, OPERATING, "its outputs are off"),
        ):
            if not self.client.is_at(register, value):
                raise Restarted(
                    f"{self.where}: {what}: it was switched off, or somebody set it"
                )
        self.set_point.keep(wanted)
        return state.process_value

    def make_safe(self) -> None:
        """Switch the outputs off; `prepare` sees that it was heard."""
        self.client.stop()


DRIVER = TemperatureController
