"""The bench file, read with care: a message names the place, the value and the rule."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

Position = tuple[float, float, float]


class BadBench(ValueError):
    """The bench file asks for something that cannot be built."""


def read(path: Path) -> Mapping[str, Any]:
    """Return the bench file as a mapping."""
    try:
        spec = yaml.safe_load(path.read_text("utf-8"))
    except OSError as problem:
        raise BadBench(f"{path}: {problem.strerror}") from problem
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        reason = " ".join(str(problem).split())
        raise BadBench(f"{path}: not YAML: {reason}") from problem
    return mapping(spec, str(path))


def mapping(value: Any, where: str) -> Mapping[str, Any]:
    """Return ``value`` if it is a mapping with text keys."""
    if not isinstance(value, Mapping):
        raise BadBench(f"{where}: expected keys and values, got {value!r}")
    return value


def section(spec: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a section of the bench file; empty when it is left out."""
    found = spec.get(key)
    return {} if found is None else mapping(found, key)


def number(value: Any, where: str, low: float | None = None) -> float:
    """Return ``value`` if it is a number, and not below ``low``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadBench(f"{where}: expected a number, got {value!r}")
    if low is not None and value < low:
        raise BadBench(f"{where}: {value} is below {low}")
    return float(value)


def text(value: Any, where: str) -> str:
    """Return ``value`` if it is text."""
    if not isinstance(value, str) or not value:
        raise BadBench(f"{where}: expected a text, got {value!r}")
    return value


def position(value: Any, where: str) -> Position:
    """Return three coordinates, mm."""
    if not isinstance(value, list | tuple) or len(value) != len(("x", "y", "z")):
        raise BadBench(f"{where}: expected [x, y, z] in mm, got {value!r}")
    x, y, z = (number(one, where) for one in value)
    return x, y, z


def grid(name: str, entry: Any, where: str) -> dict[str, Position]:
    """Return the places of one entry by name: one, or ``name.1`` ... of a grid.

    A grid is counted along x first; ``pitch`` mm is the way from one to the next,
    with its sign, in both directions.
    """
    keys = mapping(entry, where)
    x, y, z = position(keys.get("at"), f"{where}.at")
    if "columns" not in keys and "rows" not in keys:
        return {name: (x, y, z)}
    columns = int(number(keys.get("columns", 1), f"{where}.columns", 1))
    rows = int(number(keys.get("rows", 1), f"{where}.rows", 1))
    pitch = number(keys.get("pitch"), f"{where}.pitch")
    return {
        f"{name}.{row * columns + column + 1}": (x + column * pitch, y + row * pitch, z)
        for row in range(rows)
        for column in range(columns)
    }
