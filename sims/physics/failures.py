"""What goes wrong with a film, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp
from typing import Any

from sims.physics.treatment import arrhenius


@dataclass(frozen=True, slots=True)
class Failures:
    """How often films fail; all assumed, see the bench file.

    Parameters
    ----------
    clean_angle, aged_angle, ageing:
        Contact angle of cleaned glass, that of glass kept long in a closed rack, in
        degrees, and the time it takes, in h.
    crack_thickness, crack:
        nm above which a film may crack, and the probability when well above.
    fuming_crack:
        The same for a film beyond 150 nm under acid of more than 98 wt%.
    float_off:
        Probability that a film which was hardly annealed leaves in the rinse.
    least_volume:
        Ink that still wets everything, in µL/cm².
    """

    clean_angle: float = 8.0
    aged_angle: float = 18.0
    ageing: float = 14.0
    crack_thickness: float = 400.0
    crack: float = 0.1
    fuming_crack: float = 0.05
    float_off: float = 0.03
    least_volume: float = 30.0

    @classmethod
    def read(cls, spec: Mapping[str, Any]) -> Failures:
        """Read ``chemistry.failures`` of a bench file."""
        return cls(
            clean_angle=float(spec["clean_angle_deg"]),
            aged_angle=float(spec["aged_angle_deg"]),
            ageing=float(spec["ageing_h"]),
            crack_thickness=float(spec["crack_thickness_nm"]),
            crack=float(spec["crack"]),
            fuming_crack=float(spec["fuming_crack"]),
            float_off=float(spec["float_off"]),
            least_volume=float(spec["least_volume_uL_cm2"]),
        )

    def dewetting(self, hours: float) -> float:
        """Return the probability that ink recedes from glass so long after cleaning."""
        risen = 1.0 - exp(-hours / self.ageing)
        angle = self.clean_angle + (self.aged_angle - self.clean_angle) * risen
        return _logistic((angle - 35.0) / 5.0)

    def cracking(self, thickness: float) -> float:
        """Return the probability that a film of so many nm cracks as it dries."""
        return self.crack * _logistic((thickness - self.crack_thickness - 60.0) / 20.0)

    def cracking_in_acid(self, thickness: float, percent: float) -> float:
        """Return the probability that a film cracks under an acid of so many wt%."""
        return self.fuming_crack if percent > 98.0 and thickness > 150.0 else 0.0

    def floating(self, minutes: float) -> float:
        """Return the probability that a film annealed for so long at 110 degC leaves.

        The published share below five minutes, next to none well above, and every
        second film that saw no heat at all.
        """
        return self.float_off * _logistic((5.0 - minutes) / 0.7) + 0.5 * exp(
            -minutes / 0.25
        )


def anneal_minutes(seconds: float, temperature: float) -> float:
    """Return the minutes at 110 degC that this heating is worth."""
    return seconds / 60.0 * min(arrhenius(60.0, temperature, 110.0), 20.0)


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + exp(-max(-60.0, min(60.0, x))))
