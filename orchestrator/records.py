"""The nouns of the hall: recipes, steps, runs and measurements. Plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Document = tuple[str, dict[str, Any]]
"""One bluesky document: its name (start, descriptor, event, stop) and its body."""


class WhenUnanswered(StrEnum):
    """What becomes of a sample of which nobody can tell what happened to it."""

    ASK = "ask"
    DISCARD = "discard"


class WithoutPrefect(StrEnum):
    """What a campaign does while the Prefect server is away."""

    GO_ON = "go_on"
    DRAIN = "drain"


class TrialStatus(StrEnum):
    """Where a trial is; exactly one at a time."""

    PROPOSED = "proposed"
    PREPARING = "preparing"
    MEASURING = "measuring"
    OBSERVED = "observed"
    FAILED = "failed"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on one sample at one station, with every amount fixed.

    ``parameters`` are plain JSON values: numbers in the unit that the operation's
    plan states, places and liquids by name. ``duration`` is what is expected, in lab
    seconds. ``empty``: the slot must be empty (a reference without the sample).
    ``at_once``: nothing may wait between the step before and this one. ``tolerance`` is
    the part of its parameter ``duration`` by which it may last longer or shorter, where
    something has gone wrong, before its sample counts as spoilt. ``given`` names the
    candidate's parameter behind each of the step's own that has one.
    """

    name: str
    operation: str
    station: str
    slot: str
    parameters: Mapping[str, Any]
    duration: float
    at_once: bool = False
    empty: bool = False
    tolerance: float = 0.0
    given: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MeasurementRule:
    """How one quantity of a sample is worked out.

    ``runs`` gives the analysis the documents of the named steps, ``of`` the named
    measurements made before it. It is not worked out unless those that it ``needs`` are
    believed as well.
    """

    quantity: str
    analysis: str
    runs: Mapping[str, str] = field(default_factory=dict)
    of: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()

    @property
    def after(self) -> set[str]:
        """The quantities that must be known, and believed, before this one."""
        return {*self.of.values(), *self.needs}


@dataclass(frozen=True, slots=True)
class Recipe:
    """The ordered steps from a bare substrate to the measured sample of a candidate."""

    name: str
    candidate: Mapping[str, float | str]
    steps: tuple[Step, ...]
    measurements: tuple[MeasurementRule, ...]


@dataclass(frozen=True, slots=True)
class Measurement:
    """A quantity of one sample: value, standard uncertainty, unit, and origin.

    ``believed`` is the verdict of the checks; ``doubts`` says why not. ``details``
    holds further numbers, each key ending in its unit, as plain JSON.
    """

    quantity: str
    value: float
    std: float
    unit: str
    method: str
    runs: tuple[str, ...] = ()
    believed: bool = True
    doubts: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
