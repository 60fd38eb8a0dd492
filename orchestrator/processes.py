"""Processes that polyloop starts: they die with their parent, and say where they log."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import PolyloopError

_PR_SET_PDEATHSIG = 1


class ProcessFailed(PolyloopError):
    """A process that polyloop needs could not start, or ended by itself."""


def die_with_parent(signum: int = signal.SIGTERM) -> None:
    """Ask the kernel (Linux) for a signal when the parent process dies."""
    parent = os.getppid()
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
    name: str, command: Sequence[str], logs: Path, environment: Mapping[str, str]
) -> Child:
    """Start a process in a session of its own, so that Ctrl-C reaches only us."""
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{name}.log"
    with log.open("ab") as output:
        offset = output.tell()
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **environment},
        )
    return Child(name, process, log, offset)
