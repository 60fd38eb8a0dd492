"""How films made alike differ, and how dosing and plates err."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Noise:
    """Sizes of the scatter of one laboratory.

    Parameters
    ----------
    replicate:
        Log-normal scatter of the conductivity of films made alike.
    outlier, outlier_share:
        Log-normal scatter of the worst films, and how many those are.
    laboratory:
        Standard deviation of the offset between laboratories, in decades.
    dilution:
        Relative, of an acid's concentration.
    pipette, pipette_volume:
        Of each portion: relative, and in µL.
    thickness:
        Relative, of films spun alike.
    gradient:
        What the place on a hotplate adds, in K; the plates' own offsets are theirs.
    anisotropy:
        Log-normal scatter of the ratio of the two van der Pauw resistances.
    bad_contact:
        Probability that one of four contacts is bad, each time.
    humidity:
        Standard deviation of the humidity at the spin coater, in %.
    """

    replicate: float = 0.09
    outlier: float = 0.4
    outlier_share: float = 0.05
    laboratory: float = 0.1
    dilution: float = 0.01
    pipette: float = 0.01
    pipette_volume: float = 0.5
    thickness: float = 0.02
    gradient: float = 2.0
    anisotropy: float = 0.1
    bad_contact: float = 0.02
    humidity: float = 2.0

    @classmethod
    def read(cls, spec: Mapping[str, Any]) -> Noise:
        """Read ``chemistry.noise`` of a bench file."""
        return cls(
            replicate=float(spec["replicate_ln"]),
            outlier=float(spec["outlier_ln"]),
            outlier_share=float(spec["outlier_share"]),
            laboratory=float(spec["laboratory_decades"]),
            dilution=float(spec["dilution"]),
            pipette=float(spec["pipette"]),
            pipette_volume=float(spec["pipette_uL"]),
            thickness=float(spec["film_thickness"]),
            gradient=float(spec["plate_gradient_K"]),
            anisotropy=float(spec["anisotropy_ln"]),
            bad_contact=float(spec["bad_contact"]),
            humidity=float(spec["humidity_percent"]),
        )

    @classmethod
    def none(cls) -> Noise:
        """Return a world in which like is like."""
        return cls(*([0.0] * len(cls.__dataclass_fields__)))


@dataclass(frozen=True, slots=True)
class Luck:
    """What was drawn for one sample when it was born.

    Parameters
    ----------
    scatter:
        Factor on the conductivity.
    odds:
        Factor on the odds of order, for the few films that are far off: such a film
        can be much worse than its like, but not better than a crystal.
    thickness, humidity:
        Factor on the spun thickness; relative humidity in the coater minus 40, in %.
    place:
        What its place on a hot plate adds, in K per 100 K above the room.
    anisotropy:
        Ratio of its two van der Pauw resistances.
    dewets, cracks, cracks_in_acid, floats:
        A failure happens where its probability exceeds this.
    coverage:
        What a failed film still covers, 0 to 1.
    """

    scatter: float
    odds: float
    thickness: float
    humidity: float
    place: float
    anisotropy: float
    dewets: float
    cracks: float
    cracks_in_acid: float
    floats: float
    coverage: float

    @classmethod
    def draw(cls, noise: Noise, rng: np.random.Generator) -> Luck:
        """Draw for one sample, always the same number of values in the same order."""
        normal = [float(z) for z in rng.standard_normal(6)]
        uniform = [float(u) for u in rng.random(6)]
        off = uniform[5] < noise.outlier_share
        return cls(
            scatter=exp(noise.replicate * normal[0]),
            odds=exp(noise.outlier * normal[1]) if off else 1.0,
            thickness=exp(noise.thickness * normal[2]),
            humidity=noise.humidity * normal[3],
            place=noise.gradient * max(-1.0, min(1.0, 0.5 * normal[4])),
            anisotropy=exp(noise.anisotropy * normal[5]),
            dewets=uniform[0],
            cracks=uniform[1],
            cracks_in_acid=uniform[2],
            floats=uniform[3],
            coverage=uniform[4],
        )
