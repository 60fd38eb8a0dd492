"""Text that someone's instrument wrote, as rows of cells with their line numbers.

Separators are tab, semicolon, comma or blanks; decimals are written with a point or,
where the comma does not separate, with a comma.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import Refused

LARGEST = 20_000_000
"""Bytes beyond which a file is no spectrum."""


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one line; ``line`` counts from 1."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of numbers with the names of their columns, which may be missing."""

    path: Path
    names: tuple[str, ...]
    rows: tuple[Row, ...]
    comma: bool


def lines_of(path: Path) -> list[str]:
    """Return the lines of a text file, in whichever encoding it is.

    Raises
    ------
    Refused
        If it cannot be read, or is not text.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise Refused(f"{path}: larger than {LARGEST / 1e6:.0f} MB: not a spectrum")
        raw = path.read_bytes()
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = raw.decode("utf-16", errors="replace")
    else:
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
    if "\0" in text:
        raise Refused(f"{path}: is not text; export the spectrum as text first")
    if not text.strip():
        raise Refused(f"{path}: is empty")
    return text.splitlines()


def separator(lines: Sequence[str]) -> str:
    """Return what separates the cells of lines with numbers: tab, ; , or blanks.

    Examples
    --------
    >>> separator(["1,5;2,0;-3,1"]), separator(["1.5, 2, -3"]), separator(["1,5 2 3"])
    (';', ',', ' ')
    """
    for mark in ("\t", ";"):
        if sum(mark in line.strip() for line in lines) * 2 > len(lines):
            return mark
    # "1,5 2,0" is blanks and decimal commas; "1.5, 2" and "1,2,3" are commas.
    blanks = sum(bool(re.search(r"[^\s,]\s+[^\s,]", line.strip())) for line in lines)
    commas = sum("," in line for line in lines)
    return "," if commas * 2 > len(lines) and blanks * 2 <= len(lines) else " "


def split(line: str, mark: str) -> tuple[str, ...]:
    """Return the cells of a line, without blanks and quotes around them."""
    cells = line.split() if mark == " " else line.split(mark)
    return tuple(
        cell.strip().strip("\"'").strip() if _quoted(cell) else cell.strip()
        for cell in cells
    )


def _quoted(cell: str) -> bool:
    cell = cell.strip()
    return len(cell) > 1 and cell[0] == cell[-1] == '"'


def as_number(cell: str, comma: bool) -> float | None:
    """Return the number in a cell, or None.

    Examples
    --------
    >>> as_number("1,5e3", True), as_number("1,5", False), as_number("Hz", True)
    (1500.0, None, None)
    """
    text = cell.replace(",", ".") if comma else cell
    try:
        return float(text)
    except ValueError:
        return None


def rows_from(
    lines: Sequence[str], first: int, mark: str = ""
) -> tuple[tuple[Row, ...], bool]:
    """Return the rows of ``lines``, the first of which has number ``first``.

    Blank lines and those that begin with # or % are left out. The second value tells
    whether decimals are written with a comma.
    """
    kept = [
        (number, line)
        for number, line in enumerate(lines, first)
        if line.strip() and line.strip()[0] not in "#%"
    ]
    mark = mark or separator([line for _, line in kept])
    rows = tuple(Row(number, split(line, mark)) for number, line in kept)
    comma = mark != "," and any("," in cell for row in rows for cell in row.cells)
    return rows, comma


def plain(path: Path, lines: Sequence[str]) -> Table:
    """Return a table of text with or without names, after any preamble.

    Data begin at the first line with three numbers; names are in the line before it.

    Raises
    ------
    Refused
        If no line holds three numbers.
    """
    at = next((i for i, line in enumerate(lines) if _holds_data(line)), None)
    if at is None:
        raise Refused(
            f"{path}: no line holds three numbers; a spectrum has columns frequency "
            f"(Hz), real and imaginary part (ohm)"
        )
    mark = separator([one for one in lines[at : at + 20] if one.strip()])
    rows, comma = rows_from(lines[at:], at + 1, mark)
    names: tuple[str, ...] = ()
    for line in reversed(lines[max(at - 3, 0) : at]):
        if line.strip():
            names = _names(line, mark, len(rows[0].cells))
            break
    return Table(path, names, rows, comma)


def _holds_data(line: str) -> bool:
    mark = separator([line])
    found = [as_number(cell, mark != ",") for cell in split(line, mark) if cell]
    return len(found) >= 3 and None not in found[:3]


def _names(line: str, mark: str, count: int) -> tuple[str, ...]:
    """Return the names in the line before the data, if there are enough of them."""
    text = line.strip().lstrip("#%").strip()
    for one in dict.fromkeys((mark, "\t", ";", ",")):
        names = split(text, one)
        if 3 <= len(names) >= min(count, 3) and len(names) >= count - 1:
            return names
    return ()


def numbers(table: Table, column: int, name: str) -> Iterator[float]:
    """Yield a column as numbers.

    Raises
    ------
    Refused
        Naming file, line, value and rule, if a cell is missing or no number.
    """
    for row in table.rows:
        place = f"{table.path}: line {row.line}"
        if column >= len(row.cells):
            raise Refused(
                f"{place}: {len(row.cells)} values; column {column + 1} ({name}) is missing"
            )
        value = as_number(row.cells[column], table.comma)
        if value is None or value != value or abs(value) == float("inf"):
            raise Refused(f"{place}: {name} {row.cells[column]!r}: must be a number")
        yield value
