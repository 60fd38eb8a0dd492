"""The bench: what the simulated instruments share, and the loop that they run on.

One thread, one heap of timers in bench time, one selector on what clients have open.
While a timer's call runs, `Bench.now` is the moment the timer was
set for, not the moment the computer came round to it, so that what happens on the
bench does not depend on the load of the machine.
"""

from __future__ import annotations

import heapq
import importlib
import importlib.util
import itertools
import json
import sys
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from sims import faults, memory
from sims import spec as checks
from sims.cable import Cable
from sims.clock import BenchClock
from sims.doors import Doors
from sims.panel import Panel
from sims.spec import BadBench
from sims.world import World

LONGEST_WAIT = 0.1
"""Real seconds after which the loop looks whether it was told to stop."""
LOOK = 0.25
"""Real seconds between two looks at the file of faults in the run directory."""
SAVE = 1.0
"""Real seconds after which what went on without an act is written down."""
FAULTS = "faults.json"


class Timer:
    """A call at a moment of bench time; cancel it to have it forgotten."""

    __slots__ = ("call", "due")

    def __init__(self, due: float, call: Callable[[], None] | None) -> None:
        self.due = due
        self.call = call

    def cancel(self) -> None:
        """Forget the call."""
        self.call = None


class Bench:
    """All simulated instruments of one laboratory.

    Parameters
    ----------
    spec:
        The bench file.
    directory:
        Where ports, journals and drop folders go.
    speed:
        Bench seconds per real second.
    seed:
        Where all chance on this bench comes from.
    clock:
        Another clock than one that runs ``speed`` times as fast as the computer's.
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        directory: Path,
        speed: float = 200.0,
        seed: int = 0,
        clock: BenchClock | None = None,
    ) -> None:
        self.spec = spec
        self.directory = Path(directory)
        self.speed = speed
        self.seed = seed
        self.clock = clock or BenchClock(speed)
        self.deliver: Callable[[str, bytes], None] = self._deliver
        self.wired: dict[str, Callable[[bytes], None]] = {}
        """What takes the answers of an instrument that has no port, on a bus."""
        self._now = 0.0
        self._timers: list[tuple[float, int, Timer]] = []
        self._count = itertools.count()
        self._arrived: dict[str, float] = {}
        self._files: dict[Path, TextIO] = {}
        self.rngs: dict[str, np.random.Generator] = {}
        self._stopping = False
        self.acted = self._noted = False
        self.racks = memory.Racks()
        self.faults = faults.Faults(self)
        self._fault_file = faults.FaultFile(self.directory / FAULTS)
        self.world = World(self, spec)
        self.instruments: dict[str, Panel] = {}
        self.cables: dict[str, Cable] = {}
        for name, entry in checks.section(spec, "instruments").items():
            settings = checks.mapping(entry, f"instruments.{name}")
            kind = panel_class(settings.get("panel"), f"instruments.{name}.panel")
            self.instruments[name] = kind(name, self, settings)
            self.cables[name] = Cable(self, self.instruments[name])
        self.doors = Doors(self)
        self.state_faults("bench", spec.get("faults"), "faults")

    @property
    def now(self) -> float:
        """Bench seconds since the bench was switched on."""
        return self._now

    def later(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call ``call`` in ``seconds`` of bench time."""
        timer = Timer(self._now + max(seconds, 0.0), call)
        heapq.heappush(self._timers, (timer.due, next(self._count), timer))
        return timer

    def take(self, name: str, data: bytes) -> None:
        """Take bytes for an instrument, through its cable."""
        self.cables[name].take(data)

    def transmit(self, panel: Panel, data: bytes, after: float = 0.0) -> None:
        """Send bytes of a panel, in order, no faster than its baud rate."""
        begin = max(self._now + after, self._arrived.get(panel.wire, 0.0))
        arrival = begin + 10.0 * len(data) / panel.baud
        self._arrived[panel.wire] = arrival
        self.later(arrival - self._now, lambda: self._arrive(panel.wire, data))

    def _arrive(self, name: str, data: bytes) -> None:
        if name in self.wired:
            self.wired[name](data)
        else:
            self.deliver(name, data)

    def note(self, instrument: str, event: str, **facts: Any) -> None:
        """Write an event to an instrument's journal."""
        path = self.directory / "journal" / f"{instrument}.jsonl"
        self._noted = True
        self._write(path, {"event": event, **facts})

    def tell_truth(self, **facts: Any) -> None:
        """Write what no instrument can see to ``truth/samples.jsonl``."""
        self._write(self.directory / "truth" / "samples.jsonl", facts)

    def rng(self, name: str) -> np.random.Generator:
        """Return the source of chance of this name; the same seed gives the same lab."""
        if name not in self.rngs:
            self.rngs[name] = self.fresh_rng(name)
        return self.rngs[name]

    def fresh_rng(self, name: str) -> np.random.Generator:
        """Return the source of chance of this name at its beginning; it is not kept."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])

    def go_on_from(self, now: float, rngs: dict[str, np.random.Generator]) -> None:
        """Let bench time and chance go on from where another life of it stopped."""
        self.clock.go_on_from(now)
        self._now = now
        self.rngs = rngs

    # -- faults -----------------------------------------------------------------------

    def state_faults(self, source: str, entries: Any, where: str) -> None:
        """Have the faults of a list instead of those that ``source`` stated before."""
        rules = faults.read_rules(entries, where, self.instruments)
        self.faults.state(source, rules)

    def look_for_faults(self) -> set[str]:
        """Take the rules in the run directory's ``faults.json``, if it changed.

        Returns the instruments that had rules from there, or have some now.
        """
        if not self._fault_file.changed():
            return set()
        rules = self._fault_file.read(self.instruments)
        before = {one.rule.instrument for one in self.faults.stated.get(FAULTS, ())}
        self.faults.state(FAULTS, rules)
        return before | {rule.instrument for rule in rules}

    # -- ports and time ---------------------------------------------------------------

    def start(self) -> None:
        """Make the ports."""
        self.doors.start()

    def unplug(self, name: str, seconds: float) -> None:
        """Take a port away for some bench seconds, as if its plug were pulled."""
        self.doors.unplug(name, seconds)

    def run(self) -> None:
        """Run the instruments until `stop` is called, then take the ports away."""
        try:
            while not self._stopping:
                self.run_due()
                self._keep()
                self._look_around()
                wait = self._wait(self.doors.look())
                self.doors.serve(wait)
        finally:
            self.close()

    _look_at = _save_at = 0.0

    def _look_around(self) -> None:
        """Look, now and then, for a file of faults."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK
            try:
                changed = self.look_for_faults()
            except BadBench as problem:  # the rules from before stay
                sys.stderr.write(f"{problem}\n")
                return
            for name in sorted(changed):
                kinds = [one.rule.kind for one in self.faults.about(name)]
                self.note(name, "faults stated", kinds=kinds)

    def _keep(self) -> None:
        """Write down what lies on the bench if something went on, now and then."""
        if self.acted or (self._noted and time.monotonic() >= self._save_at):
            self._save()

    def _save(self) -> None:
        self._save_at = time.monotonic() + SAVE
        self.acted = self._noted = False
        memory.save(self)

    def stop(self) -> None:
        """Have `run` return soon."""
        self._stopping = True

    def close(self) -> None:
        """Take the ports away and close the journals."""
        self.doors.close()
        for file in self._files.values():
            file.close()
        self._files = {}

    def run_due(self) -> None:
        """Make the calls that are due by the clock, in order, each at its moment."""
        present = max(self.clock.now(), self._now)
        while self._timers and self._timers[0][0] <= present:
            due, _, timer = heapq.heappop(self._timers)
            if timer.call is not None:
                self._now = max(self._now, due)
                timer.call()
        self._now = present

    def _wait(self, listen: float | None) -> float:
        """Return the real seconds until something is due."""
        wait = LONGEST_WAIT
        if self._timers:
            ahead = self._timers[0][0] - self.clock.now()
            wait = min(wait, ahead / self.clock.speed)
        if listen is not None:
            wait = min(wait, listen - time.monotonic())
        return max(wait, 0.0)

    def _deliver(self, name: str, data: bytes) -> None:
        if self.acted:  # before a client can hear of it
            self._save()
        self.doors.send(name, data)

    def _write(self, path: Path, facts: Mapping[str, Any]) -> None:
        if path not in self._files:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._files[path] = path.open("a", buffering=1, encoding="utf-8")
        line = {"t": round(self._now, 4), "wall": round(time.time(), 4), **facts}
        self._files[path].write(json.dumps(line, default=float) + "\n")


def panel_class(name: Any, where: str) -> type[Panel]:
    """Return the class of a panel by its name in the bench file."""
    module = f"sims.panels.{checks.text(name, where)}"
    if not name.isidentifier() or importlib.util.find_spec(module) is None:
        folder = Path(sys.modules["sims"].__path__[0]) / "panels"
        known = ", ".join(
            sorted(one.stem for one in folder.glob("*.py") if one.stem != "__init__")
        )
        raise BadBench(f"{where}: {name!r} is not one of {known}")
    found: type[Panel] = importlib.import_module(module).PANEL
    return found
