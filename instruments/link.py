r"""The cable: a byte pipe with deadlines, on a port (`instruments.port`).

What comes and goes is bytes; what they mean is the driver's. The deadline is for the
whole answer, and half an answer is a `LinkTimeout` that says what had come. What means
that the cable is gone becomes a `LinkError`.

Asking again
------------
A question that changes nothing is asked again, at most `AGAIN` times, when its answer
is lost or cannot be read: that is `Link.again`, and the only place for it. An act is
never asked again here; see `acts`. After an answer that did not come the link must
have been silent for `quiet` seconds before anything else is asked, so that a late
answer is not taken for the next one's.

Several instruments on one port
-------------------------------
Each has a link of its own, with its own name and patience; `Link.join` puts them on one
wire: one port, one lock, open for as long as one of them wants it to be.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from instruments.errors import BadReply, LinkError, LinkTimeout
from instruments.port import GONE, SLICE, Port, give, let_go, opened, take

LONGEST_ANSWER = 1 << 20
AGAIN = 2
"""Times that a question is asked again."""
SILENCE = 0.1
"""Real seconds without a byte after which an answer that came in pieces is over."""
SETTLING = 2.0
"""Real seconds in which a link that never falls silent is given up waiting for."""
WAITING = 0.25
"""Real seconds that what is urgent waits for the end of another write."""
RETURNING = 0.5
"""Real seconds between two tries to open a port that has gone."""

Answer = TypeVar("Answer")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answers on a link; ``""`` for what the instrument cannot say."""

    maker: str
    model: str
    serial: str = ""
    firmware: str = ""


@dataclass(eq=False, slots=True)
class Wire:
    """What the links on one port have in common.

    ``users`` are those that hold it open; ``opened`` counts how often it was opened.
    """

    lock: threading.RLock = field(default_factory=threading.RLock)
    writing: threading.Lock = field(default_factory=threading.Lock)
    port: Port | None = None
    waiting: bytearray = field(default_factory=bytearray)
    doubt: float = 0.0
    opened: int = 0
    users: set[Link] = field(default_factory=set)


class Link:
    """One cable to one instrument.

    Parameters
    ----------
    url:
        Device file or URL.
    baudrate, bytesize, parity, stopbits:
        Serial settings; a URL that is no serial line ignores them.
    timeout:
        Real seconds for an answer, unless a question says otherwise.
    quiet:
        Real seconds of silence that must follow an answer that did not come; as long as
        ``timeout`` unless the answers of this instrument tell by their form what they
        answer.
    name:
        The instrument's name, for messages.
    """

    def __init__(
        self,
        url: str,
        *,
        baudrate: int = 9600,
        bytesize: int = 8,
        parity: str = "N",
        stopbits: float = 1,
        timeout: float = 2.0,
        quiet: float | None = None,
        name: str = "",
    ) -> None:
        self.url = url
        self.timeout = timeout
        self.quiet = timeout if quiet is None else quiet
        self.lost = False
        """Whether the cable went since the port was opened."""
        self.place = f"{name} ({url})" if name else url
        self.witness: Callable[[str, bytes], None] | None = None
        """Told of all that is said: ``>`` by us, ``<`` by the instrument."""
        self.settings = {
            "baudrate": baudrate,
            "bytesize": bytesize,
            "parity": parity,
            "stopbits": stopbits,
        }
        self._wire = Wire()
        self._losing = _Losing(self)
        self._lost_at = 0
        self._interrupted = 0

    def join(self, other: Link) -> None:
        """Be on the wire of another link from now on; neither is open yet."""
        if self.settings != other.settings:
            raise ValueError(f"{self.place}: other serial settings than {other.place}")
        self._wire = other._wire

    @property
    def lock(self) -> threading.RLock:
        """Held over a question and its answer; take it to keep several together."""
        return self._wire.lock

    @property
    def is_open(self) -> bool:
        """Whether the port is held; an unplugged cable is only noticed by asking."""
        return self in self._wire.users and self._wire.port is not None

    @property
    def port(self) -> Port:
        """The open port itself, for who compares this link with a bare one."""
        return self._opened()

    def open(self) -> None:
        """Take the port for us alone; nothing is sent."""
        wire = self._wire
        with self.lock:
            if wire.port is not None:
                wire.users.add(self)
                return
            with self._losing:
                port = opened(self.url, self.settings)
            wire.waiting.clear()
            wire.doubt = 0.0
            wire.opened += 1
            self.lost = False
            wire.port = port
            wire.users.add(self)

    def reopen(self, within: float) -> None:
        """Open a port that has gone, as soon as it is there, in so many real seconds."""
        deadline = time.monotonic() + within
        with self.lock:
            # Another link of this wire may have opened the port again already.
            if self._wire.opened == self._lost_at:
                self._let_go()
            self.close()
        while True:
            try:
                self.open()
            except LinkError:
                self.lost = True
                if time.monotonic() + RETURNING >= deadline:
                    raise
                time.sleep(RETURNING)
            else:
                return

    def close(self) -> None:
        """Let the port go; a question under way in another thread fails at once.

        It stays open for other links of the same wire that have it open.
        """
        self._wire.users.discard(self)
        self.lost = False
        if not self._wire.users:
            self._let_go()

    def _let_go(self) -> None:
        port, self._wire.port = self._wire.port, None
        if port is not None:
            let_go(port)

    def again(self, ask: Callable[[], Answer], times: int = AGAIN) -> Answer:
        """Return what ``ask`` returns; have it asked again if the answer is lost.

        Only for what changes nothing, however often it is said. ``ask`` reads the
        answer as well, so that one that does not fit is a lost one.
        """
        interrupted = self._interrupted
        for _ in range(times):
            try:
                return ask()
            except (LinkTimeout, BadReply) as error:
                self._wire.doubt = max(self._wire.doubt, SILENCE)
                if self._interrupted != interrupted:
                    raise
                log.info("asked again: %s", error)
        return ask()

    def interrupt(self) -> None:
        """Have the questions under way in other threads not asked again."""
        self._interrupted += 1

    def ask(
        self, question: bytes, *, end: bytes = b"\n", timeout: float | None = None
    ) -> bytes:
        """Send a question and return its answer without ``end``.

        What had come before the question cannot be its answer and is thrown away.
        """
        return self.ask_lines(question, lambda _: True, end=end, timeout=timeout)[0]

    def ask_lines(
        self,
        question: bytes,
        last: Callable[[bytes], bool],
        *,
        end: bytes = b"\n",
        timeout: float | None = None,
    ) -> list[bytes]:
        """Send a question; return the lines of its answer up to the ``last`` one.

        The deadline is for all of them together.
        """
        with self.lock:
            self._ask(question)
            lines = self._lines(last, end, timeout, question)
        if lines[0].strip() == question.strip():
            raise BadReply(f"{self.place}: {show(question)} was only echoed")
        return lines

    def ask_frame(
        self,
        question: bytes,
        length: Callable[[bytes], int],
        *,
        timeout: float | None = None,
    ) -> bytes:
        """Send a question; return an answer that has a length instead of an end.

        ``length`` says, of what has come so far, how many bytes the whole answer has;
        0 while that cannot be told.
        """
        with self.lock:
            self._ask(question)
            allowed = self.timeout if timeout is None else timeout
            deadline = time.monotonic() + allowed
            waiting = self._wire.waiting
            while not 0 < (whole := length(bytes(waiting))) <= len(waiting):
                if not self._receive(deadline):
                    raise self._too_late(f"{show(question)} was not answered", allowed)
            answer = bytes(waiting[:whole])
            del waiting[:whole]
            return answer

    def _ask(self, question: bytes) -> None:
        """Send a question on a link on which nothing else can be taken for its answer."""
        if self._wire.doubt:
            self.settle(self._wire.doubt)
        self.flush()
        self.tell(question)

    def tell(self, message: bytes, *, urgent: bool = False) -> None:
        """Send something that is not answered.

        ``urgent`` does not wait for the question that another thread has under way;
        for stopping. Bytes of two messages are never mixed.
        """
        with contextlib.nullcontext() if urgent else self.lock, self._losing:
            port = self._opened()
            if not self._wire.writing.acquire(timeout=WAITING):
                raise LinkError(
                    f"{self.place}: {show(message)} cannot be sent: another message "
                    f"has not been taken for {WAITING:g} s"
                )
            try:
                self._told(">", message)
                give(port, message)
            finally:
                self._wire.writing.release()

    def read(self, end: bytes = b"\n", timeout: float | None = None) -> bytes:
        """Return the next bytes up to ``end``, without it."""
        return self.read_lines(lambda _: True, end=end, timeout=timeout)[0]

    def read_lines(
        self,
        last: Callable[[bytes], bool],
        *,
        end: bytes = b"\n",
        timeout: float | None = None,
    ) -> list[bytes]:
        """Return the next lines up to the ``last`` one; the deadline is for all."""
        with self.lock:
            return self._lines(last, end, timeout, b"")

    def settle(self, quiet: float) -> None:
        """Throw away what comes until nothing has come for ``quiet`` real seconds."""
        with self.lock:
            given_up = time.monotonic() + SETTLING + quiet
            silent_since = time.monotonic()
            self._wire.doubt = 0.0
            self._wire.waiting.clear()
            while (now := time.monotonic()) < given_up:
                if now - silent_since >= quiet:
                    return
                with self._losing:
                    if came := take(self._opened(), SLICE):
                        self._told("<", came)
                        silent_since = now

    def flush(self) -> None:
        """Throw away what has come and was not read."""
        with self.lock, self._losing:
            self._wire.waiting.clear()
            port = self._opened()
            given_up = time.monotonic() + SILENCE
            while (came := take(port, 0)) and time.monotonic() < given_up:
                self._told("<", came)

    def _lines(
        self,
        last: Callable[[bytes], bool],
        end: bytes,
        timeout: float | None,
        question: bytes,
    ) -> list[bytes]:
        allowed = self.timeout if timeout is None else timeout
        deadline = time.monotonic() + allowed
        lines: list[bytes] = []
        while True:
            line = self._read(end, deadline)
            if line is not None:
                lines.append(line)
                if last(line):
                    return lines
            if time.monotonic() >= deadline:
                what = (
                    f"{show(question)} was not answered"
                    if question
                    else f"nothing that ends in {show(end)} came"
                )
                raise self._too_late(what, allowed, lines)

    def _too_late(
        self, what: str, allowed: float, lines: Sequence[bytes] = ()
    ) -> LinkTimeout:
        """Return what to say of an answer that did not come; what came is thrown away."""
        came = f"; {len(lines)} lines came, the last {show(lines[-1])}" if lines else ""
        if self._wire.waiting:
            came += f"; so far came {show(bytes(self._wire.waiting))}"
        self._wire.waiting.clear()
        self._wire.doubt = self.quiet
        return LinkTimeout(f"{self.place}: {what} within {allowed:g} s{came}")

    def _read(self, end: bytes, deadline: float) -> bytes | None:
        """Return the next bytes up to ``end``, None when it is too late for them."""
        waiting = self._wire.waiting
        searched = 0
        while (found := waiting.find(end, searched)) < 0:
            if len(waiting) > LONGEST_ANSWER:
                raise BadReply(
                    f"{self.place}: {len(waiting)} bytes came and no {show(end)}; "
                    f"they begin {show(bytes(waiting[:40]))}"
                )
            searched = max(0, len(waiting) - len(end) + 1)
            if not self._receive(deadline):
                return None
        answer = bytes(waiting[:found])
        del waiting[: found + len(end)]
        return answer

    def _receive(self, deadline: float) -> bool:
        """Wait a moment for more bytes; return False when it is too late for any."""
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        with self._losing:
            came = take(self._opened(), min(left, SLICE))
            self._told("<", came)
            self._wire.waiting += came
        return True

    def _told(self, direction: str, data: bytes) -> None:
        if self.witness is not None and data:
            self.witness(direction, data)

    def _opened(self) -> Port:
        if self._wire.port is None:
            raise LinkError(f"{self.place}: the port is not open")
        return self._wire.port


class _Losing:
    """Turns what means that the cable is gone into a `LinkError`; entered at each byte."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: object, error: BaseException | None, trace: object
    ) -> None:
        link = self._link
        if isinstance(error, GONE):
            link.lost = link.is_open
            link._lost_at = link._wire.opened  # noqa: SLF001 - a part of it
            raise LinkError(f"{link.place}: link lost: {error}") from error
        if isinstance(error, ValueError):  # pyserial refuses a URL or a setting
            raise LinkError(f"{link.place}: not a port: {error}") from error


def show(data: bytes) -> str:
    r"""Return bytes as a person reads them.

    Examples
    --------
    >>> show(b"?\r\n")
    "'?\\r\\n'"
    """
    return repr(data)[1:]
