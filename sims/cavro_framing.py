r"""The two ways in which a Cavro pump packs its commands.

DT: ``/`` address text ``\r``, answered ``/0`` status text ``\x03\r\n``; made for terminals.
OEM: ``\x02`` address sequence text ``\x03`` checksum, answered ``\x02`` ``0`` status text
``\x03`` checksum; the checksum is the exclusive or of all that goes before it, and a
frame that repeats the last one is acknowledged without being executed again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import reduce
from operator import xor

from sims.panel import Message

STX, ETX = 0x02, 0x03
REPEAT = 0x08
SEQUENCE = 0x07
SHORTEST = 4

WHOLE = re.compile(rb"[^/\x02]*(?:/[^\r]*\r|\x02[^\x03]*\x03.)", re.DOTALL)
"""A block or a frame, with the noise before it."""

Block = tuple[str, str | None]
"""Address and text; no text for a repetition."""

Mine = Callable[[str], bool]
"""Whether an address is that of the pump, or of a group that it belongs to."""


class DtFraming:
    """Bytes outside of a block are ignored."""

    def __init__(self) -> None:
        self._block: bytearray | None = None

    def take(self, data: bytes) -> list[Block]:
        """Return the blocks that are complete."""
        blocks: list[Block] = []
        for byte in data:
            if byte == ord("/"):
                self._block = bytearray()
            elif self._block is not None and byte == ord("\r"):
                text = self._block.decode("latin-1")
                if text:
                    blocks.append((text[0], text[1:]))
                self._block = None
            elif self._block is not None:
                self._block.append(byte)
        return blocks

    @staticmethod
    def answer(status: int, text: str) -> bytes:
        """Return the block that answers."""
        return b"/0" + bytes([status]) + text.encode("ascii") + b"\x03\r\n"


class OemFraming:
    """A frame with a wrong checksum is not acknowledged; one to others does not count."""

    def __init__(self, mine: Mine = lambda _: True) -> None:
        self._mine = mine
        self._frame = bytearray()
        self._last = 0

    def take(self, data: bytes) -> list[Block]:
        """Return the frames that are complete and whole."""
        blocks: list[Block] = []
        for byte in data:
            if self._frame and self._frame[-1] == ETX:
                if checksum(self._frame) == byte and len(self._frame) >= SHORTEST:
                    blocks.append(self._read(bytes(self._frame)))
                self._frame.clear()
            elif byte == STX:
                self._frame = bytearray([STX])
            elif self._frame:
                self._frame.append(byte)
        return blocks

    def _read(self, frame: bytes) -> Block:
        sequence = frame[2]
        if not self._mine(chr(frame[1])):
            return chr(frame[1]), None
        number = sequence & SEQUENCE
        again = bool(sequence & REPEAT) and number == self._last
        self._last = number
        return chr(frame[1]), None if again else frame[3:-1].decode("latin-1")

    @staticmethod
    def answer(status: int, text: str) -> bytes:
        """Return the frame that answers."""
        frame = bytes([STX, ord("0"), status]) + text.encode("ascii") + bytes([ETX])
        return frame + bytes([checksum(frame)])


def checksum(frame: bytes | bytearray) -> int:
    r"""Return the exclusive or of all bytes.

    Examples
    --------
    >>> hex(checksum(b"\x0211ZR\x03"))
    '0x9'
    """
    return reduce(xor, frame, 0)


def cut(data: bytes, mine: Mine = lambda _: True) -> tuple[list[Message], bytes]:
    r"""Return the blocks and frames that bytes hold, and what is no whole one yet.

    What is said to another pump says nothing to this one.

    >>> [message.text for message in cut(b"/1ZR\r\x0211A30R\x03T/1?")[0]]
    ['ZR', 'A30R']
    """
    messages, end = [], 0
    for found in WHOLE.finditer(data):
        whole, end = found[0], found.end()
        if whole[-1:] == b"\r":
            begin, text = whole.rindex(b"/") + 1, whole[whole.rindex(b"/") + 2 : -1]
        else:
            begin, text = whole.index(b"\x02") + 1, whole[whole.index(b"\x02") + 3 : -2]
        address = whole[begin : begin + 1].decode("latin-1")
        messages.append(Message(whole, text.decode("latin-1") if mine(address) else ""))
    return messages, data[end:]


def spoiled(data: bytes) -> bytes | None:
    """Return an OEM frame with a wrong checksum; a DT block has none."""
    if data[-2:-1] != bytes([ETX]):
        return None
    return data[:-1] + bytes([data[-1] ^ 0x55])
