"""Read the transcripts in ``tests/wire``; their README tells the format."""

from __future__ import annotations

from pathlib import Path

Line = tuple[str, bytes]

WIRE = Path(__file__).parent / "wire"


def load(name: str) -> list[Line]:
    """Return what is said in a transcript, in order, without the pauses."""
    lines = (line for section in sections(name).values() for line in section)
    return [(direction, data) for direction, data in lines if direction != "."]


def sections(name: str) -> dict[str, list[Line]]:
    """Return the sections of a transcript by title, pauses as ``(".", b"seconds")``."""
    found: dict[str, list[Line]] = {}
    title = ""
    path = WIRE / f"{name}.txt"
    for number, line in enumerate(path.read_text("ascii").splitlines(), start=1):
        if line.startswith("## "):
            title = line[3:]
            found[title] = []
        elif line.startswith((">", "<", ".")):
            found.setdefault(title, []).append((line[0], unescape(line[2:])))
        elif line.strip() and not line.startswith("#"):
            raise ValueError(f"{path.name}:{number}: begin with >, <, . or #: {line!r}")
    return found


def unescape(text: str) -> bytes:
    r"""Return the bytes of a text with escapes.

    Examples
    --------
    >>> unescape(r"/0`\x03\r\n")
    b'/0`\x03\r\n'
    """
    return text.encode("ascii").decode("unicode_escape").encode("latin-1")
