"""A stylus profilometer whose program scans what is put down and exports a file.

It has no port. A sample that arrives in its slot is scanned for 40 s; then the folder
gets ``scan_0001.csv``, written as ``.part`` and renamed, so that who sees the name sees
a whole file. A sample taken away too early gives no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sims.models.stylus import profile
from sims.panel import Panel

if TYPE_CHECKING:
    from sims.bench import Bench

SCAN = 40.0
"""Bench seconds from arrival to the file. [A]"""


class Profilometer(Panel):
    """A profilometer; settings ``slot`` and ``folder`` (in the run directory)."""

    def __init__(self, name: str, bench: Bench, settings: Mapping[str, Any]) -> None:
        super().__init__(name, bench, settings)
        self.slot = str(settings["slot"])
        self.folder = Path(bench.directory) / str(settings["folder"])
        self.folder.mkdir(parents=True, exist_ok=True)
        bench.world.on_arrival(self.slot, self._begin)

    def receive(self, data: bytes) -> None:
        """Nobody can write to it."""

    def _begin(self) -> None:
        sample: Any = self.bench.world.sample_at(self.slot)
        if sample is None:
            return
        self.note("scan started", sample=sample.name)
        self.later(SCAN, lambda: self._end(sample))

    def _end(self, sample: Any) -> None:
        there: Any = self.bench.world.sample_at(self.slot)
        if there is not sample:
            self.note("scan broken off", sample=sample.name)
            return
        path = self._drop(sample)
        self.note("scan dropped", sample=sample.name, file=path.name)

    def _drop(self, sample: Any) -> Path:
        x, z = profile(float(sample.thickness), self.bench.rng(self.name))
        scanned = datetime.now(UTC).isoformat(timespec="seconds")
        head = [
            "# program: P-7 profile export 1.2",
            f"# scanned: {scanned}",
            "# stylus force: 1 mg",
            "# x unit: um",
            "# z unit: nm",
            "x,z",
        ]
        rows = [f"{a:.1f},{b:.2f}" for a, b in zip(x, z, strict=True)]
        path = self._next_path()
        part = path.with_suffix(".part")
        part.write_text("\n".join([*head, *rows, "# end"]) + "\n", encoding="ascii")
        return part.rename(path)

    def _next_path(self) -> Path:
        """Return the next free name: a bench started anew overwrites nothing."""
        taken = [int(path.stem[5:]) for path in self.folder.glob("scan_[0-9]*.csv")]
        return self.folder / f"scan_{max(taken, default=0) + 1:04d}.csv"


PANEL = Profilometer
