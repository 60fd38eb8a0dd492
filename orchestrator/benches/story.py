"""What the simulated instruments wrote down themselves, laid against the acts.

Pure. A line of a journal belongs to the act that its instrument's station was carrying
out. An act that was cut short owns what its instruments still do until their station
begins another: a stroke, a spin or a move that is under way does not end with a process.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.ledger import Event
from orchestrator.station.acts import ActRecord, ActState

SLACK = 0.05
"""Seconds by which a line may be written after its act was recorded as done."""
ROUNDING = 0.001
"""Seconds by which a line may seem older than it is."""

CAUSES: Mapping[str, tuple[str, ...]] = {
    "gripped": ("transfer",),
    "gripped nothing": ("transfer",),
    "released": ("transfer", "put_away"),
    "aspirated": ("dispense", "rinse"),
    "poured": ("dispense", "rinse"),
    "spinning": ("spin",),
    "spun": ("spin",),
    "heater on": ("heat", "reach", "hold", "impedance", "polarise"),
    "output on": ("van_der_pauw", "polarise"),
    "relays closed": ("van_der_pauw",),
}
"""Events that nothing but an act may cause → the operations that cause them.

Any other event may come without an act: making safe, preparing (homing, initialising,
calibrating, emptying the syringe to waste, opening relays), a watchdog, or the
profilometer's own program, which scans whatever is put down.
"""

NEVER = ("spilled", "dropped", "gripped nothing", "stalled", "overspeed")
"""Events that no act explains."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an instrument's journal; ``wall`` is Unix time, in s."""

    instrument: str
    number: int
    wall: float
    event: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        facts = ", ".join(f"{key} {value}" for key, value in self.facts.items())
        return f"{self.instrument}.jsonl:{self.number}: {self.event} {facts}".strip()


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of one campaign.

    Parameters
    ----------
    campaign:
        Its id.
    events, acts:
        Its ledger, and the acts of its station service.
    lines:
        The journals of the simulated instruments.
    stations:
        Instrument → its station.
    speed:
        Lab seconds per second.
    kept:
        Trial → its observation, as the ledger had it when something was killed.
    runs:
        Action → uid of its run, for runs that ended well in the station's journal.
    """

    campaign: str
    events: Sequence[Event]
    acts: Sequence[ActRecord]
    lines: Sequence[Line]
    stations: Mapping[str, str]
    speed: float
    kept: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    runs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """An act with the lines that its instruments wrote because of it.

    ``end``: until when (Unix time, s) what they write belongs to it.
    """

    act: ActRecord
    end: float
    instruments: frozenset[str]
    lines: tuple[Line, ...] = ()

    @property
    def sample(self) -> str:
        """The sample's name on the bench: the slot that it was born in."""
        return self.act.sample.rpartition("/")[2]

    def having(self, event: str, **facts: Any) -> list[Line]:
        """Return the lines of an event with these facts."""
        return [
            line
            for line in self.lines
            if line.event == event
            and all(line.facts.get(key) == value for key, value in facts.items())
        ]


@dataclass(frozen=True, slots=True)
class Story:
    """The acts in the order in which they were sent, and the lines that no act explains."""

    told: tuple[Told, ...]
    stray: tuple[Line, ...]


def tell(evidence: Evidence) -> Story:
    """Give each line to the act that caused it."""
    sent: dict[str, list[ActRecord]] = {}
    for act in sorted(evidence.acts, key=lambda one: one.sent or 0.0):
        if act.sent is not None:
            sent.setdefault(act.station, []).append(act)
    begun = {
        station: [one.sent or 0.0 for one in acts] for station, acts in sent.items()
    }
    owned: dict[str, list[Line]] = {}
    stray = []
    for line in evidence.lines:
        station = evidence.stations.get(line.instrument, "")
        at = bisect_right(begun.get(station, []), line.wall + ROUNDING) - 1
        owner = sent[station][at] if at >= 0 else None
        if owner is not None and line.wall > _end(owner, math.inf):
            owner = None
        causes = CAUSES.get(line.event)
        if causes and (owner is None or owner.operation not in causes):
            stray.append(line)
        elif owner is not None:
            owned.setdefault(owner.action, []).append(line)
    told = [
        Told(
            act,
            _end(act, following),
            frozenset(key for key, one in evidence.stations.items() if one == station),
            tuple(owned.get(act.action, ())),
        )
        for station, acts in sent.items()
        for act, following in zip(acts, [*begun[station][1:], math.inf], strict=True)
    ]
    told.sort(key=lambda one: one.act.sent or 0.0)
    return Story(tuple(told), tuple(stray))


def _end(act: ActRecord, following: float) -> float:
    """Return until when lines belong to an act, at the latest until ``following``."""
    if act.state is ActState.DONE and act.ended is not None:
        return min(act.ended + SLACK, following)
    return following


def places(lines: Iterable[Line]) -> dict[str, str]:
    """Return where each sample that was ever moved lies, by what the gripper did.

    ``gripper`` is no slot; a sample that was dropped lies ``beside`` all slots.
    """
    at: dict[str, str] = {}
    for line in lines:
        if line.event == "gripped":
            at[line.facts["sample"]] = "gripper"
        elif line.event == "released":
            at[line.facts["sample"]] = line.facts["slot"]
        elif line.event == "dropped":
            at[line.facts["sample"]] = "beside"
    return at


def believed_places(events: Iterable[Event]) -> dict[str, str]:
    """Return where the ledger says that each sample is, by the sample's name on the bench."""
    at: dict[str, str] = {}
    moving: dict[str, tuple[str, str]] = {}
    for event in events:
        data = event.data
        if event.kind == "trial.started":
            at[data["sample"].rpartition("/")[2]] = data["home"]
        elif event.kind == "step.intended" and data["operation"] in (
            "transfer",
            "put_away",
        ):
            sample = data["sample"].rpartition("/")[2]
            moving[data["action"]] = sample, data["parameters"]["target"]
        elif event.kind == "step.done" and data["action"] in moving:
            sample, target = moving.pop(data["action"])
            at[sample] = target
        elif event.kind == "sample.found":
            at[data["sample"].rpartition("/")[2]] = data["at"]
    return at
