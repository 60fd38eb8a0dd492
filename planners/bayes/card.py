"""The card of a fitted surrogate: what a person needs to judge it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from scipy.stats import t as student

from planners.bayes.encoding import Encoding
from planners.bayes.surrogate import Surrogate
from planners.data import Objective

STEP = 0.05
"""How far to either side of an observation a slope is taken, in widths of the space."""


def model_card(
    surrogate: Surrogate, objective: Objective, encoding: Encoding, points: torch.Tensor
) -> dict[str, Any]:
    """Return plain JSON values; ``points`` are what was learned from, shape n x d.

    Lengthscales are in widths of the space; noise is one standard deviation of a
    replicate of the middle observation, in the unit of the target; the log score is the
    mean leave-one-out log density (nats). What is not believed is not scored.
    """
    best, process = surrogate.best, surrogate.process
    with torch.no_grad():
        mean, deviation = (one[best].numpy() for one in process.leave_one_out())
        kept = process.kept.numpy()
        scores = process.log_scores()[:, process.kept].mean(dim=-1)
        noise = math.sqrt(float(process.noise[best])) / math.exp(
            float(process.log_slope[best].median())
        )
        unit = np.exp(-process.log_slope[best].numpy())[kept]
    miss = (process.y[best].numpy() - mean)[kept]
    z = np.abs(miss) / (surrogate.wider * deviation[kept])
    limit = student.ppf(0.95, surrogate.freedom)
    return {
        "kernel": "Matern-5/2, a lengthscale an aspect, dimension-scaled priors",
        "molecules described by": surrogate.views[best],
        "log_scores": dict(
            zip(surrogate.views, (round(float(s), 3) for s in scores), strict=True)
        ),
        "power": round(float(process.power[best]), 3) if process.bend else 1.0,
        "observations": len(kept),
        "target": f"log10({objective.name} / ({objective.unit}))"
        if objective.scale == "log"
        else f"{objective.name} ({objective.unit})",
        "direction": objective.direction,
        "lengthscales": {
            name: round(float(length), 3)
            for name, length, weight in zip(
                encoding.names,
                process.lengths[best],
                process.weights[best],
                strict=True,
            )
            if weight > 0
        },
        "importance": importance(surrogate, encoding, points),
        "slope": slopes(surrogate, objective, encoding, points),
        "noise": round(noise, 5),
        "wider": round(surrogate.wider, 3),
        "leave_one_out": {
            "coverage_of_90_percent": round(float(np.mean(z < limit)), 3),
            "log_score": round(float(scores[best]), 3),
            "rms": round(float(np.sqrt(np.mean((miss * unit) ** 2))), 4),
        },
    }


def importance(
    surrogate: Surrogate, encoding: Encoding, points: torch.Tensor
) -> dict[str, float]:
    """Return each aspect's share of how far apart the observations are to the surrogate."""
    weights = surrogate.process.weights[surrogate.best]
    share = weights * encoding.between(points, points).mean(dim=(1, 2))
    total = max(float(share.sum()), 1e-12)
    return {
        name: round(float(one) / total, 3)
        for name, one, weight in zip(encoding.names, share, weights, strict=True)
        if weight > 0
    }


def slopes(
    surrogate: Surrogate, objective: Objective, encoding: Encoding, points: torch.Tensor
) -> dict[str, float]:
    """Return how the objective changes with each real, on the average of the observations.

    In standard deviations of the target for the whole width of the space: above 0 if more
    of the real gives more of the objective.
    """
    sign = -1.0 if objective.direction == "minimise" else 1.0
    process = surrogate.process
    found = {}
    for i, name in enumerate(encoding.real_names):
        ends = []
        for step in (-STEP, STEP):
            moved = points.clone()
            moved[:, i] += step
            with torch.no_grad():
                cross = process.kernel(encoding.between(moved, points))
                ends.append(process.expected(cross)[surrogate.best])
        slope = (ends[1] - ends[0]).mean() / (2.0 * STEP)
        found[name] = round(sign * float(slope), 3)
    return found
