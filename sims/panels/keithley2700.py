"""Keithley 2700 with a 7709 matrix card, SCPI on RS-232.

From the 2700/2750 manuals and the 7709 manual. Built as written there, not as clients
describe it: ROUT:MULT:CLOS adds to what is closed; a channel that no card has is -222
and moves nothing. ROUT:CLOS is the system-channel mode of the meter: it opens the
system channel before and closes relay 50 with the new one. ``*OPC?`` answers once the
relays are at rest. A reset opens everything, as ``*RST`` does on the instrument.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sims.models.matrix_card import ACTUATION, MatrixCard
from sims.scpi import ScpiError, channels, unquoted
from sims.scpi_panel import Reply, ScpiPanel, Takes
from sims.scpi_settings import keyword, numeric, switch

if TYPE_CHECKING:
    from sims.bench import Bench

SLOTS = 2
HIGHEST_VOLTAGE = 42
"""Volt that the 7709 card switches at most. [A]"""
INPUT = 50
LONGEST_TEXT = 12


class Keithley2700(ScpiPanel):
    """A switch system; settings ``card_slot`` (1) and ``baud`` (9600)."""

    identity = "KEITHLEY INSTRUMENTS INC.,MODEL 2700,1234567,B09  /A02"
    plus = "+"

    def __init__(self, name: str, bench: Bench, settings: Mapping[str, Any]) -> None:
        super().__init__(name, bench, settings)
        self.slot = int(settings.get("card_slot", 1))
        self.model = MatrixCard()
        self._system: frozenset[int] = frozenset()
        self._text = ""
        self.keep(
            (
                switch("text.on", ":DISPlay[:WINDow#]:TEXT:STATe", default=False),
                switch("display", ":DISPlay:ENABle", default=True),
                keyword("format", ":FORMat[:DATA]", "ASC", ["ASCii"]),
                numeric("measurement", ":STATus:MEASurement:ENABle", 0, 0, 65535, "d"),
            )
        )
        self.add(
            {
                "*OPT?": lambda: ",".join(
                    "7709" if slot == self.slot else "NONE"
                    for slot in range(1, SLOTS + 1)
                ),
                ":ABORt": lambda: None,
                ":SYSTem:PRESet": self.reset,
                ":SYSTem:BEEPer[:IMMediate]": lambda *_: None,
                f":SYSTem:CARD{self.slot}:VMAX?": lambda: str(HIGHEST_VOLTAGE),
                f":SYSTem:CARD{self.slot}:SNUMber?": lambda: "1234567",
                ":ROUTe:MULTiple:CLOSe": self._close,
                ":ROUTe:MULTiple:CLOSe?": self._closed,
                ":ROUTe:MULTiple:CLOSe:STATe?": self._states,
                ":ROUTe:MULTiple:OPEN": self._open,
                ":ROUTe:OPEN:ALL": self._open_all,
                ":ROUTe:MULTiple:OPEN:ALL": self._open_all,
                ":ROUTe:CLOSe": self._close_system,
                ":ROUTe:CLOSe?": lambda: self._list(self._system - {INPUT}),
                ":ROUTe:CLOSe:COUNt?": self._count,
                ":DISPlay[:WINDow#]:TEXT:DATA": self._write,
                ":DISPlay[:WINDow#]:TEXT:DATA?": lambda: f'"{self._text}"',
            }
        )

    def reset(self) -> Reply:
        super().reset()
        return self._open_all()

    def lose_power(self) -> None:
        super().lose_power()
        self._text = ""

    def _channels(self, text: str) -> frozenset[int]:
        """Return the channels of the card; refuse others before anything moves."""
        self.check_whole()
        named = channels(text)
        found = frozenset(one - 100 * self.slot for one in named)
        if not found <= self.model.channels:
            raise ScpiError(-222)
        return found

    def _list(self, found: frozenset[int] | set[int]) -> str:
        return f"(@{','.join(str(100 * self.slot + one) for one in sorted(found))})"

    def _moved(self, event: str, moved: frozenset[int]) -> Reply:
        if not moved:
            return None
        self.note(event, channels=[100 * self.slot + one for one in sorted(moved)])
        return Takes(ACTUATION * len(moved), lambda: None)

    def _close(self, text: str) -> Reply:
        return self._moved("relays closed", self.model.close(self._channels(text)))

    def _open(self, text: str) -> Reply:
        return self._moved("relays opened", self.model.open(self._channels(text)))

    def _open_all(self) -> Reply:
        self.check_whole()
        self._system = frozenset()
        return self._moved("relays opened", self.model.open(self.model.channels))

    def _closed(self) -> str:
        self.check_whole()
        return self._list(self.model.closed)

    def _states(self, text: str) -> str:
        self._channels(text)
        return ",".join(
            str(int(one - 100 * self.slot in self.model.closed))
            for one in channels(text)
        )

    def _close_system(self, text: str) -> Reply:
        chosen = self._channels(text)
        if len(chosen) != 1:
            raise ScpiError(-222)
        opened = self.model.open(self._system - chosen)
        self._moved("relays opened", opened)
        self._system = chosen | {INPUT}
        return self._moved("relays closed", self.model.close(self._system))

    def _count(self, text: str) -> str:
        self._channels(text)
        return ",".join(
            str(self.model.cycles[one - 100 * self.slot]) for one in channels(text)
        )

    def _write(self, text: str) -> None:
        shown = unquoted(text)
        if len(shown) > LONGEST_TEXT:
            raise ScpiError(-222)
        self._text = shown


PANEL = Keithley2700
