"""The encoding: candidates to points, and how far apart two points are in each respect.

A point is the positions of the reals (0 to 1), then for each choice the number of its
option. Two points differ in as many respects as there are *aspects*: one for each real,
one for each choice among names, and several for a molecule, which can be described in
several ways. An aspect is a squared distance of about 0 to 1; how much each counts is
the surrogate's business.

Shapes: n, m points, r reals, k choices, d = r + k columns of a point, a aspects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy.sparse import csr_array

from planners.bayes.places import Places
from planners.chemistry import tanimoto
from planners.data import Candidate
from planners.kept import described as kept_described
from planners.space import Choice, Molecule, Space

COMPONENTS = 4
"""Principal components kept of the descriptors of a pool."""

SMALL = 1024
"""Most options for which the distances between all are kept."""

Between = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Squared distances from some options (m) to others (n), by their numbers; m x n."""


@dataclass(frozen=True, slots=True)
class Aspect:
    """One respect in which two options differ. ``view`` is the way of describing it."""

    name: str
    view: str
    choice: int
    between: Between


def components(table: np.ndarray) -> np.ndarray:
    """Return the leading principal components of a table, on one scale.

    A handful of molecules cannot tell a dozen lengthscales from each other; the leading
    components of standardised descriptors keep likes together in few columns.

    Returns
    -------
    :
        Shape molecules x components; the mean squared distance of two rows is 1.
    """
    table = table - table.mean(axis=0)
    u, s, _ = np.linalg.svd(table, full_matrices=False)
    scores: np.ndarray = (u * s)[:, :COMPONENTS]
    spread = float(np.sqrt(2.0 * (scores**2).sum(axis=1).mean()))
    return np.asarray(scores / max(spread, 1e-9))


@lru_cache(maxsize=8)
def described(pool: tuple[tuple[str, str], ...]) -> tuple[np.ndarray, csr_array]:
    """Return components and fingerprints of a pool; kept, for they may take seconds."""
    descriptors, counts = kept_described(dict(pool))
    return components(descriptors.table), counts


def aspects(choice: int, parameter: Molecule) -> list[Aspect]:
    """Return the ways of describing a pool of molecules."""

    def scattered(table: np.ndarray) -> Between:
        def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            square = ((table[a][:, None] - table[b][None]) ** 2).sum(axis=-1)
            return np.asarray(square)

        return between

    def alike(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return 1.0 - tanimoto(counts[a], counts[b])

    leading, counts = described(tuple(parameter.options.items()))
    views = {"descriptors": scattered(leading), "fingerprint": alike}
    if parameter.columns:
        own = np.array([parameter.columns[name] for name in parameter.options])
        spread = own.std(axis=0)
        views["own"] = scattered(components(own / np.where(spread > 0, spread, 1.0)))
    found = [
        Aspect(f"{parameter.name}.{view}", view, choice, between)
        for view, between in views.items()
    ]
    if len(parameter.options) > SMALL:
        return found
    return [kept(one, len(parameter.options)) for one in found]


def kept(aspect: Aspect, count: int) -> Aspect:
    """Return an aspect that looks up distances, worked out once between all options."""
    every = np.arange(count)
    table = aspect.between(every, every)
    return Aspect(
        aspect.name, aspect.view, aspect.choice, lambda a, b: table[np.ix_(a, b)]
    )


def other(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return 1 where two options are not the same, else 0."""
    return np.asarray(a[:, None] != b[None], float)


def apart_in(count: int) -> Between:
    """Return how far two places in an ordered list are apart: 1 from end to end."""

    def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.asarray(((a[:, None] - b[None]) / max(count - 1, 1)) ** 2)

    return between


class Encoding:
    """The map between a space and points, and the distances between points.

    A real is 0 at its lower bound and 1 at its upper one *for the options chosen*, on
    its scale.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.places = Places(space)
        self.real_names = tuple(real.name for real in space.reals)
        self.aspects: list[Aspect] = []
        self._names = [(choice.name, tuple(choice.options)) for choice in space.choices]
        self._numbers = [
            {option: i for i, option in enumerate(choice.options)}
            for choice in space.choices
        ]
        for k, choice in enumerate(space.choices):
            if isinstance(choice, Molecule) and len(choice.options) > 1:
                self.aspects += aspects(k, choice)
            unlike: Between = other
            if isinstance(choice, Choice) and choice.ordered:
                unlike = apart_in(len(choice.options))
            self.aspects.append(Aspect(choice.name, "identity", k, unlike))
        self.names = [*self.real_names, *(aspect.name for aspect in self.aspects)]

    @property
    def views(self) -> list[str]:
        """The ways of describing molecules that this space has."""
        every = [aspect.view for aspect in self.aspects if aspect.view != "identity"]
        return list(dict.fromkeys(every))

    def used(self, view: str) -> list[bool]:
        """Return which aspects count if molecules are described in one way."""
        return [True] * len(self.real_names) + [
            aspect.view in ("identity", view) for aspect in self.aspects
        ]

    def used_by_view(self) -> dict[str, list[bool]]:
        """Return which aspects count, for each way of describing molecules."""
        return {view: self.used(view) for view in self.views or [""]}

    def label(self, options: Mapping[str, object]) -> np.ndarray:
        """Return the numbers of the options chosen; shape k."""
        every = zip(self.space.choices, self._numbers, strict=True)
        return np.array([numbers[str(options[c.name])] for c, numbers in every], float)

    def options(self, label: Sequence[float]) -> dict[str, str]:
        """Return the options with these numbers."""
        every = zip(self._names, label, strict=True)
        return {name: options[int(i)] for (name, options), i in every}

    def encode(self, candidates: Sequence[Candidate]) -> torch.Tensor:
        """Return candidates as points; shape n x d."""
        rows = [
            [*self.space.positions(c).values(), *self.label(c.values)]
            for c in candidates
        ]
        width = len(self.real_names) + len(self._numbers)
        return torch.tensor(rows, dtype=torch.double).reshape(len(rows), width)

    def decode(self, positions: np.ndarray, options: Mapping[str, str]) -> Candidate:
        """Return the candidate at positions of the reals (shape r) with these options."""
        placed = dict(zip(self.real_names, map(float, positions), strict=True))
        return self.space.candidate(placed, options)

    def between(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return the squared distances of points (m x d, n x d); shape a x m x n.

        They have a gradient in the positions of the reals.
        """
        r = len(self.real_names)
        reals = (a[:, None, :r] - b[None, :, :r]).square().permute(2, 0, 1)
        return torch.cat([reals, self.between_options(a[:, r:], b[:, r:])])

    def between_options(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return the squared distances of labels (m x k, n x k) in all but the reals."""
        found = torch.empty(len(self.aspects), len(a), len(b), dtype=torch.double)
        for k in range(a.shape[1]):
            # Each distinct option once: many points share a molecule.
            left, to_left = np.unique(a[:, k].detach().numpy(), return_inverse=True)
            right, to_right = np.unique(b[:, k].detach().numpy(), return_inverse=True)
            for j, aspect in enumerate(self.aspects):
                if aspect.choice == k:
                    few = aspect.between(left.astype(int), right.astype(int))
                    found[j] = torch.from_numpy(few[np.ix_(to_left, to_right)])
        return found
