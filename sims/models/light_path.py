"""A green lamp, a sample in its beam, and a silicon photodiode behind it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sims.bench import Bench

LAMP = 1.2e-3
"""Watt of an empty beam. [A]"""
COLOUR = 550.0
"""Wavelength of the lamp, nm."""
DRIFT = 0.004
DRIFT_TIME = 7200.0
"""The lamp wanders by so much, relative, within so many seconds. [A]"""
NOISE = 1e-3
"""Relative noise of one sample of the detector."""
DARK = 2.1e-9
"""Watt that the detector shows in the dark. [A]"""
RESPONSE = (
    (200.0, 300.0, 400.0, 550.0, 700.0, 850.0, 960.0, 1050.0, 1100.0),
    (0.05, 0.10, 0.19, 0.33, 0.45, 0.57, 0.63, 0.45, 0.22),
)
"""Ampere per watt of the silicon head, against nm. [A]"""


class LightPath:
    """What falls on the detector.

    Parameters
    ----------
    bench, name:
        As for the panel.
    settings:
        ``slot`` where the sample lies; ``lamp`` in watt.
    """

    def __init__(self, bench: Bench, name: str, settings: Any) -> None:
        self._bench = bench
        self._rng = bench.rng(name)
        self._slot = settings.get("slot")
        self._lamp = float(settings.get("lamp", LAMP))
        self._drift = self._rng.normal(0.0, DRIFT)
        self._drifted_at = bench.now
        self.zero = DARK

    def watt(self, wavelength: float, samples: int) -> float:
        """Return the power that a head set to ``wavelength`` nm reads, without zero."""
        noise = self._rng.normal(0.0, NOISE / math.sqrt(samples))
        light = self._lamp * (1.0 + self._wandered()) * self._transmittance()
        return light * (1.0 + noise) * response(COLOUR) / response(wavelength) + DARK

    def _transmittance(self) -> float:
        sample = self._bench.world.sample_at(self._slot) if self._slot else None
        return 1.0 if sample is None else float(sample.transmittance)

    def _wandered(self) -> float:
        """Return the lamp's drift now: a random walk that is drawn back."""
        now = self._bench.now
        kept = math.exp(-(now - self._drifted_at) / DRIFT_TIME)
        fresh = self._rng.normal(0.0, DRIFT * math.sqrt(1.0 - kept**2))
        self._drift, self._drifted_at = kept * self._drift + fresh, now
        return float(self._drift)


def response(wavelength: float) -> float:
    """Return ampere per watt at a wavelength in nm."""
    return float(np.interp(wavelength, *RESPONSE))
