from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from orchestrator.recovery import recover
from orchestrator.station.acts import ActRecord, ActState
from tests.orchestrator.virtual_lab import VirtualLab


class Station:
    """Answers what a test says it knows."""

    def __init__(self, *acts: ActRecord) -> None:
        self.acts = {act.action: act for act in acts}

    def find(self, action: str) -> ActRecord | None:
        return self.acts.get(action)


def record(
    action: str, state: ActState, *, events: int = 0, sent: bool = True
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
        events=events,
        sent=1.0 if sent else None,
        run_uid="u",
    )


def stopped_at(step: str) -> tuple[VirtualLab, str]:
    """Return a lab that was stopped while ``step`` (or the way to it) was under way."""
    lab = VirtualLab()
    lab.start("t1", "rack.1")
    while True:
        (one,) = lab.ready()
        action = lab.begin(one)
        if one.step.name == step:
            return lab, action
        lab.end(action)


def go_on(lab: VirtualLab, station: Station) -> list[str]:
    homes = count(2)
    kinds = []

    def substrate() -> dict[str, str]:
        home = f"rack.{next(homes)}"
        return {"sample": f"c/{home}", "home": home}

    for kind, trial, data in recover(lab.progress, station, substrate):
        lab.write(kind, trial, **data)
        kinds.append(kind)
    assert not lab.progress.acting
    return kinds


def test_what_the_station_finished_is_taken_as_done() -> None:
    lab, action = stopped_at("anneal")
    kinds = go_on(lab, Station(record(action, ActState.DONE)))
    assert kinds == ["step.done"]
    assert lab.progress.trials["t1"].following == 3


def test_an_act_that_never_began_is_done_later_on_the_same_sample() -> None:
    lab, action = stopped_at("anneal")
    assert go_on(lab, Station()) == ["step.failed"]
    trial = lab.progress.trials["t1"]
    assert (trial.sample, trial.following, trial.acting) == ("c/rack.1", 2, "")
    lab, action = stopped_at("anneal")
    never = record(action, ActState.ABORTED, sent=False)
    assert go_on(lab, Station(never)) == ["step.failed"]


def test_a_measurement_cut_short_is_made_again_and_not_counted_as_doubted() -> None:
    lab, action = stopped_at("probe")
    act = lab.progress.acting[action]
    lab.progress.acting[action] = replace(act, operation="van_der_pauw")  # type: ignore[index]
    kinds = go_on(lab, Station(record(action, ActState.ABORTED)))
    assert kinds == ["step.failed", "step.repeated"]
    trial = lab.progress.trials["t1"]
    assert (trial.sample, trial.lift, trial.repeats) == ("c/rack.1", True, {"probe": 0})


@pytest.mark.parametrize("state", [ActState.ABORTED, ActState.FAILED, ActState.SENT])
def test_an_act_cut_short_costs_its_sample_and_not_its_trial(state: ActState) -> None:
    lab, action = stopped_at("anneal")
    kinds = go_on(lab, Station(record(action, state)))
    assert kinds == ["step.failed", "sample.discarded", "trial.started"]
    trial = lab.progress.trials["t1"]
    assert (trial.sample, trial.following, trial.at) == ("c/rack.2", 0, "rack.2")
    assert lab.progress.strays["c/rack.1"].at == "anneal"


def test_a_film_left_under_acid_is_not_used() -> None:
    lab, action = stopped_at("acid")
    lab.end(action)
    kinds = go_on(lab, Station())
    assert kinds == ["sample.discarded", "trial.started"]


@pytest.mark.parametrize(
    ("events", "at"), [(0, "chuck"), (1, "gripper"), (2, "anneal")]
)
def test_a_stopped_transfer_left_its_sample_where_its_readings_say(
    events: int, at: str
) -> None:
    lab, action = stopped_at("coat")
    lab.end(action)
    (move,) = lab.ready()
    action = lab.begin(move)
    kinds = go_on(lab, Station(record(action, ActState.ABORTED, events=events)))
    assert kinds == ["step.failed", "sample.found"]
    trial = lab.progress.trials["t1"]
    assert (trial.sample, trial.at, trial.following) == ("c/rack.1", at, 2)
