"""Keithley 2400 source-meter, SCPI on RS-232.

From the user's manual 2400S-900-01 (chapters 14, 17, 18, appendix B). Built as written
there: :READ? with the output off is refused with +803; :MEAS? and :CONF put the
controls of their function back to *RST values, set the counts to 1 and switch the
output on; elements come in one order; ^C and ^X take back what is pending.

Unverified, chosen here: :CONF leaves the compliance as it is; a lowered source range
below the level is -221; auto ohms measures with the source as programmed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from sims.keithley2400_answer import REDUCTIONS, elements
from sims.keithley2400_table import (
    ELEMENTS,
    EXTRA_ERRORS,
    FUNCTIONS,
    SETTINGS,
)
from sims.models.source_meter import (
    CURRENT_RANGES,
    OVER,
    POWER_LINE,
    VOLTAGE_RANGES,
    Drive,
    Reading,
    SourceMeter,
    fitting,
)
from sims.scpi import ScpiError, boolean, choice
from sims.scpi_panel import Reply, ScpiPanel, Takes
from sims.scpi_settings import Value

if TYPE_CHECKING:
    from sims.bench import Bench

OVERHEAD = 0.003
"""Bench seconds of a reading beside its integration. [A]"""
RELAY = 0.010
"""Bench seconds of the output relay."""
BUFFER_FULL = 512
LONGEST_RUN = 2500


class Keithley2400(ScpiPanel):
    """A source-meter on the bench; settings ``matrix``, ``slot``, ``load``, or ``cell``."""

    identity = (
        "KEITHLEY INSTRUMENTS INC.,MODEL 2400,1234567,"
        "C30   Mar 17 2006 09:29:29/A02  /K/J"
    )
    plus = "+"
    extra_errors = EXTRA_ERRORS
    fault_code = 802

    def __init__(self, name: str, bench: Bench, settings: Mapping[str, Any]) -> None:
        super().__init__(name, bench, settings)
        self.model = SourceMeter(bench, name, settings)
        self.output = False
        self._functions = {"CURR"}
        self._elements = set(ELEMENTS)
        self._readings: list[Reading] = []
        self._buffer: list[Reading] = []
        self._feeding = False
        self._run_token: object | None = None
        self._measurement_event = 0
        self._started = self.now
        self.keep(SETTINGS)
        self.add(self._commands())

    def _commands(self) -> Mapping[str, Callable[..., Reply]]:
        sense = "[:SENSe#]:FUNCtion"
        return {
            "*TRG": lambda: None,
            ":ABORt": self.abort,
            ":INITiate[:IMMediate]": self._initiate,
            ":TRIGger#:CLEar": lambda: None,
            ":SYSTem:PRESet": self.reset,
            ":SYSTem:LOCal": lambda: None,
            ":SYSTem:REMote": lambda: None,
            ":SYSTem:TIME:RESet": self._reset_time,
            ":SYSTem:BEEPer[:IMMediate]": lambda *_: None,
            ":OUTPut#[:STATe]": lambda text: self._switch(on=boolean(text)),
            ":OUTPut#[:STATe]?": lambda: str(int(self.output)),
            ":SOURce#:CLEar[:IMMediate]": lambda: self._switch(on=False),
            f"{sense}[:ON]": self._enable,
            f"{sense}[:ON]?": lambda: ",".join(
                f'"{name}"' for key, name in FUNCTIONS.items() if key in self._functions
            ),
            f"{sense}[:ON]:ALL": lambda: self._enable(*FUNCTIONS),
            f"{sense}:OFF": lambda *names: self._functions.difference_update(
                map(function, names)
            ),
            f"{sense}:OFF:ALL": self._functions.clear,
            ":FORMat:ELEMents[:SENSe#]": self._choose_elements,
            ":FORMat:ELEMents[:SENSe#]?": lambda: ",".join(
                e for e in ELEMENTS if e in self._elements
            ),
            ":READ?": self._read,
            ":FETCh?": lambda: self._show(self._readings),
            "[:SENSe#]:DATA[:LATest]?": lambda: self._show(self._readings[-1:]),
            ":MEASure?": lambda: self._measure("CURR"),
            ":CONFigure?": lambda: '"{}"'.format(",".join(sorted(self._functions))),
            **{
                f":MEASure:{header}?": partial(self._measure, key)
                for key, header in CONFIGURED.items()
            },
            **{
                f":CONFigure:{header}": partial(self._configure, key)
                for key, header in CONFIGURED.items()
            },
            ":TRACe:CLEar": self._buffer_clear,
            ":TRACe:FEED:CONTrol": self._feed,
            ":TRACe:FEED:CONTrol?": lambda: "NEXT" if self._feeding else "NEV",
            ":TRACe:POINts:ACTual?": lambda: str(len(self._buffer)),
            ":TRACe:DATA?": lambda: self._show(self._buffer),
            ":CALCulate3:DATA?": self._statistics,
            ":STATus:MEASurement[:EVENt]?": self._measurement_events,
            ":STATus:MEASurement:CONDition?": lambda: str(self._measurement_event),
        }

    # -- settings ------------------------------------------------------------------

    def check(self, key: str, value: Value) -> None:
        values = self.values | {key: value}
        if key in {"source.CURR", "source.VOLT"}:
            if "RES" in self._functions and values["res.mode"] == "AUTO":
                raise ScpiError(825)
            kind = key[-4:]
            if not values[f"source.{kind}.auto"] and abs(float(value)) > OVER * float(
                values[f"source.{kind}.range"]
            ):
                raise ScpiError(-222)
        if key in {"source.CURR.range", "source.VOLT.range"}:
            kind = key[7:11]
            held = fitting(float(value), RANGES[kind])
            if abs(values[f"source.{kind}"]) > OVER * held:
                raise ScpiError(-221)
        if abs(values["source.CURR"]) > 0.105 and abs(values["prot.VOLT"]) > 21.0:
            raise ScpiError(826)
        if abs(values["source.VOLT"]) > 21.0 and abs(values["prot.CURR"]) > 0.105:
            raise ScpiError(826)
        if values["arm.count"] * values["trigger.count"] > LONGEST_RUN:
            raise ScpiError(-222)
        if key == "buffer.points" and self._feeding:
            raise ScpiError(800)

    def changed(self, key: str) -> None:
        kind = key[7:11]
        if key in {"source.CURR.range", "source.VOLT.range"}:
            self.values[f"source.{kind}.auto"] = False
            self.values[key] = fitting(self.values[key], RANGES[kind])
        if key in {"sense.CURR.range", "sense.VOLT.range"}:
            kind = key[6:10]
            self.values[f"sense.{kind}.auto"] = False
            self.values[key] = fitting(self.values[key], RANGES[kind])
        if key == "source.function":
            self._switch(on=False)
        if key == "autozero":
            self.model.zero()
        if self.output and key in {"source.CURR", "source.VOLT"}:
            self.model.applied_at = self.now
            self.note("source", level=self.values[key], unit=UNITS[key[7:]])

    def reset(self) -> Reply:
        super().reset()
        self.abort()
        self._functions = {"CURR"}
        self._elements = set(ELEMENTS)
        self._readings = []
        self._feeding = False
        return self._switch(on=False)

    def abort(self) -> None:
        self._run_token = None

    def break_down(self, data: bytes) -> None:
        """Have the interlock open: the output goes off and stays off."""
        super().break_down(data)
        self._switch(on=False)

    def lose_power(self) -> None:
        super().lose_power()
        self._buffer, self._measurement_event = [], 0
        self._reset_time()

    def _reset_time(self) -> None:
        self._started = self.now

    def _enable(self, *names: str) -> None:
        if not names:
            raise ScpiError(-109)
        chosen = {function(name) for name in names}
        if self.values["concurrent"]:
            self._functions |= chosen
        else:
            self._functions = chosen

    def _choose_elements(self, *names: str) -> None:
        if not names:
            raise ScpiError(-109)
        self._elements = {choice(name, ELEMENT_WORDS) for name in names}

    def _switch(self, *, on: bool) -> Reply:
        if on == self.output:
            return None
        if on:
            self.check_whole()
        self.output = on
        self.model.applied_at = self.now
        kind = self.values["source.function"]
        if on:
            level = self.values[f"source.{kind}"]
            self.note("output on", function=kind, level=level, unit=UNITS[kind])
        else:
            self.abort()
            self.note("output off")
        return Takes(RELAY, lambda: None)

    # -- readings ------------------------------------------------------------------

    def _drive(self) -> Drive:
        current = self.values["source.function"] == "CURR"
        source, sensed = ("CURR", "VOLT") if current else ("VOLT", "CURR")
        fixed = not self.values[f"sense.{sensed}.auto"]
        reach = OVER * self.values[f"sense.{sensed}.range"] if fixed else math.inf
        return Drive(
            current=current,
            level=self.values[f"source.{source}"],
            limit=abs(self.values[f"prot.{sensed}"]),
            range_limit=reach,
            remote=self.values["remote"],
        )

    def _integration(self) -> float:
        """Return the bench seconds that one reading listens."""
        repeats = self.values["filter.count"] if self.values["filter"] else 1
        return float(self.values["nplc"]) * POWER_LINE * repeats

    def _duration(self) -> float:
        """Return the bench seconds that one reading takes."""
        phases = 3.0 if self.values["autozero"] else 1.0
        delay = 0.001 if self.values["delay.auto"] else self.values["delay"]
        delay += self.values["trigger.delay"]
        return float(phases * self._integration() + OVERHEAD + delay)

    def _count(self) -> int:
        return int(self.values["arm.count"] * self.values["trigger.count"])

    def _take(self) -> Reading:
        return self.model.measure(
            self._drive(), self._integration(), autozero=self.values["autozero"]
        )

    def _read(self) -> Reply:
        automatic = self.values["clear.auto"]
        if not self.output and not automatic:
            raise ScpiError(803)
        if automatic:
            self._switch(on=True)
        if self._feeding:
            raise ScpiError(800)

        def finish() -> str:
            self._readings = [self._take() for _ in range(self._count())]
            if automatic:
                self._switch(on=False)
            return self._show(self._readings)

        return Takes(self._duration() * self._count(), finish)

    def _configure(self, key: str) -> Reply:
        self._functions = {key}
        self.values |= {"nplc": 1.0, "arm.count": 1.0, "trigger.count": 1.0}
        self.values["delay.auto"] = True
        if key == "RES":
            self.values["res.mode"] = "AUTO"
        else:
            self.values[f"sense.{key}.auto"] = True
        return self._switch(on=True)

    def _measure(self, key: str) -> Reply:
        self._configure(key)
        return self._read()

    def _initiate(self) -> None:
        """Take readings into the buffer while other commands are answered."""
        if not self.output and not self.values["clear.auto"]:
            raise ScpiError(803)
        token = self._run_token = object()
        left = self._count()
        self._readings = []

        def one() -> None:
            nonlocal left
            if self._run_token is not token:
                return
            reading = self._take()
            self._readings.append(reading)
            if self._feeding:
                self._buffer.append(reading)
                if len(self._buffer) >= self.values["buffer.points"]:
                    self._feeding = False
                    self._measurement_event |= BUFFER_FULL
            left -= 1
            if left > 0:
                self.later(self._duration(), one)

        self.later(self._duration(), one)

    def _buffer_clear(self) -> None:
        self._buffer = []
        self._measurement_event = 0

    def _feed(self, text: str) -> None:
        self._feeding = choice(text, ["NEXT", "NEVer"]) == "NEXT"
        if self._feeding:
            self._buffer = []

    def _measurement_events(self) -> str:
        events, self._measurement_event = self._measurement_event, 0
        return str(events)

    def status_byte(self) -> int:
        enabled = int(self.values["measurement.enable"]) & self._measurement_event
        byte = super().status_byte() & ~64 | bool(enabled)
        return byte | 64 * bool(byte & self._masks["*SRE"])

    def _show(self, readings: list[Reading]) -> str:
        if not readings:
            raise ScpiError(-230)
        return ",".join(
            field for reading in readings for field in self._fields(reading)
        )

    def _fields(self, reading: Reading) -> list[str]:
        numbers = self._numbers(reading)
        return [f"{numbers[e]:+.6E}" for e in ELEMENTS if e in self._elements]

    def _numbers(self, reading: Reading) -> dict[str, float]:
        moment = reading.time - self._started
        return elements(reading, moment, self._functions, self.values)

    def _statistics(self) -> str:
        if len(self._buffer) < 2:
            raise ScpiError(-230)
        shown = [e for e in ("VOLT", "CURR", "RES") if e in self._elements]
        rows = [self._numbers(reading) for reading in self._buffer]
        reduce = REDUCTIONS[self.values["statistic"]]
        return ",".join(f"{reduce([row[e] for row in rows]):+.6E}" for e in shown)


RANGES = {"CURR": CURRENT_RANGES, "VOLT": VOLTAGE_RANGES}
UNITS = {"CURR": "A", "VOLT": "V"}
CONFIGURED = {
    "VOLT": "VOLTage[:DC]",
    "CURR": "CURRent[:DC]",
    "RES": "RESistance",
}
ELEMENT_WORDS = ["VOLTage", "CURRent", "RESistance", "TIME", "STATus"]


def function(name: str) -> str:
    """Read the name of a measurement function."""
    return choice(name, ["VOLTage[:DC]", "CURRent[:DC]", "RESistance"])


PANEL = Keithley2400
