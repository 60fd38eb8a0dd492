"""A stylus profilometer whose program scans what is put down and exports a file.

It has no port. A sample that arrives in its slot is scanned for 40 s; then the folder
gets ``scan_0001.csv``, written as ``.part`` and renamed, so that who sees the name sees
a whole file. A sample taken away too early gives no file. For a fault each scan is a
message, ``scan``, and its file the reply: it is lost, late, garbled, cut, dropped twice,
or an old one again; a program that hangs drops no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sims.faults import FaultRule
from sims.models.stylus import profile
from sims.panel import Panel

if TYPE_CHECKING:
    from sims.bench import Bench

NOISE = str.maketrans("0123456789", "§°³µ¤¬¶×ßø")
"""What digits become in a garbled file."""
SCAN = 40.0
"""Bench seconds from arrival to the file. [A]"""


class Profilometer(Panel):
    """A profilometer; settings ``slot`` and ``folder`` (in the run directory)."""

    has_wire: ClassVar[bool] = False
    kinds: ClassVar[frozenset[str]] = frozenset(
        {"drop", "delay", "garble", "truncate", "duplicate", "stale_reply", "busy"}
    )

    def __init__(self, name: str, bench: Bench, settings: Mapping[str, Any]) -> None:
        super().__init__(name, bench, settings)
        self.slot = str(settings["slot"])
        self.folder = Path(bench.directory) / str(settings["folder"])
        self.folder.mkdir(parents=True, exist_ok=True)
        self._hung = False
        self._last = ""
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
        text = self._text(sample)
        one = self.bench.faults.choose(self.name, "scan")
        if one is None:
            self._drop(text, sample.name)
        elif one.rule.kind == "stale_reply" and not self._last:
            one.fired -= 1
            self._drop(text, sample.name)
        else:
            self.note("fault", kind=one.rule.kind, command="scan")
            self._drop_badly(one.rule, text, sample.name)
        self._last = text

    def _drop_badly(self, rule: FaultRule, text: str, sample: str) -> None:
        rng = self.bench.rng(f"faults {self.name}")
        if rule.kind == "busy":
            self._hung = True
        elif rule.kind == "delay":
            self.later(rule.seconds, lambda: self._drop(text, sample))
        elif rule.kind == "garble":
            lines = text.splitlines()
            for place in rng.integers(len(lines), size=len(lines) // 3):
                lines[place] = lines[place].translate(NOISE)
            self._drop("\n".join(lines) + "\n", sample)
        elif rule.kind == "truncate":
            self._drop(text[: int(rng.integers(1, len(text) - 1))], sample)
        elif rule.kind == "duplicate":
            self._drop(text, sample)
            self._drop(text, sample)
        elif rule.kind == "stale_reply":
            self._drop(self._last, sample)

    def _drop(self, text: str, sample: str) -> None:
        if self._hung:
            return
        path = self._next_path()
        part = path.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.rename(path)
        self.note("scan dropped", sample=sample, file=path.name)

    def _text(self, sample: Any) -> str:
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
        return "\n".join([*head, *rows, "# end"]) + "\n"

    def _next_path(self) -> Path:
        """Return the next free name: a bench started anew overwrites nothing."""
        taken = [int(path.stem[5:]) for path in self.folder.glob("scan_[0-9]*.csv")]
        return self.folder / f"scan_{max(taken, default=0) + 1:04d}.csv"


PANEL = Profilometer
