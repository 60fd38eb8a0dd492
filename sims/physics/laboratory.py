"""One simulated laboratory: its chemicals, its ink, its habits, its offset."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import exp, log
from typing import TYPE_CHECKING, Any

import numpy as np

from sims.physics.chemicals import Chemical
from sims.physics.failures import Failures
from sims.physics.noise import Noise
from sims.physics.puddle import Air
from sims.physics.spin_coating import Ink
from sims.physics.treatment import Treatment

if TYPE_CHECKING:
    from sims.physics.sample import Sample


class Shared:
    """What all samples of a bench share: it is not kept with each of them."""


@dataclass(frozen=True)
class Laboratory(Shared):
    """Everything that samples made in one place share.

    Parameters
    ----------
    acids:
        By the name of the liquid.
    ink:
        The lot in use.
    treatment, failures, noise, air:
        See there.
    offset:
        Of this laboratory against the literature, in decades.
    pristine:
        Conductivity of its untreated film, in S/cm.
    ageing, ageing_time:
        Share of the conductivity lost in the end, and the time constant, in h.
    seed:
        Of what differs from laboratory to laboratory.
    """

    acids: Mapping[str, Chemical]
    ink: Ink = field(default_factory=Ink)
    treatment: Treatment = field(default_factory=Treatment)
    failures: Failures = field(default_factory=Failures)
    noise: Noise = field(default_factory=Noise)
    air: Air = field(default_factory=Air)
    offset: float = 0.0
    pristine: float = 1.0
    ageing: float = 0.15
    ageing_time: float = 200.0
    seed: int = 0

    @classmethod
    def read(cls, bench: Mapping[str, Any], seed: int = 0) -> Laboratory:
        """Read the section ``chemistry`` of a bench file, and draw what is drawn."""
        spec = bench["chemistry"]
        noise = Noise.read(spec["noise"])
        rng = np.random.default_rng([seed, zlib.crc32(b"laboratory")])
        offset, exponent, pristine = (
            rng.standard_normal(),
            rng.standard_normal(),
            rng.random(),
        )
        low, high = (float(v) for v in spec["ink"]["pristine_S_cm"])
        spread = float(spec["ink"]["exponent_std"])
        limit = float(spec["noise"]["laboratory_limit_decades"])
        return cls(
            acids={name: Chemical.read(name, a) for name, a in spec["acids"].items()},
            ink=Ink.read(spec["ink"], -0.5 + spread * float(exponent)),
            treatment=Treatment.read(spec["treatment"]),
            failures=Failures.read(spec["failures"]),
            noise=noise,
            air=Air.read(spec["air"]),
            offset=max(-limit, min(limit, noise.laboratory * float(offset))),
            pristine=exp(log(low) + log(high / low) * float(pristine)),
            ageing=float(spec["ageing"]["share"]),
            ageing_time=float(spec["ageing"]["time_h"]),
            seed=seed,
        )

    def new_sample(self, name: str, rng: np.random.Generator) -> Sample:
        """Return a bare substrate."""
        from sims.physics.sample import Sample  # it knows this module

        return Sample(name, self, rng)

    def ideal(self) -> Laboratory:
        """Return the same place without offset, scatter or failures, for comparison."""
        never = replace(
            self.failures,
            clean_angle=-500.0,
            aged_angle=-500.0,
            crack=0.0,
            fuming_crack=0.0,
            float_off=0.0,
        )
        return replace(
            self,
            noise=Noise.none(),
            failures=never,
            offset=0.0,
            ink=replace(self.ink, exponent=-0.5),
        )

    def odds(self, order: float, factor: float) -> float:
        """Return the order in this laboratory: low orders shift by its offset.

        The odds are multiplied, so that no offset leads beyond perfect order.
        """
        factor *= 10.0**self.offset
        return order * factor / (1.0 + order * (factor - 1.0))
