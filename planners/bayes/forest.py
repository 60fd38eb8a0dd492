"""A random forest as second opinion: what a surrogate of another kind sees.

A forest knows no distances and no smoothness, so that what the two agree on is owed to
neither. It is scored by what its trees say of observations they were not grown from, in
the unit in which the process is scored by leaving one out.

Shapes: n observations, m points, t trees, d columns of a point, c features.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from planners.bayes.encoding import Encoding, described
from planners.bayes.surrogate import Surrogate
from planners.space import Choice, Molecule

TREES = 50
"""Trees of a forest; each observation is left out by about a third of them."""

FEWEST, MOST = 10, 200
"""How many observations a forest is grown from; fewer say little, more take long."""

LEAST = 1e-3
"""Least deviation of the residual noise, in those of the target."""


def features(encoding: Encoding, points: torch.Tensor) -> np.ndarray:
    """Return points (m x d) as columns for trees; shape m x c.

    Positions of the reals, a column for each option of a choice (one for all, if they
    are ordered), the leading components of the descriptors of a molecule.
    """
    r = len(encoding.real_names)
    columns = [points[:, :r].numpy()]
    for k, choice in enumerate(encoding.space.choices):
        number = points[:, r + k].numpy().astype(int)
        if isinstance(choice, Molecule):
            table = described(tuple(choice.options.items()))[0]
            columns.append(table[number])
        elif isinstance(choice, Choice) and choice.ordered:
            columns.append(number[:, None].astype(float))
        else:
            each = np.arange(len(choice.options))
            columns.append((number[:, None] == each).astype(float))
    return np.concatenate(columns, axis=1)


class Forest:
    """A forest grown from features (n x c) and targets (n), the same for the same seed.

    ``mean`` and ``deviation`` are of each target, from trees that have not seen it.
    """

    def __init__(self, columns: np.ndarray, values: np.ndarray, seed: int) -> None:
        from sklearn.ensemble import RandomForestRegressor

        model = RandomForestRegressor(TREES, random_state=seed, n_jobs=1)
        model.fit(columns, values)
        self._trees = model.estimators_
        unseen = np.ones((TREES, len(values)), dtype=bool)
        for row, drawn in zip(unseen, model.estimators_samples_, strict=True):
            row[drawn] = False
        # Of few trees it may be that all have seen one; then all are asked.
        unseen[:, ~unseen.any(axis=0)] = True
        said = np.where(unseen, self._said(columns), np.nan)
        self.mean = np.nanmean(said, axis=0)
        spread = np.nanvar(said, axis=0)
        left = np.mean((values - self.mean) ** 2 - spread)
        self.noise = float(np.sqrt(max(left, (LEAST * values.std()) ** 2, 1e-18)))
        self.deviation = np.sqrt(spread + self.noise**2)
        z = (values - self.mean) / self.deviation
        each = -0.5 * z**2 - np.log(self.deviation) - 0.5 * math.log(2.0 * math.pi)
        self.log_score = float(each.mean())

    def _said(self, columns: np.ndarray) -> np.ndarray:
        """Return what each tree says; shape t x m."""
        narrow = np.ascontiguousarray(columns, dtype=np.float32)
        return np.array(
            [tree.predict(narrow, check_input=False) for tree in self._trees]
        )

    def predict(self, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return means and deviations, without noise, of features (m x c); shape m."""
        said = self._said(columns)
        return said.mean(axis=0), said.std(axis=0)


def second_opinion(
    surrogate: Surrogate,
    encoding: Encoding,
    points: torch.Tensor,
    values: np.ndarray,
    seed: int,
) -> dict[str, Any] | None:
    """Return plain JSON values for the card; None with too few or too many observations.

    ``agrees`` is Spearman's correlation of what both predict of observations left out;
    log scores are means per observation (nats), of the target in its unit. ``points``
    (n x d) and ``values`` (n) are what the surrogate was fitted to; what it does not
    believe is left out.
    """
    kept = surrogate.process.kept
    if not FEWEST <= int(kept.sum()) <= MOST or np.ptp(values[kept.numpy()]) == 0.0:
        return None
    forest = Forest(features(encoding, points[kept]), values[kept.numpy()], seed)
    best, process = surrogate.best, surrogate.process
    with torch.no_grad():
        mean = process.leave_one_out()[0][best][kept].numpy()
        score = float(process.log_scores()[best][kept].mean())
    if np.ptp(forest.mean) > 0.0 and np.ptp(mean) > 0.0:
        agrees = round(float(spearmanr(forest.mean, mean).statistic), 3)
    else:
        agrees = None
    return {
        "forest log_score": round(forest.log_score, 3),
        "process log_score": round(score, 3),
        "agrees": agrees,
    }
