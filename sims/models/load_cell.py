"""The cell of an analytical balance: it follows its load, drifts, and is never still.

What it shows lags behind the load by a time of its own; a load that changes slowly
(evaporation) keeps it that far behind. A change that was found when somebody looked is
taken to have happened then, if it was too fast to be slow. Noise is 0.05 mg with the
draft shield closed; all other numbers are assumed [A].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LAG = 0.6
"""Seconds; 10 g are there to 0.2 mg after 6.5 s."""
SLOW = 1e-3
"""g/s below which a change goes on between two looks instead of at the second."""
STILL = 2e-4
"""g behind its load that count as stable."""
DRAFT = 20.0
"""Times as noisy with the draft shield open."""


@dataclass
class LoadCell:
    """State of one; masses in g, times in s.

    Parameters
    ----------
    load:
        What lies on the pan, g.
    noise:
        Standard deviation of a reading, g.
    drift:
        Standard deviation of what the zero has moved by after one minute, g; after t
        minutes it is the square root of t times that.
    """

    load: Callable[[], float]
    rng: np.random.Generator
    noise: float = 5e-5
    drift: float = 2e-5
    open: bool = False
    at: float = 0.0
    behind: float = 0.0
    wander: float = 0.0
    seen: float | None = None

    def advance(self, to: float) -> None:
        """Let time pass."""
        passed, load = to - self.at, self.load()
        change = 0.0 if self.seen is None else load - self.seen
        self.at, self.seen = to, load
        if passed <= 0.0:
            self.behind += change
            return
        fading = math.exp(-passed / LAG)
        self.behind *= fading
        if abs(change) < SLOW * passed:
            self.behind += change / passed * LAG * (1.0 - fading)
        else:
            self.behind += change
        self.wander += self.drift * math.sqrt(passed / 60.0) * self.rng.normal()

    @property
    def stable(self) -> bool:
        """Whether it has come to rest."""
        return not self.open and abs(self.behind) < STILL

    def reading(self) -> float:
        """Return what it shows, g."""
        noise = self.noise * (DRAFT if self.open else 1.0) * self.rng.normal()
        return (self.seen or 0.0) - self.behind + self.wander + noise
