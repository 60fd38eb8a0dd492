"""A bad cable: a pseudo-terminal before an instrument's own, which spoils answers."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Self

Spoil = Callable[["Cable", bytes, bytes], list[tuple[float, bytes]]]
"""From cable, question and answer: what comes instead, after how many real seconds."""


def dropped(_: Cable, __: bytes, ___: bytes) -> list[tuple[float, bytes]]:
    return []


def delayed(_: Cable, __: bytes, answer: bytes) -> list[tuple[float, bytes]]:
    return [(0.35, answer)]


def garbled(_: Cable, __: bytes, answer: bytes) -> list[tuple[float, bytes]]:
    return [(0.0, bytes([answer[0] ^ 0x91, answer[1] ^ 0xFF]) + answer[2:])]


def truncated(_: Cable, __: bytes, answer: bytes) -> list[tuple[float, bytes]]:
    return [(0.0, answer[: len(answer) // 2])]


def duplicated(_: Cable, __: bytes, answer: bytes) -> list[tuple[float, bytes]]:
    return [(0.0, answer), (0.0, answer)]


def stale(cable: Cable, _: bytes, __: bytes) -> list[tuple[float, bytes]]:
    return [(0.0, cable.before)]


def echoed(_: Cable, question: bytes, __: bytes) -> list[tuple[float, bytes]]:
    return [(0.0, question)]


FAULTS = (dropped, delayed, garbled, truncated, duplicated, stale, echoed)


def saying(text: bytes) -> Spoil:
    """Have the instrument answer something else."""
    return lambda _cable, _question, _answer: [(0.0, text)]


class Cable:
    """Between a driver and the port of an instrument; can be unplugged.

    Attributes
    ----------
    path:
        Where the driver finds its end, also after it was plugged in again.
    heard:
        All that the driver said and the instrument got.
    spoiled:
        How many answers were spoiled.
    """

    def __init__(self, port: str, path: Path) -> None:
        self.path = path
        self.heard = b""
        self.before = b""
        self.spoiled = 0
        self._question = b""
        self._rules: list[tuple[bytes, Spoil, int]] = []
        self._swallow = b""
        self._far = os.open(port, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._far)
        self._master = self._slave = -1
        self._plugged = False
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.plug()

    def spoil(self, question: bytes, how: Spoil, times: int = 1) -> None:
        """Spoil the next answers to what contains ``question``."""
        with self._lock:
            self._rules.append((question, how, times))

    def swallow(self, message: bytes) -> None:
        """Have the next message that contains this not reach the instrument."""
        with self._lock:
            self._swallow = message

    def plug(self) -> None:
        with self._lock:
            self._master, self._slave = pty.openpty()
            tty.setraw(self._slave)
            fresh = self.path.with_suffix(".new")
            fresh.symlink_to(os.ttyname(self._slave))
            fresh.replace(self.path)
            self._plugged = True

    def unplug(self) -> None:
        with self._lock:
            self._plugged = False
            os.close(self._slave)
            os.close(self._master)
            self.path.unlink()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        if self._plugged:
            self.unplug()
        os.close(self._far)

    def _serve(self) -> None:
        while not self._ending.is_set():
            with self._lock:
                ends = [self._far, *([self._master] if self._plugged else [])]
                ready, _, _ = select.select(ends, [], [], 0.0)
                if self._far in ready:
                    self._bring_back(os.read(self._far, 4096))
                if self._plugged and self._master in ready:
                    self._bring(os.read(self._master, 4096))
            if not ready:
                self._ending.wait(0.0005)

    def _bring(self, message: bytes) -> None:
        self._question = message
        if self._swallow and self._swallow in message:
            self._swallow = b""
            if self._rules:  # nothing will be answered
                self._question = b""
            return
        self.heard += message
        os.write(self._far, message)

    def _bring_back(self, answer: bytes) -> None:
        parts = [(0.0, answer)]
        for place, (question, how, times) in enumerate(self._rules):
            if question in self._question:
                parts = how(self, self._question, answer)
                self.spoiled += 1
                del self._rules[place]
                if times > 1:
                    self._rules.append((question, how, times - 1))
                break
        self.before = answer
        for after, part in parts:
            time.sleep(after)
            if self._plugged:
                with contextlib.suppress(OSError):
                    os.write(self._master, part)
