"""Any interleaving of ledger events folds to a legal state.

The ledger is never edited, and `fold` never refuses: an event that cannot follow from
the state leaves it as it is. So whatever was written, in whatever order and however
often, what is folded from it can be acted upon.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator import ledger
from orchestrator.campaign import (
    ANSWERS,
    GRIPPER,
    Make,
    Progress,
    Propose,
    Rules,
    Stop,
    Wait,
    next_action,
)
from orchestrator.dispatch import ready
from orchestrator.fold import fold
from orchestrator.ledger import Event
from orchestrator.records import TrialStatus
from orchestrator.stopping import StopRule
from tests.orchestrator.virtual_lab import ARM, FLOOR, RECIPE, VirtualLab

RULES = Rules(
    trials=6,
    in_flight=2,
    substrates=10,
    twins={"treat": "anneal"},
    stop=StopRule(1.0, "S/cm", proposals=2),
)

TRIALS = st.sampled_from(["t1", "t2", "t3"])
HOMES = st.sampled_from(["rack.1", "rack.2", "rack.3"])
SAMPLES = HOMES.map(lambda home: f"c/{home}")
PLACES = HOMES | st.sampled_from(["chuck", "anneal", "treat", "probe", GRIPPER])
STEPS = st.sampled_from([step.name for step in RECIPE.steps] + ["unheard of"])
STATIONS = st.sampled_from([ARM, "coater", "anneal", "treat", "probe"])
ACTIONS = st.builds("c.{}.{}".format, TRIALS, st.integers(1, 4))
TEXT = st.sampled_from(["r", ""])
WHO = st.just("ann")


def facts(**values: Any) -> st.SearchStrategy[dict[str, Any]]:
    made = {
        name: value if isinstance(value, st.SearchStrategy) else st.just(value)
        for name, value in values.items()
    }
    return st.fixed_dictionaries(made)


def acts(operation: str, **parameters: Any) -> st.SearchStrategy[dict[str, Any]]:
    return facts(
        action=ACTIONS, step=STEPS, operation=operation, station=STATIONS,
        sample=SAMPLES, slot=PLACES, parameters=facts(**parameters), duration=10.0,
    )  # fmt: skip


MEASURED = {
    "quantity": "rs", "value": 1.0, "std": 0.1, "unit": "ohm", "method": "m",
    "runs": ["u"], "believed": True, "doubts": [], "details": {},
}  # fmt: skip

DATA: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "campaign.started": facts(seed=1, trials=6),
    "candidate.proposed": facts(candidate=facts(x=st.sampled_from([1.0, 2.0])))
    | facts(candidate=facts(x=3.0), suggestion=st.sampled_from(["s1", "s2"]))
    | facts(
        candidate=facts(x=4.0), proposal=st.integers(1, 4),
        card=facts(regret_bound=st.sampled_from([0.5, 2.0, None, float("nan")])),
    ),
    "candidate.suggested": facts(
        suggestion=st.sampled_from(["s1", "s2"]), candidate=facts(x=3.0), who=WHO,
        note=TEXT,
    ),
    "suggestion.withdrawn": facts(suggestion=st.sampled_from(["s1", "s2"]), who=WHO),
    "trial.started": HOMES.map(lambda home: {"sample": f"c/{home}", "home": home}),
    "recipe.compiled": st.just({"recipe": asdict(RECIPE)}),
    "step.intended": acts("probe") | acts("transfer", target=PLACES),
    "step.done": facts(action=ACTIONS, run_uid="u", seconds=st.none() | st.just(9.0)),
    "step.failed": facts(action=ACTIONS, reason=TEXT),
    "step.ran_on": facts(step=STEPS, seconds=9.0),
    "step.repeated": facts(step=STEPS, reason=TEXT, doubted=st.booleans()),
    "question.asked": facts(
        question=ACTIONS.map("q.{}".format), action=ACTIONS, sample=SAMPLES,
        station=STATIONS, text=TEXT,
    ),
    "question.answered": facts(
        question=ACTIONS.map("q.{}".format), who=WHO,
        answer=st.sampled_from([*ANSWERS, "maybe"]),
    ),
    "control": facts(
        verb=st.sampled_from(["pause", "drain", "resume", "discard", "stop", "estop"]),
        subject=st.sampled_from(["campaign", "station", "sample"]),
        name=STATIONS | SAMPLES, who=WHO, note=TEXT,
        via=st.sampled_from(["command line", "fault"]),
    ),
    "alert": facts(alert="overrun", text=TEXT, about="c.t1.1", station=STATIONS),
    "sample.found": facts(sample=SAMPLES, at=PLACES),
    "sample.discarded": facts(sample=SAMPLES, at=PLACES, reason=TEXT),
    "measurement": facts(**MEASURED, sample=SAMPLES),
    "observation": facts(
        candidate={"x": 1.5}, estimates={"rs": {"value": 1.0, "std": 0.1}}
    ),
    "trial.failed": facts(reason=TEXT),
    "campaign.paused": facts(reason=TEXT),
    "campaign.resumed": facts(speed=1.0),
    "campaign.ended": facts(reason=TEXT, good=st.booleans()),
    "of.a.later.version": st.just({}),
}  # fmt: skip

WORDS = st.sampled_from(sorted(DATA)).flatmap(
    lambda kind: st.tuples(st.just(kind), TRIALS | st.just(""), DATA[kind])
)
# Begun trials, so that most of what follows is about something that is there.
BEGUN = st.sampled_from([0, 1, 2]).map(
    lambda count: [
        (kind, f"t{n}", data)
        for n in range(1, count + 1)
        for kind, data in (
            ("candidate.proposed", {"candidate": {"x": 1.0}}),
            ("trial.started", {"sample": f"c/rack.{n}", "home": f"rack.{n}"}),
            ("recipe.compiled", {"recipe": asdict(RECIPE)}),
        )
    ]
)


def ledger_of(words: list[tuple[str, str, dict[str, Any]]]) -> list[Event]:
    return [Event(seq, "c", 1.0 * seq, *one) for seq, one in enumerate(words, 1)]


def check_legal(progress: Progress, events: list[Event]) -> None:
    """Check what must be so in every state, whatever has been written."""
    under_way = dict(progress.acting)
    for question in progress.questions.values():
        assert question.act.id not in under_way, "asked about while it is acting"
        under_way[question.act.id] = question.act
    for trial in progress.trials.values():
        check_trial(progress, trial.id, under_way)
    for act in under_way.values():
        kinds = [one.kind for one in events if one.data.get("action") == act.id]
        assert act.trial in progress.trials
        assert "step.intended" in kinds, "acting, and never intended"
        last = [one.kind for one in events if one.data.get("action") == act.id
                and one.trial == act.trial and one.kind != "question.asked"][-1]  # fmt: skip
        assert last == "step.intended", "acting, and ended"
    samples = Counter(t.sample for t in progress.in_flight if t.sample)
    samples.update(stray.sample for stray in progress.strays.values())
    assert not [one for one, count in samples.items() if count > 1]
    for name, stray in progress.strays.items():
        assert name == stray.sample
        assert stray.at != stray.home
        assert stray.trial in progress.trials
        assert stray.home in progress.used
    begun = [t.suggestion.id for t in progress.trials.values() if t.suggestion]
    assert len(begun) == len(set(begun)), "a suggestion was begun twice"
    assert not set(begun) & set(progress.suggested)
    started = {one.data["home"] for one in events if one.kind == "trial.started"}
    assert progress.used <= started
    assert progress.seq == (events[-1].seq if events else 0)


def check_trial(progress: Progress, name: str, under_way: dict[str, Any]) -> None:
    trial = progress.trials[name]
    steps = trial.recipe.steps if trial.recipe else ()
    assert trial.id == name
    assert isinstance(trial.status, TrialStatus)
    assert (trial.status is TrialStatus.OBSERVED) == (trial.observation is not None)
    assert (trial.status is TrialStatus.PROPOSED) <= (trial.sample == "")
    assert (trial.sample == "") == (trial.home == "") == (trial.at == "")
    assert 0 <= trial.following <= len(steps)
    assert all(step.name in trial.runs for step in steps[: trial.following])
    assert set(trial.runs) <= {step.name for step in steps}
    if trial.sample:
        assert trial.home in progress.used
    if trial.acting:
        assert under_way[trial.acting].trial == name
        assert under_way[trial.acting].sample == trial.sample
    if not trial.in_flight and trial.at != trial.home:
        assert progress.strays[trial.sample].at == trial.at


@pytest.mark.slow
@pytest.mark.timeout(300)
@settings(max_examples=500, deadline=None)
@given(BEGUN, st.lists(WORDS, max_size=40), st.floats(0, 1))
def test_any_order_of_events_folds_to_a_legal_state(
    begun: list[Any], words: list[Any], part: float
) -> None:
    events = ledger_of(begun + words)
    progress = fold(events)
    check_legal(progress, events)
    wanted = next_action(RULES, progress)
    assert isinstance(wanted, Propose | Make | Wait | Stop)
    assert not isinstance(wanted, Propose) or 1 <= wanted.n <= RULES.in_flight
    starting = ready(progress, FLOOR)
    assert all(one.sample for one in starting)
    assert not Counter(one.sample for one in starting) - Counter(
        {one.sample for one in starting}
    )
    at = int(part * len(events))
    assert fold(events[at:], fold(events[:at])) == progress


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_what_is_written_twice_or_late_does_not_undo_a_campaign(
    data: st.DataObject,
) -> None:
    """Real campaigns, some of whose events come again, anywhere later."""
    lab = VirtualLab()
    for n in (1, 2):
        lab.start(f"t{n}", f"rack.{n}")
    for _ in range(data.draw(st.integers(0, 60))):
        starting = lab.ready()
        if not starting:
            break
        action = lab.begin(data.draw(st.sampled_from(starting)))
        lab.end(action, good=data.draw(st.integers(0, 9)) > 0)
    words = [(one.kind, one.trial, dict(one.data)) for one in lab.events]
    for _ in range(data.draw(st.integers(1, 5))):
        again = data.draw(
            st.sampled_from([w for w in words if w[0] != "step.intended"])
        )
        words.insert(data.draw(st.integers(words.index(again), len(words))), again)
    events = ledger_of(words)
    progress = fold(events)
    check_legal(progress, events)
    for name, trial in lab.progress.trials.items():
        assert progress.trials[name].following == trial.following
        assert progress.trials[name].at == trial.at
    assert progress.used == lab.progress.used


def test_a_trial_whose_sample_was_discarded_has_none_until_it_starts_again() -> None:
    lab = VirtualLab()
    lab.start("t1", "rack.1")
    for _ in range(3):
        lab.end(lab.begin(lab.ready()[0]))
    lab.write("sample.discarded", "t1", sample="c/rack.1", at="chuck", reason="test")
    trial = lab.progress.trials["t1"]
    assert (trial.sample, trial.following, trial.acting) == ("", 0, "")
    assert [one.sample for one in lab.ready()] == ["c/rack.1"]  # put away, no more


def test_every_kind_of_event_that_is_documented_is_tried() -> None:
    kinds = re.findall(r"^([a-z]+(?:\.[a-z_]+)?)  ", ledger.__doc__ or "", re.MULTILINE)
    assert set(kinds) - {"kind"} == set(DATA) - {"of.a.later.version"}
