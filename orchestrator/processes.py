"""Processes that polyloop starts: they die with their parent, and say where they log."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import PolyloopError

_PR_SET_PDEATHSIG = 1


class ProcessFailed(PolyloopError):
    """A process that polyloop needs could not start, or ended by itself."""


PARENT = "POLYLOOP_PARENT"
"""Names the process that started this one, which may die while this one imports."""


def die_with_parent(signum: int = signal.SIGTERM) -> None:
    """Ask the kernel (Linux) for a signal when the parent process dies."""
    parent = int(os.environ.get(PARENT, os.getppid()))
    os.environ[PARENT] = str(os.getpid())  # of whatever it starts itself
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel was asked
        os.kill(os.getpid(), signum)


def free_port() -> int:
    """Return a TCP port on loopback that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@dataclass(frozen=True, slots=True)
class Child:
    """A process of ours, whose output goes to a log from ``offset`` on."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    offset: int

    def line_with(self, text: str, timeout: float) -> str:
        """Return the first line it prints that holds ``text``.

        Raises
        ------
        ProcessFailed
            When it ends, or ``timeout`` real seconds pass, without such a line.
        """
        deadline = time.monotonic() + timeout
        pause = threading.Event()
        while True:
            ended = self.process.poll() is not None
            for line in self.output().splitlines(keepends=True):
                if text in line and line.endswith("\n"):
                    return line.strip()
            if ended or time.monotonic() > deadline:
                last = self.output().strip().splitlines()[-1:]
                raise ProcessFailed(
                    f"{self.name} did not start: {''.join(last) or 'no output'} "
                    f"(log: {self.log})"
                )
            pause.wait(0.05)

    def tell(self, line: str) -> None:
        """Write it a line; for a process that ``listens``.

        Raises
        ------
        ProcessFailed
            When it has ended.
        """
        assert self.process.stdin is not None  # noqa: S101 - started to listen
        try:
            self.process.stdin.write(f"{line}\n".encode())
            self.process.stdin.close()
        except OSError as error:
            raise ProcessFailed(f"{self.name} has ended (log: {self.log})") from error

    def output(self) -> str:
        """Return what it has printed so far."""
        with self.log.open("rb") as file:
            file.seek(self.offset)
            return file.read().decode(errors="replace")

    def tell_to_end(self) -> None:
        """Ask it to end, without waiting for it."""
        if self.process.poll() is None:
            self.process.terminate()

    def end(self, timeout: float = 10.0) -> None:
        """Ask it to end, and end it when it does not."""
        if self.process.poll() is None:
            self.tell_to_end()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def start(
    name: str,
    command: Sequence[str],
    logs: Path,
    environment: Mapping[str, str],
    *,
    listens: bool = False,
) -> Child:
    """Start a process in a session of its own, so that Ctrl-C reaches only us.

    One that ``listens`` gets one line from us later.
    """
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{name}.log"
    with log.open("ab") as output:
        offset = output.tell()
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE if listens else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **environment, PARENT: str(os.getpid())},
        )
    return Child(name, process, log, offset)


class Kept:
    """A process that is started again when it ends by itself.

    The kernel ends a child when the *thread* that started it ends (`die_with_parent`),
    so this has no thread: its owner calls `tend` a few times a second.

    Parameters
    ----------
    start:
        Starts it, the same way each time.
    pause, longest:
        Real seconds before the first new start, and at most: each is twice as long as
        the one before, until the process has lived for ``longest``.
    """

    def __init__(
        self, start: Callable[[], Child], *, pause: float = 1.0, longest: float = 60.0
    ) -> None:
        self._start = start
        self._first = self._pause = pause
        self._longest = longest
        self._due: float | None = None
        self.restarts = 0
        self.child = start()
        self._began = time.monotonic()

    def tend(self) -> bool:
        """Start it again if it has ended and the pause is over; return whether."""
        if self.child.process.poll() is None:
            return False
        now = time.monotonic()
        if self._due is None:
            if now - self._began > self._longest:
                self._pause = self._first
            self._due = now + self._pause
            self._pause = min(2 * self._pause, self._longest)
        if now < self._due:
            return False
        self._due = None
        self.child = self._start()
        self._began = time.monotonic()
        self.restarts += 1
        return True

    def tell_to_end(self) -> None:
        """Ask it to end, without waiting for it; it is not started again by itself."""
        self.child.tell_to_end()

    def end(self, timeout: float = 10.0) -> None:
        """Ask it to end, and end it when it does not."""
        self.child.end(timeout)
