"""Where the reals of a candidate may lie with certain options: a box cut by sums.

In positions from 0 to 1 for each real, as in `planners.space.Space.candidate`. Random
points are drawn by hit-and-run [1]_: from the middle, a random direction and a uniform
step along it, again and again.

Shapes: r reals, q sums, m points.

References
----------
.. [1] R. L. Smith, Oper. Res. 32, 1296 (1984), 10.1287/opre.32.6.1296.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

SLACK = 1e-7
"""By how much a sum of positions may miss its bound before a region is empty."""

EXACT = 1e-12
"""By how much it may miss it, and still be there to the last digit."""

FLAT = 1e-9
"""A width below which there is no going that way."""

WALK = 20
"""Steps of a random walk for each direction that it may go in, and once more."""


@dataclass(frozen=True, eq=False)
class Region:
    """The points from ``low`` to ``high`` whose sums are from ``least`` to ``most``.

    Parameters
    ----------
    low, high:
        Positions; shape r.
    rows:
        Coefficients of the sums, the largest of each 1; shape q x r.
    least, most:
        Bounds of the sums; shape q.
    bounds:
        What ``low`` and ``high`` are as values of the reals, to the last digit.
    """

    low: np.ndarray
    high: np.ndarray
    rows: np.ndarray
    least: np.ndarray
    most: np.ndarray
    bounds: tuple[tuple[float, float], ...]

    @property
    def linked(self) -> np.ndarray:
        """Which reals are in a sum; shape r."""
        return np.asarray((self.rows != 0).any(axis=0))

    @property
    def parts(self) -> tuple[np.ndarray, ...]:
        """What makes it the region that it is, in positions."""
        return self.low, self.high, self.rows, self.least, self.most

    @property
    def possible(self) -> bool:
        """Whether there is any point in it."""
        return len(self.rows) == 0 or self.span(0, {}) is not None

    @property
    def size(self) -> float:
        """The volume of the box, reals that cannot move aside."""
        width = self.high - self.low
        return float(np.prod(width[width > 0]))

    @cached_property
    def equal(self) -> np.ndarray:
        """Which sums have one value only; shape q."""
        return np.asarray(self.least == self.most)

    @property
    def centre(self) -> np.ndarray:
        """The middle of the largest ball within; shape r."""
        return self._middle[0]

    @property
    def basis(self) -> np.ndarray:
        """Orthonormal directions in which one can go; shape r x directions."""
        return self._middle[1]

    @cached_property
    def _middle(self) -> tuple[np.ndarray, np.ndarray]:
        """Centre and basis; where there is no room for a ball, of the corners."""
        free = self.high > self.low
        basis = np.eye(len(free))[:, free]
        if not len(self.rows):
            return (self.low + self.high) / 2.0, basis
        if self.equal.any():
            _, s, v = np.linalg.svd(self.rows[self.equal][:, free])
            basis = basis @ v[int((s > FLAT).sum()) :].T
        sides = np.vstack([self.rows[~self.equal], np.eye(len(free))[free]])
        radius = np.linalg.norm(sides, axis=1)
        most = np.concatenate([self.most[~self.equal], self.high[free]])
        least = np.concatenate([self.least[~self.equal], self.low[free]])
        rows = np.vstack([np.column_stack([sides, radius]),
                          np.column_stack([-sides, radius])])  # fmt: skip
        found = _solve(
            np.append(np.zeros(len(self.low)), -1.0),
            rows,
            np.concatenate([most, -least]),
            np.column_stack([self.rows[self.equal], np.zeros(int(self.equal.sum()))]),
            self.most[self.equal],
            [*zip(self.low, self.high, strict=True), (0.0, 1.0)],
        )
        if found is not None and found[-1] > FLAT:
            return found[:-1], basis
        goals = np.vstack([np.eye(len(free)), self.rows])
        ends = [self._corner(goal) for goal in np.vstack([goals, -goals])]
        corners = np.array([one for one in ends if one is not None])
        centre = corners.mean(axis=0)
        _, s, v = np.linalg.svd(corners - centre)
        return centre, v[: int((s > FLAT).sum())].T

    def span(self, i: int, placed: Mapping[int, float]) -> tuple[float, float] | None:
        """Return how far a real can go, others being placed; None if nowhere."""
        low, high = self._held(placed)
        if len(self.rows) > 1:
            goal = np.zeros(len(low))
            goal[i] = 1.0
            first = self._corner(goal, low, high)
            last = self._corner(-goal, low, high)
            if first is None or last is None:
                return None
            return float(first[i]), float(last[i])
        down, up = float(low[i]), float(high[i])
        for row, least, most in zip(self.rows, self.least, self.most, strict=True):
            others = np.sort([row * low, row * high], axis=0)
            others[:, i] = 0.0
            most, least = most - others[0].sum(), least - others[1].sum()
            if row[i] == 0:
                if least > SLACK or most < -SLACK:
                    return None
            else:
                ends = sorted([least / row[i], most / row[i]])
                down, up = max(down, float(ends[0])), min(up, float(ends[1]))
        if down > up + SLACK:
            return None
        return (down, up) if down <= up else ((down + up) / 2.0, (down + up) / 2.0)

    def chord(self, at: np.ndarray, along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return how many steps one can go back (below 0) and ahead; shape m each."""
        rows = self.rows[~self.equal].T
        step = np.hstack([along, along @ rows])
        step = np.where(np.abs(step) < 1e-12, 0.0, step)
        there = np.hstack([at, at @ rows])
        low = np.concatenate([self.low, self.least[~self.equal]]) - there
        high = np.concatenate([self.high, self.most[~self.equal]]) - there
        with np.errstate(divide="ignore", invalid="ignore"):
            one, other = low / step, high / step
        ahead = np.where(step > 0, other, np.where(step < 0, one, np.inf))
        back = np.where(step > 0, one, np.where(step < 0, other, -np.inf))
        return (
            np.minimum(back.max(axis=1, initial=-np.inf), 0.0),
            np.maximum(ahead.min(axis=1, initial=np.inf), 0.0),
        )

    def inside(self, points: np.ndarray) -> np.ndarray:
        """Return points as they are, or drawn towards the centre until inside; m x r."""
        if not len(self.rows):
            return np.asarray(np.clip(points, self.low, self.high))
        sums = points @ self.rows.T
        if (
            (sums >= self.least - EXACT).all() and (sums <= self.most + EXACT).all()
            and (points >= self.low).all() and (points <= self.high).all()
        ):  # fmt: skip
            return points
        along = (points - self.centre) @ self.basis @ self.basis.T
        at = np.broadcast_to(self.centre, along.shape)
        _, ahead = self.chord(at, along)
        return np.asarray(at + along * np.minimum(ahead, 1.0)[:, None])

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return random points, evenly spread; shape count x r."""
        if not len(self.rows):
            width = self.high - self.low
            return np.asarray(self.low + rng.random((count, len(width))) * width)
        points = np.tile(self.centre, (count, 1))
        directions = self.basis.shape[1]
        for _ in range(WALK * (directions + 1) if directions else 0):
            along = rng.standard_normal((count, directions)) @ self.basis.T
            back, ahead = self.chord(points, along)
            points += along * (back + rng.random(count) * (ahead - back))[:, None]
        return self.inside(points)

    def corners(self) -> Iterator[np.ndarray]:
        """Yield corners: all reals at an end, and of those in a sum, each at its ends."""
        for end in (self.low, self.high):
            if not self.linked.any():
                yield end
            held = dict(enumerate(end))
            for i in np.flatnonzero(self.linked):
                del held[int(i)]
            low, high = self._held(held)
            for i in np.flatnonzero(self.linked):
                for sign in (1.0, -1.0):
                    goal = np.zeros(len(end))
                    goal[i] = sign
                    corner = self._corner(goal, low, high)
                    if corner is not None:
                        yield corner

    def steps(
        self, grids: Mapping[int, np.ndarray], near: np.ndarray
    ) -> Iterator[dict[int, float]]:
        """Yield what reals in steps may be together, the nearest to a point first.

        Parameters
        ----------
        grids:
            The positions that each real in steps may have, by its number.
        near:
            A point; shape r.
        """
        order = list(grids)
        columns = [[float(c) for c in self.rows[:, i]] for i in range(len(self.low))]
        tried = [
            sorted(map(float, grids[i]), key=lambda p, i=i: abs(p - near[i]))  # type: ignore[misc]
            for i in order
        ]
        free = [i for i in range(len(self.low)) if i not in grids]
        ends = [np.sort([self.rows[:, i] * self.low[i], self.rows[:, i] * self.high[i]], axis=0)
                for i in free]  # fmt: skip
        rest = [np.sum(ends, axis=0) if ends else np.zeros((2, len(self.rows)))]
        for i in reversed(order):
            products = np.outer(grids[i], self.rows[:, i])
            if not len(products):
                return
            rest.append(rest[-1] + [products.min(axis=0), products.max(axis=0)])
        # What the sums of the first so many must be, if the others are to make them up.
        windows = [
            list(zip(self.least - one[1] - SLACK, self.most - one[0] + SLACK, strict=True))
            for one in reversed(rest)
        ]  # fmt: skip
        dead: set[tuple[int, tuple[float, ...]]] = set()

        def fits(depth: int, sums: list[float]) -> bool:
            for one, (least, most) in zip(sums, windows[depth], strict=True):
                if not least <= one <= most:
                    return False
            return True

        def go(depth: int, sums: list[float]) -> Iterator[dict[int, float]]:
            if depth == len(order):
                yield {}
                return
            # Other ways to the same sums have the same ways on.
            key = depth, tuple(round(one, 9) for one in sums)
            if key in dead:
                return
            i, found = order[depth], False
            for p in tried[depth]:
                further = [s + c * p for s, c in zip(sums, columns[i], strict=True)]
                if fits(depth + 1, further):
                    for others in go(depth + 1, further):
                        found = True
                        others[i] = p
                        yield others
            if not found:
                dead.add(key)

        if fits(0, [0.0] * len(self.rows)):
            yield from go(0, [0.0] * len(self.rows))

    def _held(self, placed: Mapping[int, float]) -> tuple[np.ndarray, np.ndarray]:
        low, high = self.low.copy(), self.high.copy()
        for i, position in placed.items():
            low[i] = high[i] = position
        return low, high

    def _corner(
        self,
        goal: np.ndarray,
        low: np.ndarray | None = None,
        high: np.ndarray | None = None,
    ) -> np.ndarray | None:
        """Return a point of the region where a goal is least, in a smaller box."""
        low, high = (
            self.low if low is None else low,
            self.high if high is None else high,
        )
        sides = self.rows[~self.equal]
        return _solve(
            goal,
            np.vstack([sides, -sides]),
            np.concatenate([self.most[~self.equal], -self.least[~self.equal]]),
            self.rows[self.equal],
            self.most[self.equal],
            list(zip(low, high, strict=True)),
        )


def _solve(
    goal: np.ndarray,
    rows: np.ndarray,
    most: np.ndarray,
    equal: np.ndarray,
    value: np.ndarray,
    bounds: list[tuple[float, float]],
) -> np.ndarray | None:
    """Solve a linear programme; None if it has no solution."""
    from scipy.optimize import linprog

    there = np.isfinite(most)
    found = linprog(goal, rows[there], most[there], equal, value, bounds)
    return np.asarray(found.x) if found.success else None
