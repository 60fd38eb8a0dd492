"""Thorlabs PM100D optical power meter with an S120VC head, SCPI on a virtual COM port.

From the PM100D manual. The lamp's light, through whatever lies in the slot, is read at
the wavelength that was set: a wrong wavelength gives wrong watts. Readings have the
stored zero taken off. A range that is too small clips to 9.9E37. Zeroing takes what
falls on the detector for darkness: nothing here shuts the beam.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sims.models.light_path import DARK, LightPath, response
from sims.scpi import ScpiError
from sims.scpi_panel import Reply, ScpiPanel, Takes
from sims.scpi_settings import keyword, numeric, switch

if TYPE_CHECKING:
    from sims.bench import Bench

SAMPLE = 0.003
"""Bench seconds of one sample of the detector."""
ZEROING = 1.0
SMALLEST, LARGEST = 50e-9, 50e-3
"""Watt; the ranges go by decades."""
OVER = 1.05
CLIPPED = "9.9E37"
COUNTS = 3000
REGISTERS = ("MEASurement", "AUXillary", "OPERation", "QUEStionable")
"""Spelled as the manual of the power meter spells them."""


class Pm100(ScpiPanel):
    """A power meter; settings ``slot`` and ``lamp`` (W)."""

    identity = "THORLABS,PM100D,P0001234,2.4.0"
    no_error = '+0,"No error"'
    plus = "+"
    aborts = False

    def __init__(self, name: str, bench: Bench, settings: Mapping[str, Any]) -> None:
        super().__init__(name, bench, settings)
        self.baud = float(settings.get("baud", 115200.0))
        self.model = LightPath(bench, name, settings)
        self._zeroing = False
        self._latest: float | None = None
        correction = "[:SENSe]:CORRection"
        power = "[:SENSe]:POWer[:DC]"
        zero = f"{correction}:COLLect:ZERO"
        self.keep(
            (
                numeric(
                    "wavelength",
                    f"{correction}:WAVelength",
                    635.0,
                    200.0,
                    1100.0,
                    ".8E",
                ),
                numeric(
                    "loss", f"{correction}[:LOSS[:INPut]]", 0.0, -60.0, 60.0, ".8E"
                ),
                numeric("beam", f"{correction}:BEAMdiameter", 9.5, 0.1, 100.0, ".8E"),
                keyword("unit", f"{power}:UNIT", "W", ["W", "DBM"]),
                switch("auto", f"{power}:RANGe:AUTO", default=True),
                numeric(
                    "range", f"{power}:RANGe[:UPPer]", LARGEST, SMALLEST, LARGEST, ".8E"
                ),
                numeric("average", "[:SENSe]:AVERage[:COUNt]", 1, 1, COUNTS, "d"),
                numeric(
                    "response",
                    f"{correction}:POWer[:PDIode][:RESPonse]",
                    response(635.0),
                    1e-3,
                    1.0,
                    ".8E",
                ),
                numeric("delta", f"{power}:REFerence", 0.0, -1.0, 1.0, ".8E"),
                switch("delta.on", f"{power}:REFerence:STATe", default=False),
                switch(
                    "filter", ":INPut[:PDIode]:FILTer[:LPASs][:STATe]", default=False
                ),
                numeric("brightness", ":DISPlay:BRIGhtness", 1.0, 0.0, 1.0, ".2f"),
                numeric("contrast", ":DISPlay:CONTrast", 0.5, 0.0, 1.0, ".2f"),
                switch("beeper", ":SYSTem:BEEPer:STATe", default=True),
                *(
                    numeric(
                        f"{register}.{part}",
                        f":STATus:{register}:{part}",
                        0,
                        0,
                        65535,
                        "d",
                    )
                    for register in REGISTERS
                    for part in ("ENABle", "NTRansition", "PTRansition")
                ),
                numeric("line", ":SYSTem:LFRequency", 50, 50, 60, "d"),
            )
        )
        self.add(
            {
                ":SYSTem:SENSor#:IDN?": lambda: (
                    '"S120VC","200101101","01-JAN-2024",1,18,33'
                ),
                ":MEASure[:SCALar][:POWer]?": self._measure,
                ":READ?": self._measure,
                ":FETCh?": self._fetch,
                ":INITiate[:IMMediate]": lambda: Takes(self._time(), self._take),
                ":CONFigure[:SCALar][:POWer]": lambda: None,
                ":CONFigure?": lambda: "POW",
                ":ABORt": self.abort,
                f"{zero}[:INITiate]": self._zero,
                f"{zero}:ABORt": self._abort_zero,
                f"{zero}:STATe?": lambda: str(int(self._zeroing)),
                f"{zero}:MAGNitude?": lambda: f"{self.model.zero:.8E}",
                ":SYSTem:BEEPer[:IMMediate]": lambda: None,
                ":CALibration:STRing?": lambda: '"01-JAN-2024"',
                **{
                    f":STATus:{register}{part}?": lambda: "0"
                    for register in REGISTERS
                    for part in ("[:EVENt]", ":CONDition")
                },
            }
        )

    def changed(self, key: str) -> None:
        if key == "wavelength":
            self.values["response"] = response(self.values["wavelength"])
        if key == "range":
            decade = math.ceil(
                math.log10(max(self.values["range"], SMALLEST) / SMALLEST)
            )
            self.values["range"] = min(SMALLEST * 10.0**decade, LARGEST)
            self.values["auto"] = False

    def _time(self) -> float:
        return SAMPLE * float(self.values["average"])

    def _watt(self) -> float:
        return self.model.watt(self.values["wavelength"], round(self.values["average"]))

    def _measure(self) -> Reply:
        return Takes(self._time(), self._finish)

    def _finish(self) -> str:
        self._take()
        return self._fetch()

    def lose_power(self) -> None:
        super().lose_power()
        self._zeroing, self._latest = False, None
        self.model.zero = DARK

    def _take(self) -> None:
        self.check_whole()
        self._latest = self._watt() - self.model.zero

    def _fetch(self) -> str:
        if self._latest is None:
            raise ScpiError(-230)
        reach = LARGEST if self.values["auto"] else self.values["range"]
        if self._latest > OVER * reach:
            return CLIPPED
        if self.values["unit"] == "W":
            return f"{self._latest:.8E}"
        return f"{10.0 * math.log10(max(self._latest, 1e-15) / 1e-3):.8E}"

    def _zero(self) -> None:
        """Take the mean of a second as the new zero."""
        self._zeroing = True

        def finish() -> None:
            if self._zeroing:
                self._zeroing = False
                self.model.zero = self._watt()
                self.note("zeroed", magnitude=self.model.zero)

        self.later(ZEROING, finish)

    def _abort_zero(self) -> None:
        self._zeroing = False


PANEL = Pm100
