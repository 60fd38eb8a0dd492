r"""The cable: a byte pipe with deadlines, and the only place that knows pyserial.

A port is a device file (``/dev/serial/by-id/...``, a pseudo-terminal) or a URL
(``socket://host:port``). What comes and goes is bytes; what they mean is the driver's.

Traps that this file keeps away from the drivers
------------------------------------------------
* Four kinds of exception mean "the cable is gone": ``SerialException``, ``OSError``
  (``in_waiting`` after an unplug), ``termios.error`` (not an ``OSError``) and
  ``TypeError`` (the port closed by another thread during a read). All become
  `LinkError`.
* pyserial's ``readline`` has a timeout per byte, and returns half a line when it is
  over. Here the deadline is for the whole answer, and half an answer is a
  `LinkTimeout` that says what had come.
* A pseudo-terminal is always 8N1. Asking it for 7E1 fails with ``EINVAL`` if the same
  call changes nothing else; a real adapter does not mind being asked for another speed
  first, so that is what `Link.open` does then.
* Only an exclusive lock keeps a second program from stealing half of the answers.

Asking again
------------
A question that changes nothing is asked again, at most `AGAIN` times, when its answer
is lost or cannot be read: that is `Link.again`, and the only place for it. An act is
never asked again here; see `acts`. After an answer that did not come the link must
have been silent for `quiet` seconds before anything else is asked, so that a late
answer is not taken for the next one's.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import serial

from instruments.errors import BadReply, LinkError, LinkTimeout

LONGEST_ANSWER = 1 << 20
SLICE = 0.05
"""Real seconds between two looks at the deadline; bytes that come end the wait."""
AGAIN = 2
"""Times that a question is asked again."""
SILENCE = 0.1
"""Real seconds without a byte after which an answer that came in pieces is over."""
SETTLING = 2.0
"""Real seconds in which a link that never falls silent is given up waiting for."""
WRITING = 0.25
"""Real seconds for a write to be taken; one that is not finds the far end hung."""
RETURNING = 0.5
"""Real seconds between two tries to open a port that has gone."""
_GONE = (serial.SerialException, OSError, termios.error, TypeError)

Answer = TypeVar("Answer")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answers on a link; ``""`` for what the instrument cannot say."""

    maker: str
    model: str
    serial: str = ""
    firmware: str = ""


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
        self.lock = threading.RLock()
        """Held over a question and its answer; take it to keep several together."""
        self._settings = {
            "baudrate": baudrate,
            "bytesize": bytesize,
            "parity": parity,
            "stopbits": stopbits,
        }
        self._writing = threading.Lock()
        self._port: serial.SerialBase | None = None
        self._waiting = bytearray()
        self._doubt = 0.0
        self._interrupted = 0

    @property
    def is_open(self) -> bool:
        """Whether the port is held; an unplugged cable is only noticed by asking."""
        return self._port is not None

    def open(self) -> None:
        """Take the port for us alone; nothing is sent."""
        with self.lock:
            if self._port is not None:
                return
            with self._lost():
                port = serial.serial_for_url(
                    self.url,
                    do_not_open=True,
                    timeout=SLICE,
                    write_timeout=WRITING,
                    exclusive=True,
                )
                port.apply_settings(self._settings)
                try:
                    port.open()
                except termios.error as error:
                    if error.args[0] != errno.EINVAL:
                        raise
                    _open_by_way_of_another_speed(port, self._settings)
            self._waiting.clear()
            self._doubt = 0.0
            self.lost = False
            self._port = port

    def reopen(self, within: float) -> None:
        """Open a port that has gone, as soon as it is there, in so many real seconds."""
        deadline = time.monotonic() + within
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
        """Let the port go; a question under way in another thread fails at once."""
        port, self._port = self._port, None
        self.lost = False
        if port is not None:
            with contextlib.suppress(*_GONE, AttributeError):
                port.cancel_read()
            with contextlib.suppress(*_GONE, AttributeError):
                port.reset_output_buffer()  # closing waits for what is not sent yet
            with contextlib.suppress(*_GONE):
                port.close()

    def again(self, ask: Callable[[], Answer]) -> Answer:
        """Return what ``ask`` returns; have it asked again if the answer is lost.

        Only for what changes nothing, however often it is said. ``ask`` reads the
        answer as well, so that one that does not fit is a lost one.
        """
        interrupted = self._interrupted
        for _ in range(AGAIN):
            try:
                return ask()
            except (LinkTimeout, BadReply) as error:
                self._doubt = max(self._doubt, SILENCE)
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
            if self._doubt:
                self.settle(self._doubt)
            self.flush()
            self.tell(question)
            complaint = f"{show(question)} was not answered"
            lines = self._lines(last, end, timeout, complaint)
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
            if self._doubt:
                self.settle(self._doubt)
            self.flush()
            self.tell(question)
            allowed = self.timeout if timeout is None else timeout
            deadline = time.monotonic() + allowed
            complaint = f"{show(question)} was not answered within {allowed:g} s"
            waiting = self._waiting
            while not 0 < (whole := length(bytes(waiting))) <= len(waiting):
                self._wait_for_more(deadline, complaint)
            answer = bytes(waiting[:whole])
            del waiting[:whole]
            return answer

    def tell(self, message: bytes, *, urgent: bool = False) -> None:
        """Send something that is not answered.

        ``urgent`` does not wait for the question that another thread has under way;
        for stopping. Bytes of two messages are never mixed.
        """
        with contextlib.nullcontext() if urgent else self.lock, self._lost():
            port = self._opened()
            if not self._writing.acquire(timeout=WRITING):
                raise LinkError(
                    f"{self.place}: {show(message)} cannot be sent: another message "
                    f"has not been taken for {WRITING:g} s"
                )
            try:
                port.write(message)
            finally:
                self._writing.release()

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
            complaint = f"nothing that ends in {show(end)} came"
            return self._lines(last, end, timeout, complaint)

    def settle(self, quiet: float) -> None:
        """Throw away what comes until nothing has come for ``quiet`` real seconds."""
        with self.lock:
            given_up = time.monotonic() + SETTLING + quiet
            silent_since = time.monotonic()
            self._doubt = 0.0
            self._waiting.clear()
            while (now := time.monotonic()) < given_up:
                if now - silent_since >= quiet:
                    return
                with self._lost():
                    if self._opened().read(1):
                        silent_since = now

    def flush(self) -> None:
        """Throw away what has come and was not read."""
        with self.lock, self._lost():
            self._waiting.clear()
            port = self._opened()
            given_up = time.monotonic() + SILENCE
            while port.in_waiting and time.monotonic() < given_up:
                port.read(port.in_waiting)

    def _lines(
        self,
        last: Callable[[bytes], bool],
        end: bytes,
        timeout: float | None,
        complaint: str,
    ) -> list[bytes]:
        allowed = self.timeout if timeout is None else timeout
        deadline = time.monotonic() + allowed
        complaint = f"{complaint} within {allowed:g} s"
        lines: list[bytes] = []
        while True:
            lines.append(self._read(end, deadline, complaint))
            if last(lines[-1]):
                return lines
            if time.monotonic() >= deadline:
                self._doubt = self.quiet
                raise LinkTimeout(
                    f"{self.place}: {complaint}; {len(lines)} lines came, the last "
                    f"{show(lines[-1])}"
                )

    def _read(self, end: bytes, deadline: float, complaint: str) -> bytes:
        waiting = self._waiting
        searched = 0
        while (found := waiting.find(end, searched)) < 0:
            if len(waiting) > LONGEST_ANSWER:
                raise BadReply(
                    f"{self.place}: {len(waiting)} bytes came and no {show(end)}; "
                    f"they begin {show(bytes(waiting[:40]))}"
                )
            searched = max(0, len(waiting) - len(end) + 1)
            self._wait_for_more(deadline, complaint)
        answer = bytes(waiting[:found])
        del waiting[: found + len(end)]
        return answer

    def _wait_for_more(self, deadline: float, complaint: str) -> None:
        """Add to what is waiting, unless it is too late."""
        waiting = self._waiting
        if time.monotonic() >= deadline:
            came = f"; so far came {show(bytes(waiting))}" if waiting else ""
            waiting.clear()
            self._doubt = self.quiet
            raise LinkTimeout(f"{self.place}: {complaint}{came}")
        with self._lost():
            port = self._opened()
            waiting += port.read(1)
            if more := port.in_waiting:
                waiting += port.read(more)

    def _opened(self) -> serial.SerialBase:
        if self._port is None:
            raise LinkError(f"{self.place}: the port is not open")
        return self._port

    @contextlib.contextmanager
    def _lost(self) -> Iterator[None]:
        try:
            yield
        except _GONE as error:
            self.lost = self._port is not None
            raise LinkError(f"{self.place}: link lost: {error}") from error
        except ValueError as error:  # pyserial refuses a URL or a setting
            raise LinkError(f"{self.place}: not a port: {error}") from error


def _open_by_way_of_another_speed(
    port: serial.SerialBase, settings: dict[str, object]
) -> None:
    plain = {"baudrate": 50, "bytesize": 8, "parity": "N", "stopbits": 1}
    port.apply_settings(plain)
    port.open()
    port.close()
    port.apply_settings(settings)
    port.open()


def show(data: bytes) -> str:
    r"""Return bytes as a person reads them.

    Examples
    --------
    >>> show(b"?\r\n")
    "'?\\r\\n'"
    """
    return repr(data)[1:]
