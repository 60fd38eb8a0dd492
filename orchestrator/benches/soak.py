"""``polyloop bench soak``: one long campaign, and what it costs from its first to its last.

A campaign of thousands of trials runs as ``polyloop run`` runs any, with a Prefect
server of its own, on a simulated bench that is as fast as it can be. Every few seconds
its processes are looked at from outside. What grows with the campaign shows as memory
that is not flat, or as processor time of an act that rises.
"""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.benches.big_lab import enlarge
from orchestrator.benches.sampling import NAMES, STORES, Sample, look, stored, uploaded
from orchestrator.ledger import Ledger

ENDS = ("step.done", "step.failed")
TRIAL_ENDS = ("observation", "trial.failed")
DATA = "data"


@dataclass(frozen=True, slots=True)
class Soak:
    """What a soak is asked for; ``every`` in real seconds, ``limit`` too (0: none)."""

    campaign: Path
    trials: int
    seed: int
    speed: float
    in_flight: int
    directory: Path
    every: float = 10.0
    limit: float = 0.0


class Counted:
    """How many trials and acts of a campaign have ended, read on from its ledger."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._ledger: Ledger | None = None
        self._seq = self.trials = self.acts = 0
        self.campaign = ""

    def read(self) -> None:
        """Count what is new; nothing is kept of it."""
        if self._ledger is None:
            if not (self._data / "ledger.db").exists():
                return
            self._ledger = Ledger.of(self._data)
        self.campaign = self.campaign or next(iter(self._ledger.campaigns()), "")
        for event in self._ledger.stream(self.campaign, after=self._seq):
            self._seq = event.seq
            self.acts += event.kind in ENDS
            self.trials += event.kind in TRIAL_ENDS

    def close(self) -> None:
        """Let go of the ledger."""
        if self._ledger is not None:
            self._ledger.close()


def soak(asked: Soak, tell: Callable[[str], None]) -> tuple[list[Sample], int]:
    """Run one long campaign; return the looks at it, and its exit code.

    A campaign that is not over after ``limit`` is interrupted as Ctrl-C would: it ends
    the trials it has begun, and its exit code is 1.
    """
    file = enlarge(
        asked.campaign,
        asked.directory / "config",
        trials=asked.trials,
        seed=asked.seed,
        in_flight=asked.in_flight,
    )
    data = asked.directory / DATA
    command = [sys.executable, "-m", "orchestrator.cli", "run", str(file)]
    command += ["--speed", f"{asked.speed:g}", "--data", str(data)]
    environment = {k: v for k, v in os.environ.items() if k != "PREFECT_API_URL"}
    counted = Counted(data)
    samples: list[Sample] = []
    began = time.monotonic()
    with (asked.directory / "polyloop.log").open("ab") as log:
        launcher = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    drained = False
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        while not _ended(launcher, asked.every):
            counted.read()
            memory, cpu = look(launcher.pid)
            seconds = time.monotonic() - began
            sizes = stored(data)
            if cpu["flow"]:  # before that the campaign is still being set up
                made = counted.trials, counted.acts
                one = Sample(seconds, *made, memory, cpu, sizes, uploaded(data))
                samples.append(one)
                tell(line_of(one, asked.trials))
            if asked.limit and seconds > asked.limit and not drained:
                drained = True
                tell(f"after {seconds:.0f} s it is interrupted, as Ctrl-C would")
                launcher.send_signal(signal.SIGINT)
    finally:
        counted.close()
        if launcher.poll() is None:
            launcher.terminate()
            launcher.wait()
    return samples, launcher.returncode


def line_of(sample: Sample, trials: int) -> str:
    """Return a look in one line, memory in MiB."""
    parts = ", ".join(f"{name} {sample.memory[name] / 2**20:.0f}" for name in NAMES)
    return (
        f"{sample.seconds:6.0f} s  {sample.trials:5d} of {trials} trials, "
        f"{sample.acts:6d} acts; MiB: {parts}"
    )


def write(samples: Sequence[Sample], path: Path) -> None:
    """Write the looks as a table: seconds, counts, MiB, s and bytes."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(
            [
                *("seconds [s]", "trials", "acts", "runs in the catalog"),
                *(f"{name} memory [MiB]" for name in NAMES),
                *(f"{name} processor [s]" for name in NAMES),
                *(f"{name} [byte]" for name in STORES),
            ]
        )
        for one in samples:
            rows.writerow(
                [
                    *(f"{one.seconds:.1f}", one.trials, one.acts, one.uploaded),
                    *(f"{one.memory[name] / 2**20:.2f}" for name in NAMES),
                    *(f"{one.cpu[name]:.2f}" for name in NAMES),
                    *(one.stores[name] for name in STORES),
                ]
            )


def _ended(launcher: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait so long; return whether it has ended meanwhile."""
    try:
        launcher.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True
