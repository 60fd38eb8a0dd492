from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from instruments.plans.evidence import Outcome, Verdict
from orchestrator.records import TrialStatus, WhenUnanswered
from orchestrator.recovery import RESTARTS, RETRIES, Settlement, recover
from orchestrator.station.acts import ActRecord, ActState, FaultClass
from tests.orchestrator.virtual_lab import VirtualLab


class Station:
    """Answers what a test says it knows."""

    def __init__(self, *acts: ActRecord) -> None:
        self.acts = {act.action: act for act in acts}

    def find(self, action: str) -> ActRecord | None:
        return self.acts.get(action)


def record(
    action: str,
    state: ActState,
    outcome: Outcome | None = None,
    *,
    sent: bool = True,
    fault: FaultClass | None = None,
    **verdict: Any,
) -> ActRecord:
    return ActRecord(
        action=action,
        owner="c",
        station="s",
        operation="o",
        step="s",
        sample="c/rack.1",
        trial="t1",
        state=state,
        reason="stopped",
        sent=1.0 if sent else None,
        run_uid="u",
        fault=fault,
        verdict=outcome and Verdict(outcome, "the test says so", **verdict),
    )


def rules(policy: WhenUnanswered = WhenUnanswered.ASK, racks: int = 9) -> Settlement:
    homes = count(2)

    def substrate() -> dict[str, str] | None:
        home = next(homes)
        if home > racks:
            return None
        return {"sample": f"c/rack.{home}", "home": f"rack.{home}"}

    return Settlement(policy, substrate)


def at(step: str) -> tuple[VirtualLab, str]:
    """Return a lab in which ``step`` is under way."""
    lab = VirtualLab()
    lab.start("t1", "rack.1")
    while True:
        (one,) = lab.ready()
        action = lab.begin(one)
        if one.step.name == step:
            return lab, action
        lab.end(action)


def on_the_way() -> tuple[VirtualLab, str]:
    """Return a lab in which the sample is carried from chuck to anneal."""
    lab, action = at("coat")
    lab.end(action)
    (move,) = lab.ready()
    return lab, lab.begin(move)


def settle(
    lab: VirtualLab, one: ActRecord, policy: Settlement | None = None
) -> list[str]:
    act = lab.progress.acting[one.action]
    kinds = []
    trial = lab.progress.trials[act.trial]
    for kind, name, data in (policy or rules()).settle(act, one, trial):
        lab.write(kind, name, **data)
        kinds.append(kind)
    return kinds


def go_on(lab: VirtualLab, *acts: ActRecord, now: float = 0.0) -> list[str]:
    kinds = []
    entries = recover(lambda: lab.progress, Station(*acts), rules(), now=now, found={})
    for kind, trial, data in entries:
        lab.write(kind, trial, **data)
        kinds.append(kind)
    assert not lab.progress.acting
    return kinds


def test_what_the_station_finished_is_taken_as_done() -> None:
    lab, action = at("anneal")
    assert go_on(lab, record(action, ActState.DONE)) == ["step.done"]
    assert lab.progress.trials["t1"].following == 3


def test_an_act_that_never_began_is_done_later_on_the_same_sample() -> None:
    lab, action = at("anneal")
    assert go_on(lab) == ["step.failed"]
    trial = lab.progress.trials["t1"]
    assert (trial.sample, trial.following, trial.acting) == ("c/rack.1", 2, "")
    lab, action = at("anneal")
    assert go_on(lab, record(action, ActState.ABORTED, sent=False)) == ["step.failed"]


@pytest.mark.parametrize("state", [ActState.LOST, ActState.ABORTED, ActState.FAILED])
def test_what_happened_although_nobody_saw_its_end_is_not_repeated(
    state: ActState,
) -> None:
    lab, action = at("anneal")
    assert settle(lab, record(action, state, Outcome.HAPPENED)) == ["step.done"]
    assert lab.progress.trials["t1"].following == 3


def test_what_did_not_happen_is_attempted_again_on_the_same_sample() -> None:
    lab, action = at("anneal")
    link = {"fault": FaultClass.LINK}
    for _ in range(RETRIES):
        one = record(action, ActState.FAILED, Outcome.DID_NOT, **link)
        assert settle(lab, one) == ["step.failed"]
        (again,) = lab.ready()
        assert (again.step.name, again.sample) == ("anneal", "c/rack.1")
        action = lab.begin(again)
    one = record(action, ActState.FAILED, Outcome.DID_NOT, **link)
    assert settle(lab, one) == ["step.failed", "control"]
    assert lab.progress.out["anneal"].by_fault
    assert lab.ready() == []


def test_a_refused_act_has_failed_its_trial() -> None:
    lab, action = at("anneal")
    one = record(action, ActState.FAILED, sent=False, fault=FaultClass.REJECTED)
    assert settle(lab, one) == ["step.failed", "trial.failed"]


def test_a_look_that_was_refused_is_tried_once_more() -> None:
    lab, action = at("probe")
    refused = {"fault": FaultClass.REJECTED}
    one = record(action, ActState.FAILED, Outcome.DID_NOT, **refused)
    assert settle(lab, one) == ["step.failed", "step.repeated"]
    again = at_probe_again(lab)
    one = record(again, ActState.FAILED, Outcome.DID_NOT, **refused)
    assert settle(lab, one)[-1] == "trial.failed"


def at_probe_again(lab: VirtualLab) -> str:
    """Let the sample be lifted and put down; return the act of its second look."""
    while True:
        (one,) = lab.ready()
        action = lab.begin(one)
        if one.step.name == "probe":
            return action
        lab.end(action)


def test_half_an_act_costs_its_sample_and_not_its_trial() -> None:
    lab, action = at("anneal")
    kinds = settle(lab, record(action, ActState.LOST, Outcome.PARTLY))
    assert kinds == ["step.failed", "sample.discarded", "trial.started"]
    trial = lab.progress.trials["t1"]
    assert (trial.sample, trial.following, trial.at) == ("c/rack.2", 0, "rack.2")
    assert lab.progress.strays["c/rack.1"].at == "anneal"


def test_a_trial_that_spoils_every_sample_fails_in_the_end() -> None:
    policy = rules()
    lab, action = at("anneal")
    for _ in range(RESTARTS):
        settle(lab, record(action, ActState.LOST, Outcome.PARTLY), policy)
        while True:
            one = next(r for r in lab.ready() if r.step.name != "put_away")
            action = lab.begin(one)
            if one.step.name == "anneal":
                break
            lab.end(action)
    kinds = settle(lab, record(action, ActState.LOST, Outcome.PARTLY), policy)
    assert kinds == ["step.failed", "sample.discarded", "trial.failed"]
    assert lab.progress.trials["t1"].status is TrialStatus.FAILED


def test_without_a_bare_substrate_left_the_trial_fails() -> None:
    lab, action = at("anneal")
    kinds = settle(lab, record(action, ActState.LOST, Outcome.PARTLY), rules(racks=1))
    assert kinds[-1] == "trial.failed"


def test_a_timed_step_is_judged_by_the_tolerance_of_its_recipe() -> None:
    for seconds, kinds in (
        (105.0, ["step.done"]),
        (115.0, ["step.failed", "sample.discarded", "trial.started"]),
    ):
        lab, action = at("anneal")
        act = lab.progress.acting[action]
        timed = replace(act, parameters={"duration": 100.0})
        lab.progress.acting[action] = timed  # type: ignore[index]
        trial = lab.progress.trials["t1"]
        assert trial.recipe is not None
        steps = tuple(replace(s, tolerance=0.1) for s in trial.recipe.steps)
        recipe = replace(trial.recipe, steps=steps)
        lab.progress.trials["t1"] = replace(trial, recipe=recipe)  # type: ignore[index]
        one = record(action, ActState.LOST, Outcome.HAPPENED, seconds=seconds)
        assert settle(lab, one) == kinds


def test_what_nobody_can_tell_is_asked_and_the_trial_waits() -> None:
    lab, action = at("ink")
    kinds = settle(lab, record(action, ActState.LOST, Outcome.UNKNOWN, question="?"))
    assert kinds == ["question.asked"]
    assert not lab.progress.acting
    assert lab.ready() == []
    assert list(lab.progress.questions) == [f"q.{action}"]


def test_where_the_campaign_says_so_what_nobody_can_tell_is_discarded() -> None:
    lab, action = at("ink")
    policy = rules(WhenUnanswered.DISCARD)
    kinds = settle(lab, record(action, ActState.LOST, Outcome.UNKNOWN), policy)
    assert kinds == ["step.failed", "sample.discarded", "trial.started"]


def answer(lab: VirtualLab, text: str) -> list[str]:
    (question,) = lab.progress.questions.values()
    facts = {"question": question.id, "answer": text, "who": "ada", "via": "test"}
    lab.write("question.answered", "t1", **facts)
    (question,) = lab.progress.questions.values()
    kinds = []
    for kind, name, data in rules().answered(question, lab.progress.trials["t1"]):
        lab.write(kind, name, **data)
        kinds.append(kind)
    assert not lab.progress.questions
    return kinds


@pytest.mark.parametrize(
    ("text", "kinds", "following"),
    [
        ("happened", ["step.done"], 1),
        ("did-not", ["step.failed"], 0),
        ("discard", ["step.failed", "sample.discarded", "trial.started"], 0),
    ],
)
def test_a_person_s_answer_is_followed(
    text: str, kinds: list[str], following: int
) -> None:
    lab, action = at("ink")
    settle(lab, record(action, ActState.LOST, Outcome.UNKNOWN, question="?"))
    assert answer(lab, text) == kinds
    assert lab.progress.trials["t1"].following == following
    assert lab.ready()


@pytest.mark.parametrize(
    ("places", "text", "at_last"),
    [
        (("gripper", "source"), "happened", "gripper"),
        (("gripper", "source"), "did-not", "chuck"),
        (("target", "gripper"), "happened", "anneal"),
        (("target", "gripper"), "did-not", "gripper"),
    ],
)
def test_a_person_says_where_a_carried_sample_is(
    places: tuple[str, str], text: str, at_last: str
) -> None:
    lab, action = on_the_way()
    yes, no = places
    # Where a sample is is asked whatever the policy: the next act rests on it.
    unknown = record(action, ActState.LOST, Outcome.UNKNOWN, at=yes, otherwise=no)
    assert settle(lab, unknown, rules(WhenUnanswered.DISCARD)) == ["question.asked"]
    assert lab.ready() == []
    answer(lab, text)
    assert lab.progress.trials["t1"].at == at_last
    assert lab.ready()


def test_a_carried_sample_that_a_person_took_out_is_not_fetched() -> None:
    lab, action = on_the_way()
    settle(lab, record(action, ActState.LOST, Outcome.UNKNOWN, at="gripper"))
    assert answer(lab, "discard")[-1] == "trial.started"
    assert not lab.progress.strays
    assert lab.progress.trials["t1"].sample == "c/rack.2"


def test_a_sample_found_in_the_gripper_is_put_down_before_anything_else() -> None:
    lab, action = on_the_way()
    kinds = settle(lab, record(action, ActState.ABORTED, Outcome.PARTLY, at="gripper"))
    assert kinds == ["step.failed", "sample.found"]
    lab.start("t2", "rack.2")
    (put,) = [one for one in lab.ready() if one.step.station == "arm"]
    assert (put.trial, put.step.operation) == ("t1", "put_away")


def test_a_fault_puts_the_station_out_of_service_until_a_person_puts_it_back() -> None:
    lab, action = at("anneal")
    broken = record(action, ActState.FAILED, Outcome.PARTLY, fault=FaultClass.FAULT)
    assert settle(lab, broken)[0] == "control"
    assert "anneal" in lab.progress.out
    person = {"who": "ada", "via": "test", "subject": "station", "name": "anneal"}
    lab.write("control", verb="resume", **person)
    assert lab.progress.out["anneal"].returning
    lab.write("control", verb="in_service", **person)
    assert not lab.progress.out


def test_a_film_left_under_acid_is_not_used() -> None:
    lab, action = at("acid")
    lab.end(action)
    assert go_on(lab, now=3600.0) == ["sample.discarded", "trial.started"]


def test_a_measurement_cut_short_is_made_again_and_not_counted_as_doubted() -> None:
    lab, action = at("probe")
    act = lab.progress.acting[action]
    measure = replace(act, operation="van_der_pauw")
    lab.progress.acting[action] = measure  # type: ignore[index]
    kinds = settle(lab, record(action, ActState.ABORTED, Outcome.DID_NOT))
    assert kinds == ["step.failed", "step.repeated"]
    trial = lab.progress.trials["t1"]
    assert (trial.sample, trial.lift, trial.repeats) == ("c/rack.1", True, {"probe": 0})
