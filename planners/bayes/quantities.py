"""What points say in the units of the space: numbers, options, and which of them count.

Shapes: m points, r reals, k choices, d = r + k columns of a point (reals first).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch

from planners.rules import OnlyIf
from planners.space import Space

Column = tuple[str, int, np.ndarray]
"""A choice, its number, and a value for each of its options."""


class Quantities:
    """Reads the points of a space."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self._number = {one.name: k for k, one in enumerate(space.choices)}
        self._highs: dict[str, Column] = {}
        for real in space.reals:
            if real.caps is not None:
                (column,) = self.columns({real.caps.parameter: real.caps.highs})
                self._highs[real.name] = column
        self._needs = {
            rule.parameter: self.columns(
                {n: dict.fromkeys(some, 1.0) for n, some in rule.needs.items()}
            )
            for rule in space.rules
            if isinstance(rule, OnlyIf)
        }

    def columns(self, tables: Mapping[str, Mapping[str, float]]) -> list[Column]:
        """Return tables of options by choice, to be looked up; 0 for what is not named."""
        return [
            (name, self._number[name], np.array([
                table.get(option, 0.0)
                for option in self.space.choices[self._number[name]].options
            ]))
            for name, table in tables.items()
        ]  # fmt: skip

    def labels(self, points: torch.Tensor) -> np.ndarray:
        """Return the numbers of the options chosen; m x k."""
        return points[:, len(self.space.reals) :].detach().numpy().astype(int)

    def counts(self, labels: np.ndarray) -> dict[str, torch.Tensor]:
        """Return, of each parameter that may not count, in which labels it does; m."""
        return {
            name: torch.from_numpy(
                np.all([row[labels[:, k]] > 0.0 for _, k, row in needs], axis=0)
            )
            for name, needs in self._needs.items()
        }

    def values(
        self, points: torch.Tensor, labels: np.ndarray, names: Iterable[str]
    ) -> dict[str, torch.Tensor]:
        """Return the values of some reals in their units, steps not counted; m of each.

        They have a gradient in the positions.
        """
        values = {}
        wanted = set(names)
        for i, real in enumerate(self.space.reals):
            if real.name not in wanted:
                continue
            high = torch.full((len(points),), real.high, dtype=torch.double)
            if real.name in self._highs:
                _, k, highs = self._highs[real.name]
                high = high.minimum(torch.from_numpy(highs[labels[:, k]]))
            if real.scale == "log":
                values[real.name] = real.low * (high / real.low) ** points[:, i]
            else:
                values[real.name] = real.low + points[:, i] * (high - real.low)
        return values
