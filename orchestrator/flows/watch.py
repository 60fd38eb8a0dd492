"""Hangs are heard: acts that take too long, and a station service that falls silent."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orchestrator.campaign import Act
from orchestrator.lab import OPERATIONS
from orchestrator.station.client import StationClient, StationError

LINKS = 10.0
"""Real seconds that cables and processes may cost an act beyond its time in the lab."""
BEAT = 2.0
"""Real seconds between two looks at the station service."""
SILENT = 8.0
"""Real seconds without an answer after which it counts as silent."""


@dataclass(frozen=True, slots=True)
class Overrun:
    """An act beyond its deadline; ``late`` in real seconds."""

    act: Act
    late: float

    @property
    def text(self) -> str:
        """What to tell a person."""
        return (
            f"{self.act.step} at {self.act.station} on {self.act.sample} is not over, "
            f"{self.late:.0f} s after it should have been"
        )


def deadline(act: Act, speed: float) -> float:
    """Return when an act must be over, in Unix seconds."""
    patience = (
        OPERATIONS[act.operation].patience if act.operation in OPERATIONS else 0.0
    )
    return act.at + (act.duration + patience) / speed + LINKS


def overruns(acts: Iterable[Act], speed: float, now: float) -> Iterator[Overrun]:
    """Yield the acts that are beyond their deadline."""
    for act in acts:
        if (late := now - deadline(act, speed)) > 0:
            yield Overrun(act, late)


class Heartbeat:
    """Looks at the station service every `BEAT` seconds, in a thread of its own."""

    def __init__(self, client: StationClient) -> None:
        self._client = client
        self._ended = threading.Event()
        self._heard = time.monotonic()
        threading.Thread(target=self._listen, name="heartbeat", daemon=True).start()

    @property
    def silence(self) -> float:
        """Real seconds since the service last answered, 0 while it does."""
        silence = time.monotonic() - self._heard
        return silence if silence > SILENT else 0.0

    def close(self) -> None:
        """Stop listening."""
        self._ended.set()

    def _listen(self) -> None:
        while not self._ended.wait(BEAT):
            try:
                self._client.state(timeout=SILENT / 2)
            except StationError:
                continue
            self._heard = time.monotonic()
