"""What has been done to a sample, written down for whoever asks afterwards."""

from __future__ import annotations

from typing import Any

ROOM = 25.0
"""degC of the room; what is no warmer than 10 K above it is not heated."""


class Chronicle:
    """The events in a sample's life, and how long it has been lived through."""

    def __init__(self) -> None:
        self.at = 0.0
        self.history: list[dict[str, Any]] = []
        self.flaws: tuple[str, ...] = ()

    def note(self, at: float, event: str, **facts: Any) -> None:
        """Write an event down; ``at`` in bench seconds."""
        self.history.append({"at": round(at, 3), "event": event, **facts})

    def note_heat(self, to: float, temperature: float) -> None:
        """Write a stay on something hot (degC) as one event, however it was cut."""
        if temperature < ROOM + 10.0:
            return
        if self.history and self.history[-1]["event"] == "heat":
            stay = self.history[-1]
            stay["until"] = round(to, 3)
            stay["peak"] = max(stay["peak"], round(temperature, 1))
        else:
            peak = round(temperature, 1)
            self.note(self.at, "heat", until=round(to, 3), peak=peak)
