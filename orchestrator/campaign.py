"""The state of a campaign, and the rules of what comes next.

Everything here is pure: it knows no lab, no clock and no database. Resume, status,
report and replay all start from a `Progress`, which `fold` makes of the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.records import Measurement, Recipe, Step, TrialStatus
from orchestrator.stopping import Bounds, StopRule
from planners.data import Candidate, Observation

if TYPE_CHECKING:
    from orchestrator.config.models import Campaign

GRIPPER = "gripper"
"""Where a sample is while the arm holds it: not a slot."""

CARRYING = ("transfer", "put_away")
"""Operations that change the slot a sample is in."""

INITIAL, GAIN = "initial design", "expected gain"
"""What a planner mostly proposes candidates for; an initial design may say like whom."""

FAILED = TrialStatus.FAILED
IN_FLIGHT = (TrialStatus.PROPOSED, TrialStatus.PREPARING, TrialStatus.MEASURING)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A candidate that a person (``who``) wants made next, and why (``note``)."""

    id: str
    candidate: Candidate
    who: str
    note: str = ""


def by_text(one: Suggestion | None) -> str:
    """Return who suggested a candidate and why; nothing for the planner's own."""
    if one is None:
        return ""
    return f"by {one.who} ({one.note})" if one.note else f"by {one.who}"


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate's way through the lab, as the ledger tells it.

    ``at`` is the slot its sample is in, ``home`` the rack slot it was born in;
    ``following`` is the index of the recipe's next step; ``acting`` the id of the act
    that has been intended and has not ended; ``runs`` the run uid of each step done.
    Once it has ended its recipe is in the ledger alone.
    ``restarts`` counts the samples that were discarded, ``retries`` how often a step
    that had not happened was attempted again; ``made`` holds what a parameter of the
    candidate really was, where that is not what was asked; ``done_at`` is when its last
    step ended, in Unix seconds. A person may have it rest, or ``condemned`` its sample.
    ``why`` is what the planner says it was proposed for. ``suggestion``: a person's, where
    its candidate is not the planner's.
    """

    id: str
    candidate: Candidate
    why: str = ""
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
    restarts: int = 0
    retries: Mapping[str, int] = field(default_factory=dict)
    made: Mapping[str, float] = field(default_factory=dict)
    done_at: float = 0.0
    resting: bool = False
    condemned: str = ""
    suggestion: Suggestion | None = None

    @property
    def initial(self) -> bool:
        """Whether it is of the initial design, before a surrogate was asked."""
        return self.why.startswith(INITIAL)

    @property
    def whence(self) -> str:
        """Who suggested it, or what else it was proposed for than its expected gain.

        Nothing is said of an initial design that fills the space.
        """
        usual = self.why in (INITIAL, GAIN)
        return by_text(self.suggestion) or ("" if usual else self.why)

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

    @property
    def last_step(self) -> Step | None:
        """The step done last, or None before the first."""
        if self.recipe is None or not self.following:
            return None
        return self.recipe.steps[self.following - 1]


@dataclass(frozen=True, slots=True)
class Act:
    """An intended act: who does what to which sample.

    ``at`` is when it was intended, in Unix seconds; ``duration`` what is expected, in
    lab seconds.
    """

    id: str
    trial: str
    step: str
    operation: str
    station: str
    sample: str
    parameters: Mapping[str, Any]
    at: float = 0.0
    duration: float = 0.0


@dataclass(frozen=True, slots=True)
class Question:
    """Whether an act happened: open until its act has ended in the ledger.

    ``answer`` is one of `ANSWERS`, empty until a person (``who``) gave one. Of a
    transfer ``yes`` and ``no`` say where its sample is: source, gripper or target.
    """

    id: str
    act: Act
    text: str
    at: float
    yes: str = ""
    no: str = ""
    answer: str = ""
    who: str = ""


ANSWERS = ("happened", "did-not", "discard")
"""It happened; it did not; discard the sample."""


@dataclass(frozen=True, slots=True)
class OutOfService:
    """Why a station takes no more steps: ``drains`` while what it holds is finished.

    ``by_fault``: the instruments said so, not a person; it is ``returning`` while they
    are prepared because a person wants it back.
    """

    reason: str
    drains: bool
    by_fault: bool
    returning: bool = False


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
    ``questions`` the acts of which a person is asked whether they happened; ``out`` the
    stations out of service; ``held`` whether it is ``paused`` or ``draining``, ``held_by`` whom;
    ``stop`` who wants it stopped at once. ``paused`` says why its flow ended before its
    end, ``ended`` why it ended; ``excused`` are the trials that had failed when a person
    last resumed it. ``suggested`` are the candidates of persons that are still to be
    made, by id, the oldest first; ``bounds`` what the planner said is left to be gained.
    """

    trials: Mapping[str, Trial] = field(default_factory=dict)
    acting: Mapping[str, Act] = field(default_factory=dict)
    strays: Mapping[str, Stray] = field(default_factory=dict)
    used: frozenset[str] = frozenset()
    excused: frozenset[str] = frozenset()
    questions: Mapping[str, Question] = field(default_factory=dict)
    out: Mapping[str, OutOfService] = field(default_factory=dict)
    held: str = ""
    held_by: str = ""
    stop: str = ""
    paused: str = ""
    ended: str = ""
    good: bool = False
    suggested: Mapping[str, Suggestion] = field(default_factory=dict)
    bounds: Bounds = ()
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
    """What a campaign may spend, how many trials go at once, when it stops; the twins."""

    trials: int
    in_flight: int
    substrates: int
    failures_in_a_row: int = 3
    twins: Mapping[str, str] = field(default_factory=dict)
    stop: StopRule | None = None

    def stuck(self, progress: Progress) -> list[str]:
        """Return the stations out of service whose work no twin can take over."""
        return [
            name
            for name in progress.out
            if name not in self.twins or self.twins[name] in progress.out
        ]


def rules_of(campaign: Campaign, started: Mapping[str, Any]) -> Rules:
    """Return the rules of a campaign that was started like that."""
    lab = campaign.lab
    return Rules(
        trials=int(started["trials"]),
        in_flight=campaign.in_flight,
        substrates=len(lab.substrates),
        twins={name: lab.stations[name].twin for name in lab.twins},
        stop=campaign.stop,
    )


@dataclass(frozen=True, slots=True)
class Propose:
    """Ask the planner for ``n`` candidates."""

    n: int


@dataclass(frozen=True, slots=True)
class Make:
    """Begin a trial of a candidate that a person has suggested."""

    suggestion: Suggestion


@dataclass(frozen=True, slots=True)
class Wait:
    """Something is under way; nothing new is wanted."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing more is to be started; ``resumable``: for now."""

    reason: str
    good: bool
    resumable: bool = False


def next_action(rules: Rules, progress: Progress) -> Propose | Make | Wait | Stop:
    """Return what a campaign does next.

    What a person has suggested is made before the planner is asked. A campaign stops
    when its trials are spent, when the rack has no bare substrate left, when the planner
    has said often enough that little is left to be gained, or when
    ``failures_in_a_row`` trials failed one after the other: then the lab is broken and
    not the recipes. It does not end while a person is asked what happened to a sample.
    It drains, that is, ends what it has begun and can be resumed, when a person wants it
    to or when a station without a twin has reported a fault.
    """
    begun, going = len(progress.trials), len(progress.in_flight)
    if progress.failures_in_a_row >= rules.failures_in_a_row:
        if going or progress.questions:
            return Wait()
        return Stop(f"{progress.failures_in_a_row} trials in a row failed", good=False)
    if progress.held == "paused":
        return Wait()
    if begun < rules.trials and (why := draining(rules, progress)):
        return Wait() if going else Stop(why, good=False, resumable=True)
    room = min(
        rules.trials - begun,
        rules.in_flight - going,
        rules.substrates - len(progress.used),
    )
    if room > 0 and progress.suggested:
        return Make(next(iter(progress.suggested.values())))
    enough = rules.stop.reason(progress.bounds) if rules.stop else ""
    if room > 0 and not enough:
        return Propose(room)
    if going or progress.questions:  # also of a sample that was only put away
        return Wait()
    if begun >= rules.trials:
        return Stop(f"all {rules.trials} trials are made", good=True)
    if enough:
        return Stop(enough, good=True)
    return Stop("the rack has no bare substrate left", good=True)


def told(progress: Progress) -> dict[str, tuple[str, ...]]:
    """Return what a planner is told now: the trials of each kind, in their order."""
    trials = progress.trials.values()
    return {
        "observed": tuple(one.id for one in trials if one.observation),
        "pending": tuple(one.id for one in trials if one.in_flight),
        "failed": tuple(
            one.id for one in trials if not one.in_flight and not one.observation
        ),
    }


def draining(rules: Rules, progress: Progress) -> str:
    """Return why a campaign begins no more trials for now, ``""`` if it does."""
    if progress.held == "draining":
        return "drained, as a person wanted"
    stuck = [name for name in rules.stuck(progress) if progress.out[name].by_fault]
    return "; ".join(
        f"station {name} is out of service: {progress.out[name].reason}"
        for name in stuck
    )
