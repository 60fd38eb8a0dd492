"""What follows when an act has not simply ended well: the rules, as ledger entries.

The station says how an act ended and, where it is not done, what became of its sample
(its *verdict*). From that follows, the same after a failure, a stop and a crash:

=============== ==================================================================
it happened     it is taken as done; a timed step whose true duration is beyond the
                recipe's tolerance costs its sample
it did not      it is attempted again on the same sample, `RETRIES` times
in part         a sample on its way is where the gripper has it; any other is discarded
unknown         a person is asked; or, where the campaign says so, it is discarded
=============== ==================================================================

A discarded sample is put away, and its trial starts again on a new substrate, at most
`RESTARTS` times: one failure costs one sample, and no candidate is lost. An act that was
refused, by a limit or by an instrument, would be refused again: its trial has failed. One
that only looks is tried once more: a word garbled on its way is refused as well.
A station whose hardware reported a fault is put out of service. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from instruments.plans.evidence import WINDOW, Outcome, Verdict
from orchestrator.campaign import (
    CARRYING,
    GRIPPER,
    Act,
    Progress,
    Question,
    Trial,
)
from orchestrator.dispatch import in_chain
from orchestrator.lab import LOOKS
from orchestrator.records import Step, WhenUnanswered
from orchestrator.station.acts import ActRecord, ActState, FaultClass

RETRIES = 2
"""How often a step that has not happened is attempted again."""
RESTARTS = 2
"""How often a trial starts again on a new substrate."""

Entry = tuple[str, str, dict[str, Any]]
"""What to append to the ledger: kind, trial, data."""


class KnowsActs(Protocol):
    """Something that can be asked how an act went."""

    def find(self, action: str) -> ActRecord | None:
        """Return the act, or None when it was never begun."""
        ...


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a campaign settles acts that have not ended well.

    Attributes
    ----------
    unanswered:
        What becomes of a sample of which nobody can tell what happened to it.
    substrate:
        Returns the next bare substrate, None when the rack has none; asked after each
        entry was appended.
    speed:
        Lab seconds per real second.
    """

    unanswered: WhenUnanswered
    substrate: Callable[[], dict[str, str] | None]
    speed: float = 1.0

    def settle(
        self, act: Act, record: ActRecord | None, trial: Trial
    ) -> Iterator[Entry]:
        """Yield what follows from how an act ended."""
        facts = _facts(act, record)
        if record is not None and record.state is ActState.DONE:
            yield "step.done", trial.id, facts
            return
        if record is None or not (record.begun or record.fault):
            reason = (record.reason if record else "") or "never begun"
            yield "step.failed", trial.id, {**facts, "reason": reason}
            return
        if record.fault is FaultClass.FAULT:
            yield _out_of_service(act, record.reason)
        verdict = record.verdict or Verdict(Outcome.DID_NOT, "nothing was sent")
        facts |= {
            "reason": record.reason,
            "verdict": f"{verdict.outcome}: {verdict.why}",
        }
        match verdict.outcome:
            case Outcome.HAPPENED:
                yield from self._happened(act, trial, verdict, facts)
            case Outcome.DID_NOT:
                yield from self._did_not(act, trial, record.fault, facts)
            case Outcome.PARTLY:
                yield from self._partly(act, trial, verdict, facts)
            case Outcome.UNKNOWN:
                yield from self._unknown(act, trial, verdict, facts)

    def answered(self, question: Question, trial: Trial) -> Iterator[Entry]:
        """Yield what follows from a person's answer."""
        act, who = question.act, question.who
        facts = {**_facts(act, None), "reason": question.text, "question": question.id}
        places = {"happened": question.yes, "did-not": question.no}
        at = places.get(question.answer, "")
        if question.answer == "happened" and at != GRIPPER:
            why = f"{who} says that it happened"
            yield "step.done", trial.id, {**facts, "reconciled": why, "run_uid": ""}
            return
        yield "step.failed", trial.id, {**facts, "verdict": f"{who}: {question.answer}"}
        if at == GRIPPER:
            yield "sample.found", trial.id, {"sample": act.sample, "at": GRIPPER}
        elif question.answer == "discard":
            reason = f"discarded by {who}: {act.step} may have happened"
            if act.operation not in CARRYING:
                yield from self.discard(trial, act.sample, trial.at, reason)
                return
            # It was taken out by hand: there is nothing to put away.
            home = {"sample": act.sample, "at": trial.home}
            yield "sample.found", trial.id, home
            yield from self.discard(trial, act.sample, trial.home, reason)

    def discard(
        self, trial: Trial, sample: str, at: str, reason: str
    ) -> Iterator[Entry]:
        """Yield what makes a trial start again on a new substrate, if it may."""
        if not trial.in_flight or sample != trial.sample:
            return
        yield (
            "sample.discarded",
            trial.id,
            {"sample": sample, "at": at, "reason": reason},
        )
        if trial.restarts >= RESTARTS:
            why = f"{reason}; {RESTARTS + 1} samples were spoilt"
            yield "trial.failed", trial.id, {"reason": why}
            return
        fresh = self.substrate()
        if fresh is None:
            why = f"{reason}; the rack has no bare substrate left"
            yield "trial.failed", trial.id, {"reason": why}
        else:
            yield "trial.started", trial.id, fresh

    # -- the four outcomes -------------------------------------------------------------

    def _happened(
        self, act: Act, trial: Trial, verdict: Verdict, facts: dict[str, Any]
    ) -> Iterator[Entry]:
        step = _step(trial, act)
        wanted = act.parameters.get("duration")
        if step is not None and wanted is not None and verdict.seconds is not None:
            off = verdict.seconds - float(wanted)
            if abs(off) > step.tolerance * float(wanted):
                yield "step.failed", trial.id, facts
                reason = (
                    f"{act.step} lasted {verdict.seconds:.0f} s instead of {wanted:.0f} s, "
                    f"beyond its tolerance of {100 * step.tolerance:g} %"
                )
                yield from self.discard(trial, act.sample, trial.at, reason)
                return
        facts |= {"reconciled": verdict.why, "seconds": verdict.seconds}
        yield "step.done", trial.id, facts

    def _did_not(
        self, act: Act, trial: Trial, fault: FaultClass | None, facts: dict[str, Any]
    ) -> Iterator[Entry]:
        yield "step.failed", trial.id, facts
        step = _step(trial, act)
        if step is None:
            if act.sample == trial.sample and fault is FaultClass.REJECTED:
                yield "trial.failed", trial.id, {"reason": _why(act, facts)}
            elif fault is FaultClass.LINK and trial.retries.get(act.step, 0) >= RETRIES:
                yield _out_of_service(act, facts["reason"])
            return
        if act.operation in LOOKS:
            again = {"step": act.step, "reason": facts["reason"], "doubted": False}
            yield "step.repeated", trial.id, again
        once_more = act.operation in LOOKS and not trial.retries.get(act.step, 0)
        if fault is FaultClass.OTHER or (
            fault is FaultClass.REJECTED and not once_more
        ):
            yield "trial.failed", trial.id, {"reason": _why(act, facts)}
        elif fault is FaultClass.LINK and trial.retries.get(act.step, 0) >= RETRIES:
            yield _out_of_service(act, facts["reason"])

    def _partly(
        self, act: Act, trial: Trial, verdict: Verdict, facts: dict[str, Any]
    ) -> Iterator[Entry]:
        yield "step.failed", trial.id, facts
        if act.operation in CARRYING:
            yield "sample.found", trial.id, {"sample": act.sample, "at": GRIPPER}
            return
        reason = f"{_why(act, facts)} ({verdict.why})"
        yield from self.discard(trial, act.sample, trial.at, reason)

    def _unknown(
        self, act: Act, trial: Trial, verdict: Verdict, facts: dict[str, Any]
    ) -> Iterator[Entry]:
        # Where a sample is cannot be left open: the next act would rest on a guess.
        if self.unanswered is WhenUnanswered.ASK or act.operation in CARRYING:
            asked = {
                key: facts[key] for key in ("action", "sample", "station", "reason")
            }
            text = f"{act.step} of {act.sample} at {act.station}: {verdict.question}"
            places = {"yes": verdict.at, "no": verdict.otherwise, "why": verdict.why}
            data = {"question": f"q.{act.id}", "text": text, **places, **asked}
            yield "question.asked", trial.id, data
            return
        yield "step.failed", trial.id, facts
        reason = f"{_why(act, facts)}; nobody can tell whether it happened"
        yield from self.discard(trial, act.sample, trial.at, reason)


def recover(
    progress: Callable[[], Progress],
    station: KnowsActs,
    rules: Settlement,
    *,
    now: float,
    found: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> Iterator[Entry]:
    """Yield what to append so that a campaign can go on from where it stopped.

    Parameters
    ----------
    progress:
        Returns the state; asked after each entry was appended.
    station:
        The station service that was asked to carry out the acts.
    rules:
        How the campaign settles what was cut short.
    now:
        Unix seconds.
    found:
        What the instruments said before anything moved them, by station and role.
    """
    for act in list(progress().acting.values()):
        trial = progress().trials[act.trial]
        yield from rules.settle(act, station.find(act.id), trial)
    for name in [trial.id for trial in progress().in_flight]:
        trial = progress().trials[name]
        if trial.acting or trial.last_step is None:
            continue
        yield from _waited(trial, trial.last_step, rules, now, found)


def _waited(
    trial: Trial,
    last: Step,
    rules: Settlement,
    now: float,
    found: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> Iterator[Entry]:
    """Judge a sample on which its last step went on while nobody was there."""
    waited = (now - trial.done_at) * rules.speed
    if not in_chain(trial) and not _still_hot(trial, last, found):
        return
    if last.operation in LOOKS:  # a plate that was warmed is warmed again
        reason = f"stopped for {waited:.0f} s after it"
        again = {"step": last.name, "reason": reason, "doubted": False}
        yield "step.repeated", trial.id, again
        return
    following = trial.next_step.name if trial.next_step else "its end"
    allowed = _slack(last)
    if in_chain(trial) and trial.next_step is not None:
        allowed = max(allowed, _slack(trial.next_step))
    if waited > allowed:
        reason = (
            f"{last.name} went on for {waited:.0f} s before {following}, beyond its "
            f"tolerance of {allowed:.0f} s"
        )
        yield from rules.discard(trial, trial.sample, trial.at, reason)
        return
    wanted = float(last.parameters.get("duration", 0.0))
    seconds = trial.made.get(last.given.get("duration", ""), wanted) + waited
    yield "step.ran_on", trial.id, {"step": last.name, "seconds": seconds}


def _slack(step: Step) -> float:
    """Return by how many lab seconds a step may last longer."""
    return step.tolerance * float(step.parameters.get("duration", 0.0))


def _still_hot(
    trial: Trial,
    last: Step,
    found: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> bool:
    """Whether a sample still lies on the plate of its last step, at its temperature."""
    wanted = last.parameters.get("temperature")
    plate = found.get(last.station, {}).get("hotplate", {})
    shown = plate.get("temperature_degC")
    if wanted is None or shown is None or trial.at != last.slot:
        return False
    return abs(float(shown) - float(wanted)) <= WINDOW


def _facts(act: Act, record: ActRecord | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "action": act.id,
        "step": act.step,
        "operation": act.operation,
        "station": act.station,
        "sample": act.sample,
    }
    if record is not None:
        facts |= {
            "run_uid": record.run_uid,
            "started": record.sent,
            "acknowledged": record.acknowledged,
            "ended": record.ended,
            "lab_seconds": record.lab_seconds,
        }
        if record.fault is not None:
            facts["fault"] = record.fault.value
    return facts


def _step(trial: Trial, act: Act) -> Step | None:
    """Return the step of the trial's recipe that an act was, None for a transfer."""
    step = trial.next_step
    own = act.sample == trial.sample and trial.in_flight
    return step if own and step is not None and step.name == act.step else None


def _why(act: Act, facts: Mapping[str, Any]) -> str:
    return f"{act.step} at {act.station}: {facts['reason']}"


def _out_of_service(act: Act, reason: str) -> Entry:
    return (
        "control",
        "",
        {
            "verb": "pause",
            "subject": "station",
            "name": act.station,
            "who": "polyloop",
            "via": "fault",
            "note": reason,
        },
    )
