"""The far end of a pseudo-terminal: a thread that plays what a test tells it to."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import threading
import tty
from collections.abc import Callable, Sequence
from typing import Self

from tests.transcripts import Line

Answer = Callable[[bytes], bytes | None]


class Peer:
    """Holds a pseudo-terminal; answers by a function of all that came, or by script.

    ``answer`` is called with the bytes that came and were not used; what it returns is
    sent and the bytes are used up; None waits for more.
    """

    def __init__(self, answer: Answer = lambda _: None) -> None:
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        self.slave = slave
        self.answer = answer
        self.heard = b""
        self.left: list[list[bytes]] = []
        self.wrong = ""
        self._unused = b""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @classmethod
    def playing(cls, lines: Sequence[Line]) -> Self:
        """Play a transcript: send each answer when its question has come, to the byte."""
        turns: list[list[bytes]] = []
        greeting = b""
        for direction, data in lines:
            if direction == ">":
                if turns and not turns[-1][1]:
                    turns[-1][0] += data
                else:
                    turns.append([data, b""])
            elif direction == "<" and turns:
                turns[-1][1] += data
            elif direction == "<":
                greeting += data

        def answer(came: bytes) -> bytes | None:
            if not turns or not turns[0][0].startswith(came):
                peer.wrong = f"expected {turns[:1]}, came {came!r}"
                return None
            if came != turns[0][0]:
                return None
            return turns.pop(0)[1]

        peer = cls(answer)
        peer.left = turns
        if greeting:
            os.write(peer.master, greeting)
        return peer

    def say(self, data: bytes) -> None:
        os.write(self.master, data)

    def hang_up(self) -> None:
        """Vanish as an unplugged adapter does."""
        self._ending.set()
        self._thread.join()
        for end in (self.slave, self.master):
            with contextlib.suppress(OSError):
                os.close(end)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()

    def _serve(self) -> None:
        while not self._ending.is_set():
            ready, _, _ = select.select([self.master], [], [], 0.02)
            if not ready:
                continue
            came = os.read(self.master, 4096)
            self.heard += came
            self._unused += came
            if (reply := self.answer(self._unused)) is not None:
                self._unused = b""
                os.write(self.master, reply)
