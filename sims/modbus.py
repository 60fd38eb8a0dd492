"""Modbus RTU frames as a slave hears them.

On a wire silence ends a frame. On a bench that runs 200 times as fast as life no computer
can be silent for 3.5 characters, nor sure not to be; so a frame ends here where its
function says that it does and its checksum is right. What cannot be the beginning of a
frame is passed over when a whole frame follows it, and is forgotten after silence.
"""

from __future__ import annotations

from sims.panel import Message

READS, WRITE, WRITES = (3, 4), 6, 16
SHORTEST, LONGEST = 4, 256
"""Bytes of a frame."""
HEADER = 7
"""Bytes of a write of several registers, up to the count of bytes."""


def checksum(data: bytes) -> bytes:
    """Return the CRC of a frame, low byte first (polynomial A001h, from FFFFh)."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            odd = register & 1
            register >>= 1
            if odd:
                register ^= 0xA001
    return bytes((register & 0xFF, register >> 8))


def framed(body: bytes) -> bytes:
    """Return a frame."""
    return body + checksum(body)


def right(frame: bytes) -> bool:
    """Whether a frame has its checksum."""
    return len(frame) >= SHORTEST and checksum(frame[:-2]) == frame[-2:]


def length(data: bytes) -> int:
    """Return the bytes of a request that begins so, 0 where that is not known (yet)."""
    if len(data) < 2:
        return 0
    if data[1] in (*READS, WRITE):
        return 8
    if data[1] == WRITES and len(data) >= HEADER:
        return HEADER + data[6] + 2
    return 0


def cut(data: bytes) -> tuple[list[Message], bytes]:
    r"""Return the frames that bytes hold, and what is no whole frame yet.

    >>> ask = framed(b"\x01\x03\x00\x01\x00\x05")
    >>> messages, rest = cut(b"\xff" + ask + ask[:3])
    >>> [message.text for message in messages], rest == ask[:3]
    (['', 'read 1 5'], True)
    """
    messages: list[Message] = []
    begin = 0
    while (found := _next(data, begin)) is not None:
        start, end = found
        if start > begin:
            messages.append(Message(data[begin:start], ""))
        messages.append(Message(data[start:end], text(data[start:end])))
        begin = end
    if len(data) - begin > LONGEST:
        messages.append(Message(data[begin:-LONGEST], ""))
        begin = len(data) - LONGEST
    return messages, data[begin:]


def _next(data: bytes, begin: int) -> tuple[int, int] | None:
    """Return where the next right frame begins and ends."""
    if len(data) - begin <= LONGEST and right(data[begin:]):
        return begin, len(data)  # also one of a function that is not known
    for start in range(begin, len(data) - SHORTEST + 1):
        end = start + length(data[start : start + HEADER])
        if start < end <= len(data) and right(data[start:end]):
            return start, end
    return None


def text(frame: bytes) -> str:
    """Return what a frame asks for: ``read 1 5``, ``write 26 600``, else its function."""
    first, second = (int.from_bytes(frame[i : i + 2], "big") for i in (2, 4))
    if frame[1] in READS:
        return f"read {first} {second}"
    if frame[1] == WRITE:
        return f"write {first} {second}"
    if frame[1] == WRITES:
        values = (frame[i : i + 2] for i in range(HEADER, len(frame) - 2, 2))
        numbers = " ".join(str(int.from_bytes(one, "big")) for one in values)
        return f"write {first} {numbers}"
    return f"function {frame[1]}"
