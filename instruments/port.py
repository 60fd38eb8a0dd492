r"""The port at our end of a cable, and the only place that knows pyserial.

It is a device file (``/dev/serial/by-id/...``, a pseudo-terminal) or a URL
(``socket://host:port``).

Traps that this file keeps away from the links
----------------------------------------------
* Four kinds of exception mean "the cable is gone" (`GONE`): ``SerialException``,
  ``OSError`` (``in_waiting`` after an unplug), ``termios.error`` (not an ``OSError``) and
  ``TypeError`` (the port closed by another thread during a read).
* A pseudo-terminal is always 8N1. Asking it for 7E1 fails with ``EINVAL`` if the same
  call changes nothing else; a real adapter does not mind being asked for another speed
  first, so that is what `opened` does then.
* Only an exclusive lock keeps a second program from stealing half of the answers.
* pyserial's ``readline`` has a timeout per byte, and returns half a line when it is over;
  its ``write`` calls bytes that were taken a timeout if its thread was late to look
  again, and its ``read`` of a socket brings byte by byte. So pyserial finds, sets and
  locks the port; the bytes go straight to and from its file descriptor (`give`, `take`),
  which a device file and ``socket://`` have. Those are the ports there are.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import termios
import time
from collections.abc import Mapping
from typing import TypeAlias

import serial

SLICE = 0.05
"""Real seconds between two looks at the deadline; bytes that come end the wait."""
CHUNK = 1 << 16
"""Bytes read at once, at most."""
WRITING = 0.6
"""Real seconds for a write to be taken; one that is not finds the far end hung."""
GONE = (serial.SerialException, OSError, termios.error, TypeError)

Port: TypeAlias = serial.SerialBase


def opened(url: str, settings: Mapping[str, object]) -> Port:
    """Return a port, taken for us alone and set.

    Raises
    ------
    ValueError
        If the URL, or a setting, is none; otherwise one of `GONE`.
    """
    port = serial.serial_for_url(
        url, do_not_open=True, timeout=SLICE, write_timeout=WRITING, exclusive=True
    )
    port.apply_settings(settings)
    try:
        port.open()
    except termios.error as error:
        if error.args[0] != errno.EINVAL:
            raise
        _open_by_way_of_another_speed(port, settings)
    try:
        port.fileno()
    except io.UnsupportedOperation:
        port.close()
        raise ValueError("only a device file or socket://host:port is one") from None
    return port


def let_go(port: Port) -> None:
    """Close a port, whatever has become of it; what is not sent yet is not waited for."""
    with contextlib.suppress(*GONE, AttributeError):
        port.reset_output_buffer()
    with contextlib.suppress(*GONE):
        port.close()


def give(port: Port, message: bytes) -> None:
    """Have a message taken; how late this thread is to see it taken does not matter."""
    rest = message
    given_up = time.monotonic() + WRITING
    while True:
        try:
            taken = os.write(port.fileno(), rest)
        except BlockingIOError:
            taken = 0
        rest = rest[taken:]
        if not rest:
            return
        left = max(0.0, given_up - time.monotonic())
        if not select.select([], [port.fileno()], [], left)[1]:
            raise serial.SerialTimeoutException(
                f"{repr(message)[1:]} was not taken within {WRITING:g} s"
            )


def take(port: Port, wait: float) -> bytes:
    """Return what has come, or comes first within so many real seconds; else ``b""``."""
    if not select.select([port.fileno()], [], [], wait)[0]:
        return b""
    try:
        came = os.read(port.fileno(), CHUNK)
    except BlockingIOError:
        return b""
    if not came:
        raise serial.SerialException("the far end has hung up")
    return came


def _open_by_way_of_another_speed(port: Port, settings: Mapping[str, object]) -> None:
    plain = {"baudrate": 50, "bytesize": 8, "parity": "N", "stopbits": 1}
    port.apply_settings(plain)
    port.open()
    port.close()
    port.apply_settings(settings)
    port.open()
