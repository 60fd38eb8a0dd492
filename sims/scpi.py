"""SCPI messages, as an instrument reads them.

Headers are case-insensitive, each keyword in exactly its short or its long form; a
leading ``:`` is optional at the start of a message. ``;`` separates the commands of one
message: after it a header that starts with ``:`` or ``*`` is absolute, any other is
relative to the path of the command before. A colon before ``*`` and a ``;`` at the end
are accepted, because released clients send both.

A command table writes a header as manuals do, short form in capitals and optional parts
in brackets: ``[:SENSe#]:VOLTage[:DC]:NPLCycles``. ``#`` allows a numeric suffix.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

MESSAGES: Mapping[int, str] = {
    0: "No error",
    -102: "Syntax error",
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -113: "Undefined header",
    -140: "Character data error",
    -220: "Parameter error",
    -221: "Settings conflict",
    -222: "Parameter data out of range",
    -224: "Illegal parameter value",
    -240: "Hardware error",
    -350: "Queue overflow",
    -410: "Query INTERRUPTED",
    -420: "Query UNTERMINATED",
}


class ScpiError(Exception):
    """The instrument refuses a command; ``code`` goes to its error queue."""

    def __init__(self, code: int) -> None:
        super().__init__(f"SCPI error {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a message: an absolute header, and what stood behind it."""

    header: str
    query: bool
    parameters: tuple[str, ...]


def split_outside(text: str, separator: str) -> list[str]:
    """Cut at a separator that stands in no quotes and in no brackets.

    >>> split_outside("(@101, 110), 'a,b'", ",")
    ['(@101, 110)', " 'a,b'"]
    """
    parts, start, depth, quote = [], 0, 0, ""
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "()":
            depth = max(0, depth + (1 if letter == "(" else -1))
        elif letter == separator and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def commands(message: str) -> Iterator[Command]:
    """Read the commands of one message, without its terminator.

    >>> [command.header for command in commands(":TRIG:COUN 1;DEL 0;*CLS;SOUR TIM")]
    [':TRIG:COUN', ':TRIG:DEL', '*CLS', ':TRIG:SOUR']
    """
    path = ""
    for unit in split_outside(message, ";"):
        words = unit.split(None, 1)
        if not words:
            continue
        head, tail = words[0], "".join(words[1:])
        header = head.removesuffix("?")
        if header.lstrip(":").startswith("*"):
            header = header.lstrip(":")
        else:
            header = header if header.startswith(":") else f"{path}:{header}"
            path = header.rpartition(":")[0]
        fields = split_outside(tail, ",") if tail.strip() else []
        yield Command(header, head.endswith("?"), tuple(f.strip() for f in fields))


def header_pattern(header: str) -> re.Pattern[str]:
    """Return what matches a header written as in a manual.

    >>> bool(header_pattern(":OUTPut#[:STATe]").fullmatch(":outp1"))
    True
    >>> bool(header_pattern(":OUTPut#[:STATe]").fullmatch(":OUTPU"))
    False
    """
    if header.startswith("*"):
        return re.compile(re.escape(header), re.IGNORECASE)
    text = header.replace("[", "(?:").replace("]", ")?").replace("#", r"(\d*)")
    text = re.sub(r"([A-Z]+)([a-z]+)", r"\1(?:\2)?", text)
    return re.compile(text, re.IGNORECASE)


class Errors:
    """The error queue: first in, first out; a full one ends in -350."""

    def __init__(self, extra: Mapping[int, str] | None = None, size: int = 10) -> None:
        self._messages = {**MESSAGES, **(extra or {})}
        self._queue: deque[int] = deque()
        self._size = size

    def put(self, code: int) -> None:
        """Remember an error."""
        if len(self._queue) < self._size:
            self._queue.append(code)
        else:
            self._queue[-1] = -350

    def pop(self) -> tuple[int, str]:
        """Take the oldest error, or 0."""
        code = self._queue.popleft() if self._queue else 0
        return code, self._messages.get(code, "Device error")

    def clear(self) -> None:
        """Forget all errors."""
        self._queue.clear()

    def __len__(self) -> int:
        """Return how many errors wait."""
        return len(self._queue)


def number(text: str, low: float, high: float, default: float | None = None) -> float:
    """Read an NRf number, or MIN, MAX or DEF; refuse what is out of range.

    >>> number("2e+06", 20.0, 2e6)
    2000000.0
    """
    words = {"MIN": low, "MINIMUM": low, "MAX": high, "MAXIMUM": high}
    if default is not None:
        words |= {"DEF": default, "DEFAULT": default}
    value = words.get(text.upper())
    if value is None:
        if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text):
            raise ScpiError(-104)
        value = float(text)
    if not low <= value <= high:
        raise ScpiError(-222)
    return value


def boolean(text: str) -> bool:
    """Read ON, OFF, or a number that rounds to nought or not."""
    word = text.upper()
    if word in {"ON", "OFF"}:
        return word == "ON"
    return round(number(text, -1e9, 1e9)) != 0


def choice(text: str, options: Sequence[str]) -> str:
    """Read one of several keywords; return it in its short form.

    >>> choice("'voltage'", ["VOLTage", "CURRent"])
    'VOLT'
    """
    for option in options:
        if header_pattern(option).fullmatch(unquoted(text)):
            return re.sub(r"\[.*?\]|[a-z#]", "", option)
    raise ScpiError(-224)


def unquoted(text: str) -> str:
    """Take away one pair of quotes."""
    quoted = len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]
    return text[1:-1] if quoted else text


def channels(text: str) -> tuple[int, ...]:
    """Read a channel list.

    >>> channels("(@101, 110:112)")
    (101, 110, 111, 112)
    """
    match = re.fullmatch(r"\(@([\d,:\s]*)\)", text)
    if match is None:
        raise ScpiError(-102)
    found: list[int] = []
    for part in filter(None, (p.strip() for p in match[1].split(","))):
        first, _, last = part.partition(":")
        try:
            low, high = int(first), int(last or first)
        except ValueError as error:
            raise ScpiError(-102) from error
        if high - low > 10_000:
            raise ScpiError(-222)
        found += range(low, high + 1)
    return tuple(found)
