"""A stylus that is drawn across a scratch in a film."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LENGTH, SPACING = 1000.0, 1.0
"""Length of a scan and distance of its points, um."""
SCRATCH = (400.0, 650.0)
"""Where the glass lies bare, um."""
EDGE = 4.0
"""How wide the flank of the scratch is, um. [A]"""
TILT = 0.03
"""Standard deviation of the stage's tilt, nm per um. [A]"""
ROUGHNESS = 1.5
"""Noise of one point, nm. [A]"""
ABSOLUTE, RELATIVE = 2.5, 0.03
"""Errors of a step: nm, and its share (stylus profilometers: 2-3 nm and 3 %)."""


def profile(
    thickness: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scan a film of so many nm.

    Parameters
    ----------
    thickness:
        True thickness in nm; nought for bare glass.
    rng:
        Where place, tilt, noise and error come from.

    Returns
    -------
    :
        Way in um, and height in nm.
    """
    step = thickness * (1.0 + rng.normal(0.0, RELATIVE)) + rng.normal(0.0, ABSOLUTE)
    x = np.arange(0.0, LENGTH + SPACING, SPACING)
    left, right = np.array(SCRATCH) + rng.normal(0.0, 20.0, 2)
    bare = 0.5 * (np.tanh((x - left) / EDGE) - np.tanh((x - right) / EDGE))
    height = (step if thickness > 0.0 else 0.0) * (1.0 - bare)
    tilt = rng.normal(0.0, TILT) * x + rng.normal(0.0, 50.0)
    return x, height + tilt + rng.normal(0.0, ROUGHNESS, x.size)
