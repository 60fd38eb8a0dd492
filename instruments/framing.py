r"""Pure codecs: what is a block, a line or a number on the wire.

Text that comes from a file never becomes bytes without `plain`: a carriage return, a
line feed, ``;`` or ``!`` in it would be a second command.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from instruments.errors import BadReply, Rejected

HOST = ord("0")
"""Address of the host in an answer of a Cavro pump."""


def plain(text: str, *, place: str) -> bytes:
    r"""Return text as bytes, if it is one printable word or line and nothing more.

    Examples
    --------
    >>> plain("G53 G1 X-10.000", place="gantry")
    b'G53 G1 X-10.000'
    >>> plain("shelf\nM8", place="gantry")
    Traceback (most recent call last):
        ...
    instruments.errors.Rejected: gantry: 'shelf\nM8' must be printable ASCII without ; and !
    """
    if not (text.isascii() and text.isprintable()) or ";" in text or "!" in text:
        raise Rejected(f"{place}: {text!r} must be printable ASCII without ; and !")
    return text.encode("ascii")


def within(value: float, low: float, high: float, what: str, unit: str) -> float:
    """Return a number that lies in its limits; the refusal names value and rule.

    Examples
    --------
    >>> within(3.0, 0.0, 5.0, "coater: speed", "rpm")
    3.0
    """
    if not (math.isfinite(value) and low <= value <= high):
        raise Rejected(f"{what} {value:g} {unit} is outside {low:g} to {high:g} {unit}")
    return value


def number(text: bytes, *, place: str) -> float:
    """Return a finite decimal number as an instrument writes it."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadReply(f"{place}: {text!r} is not a number")
    return value


@dataclass(frozen=True, slots=True)
class DtAnswer:
    """An answer in the DT framing of Cavro pumps.

    Attributes
    ----------
    error:
        Code 0 to 15.
    ready:
        Valid only in the answer to ``Q``.
    data:
        Decimal text of a report.
    """

    error: int
    ready: bool
    data: str


def dt_block(address: str, data: str, *, place: str) -> bytes:
    r"""Return a DT command block.

    Examples
    --------
    >>> dt_block("1", "ZR", place="pump")
    b'/1ZR\r'
    """
    return b"/" + plain(address + data, place=place) + b"\r"


def dt_answer(block: bytes, *, place: str) -> DtAnswer:
    r"""Read a DT answer without its end ``\x03\r\n``.

    A synchronisation byte (0xFF) may come before it on RS-485, so the start is searched.

    Examples
    --------
    >>> dt_answer(b"\xff/0`3000", place="pump")
    DtAnswer(error=0, ready=True, data='3000')
    """
    start = block.rfind(b"/0")
    if start < 0 or len(block) < start + 3:
        raise BadReply(f"{place}: {block!r} is not a DT answer (/0, status, data)")
    status, data = block[start + 2], block[start + 3 :]
    if status & 0xD0 != 0x40 or not data.isascii():
        raise BadReply(f"{place}: {block!r} has no status byte 01x0eeee after /0")
    return DtAnswer(status & 0x0F, bool(status & 0x20), data.decode("ascii"))
