"""A person is in control: what pause, drain, discard and a fault do to the dispatch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator import control
from orchestrator.campaign import Progress, Propose, Rules, Stop, Wait, next_action
from orchestrator.dispatch import Floor, Twin, ready
from orchestrator.errors import Refused
from orchestrator.ledger import Ledger
from tests.orchestrator.virtual_lab import VirtualLab

RULES = Rules(trials=3, in_flight=2, substrates=10)


def tell(lab: VirtualLab, verb: str, subject: str = "campaign", **data: Any) -> None:
    facts = {"name": "", "who": "ada", "via": "test", "note": "", **data}
    lab.write("control", verb=verb, subject=subject, **facts)


def at(step: str) -> VirtualLab:
    """Return a lab whose sample waits for ``step`` in that step's slot."""
    lab = VirtualLab()
    lab.start("t1", "rack.1")
    while True:
        (one,) = lab.ready()
        if one.step.name == step:
            return lab
        lab.end(lab.begin(one))


def test_a_paused_campaign_starts_nothing_until_it_is_resumed() -> None:
    lab = at("anneal")
    tell(lab, "pause")
    assert next_action(RULES, lab.progress) == Wait()
    assert lab.ready() == []
    tell(lab, "resume")
    assert next_action(RULES, lab.progress) == Propose(1)
    assert [one.step.name for one in lab.ready()] == ["anneal"]


def test_a_pause_lets_acid_be_rinsed_off_first() -> None:
    lab = at("dwell")
    tell(lab, "pause")
    done = []
    while acts := lab.ready():
        done.append(acts[0].step.name)
        lab.end(lab.begin(acts[0]))
    assert done == ["dwell", "transfer", "rinse"]


def test_a_draining_campaign_ends_what_it_began_and_can_be_resumed() -> None:
    lab = at("anneal")
    tell(lab, "drain")
    assert next_action(RULES, lab.progress) == Wait()
    assert lab.ready()
    lab.write("trial.failed", "t1", reason="test")
    stop = next_action(RULES, lab.progress)
    assert isinstance(stop, Stop)
    assert stop.resumable
    lab.write("campaign.resumed")
    assert isinstance(next_action(RULES, lab.progress), Propose)


def test_a_draining_campaign_whose_trials_are_spent_has_reached_its_end() -> None:
    lab = VirtualLab()
    for number in (1, 2, 3):
        lab.start(f"t{number}", f"rack.{number}")
        lab.write("observation", f"t{number}", candidate={"x": 1.0}, estimates={})
    tell(lab, "drain")
    assert next_action(RULES, lab.progress) == Stop("all 3 trials are made", good=True)


def test_a_campaign_does_not_end_while_a_question_about_a_sample_put_away_is_open() -> (
    None
):
    rules = Rules(trials=1, in_flight=2, substrates=10)
    lab = at("probe")
    lab.end(lab.begin(lab.ready()[0]))
    lab.write("observation", "t1", candidate={"x": 1.0}, estimates={})
    (back,) = lab.ready()
    action = lab.begin(back)
    lab.write("question.asked", "t1", question="q", action=action, text="moved?")
    assert not lab.progress.acting
    assert next_action(rules, lab.progress) == Wait()
    lab.write("step.done", "t1", action=action, run_uid="")
    assert next_action(rules, lab.progress) == Stop("all 1 trials are made", good=True)


def test_a_paused_sample_waits_and_others_go_on() -> None:
    lab = at("anneal")
    lab.start("t2", "rack.2")
    tell(lab, "pause", "sample", name="c/rack.1")
    assert {one.trial for one in lab.ready()} == {"t2"}
    tell(lab, "resume", "sample", name="c/rack.1")
    assert {one.trial for one in lab.ready()} == {"t1", "t2"}


def test_a_station_out_of_service_is_passed_over_until_it_is_back() -> None:
    lab = at("anneal")
    tell(lab, "pause", "station", name="anneal")
    assert lab.ready() == []
    tell(lab, "resume", "station", name="anneal")
    assert [one.step.name for one in lab.ready()] == ["anneal"]


def test_a_draining_station_ends_what_it_holds_and_gets_nothing_new() -> None:
    lab = at("anneal")
    lab.start("t2", "rack.2")
    tell(lab, "drain", "station", name="anneal")
    assert ("t1", "anneal") in [(one.trial, one.step.name) for one in lab.ready()]
    lab = at("coat")
    lab.end(lab.begin(lab.ready()[0]))
    tell(lab, "drain", "station", name="anneal")
    assert lab.ready() == []


def test_the_work_of_a_station_out_of_service_goes_to_its_twin() -> None:
    lab = at("coat")
    lab.end(lab.begin(lab.ready()[0]))
    tell(lab, "pause", "station", name="anneal", who="polyloop", via="fault")
    twins = {"anneal": Twin("spare", {"anneal": "spare"})}
    floor = Floor("arm", twins, {"anneal": "anneal", "spare": "spare"})
    (move,) = ready(lab.progress, floor)
    assert move.step.parameters["target"] == "spare"
    lab.end(lab.begin(move))
    (anneal,) = ready(lab.progress, floor)
    assert (anneal.step.name, anneal.step.station) == ("anneal", "spare")
    rules = Rules(3, 2, 10, twins={"anneal": "spare"})
    assert isinstance(next_action(rules, lab.progress), Propose)


def test_without_a_twin_a_fault_drains_the_campaign() -> None:
    lab = at("coat")
    note = "heater broken"
    tell(lab, "pause", "station", name="anneal", who="x", via="fault", note=note)
    assert next_action(RULES, lab.progress) == Wait()
    lab.write("trial.failed", "t1", reason="test")
    stop = next_action(RULES, lab.progress)
    assert isinstance(stop, Stop)
    assert stop.resumable
    assert "heater broken" in stop.reason


def test_nothing_is_gripped_while_nobody_knows_what_the_gripper_holds() -> None:
    lab = at("coat")
    lab.end(lab.begin(lab.ready()[0]))
    (move,) = lab.ready()
    action = lab.begin(move)
    facts = {"sample": "c/rack.1", "station": "arm", "text": "?", "yes": "gripper"}
    lab.write("question.asked", "t1", question="q", action=action, **facts)
    lab.start("t2", "rack.2")
    assert lab.ready() == []


def test_who_and_when_is_recorded_of_every_answer(tmp_path: Path) -> None:
    ledger = Ledger.at(tmp_path)
    lab = at("ink")
    action = lab.begin(lab.ready()[0])
    for event in lab.events:
        ledger.append("c", event.kind, trial=event.trial, data=event.data)
    with pytest.raises(Refused, match="no such open question"):
        control.answer(ledger, "c", "q", "happened", who="ada")
    asked = {"question": "q", "action": action, "text": "?", "sample": "c/rack.1"}
    ledger.append("c", "question.asked", trial="t1", data=asked)
    with pytest.raises(Refused, match="must be one of happened"):
        control.answer(ledger, "c", "q", "perhaps", who="ada")
    control.answer(ledger, "c", "q", "happened", who="ada", note="I saw it")
    event = ledger.events("c")[-1]
    assert event.data["who"] == "ada"
    assert event.at > 0
    with pytest.raises(Refused, match="ada answered it already"):
        control.answer(ledger, "c", "q", "discard", who="bob")
    ledger.close()


def test_a_sample_is_named_by_its_slot_or_its_trial() -> None:
    lab = at("anneal")
    for name in ("rack.1", "t1", "c/rack.1"):
        assert control.sample_of(lab.progress, name).name == "c/rack.1"
    with pytest.raises(Refused, match="not in flight"):
        control.sample_of(Progress(), "rack.1")


def test_a_campaign_is_carried_out_by_one_process_at_a_time(tmp_path: Path) -> None:
    assert not control.is_running(tmp_path, "c")
    with control.running(tmp_path, "c"):
        assert control.is_running(tmp_path, "c")
        with (
            pytest.raises(Refused, match="carried out already"),
            control.running(tmp_path, "c"),
        ):
            pass
    assert not control.is_running(tmp_path, "c")
