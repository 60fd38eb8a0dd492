"""The bench: what the simulated instruments share, and the loop that they run on.

One thread, one heap of timers in bench time, one selector on the masters of the
pseudo-terminals. While a timer's call runs, `Bench.now` is the moment the timer was
set for, not the moment the computer came round to it, so that what happens on the
bench does not depend on the load of the machine.
"""

from __future__ import annotations

import heapq
import importlib
import importlib.util
import itertools
import json
import selectors
import sys
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from sims import spec as checks
from sims.clock import BenchClock
from sims.panel import Panel
from sims.pty_server import PtyPort
from sims.spec import BadBench
from sims.world import World

LISTEN = 0.005
"""Real seconds between two looks at a port that no client has open."""
LONGEST_WAIT = 0.1
"""Real seconds after which the loop looks whether it was told to stop."""


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
        self.ports: dict[str, PtyPort] = {}
        self.deliver: Callable[[str, bytes], None] = self._deliver
        self._now = 0.0
        self._timers: list[tuple[float, int, Timer]] = []
        self._count = itertools.count()
        self._arrived: dict[str, float] = {}
        self._files: dict[Path, TextIO] = {}
        self.rngs: dict[str, np.random.Generator] = {}
        self._stopping = False
        self.world = World(self, spec)
        self.instruments: dict[str, Panel] = {}
        for name, entry in checks.section(spec, "instruments").items():
            settings = checks.mapping(entry, f"instruments.{name}")
            kind = panel_class(settings.get("panel"), f"instruments.{name}.panel")
            self.instruments[name] = kind(name, self, settings)

    @property
    def now(self) -> float:
        """Bench seconds since the bench was switched on."""
        return self._now

    def later(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call ``call`` in ``seconds`` of bench time."""
        timer = Timer(self._now + max(seconds, 0.0), call)
        heapq.heappush(self._timers, (timer.due, next(self._count), timer))
        return timer

    def send(self, panel: Panel, data: bytes, after: float = 0.0) -> None:
        """Send bytes of a panel, in order, no faster than its baud rate."""
        begin = max(self._now + after, self._arrived.get(panel.name, 0.0))
        arrival = begin + 10.0 * len(data) / panel.baud
        self._arrived[panel.name] = arrival
        self.later(arrival - self._now, lambda: self.deliver(panel.name, data))

    def note(self, instrument: str, event: str, **facts: Any) -> None:
        """Write an event to an instrument's journal."""
        path = self.directory / "journal" / f"{instrument}.jsonl"
        self._write(path, {"event": event, **facts})

    def tell_truth(self, **facts: Any) -> None:
        """Write what no instrument can see to ``truth/samples.jsonl``."""
        self._write(self.directory / "truth" / "samples.jsonl", facts)

    def rng(self, name: str) -> np.random.Generator:
        """Return the source of chance of this name; the same seed gives the same lab."""
        if name not in self.rngs:
            word = zlib.crc32(name.encode())
            self.rngs[name] = np.random.default_rng([self.seed, word])
        return self.rngs[name]

    def go_on_from(self, now: float, rngs: dict[str, np.random.Generator]) -> None:
        """Let bench time and chance go on from where another life of it stopped."""
        self.clock.go_on_from(now)
        self._now = now
        self.rngs = rngs

    def start(self) -> None:
        """Make the ports."""
        for name, panel in self.instruments.items():
            port = panel.settings.get("port")
            if port is not None:
                link = self.directory / checks.text(port, f"instruments.{name}.port")
                self.ports[name] = PtyPort(link)

    def run(self) -> None:
        """Run the instruments until `stop` is called, then take the ports away."""
        # select(2) waits to the microsecond; epoll rounds up to a millisecond.
        selector = selectors.SelectSelector()
        quiet = set(self.ports)
        listen = 0.0
        try:
            while not self._stopping:
                self.run_due()
                if quiet and time.monotonic() >= listen:
                    listen = time.monotonic() + LISTEN
                    for name in sorted(quiet):
                        if self.ports[name].has_client():
                            quiet.discard(name)
                            self._open(name)
                            master = self.ports[name].master
                            selector.register(master, selectors.EVENT_READ, name)
                        else:  # it may have come and gone without a word
                            self.ports[name].nudge()
                wait = self._wait(listen if quiet else None)
                if not selector.get_map():
                    time.sleep(wait)
                    continue
                for key, _ in selector.select(wait):
                    self.run_due()
                    if not self._receive(key.data):
                        selector.unregister(key.fileobj)
                        quiet.add(key.data)
                for port in self.ports.values():
                    port.flush()
        finally:
            selector.close()
            self.close()

    def stop(self) -> None:
        """Have `run` return soon."""
        self._stopping = True

    def close(self) -> None:
        """Take the ports away and close the journals."""
        for port in self.ports.values():
            port.close()
        self.ports = {}
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

    def _open(self, name: str) -> None:
        port = self.ports[name]
        port.open = True
        port.nudge()
        self.instruments[name].opened()

    def _receive(self, name: str) -> bool:
        """Take bytes from a port; return False once its client is gone."""
        port = self.ports[name]
        data = port.read()
        if data is None:
            port.open = False
            port.nudge()
            self.instruments[name].closed()
            return False
        if data:
            port.nudge()
            self.instruments[name].receive(data)
        return True

    def _deliver(self, name: str, data: bytes) -> None:
        if name in self.ports:
            self.ports[name].write(data)

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
