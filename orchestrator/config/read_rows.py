"""Tables of candidates and of what was measured of them, as CSV.

A column for each parameter and each measured quantity, its unit in brackets; any other
column is passed over.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from orchestrator.config.strict_yaml import near, shown
from orchestrator.errors import ConfigError
from planners.data import Candidate, Estimate, Value
from planners.space import Real, Space

FAILED = "failed"
"""What a cell says instead of a value."""


def head(name: str, unit: str) -> str:
    """Return the header of a column."""
    return f"{name} [{unit}]" if unit and unit != "1" else name


def heads_of(space: Space) -> dict[str, str]:
    """Return the header of each parameter."""
    return {p.name: head(p.name, getattr(p, "unit", "")) for p in space.parameters}


def rows(path: Path, wanted: set[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each row of a CSV file with its place; every wanted column is there."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            # An export says [1] of what has no unit.
            heads = [one.removesuffix(" [1]") for one in reader.fieldnames or ()]
            reader.fieldnames = heads
            for column in sorted(wanted):
                if column not in heads:
                    rule = f"no such column: {near(column, heads)}"
                    raise ConfigError(f"{shown(path)}:1: {column} — {rule}")
            for row in reader:
                place = f"{shown(path)}:{reader.line_num}"
                if None in row or None in row.values():
                    rule = f"not as many cells as the {len(heads)} columns"
                    raise ConfigError(f"{place}: {rule}")
                yield place, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{shown(path)}: cannot be read: {error}") from error


def candidate_of(place: str, row: Mapping[str, str], space: Space) -> Candidate:
    """Return the candidate of a row, whether or not it is one of the space.

    A parameter that does not count may be left empty.
    """
    heads = heads_of(space)
    cells = {name: row[column] for name, column in heads.items()}
    resting = space.resting(cells)
    values: dict[str, Value] = {}
    for p in space.parameters:
        if p.name in resting and not cells[p.name].strip():
            values[p.name] = resting[p.name]
        elif isinstance(p, Real):
            values[p.name] = number(f"{place}: {heads[p.name]}", cells[p.name])
        else:
            values[p.name] = cells[p.name]
    return Candidate(values)


def fitting(place: str, candidate: Candidate, space: Space) -> Candidate:
    """Return a candidate that is one of the space, or refuse it."""
    if wrong := space.check(candidate):
        raise ConfigError(f"{place}: {'; '.join(wrong)}")
    return candidate


def estimate_of(
    place: str, row: Mapping[str, str], name: str, unit: str, *, log: bool
) -> Estimate:
    """Return the value of a row, with the uncertainty that its own column may give."""
    value, std = head(name, unit), head(f"{name} std", unit)
    found = number(f"{place}: {value}", row[value])
    if log and found <= 0:
        rule = "must be above 0 on a log scale"
        raise ConfigError(f"{place}: {value}: {row[value]} — {rule}")
    return Estimate(found, number(f"{place}: {std}", row.get(std) or "0"))


def number(place: str, text: str) -> float:
    """Return a finite number, or refuse it."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise ConfigError(f"{place}: {text} — must be a finite number")
    return found
