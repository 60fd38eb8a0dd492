"""The card that hangs on a bench while it is held open: who holds it, and how fast it runs.

``bench.json`` in the run directory, for any program that wants to use a bench that it
did not switch on; ``tcp`` is the number of each instrument's TCP port on 127.0.0.1. It is taken down at a clean end; after any other, its process is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from sims.bench import Bench
from sims.spec import BadBench

FILE = "bench.json"
PATIENCE = 5.0
"""Real seconds given to a bench that is just being switched off."""


@contextlib.contextmanager
def hung(bench: Bench, file: Path) -> Iterator[None]:
    """Show who holds ``bench``, made from ``file``, for as long as it is held.

    Raises
    ------
    BadBench
        When another process holds a bench in the same directory.
    """
    path = bench.directory / FILE
    deadline = time.monotonic() + PATIENCE
    while (holder := holding(path)) and time.monotonic() < deadline:
        time.sleep(0.05)
    if holder:
        raise BadBench(f"{bench.directory}: process {holder} holds a bench here")
    write(bench, file)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def write(bench: Bench, file: Path) -> None:
    """Write the card of ``bench``, made from ``file``, with the ports that it has now."""
    facts = {
        "pid": os.getpid(),
        "speed": bench.speed,
        "seed": bench.seed,
        "bench": str(file.resolve()),
        "tcp": {name: tcp.number for name, tcp in bench.doors.tcps.items()},
    }
    path = bench.directory / FILE
    part = path.with_suffix(".part")
    part.write_text(json.dumps(facts) + "\n")
    part.replace(path)


def holding(path: Path) -> int:
    """Return the process that a card names, or 0 when there is none or it is gone."""
    try:
        pid = int(json.loads(path.read_text())["pid"])
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return pid if b"sims" in command and pid != os.getpid() else 0
