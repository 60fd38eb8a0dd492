"""A three-axis gantry: blocks of motion, one after the other, each from rest to rest.

Lengths in mm, speeds in mm/s. A real controller rounds corners; stopping at each costs
a little time and changes no end point.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sims.models.trapezoid import Profile, brake, travel
from sims.spec import Position

if TYPE_CHECKING:
    from sims.bench import Bench, Timer

SLACK = 3.0
"""Beyond the travel an axis runs into its end and stalls, mm."""
TINY = 1e-6


@dataclass(frozen=True, slots=True)
class Block:
    """One planned motion."""

    length: float
    path: Callable[[float], Position]
    rate: float
    limit: float
    acceleration: float
    rapid: bool = False


class Gantry:
    """The axes, and what is planned for them.

    Parameters
    ----------
    bench:
        Whose time is used.
    start:
        Where the carriage stands when the power comes on.
    size:
        Travel of each axis; machine space runs from ``-size`` to 0.
    done:
        Called after each block.
    """

    def __init__(
        self, bench: Bench, start: Position, size: Position, done: Callable[[], None]
    ) -> None:
        self.bench = bench
        self.size = size
        self.done = done
        self.feed_percent = 100
        self.rapid_percent = 100
        self.queue: deque[Block] = deque()
        self.held = False
        self.stalled = False
        self._counted: Position = (0.0, 0.0, 0.0)
        self._lost: Position = tuple(-one for one in start)  # type: ignore[assignment]
        self._block: Block | None = None
        self._profile = Profile(())
        self._began = 0.0
        self._gone = 0.0
        self._timer: Timer | None = None

    @property
    def moving(self) -> bool:
        """Whether a motor turns."""
        return self._timer is not None

    @property
    def busy(self) -> bool:
        """Whether something is planned or moving."""
        return self._block is not None or bool(self.queue)

    @property
    def counted(self) -> Position:
        """Where the controller believes to be."""
        if self._block is None:
            return self._counted
        way, _ = self._profile.at(self.bench.now - self._began)
        return self._block.path(min(self._gone + way, self._block.length))

    @property
    def true(self) -> Position:
        """Where the carriage is."""
        here = zip(self.counted, self._lost, self.size, strict=True)
        x, y, z = (min(max(c - o, -s - SLACK), SLACK) for c, o, s in here)
        return x, y, z

    @property
    def speed(self) -> float:
        """How fast the carriage goes."""
        if not self.moving:
            return 0.0
        return self._profile.at(self.bench.now - self._began)[1]

    def put(self, block: Block) -> None:
        """Plan a motion."""
        self.queue.append(block)
        self._next()

    def hold(self) -> None:
        """Slow down to rest on the path."""
        self.held = True
        if self._block is not None and self.moving:
            way, speed = self._profile.at(self.bench.now - self._began)
            self._gone = min(self._gone + way, self._block.length)
            self._run(brake(speed, self._block.acceleration))

    def resume(self) -> None:
        """Go on along the path."""
        self.held = False
        if self._block is not None:
            self.replan()
        else:
            self._next()

    def replan(self) -> None:
        """Go on from the present place and speed, after a change of override."""
        if self._block is None or self.held:
            return
        way, speed = self._profile.at(self.bench.now - self._began)
        self._gone = min(self._gone + way, self._block.length)
        self._run(self._plan(self._block, speed if self.moving else 0.0))

    def kill(self) -> None:
        """Cut the motors and forget the plan; what was counted stays counted."""
        self._counted = self.counted
        self._stop_timer()
        self._block = None
        self.queue.clear()
        self.held = False

    def count_from(self, counted: Position) -> None:
        """Count from here on as if standing at ``counted``."""
        true = self.true
        self._counted = counted
        self._lose(true)

    def lose(self, steps: Position) -> None:
        """Have the motors skip: the carriage is not where it was counted."""
        true = self.true
        x, y, z = (t + s for t, s in zip(true, steps, strict=True))
        self._lose((x, y, z))

    def place(self, true: Position) -> None:
        """Stand at ``true`` and know it."""
        self._counted = true
        self._lose(true)

    def _lose(self, true: Position) -> None:
        x, y, z = (c - t for c, t in zip(self._counted, true, strict=True))
        self._lost = (x, y, z)

    def _plan(self, block: Block, speed: float) -> Profile:
        percent = self.rapid_percent if block.rapid else self.feed_percent
        top = min(block.rate * percent / 100, block.limit)
        return travel(block.length - self._gone, top, block.acceleration, speed)

    def _next(self) -> None:
        if self._block is None and self.queue and not self.held:
            self._block = self.queue.popleft()
            self._gone = 0.0
            self._run(self._plan(self._block, 0.0))

    def _run(self, profile: Profile) -> None:
        self._stop_timer()
        self._profile = profile
        self._began = self.bench.now
        self._timer = self.bench.later(profile.duration, self._arrive)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arrive(self) -> None:
        self._timer = None
        block = self._block
        if block is None:
            return
        way, _ = self._profile.at(self._profile.duration)
        self._gone = min(self._gone + way, block.length)
        self._profile = Profile(())
        if not self.held or self._gone >= block.length - TINY:
            self._counted = block.path(block.length)
            self._block = None
            free = (c - o for c, o in zip(self._counted, self._lost, strict=True))
            true = self.true
            if math.dist(tuple(free), true) > TINY:
                self.stalled = True
                self._lose(true)
        self.done()
        self._next()


def straight(
    here: Position, there: Position
) -> tuple[float, Callable[[float], Position]]:
    """Return length and path of a straight line."""
    length = math.dist(here, there)

    def path(way: float) -> Position:
        share = way / length if length > 0.0 else 1.0
        if share >= 1.0:
            return there
        x, y, z = (a + (b - a) * share for a, b in zip(here, there, strict=True))
        return x, y, z

    return length, path


def arc(
    here: Position,
    there: Position,
    centre: tuple[float, float],
    axes: tuple[int, int, int],
    turn: float,
) -> tuple[float, Callable[[float], Position]]:
    """Return length and path of a helix: ``turn`` rad around ``centre`` in a plane."""
    first, second, along = axes
    radius = math.hypot(here[first] - centre[0], here[second] - centre[1])
    begin = math.atan2(here[second] - centre[1], here[first] - centre[0])
    rise = there[along] - here[along]
    length = math.hypot(radius * turn, rise)

    def path(way: float) -> Position:
        share = way / length if length > 0.0 else 1.0
        if share >= 1.0:
            return there
        point = [0.0, 0.0, 0.0]
        point[first] = centre[0] + radius * math.cos(begin + turn * share)
        point[second] = centre[1] + radius * math.sin(begin + turn * share)
        point[along] = here[along] + rise * share
        return point[0], point[1], point[2]

    return length, path
