"""A bench without ports, on a clock that the test sets: for talking to panels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sims.bench import Bench
from sims.clock import StoppedClock

BLINK = 0.05
"""Bench seconds that a question may take to be answered."""


class Desk:
    """Talk to the panels of a bench, byte by byte."""

    def __init__(self, directory: Path, spec: Mapping[str, Any], seed: int = 0) -> None:
        self.clock = StoppedClock()
        self.bench = Bench(spec, directory, speed=1.0, seed=seed, clock=self.clock)
        self.heard: dict[str, bytes] = dict.fromkeys(self.bench.instruments, b"")
        self.bench.deliver = self._deliver

    def _deliver(self, name: str, data: bytes) -> None:
        self.heard[name] += data

    def open(self, name: str) -> None:
        self.bench.cables[name].opened()

    def tell(self, name: str, data: bytes) -> None:
        self.bench.run_due()
        self.bench.take(name, data)

    def wait(self, seconds: float) -> None:
        self.clock.time += seconds
        self.bench.run_due()

    def take(self, name: str) -> bytes:
        heard, self.heard[name] = self.heard[name], b""
        return heard

    def ask(self, name: str, data: bytes, wait: float = BLINK) -> bytes:
        self.tell(name, data)
        self.wait(wait)
        return self.take(name)

    def journal(self, name: str) -> list[dict[str, Any]]:
        path = self.bench.directory / "journal" / f"{name}.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().splitlines()]

    def events(self, name: str) -> list[str]:
        return [line["event"] for line in self.journal(name)]

    def close(self) -> None:
        self.bench.close()


def recite(
    desk: Desk, name: str, lines: list[tuple[str, bytes]]
) -> list[tuple[str, bytes]]:
    """Say the host's part of a transcript; return the transcript as it came out."""
    came: list[tuple[str, bytes]] = []
    desk.open(name)
    desk.wait(1.0)
    for direction, data in joined(lines):
        if direction == "<":
            desk.wait(0.0)
            came.append(("<", desk.take(name)))
            continue
        silent = desk.take(name)
        if silent:
            came.append(("<", silent))
        came.append((direction, data))
        if direction == ".":
            desk.wait(float(data))
        else:
            desk.tell(name, data)
            desk.wait(BLINK)
    return came


def joined(lines: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Return a transcript with what one side says in a row put together."""
    out: list[tuple[str, bytes]] = []
    for direction, data in lines:
        if out and out[-1][0] == direction and direction != ".":
            out[-1] = direction, out[-1][1] + data
        else:
            out.append((direction, data))
    return out
