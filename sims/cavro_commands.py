"""The command strings of a Cavro pump: letters with operands, and the errors they make."""

from __future__ import annotations

import re

INIT_FAILED, BAD_COMMAND, BAD_OPERAND, BAD_SEQUENCE = 1, 2, 3, 4
NOT_INITIALISED, OVERLOAD, VALVE_OVERLOAD, OVERFLOW = 7, 9, 10, 15
COMMAND = re.compile(r"([A-Za-z])(\d*(?:,\d*)*)")
MOVES = "AaPpDd"
VALVE = "IO"
KNOWN = MOVES + VALVE + "ZYWwzNKkvVcSLMgGHJ"
QUESTIONS = ("?", "F", "#", "%", "&", "*")
RANGES = {
    "v": (50, 1000),
    "V": (5, 6000),
    "c": (50, 2700),
    "S": (0, 40),
    "L": (1, 20),
    "M": (0, 30000),
    "G": (0, 30000),
    "H": (0, 2),
    "J": (0, 7),
}


class Trouble(Exception):
    """The pump answers with an error code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"error {code}")
        self.code = code


def parsed(text: str) -> list[tuple[str, tuple[int, ...]]]:
    """Return the commands of a string, or reject the whole of it."""
    program: list[tuple[str, tuple[int, ...]]] = []
    place = 0
    while place < len(text):
        match = COMMAND.match(text, place)
        if match is None or match[1] not in KNOWN:
            raise Trouble(BAD_COMMAND)
        operands = (
            tuple(int(one or 0) for one in match[2].split(",")) if match[2] else ()
        )
        program.append((match[1], operands))
        place = match.end()
    return program


def only(operands: tuple[int, ...]) -> int:
    """Return the one operand of a command; 0 when it is left out."""
    if len(operands) > 1:
        raise Trouble(BAD_OPERAND)
    return operands[0] if operands else 0


def within(value: int, low: int, high: int) -> int:
    """Return ``value`` if it is in its range."""
    if not low <= value <= high:
        raise Trouble(BAD_OPERAND)
    return value


def checked(command: str, value: int) -> int:
    """Return the operand of a command if it is in the command's range."""
    return within(value, *RANGES[command])
