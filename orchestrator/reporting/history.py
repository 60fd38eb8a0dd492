"""What a campaign came to, read from its ledger for tables, plots and reports. Pure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.best import best_trials, ranked_trials
from orchestrator.campaign import Progress, Trial
from orchestrator.cards import of_objective
from orchestrator.errors import Refused
from orchestrator.fold import fold
from orchestrator.ledger import Event
from orchestrator.records import Measurement
from planners.data import Estimate, Limit, Objective
from planners.desirability import objective_of, quantities
from planners.front import within

EDGE = 0.02
"""A value within this part of its range from a bound counts as being at the edge."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One axis of the search space; a choice has options and no bounds."""

    name: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    scale: str = ""
    options: tuple[str, ...] = ()

    @property
    def is_choice(self) -> bool:
        """Whether the values are names."""
        return bool(self.options) or self.low is None

    def position(self, value: float) -> float:
        """Return where a number lies in its range, from 0 to 1."""
        if self.low is None or self.high is None or self.high <= self.low:
            return 0.5
        if self.scale == "log" and min(value, self.low) > 0:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Act:
    """A step that was begun; times in Unix seconds, NaN when not known."""

    id: str
    trial: str
    sample: str
    step: str
    operation: str
    station: str
    started: float
    ended: float
    lab_seconds: float
    run_uid: str
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """A campaign: what was asked, what was done, what came out."""

    id: str
    facts: Mapping[str, Any]
    began: float
    last: float
    parameters: tuple[Parameter, ...]
    objectives: tuple[Objective, ...]
    progress: Progress
    acts: tuple[Act, ...] = ()
    cards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    limits: tuple[Limit, ...] = ()

    @property
    def name(self) -> str:
        """The name of the campaign, without its date."""
        return str(self.facts.get("name") or self.id)

    @property
    def objective(self) -> Objective | None:
        """The first objective, which gives the order of the best."""
        return self.objectives[0] if self.objectives else None

    @property
    def choice(self) -> Parameter | None:
        """The first parameter that is a choice; plots are coloured by it."""
        return next((one for one in self.parameters if one.is_choice), None)

    @property
    def trials(self) -> list[Trial]:
        """All trials in order."""
        return list(self.progress.trials.values())

    def estimate(self, trial: Trial, name: str = "") -> Estimate | None:
        """Return the finite estimate of an objective (the first), or None."""
        wanted = name or (self.objective.name if self.objective else "")
        if trial.observation is None:
            return None
        one = trial.observation.estimates.get(wanted)
        return one if one is not None and math.isfinite(one.value) else None

    def ranked(self) -> list[Trial]:
        """Return the trials within the limits, the best first (`best.ranked_trials`)."""
        if not self.objectives:
            return []
        return ranked_trials(self.progress, self.objectives, self.limits)

    def front(self) -> list[Trial]:
        """Return the trials that no other beats within the limits, the best first."""
        if not self.objectives:
            return []
        return best_trials(self.progress, self.objectives, self.limits)

    def within(self, trial: Trial) -> bool:
        """Whether a trial was observed and keeps within the limits."""
        return trial.observation is not None and within(trial.observation, self.limits)

    def each(self) -> list[History]:
        """Return the same campaign as if it had one objective only, for each.

        What an objective is made of counts as one.
        """
        every = dict.fromkeys((*self.objectives, *quantities(self.objectives)))
        return [dataclasses.replace(self, objectives=(one,)) for one in every]

    def quantities(self) -> dict[str, str]:
        """Return every measured quantity with its unit, in the order first seen."""
        return {
            one.quantity: one.unit
            for trial in self.trials
            for one in trial.measurements
        }

    def measured(self, trial: Trial, quantity: str) -> Measurement | None:
        """Return the last measurement of a quantity, believed ones before others."""
        found = [one for one in trial.measurements if one.quantity == quantity]
        chosen = [one for one in found if one.believed] or found
        return chosen[-1] if chosen else None

    def prediction(self, trial: Trial) -> tuple[float, float, float] | None:
        """Return what the surrogate expected of a trial before it was made.

        Mean and the two ends of one standard deviation, in the (first) objective's
        unit; None for the initial design.
        """
        name = self.objective.name if self.objective else ""
        for candidate in self.cards.get(trial.id, {}).get("candidates", ()):
            one = of_objective(candidate, name)
            if candidate.get("id") == trial.candidate.id and "predicted" in one:
                mean, std = float(one["predicted"]), float(one["predicted_std"])
                ends = (mean, mean - std, mean + std)
                if self.objective is not None and self.objective.scale == "log":
                    ends = (10.0 ** ends[0], 10.0 ** ends[1], 10.0 ** ends[2])
                return ends
        return None

    def at_edge(self, trial: Trial) -> list[str]:
        """Return the parameters of a trial that lie at a bound of the search space."""
        edge = []
        for one in self.parameters:
            value = trial.candidate.values.get(one.name)
            if one.is_choice or not isinstance(value, int | float):
                continue
            if not EDGE < one.position(float(value)) < 1.0 - EDGE:
                edge.append(one.name)
        return edge


def read_history(events: Sequence[Event]) -> History:
    """Return what the events of one campaign say, in order.

    Raises
    ------
    Refused
        When there are none, or the first is not the start of a campaign.
    """
    if not events or events[0].kind != "campaign.started":
        raise Refused("ledger: no campaign starts here; there is nothing to report")
    return dataclasses.replace(
        outline(events[0], fold(events)),
        last=events[-1].at,
        acts=tuple(_acts(events)),
        cards={
            event.trial: event.data.get("card") or {}
            for event in events
            if event.kind == "candidate.proposed"
        },
    )


def outline(started: Event, progress: Progress) -> History:
    """Return how a campaign stands, without its acts and what was expected of trials."""
    facts = started.data
    return History(
        id=started.campaign,
        facts=facts,
        began=started.at,
        last=started.at,
        parameters=tuple(_parameter(one) for one in facts.get("space", ())),
        objectives=tuple(map(objective_of, facts.get("objectives", ()))),
        limits=tuple(Limit(**one) for one in facts.get("limits", ())),
        progress=progress,
    )


def _parameter(data: Mapping[str, Any]) -> Parameter:
    return Parameter(
        name=data["name"],
        unit=data.get("unit") or "",
        low=data.get("low"),
        high=data.get("high"),
        scale=data.get("scale") or "",
        options=tuple(data.get("options") or ()),
    )


def _acts(events: Sequence[Event]) -> Iterator[Act]:
    """Yield every act in the order in which it was intended."""
    ends = {
        event.data["action"]: event
        for event in events
        if event.kind in ("step.done", "step.failed")
    }
    for event in events:
        if event.kind != "step.intended":
            continue
        asked, end = event.data, ends.get(event.data["action"])
        told: Mapping[str, Any] = end.data if end else {}
        started = told.get("started")
        ended = told.get("ended") or (end.at if end else math.nan)
        yield Act(
            id=asked["action"],
            trial=event.trial,
            sample=asked.get("sample", ""),
            step=asked["step"],
            operation=asked.get("operation", ""),
            station=asked.get("station", ""),
            started=float(event.at if started is None else started),
            ended=float(ended),
            lab_seconds=float(told.get("lab_seconds") or math.nan),
            run_uid=told.get("run_uid") or "",
            state="open" if end is None else end.kind.partition(".")[2],
            reason=told.get("reason") or "",
        )
