"""What the processes of a campaign under way take: memory, processor time, disk.

Linux only: it walks ``/proc``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.benches.victims import Process, family

MARKS = {
    "sims": "bench",
    "orchestrator.station": "station",
    "orchestrator.flows.server": "prefect",
    "server": "prefect",
    "orchestrator.flows.runner": "runner",
    "orchestrator.archive.uploader": "uploader",
}
"""A word of a command line → the name of the process."""

ORCHESTRATOR = ("launcher", "station", "runner", "flow", "uploader")
"""Processes of polyloop itself. The simulated bench stands for the lab: it is none."""
NAMES = (*ORCHESTRATOR, "prefect", "bench")

STORES = {
    "ledger": ("ledger.db",),
    "act ledger": ("station/acts.db",),
    "journal": ("station/journal",),
    "catalog": ("tiled",),
    "Prefect's database": ("prefect",),
    "logs": ("logs",),
}
"""What is kept below a data directory, by file or folder."""

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a campaign.

    ``seconds`` since it was started; ``trials`` and ``acts`` that have ended; resident
    ``memory`` in bytes and processor time (``cpu``) in s, by the name of the process;
    ``stores`` in bytes; runs ``uploaded`` to the catalog. A process that the kernel has replaced begins at 0 again.
    """

    seconds: float
    trials: int
    acts: int
    memory: dict[str, int] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    stores: dict[str, int] = field(default_factory=dict)
    uploaded: int = 0


def look(launcher: int) -> tuple[dict[str, int], dict[str, float]]:
    """Return resident bytes and processor seconds of a launcher's family, by name."""
    memory = dict.fromkeys(NAMES, 0)
    cpu = dict.fromkeys(NAMES, 0.0)
    for name, process in _named(family(launcher), launcher):
        with contextlib.suppress(OSError, IndexError):  # it has ended just now
            folder = Path("/proc") / str(process.pid)
            pages = int((folder / "statm").read_text().split()[1])
            times = (folder / "stat").read_text().rpartition(")")[2].split()
            memory[name] += pages * _PAGE
            cpu[name] += (int(times[11]) + int(times[12])) / _TICKS
    return memory, cpu


def stored(data: Path) -> dict[str, int]:
    """Return the bytes of each store of a data directory; logs of databases included."""
    sizes = {}
    for name, places in STORES.items():
        found = (path for one in places for path in _beside(data / one))
        sizes[name] = sum(_bytes(path) for path in found)
    return sizes


def uploaded(data: Path) -> int:
    """Return how many runs the catalog of a data directory has; the uploader may lag."""
    path = data / "tiled" / "uploaded.txt"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _beside(path: Path) -> list[Path]:
    """Return a folder, or a file with what SQLite keeps beside it."""
    return [path, path.with_name(f"{path.name}-wal")]


def _bytes(path: Path) -> int:
    with contextlib.suppress(OSError):  # it may be gone again
        if not path.is_dir():
            return path.stat().st_size
        total = 0
        for entry in os.scandir(path):
            if entry.is_dir(follow_symlinks=False):
                total += _bytes(Path(entry.path))
            else:
                with contextlib.suppress(OSError):
                    total += entry.stat(follow_symlinks=False).st_size
        return total
    return 0


def _named(members: list[Process], launcher: int) -> Iterator[tuple[str, Process]]:
    """Yield each process with the name of its own, or of the one that started it."""
    names = {launcher: "launcher"}
    for one in members:
        parent = names.get(one.parent, "launcher")
        mark = next((MARKS[word] for word in one.command if word in MARKS), None)
        name = mark or ("flow" if parent == "runner" else parent)
        names[one.pid] = name
        yield name, one
