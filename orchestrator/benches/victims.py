"""The processes of a campaign under way, found below their launcher, and killed.

Linux only: it walks ``/proc``.
"""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Victim(StrEnum):
    """Who is killed; ``power``: all at once, as when the computer loses its power."""

    FLOW = "flow process"
    RUNNER = "runner"
    STATION = "station service"
    LAUNCHER = "launcher"
    PREFECT = "Prefect server"
    POWER = "all at once"


MARKS = {
    "orchestrator.station": Victim.STATION,
    "orchestrator.flows.runner": Victim.RUNNER,
    "orchestrator.flows.server": Victim.PREFECT,
    "server": Victim.PREFECT,
}
"""A word of a command line → whose it is."""

UPLOADER = "orchestrator.archive.uploader"


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this computer."""

    pid: int
    parent: int
    command: tuple[str, ...]


def running() -> list[Process]:
    """Return the processes of this computer that have not ended."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # After the name, which may hold anything: state and parent.
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:  # it has ended just now
            continue
        if state != "Z":
            words = tuple(command.strip("\0").split("\0"))
            found.append(Process(int(folder.name), int(parent), words))
    return found


def family(launcher: int) -> list[Process]:
    """Return a launcher and all that it started, parents first."""
    everybody = running()
    members = [one for one in everybody if one.pid == launcher]
    for one in members:  # it grows while it is walked
        members += [child for child in everybody if child.parent == one.pid]
    return members


def find(victim: Victim, launcher: int) -> list[int]:
    """Return the processes to kill, those of a launcher that runs; none: not there yet."""
    members = family(launcher)
    if victim is Victim.POWER:
        return [one.pid for one in members]
    if victim is Victim.LAUNCHER:
        return [one.pid for one in members if one.pid == launcher]
    roles = {one.pid: _role(one) for one in members}
    if victim is Victim.FLOW:
        return [one.pid for one in members if roles.get(one.parent) is Victim.RUNNER]
    return [pid for pid, role in roles.items() if role is victim]


def uploaders(launcher: int) -> list[int]:
    """Return the process that fills the catalog; it takes no part in acts."""
    return [one.pid for one in family(launcher) if UPLOADER in one.command]


def kill(pids: list[int]) -> None:
    """Kill processes, as no process can prevent."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def alive(pids: list[int]) -> list[int]:
    """Return those that have not ended."""
    there = {one.pid for one in running()}
    return [pid for pid in pids if pid in there]


def _role(process: Process) -> Victim | None:
    return next((MARKS[word] for word in process.command if word in MARKS), None)
