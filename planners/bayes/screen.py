"""A first look at more points than the gain can be worked out for, a chunk at a time.

The squared distance of two points is a weighted sum of terms, each of which depends on
one choice's option, or on the positions of the reals. So the terms of each option to what
was observed are worked out once for a fit, and for a chunk of combinations they are added
up: nothing grows with the number of combinations but time. What promises most
(`planners.bayes.promise`) is looked at fully.

Shapes: m points, n held points of a look, p places, k choices, r reals, d columns of a
point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from planners.bayes.acquisition import scattered
from planners.bayes.design import COMBINATIONS
from planners.bayes.learned import Learned
from planners.bayes.product import Product, Ruled, can_be_screened
from planners.bayes.promise import Promise
from planners.question import BadQuestion
from planners.space import Space

KEPT = 4096
"""How many points are looked at fully."""

PLACES = 2
"""Scattered places at which every combination is looked at."""

CHUNKS = {"cpu": 2**18, "cuda": 2**24}
"""Distances that are worked out at once: what a cache holds, or what keeps a GPU busy."""

LISTED = 2**14
"""Most options of a choice whose terms are kept."""

Score = Callable[[int, int, float], torch.Tensor]
"""Gives scores of all combinations with the heads from one number to another.

Those below the last number may be given as minus infinity.
"""

Tables = list[torch.Tensor]
"""For each look, weighted squared distances to the points that it holds; m x n."""


class Top:
    """The highest scores so far, and of which points; of equals the first."""

    def __init__(self, most: int, at: torch.Tensor) -> None:
        self._most, self.least = most, -math.inf
        self._value = at.new_empty(0)
        self._number = at.new_empty(0, dtype=torch.int64)

    def add(self, value: torch.Tensor, first: int) -> None:
        """Add the scores of points (m), the number of the first of which is given."""
        better = torch.nonzero(value > self.least)[:, 0]
        if len(better):
            self._value = torch.cat([self._value, value[better]])
            self._number = torch.cat([self._number, better + first])
        if len(self._value) > 2 * self._most:
            self.best()

    def best(self) -> np.ndarray:
        """Return the numbers of the best points, best first."""
        by_number = self._number.argsort()
        value, number = self._value[by_number], self._number[by_number]
        order = value.argsort(descending=True, stable=True)[: self._most]
        self._value, self._number = value[order], number[order]
        if len(order) == self._most:
            self.least = float(self._value[-1])
        return np.asarray(self._number.cpu().numpy())


def device(name: str) -> torch.device:
    """Return the device ``cpu``, ``cuda``, or ``cuda:1``.

    Raises
    ------
    BadQuestion
        If there is no such device here.
    """
    kind, _, number = name.partition(":")
    if kind not in CHUNKS or (":" in name and not number.isdecimal()):
        rule = "it must be cpu, cuda, or cuda:1 for the second GPU"
        raise BadQuestion(f"device {name!r}: {rule}")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "cuda" and int(number or 0) >= count:
        seen = f"torch {torch.__version__} sees {count} GPUs here"
        raise BadQuestion(f"device {name!r}: {seen}")
    return torch.device(name)


def is_large(space: Space, listed: int) -> bool:
    """Return whether not everything can be looked at fully, but all can be screened."""
    if listed:
        return listed > COMBINATIONS
    whole = math.prod(len(choice.options) for choice in space.choices)
    return whole > COMBINATIONS and can_be_screened(space)


def promising(
    learned: Learned,
    pool: torch.Tensor,
    known: torch.Tensor,
    seed: int,
    *,
    device: torch.device,
    single: bool,
) -> tuple[torch.Tensor, torch.Tensor, dict[str, Any]]:
    """Return what a large space is looked at for, its numbers, and a note for the card.

    Points of the pool (m x d), if there is one, else combinations of options.
    """
    screen = Screen(learned, device, single=single)
    with torch.no_grad():
        if len(pool):
            every = whole = len(pool)
            rows = torch.from_numpy(screen.rows(pool))
            among = pool[rows]
        else:
            product = Product(learned.encoding.space, seed)
            every, whole = product.count, product.whole
            labels = screen.combinations(product, known, seed)
            among = torch.from_numpy(labels).double()
            rows = torch.arange(len(among))
    note = {"of": whole, "looked at": every, "fully": len(among)}
    return among, rows, {**note, "device": str(device)}


def _dealt(count: int, each: int) -> list[int]:
    """Return where chunks start, shuffled: the sooner good points are met, the better.

    What promises less than those is passed over quickly.
    """
    starts = np.arange(0, count, each)
    return [int(one) for one in np.random.default_rng(0).permutation(starts)]


class Screen:
    """Finds what promises most, by what one call of the planner has learned.

    Parameters
    ----------
    device, single:
        Where chunks are worked out, and whether in single precision.
    chunk:
        Points that are scored at once; None for what suits the device.
    kept:
        How many are found.
    """

    def __init__(
        self,
        learned: Learned,
        device: torch.device,
        *,
        single: bool = False,
        chunk: int | None = None,
        kept: int = KEPT,
    ) -> None:
        self.base, self.encoding = learned.points, learned.encoding
        self.at = torch.zeros(
            (), dtype=torch.float32 if single else torch.float64, device=device
        )
        self.promise, self.kept = Promise(learned, self.at), kept
        self.looks = self.promise.looks
        most = max(len(one.held) for one in self.looks)
        self.chunk = chunk or max(CHUNKS[device.type] // most, 1)
        self._kept: dict[int, Tables] = {}

    def combinations(
        self, product: Product, known: torch.Tensor, seed: int
    ) -> np.ndarray:
        """Return the combinations that promise most, best first; at most kept x k.

        Each at the best of its places: the known positions (any x r), and scattered
        ones.
        """
        if self.encoding.space.rules:
            score = self._ruled(product, known, seed)
        else:
            score = self._free(product, known, seed)
        top, each = Top(self.kept, self.at), max(self.chunk // product.tails, 1)
        for start in _dealt(product.heads, each):
            stop = min(start + each, product.heads)
            top.add(score(start, stop, top.least), start * product.tails)
        return product.labels(top.best())

    def rows(self, points: torch.Tensor) -> np.ndarray:
        """Return the numbers of the points (m x d) that promise most, best first."""
        r, top = len(self.encoding.real_names), Top(self.kept, self.at)
        for start in _dealt(len(points), self.chunk):
            some = points[start : start + self.chunk].numpy()
            axes = range(some.shape[1] - r)
            squares = self._terms(axes, some[:, r:].astype(int))
            reals = self._reals(some[:, :r])
            top.add(self.promise(map(torch.add, squares, reals), top.least), start)
        return top.best()

    def _free(self, product: Product, known: torch.Tensor, seed: int) -> Score:
        """Return what scores heads from one number to another, without rules."""
        places = known.numpy()
        if places.shape[1]:
            some = scattered(PLACES, places.shape[1], seed)
            places = np.concatenate([places, some.numpy()])
        else:
            places = places[:1]
        tails = self._tails(product)
        pairs = zip(tails, self._reals(places), strict=True)
        tails = [tail[None] + place[:, None] for tail, place in pairs]

        # Room of this size takes as long to get as it does to fill: it is kept.
        every = [self.at.new_empty(0) for _ in self.looks]

        def score(start: int, stop: int, least: float) -> torch.Tensor:
            heads = self._heads(product, start, stop)
            shape = (stop - start, product.tails)
            rooms = [
                room.resize_(*shape, t.shape[-1])
                for room, t in zip(every, tails, strict=True)
            ]
            each = []
            for place in range(len(places)):
                squares = (
                    torch.add(h[:, None], t[place], out=room).flatten(0, 1)
                    for h, t, room in zip(heads, tails, rooms, strict=True)
                )
                each.append(self.promise(squares, least))
            return torch.stack(each).amax(dim=0)

        return score

    def _ruled(self, product: Product, known: torch.Tensor, seed: int) -> Score:
        """Return what scores heads, where rules forbid some and say where to look."""
        ruled = Ruled(self.encoding.places, known.numpy(), PLACES, seed)
        tails = self._tails(product)
        tables: Tables = []

        def score(start: int, stop: int, least: float) -> torch.Tensor:
            nonlocal tables
            numbers = np.arange(start * product.tails, stop * product.tails)
            kinds = ruled.kinds(product.labels(numbers))
            value = self.at.new_full((len(numbers),), -math.inf)
            if not (kinds >= 0).any():
                return value
            if not tables or len(tables[0]) < len(ruled.places):
                tables = self._at(np.array(ruled.places))
            heads = self._heads(product, start, stop)
            here = np.flatnonzero(kinds >= 0)
            rows = (here // product.tails, here % product.tails, kinds[here])
            head, tail, kind = (self._numbers(one) for one in rows)
            each = []
            for place in range(tables[0].shape[1]):
                squares = (
                    h[head].add_(t[tail]).add_(p[kind, place])
                    for h, t, p in zip(heads, tails, tables, strict=True)
                )
                each.append(self.promise(squares, least))
            value[self._numbers(here)] = torch.stack(each).amax(dim=0)
            return value

        return score

    def _heads(self, product: Product, start: int, stop: int) -> Tables:
        return self._terms(product.head, product.of_heads(np.arange(start, stop)))

    def _tails(self, product: Product) -> Tables:
        return self._terms(product.tail, product.of_tails(np.arange(product.tails)))

    def _terms(self, axes: Sequence[int], options: np.ndarray) -> Tables:
        """Return the terms of choices (axes) with these options (m x axes), added up."""
        total = [self.at.new_zeros(len(options), len(one.held)) for one in self.looks]
        for column, k in enumerate(axes):
            tables, rows = self._of(k, options[:, column])
            there = self._numbers(rows)
            total = [a.add_(b[there]) for a, b in zip(total, tables, strict=True)]
        return total

    def _of(self, k: int, options: np.ndarray) -> tuple[Tables, np.ndarray]:
        """Return tables of a choice's options, and the row in them of each option."""
        every = len(self.encoding.space.choices[k].options)
        if every > LISTED:
            few, rows = np.unique(options, return_inverse=True)
            return self._weighted(k, few), rows.ravel()
        if k not in self._kept:
            self._kept[k] = self._weighted(k, np.arange(every))
        return self._kept[k], options

    def _weighted(self, k: int, options: np.ndarray) -> Tables:
        """Return the terms of some options (m) of a choice."""
        r = len(self.encoding.real_names)
        base, which = np.unique(self.base[:, r + k].numpy(), return_inverse=True)
        tables = [np.zeros((len(options), len(self.base))) for _ in self.looks]
        for j, aspect in enumerate(self.encoding.aspects):
            weights = [float(look.weights[r + j]) for look in self.looks]
            if aspect.choice != k or not any(weights):
                continue
            apart = aspect.between(options, base.astype(int))[:, which.ravel()]
            for table, weight in zip(tables, weights, strict=True):
                table += weight * apart
        return self._moved(tables)

    def _reals(self, positions: np.ndarray) -> Tables:
        """Return the terms of positions (m x r) of the reals, added up."""
        tables = [np.zeros((len(positions), len(self.base))) for _ in self.looks]
        for i in range(positions.shape[1]):
            square = (positions[:, i, None] - self.base[None, :, i].numpy()) ** 2
            for look, table in zip(self.looks, tables, strict=True):
                table += float(look.weights[i]) * square
        return self._moved(tables)

    def _at(self, places: np.ndarray) -> Tables:
        """Return the terms of several lots of places (lots x p x r); lots x p x n."""
        lots, p, r = places.shape
        flat = self._reals(places.reshape(lots * p, r))
        return [one.view(lots, p, -1) for one in flat]

    def _numbers(self, rows: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(rows).to(self.at.device)

    def _moved(self, tables: list[np.ndarray]) -> Tables:
        """Return tables (m x base) of what each look holds, where chunks are worked out."""
        return [
            torch.from_numpy(table[:, look.held]).to(self.at)
            for look, table in zip(self.looks, tables, strict=True)
        ]
