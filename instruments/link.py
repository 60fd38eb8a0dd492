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
"""

from __future__ import annotations

import contextlib
import errno
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import serial

from instruments.errors import BadReply, LinkError, LinkTimeout

LONGEST_ANSWER = 1 << 20
SLICE = 0.05
"""Real seconds between two looks at the deadline; bytes that come end the wait."""
_GONE = (serial.SerialException, OSError, termios.error, TypeError)


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
        Real seconds for an answer, unless a question says otherwise, and for a write.
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
        name: str = "",
    ) -> None:
        self.url = url
        self.timeout = timeout
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
                    write_timeout=self.timeout,
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
            self._port = port

    def close(self) -> None:
        """Let the port go; a question under way in another thread fails at once."""
        port, self._port = self._port, None
        if port is not None:
            with contextlib.suppress(*_GONE, AttributeError):
                port.cancel_read()
            with contextlib.suppress(*_GONE):
                port.close()

    def ask(
        self, question: bytes, *, end: bytes = b"\n", timeout: float | None = None
    ) -> bytes:
        """Send a question and return its answer without ``end``.

        What had come before the question cannot be its answer and is thrown away.
        """
        with self.lock:
            self.flush()
            self.tell(question)
            return self._read(end, timeout, f"{show(question)} was not answered")

    def tell(self, message: bytes, *, urgent: bool = False) -> None:
        """Send something that is not answered.

        ``urgent`` does not wait for the question that another thread has under way;
        for stopping. Bytes of two messages are never mixed.
        """
        with contextlib.nullcontext() if urgent else self.lock, self._lost():
            port = self._opened()
            with self._writing:
                port.write(message)

    def read(self, end: bytes = b"\n", timeout: float | None = None) -> bytes:
        """Return the next bytes up to ``end``, without it."""
        with self.lock:
            return self._read(end, timeout, f"nothing that ends in {show(end)} came")

    def flush(self) -> None:
        """Throw away what has come and was not read."""
        with self.lock, self._lost():
            self._waiting.clear()
            port = self._opened()
            while port.in_waiting:
                port.read(port.in_waiting)

    def _read(self, end: bytes, timeout: float | None, complaint: str) -> bytes:
        allowed = self.timeout if timeout is None else timeout
        deadline = time.monotonic() + allowed
        waiting = self._waiting
        searched = 0
        while (found := waiting.find(end, searched)) < 0:
            if len(waiting) > LONGEST_ANSWER:
                raise BadReply(
                    f"{self.place}: {len(waiting)} bytes came and no {show(end)}; "
                    f"they begin {show(bytes(waiting[:40]))}"
                )
            if time.monotonic() >= deadline:
                came = f"; so far came {show(bytes(waiting))}" if waiting else ""
                waiting.clear()
                raise LinkTimeout(
                    f"{self.place}: {complaint} within {allowed:g} s{came}"
                )
            searched = max(0, len(waiting) - len(end) + 1)
            with self._lost():
                port = self._opened()
                waiting += port.read(1)
                if more := port.in_waiting:
                    waiting += port.read(more)
        answer = bytes(waiting[:found])
        del waiting[: found + len(end)]
        return answer

    def _opened(self) -> serial.SerialBase:
        if self._port is None:
            raise LinkError(f"{self.place}: the port is not open")
        return self._port

    @contextlib.contextmanager
    def _lost(self) -> Iterator[None]:
        try:
            yield
        except _GONE as error:
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
