"""The surrogate: an exact Gaussian process on the encoded candidates.

Matern-5/2 with one lengthscale a column and the dimension-scaled log-normal priors of
Hvarfner, Hellsten and Nardi (2024), as in BoTorch; noise is inferred, because the
uncertainty that comes with an estimate is that of the measurement, and replicate films
scatter more than that.

Shapes: n observations, d columns of an encoded point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from botorch.exceptions.errors import BotorchError
from botorch.models import SingleTaskGP
from botorch.models.utils.gpytorch_modules import (
    get_covar_module_with_dim_scaled_prior,
    get_gaussian_likelihood_with_lognormal_prior,
)
from botorch.optim.core import OptimizationStatus
from botorch.optim.fit import fit_gpytorch_mll_scipy
from gpytorch.mlls import ExactMarginalLogLikelihood
from linear_operator.utils.errors import NanError, NotPSDError
from torch.linalg import LinAlgError  # type: ignore[attr-defined]

from planners.data import Objective, Observation

STARTS = (1.0, 0.25)
"""Lengthscales at the start of each attempt at a fit, in modes of their prior."""

STEPS = 200
"""Most steps of the optimiser in one attempt."""

NUMERICAL = (NotPSDError, NanError, BotorchError, LinAlgError)
"""What linear algebra raises on a surrogate it cannot work with."""


class FitFailed(ArithmeticError):
    """No usable surrogate; the text says why."""


@dataclass(frozen=True, slots=True)
class Surrogate:
    """A fitted surrogate and how it came about.

    ``mean`` and ``deviation`` undo the standardisation of the targets. ``fallback``
    says what was done instead of the first fit, and is empty if that was good.
    """

    model: SingleTaskGP
    mean: float
    deviation: float
    fallback: str

    def predict(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of the target at points (n x d)."""
        with torch.no_grad():
            posterior = self.model.posterior(torch.from_numpy(points))
        mean, variance = posterior.mean.squeeze(-1), posterior.variance.squeeze(-1)
        return (
            self.mean + self.deviation * mean.numpy(),
            self.deviation * variance.clamp_min(0).sqrt().numpy(),
        )


def targets(observed: Sequence[Observation], objective: Objective) -> np.ndarray:
    """Return what is modelled, larger being better; shape n.

    On a log scale that is the common logarithm, in decades.
    """
    values = np.array([o.estimates[objective.name].value for o in observed])
    if objective.scale == "log":
        values = np.log10(values)
    return -values if objective.direction == "minimise" else values


def fit(
    points: np.ndarray,
    values: np.ndarray,
    *,
    starts: Sequence[float] = STARTS,
) -> Surrogate:
    """Fit a surrogate to points (n x d) and targets (n).

    Tries each start in turn, then takes the prior's modes as they are.

    Raises
    ------
    FitFailed
        If even that has no finite posterior.
    """
    # Overflow is an answer here, not an accident: it is refused in the next line.
    with np.errstate(over="ignore", invalid="ignore"):
        mean, deviation = float(values.mean()), float(values.std())
        if deviation <= 1e-9 * (1 + abs(mean)):
            deviation = 1.0
        scaled = (values - mean) / deviation
    if not (math.isfinite(deviation) and np.isfinite(scaled).all()):
        raise FitFailed("targets are too far apart to standardise")
    x, y = torch.from_numpy(points), torch.from_numpy(scaled).unsqueeze(-1)
    reasons = []
    for start in starts:
        try:
            model = _attempt(x, y, start)
        except (FitFailed, *NUMERICAL) as reason:
            reasons.append(f"start {start:g}: {reason}")
        else:
            how = f"refitted from start {start:g}" if reasons else ""
            return Surrogate(model, mean, deviation, "; ".join([*reasons, how]))
    model = _unfitted(x, y).eval()
    surrogate = Surrogate(
        model, mean, deviation, "; ".join([*reasons, "hyperparameters of the prior"])
    )
    try:
        predictions = surrogate.predict(points)
    except NUMERICAL as reason:
        raise FitFailed("; ".join([*reasons, f"prior: {reason}"])) from reason
    if not np.isfinite(predictions).all():
        raise FitFailed("; ".join([*reasons, "prior: the posterior is not finite"]))
    return surrogate


def _unfitted(x: torch.Tensor, y: torch.Tensor) -> SingleTaskGP:
    """Return a surrogate with its hyperparameters at the modes of their priors."""
    return SingleTaskGP(
        x,
        y,
        covar_module=get_covar_module_with_dim_scaled_prior(
            ard_num_dims=x.shape[-1], use_rbf_kernel=False
        ),
        likelihood=get_gaussian_likelihood_with_lognormal_prior(),
        outcome_transform=None,
    )


def _attempt(x: torch.Tensor, y: torch.Tensor, start: float) -> SingleTaskGP:
    """Return a surrogate fitted by maximum a posteriori; no random numbers in it."""
    model = _unfitted(x, y)
    model.covar_module.lengthscale = model.covar_module.lengthscale.detach() * start
    mll = ExactMarginalLogLikelihood(model.likelihood, model).train()
    result = fit_gpytorch_mll_scipy(mll, options={"maxiter": STEPS})
    if result.status == OptimizationStatus.FAILURE:
        raise FitFailed(f"the optimiser gave up: {result.message}")
    if not all(bool(torch.isfinite(p).all()) for p in model.parameters()):
        raise FitFailed("hyperparameters are not finite")
    return model.eval()


def leave_one_out(surrogate: Surrogate) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Return targets, and mean and deviation predicted for each from all the others.

    With :math:`K` the covariance of the targets, noise included [1]_,

    .. math::
        \mu_i = y_i - [K^{-1} y]_i / [K^{-1}]_{ii}, \quad
        s_i^2 = 1 / [K^{-1}]_{ii}

    The hyperparameters stay those fitted to all of them.

    References
    ----------
    .. [1] Rasmussen and Williams, Gaussian Processes for Machine Learning, eq. 5.12.
    """
    model = surrogate.model
    with torch.no_grad():
        y = model.train_targets
        x = model.train_inputs[0]
        noise = float(model.likelihood.noise)
        covariance = model.covar_module(x).to_dense() + noise * torch.eye(len(y))
        inverse = torch.linalg.inv(covariance)
        diagonal = inverse.diagonal()
        centred = y - model.mean_module(x)
        mean = y - (inverse @ centred) / diagonal
        deviation = diagonal.clamp_min(1e-12).rsqrt()
    scale = surrogate.deviation
    return (
        surrogate.mean + scale * y.numpy(),
        surrogate.mean + scale * mean.numpy(),
        scale * deviation.numpy(),
    )


def model_card(
    surrogate: Surrogate, columns: Sequence[str], objective: Objective
) -> dict[str, Any]:
    """Return what a person needs to judge a surrogate, as plain JSON values.

    Lengthscales are in widths of the cube; noise is one standard deviation of a
    replicate, in the unit of the target; the log score is the mean leave-one-out log
    density (nats).
    """
    model = surrogate.model
    values, mean, deviation = leave_one_out(surrogate)
    z = (values - mean) / deviation
    score = -0.5 * z**2 - np.log(deviation) - 0.5 * math.log(2 * math.pi)
    noise = surrogate.deviation * math.sqrt(float(model.likelihood.noise))
    lengthscales = model.covar_module.lengthscale.detach().squeeze(0).tolist()
    return {
        "kernel": "Matern-5/2, a lengthscale a column, dimension-scaled priors",
        "observations": len(values),
        "target": f"log10({objective.name} / ({objective.unit}))"
        if objective.scale == "log"
        else f"{objective.name} ({objective.unit})",
        "direction": objective.direction,
        "lengthscales": {
            name: round(value, 3)
            for name, value in zip(columns, lengthscales, strict=True)
        },
        "noise": round(noise, 5),
        "leave_one_out": {
            "coverage_of_90_percent": round(float(np.mean(np.abs(z) < 1.645)), 3),
            "log_score": round(float(score.mean()), 3),
            "rms": round(float(np.sqrt(np.mean((values - mean) ** 2))), 4),
        },
    }
