"""The simulated bench of a lab: how to start one, and one that somebody else holds open.

The latter outlives a campaign: ``polyloop sim`` (``python -m sims``) writes
``bench.json`` into its run directory: who holds it, how fast it runs. A card whose process is gone was left by a bench that crashed.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.models import Lab
from orchestrator.errors import Refused

CARD = "bench.json"


@dataclass(frozen=True, slots=True)
class HeldBench:
    """A bench in use: its run directory, and its clock in lab seconds per second."""

    directory: Path
    pid: int
    speed: float


def bench_command(
    lab: Lab, directory: Path, *, speed: float = 1.0, seed: int = 0
) -> list[str]:
    """Return the command that starts a lab's bench, with the faults that its file states.

    Parameters
    ----------
    lab:
        A lab that has a bench.
    directory:
        The bench's run directory; it exists.
    speed:
        Bench seconds per second.
    seed:
        Where all chance on the bench comes from.
    """
    faults = directory / "lab_faults.json"
    faults.write_text(json.dumps([one.stated() for one in lab.faults]))
    command = [sys.executable, "-m", "sims", str(lab.bench), "--dir", str(directory)]
    command += ["--speed", str(speed), "--seed", str(seed)]
    return [*command, "--faults", str(faults)]


def held_in(directory: Path) -> HeldBench:
    """Return the bench that is held open in a run directory.

    Raises
    ------
    Refused
        When nobody holds one there.
    """
    directory = directory.resolve()
    try:
        card = json.loads((directory / CARD).read_text())
        held = HeldBench(directory, int(card["pid"]), float(card["speed"]))
    except FileNotFoundError:
        raise Refused(f"--bench: {directory} — {_rule(directory)}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(
            f"--bench: {directory / CARD} — cannot be read: {error}"
        ) from None
    if not _alive(held.pid):
        raise Refused(
            f"--bench: {directory} — process {held.pid}, which held it, is gone; "
            f"{_rule(directory)}"
        )
    return held


def _alive(pid: int) -> bool:
    """Whether a bench runs under that number; numbers are given again."""
    try:
        return b"sims" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def _rule(directory: Path) -> str:
    return (
        f"nobody holds a bench there: polyloop sim LAB.yaml --dir {directory} --speed N"
    )
