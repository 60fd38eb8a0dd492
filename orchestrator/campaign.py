"""The state of a campaign, folded from its ledger, and the rules of what comes next.

Everything here is pure: it knows no lab, no clock and no database. Resume, status,
report and replay all start from `fold`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.ledger import Event
from orchestrator.records import Measurement, MeasurementRule, Recipe, Step, TrialStatus
from planners.data import Candidate, Estimate, Observation

GRIPPER = "gripper"
"""Where a sample is while the arm holds it: not a slot."""

CARRYING = ("transfer", "put_away")
"""Operations that change the slot a sample is in."""

IN_FLIGHT = (TrialStatus.PROPOSED, TrialStatus.PREPARING, TrialStatus.MEASURING)


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate's way through the lab, as the ledger tells it.

    ``at`` is the slot its sample is in, ``home`` the rack slot it was born in;
    ``following`` is the index of the recipe's next step; ``acting`` the id of the act
    that has been intended and has not ended; ``runs`` the run uid of each step done.
    """

    id: str
    candidate: Candidate
    status: TrialStatus = TrialStatus.PROPOSED
    sample: str = ""
    home: str = ""
    at: str = ""
    recipe: Recipe | None = None
    following: int = 0
    acting: str = ""
    acts: int = 0
    runs: Mapping[str, str] = field(default_factory=dict)
    repeats: Mapping[str, int] = field(default_factory=dict)
    lift: bool = False
    measurements: tuple[Measurement, ...] = ()
    observation: Observation | None = None
    reason: str = ""

    @property
    def in_flight(self) -> bool:
        """Whether the trial has started and not ended."""
        return self.status in IN_FLIGHT

    @property
    def next_step(self) -> Step | None:
        """The recipe's next step, or None when all are done."""
        if self.recipe is None or self.following >= len(self.recipe.steps):
            return None
        return self.recipe.steps[self.following]


@dataclass(frozen=True, slots=True)
class Act:
    """An intended act: who does what to which sample."""

    id: str
    trial: str
    step: str
    operation: str
    station: str
    sample: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stray:
    """A sample whose trial has ended, still in a slot that others may need."""

    sample: str
    at: str
    home: str
    trial: str


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of a campaign.

    ``acting`` holds the acts that were intended and have not ended; ``strays`` the
    samples that have to be put away; ``used`` the rack slots whose substrate is taken;
    ``paused`` says why it was stopped before its end, ``ended`` why it ended;
    ``excused`` are the trials that had failed when a person last resumed it.
    """

    trials: Mapping[str, Trial] = field(default_factory=dict)
    acting: Mapping[str, Act] = field(default_factory=dict)
    strays: Mapping[str, Stray] = field(default_factory=dict)
    used: frozenset[str] = frozenset()
    excused: frozenset[str] = frozenset()
    paused: str = ""
    ended: str = ""
    good: bool = False
    seq: int = 0

    @property
    def in_flight(self) -> list[Trial]:
        """Trials that have started and not ended, the oldest first."""
        return [trial for trial in self.trials.values() if trial.in_flight]

    @property
    def observed(self) -> list[Trial]:
        """Trials with an observation, in the order of the trials."""
        return [trial for trial in self.trials.values() if trial.observation]

    @property
    def failures_in_a_row(self) -> int:
        """How many of the trials that ended last have failed, since it was resumed."""
        count = 0
        for trial in reversed(list(self.trials.values())):
            if trial.id in self.excused:
                break
            if trial.status is TrialStatus.FAILED:
                count += 1
            elif not trial.in_flight:
                break
        return count


@dataclass(frozen=True, slots=True)
class Rules:
    """What a campaign may spend and how many trials go at once."""

    trials: int
    in_flight: int
    substrates: int
    failures_in_a_row: int = 3


@dataclass(frozen=True, slots=True)
class Propose:
    """Ask the planner for ``n`` candidates."""

    n: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Something is under way; nothing new is wanted."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing more is to be started."""

    reason: str
    good: bool


def next_action(rules: Rules, progress: Progress) -> Propose | Wait | Stop:
    """Return what a campaign does next.

    A campaign stops when its trials are spent, when the rack has no bare substrate
    left, or when ``failures_in_a_row`` trials failed one after the other: then the
    lab is broken and not the recipes.
    """
    begun, going = len(progress.trials), len(progress.in_flight)
    if progress.failures_in_a_row >= rules.failures_in_a_row:
        if going:
            return Wait()
        return Stop(f"{progress.failures_in_a_row} trials in a row failed", good=False)
    room = min(
        rules.trials - begun,
        rules.in_flight - going,
        rules.substrates - len(progress.used),
    )
    if room > 0:
        return Propose(room)
    if going:
        return Wait()
    if begun >= rules.trials:
        return Stop(f"all {rules.trials} trials are made", good=True)
    return Stop("the rack has no bare substrate left", good=True)


def fold(events: Iterable[Event], progress: Progress | None = None) -> Progress:
    """Return the state after ``events``, beginning from ``progress`` or from nothing.

    An event that cannot follow from the state (for a trial that is not known, say)
    leaves it as it is: the ledger is never edited, so it is never refused either.
    """
    now = progress or Progress()
    trials, acting, strays = dict(now.trials), dict(now.acting), dict(now.strays)
    used, paused, ended = set(now.used), now.paused, now.ended
    good, seq, excused = now.good, now.seq, now.excused
    for event in events:
        seq, data, kind = event.seq, event.data, event.kind
        if kind == "campaign.ended":
            ended, good = str(data["reason"]), bool(data["good"])
        elif kind == "campaign.paused":
            paused = str(data["reason"])
        elif kind == "campaign.resumed":
            paused, ended, good = "", "", False
            excused = frozenset(
                one.id for one in trials.values() if one.status is TrialStatus.FAILED
            )
        elif kind == "candidate.proposed":
            trials[event.trial] = Trial(event.trial, Candidate(data["candidate"]))
        trial = trials.get(event.trial)
        if trial is None:
            continue
        if kind == "step.intended":
            act = Act(
                id=data["action"],
                trial=trial.id,
                step=data["step"],
                operation=data["operation"],
                station=data["station"],
                sample=data["sample"],
                parameters=data["parameters"],
            )
            acting[act.id] = act
            trial = dataclasses.replace(trial, acts=trial.acts + 1)
            if act.sample == trial.sample and trial.in_flight:
                trial = dataclasses.replace(trial, acting=act.id)
        elif kind in ("step.done", "step.failed"):
            ending = acting.pop(data["action"], None)
            if ending is not None:
                trial = _after_act(trial, ending, data, kind == "step.done", strays)
        elif kind == "sample.found":
            trial = _found(trial, data, strays)
        elif kind == "sample.discarded":
            if data["at"] != trial.home:
                strays[trial.sample] = Stray(
                    trial.sample, data["at"], trial.home, trial.id
                )
        else:
            trial = _after(trial, event)
            if kind == "trial.started":
                used.add(trial.home)
            elif not trial.in_flight and trial.at not in ("", trial.home):
                strays[trial.sample] = Stray(
                    trial.sample, trial.at, trial.home, trial.id
                )
        trials[event.trial] = trial
    return Progress(
        trials=trials,
        acting=acting,
        strays=strays,
        used=frozenset(used),
        excused=excused,
        paused=paused,
        ended=ended,
        good=good,
        seq=seq,
    )


def _after_act(
    trial: Trial,
    act: Act,
    data: Mapping[str, Any],
    done: bool,
    strays: dict[str, Stray],
) -> Trial:
    """Return a trial after one of its acts has ended."""
    if act.operation in CARRYING and done:
        target = act.parameters["target"]
        if act.sample in strays:
            stray = strays.pop(act.sample)
            if target != stray.home:
                strays[act.sample] = dataclasses.replace(stray, at=target)
        if act.sample == trial.sample:
            trial = dataclasses.replace(trial, at=target, lift=False)
    if trial.acting != act.id:
        return trial
    trial = dataclasses.replace(trial, acting="")
    step = trial.next_step
    if done and step is not None and act.step == step.name:
        trial = dataclasses.replace(
            trial,
            runs={**trial.runs, step.name: data["run_uid"]},
            following=trial.following + 1,
        )
    return trial


def _found(trial: Trial, data: Mapping[str, Any], strays: dict[str, Stray]) -> Trial:
    """Return a trial after its sample was found where it was not expected."""
    sample, at = data["sample"], data["at"]
    if sample in strays:
        strays[sample] = dataclasses.replace(strays[sample], at=at)
    if sample == trial.sample:
        trial = dataclasses.replace(trial, at=at)
    return trial


def _after(trial: Trial, event: Event) -> Trial:
    """Return a trial after an event that concerns it alone."""
    data = event.data
    match event.kind:
        case "trial.started":
            return Trial(
                trial.id,
                trial.candidate,
                status=TrialStatus.PREPARING,
                sample=data["sample"],
                home=data["home"],
                at=data["home"],
                recipe=trial.recipe,
                acts=trial.acts,
            )
        case "recipe.compiled":
            return dataclasses.replace(trial, recipe=recipe_of(data["recipe"]))
        case "measurement":
            values = {key: data[key] for key in data if key not in ("sample", "step")}
            values["runs"] = tuple(values.get("runs", ()))
            values["doubts"] = tuple(values.get("doubts", ()))
            return dataclasses.replace(
                trial,
                status=TrialStatus.MEASURING,
                measurements=(*trial.measurements, Measurement(**values)),
            )
        case "step.repeated":
            name = data["step"]
            names = [step.name for step in trial.recipe.steps] if trial.recipe else []
            return dataclasses.replace(
                trial,
                following=names.index(name) if name in names else trial.following,
                repeats={
                    **trial.repeats,
                    name: trial.repeats.get(name, 0) + int(data.get("doubted", True)),
                },
                lift=True,
            )
        case "observation":
            observation = Observation(
                Candidate(data["candidate"]),
                {name: Estimate(**one) for name, one in data["estimates"].items()},
            )
            return dataclasses.replace(
                trial, status=TrialStatus.OBSERVED, observation=observation
            )
        case "trial.failed":
            return dataclasses.replace(
                trial, status=TrialStatus.FAILED, reason=data["reason"]
            )
        case _:
            return trial


def recipe_of(data: Mapping[str, Any]) -> Recipe:
    """Return a recipe from the plain values in which the ledger keeps it."""
    return Recipe(
        name=data["name"],
        candidate=data["candidate"],
        steps=tuple(Step(**step) for step in data["steps"]),
        measurements=tuple(MeasurementRule(**rule) for rule in data["measurements"]),
    )
