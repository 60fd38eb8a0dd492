r"""Modbus RTU as a master speaks it: frames, their checksum, and what a slave refuses.

A frame is unit, function, data and CRC-16; silence ends it, so that a master tells the
end of an answer by the length that its function has.

==============  =============================  ====================================
function 3      register, count                count of bytes, registers
function 6      register, value                the same bytes
function | 80h  (in an answer)                 1 function, 2 register, 3 value
==============  =============================  ====================================
"""

from __future__ import annotations

import struct
import time

from instruments.acts import act_once
from instruments.errors import BadReply, Fault, Rejected
from instruments.link import Link

READ, WRITE = 3, 6
REFUSED = 0x80
REFUSALS = {1: "illegal function", 2: "no such register", 3: "illegal value"}
GAP = 0.02
"""Real seconds between two transactions; a slave needs 3.5 characters of silence."""


def checksum(data: bytes) -> bytes:
    r"""Return the CRC of a frame, low byte first.

    Examples
    --------
    >>> checksum(b"\x01\x03\x00\x01\x00\x01")
    b'\xd5\xca'
    """
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc.to_bytes(2, "little")


def frame(unit: int, function: int, first: int, second: int) -> bytes:
    """Return a question of functions 3 and 6: a register, and a count or a value."""
    body = struct.pack(">BBHH", unit, function, first, second)
    return body + checksum(body)


def answer_length(came: bytes) -> int:
    r"""Return how many bytes an answer has that begins so; 0 if too little came.

    Examples
    --------
    >>> answer_length(b"\x01\x03\x02"), answer_length(b"\x01\x83\x02"), answer_length(b"")
    (7, 5, 0)
    """
    if len(came) < 3:
        return 0
    if came[1] & REFUSED:
        return 5
    return 5 + came[2] if came[1] == READ else 8


def signed(register: int) -> int:
    """Return a register as the signed number that it is.

    Examples
    --------
    >>> signed(0xFFF6)
    -10
    """
    return register - 0x10000 if register & 0x8000 else register


class ModbusClient:
    """Registers of one unit on a link; no threads.

    A question is asked again when its answer is lost or its checksum is wrong. A write
    is not: the register is read, and written once more if it has not changed.
    """

    def __init__(self, link: Link, unit: int = 1) -> None:
        self.link = link
        self.unit = unit
        self._last = 0.0

    def read(self, register: int, count: int = 1) -> list[int]:
        """Return registers, each from 0 to 65535."""
        data = self.link.again(lambda: self._ask(READ, register, count))
        return list(struct.unpack(f">{count}H", data[1:]))

    def write(self, register: int, value: int) -> None:
        """Write one register, from -32768 to 65535."""
        value &= 0xFFFF
        act_once(
            f"{self.link.place}: register {register} to {value}",
            send=lambda: self._write(register, value),
            taken=lambda: self.read(register) == [value],
            go_on=lambda: None,
        )

    def urge(self, register: int, value: int) -> None:
        """Write one register at once, whatever another thread asks; not confirmed."""
        message = frame(self.unit, WRITE, register, value & 0xFFFF)
        self.link.tell(message, urgent=True)

    def _write(self, register: int, value: int) -> None:
        said = self._ask(WRITE, register, value)
        if said != struct.pack(">HH", register, value):
            raise BadReply(
                f"{self.link.place}: register {register} was to be {value}; the answer "
                f"says {said.hex(' ')}"
            )

    def _ask(self, function: int, first: int, second: int) -> bytes:
        """Return the data of an answer that is whole and ours."""
        question = frame(self.unit, function, first, second)
        with self.link.lock:
            time.sleep(max(0.0, self._last + GAP - time.monotonic()))
            try:
                answer = self.link.ask_frame(question, answer_length)
            finally:
                self._last = time.monotonic()
        what = f"{self.link.place}: {question.hex(' ')} answered {answer.hex(' ')}"
        if checksum(answer[:-2]) != answer[-2:]:
            raise BadReply(f"{what}: wrong checksum")
        unit, said, data = answer[0], answer[1], answer[2:-2]
        if (unit, said) == (self.unit, function | REFUSED):
            raise self._refusal(function, first, second, data[0])
        wanted = 4 if function == WRITE else 1 + 2 * second
        if (unit, said) != (self.unit, function) or len(data) != wanted:
            raise BadReply(f"{what}: not the answer to it")
        return data

    def _refusal(
        self, function: int, register: int, second: int, code: int
    ) -> Rejected | Fault:
        what = (
            f"{self.link.place}: register {register} cannot be set to {second}"
            if function == WRITE
            else f"{self.link.place}: registers from {register}, {second} of them, "
            "cannot be read"
        )
        if code in REFUSALS:
            return Rejected(f"{what}: {REFUSALS[code]} (exception {code})")
        return Fault(f"{what}: exception {code}")
