r"""The two ways in which a Cavro pump packs what is said: DT for terminals, OEM for hosts.

DT is ``/<address><string>\r``, answered ``/0<status><data>\x03\r\n``: nothing shows that a
byte was changed, nor what an answer answers.

OEM is ``\x02<address><sequence><string>\x03<checksum>``, answered
``\x02`` ``0<status><data>\x03<checksum>``. The checksum is the exclusive or of all bytes
before it. The sequence byte is ``0011RSSS``: SSS counts 1 to 7, and a frame with R = 1
whose SSS is that of the frame before is acknowledged and not executed. So a frame that
was not answered within 100 ms may be sent again, with R = 1 and the same SSS, whatever it
tells: the pump executes it at most once. That is the protocol's own guarantee, and the
one exception to the rule that an act is never sent twice. Once is enough here.

A question is asked anew instead, with the next SSS: of a repeated frame the
acknowledgement is all that comes.

``T`` carries the SSS of the frame before it. Without R it is executed all the same, and a
repetition that a stop overtakes finds its number used: it is not executed after the stop.
"""

from __future__ import annotations

from functools import reduce
from operator import xor

from instruments.errors import BadReply
from instruments.framing import DtAnswer, dt_answer, dt_block, plain
from instruments.link import Link

DT_END = b"\x03\r\n"
STX, ETX = b"\x02", b"\x03"
SEQUENCE, REPEAT = 0x30, 0x08
HIGHEST = 7
SILENCE = 0.1
"""Real seconds without an answer after which a frame is repeated (manual)."""


class Dt:
    """Blocks that a person could type."""

    quiet: float | None = None
    """Real seconds of silence that must follow a lost answer; None: the link's own."""

    def ask(self, link: Link, address: str, text: str) -> DtAnswer:
        """Say a string once, and return what is answered."""
        place = link.place
        return dt_answer(
            link.ask(dt_block(address, text, place=place), end=DT_END), place=place
        )

    def act(self, link: Link, address: str, text: str) -> DtAnswer:
        """Say what may be executed only once: it is said once."""
        return self.ask(link, address, text)

    def cry(self, link: Link, address: str, text: str) -> None:
        """Say something whatever is being asked by another thread; see `swallow`."""
        link.tell(dt_block(address, text, place=link.place), urgent=True)

    def swallow(self, link: Link, timeout: float) -> None:
        """Read an answer that nobody needs."""
        link.read(DT_END, timeout)


class Oem:
    """Frames with a checksum and a number; one of these for each pump."""

    quiet: float | None = SILENCE

    def __init__(self) -> None:
        self._number = 0

    def ask(self, link: Link, address: str, text: str) -> DtAnswer:
        """Say a string once, with the next number, and return what is answered."""
        return self._exchange(link, self._next(link, address, text), link.timeout)

    def act(self, link: Link, address: str, text: str) -> DtAnswer:
        """Say what may be executed only once; repeat it once if it is not answered.

        Raises
        ------
        LinkError
            Also when the link was interrupted meanwhile: after a stop nothing is repeated.
        """
        frames = [self._next(link, address, text)]
        frames.append(
            oem_frame(address, text, self._number, repeat=True, place=link.place)
        )
        allowed = [SILENCE, link.timeout]

        def once() -> DtAnswer:
            return self._exchange(link, frames.pop(0), allowed.pop(0))

        with link.lock:
            answer = link.again(once, times=1)
            if not frames:  # the first answer may still come, behind the second
                link.settle(SILENCE)
            return answer

    def cry(self, link: Link, address: str, text: str) -> None:
        """Say something whatever is being asked by another thread; see `swallow`."""
        number = self._number or 1
        frame = oem_frame(address, text, number, place=link.place)
        link.tell(frame, urgent=True)

    def swallow(self, link: Link, timeout: float) -> None:
        """Read an answer that nobody needs."""
        link.settle(timeout)

    def _next(self, link: Link, address: str, text: str) -> bytes:
        self._number = self._number % HIGHEST + 1
        return oem_frame(address, text, self._number, place=link.place)

    def _exchange(self, link: Link, frame: bytes, timeout: float) -> DtAnswer:
        answer = link.ask_frame(frame, oem_length, timeout=timeout)
        return oem_answer(answer, place=link.place)


Framing = Dt | Oem


def oem_frame(
    address: str, text: str, number: int, *, repeat: bool = False, place: str
) -> bytes:
    r"""Return an OEM frame of number 1 to 7.

    Examples
    --------
    >>> oem_frame("1", "ZR", 1, place="pump").hex(" ")
    '02 31 31 5a 52 03 09'
    >>> oem_frame("1", "ZR", 1, repeat=True, place="pump")[2] == 0b0011_1_001
    True
    """
    sequence = SEQUENCE | (REPEAT if repeat else 0) | number
    body = plain(address + text, place=place)
    frame = STX + body[:1] + bytes([sequence]) + body[1:] + ETX
    return frame + bytes([reduce(xor, frame)])


def oem_length(came: bytes) -> int:
    """Return the length of the frame that has begun to come; 0 if that is not known."""
    end = came.find(ETX)
    return end + len(ETX) + 1 if end >= 0 else 0


def oem_answer(frame: bytes, *, place: str) -> DtAnswer:
    r"""Read an OEM answer; noise may come before its start.

    Examples
    --------
    >>> oem_answer(bytes.fromhex("ff 02 30 60 31 35 30 30 03 55"), place="pump")
    DtAnswer(error=0, ready=True, data='1500')
    """
    start = frame.rfind(STX)
    body = frame[max(start, 0) :]
    if start < 0 or len(body) < len("\x020s\x03c") or body[1:2] != b"0":
        raise BadReply(f"{place}: {frame!r} is not an OEM answer (02, 0, status, data)")
    if reduce(xor, body):
        raise BadReply(f"{place}: {frame!r} has a wrong checksum")
    status, data = body[2], body[3:-2]
    if status & 0xD0 != 0x40 or not data.isascii():
        raise BadReply(f"{place}: {frame!r} has no status byte 01x0eeee after 0")
    return DtAnswer(status & 0x0F, bool(status & 0x20), data.decode("ascii"))
