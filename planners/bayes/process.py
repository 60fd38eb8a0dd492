r"""The Gaussian process on the distances between candidates.

.. math::
    k(x, x') = m\Big(\sum_a d_a^2(x, x') / l_a^2\Big) + c, \qquad
    m(r^2) = (1 + \sqrt5 r + 5 r^2 / 3) e^{-\sqrt5 r}

with a lengthscale for each aspect (`planners.bayes.encoding`), whose prior grows with the
number of aspects as in Hvarfner, Hellsten and Nardi (2024), and a constant known to
:math:`\sqrt c`. Every :math:`d_a` is a distance in some Euclidean space (so is the root
of 1 - Tanimoto), hence the sum is one, and the kernel is valid for molecules too.

The target is bent by a power before it is standardised (`Bend`): the power is one more
hyperparameter, from 1 (as it is) to 0 (its logarithm), decided by evidence.

Shapes: n observations, m points, f fits, a aspects, h hyperparameters of a fit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

LENGTH = (0.0, 1.0)
"""Prior of the log lengthscale, to which half of the log number of aspects is added."""

NOISE = (-4.0, 1.0)
"""Prior of the log variance of the noise of a standardised target."""

POWER = (1.0, 0.5)
"""Prior of the power of the bend."""

CONSTANT = 0.25
"""Prior variance of the constant, of a standardised target."""

PRIOR = 1.0 + CONSTANT
"""Prior variance of a standardised target."""

IGNORED = 1e8
"""Variance of the noise of what is not believed, of a standardised target."""

MOST = 100.0
"""Largest logarithm of a target, in spreads above the lowest one."""

JITTER = 1e-6
"""Added to diagonals, so that rounding does no harm."""


def steadied(covariance: torch.Tensor) -> torch.Tensor:
    """Return a covariance (f x n x n) with a little added to its diagonal."""
    return covariance + JITTER * torch.eye(covariance.shape[-1], dtype=torch.double)


@dataclass(frozen=True, slots=True)
class Bend:
    """Targets bent by a power: 1 leaves them as they are, 0 takes a logarithm.

    ``u = 1 + (y - low) / spread`` is at least 1 for what is believed; below it nothing
    is bent, so that what is absurd stays as absurd as it is.
    """

    low: float
    spread: float

    @staticmethod
    def of(values: np.ndarray) -> Bend:
        """Return the bend for these targets."""
        low = float(values.min())
        return Bend(low, float((values - low).mean()) or 1.0)

    def bent(self, values: torch.Tensor, power: torch.Tensor) -> torch.Tensor:
        """Return targets (n) bent by each power (f); shape f x n."""
        log = self._log(values)[None]
        power = power[:, None]
        flat = power.abs() < 1e-4
        safe = torch.where(flat, 1.0, power)
        bent = torch.where(flat, log, torch.expm1(safe * log) / safe)
        return bent + ((values - self.low) / self.spread).clamp_max(0.0)

    def slope(self, values: torch.Tensor, power: torch.Tensor) -> torch.Tensor:
        """Return the logarithm of the slope of the bend at targets; shape f x n."""
        bent = (power[:, None] - 1.0) * self._log(values)[None]
        return bent - math.log(self.spread)

    def unbent(self, bent: torch.Tensor, power: torch.Tensor) -> torch.Tensor:
        """Return the targets (f x any) that each power (f) has bent; has a gradient."""
        power = power.reshape(-1, *[1] * (bent.dim() - 1))
        flat = power.abs() < 1e-4
        safe = torch.where(flat, 1.0, power)
        above = bent.clamp_min(0.0)
        curved = (1.0 + safe * above).clamp_min(1e-9).log() / safe
        log = torch.where(flat, above, curved).clamp_max(MOST)
        return self.low + self.spread * (torch.expm1(log) + bent.clamp_max(0.0))

    def back(self, bent: np.ndarray, power: np.ndarray) -> np.ndarray:
        """Return the target that was bent; what no target reaches is the nearest."""
        flat = np.abs(power) < 1e-4
        safe = np.where(flat, 1.0, power)
        inside = np.maximum(1.0 + safe * bent, 1e-9)
        log = np.where(flat, bent, np.log(inside) / safe)
        return np.asarray(self.low + self.spread * np.expm1(np.minimum(log, 600.0)))

    def _log(self, values: torch.Tensor) -> torch.Tensor:
        return (1.0 + (values - self.low) / self.spread).clamp_min(1.0).log()


class Process:
    """Gaussian processes on the same observations, a fit for each row of ``raw``.

    Parameters
    ----------
    apart:
        Squared distances between the observations; shape a x n x n.
    values, stds:
        Targets and what is known of their noise, both of shape n.
    bend:
        None if the targets are not to be bent.
    used:
        Which aspects count in each fit; shape f x a.
    raw:
        Hyperparameters in deviations of their priors: a lengthscale for each aspect,
        noise, power; shape f x h.
    kept:
        Which targets are believed; shape n, None for all. The others neither pull nor
        set the scale (`planners.bayes.outliers`).
    """

    def __init__(
        self,
        apart: torch.Tensor,
        values: torch.Tensor,
        stds: torch.Tensor,
        bend: Bend | None,
        used: torch.Tensor,
        raw: torch.Tensor,
        kept: torch.Tensor | None = None,
    ) -> None:
        self.raw, self.bend = raw, bend
        self.kept = torch.ones(len(values), dtype=torch.bool) if kept is None else kept
        count = used.sum(dim=-1, keepdim=True)
        log_length = LENGTH[0] + 0.5 * count.log() + LENGTH[1] * raw[:, :-2]
        self.lengths = log_length.exp()
        self.weights = torch.where(used, torch.exp(-2.0 * log_length), 0.0)
        self.noise = (NOISE[0] + NOISE[1] * raw[:, -2]).exp()
        self.power = POWER[0] + POWER[1] * raw[:, -1]
        if bend is None:
            bent, log_slope = (
                values.expand(len(raw), -1),
                torch.zeros_like(values[None]),
            )
        else:
            bent = bend.bent(values, self.power)
            log_slope = bend.slope(values, self.power)
        known = bent[:, self.kept]
        self.mean = known.mean(dim=-1, keepdim=True)
        spread = known.var(dim=-1, keepdim=True, unbiased=False).sqrt()
        flat = spread <= 1e-9 * (1.0 + self.mean.abs())
        self.spread = torch.where(flat, 1.0, spread)
        self.y = (bent - self.mean) / self.spread
        self.log_slope = log_slope - self.spread.log()
        extra = (stds[None] * self.log_slope.exp()).square() + JITTER
        self.scatter = self.noise[:, None] + extra
        believed = torch.where(self.kept, self.scatter, IGNORED)
        noisy = self.kernel(apart) + torch.diag_embed(believed)
        self.root = torch.linalg.cholesky(noisy)
        y = torch.where(self.kept, self.y, 0.0)
        self.pull = torch.cholesky_solve(y.unsqueeze(-1), self.root).squeeze(-1)

    def kernel(self, apart: torch.Tensor) -> torch.Tensor:
        """Return covariances at squared distances (a x m x n); shape f x m x n."""
        square = torch.einsum("fa,amn->fmn", self.weights, apart)
        r = math.sqrt(5.0) * (square + 1e-12).sqrt()
        value: torch.Tensor = (1.0 + r + r.square() / 3.0) * torch.exp(-r) + CONSTANT
        return value

    @property
    def loss(self) -> torch.Tensor:
        """Minus the log posterior density of the hyperparameters; shape f."""
        fit = 0.5 * (self.y * self.pull).sum(dim=-1)
        size = self.root.diagonal(dim1=-2, dim2=-1).log().sum(dim=-1)
        prior = 0.5 * self.raw.square().sum(dim=-1)
        loss: torch.Tensor = (
            fit + size + prior - self.log_slope[:, self.kept].sum(dim=-1)
        )
        return loss

    def standard(self, value: float) -> torch.Tensor:
        """Return a target as each fit has it, bent and standardised; shape f."""
        target = torch.tensor([value], dtype=torch.double)
        bent = target[None]
        if self.bend is not None:
            bent = self.bend.bent(target, self.power)
        standard: torch.Tensor = ((bent - self.mean) / self.spread)[:, 0]
        return standard

    def target(self, standard: torch.Tensor) -> torch.Tensor:
        """Return targets that each fit has bent and standardised; shape f x any."""
        each = (-1, *[1] * (standard.dim() - 1))
        bent = self.mean.reshape(each) + self.spread.reshape(each) * standard
        return bent if self.bend is None else self.bend.unbent(bent, self.power)

    def expected(self, cross: torch.Tensor) -> torch.Tensor:
        """Return means (f x m) where covariances with the observations are f x m x n."""
        return (cross @ self.pull.unsqueeze(-1)).squeeze(-1)

    def latent(self, apart: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and variance, without noise, at points; both f x m.

        ``apart`` are squared distances to the observations; shape a x m x n.
        """
        cross = self.kernel(apart)
        mean = self.expected(cross)
        half = torch.linalg.solve_triangular(self.root, cross.mT, upper=False)
        variance = PRIOR - half.square().sum(dim=-2)
        return mean, variance.clamp_min(1e-10)

    def joint(
        self, within: torch.Tensor, apart: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return means (f x m) and covariances (f x m x m), without noise, at points.

        ``within`` are squared distances between them, ``apart`` to the observations;
        shapes a x m x m and a x m x n.
        """
        cross = self.kernel(apart)
        mean = self.expected(cross)
        half = torch.linalg.solve_triangular(self.root, cross.mT, upper=False)
        return mean, steadied(self.kernel(within) - half.mT @ half)

    def leave_one_out(self) -> tuple[torch.Tensor, torch.Tensor]:
        r"""Return what each standardised target is predicted to be from all others.

        With :math:`K` the covariance of the targets, noise included [1]_,

        .. math::
            \mu_i = y_i - [K^{-1} y]_i / [K^{-1}]_{ii}, \quad
            s_i^2 = 1 / [K^{-1}]_{ii}

        The hyperparameters stay those fitted to all of them.

        Returns
        -------
        :
            Means and deviations; both f x n.

        References
        ----------
        .. [1] Rasmussen and Williams, Gaussian Processes for Machine Learning, 5.12.
        """
        diagonal = torch.cholesky_inverse(self.root).diagonal(dim1=-2, dim2=-1)
        return self.y - self.pull / diagonal, diagonal.rsqrt()

    def log_scores(self) -> torch.Tensor:
        """Return the leave-one-out log density of each target, in its unit; f x n."""
        mean, deviation = self.leave_one_out()
        z = (self.y - mean) / deviation
        return (
            -0.5 * z.square()
            - deviation.log()
            - 0.5 * math.log(2.0 * math.pi)
            + self.log_slope
        )
