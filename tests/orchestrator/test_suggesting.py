"""A person's own candidate: checked, queued, made next, and never made twice."""

from __future__ import annotations

import re
import shlex
from logging import getLogger
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from orchestrator.campaign import (
    Make,
    Propose,
    Rules,
    Stop,
    Wait,
    next_action,
    rules_of,
)
from orchestrator.cli import app
from orchestrator.config.read_campaign import load_campaign
from orchestrator.fold import fold
from orchestrator.ledger import Event, Ledger
from orchestrator.stopping import StopRule
from tests.orchestrator.decided import Decided
from tests.orchestrator.virtual_lab import VirtualLab

RULES = Rules(trials=3, in_flight=2, substrates=10)
NITRIC = (
    'acid="nitric acid" acid_concentration="14 mol/L" dwell="1 min" '
    'treatment_temperature="60 degC" spin_speed="2000 rpm" '
    'anneal_temperature="120 degC" anneal_time="5 min"'
)


def suggested(lab: VirtualLab, name: str = "s1") -> None:
    lab.write("candidate.suggested", suggestion=name, candidate={"x": 3.0}, who="ada")


def made(lab: VirtualLab, trial: str, name: str = "s1") -> None:
    lab.write("candidate.proposed", trial, candidate={"x": 3.0}, suggestion=name)


# -- the rules --------------------------------------------------------------------------


def test_a_suggestion_is_made_before_the_planner_is_asked() -> None:
    lab = VirtualLab()
    suggested(lab, "s1")
    suggested(lab, "s2")
    wanted = next_action(RULES, lab.progress)
    assert isinstance(wanted, Make)
    assert wanted.suggestion.id == "s1"
    made(lab, "t1", "s1")
    wanted = next_action(RULES, lab.progress)
    assert isinstance(wanted, Make)
    assert wanted.suggestion.id == "s2"
    made(lab, "t2", "s2")
    assert next_action(RULES, lab.progress) == Wait()
    lab.write("trial.failed", "t2", reason="test")
    assert next_action(RULES, lab.progress) == Propose(1)


def test_a_suggestion_acts_once_whatever_is_written_again() -> None:
    lab = VirtualLab()
    suggested(lab)
    suggested(lab)
    assert len(lab.progress.suggested) == 1
    made(lab, "t1")
    made(lab, "t2")
    suggested(lab)
    assert list(lab.progress.trials) == ["t1"]
    assert not lab.progress.suggested
    assert lab.progress.trials["t1"].suggestion is not None


def test_a_suggestion_waits_for_room_and_counts_as_a_trial_of_the_budget() -> None:
    lab = VirtualLab()
    for number in (1, 2):
        lab.start(f"t{number}", f"rack.{number}")
    suggested(lab)
    assert next_action(RULES, lab.progress) == Wait()
    lab.write("trial.failed", "t2", reason="test")
    assert isinstance(next_action(RULES, lab.progress), Make)
    made(lab, "t3")
    for trial in ("t1", "t3"):
        lab.write("observation", trial, candidate={"x": 1.0}, estimates={})
    assert next_action(RULES, lab.progress) == Stop("all 3 trials are made", good=True)


def test_a_suggestion_is_made_also_where_the_planner_hopes_for_little() -> None:
    rules = Rules(
        trials=9, in_flight=1, substrates=9, stop=StopRule(1.0, "S/cm", proposals=1)
    )
    lab = VirtualLab()
    lab.write(
        "candidate.proposed", "t1", candidate={"x": 1.0}, card={"regret_bound": 0.5}
    )
    lab.write("trial.failed", "t1", reason="test")
    assert isinstance(next_action(rules, lab.progress), Stop)
    suggested(lab)
    assert isinstance(next_action(rules, lab.progress), Make)


def test_a_sample_that_is_made_anew_is_still_the_person_s() -> None:
    lab = VirtualLab()
    suggested(lab)
    made(lab, "t1")
    lab.write("trial.started", "t1", sample="c/rack.1", home="rack.1")
    lab.write("sample.discarded", "t1", sample="c/rack.1", at="rack.1", reason="test")
    lab.write("trial.started", "t1", sample="c/rack.2", home="rack.2")
    one = lab.progress.trials["t1"].suggestion
    assert one is not None
    assert one.who == "ada"


def test_what_was_withdrawn_is_not_made() -> None:
    lab = VirtualLab()
    suggested(lab, "s1")
    suggested(lab, "s2")
    lab.write("suggestion.withdrawn", suggestion="s1", who="ada")
    wanted = next_action(RULES, lab.progress)
    assert isinstance(wanted, Make)
    assert wanted.suggestion.id == "s2"
    lab.write("suggestion.withdrawn", suggestion="s2", who="ada")
    assert next_action(RULES, lab.progress) == Propose(2)


@pytest.mark.parametrize("withdrawn_first", [True, False])
def test_of_a_withdrawal_and_a_beginning_the_first_in_the_ledger_holds(
    withdrawn_first: bool,
) -> None:
    lab = VirtualLab()
    suggested(lab)
    if withdrawn_first:
        lab.write("suggestion.withdrawn", suggestion="s1", who="ada")
    made(lab, "t1")
    if not withdrawn_first:
        lab.write("suggestion.withdrawn", suggestion="s1", who="ada")
    assert list(lab.progress.trials) == ([] if withdrawn_first else ["t1"])
    assert not lab.progress.suggested


# -- the command ------------------------------------------------------------------------


@pytest.fixture
def decided(tmp_path: Path) -> Decided:
    """A campaign of 5 trials that was stopped after 3."""
    return Decided.begun(tmp_path, "random", 5).run(until=3)


def say(decided: Decided, text: str) -> tuple[int, str]:
    words = ["suggest", decided.name, *shlex.split(text), "--data", str(decided.data)]
    result = CliRunner().invoke(app, words, env={"COLUMNS": "250"})
    return result.exit_code, result.output + str(result.exception or "")


def queue(decided: Decided) -> list[Any]:
    return [e for e in decided.events() if e.kind == "candidate.suggested"]


def test_a_candidate_is_queued_in_the_units_of_the_space(decided: Decided) -> None:
    code, output = say(decided, f'{NITRIC} --who ada --note "as in the paper"')
    assert code == 0, output
    assert "made when the campaign goes on, says ada: nitric acid, 14 mol/L" in output
    (event,) = queue(decided)
    assert event.data["candidate"]["dwell"] == 60.0
    assert event.data["candidate"]["anneal_time"] == 300.0
    assert (event.data["who"], event.data["note"]) == ("ada", "as in the paper")
    words = ["status", decided.name, "--data", str(decided.data)]
    status = CliRunner().invoke(app, words, env={"COLUMNS": "250"}).output
    assert "to be made, by ada (as in the paper): nitric acid, 14 mol/L" in status


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"1 min"', "60", 'dwell=60: write the unit, e.g. "30 s"'),
        ('"1 min"', '"2 mm"', "dwell=2 mm: a quantity in s is wanted"),
        ('"1 min"', '"2 h"', "dwell: 7200 s is outside 30 to 600 s"),
        ("nitric acid", "nitric", "acid=nitric: not among the options of acid: did you mean nitric acid"),
        ("14 mol/L", "16 mol/L", "acid_concentration: 16 mol/L is outside"),
        ("60 degC", "150 degC", "treatment_temperature"),
        ("spin_speed=", "speed=", "speed=2000 rpm: no such parameter"),
        ('spin_speed="2000 rpm"', "", "spin_speed: missing; --like TRIAL"),
        ('spin_speed="2000 rpm"', "fast", "fast: write parameter=value"),
        ('spin_speed="2000 rpm"', 'dwell="50 s"', "dwell is given twice"),
        ('spin_speed="2000 rpm"', "--like t99", "--like t99: no such trial"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_refused_and_not_queued(
    decided: Decided, old: str, new: str, message: str
) -> None:
    assert old in NITRIC
    code, output = say(decided, NITRIC.replace(old, new))
    assert message in output
    assert code != 0
    assert not queue(decided)


def test_what_does_not_count_need_not_be_written(tmp_path: Path) -> None:
    rule = "{vary: anneal_time, only_if: {acid: [sulfuric acid]}, else: 3 min}"
    edits = {"objectives:": f"rules:\n  - {rule}\nobjectives:"}
    decided = Decided.begun(tmp_path, "random", 9, edits=edits).run(until=3)
    short = NITRIC.replace('anneal_time="5 min"', "")
    assert "anneal_time: 300 s" in say(decided, NITRIC)[1]
    assert not queue(decided)
    sulfuric = short.replace('"nitric acid"', '"sulfuric acid"')
    assert "anneal_time: missing" in say(decided, sulfuric)[1]
    assert say(decided, short)[0] == 0
    assert queue(decided)[0].data["candidate"]["anneal_time"] == 180.0
    # What rests in one trial is no value for another, and the other way round.
    assert say(decided, f'{sulfuric} anneal_time="4 min"')[0] == 0
    suggested = decided.run(until=6).events()
    trials = {
        str(e.data["candidate"]["acid"]): e.trial
        for e in suggested
        if e.kind == "candidate.proposed" and "suggestion" in e.data
    }
    like = f"--like {trials['nitric acid']}"
    text = f'acid="sulfuric acid" {like} --again'
    assert "anneal_time: missing" in say(decided, text)[1]
    back = f'acid="nitric acid" dwell="50 s" --like {trials["sulfuric acid"]}'
    code, output = say(decided, back)
    assert code == 0, output
    assert queue(decided)[-1].data["candidate"]["anneal_time"] == 180.0


def test_what_was_made_is_made_once_more_only_if_that_is_wanted(
    decided: Decided,
) -> None:
    assert "t002 is this candidate already" in say(decided, "--like t002")[1]
    assert say(decided, "--like t002 --again")[0] == 0
    first = next(e for e in decided.events() if e.trial == "t002")
    (event,) = queue(decided)
    assert event.data["candidate"] == first.data["candidate"]
    assert say(decided, NITRIC)[0] == 0
    assert "its budget of 5 trials is spent" in say(decided, "--like t001 --again")[1]


def test_the_same_is_not_queued_twice(decided: Decided) -> None:
    assert say(decided, f"{NITRIC} --who ada")[0] == 0
    assert "ada has suggested this candidate already" in say(decided, NITRIC)[1]


def test_nothing_is_suggested_to_a_campaign_that_has_reached_its_end(
    decided: Decided,
) -> None:
    decided.add("campaign.ended", reason="all 5 trials are made", good=True)
    assert "has reached its end: all 5 trials are made" in say(decided, NITRIC)[1]


def test_a_suggestion_is_withdrawn_by_the_id_that_status_shows(
    decided: Decided,
) -> None:
    assert say(decided, f"{NITRIC} --who ada")[0] == 0
    words = ["status", decided.name, "--data", str(decided.data)]
    status = CliRunner().invoke(app, words, env={"COLUMNS": "250"}).output
    (told,) = re.findall(r"polyloop suggest \S+ (--withdraw \w+) withdraws it", status)
    code, output = say(decided, f'{told} --who bob --note "too strong"')
    assert code == 0, output
    assert "not made, says bob; suggested by ada" in output
    event = decided.events()[-1]
    assert event.kind == "suggestion.withdrawn"
    assert (event.data["who"], event.data["note"]) == ("bob", "too strong")
    assert "to be made" not in CliRunner().invoke(app, words).output
    assert "nothing to be made: known: none" in say(decided, told)[1]
    assert say(decided, NITRIC)[0] == 0  # it may be thought better of
    decided.run()
    trials = [e for e in decided.events() if e.kind == "candidate.proposed"]
    assert ["suggestion" in e.data for e in trials] == [False] * 3 + [True, False]
    words = ["replay", decided.name, "--data", str(decided.data)]
    again = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert again.exit_code == 0, again.output


def test_what_is_being_made_is_not_withdrawn(decided: Decided) -> None:
    assert say(decided, NITRIC)[0] == 0
    told = f"--withdraw {queue(decided)[0].data['suggestion']}"
    assert "stands alone" in say(decided, f"{told} --like t001")[1]
    decided.run(until=4)
    code, output = say(decided, told)
    assert "nothing to be made" in output
    assert code != 0
    assert decided.events()[-1].kind != "suggestion.withdrawn"


def test_a_withdrawal_that_comes_just_too_late_is_refused_with_the_trial(
    decided: Decided, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert say(decided, NITRIC)[0] == 0
    append = Ledger.append

    def later(ledger: Ledger, name: str, kind: str, **how: Any) -> Event:
        if kind == "suggestion.withdrawn":
            monkeypatch.setattr(Ledger, "append", append)
            decided.run(until=4)
        return append(ledger, name, kind, **how)

    monkeypatch.setattr(Ledger, "append", later)
    code, output = say(
        decided, f"--withdraw {queue(decided)[0].data['suggestion']} --who ada"
    )
    assert "too late: it is t004 now" in output
    assert code != 0
    progress = fold(decided.events())
    assert progress.trials["t004"].suggestion is not None


def test_wherever_a_campaign_is_cut_off_a_suggestion_is_made_once(
    decided: Decided,
) -> None:
    assert say(decided, NITRIC)[0] == 0
    queued = queue(decided)[0].seq
    whole = decided.run().events()
    for cut in range(queued, len(whole) + 1):
        decided.rewritten(lambda one, cut=cut: one if one.seq <= cut else None)
        events = decided.run().events()
        begun = [e.trial for e in events if e.trial and "suggestion" in e.data]
        assert begun == ["t004"]


def test_a_campaign_with_a_suggestion_replays(decided: Decided) -> None:
    assert say(decided, NITRIC)[0] == 0
    decided.run()
    trials = [e for e in decided.events() if e.kind == "candidate.proposed"]
    assert ["suggestion" in e.data for e in trials] == [False] * 3 + [True, False]
    words = ["replay", decided.name, "--data", str(decided.data)]
    again = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert again.exit_code == 0, again.output
    assert "(4 candidates)" in again.output


@pytest.mark.slow
def test_the_loop_begins_nothing_for_what_was_withdrawn_the_moment_before(
    decided: Decided,
) -> None:
    """The loop reads the ledger, a person withdraws, the loop writes."""
    from orchestrator.flows.loop import Loop

    assert say(decided, NITRIC)[0] == 0
    (told,) = (one.data["suggestion"] for one in queue(decided))
    loop = Loop.__new__(Loop)  # without a station, and without Prefect
    loop.id, loop.ledger = decided.name, Ledger.of(decided.data)
    loop.ledger.append(loop.id, "trial.failed", trial="t003", data={"reason": "test"})
    events = decided.events()
    config = decided.data / events[0].data["config"]
    loop.campaign = load_campaign(config, check_drivers=False)
    loop.rules = rules_of(loop.campaign, events[0].data)
    loop.log, loop._asking = getLogger(), False
    loop.progress = fold(events)
    assert isinstance(next_action(loop.rules, loop.progress), Make)
    assert say(decided, f"--withdraw {told}")[0] == 0
    assert isinstance(loop._next(), Propose)
    loop.ledger.close()
    kinds = [one.kind for one in decided.events()[len(events) :]]
    assert kinds == ["suggestion.withdrawn", "candidate.proposed"]
    assert "t004" not in loop.progress.trials
    # The trial that comes next has the number, and replay asks for it as for any other.
    decided.run()
    assert len(fold(decided.events()).trials) == 5
    words = ["replay", decided.name, "--data", str(decided.data)]
    again = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert again.exit_code == 0, again.output
