"""Every combination of options of a space, by its number and never all in memory.

Shapes: m combinations, k choices, p places, r reals.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from planners.bayes.places import Places, drawn, nearest
from planners.regions import Region
from planners.rules import Forbidden, OnlyIf, Span
from planners.space import Space

EVERY = 10**8
"""Most combinations that are all looked at."""

SOME = 10**6
"""About how many drawn ones are, of more than that."""

TAIL = 256
"""Most combinations of the choices that vary fastest; their distances are kept."""

REGIONS = 30_000
"""Most combinations of the options that decide where the reals may lie."""


class Product:
    """The combinations of options, the choice with the most options varying slowest.

    A combination is a *head*, of the choices that vary slowly, and a *tail*, of the last
    few: combination ``i`` has the head ``i // tails`` and the tail ``i % tails``.

    Parameters
    ----------
    seed:
        Of the heads that are drawn where there are more combinations than `EVERY`.
    """

    def __init__(self, space: Space, seed: int) -> None:
        sizes = [len(choice.options) for choice in space.choices]
        axes = sorted(range(len(sizes)), key=lambda k: -sizes[k])
        cut = len(axes)
        while cut > 0 and math.prod(sizes[k] for k in axes[cut - 1 :]) <= TAIL:
            cut -= 1
        self.head, self.tail = axes[:cut], axes[cut:]
        self._head_sizes = [sizes[k] for k in self.head]
        self._tail_sizes = [sizes[k] for k in self.tail]
        self.tails = math.prod(self._tail_sizes)
        self.heads = math.prod(self._head_sizes)
        self._drawn: np.ndarray | None = None
        self.whole = self.heads * self.tails
        if self.whole > EVERY:
            rng = np.random.default_rng(seed)
            shape = (max(SOME // self.tails, 1), len(self.head))
            some = rng.integers(0, self._head_sizes, size=shape)
            self._drawn = np.unique(some, axis=0)
            self.heads = len(self._drawn)
        self.count = self.heads * self.tails

    def of_heads(self, numbers: np.ndarray) -> np.ndarray:
        """Return the options of heads (m), in the order of ``head``; m x some."""
        if self._drawn is not None:
            return np.asarray(self._drawn[numbers])
        return _unravelled(numbers, self._head_sizes)

    def of_tails(self, numbers: np.ndarray) -> np.ndarray:
        """Return the options of tails (m), in the order of ``tail``; m x some."""
        return _unravelled(numbers, self._tail_sizes)

    def labels(self, numbers: np.ndarray) -> np.ndarray:
        """Return combinations (m) in the order of the space; m x k."""
        heads, tails = np.divmod(numbers, self.tails)
        found = np.empty((len(numbers), len(self.head) + len(self.tail)), np.int64)
        found[:, self.head] = self.of_heads(heads)
        found[:, self.tail] = self.of_tails(tails)
        return found


def _unravelled(numbers: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    if not sizes:
        return np.zeros((len(numbers), 0), np.int64)
    return np.stack(np.unravel_index(numbers, tuple(sizes)), axis=1)


class Ruled:
    """Which combinations the rules allow, and at which places each is looked at.

    Rules on options alone are looked up; where the reals may lie is worked out once for
    each combination of the options that it depends on.

    Parameters
    ----------
    known:
        Positions worth a look with every combination; shape any x r.
    count, seed:
        Of the scattered places besides.
    """

    def __init__(
        self, places: Places, known: np.ndarray, count: int, seed: int
    ) -> None:
        space = places.space
        self._regions, self._known = places.regions, known
        self._count, self._seed = count, seed
        self._forbidden = [
            _inside(space, rule.when)
            for rule in space.rules
            if isinstance(rule, Forbidden) and _of_options(rule)
        ]
        names = [choice.name for choice in space.choices]
        self._fixed = []
        for rule in space.rules:
            if isinstance(rule, OnlyIf) and rule.parameter in names:
                k = names.index(rule.parameter)
                rest = list(space.choices[k].options).index(str(rule.otherwise))
                self._fixed.append((_inside(space, rule.needs), k, rest))
        self._deciding = deciding(space)
        self._sizes = [len(space.choices[k].options) for k in self._deciding]
        self._kind = np.full(math.prod(self._sizes), -2)
        self._alike: dict[int, int] = {}
        self.places: list[np.ndarray] = []

    def kinds(self, labels: np.ndarray) -> np.ndarray:
        """Return which of ``places`` each combination (m x k) has; -1 if forbidden."""
        broken = np.zeros(len(labels), bool)
        for when in self._forbidden:
            broken |= _meets(labels, when)
        for needs, k, rest in self._fixed:
            broken |= (labels[:, k] != rest) & ~_meets(labels, needs)
        keys = np.zeros(len(labels), np.int64)
        for k, size in zip(self._deciding, self._sizes, strict=True):
            keys = keys * size + labels[:, k]
        unknown = ~broken & (self._kind[keys] == -2)
        new, first = np.unique(keys[unknown], return_index=True)
        for key, row in zip(new, np.flatnonzero(unknown)[first], strict=True):
            self._kind[key] = self._of(self._regions(labels[row]))
        return np.where(broken, -1, self._kind[keys])

    def _of(self, regions: tuple[Region, ...]) -> int:
        """Return the number of the places in these regions; -1 if there are none."""
        if not regions:
            return -1
        # The same object is returned for regions that are alike.
        if id(regions) not in self._alike:
            self._alike[id(regions)] = len(self.places)
            if not self._known.shape[1]:
                self.places.append(np.zeros((1, 0)))
                return self._alike[id(regions)]
            inside = [nearest(regions, point) for point in self._known]
            scattered = drawn(regions, self._count, self._seed)
            self.places.append(np.array([*inside, *scattered]))
        return self._alike[id(regions)]


def deciding(space: Space) -> list[int]:
    """Return the choices that decide where the reals may lie, of what is allowed."""
    reals = {real.name: real for real in space.reals}
    names: set[str] = set()
    moved: set[str] = set()
    for rule in space.rules:
        if isinstance(rule, OnlyIf):
            if rule.parameter in reals:
                names |= set(rule.needs)
                moved.add(rule.parameter)
        elif isinstance(rule, Forbidden):
            if not _of_options(rule):
                names |= {one for one in rule.when if one not in reals}
                moved |= {one for one in rule.when if one in reals}
        else:
            moved |= set(rule.coefficients)
    names |= {caps.parameter for one in moved if (caps := reals[one].caps)}
    return [k for k, choice in enumerate(space.choices) if choice.name in names]


def can_be_screened(space: Space) -> bool:
    """Return whether there are few enough regions to look into each."""
    sizes = [len(space.choices[k].options) for k in deciding(space)]
    return math.prod(sizes) <= REGIONS


def _of_options(rule: Forbidden) -> bool:
    return not any(isinstance(one, Span) for one in rule.when.values())


Inside = list[tuple[int, np.ndarray]]
"""Choices by their number, and whether each of their options is meant."""


def _inside(space: Space, when: Mapping[str, object]) -> Inside:
    found = []
    for k, choice in enumerate(space.choices):
        if choice.name in when:
            meant = when[choice.name]
            assert isinstance(meant, tuple)  # noqa: S101
            each = (option in meant for option in choice.options)
            found.append((k, np.fromiter(each, bool, len(choice.options))))
    return found


def _meets(labels: np.ndarray, when: Inside) -> np.ndarray:
    """Return which combinations have only options that are meant; shape m."""
    found = np.ones(len(labels), bool)
    for k, meant in when:
        found &= meant[labels[:, k]]
    return found
