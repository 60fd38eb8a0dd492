"""The ledger of a campaign, folded into its state: one rule for each kind of event."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.campaign import (
    ANSWERS,
    CARRYING,
    FAILED,
    Act,
    OutOfService,
    Progress,
    Question,
    Stray,
    Suggestion,
    Trial,
)
from orchestrator.ledger import Event
from orchestrator.records import Measurement, MeasurementRule, Recipe, Step, TrialStatus
from orchestrator.stopping import seen
from planners.data import Candidate, Estimate, Observation


def fold(events: Iterable[Event], progress: Progress | None = None) -> Progress:
    """Return the state after ``events``, beginning from ``progress`` or from nothing.

    An event that cannot follow from the state (for a trial that is not known, say)
    leaves it as it is: the ledger is never edited, so it is never refused either.
    """
    state = _State(progress or Progress())
    for event in events:
        state.take(event)
    return state.progress()


class _State:
    """A progress while events are folded into it."""

    def __init__(self, now: Progress) -> None:
        self.now = now
        self.trials, self.acting = dict(now.trials), dict(now.acting)
        self.strays, self.questions = dict(now.strays), dict(now.questions)
        self.out, self.used = dict(now.out), set(now.used)
        self.suggested = dict(now.suggested)

    def progress(self) -> Progress:
        return dataclasses.replace(
            self.now,
            trials=self.trials,
            acting=self.acting,
            strays=self.strays,
            questions=self.questions,
            out=self.out,
            used=frozenset(self.used),
            suggested=self.suggested,
        )

    def take(self, event: Event) -> None:
        self.now = dataclasses.replace(self.now, seq=event.seq)
        if event.kind.startswith("campaign."):
            self._campaign(event)
        elif event.kind == "control":
            self._control(event.data)
        elif event.kind == "candidate.suggested":
            self._suggested(event.data)
        elif event.kind == "suggestion.withdrawn":
            # One whose trial has begun is not in the queue any more.
            self.suggested.pop(event.data["suggestion"], None)
        elif event.kind == "candidate.proposed" and event.trial not in self.trials:
            self._proposed(event)
        trial = self.trials.get(event.trial)
        if trial is not None:
            self.trials[event.trial] = self._trial(trial, event)

    def _suggested(self, data: Mapping[str, Any]) -> None:
        """Queue a person's candidate; one that was queued before acts no second time."""
        made = (one.suggestion.id for one in self.trials.values() if one.suggestion)
        name = str(data["suggestion"])
        if name not in self.suggested and name not in made:
            candidate, who = Candidate(data["candidate"]), str(data["who"])
            note = str(data.get("note", ""))
            self.suggested[name] = Suggestion(name, candidate, who, note)

    def _proposed(self, event: Event) -> None:
        """Begin a trial, of the planner's candidate or of one that waits in the queue."""
        data = event.data
        candidate, card = Candidate(data["candidate"]), data.get("card") or {}
        suggestion = None
        if "suggestion" in data:
            suggestion = self.suggested.pop(data["suggestion"], None)
            if suggestion is None:  # its trial has begun already
                return
        else:
            bounds = seen(self.now.bounds, int(data.get("proposal", 0)), card)
            self.now = dataclasses.replace(self.now, bounds=bounds)
        self.trials[event.trial] = Trial(
            event.trial, candidate, _why(candidate, card), suggestion=suggestion
        )

    def _campaign(self, event: Event) -> None:
        data, now = event.data, self.now
        if event.kind == "campaign.ended":
            now = dataclasses.replace(now, ended=str(data["reason"]), good=data["good"])
        elif event.kind == "campaign.paused":
            now = dataclasses.replace(now, paused=str(data["reason"]))
        elif event.kind == "campaign.resumed":
            failed = (t.id for t in self.trials.values() if t.status is FAILED)
            now = dataclasses.replace(
                now,
                paused="",
                ended="",
                good=False,
                held="",
                held_by="",
                stop="",
                excused=frozenset(failed),
            )
            # The service has prepared every instrument anew, and a person resumed.
            self.out = {n: one for n, one in self.out.items() if not one.by_fault}
        self.now = now

    def _control(self, data: Mapping[str, Any]) -> None:
        """Follow what a person, or a fault, wants of campaign, station or sample."""
        verb, name = data["verb"], data.get("name", "")
        if verb in ("stop", "estop"):
            self.now = dataclasses.replace(self.now, stop=f"{verb} by {data['who']}")
        elif data["subject"] == "campaign" and verb in ("pause", "drain", "resume"):
            held = {"pause": "paused", "drain": "draining"}.get(verb, "")
            by = str(data["who"]) if held else ""
            self.now = dataclasses.replace(self.now, held=held, held_by=by)
        elif data["subject"] == "station":
            out = self.out.pop(name, None)
            if verb == "resume" and out is not None and out.by_fault:
                self.out[name] = dataclasses.replace(out, returning=True)
            if verb in ("pause", "drain"):
                fault = data.get("via") == "fault"
                reason = data.get("note") or f"{verb} by {data['who']}"
                self.out[name] = OutOfService(reason, verb == "drain", fault)
        elif data["subject"] == "sample":
            for trial in self.trials.values():
                if trial.in_flight and trial.sample == name:
                    words: dict[str, Any] = {"resting": verb == "pause"}
                    if verb == "discard":
                        words = {"condemned": data.get("note") or f"by {data['who']}"}
                    self.trials[trial.id] = dataclasses.replace(trial, **words)

    def _trial(self, trial: Trial, event: Event) -> Trial:
        """Return a trial after an event of its own."""
        data, kind = event.data, event.kind
        if kind == "step.intended":
            trial = self._intended(trial, event)
        elif kind in ("step.done", "step.failed"):
            trial = self._ended(trial, event)
        elif kind == "question.asked":
            self._asked(trial, event)
        elif kind == "question.answered":
            asked = self.questions.get(data["question"])
            if asked is not None and data["answer"] in ANSWERS:
                self.questions[asked.id] = dataclasses.replace(
                    asked, answer=data["answer"], who=data["who"]
                )
        elif kind == "sample.found":
            trial = _found(trial, data, self.strays)
        elif trial.in_flight:
            trial = self._in_flight(trial, event)
        if not trial.in_flight and not trial.acting:
            # Nothing more follows from its recipe: a campaign may have thousands.
            trial = dataclasses.replace(trial, recipe=None, retries={}, repeats={})
        # What is left of a trial that has ended is put away.
        left = not trial.in_flight and trial.at != trial.home
        if left and trial.sample not in self.strays:
            self._stray(trial, trial.at)
        return trial

    def _in_flight(self, trial: Trial, event: Event) -> Trial:
        """Return a trial after an event that only one in flight can have."""
        data = event.data
        if event.kind == "trial.started":
            if trial.sample or data["home"] in self.used:
                return trial
            self.used.add(data["home"])
        elif event.kind == "sample.discarded":
            if data["sample"] != trial.sample:
                return trial
            if data["at"] != trial.home:
                self._stray(trial, data["at"])
        return _after(trial, event)

    def _asked(self, trial: Trial, event: Event) -> None:
        data = event.data
        act = self.acting.get(data["action"])
        if act is None or act.trial != trial.id or data["question"] in self.questions:
            return
        question = Question(
            *(data["question"], act, data["text"], event.at),
            yes=data.get("yes", ""),
            no=data.get("no", ""),
        )
        del self.acting[act.id]
        self.questions[question.id] = question

    def _under_way(self, action: str) -> Act | None:
        """Return an act that has not ended, or of which a person is asked."""
        asked = (one.act for one in self.questions.values() if one.act.id == action)
        return self.acting.get(action) or next(asked, None)

    def _stray(self, trial: Trial, at: str) -> None:
        self.strays[trial.sample] = Stray(trial.sample, at, trial.home, trial.id)

    def _intended(self, trial: Trial, event: Event) -> Trial:
        data = event.data
        if self._under_way(data["action"]) is not None:
            return trial
        act = Act(
            id=data["action"],
            trial=trial.id,
            step=data["step"],
            operation=data["operation"],
            station=data["station"],
            sample=data["sample"],
            parameters=data["parameters"],
            at=event.at,
            duration=data.get("duration", 0.0),
        )
        self.acting[act.id] = act
        trial = dataclasses.replace(trial, acts=trial.acts + 1)
        if act.sample == trial.sample and trial.in_flight:
            trial = dataclasses.replace(trial, acting=act.id)
        return trial

    def _ended(self, trial: Trial, event: Event) -> Trial:
        data, done = event.data, event.kind == "step.done"
        act = self._under_way(data["action"])
        if act is None or act.trial != trial.id:
            return trial
        self.acting.pop(act.id, None)
        for question in [q for q in self.questions.values() if q.act.id == act.id]:
            del self.questions[question.id]
        if act.operation in CARRYING and done:
            trial = self._carried(trial, act)
        if trial.acting != act.id:
            return trial
        count = 0 if done else trial.retries.get(act.step, 0) + 1
        trial = dataclasses.replace(
            trial, acting="", retries={**trial.retries, act.step: count}
        )
        step = trial.next_step
        if not done or step is None or act.step != step.name:
            return trial
        return dataclasses.replace(
            trial,
            runs={**trial.runs, step.name: data["run_uid"]},
            following=trial.following + 1,
            done_at=data.get("ended") or event.at,
            made=_made(trial, step, data.get("seconds")),
        )

    def _carried(self, trial: Trial, act: Act) -> Trial:
        """Return a trial after a sample has been brought to where it was to go."""
        target = act.parameters["target"]
        stray = self.strays.pop(act.sample, None)
        if stray is not None and target != stray.home:
            self.strays[act.sample] = dataclasses.replace(stray, at=target)
        if act.sample == trial.sample:
            trial = dataclasses.replace(trial, at=target, lift=False)
        return trial


def _made(trial: Trial, step: Step, seconds: float | None) -> Mapping[str, float]:
    """Return what a candidate's parameters really were, a timed step's true one added."""
    parameter = step.given.get("duration")
    if seconds is None or parameter is None:
        return trial.made
    return {**trial.made, parameter: seconds}


def _found(trial: Trial, data: Mapping[str, Any], strays: dict[str, Stray]) -> Trial:
    """Return a trial after its sample was found where it was not expected."""
    sample, at = data["sample"], data["at"]
    if sample in strays:
        stray = strays.pop(sample)
        if at != stray.home:
            strays[sample] = dataclasses.replace(stray, at=at)
    if sample == trial.sample:
        trial = dataclasses.replace(trial, at=at)
    return trial


def _after(trial: Trial, event: Event) -> Trial:
    """Return a trial in flight after an event that concerns it alone."""
    data = event.data
    match event.kind:
        case "sample.discarded":  # until it starts again it has no sample
            return Trial(
                trial.id,
                trial.candidate,
                trial.why,
                recipe=trial.recipe,
                acts=trial.acts,
                restarts=trial.restarts + 1,
                suggestion=trial.suggestion,
            )
        case "trial.started":
            return Trial(
                trial.id,
                trial.candidate,
                trial.why,
                status=TrialStatus.PREPARING,
                sample=data["sample"],
                home=data["home"],
                at=data["home"],
                recipe=trial.recipe,
                acts=trial.acts,
                restarts=trial.restarts,
                suggestion=trial.suggestion,
            )
        case "step.ran_on":
            step = trial.last_step
            if step is None or step.name != data["step"]:
                return trial
            return dataclasses.replace(trial, made=_made(trial, step, data["seconds"]))
        case "recipe.compiled" if trial.recipe is None:
            return dataclasses.replace(trial, recipe=recipe_of(data["recipe"]))
        case "measurement" if trial.sample == data.get("sample", trial.sample) != "":
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
                following=min(trial.following, names.index(name))
                if name in names
                else trial.following,
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
        measurements=tuple(
            MeasurementRule(**(rule | {"needs": tuple(rule.get("needs", ()))}))
            for rule in data["measurements"]
        ),
    )


def _why(candidate: Candidate, card: Mapping[str, Any]) -> str:
    """Return why a planner says that it proposes a candidate."""
    reasons = (
        one.get("reason")
        for one in card.get("candidates", ())
        if one.get("id") == candidate.id
    )
    return str(next(reasons, "") or "")
