"""The five numbers that a Keithley 2400 makes of a reading, and their statistics."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from sims.models.source_meter import Reading

NOT_A_NUMBER = 9.91e37
OVERFLOW = 9.9e37
SMALLEST = 1e-12
"""Ampere below which a resistance is not told."""
REDUCTIONS: Mapping[str, Callable[[list[float]], float]] = {
    "MEAN": statistics.fmean,
    "SDEV": statistics.stdev,
    "MAX": max,
    "MIN": min,
    "PKPK": lambda column: max(column) - min(column),
}


def elements(
    reading: Reading,
    time: float,
    functions: AbstractSet[str],
    values: Mapping[str, Any],
) -> dict[str, float]:
    """Return volt, ampere, ohm, seconds and status word.

    What was not measured is told as programmed if it was sourced, else as 9.91E37.
    """
    source = values["source.function"]
    shown = {"VOLT": NOT_A_NUMBER, "CURR": NOT_A_NUMBER, "RES": NOT_A_NUMBER}
    shown[source] = values[f"source.{source}"]
    if "VOLT" in functions:
        shown["VOLT"] = reading.voltage
    if "CURR" in functions:
        shown["CURR"] = reading.current
    if "RES" in functions:
        tiny = abs(reading.current) < SMALLEST
        shown["RES"] = OVERFLOW if tiny else reading.voltage / reading.current
    status = status_word(reading, functions, values)
    return shown | {"TIME": time, "STAT": float(status)}


def status_word(
    reading: Reading, functions: AbstractSet[str], values: Mapping[str, Any]
) -> int:
    """Return the status word, page 18-51."""
    current = values["source.function"] == "CURR"
    bits = {
        1: values["filter"],
        2: values["terminals"] == "FRON",
        3: reading.compliance,
        10: "RES" in functions and values["res.mode"] == "AUTO",
        11: "VOLT" in functions,
        12: "CURR" in functions,
        13: "RES" in functions,
        14: not current,
        15: current,
        16: reading.range_compliance,
        17: values["res.ocom"],
        22: values["remote"],
    }
    return sum(1 << bit for bit, on in bits.items() if on)
