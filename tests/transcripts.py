"""Read the transcripts in ``tests/wire``; their README tells the format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Line = tuple[str, bytes]

WIRE = Path(__file__).parent / "wire"


def load(name: str) -> list[Line]:
    """Return what is said in a transcript, in order, without the pauses."""
    lines = (line for section in sections(name).values() for line in section)
    return [(direction, data) for direction, data in lines if direction != "."]


def sections(name: str) -> dict[str, list[Line]]:
    """Return the sections of a transcript by title, pauses as ``(".", b"seconds")``."""
    return read(WIRE / f"{name}.txt")


def read(path: Path) -> dict[str, list[Line]]:
    """Return the sections of a transcript file by title."""
    found: dict[str, list[Line]] = {}
    title = ""
    for number, line in enumerate(path.read_text("ascii").splitlines(), start=1):
        if line.startswith("## "):
            title = line[3:]
            found[title] = []
        elif line.startswith((">", "<", ".")):
            found.setdefault(title, []).append((line[0], unescape(line[2:])))
        elif line.strip() and not line.startswith("#"):
            raise ValueError(f"{path.name}:{number}: begin with >, <, . or #: {line!r}")
    return found


def facts(path: Path) -> dict[str, dict[str, Any]]:
    """Return what a captured file says of each section: ``# key: JSON`` by title."""
    found: dict[str, dict[str, Any]] = {}
    for line in path.read_text("ascii").splitlines():
        if line.startswith("## "):
            found[line[3:]] = {}
        elif found and line.startswith("# "):
            key, _, value = line[2:].partition(": ")
            found[list(found)[-1]][key] = json.loads(value)
    return found


def unescape(text: str) -> bytes:
    r"""Return the bytes of a text with escapes.

    Examples
    --------
    >>> unescape(r"/0`\x03\r\n")
    b'/0`\x03\r\n'
    """
    return text.encode("ascii").decode("unicode_escape").encode("latin-1")
