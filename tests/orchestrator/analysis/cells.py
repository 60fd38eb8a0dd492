"""Spectra of cells as PHYSICS.md C2 writes them; for tests only, shared with no sim."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from orchestrator.analysis.spectrum import Complexes, Reals, Spectrum

VACUUM = 8.8541878e-14
"""F/cm."""


@dataclass(frozen=True)
class Cell:
    """A cell; sizes in cm and cm2, conductivity in S/cm, R in ohm, L in H."""

    conductivity: float
    area: float = 0.785
    thickness: float = 0.01
    permittivity: float = 10.0
    n_bulk: float = 0.96
    n_block: float = 0.70
    q_block: float = 3e-6
    inductance: float = 3e-7
    contact: float = 1.0
    interface: float | None = None  # ohm cm2; lithium electrodes when given
    c_interface: float = 2e-6

    @property
    def bulk(self) -> float:
        return self.thickness / (self.conductivity * self.area)

    def impedance(self, frequency: Reals) -> Complexes:
        s = 2j * np.pi * frequency
        tau = VACUUM * self.permittivity / self.conductivity
        z = (
            s * self.inductance
            + self.contact
            + self.bulk / (1 + (s * tau) ** self.n_bulk)
        )
        if self.interface is None:
            return np.asarray(z + 1 / (self.q_block * self.area * s**self.n_block))
        r_i = self.interface / self.area
        z = z + r_i / (1 + (s * r_i * self.c_interface * self.area) ** 0.85)
        return np.asarray(z + 0.15 * r_i * (2 * np.pi / s) ** 0.5)

    def with_(self, **changes: Any) -> Cell:
        return replace(self, **changes)


def sweep(high: float = 1e6, low: float = 1.0, points: int = 45) -> Reals:
    return np.geomspace(high, low, points)


def spectrum(
    cell: Cell,
    rng: np.random.Generator | None = None,
    *,
    frequency: Reals | None = None,
    drift: Reals | float = 1.0,
    noise: float = 1.0,
    again: bool = True,
) -> Spectrum:
    """Return a sweep, first frequency again at the end; drift multiplies each point."""
    f = sweep() if frequency is None else frequency
    if again:
        f = np.append(f, f[0])
    z = cell.impedance(f) * drift
    if rng is not None:
        size = noise * np.where((abs(z) < 1) | (abs(z) > 1e8), 5.0, 1.0)
        z = z * (1 + 0.002 * rng.normal())
        z = z * (1 + 0.0035 * size * rng.normal(size=f.size))
        z = z * np.exp(1j * np.radians(0.2) * size * rng.normal(size=f.size))
    return Spectrum.measured(f, z)
