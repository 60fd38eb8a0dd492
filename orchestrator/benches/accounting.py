"""What went wrong in a campaign, by the journals of its instruments against its ledger.

Pure. Three counts, each of which must be 0: acts that were carried out twice,
observations that were lost, and differences that nothing explains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from orchestrator.benches.fingerprints import (
    ONCE,
    VOLUME,
    Trace,
    poured_volume,
    trace,
)
from orchestrator.benches.story import (
    NEVER,
    Evidence,
    Line,
    Story,
    Told,
    believed_places,
    places,
    tell,
)
from orchestrator.campaign import CARRYING
from orchestrator.fold import fold
from orchestrator.lab import OPERATIONS
from orchestrator.station.acts import ActState

SAMPLED = ("gripped", "released", "poured", "spun")
"""Events that must be of the act's own sample."""

PLACES = ("yes", "no")
"""Keys of a question that say where a sample is, if its transfer happened and if not."""


class Wrong(StrEnum):
    """The three counts."""

    REPEATED = "repeated"
    LOST = "lost"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that went wrong, with the lines of the journals that show it."""

    wrong: Wrong
    campaign: str
    sample: str
    act: str
    text: str
    lines: tuple[Line, ...] = ()

    def __str__(self) -> str:
        where = " ".join(one for one in (self.campaign, self.sample, self.act) if one)
        return "\n    ".join(
            [f"{self.wrong}: {where}: {self.text}", *map(str, self.lines)]
        )


def account(evidence: Evidence) -> list[Finding]:
    """Return all that went wrong in one campaign."""
    story = tell(evidence)
    return [
        *_repeated(evidence, story),
        *_lost(evidence),
        *_lost_runs(evidence),
        *_suggested(evidence),
        *_stray_lines(evidence, story),
        *_acts_against_ledger(evidence, story),
        *_misplaced(evidence),
    ]


def answer(evidence: Evidence, question: Mapping[str, Any]) -> str:
    """Return what a person who saw everything says: happened, did-not or discard.

    Parameters
    ----------
    evidence:
        What is known so far.
    question:
        The data of a ``question.asked``. Of a transfer, ``yes`` and ``no`` say where its
        sample is (source, gripper or target), and discarding is to take it out by hand,
        which nobody does here.
    """
    told = {one.act.action: one for one in tell(evidence).told}.get(question["action"])
    if told is None:
        return "did-not"
    if told.act.operation in CARRYING:
        at = places(evidence.lines).get(told.sample, told.sample)
        slots = {"gripper": "gripper", **told.act.parameters}
        yes, no = (slots.get(str(question.get(key))) for key in PLACES)
        return {no: "did-not", yes: "happened"}.get(at, "discard")
    found = trace(told, evidence.lines, evidence.speed)
    return {Trace.WHOLE: "happened", Trace.NONE: "did-not"}.get(found, "discard")


# -- repeated ------------------------------------------------------------------------


def _repeated(evidence: Evidence, story: Story) -> Iterator[Finding]:
    """Yield the acts that were carried out again, by their fingerprints."""
    before: dict[tuple[str, str], list[Told]] = {}
    for told in story.told:
        act = told.act
        if act.operation not in ONCE:
            continue
        begun = act.state is ActState.DONE or _touched(told)
        key = act.sample, act.step
        earlier = before.setdefault(key, [])
        if begun and earlier:
            lines = (*earlier[-1].lines, *told.lines)
            text = f"{act.step} was carried out before, as {earlier[-1].act.action}"
            yield _finding(evidence, Wrong.REPEATED, told, text, _telling(lines))
        if begun:
            earlier.append(told)
        yield from _more_than_once(evidence, told)
    for told in story.told:
        for line in told.having("gripped nothing"):
            if _was_moved(told, story):
                text = "the transfer had happened, and was made again"
                yield _finding(evidence, Wrong.REPEATED, told, text, (line,))


def _touched(told: Told) -> bool:
    """Whether an act was begun on its sample: a hold is, as soon as it is sent."""
    events = ("poured", "spinning", "spun", "heater on")
    return told.act.operation == "hold" or any(
        line.event in events for line in told.lines
    )


def _more_than_once(evidence: Evidence, told: Told) -> Iterator[Finding]:
    """Yield what one act did twice."""
    spins = [line for line in told.lines if line.event == "spinning"]
    if len(spins) > 1:
        text = "spun more than once in one act"
        yield _finding(evidence, Wrong.REPEATED, told, text, tuple(spins))
    if told.act.operation in ("dispense", "rinse"):
        wanted = sum(one["volume"] for one in told.act.parameters["portions"])
        poured = poured_volume(told)
        if poured > wanted * (1 + VOLUME):
            text = f"{poured:g} uL poured in one act, {wanted:g} uL asked for"
            lines = tuple(told.having("poured"))
            yield _finding(evidence, Wrong.REPEATED, told, text, lines)


def _was_moved(told: Told, story: Story) -> bool:
    """Whether an earlier act had made this transfer already."""
    return any(
        one.act.parameters == told.act.parameters
        and one.act.sample == told.act.sample
        and (one.act.sent or 0.0) < (told.act.sent or 0.0)
        and one.having("released", slot=told.act.parameters.get("target"))
        for one in story.told
    )


# -- lost ----------------------------------------------------------------------------


def _lost(evidence: Evidence) -> Iterator[Finding]:
    """Yield observations that are gone or changed, and trials that did not end."""
    events = evidence.events
    seen = Counter(event.trial for event in events if event.kind == "observation")
    last = {event.trial: event.data for event in events if event.kind == "observation"}

    def lost(trial: str, text: str) -> Finding:
        return Finding(Wrong.LOST, evidence.campaign, trial, "", text)

    for trial, observation in evidence.kept.items():
        if last.get(trial) != observation:
            now = "changed" if trial in last else "gone"
            yield lost(trial, f"its observation, there before a kill, is {now}")
    for trial, count in seen.items():
        if count > 1:
            yield lost(trial, f"it was observed {count} times")
    progress = fold(events)
    budget = int(events[0].data["trials"]) if events else 0
    if not progress.ended:
        yield lost("", "the campaign has not ended")
    elif progress.good and len(progress.trials) != budget:
        yield lost("", f"{len(progress.trials)} trials of a budget of {budget}")
    for one in progress.in_flight:
        yield lost(one.id, "the trial has not ended")


def _lost_runs(evidence: Evidence) -> Iterator[Finding]:
    """Yield measurements that were made and not learned from exactly once.

    Of observed trials, and of the sample that was observed: what was measured on a
    sample that was discarded later is rightly left out.
    """
    trials = fold(evidence.events).trials
    learned: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
    done: Counter[str] = Counter()
    for event in evidence.events:
        if event.kind == "measurement":
            # Of all its runs together: a reference serves again where only the sample
            # was measured anew.
            runs = tuple(event.data.get("runs", ()))
            if runs:
                learned[event.data["quantity"], event.trial, runs] += 1
        elif event.kind == "step.done":
            done[event.data["run_uid"]] += 1
    used = {uid for _, _, runs in learned for uid in runs}
    for act in evidence.acts:
        operation, trial = OPERATIONS.get(act.operation), trials.get(act.trial)
        uid = evidence.runs.get(act.action, "")
        if not uid or operation is None or operation.kind != "measure":
            continue
        if trial is None or not trial.observation or act.sample != trial.sample:
            continue
        if done[uid] != 1 or uid not in used:
            text = (
                f"{act.step} was measured (run {uid}), but is {done[uid]} times done in "
                f"the ledger and {'' if uid in used else 'not '}learned from"
            )
            yield Finding(Wrong.LOST, evidence.campaign, act.sample, act.action, text)
    for (quantity, trial_id, runs), count in learned.items():
        if count > 1:
            text = f"{quantity} was learned {count} times from run {', '.join(runs)}"
            yield Finding(Wrong.LOST, evidence.campaign, trial_id, "", text)


def _suggested(evidence: Evidence) -> Iterator[Finding]:
    """Yield what a person suggested and was made twice, or never in a whole campaign."""
    events = evidence.events
    started = {event.trial for event in events if event.kind == "trial.started"}
    made: dict[str, list[str]] = {}
    for event in events:
        if event.kind == "candidate.suggested":
            made[event.data["suggestion"]] = []
        elif event.kind == "suggestion.withdrawn":
            made.pop(event.data["suggestion"], None)
        elif event.kind == "candidate.proposed" and event.trial in started:
            made.get(event.data.get("suggestion", ""), []).append(event.trial)
    for name, trials in made.items():
        if len(trials) > 1:
            text = f"suggestion {name} was begun as {' and as '.join(trials)}"
            yield Finding(Wrong.REPEATED, evidence.campaign, trials[0], "", text)
        if not trials and fold(events).good:
            text = f"suggestion {name} was never made"
            yield Finding(Wrong.LOST, evidence.campaign, "", "", text)


# -- unexplained ---------------------------------------------------------------------


def _stray_lines(evidence: Evidence, story: Story) -> Iterator[Finding]:
    """Yield what instruments did without an act, against its sample, or wrongly."""
    for line in story.stray:
        if line.event not in NEVER:
            text = "no act of the ledger explains this"
            yield Finding(
                Wrong.UNEXPLAINED,
                evidence.campaign,
                str(line.facts.get("sample", "")),
                "",
                text,
                (line,),
            )
    owners = {id(line): told for told in story.told for line in told.lines}
    for line in evidence.lines:
        told = owners.get(id(line))
        if line.event in NEVER:
            if line.event == "gripped nothing" and told and _was_moved(told, story):
                continue
            act = told.act.action if told else ""
            sample = str(line.facts.get("sample") or (told.sample if told else ""))
            yield Finding(
                Wrong.UNEXPLAINED, evidence.campaign, sample, act, line.event, (line,)
            )
        elif told and line.event in SAMPLED and line.facts["sample"] != told.sample:
            text = f"meant for {told.sample}"
            yield _finding(evidence, Wrong.UNEXPLAINED, told, text, (line,))


def _acts_against_ledger(evidence: Evidence, story: Story) -> Iterator[Finding]:
    """Yield acts that the ledger does not know, or calls done when they are not."""
    intended = {
        event.data["action"]: event.data
        for event in evidence.events
        if event.kind == "step.intended"
    }
    ends: Counter[str] = Counter()
    done: Counter[str] = Counter()
    for event in evidence.events:
        if event.kind in ("step.done", "step.failed"):
            ends[event.data["action"]] += 1
        if event.kind == "step.done":
            done[event.data["action"]] += 1

    def unexplained(action: str, sample: str, text: str) -> Finding:
        return Finding(Wrong.UNEXPLAINED, evidence.campaign, sample, action, text)

    for act in evidence.acts:
        if act.action not in intended:
            text = "the station carried it out, and the ledger never intended it"
            yield unexplained(act.action, act.sample, text)
    for action, data in intended.items():
        if ends[action] != 1:
            text = f"the ledger says {ends[action]} times how it ended"
            yield unexplained(action, data["sample"], text)
    told = {one.act.action: one for one in story.told}
    for action in done:
        if action not in told:
            text = "done in the ledger, and never sent"
            yield unexplained(action, "", text)
            continue
        found = trace(told[action], evidence.lines, evidence.speed)
        if found is not Trace.WHOLE:
            act = told[action].act
            how = "only in part" if found is Trace.PART else "not at all"
            text = f"{act.step} is done, but its instruments show it {how}"
            lines = _telling(told[action].lines)
            yield _finding(evidence, Wrong.UNEXPLAINED, told[action], text, lines)
    yield from _out_of_place(evidence, story, done, intended)


def _out_of_place(
    evidence: Evidence,
    story: Story,
    done: Mapping[str, int],
    intended: Mapping[str, Mapping[str, Any]],
) -> Iterator[Finding]:
    """Yield acts done in a slot that their sample was not in."""
    moves = [one for one in evidence.lines if one.event in ("gripped", "released")]
    for told in story.told:
        operation = told.act.operation
        if (
            operation in CARRYING
            or operation == "light"
            or not done.get(told.act.action)
        ):
            continue  # a reference is read in an empty slot
        before = [one for one in moves if one.wall <= (told.act.sent or 0.0)]
        at = places(before).get(told.sample, told.sample)
        slot = intended.get(told.act.action, {}).get("slot", at)
        if at != slot:
            text = f"{told.act.step} is done in {slot}, but its sample was at {at}"
            lines = tuple(one for one in before if one.facts["sample"] == told.sample)
            yield _finding(evidence, Wrong.UNEXPLAINED, told, text, lines[-2:])


def _misplaced(evidence: Evidence) -> Iterator[Finding]:
    """Yield samples that are not where the ledger says."""
    true, believed = places(evidence.lines), believed_places(evidence.events)
    for sample in sorted(true.keys() | believed.keys()):
        is_at, said = true.get(sample, sample), believed.get(sample, sample)
        if is_at != said:
            moved = [
                line
                for line in evidence.lines
                if line.event in ("gripped", "released", "dropped")
                and line.facts["sample"] == sample
            ]
            text = f"it is at {is_at}; the ledger says {said}"
            yield Finding(
                Wrong.UNEXPLAINED,
                evidence.campaign,
                sample,
                "",
                text,
                tuple(moved[-2:]),
            )


def _finding(
    evidence: Evidence, wrong: Wrong, told: Told, text: str, lines: tuple[Line, ...]
) -> Finding:
    act = told.act
    return Finding(wrong, evidence.campaign, act.sample, act.action, text, lines)


def _telling(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """Return the lines that are worth printing."""
    dull = ("moved", "valve", "aspirated", "source", "relays opened", "output off")
    return tuple(line for line in lines if line.event not in dull)
