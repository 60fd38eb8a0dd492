from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.ledger import Event
from orchestrator.versions import versions
from tests.orchestrator.decided import Decided


def replayed(decided: Decided) -> tuple[int, str]:
    """Return exit code and output of ``polyloop replay``."""
    command = ["replay", decided.name, "--data", str(decided.data)]
    result = CliRunner().invoke(app, command, env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def changed(trial: str, kind: str, **facts: Any) -> Any:
    """Return a change of the facts of one event."""

    def change(event: Event) -> Event:
        if (event.trial, event.kind) != (trial, kind):
            return event
        return dataclasses.replace(event, data={**event.data, **facts})

    return change


PLANNERS = ["random", pytest.param("bayes", marks=pytest.mark.slow)]


@pytest.fixture(params=PLANNERS)
def decided(request: pytest.FixtureRequest, tmp_path: Path) -> Decided:
    return Decided.begun(tmp_path, request.param, 9).run()


@pytest.fixture
def random_one(tmp_path: Path) -> Decided:
    return Decided.begun(tmp_path, "random", 12).run()


@pytest.mark.timeout(300)
def test_every_proposal_of_a_ledger_comes_out_again(decided: Decided) -> None:
    code, output = replayed(decided)
    assert "8 proposals (9 candidates) made again in" in output
    assert "the same candidates in the same order" in output
    assert code == 0


@pytest.mark.timeout(300)
def test_a_candidate_that_was_tampered_with_is_named(decided: Decided) -> None:
    (event,) = (
        one for one in decided.events()
        if (one.trial, one.kind) == ("t007", "candidate.proposed")
    )  # fmt: skip
    was = event.data["candidate"]
    candidate = {**was, "dwell": 123.4}
    decided.rewritten(changed("t007", "candidate.proposed", candidate=candidate))
    code, output = replayed(decided)
    assert code == 1
    assert "first difference: proposal 6" in output
    (line,) = (line for line in output.splitlines() if line.startswith("dwell"))
    assert line.split() == ["dwell", "123.4", "s", repr(was["dwell"]), "s"]
    (same,) = (line for line in output.splitlines() if line.startswith("spin speed"))
    assert same.split()[2:] == [repr(was["spin_speed"]), "rpm"] * 2


@pytest.mark.timeout(300)
def test_a_campaign_that_was_stopped_with_trials_in_flight_replays(
    tmp_path: Path,
) -> None:
    decided = Decided.begun(tmp_path, "random", 12).run(until=5)
    code, output = replayed(decided)
    assert "(5 candidates)" in output
    assert code == 0


def test_a_proposal_of_which_only_a_part_was_written_replays(tmp_path: Path) -> None:
    decided = Decided.begun(tmp_path, "random", 12).run(until=2)
    decided.rewritten(lambda one: None if one.trial == "t002" else one)
    decided.run()
    code, output = replayed(decided)
    assert (code, "(12 candidates)" in output) == (0, True), output


def test_a_ledger_from_before_there_were_numbers_and_versions_replays(
    random_one: Decided,
) -> None:
    new = ("proposal", "n", "versions")

    def older(event: Event) -> Event:
        data = {key: value for key, value in event.data.items() if key not in new}
        return dataclasses.replace(event, data=data)

    code, output = replayed(random_one.rewritten(older))
    assert (code, "not recorded" in output) == (0, True), output


def bounded(decided: Decided, *proposals: int) -> Decided:
    """Write into the cards of these proposals that next to nothing can be gained."""

    def change(event: Event) -> Event:
        if event.data.get("proposal") not in proposals:
            return event
        card = {**event.data["card"], "regret_bound": 0.01}
        return dataclasses.replace(event, data={**event.data, "card": card})

    return decided.rewritten(change)


def test_a_campaign_that_was_stopped_by_its_cards_replays_and_goes_no_further(
    tmp_path: Path,
) -> None:
    stop = {"in_flight: 2": 'in_flight: 2\nstop: {regret_below: "5 percent"}'}
    decided = Decided.begun(tmp_path, "random", 12, edits=stop).run(until=6)
    last = max(event.data.get("proposal", 0) for event in decided.events())
    bounded(decided, last - 2, last - 1, last).run()
    trials = [e for e in decided.events() if e.kind == "candidate.proposed"]
    assert len(trials) == 6
    assert replayed(decided)[0] == 0


def test_a_proposal_after_the_cards_have_said_stop_is_found(tmp_path: Path) -> None:
    stop = {"in_flight: 2": 'in_flight: 2\nstop: {regret_below: "5 percent"}'}
    decided = Decided.begun(tmp_path, "random", 12, edits=stop).run()
    code, output = replayed(bounded(decided, 3, 4, 5))
    assert code == 1
    assert "rules: asked for 1 candidates; the rules wanted 0" in output


def test_another_seed_than_the_campaign_s_is_found(random_one: Decided) -> None:
    def other(event: Event) -> Event:
        if event.kind != "candidate.proposed":
            return event
        return dataclasses.replace(event, data={**event.data, "seed": 4})

    code, output = replayed(random_one.rewritten(other))
    assert code == 1
    assert "t001: seed: asked with seed 4; the campaign's is 3" in output
    assert "t001: candidate:" in output
    assert "11 of them differ" in output


def test_an_observation_that_was_taken_out_is_found(random_one: Decided) -> None:
    observed = next(one for one in random_one.events() if one.kind == "observation")
    random_one.rewritten(lambda one: None if one.seq == observed.seq else one)
    code, output = replayed(random_one)
    assert code == 1
    assert f"observed {observed.trial}: the ledger has no observation of it" in output


def test_a_proposal_that_the_rules_did_not_want_is_found(random_one: Decided) -> None:
    code, output = replayed(
        random_one.rewritten(changed("t005", "candidate.proposed", n=3))
    )
    assert code == 1
    assert "t005: rules: asked for 3 candidates; the rules wanted 1" in output


def test_a_trial_outside_the_space_is_found(random_one: Decided) -> None:
    for event in random_one.events():
        if (event.trial, event.kind) == ("t003", "candidate.proposed"):
            candidate = {**event.data["candidate"], "acid": "citric acid"}
    random_one.rewritten(changed("t003", "candidate.proposed", candidate=candidate))
    code, output = replayed(random_one)
    assert code == 1
    assert "t003: candidate" in output
    assert "citric acid" in output


def test_a_file_that_was_changed_since_is_found(random_one: Decided) -> None:
    folder = random_one.data / "campaigns" / random_one.name / "config"
    path = folder / "pedot_pss" / "campaign.yaml"
    path.write_text(path.read_text("utf-8") + "# later\n", "utf-8")
    code, output = replayed(random_one)
    assert code == 1
    assert "campaign.yaml: no longer what it was" in output


def test_recorded_versions_stand_beside_those_of_now(random_one: Decided) -> None:
    older = {**versions(), "botorch": "0.1.0"}
    code, output = replayed(
        random_one.rewritten(changed("", "campaign.started", versions=older))
    )
    assert code == 0  # another version that decides the same is no difference
    rows = {line.split()[0]: line.split()[1:] for line in output.splitlines() if line}
    assert rows["botorch"] == ["0.1.0", versions()["botorch"]]
    assert rows["torch"] == [versions()["torch"]] * 2


def test_a_campaign_without_a_proposal_replays(tmp_path: Path) -> None:
    code, output = replayed(Decided.begun(tmp_path, "random", 3))
    assert (code, "0 proposals (0 candidates)" in output) == (0, True)
