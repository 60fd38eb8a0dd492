"""Where the acquisition function may be looked at, if the space has rules.

Shapes: m points, c combinations of options, r reals, k choices.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import LinearConstraint, minimize

from planners.regions import Region
from planners.space import Space

CLOUD = 512
"""Random points of a space-filling design, of which each is the farthest of a few."""

FEW = 16
"""How many more of them are looked at for each point of the design."""

Slope = Callable[[np.ndarray], tuple[float, np.ndarray]]
"""The cost of a point (shape r) and its gradient."""


class Places:
    """The regions of each combination of options; each is worked out once."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self._names = [list(choice.options) for choice in space.choices]
        deciding = space.deciding()
        self._deciding = [
            k for k, choice in enumerate(space.choices) if choice.name in deciding
        ]
        self._alike: dict[tuple[bytes, ...], tuple[Region, ...]] = {}
        self._known: dict[tuple[int, ...], tuple[np.ndarray, tuple[Region, ...]]] = {}

    def allowed(self, labels: torch.Tensor) -> torch.Tensor:
        """Return combinations (c x k) without those that are forbidden or say the same.

        Options that do not count are as the rules fix them.
        """
        if not self.space.rules or not labels.shape[1]:
            return labels
        found = labels.numpy().copy()
        few, which = self._distinct(found)
        fixed, regions = zip(*map(self._of, few), strict=True)
        found[:, self._deciding] = np.array(fixed)[which]
        kept = np.array([bool(some) for some in regions])[which]
        if not kept.any():
            first = next(self.space.combinations()).values()
            pairs = zip(self._names, first, strict=True)
            return torch.tensor([[names.index(o) for names, o in pairs]]).double()
        distinct: torch.Tensor = torch.unique(torch.from_numpy(found[kept]), dim=0)
        return distinct

    def looks(
        self, labels: torch.Tensor, known: torch.Tensor, count: int, seed: int
    ) -> torch.Tensor:
        """Return places for each combination: the known drawn in, then random ones.

        Returns
        -------
        :
            Positions; shape c x (known + count) x r.
        """
        few, which = self._distinct(labels.numpy())
        found: dict[int, list[np.ndarray]] = {}
        order = []
        for row in few:
            _, regions = self._of(row)
            order.append(id(regions))
            if id(regions) not in found:
                inside = [nearest(regions, point) for point in known.numpy()]
                found[id(regions)] = [*inside, *drawn(regions, count, seed)]
        return torch.from_numpy(np.array([found[one] for one in order])[which])

    def regions(self, label: np.ndarray) -> tuple[Region, ...]:
        """Return the regions of a combination (k) as the rules have it; one of a kind."""
        few, _ = self._distinct(label[None])
        return self._of(few[0])[1]

    def within(self, labels: torch.Tensor, places: torch.Tensor) -> list[Region]:
        """Return the region in which each place (m x r) lies, or almost."""
        few, which = self._distinct(labels.numpy())
        regions = [self._of(row)[1] for row in few]
        return [
            min(regions[n], key=lambda one, at=place: away(one, at))  # type: ignore[misc]
            for n, place in zip(which, places.numpy(), strict=True)
        ]

    def design(self, label: np.ndarray, index: int, seed: int) -> np.ndarray:
        """Return one point of a space-filling design for a combination; shape r.

        Each point is, of a few more random ones than that before, the farthest from
        those so far [1]_.

        References
        ----------
        .. [1] D. P. Mitchell, SIGGRAPH 1991, 157, 10.1145/122718.122736.
        """
        few, _ = self._distinct(label[None])
        cloud = drawn(self._of(few[0])[1], CLOUD, seed)
        chosen, distance = cloud[0], np.full(CLOUD, np.inf)
        for turn in range(1, min(index, CLOUD - 1) + 1):
            square = ((cloud - chosen) ** 2).sum(axis=1)
            distance = np.minimum(distance, square)
            chosen = cloud[int(distance[: FEW * (turn + 1)].argmax())]
        return np.asarray(chosen)

    def _distinct(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the combinations of what decides, and which of them each label has."""
        decides = labels[:, self._deciding].astype(int)
        few, which = np.unique(decides, axis=0, return_inverse=True)
        return few, which.ravel()

    def _of(self, row: np.ndarray) -> tuple[np.ndarray, tuple[Region, ...]]:
        """Return a combination as the rules fix it, and its regions."""
        key = tuple(map(int, row))
        if key not in self._known:
            choices = self.space.choices
            numbers = dict(zip(self._deciding, key, strict=True))
            options = self.space.counted(
                {one.name: self._names[k][numbers.get(k, 0)] for k, one in enumerate(choices)}
            )  # fmt: skip
            fixed = [
                self._names[k].index(options[choices[k].name]) for k in self._deciding
            ]
            regions = self.space.regions(options)
            # Most options make no difference: where they do not, one region is kept.
            alike = tuple(part.tobytes() for one in regions for part in one.parts)
            regions = self._alike.setdefault(alike, regions)
            self._known[key] = np.array(fixed, float), regions
        return self._known[key]


def away(region: Region, point: np.ndarray) -> float:
    """Return how far a point (shape r) is from a region."""
    return float(np.linalg.norm(region.inside(point[None])[0] - point))


def nearest(regions: tuple[Region, ...], point: np.ndarray) -> np.ndarray:
    """Return a point drawn into the region that it is nearest to; shape r."""
    region = min(regions, key=lambda one: away(one, point))
    return np.asarray(region.inside(point[None])[0])


def drawn(regions: tuple[Region, ...], count: int, seed: int) -> np.ndarray:
    """Return random points of several regions, each as often as its box is large."""
    rng = np.random.default_rng(seed)
    sizes = np.array([region.size for region in regions])
    which = rng.choice(len(regions), size=count, p=sizes / sizes.sum())
    points = np.empty((count, len(regions[0].low)))
    for n, region in enumerate(regions):
        points[which == n] = region.draw(rng, int((which == n).sum()))
    return points


def climb(slope: Slope, start: np.ndarray, region: Region, steps: int) -> np.ndarray:
    """Return the best point near a start (shape r), all its sums kept on the way."""
    rules = [
        LinearConstraint(region.rows[some], region.least[some], region.most[some])
        for some in (region.equal, ~region.equal)
        if some.any()
    ]
    bounds = list(zip(region.low, region.high, strict=True))
    found = minimize(
        slope, start, jac=True, method="SLSQP", bounds=bounds, constraints=rules,
        options={"maxiter": steps},
    )  # fmt: skip
    better = np.isfinite(found.x).all() and found.fun <= slope(start)[0]
    return np.asarray(region.inside((found.x if better else start)[None])[0])
