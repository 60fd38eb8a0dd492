"""A simulated bench that somebody else holds open, and that outlives a campaign.

``polyloop sim`` (``python -m sims``) writes ``bench.json`` into its run directory: who
holds it, how fast it runs. A card whose process is gone was left by a bench that crashed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import Refused

CARD = "bench.json"


@dataclass(frozen=True, slots=True)
class HeldBench:
    """A bench in use: its run directory, and its clock in lab seconds per second."""

    directory: Path
    pid: int
    speed: float


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
