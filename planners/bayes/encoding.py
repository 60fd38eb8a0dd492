"""The encoding: candidates to points of the unit cube, and back.

Shapes: n candidates, r reals, d columns of an encoded point (reals first).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from planners.chemistry import descriptors
from planners.data import Candidate
from planners.space import Choice, Molecule, Space

COMPONENTS = 4
"""Principal components kept of the descriptors of a pool; more if two look alike."""

APART = 0.02
"""Least distance in the cube between two molecules of a pool."""


def components(molecule: Molecule) -> np.ndarray:
    """Return a pool as its leading principal components, within 0..1.

    A handful of molecules cannot tell a dozen lengthscales from each other; the
    leading components of standardised descriptors keep likes together in few columns.
    Where even all of them leave two molecules alike, each gets a column of its own.

    Returns
    -------
    :
        Shape molecules x components.
    """
    table = descriptors(molecule.options).table
    u, s, _ = np.linalg.svd(table - table.mean(axis=0), full_matrices=False)
    real = s > 1e-9 * s.max(initial=1.0)
    u, s = u[:, real], s[real]
    # The sign of a component is the library's choice; make it ours.
    scores: np.ndarray = u * s * np.sign(u[np.abs(u).argmax(axis=0), np.arange(len(s))])
    # One scale for all: the second component is less than the first, and stays so.
    scores = (scores - scores.min(axis=0)) / np.ptp(scores, axis=0).max(initial=1e-9)
    for k in range(COMPONENTS, len(s) + 1):
        if _least_gap(scores[:, :k]) >= APART:
            return scores[:, :k]
    if _least_gap(scores) >= APART:
        return scores
    return np.hstack([scores[:, :COMPONENTS], np.eye(len(scores))])


def _least_gap(scores: np.ndarray) -> float:
    gaps = np.linalg.norm(scores[:, None] - scores[None], axis=-1)
    np.fill_diagonal(gaps, np.inf)
    return float(gaps.min(initial=np.inf))


class Encoding:
    """The map between a space and the unit cube.

    Reals come first: 0 is their lower bound, 1 their upper one *for the options
    chosen*, on their scale. Then, for each molecule, principal components of its
    descriptors, and for each choice one column per option (0 or 1).
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.real_names = tuple(real.name for real in space.reals)
        self.names = list(self.real_names)
        self._rows: dict[str, dict[str, np.ndarray]] = {}
        for choice in space.choices:
            if isinstance(choice, Choice):
                table = np.eye(len(choice.options))[:, : len(choice.options)]
            else:
                table = components(choice)
            self._rows[choice.name] = dict(zip(choice.options, table, strict=True))
            self.names += [f"{choice.name}.{i + 1}" for i in range(table.shape[1])]

    def label(self, options: Mapping[str, object]) -> np.ndarray:
        """Return the columns that stand for molecules and choices; shape d - r."""
        parts = [self._rows[c.name][str(options[c.name])] for c in self.space.choices]
        return np.concatenate(parts) if parts else np.zeros(0)

    def encode(self, candidates: Sequence[Candidate]) -> np.ndarray:
        """Return candidates as points; shape n x d."""
        rows = [
            np.concatenate(
                [list(self.space.positions(c).values()), self.label(c.values)]
            )
            for c in candidates
        ]
        return np.array(rows).reshape(len(candidates), len(self.names))

    def decode(self, positions: np.ndarray, options: Mapping[str, str]) -> Candidate:
        """Return the candidate at positions of the reals (shape r) with these options."""
        placed = dict(zip(self.real_names, map(float, positions), strict=True))
        return self.space.candidate(placed, options)
