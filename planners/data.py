"""What passes between the hall and the planners: candidates out, observations in.

Plain frozen values; importing this module costs nothing (no torch, no RDKit).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Value = float | str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One point of the search space: a value for every parameter.

    Numbers are in the unit that the parameter states; a molecule or a choice is
    given by its name.
    """

    values: Mapping[str, Value]

    @property
    def id(self) -> str:
        """Eight hex digits that depend on the values alone.

        A replicate has the id of its original.
        """
        text = json.dumps(dict(self.values), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its standard uncertainty, in the unit of the objective."""

    value: float
    std: float


@dataclass(frozen=True, slots=True)
class Observation:
    """What a planner learns from one trial: the candidate as made, and what it is like.

    ``estimates`` has an entry for every objective and for the quantity of every limit.
    """

    candidate: Candidate
    estimates: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Proposal:
    """The candidates one call returned, with the reason the planner can give.

    ``card`` holds plain JSON values: which surrogate was fitted to how many
    observations, its calibration, acquisition values, and the fall-back taken if a
    fit failed.
    """

    candidates: tuple[Candidate, ...]
    card: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Objective:
    """A named quantity to be made large or small.

    ``target`` is what one hopes for, in the same unit: plots show it, and no planner
    looks at it.
    """

    name: str
    unit: str
    direction: Literal["maximise", "minimise"] = "maximise"
    scale: Literal["linear", "log"] = "linear"
    target: float | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """A measured quantity that must keep within bounds, in its unit.

    Raises
    ------
    ValueError
        If there is neither a lower nor an upper bound.
    """

    name: str
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        if self.at_least is None and self.at_most is None:
            raise ValueError(
                f"limits.{self.name}: neither at_least nor at_most is given"
            )


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier campaign of the same space, or the literature, has found."""

    name: str
    observations: tuple[Observation, ...]
