from __future__ import annotations

from orchestrator.campaign import (
    Progress,
    Propose,
    Rules,
    Stop,
    Wait,
    next_action,
)
from orchestrator.records import TrialStatus
from tests.orchestrator.virtual_lab import VirtualLab

RULES = Rules(trials=3, in_flight=2, substrates=10)


def test_a_campaign_asks_for_as_many_candidates_as_may_be_in_flight() -> None:
    assert next_action(RULES, Progress()) == Propose(2)


def test_a_campaign_waits_while_its_last_trials_are_in_flight() -> None:
    lab = VirtualLab()
    lab.start("t1", "rack.1")
    lab.start("t2", "rack.2")
    assert next_action(RULES, lab.progress) == Wait()
    lab.write("trial.failed", "t1", reason="test")
    assert next_action(RULES, lab.progress) == Propose(1)
    lab.start("t3", "rack.3")
    assert next_action(RULES, lab.progress) == Wait()


def test_three_failures_in_a_row_end_a_campaign_badly() -> None:
    lab = VirtualLab()
    for number in (1, 2, 3):
        lab.start(f"t{number}", f"rack.{number}")
        lab.write("trial.failed", f"t{number}", reason="test")
    stop = next_action(Rules(trials=9, in_flight=2, substrates=10), lab.progress)
    assert stop == Stop("3 trials in a row failed", good=False)
    lab.write("campaign.resumed")
    again = next_action(Rules(trials=9, in_flight=2, substrates=10), lab.progress)
    assert again == Propose(2)


def test_a_campaign_ends_when_the_rack_is_empty() -> None:
    lab = VirtualLab()
    lab.start("t1", "rack.1")
    lab.write("observation", "t1", candidate={"x": 1.0}, estimates={})
    stop = next_action(Rules(trials=9, in_flight=2, substrates=1), lab.progress)
    assert isinstance(stop, Stop)
    assert stop.good


def test_a_step_that_was_not_believed_is_next_again() -> None:
    lab = VirtualLab()
    lab.start("t1", "rack.1")
    while lab.progress.trials["t1"].next_step is not None:
        lab.end(lab.begin(lab.ready()[0]))
    lab.write("step.repeated", "t1", step="probe", reason="polarity")
    trial = lab.progress.trials["t1"]
    assert trial.next_step is not None
    assert trial.next_step.name == "probe"
    assert trial.repeats == {"probe": 1}


def test_a_sample_is_put_into_its_slot_anew_before_it_is_measured_again() -> None:
    lab = VirtualLab()
    lab.start("t1", "rack.1")
    while lab.progress.trials["t1"].next_step is not None:
        lab.end(lab.begin(lab.ready()[0]))
    lab.write("step.repeated", "t1", step="probe", reason="polarity")
    done = []
    while lab.progress.trials["t1"].next_step is not None:
        (one,) = lab.ready()
        done.append((one.step.name, one.step.slot))
        lab.end(lab.begin(one))
    assert done == [("transfer", "rack.1"), ("transfer", "probe"), ("probe", "probe")]


def test_a_discarded_sample_starts_its_trial_again_on_a_new_substrate() -> None:
    lab = VirtualLab()
    lab.start("t1", "rack.1")
    for _ in range(3):
        lab.end(lab.begin(lab.ready()[0]))
    lab.write("sample.discarded", "t1", sample="c/rack.1", at="chuck", reason="test")
    lab.write("trial.started", "t1", sample="c/rack.2", home="rack.2")
    trial = lab.progress.trials["t1"]
    assert (trial.following, trial.at, trial.status) == (
        0,
        "rack.2",
        TrialStatus.PREPARING,
    )
    assert trial.recipe is not None
    assert lab.progress.strays["c/rack.1"].at == "chuck"
    assert lab.progress.used == {"rack.1", "rack.2"}
    acts = [lab.begin(one) for one in lab.ready()]
    assert len(acts) == len(set(acts)) == 1
