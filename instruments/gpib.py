r"""A GPIB-to-serial adapter between a link and its instrument (Prologix manual 6.107).

The drivers behind it say and hear what they would on a cable of their own.

==========================  =====================================================
``++savecfg 0``             settings are not written to its memory, which wears out
``++mode 1``                it is the controller of the bus
``++auto 0``                an instrument talks when it is asked to, and only then:
                            one that has nothing to say would complain (-420)
``++eoi 1``, ``++eos 2``    a message ends in LF, with EOI
``++eot_enable 0``          nothing is added to an answer
``++read_tmo_ms <ms>``      silence after which it gives up listening, 1 to 3000
``++addr <n>``              said before each message: several links may share a bus
``++read eoi``              the instrument talks until it says that this was all
``++clr``                   the instrument forgets what it was doing for us
``++ver``                   ``Prologix GPIB-USB Controller version 6.107``
==========================  =====================================================

``\r``, ``\n``, ``\x1b`` and ``+`` within a message are escaped by ``\x1b``. An answer
that takes longer than an adapter can wait is asked for again and again until the
deadline; that disturbs no measurement. What is urgent begins with a device clear, which
overtakes what the instrument is busy with.

Unverified on hardware: that an instrument under way with a measurement takes ``++clr``
at once; adapters of other makers (AR488) differ in their ``++ver``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from instruments.errors import LinkError, LinkTimeout, Rejected
from instruments.link import Link, show

HIGHEST = 30
LISTENING = 0.5
"""Real seconds that the adapter listens to an instrument before it gives up."""
PASSING_ON = 0.5
"""Real seconds in which what it heard has reached us."""
SET_UP = (
    b"++savecfg 0\n++mode 1\n++auto 0\n++eoi 1\n++eos 2\n++eot_enable 0\n"
    b"++read_tmo_ms %d\n" % round(LISTENING * 1e3)
)
TALK = b"++read eoi\n"
CLEAR = b"++clr\n"
MEANING = b"\r\n\x1b+"


class GpibLink(Link):
    """A link to one instrument on the bus of an adapter.

    Parameters
    ----------
    url:
        Device file or URL of the adapter.
    address:
        GPIB address of the instrument, 0 to 30.
    words:
        As for a `Link`.
    """

    def __init__(self, url: str, address: int, **words: Any) -> None:
        super().__init__(url, **words)
        if not 0 <= address <= HIGHEST:
            raise Rejected(
                f"{self.place}: gpib_address {address} is outside 0 to {HIGHEST}"
            )
        self.place = f"{self.place}, GPIB {address}"
        self._addressed = b"++addr %d\n" % address
        self._cut_off = 0
        self._late = False

    def open(self) -> None:
        """Take the port, and see that an adapter is on it; it becomes the controller."""
        if self.is_open:
            return
        super().open()
        try:
            super().tell(SET_UP)
            super().ask_lines(b"++ver\n", lambda _: True)
        except LinkTimeout as silence:
            self.close()
            raise LinkError(f"{self.place}: no GPIB adapter: {silence}") from silence
        except LinkError:
            self.close()
            raise

    def tell(self, message: bytes, *, urgent: bool = False) -> None:
        """Send a message to the instrument."""
        if message.startswith(b"++"):
            super().tell(message, urgent=urgent)
            return
        clear = CLEAR if urgent else b""
        super().tell(self._addressed + clear + escaped(message), urgent=urgent)

    def interrupt(self) -> None:
        """Have questions under way in other threads neither waited for nor repeated."""
        self._cut_off += 1
        super().interrupt()

    def ask_lines(
        self,
        question: bytes,
        last: Callable[[bytes], bool],
        *,
        end: bytes = b"\n",
        timeout: float | None = None,
    ) -> list[bytes]:
        """Send a question; have the instrument talk until its answer is there."""
        allowed = self.timeout if timeout is None else timeout
        with self.lock:
            if self._late:
                self.settle(LISTENING + PASSING_ON)
            self.flush()
            self._late = True
            self.tell(question)
            lines = self._talked(question, last, end, time.monotonic() + allowed)
            self._late = False
        return lines

    def _talked(
        self,
        question: bytes,
        last: Callable[[bytes], bool],
        end: bytes,
        deadline: float,
    ) -> list[bytes]:
        begun, cut_off = time.monotonic(), self._cut_off
        while True:
            super().tell(self._addressed + TALK)
            try:
                return self.read_lines(last, end=end, timeout=LISTENING + PASSING_ON)
            except LinkTimeout as silence:
                now = time.monotonic()
                if now < deadline and self._cut_off == cut_off:
                    continue
                raise LinkTimeout(
                    f"{self.place}: {show(question)} was not answered within "
                    f"{now - begun:.1f} s"
                ) from silence


def escaped(message: bytes) -> bytes:
    r"""Return a message that an adapter passes on as it is; its last LF ends it.

    Examples
    --------
    >>> escaped(b":BIAS:VOLT:LEV +1\n")
    b':BIAS:VOLT:LEV \x1b+1\n'
    """
    *whole, rest = message.split(b"\n")
    lines = [*whole, rest] if rest else whole
    return b"".join(
        b"".join(b"\x1b%c" % byte if byte in MEANING else b"%c" % byte for byte in one)
        + b"\n"
        for one in lines
        if one
    )
