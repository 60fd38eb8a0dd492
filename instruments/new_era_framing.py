r"""Pure codecs of New Era pumps: basic and safe mode frames, numbers, answers.

Basic: ``<address><command>\r``, answered ``\x02<address><prompt><data>\x03``. Safe: ``\x02``
length, data, CRC-CCITT high byte first, ``\x03``, where data is what a basic message has
between its ends and length is four more than that of data.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass

from instruments.errors import BadReply
from instruments.framing import plain

STX, ETX = b"\x02", b"\x03"
AROUND = 4
"""Bytes of a safe frame behind its start that are no data."""
LEAST = AROUND + len("00S")
DIGITS, DECIMALS = 4, 3
ANSWER = re.compile(r"(\d\d)(?:([IWSPTUX])|A\?([RSTEO]))(.*)", re.DOTALL)
DISPENSED = re.compile(r"I(\d*\.?\d*)W(\d*\.?\d*)([UM]L)")
QUANTITY = re.compile(r"(\d*\.?\d*)([A-Z]*)")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: what the pump does, or its alarm, and the data behind it.

    Attributes
    ----------
    prompt:
        ``I`` infusing, ``W`` withdrawing, ``S`` at rest, ``P`` paused, ``X`` purging, ``T`` and
        ``U`` waiting in a program; empty in an alarm.
    alarm:
        ``R`` reset, ``S`` stalled, ``T`` safe mode timeout, ``E`` program, ``O`` out of range.
    """

    prompt: str
    alarm: str
    data: str


def basic_frame(address: int, command: str, *, place: str) -> bytes:
    r"""Return a basic mode message.

    >>> basic_frame(0, "RAT6000UM", place="pump")
    b'0RAT6000UM\r'
    """
    return plain(f"{address}{command}", place=place) + b"\r"


def safe_frame(address: int, command: str, *, place: str) -> bytes:
    """Return a safe mode message.

    >>> safe_frame(0, "SAF0", place="pump").hex(" ")
    '02 09 30 53 41 46 30 59 ad 03'
    """
    data = plain(f"{address}{command}", place=place)
    return STX + bytes([len(data) + AROUND]) + data + crc(data) + ETX


def crc(data: bytes) -> bytes:
    """Return CRC-CCITT of data: polynomial 0x1021, begun with 0, high byte first."""
    return binascii.crc_hqx(data, 0).to_bytes(2, "big")


def length(came: bytes) -> int:
    r"""Return the length of an answer in either mode, with the noise before it.

    The length of a safe frame is no digit, the address of a basic answer is. 0 while
    that cannot be told.

    >>> length(b"\xff\x0200S\x03"), length(bytes.fromhex("02 07 30 30")), length(b"0")
    (6, 8, 0)
    """
    start = came.find(STX)
    first = came[start + 1 : start + 2] if start >= 0 else b""
    if not first:
        return 0
    if first.isdigit():
        return came.find(ETX, start) + 1
    return start + 1 + max(first[0], LEAST)


def inside(came: bytes, *, place: str) -> bytes:
    r"""Return the data of an answer in either mode.

    >>> inside(bytes.fromhex("02 07 30 30 53 aa a6 03"), place="pump")
    b'00S'
    >>> inside(b"\xff\x0200S\x03", place="pump")
    b'00S'
    """
    frame = came[came.find(STX) + 1 :]
    if frame[:1].isdigit():
        return frame[:-1]
    data, check = frame[1:-3], frame[-3:-1]
    if frame[-1:] != ETX or check != crc(data):
        raise BadReply(f"{place}: {came!r} is not a whole safe mode frame")
    return data


def answer(data: bytes, address: int, *, place: str) -> Answer:
    """Read the data of an answer.

    >>> answer(b"00SI0050.W0.000UL", 0, place="pump")
    Answer(prompt='S', alarm='', data='I0050.W0.000UL')
    >>> answer(b"00A?R", 0, place="pump")
    Answer(prompt='', alarm='R', data='')
    """
    found = ANSWER.fullmatch(data.decode("ascii", "replace"))
    if found is None:
        raise BadReply(f"{place}: {data!r} is not address, prompt and data")
    if int(found[1]) != address:
        raise BadReply(f"{place}: {data!r} is an answer of pump {found[1]}")
    return Answer(found[2] or "", found[3] or "", found[4])


def digits(value: float) -> str:
    """Return a number in at most four digits and a point, three of them decimals.

    >>> digits(14.43), digits(0.12345), digits(6000.0), digits(123.46)
    ('14.43', '0.123', '6000', '123.5')
    """
    places = min(DIGITS - len(str(int(value))), DECIMALS)
    text = f"{value:.{max(places, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def quantity(text: str, *, place: str) -> tuple[float, str]:
    """Return the number and the unit of a setting as the pump tells it.

    >>> quantity("6000.UM", place="pump")
    (6000.0, 'UM')
    """
    found = QUANTITY.fullmatch(text)
    if found is None or not any(map(str.isdigit, found[1])):
        raise BadReply(f"{place}: {text!r} is not a number and a unit")
    return float(found[1]), found[2]


def dispensed(text: str, *, place: str) -> tuple[float, float]:
    """Return what was infused and withdrawn, uL.

    >>> dispensed("I1.500W0.000ML", place="pump")
    (1500.0, 0.0)
    """
    found = DISPENSED.fullmatch(text)
    if found is None or "" in (found[1].strip("."), found[2].strip(".")):
        raise BadReply(f"{place}: {text!r} is not I<volume>W<volume><unit>")
    scale = 1000.0 if found[3] == "ML" else 1.0
    return float(found[1]) * scale, float(found[2]) * scale
