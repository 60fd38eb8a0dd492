"""A syringe on a screw: it pushes or pulls at a steady rate until told otherwise.

Volumes in uL, rates in uL/s. What leaves the syringe is told to the world when the plunger
comes to a stop, as one portion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sims.world import add, shares

if TYPE_CHECKING:
    from sims.bench import Bench, Timer

STILL = 1e-9


class SyringeDrive:
    """Plunger and contents.

    Parameters
    ----------
    bench:
        Time, and where the liquid comes from and goes to.
    name:
        In whose journal the events go.
    capacity:
        Of the syringe.
    contents:
        What is in it.
    target:
        A slot over which its needle stands, or a vessel.
    stalled:
        Called when the plunger meets an end of the syringe.
    """

    def __init__(
        self,
        bench: Bench,
        name: str,
        capacity: float,
        contents: Mapping[str, float],
        target: str,
        stalled: Callable[[], None],
    ) -> None:
        self.bench = bench
        self.name = name
        self.capacity = capacity
        self.contents = dict(contents)
        self.target = target
        self.stalled = stalled
        self.infused = self.withdrawn = 0.0
        self._rate = 0.0
        self._began = 0.0
        self._timer: Timer | None = None

    @property
    def volume(self) -> float:
        """What is in the syringe, uL; before a move under way."""
        return sum(self.contents.values())

    @property
    def moving(self) -> bool:
        return self._rate != 0.0

    @property
    def moved(self) -> float:
        """How far the move under way has come, uL."""
        return abs(self._rate) * (self.bench.now - self._began)

    def told(self) -> tuple[float, float]:
        """Return what was infused and withdrawn since the counters were cleared."""
        here = self.moved if self.moving else 0.0
        pushing = self._rate > 0.0
        return self.infused + here * pushing, self.withdrawn + here * (not pushing)

    def move(self, rate: float, volume: float, then: Callable[[], None]) -> None:
        """Push at a rate, pull at a negative one; call ``then`` after so much volume.

        A volume of 0 is none: it goes on until it is stopped or meets an end.
        """
        room = self.volume if rate > 0.0 else self.capacity - self.volume
        self._rate, self._began = rate, self.bench.now
        whole = volume > 0.0 and volume <= room + STILL
        self._plan(
            (volume if whole else room) / abs(rate), then if whole else self._end
        )

    def hurry(self, rate: float, volume: float, then: Callable[[], None]) -> None:
        """Go on at another rate; ``volume`` is what is left."""
        self.stop()
        self.move(rate, volume, then)

    def run_on(self) -> None:
        """Never come to the end of the volume: only a stop ends this move."""
        if self._timer is not None:
            self._timer.cancel()

    def stop(self) -> float:
        """Stand; return what this move has moved, uL."""
        if not self.moving:
            return 0.0
        room = self.volume if self._rate > 0.0 else self.capacity - self.volume
        moved, pushed = min(self.moved, room), self._rate > 0.0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._rate = 0.0
        world = self.bench.world
        if pushed:
            self.infused += moved
            parts = shares(self.contents, moved) if self.volume > STILL else {}
            for liquid, part in parts.items():
                self.contents[liquid] -= part
            self.bench.note(self.name, "infused", volume=round(moved, 3))
            world.drip(self.target, parts, self.name)
        else:
            self.withdrawn += moved
            add(self.contents, world.draw(self.target, moved, self.name))
        return moved

    def _plan(self, seconds: float, then: Callable[[], None]) -> None:
        def arrive() -> None:
            self.stop()
            then()

        self._timer = self.bench.later(seconds, arrive)

    def _end(self) -> None:
        self.bench.note(self.name, "stalled")
        self.stalled()
