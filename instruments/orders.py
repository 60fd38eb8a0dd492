"""What a plan tells a device in one go: plain values, no driver behind them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spin:
    """One spin: rpm, rpm/s, and seconds at speed."""

    speed: float
    acceleration: float
    duration: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep a temperature (degC) for a duration (s)."""

    temperature: float
    duration: float


@dataclass(frozen=True, slots=True)
class Infusion:
    """Move a volume (uL) out of a syringe, or into it, at a rate (uL/s)."""

    volume: float
    rate: float
