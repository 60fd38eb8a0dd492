"""When no more can be gained: what the cards of a planner bound, and where to stop. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator import units

KEPT = 20
"""So many of the latest proposals are looked at, at most."""

Bounds = tuple[tuple[int, float | None], ...]
"""Of the latest proposals, the oldest first: number, and bound if its card has one."""


@dataclass(frozen=True, slots=True)
class StopRule:
    """Stop when so many proposals in a row say that no more than ``below`` is left.

    ``below`` is in ``unit``, that of the objective; in decades where the objective is
    on a log scale (``log``).
    """

    below: float
    unit: str
    log: bool = False
    proposals: int = 3

    def reason(self, bounds: Bounds) -> str:
        """Return why to stop, ``""`` where there is no reason to."""
        last = [bound for _, bound in bounds[-self.proposals :]]
        known = [bound for bound in last if bound is not None and bound < self.below]
        if len(known) < self.proposals:
            return ""
        gain = gain_text(known[-1], self.unit, log=self.log)
        return f"stopped: {gain}"


def gain_text(gain: float, unit: str, *, log: bool) -> str:
    """Return for people what is left to be gained, on a log scale as a part of the best.

    Examples
    --------
    >>> gain_text(31.4, "S/cm", log=False)
    'no more than 31 S/cm to be gained (95 %)'
    >>> gain_text(0.0212, "S/cm", log=True)
    'no more than 5 % to be gained (95 %)'
    """
    if log:
        gain, unit = 100.0 * (10.0**gain - 1.0), "%"
    text = units.show(float(f"{gain:.2g}"), unit)
    return f"no more than {text} to be gained (95 %)"


def seen(bounds: Bounds, proposal: int, card: Mapping[str, Any]) -> Bounds:
    """Return the bounds after a candidate of a proposal was written down."""
    if proposal and bounds and bounds[-1][0] == proposal:
        return bounds
    return (*bounds, (proposal, _bound(card)))[-KEPT:]


def _bound(card: Mapping[str, Any]) -> float | None:
    bound = card.get("regret_bound")
    if isinstance(bound, bool) or not isinstance(bound, int | float):
        return None
    return float(bound) if math.isfinite(bound) else None
