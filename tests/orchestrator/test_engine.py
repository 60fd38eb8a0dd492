"""One station with a real run engine and no instruments."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bluesky.utils import Msg

from instruments.clock import Clock
from instruments.errors import Fault, LinkTimeout, Rejected, Stopped
from instruments.plans.evidence import Outcome
from instruments.plans.rest import irrevocable
from orchestrator.station.acts import ActLedger, ActRecord, ActState, FaultClass
from orchestrator.station.engine import Station
from orchestrator.station.journal import Journal, read_documents, read_marks, run_of


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    acts = ActLedger(tmp_path / "acts.db")
    one = Station("arm", {}, acts, Journal(tmp_path / "journal"), Clock())
    yield one
    one.close()
    acts.close()


def intend(station: Station, action: str, operation: str = "transfer") -> ActRecord:
    return station._acts.intend(
        ActRecord(
            *(action, "me", "arm", operation, "step", "s/rack.1", "t1"),
            parameters={"source": "rack.1", "target": "chuck"},
        )
    )


def nothing() -> Iterator[Msg]:
    yield Msg("null")


def ended(station: Station, action: str) -> ActRecord:
    act = station.wait(action, 30.0)
    assert act is not None
    assert act.over
    return act


def test_a_station_is_busy_from_before_an_act_begins_until_its_end_is_on_disk(
    station: Station,
) -> None:
    going = threading.Event()
    seen: list[bool] = []

    def slow() -> Iterator[Msg]:
        yield Msg("null")
        seen.append(station.busy)
        going.wait(10.0)
        yield Msg("null")

    assert not station.busy
    station.begin(intend(station, "a"), slow)
    station.begin(intend(station, "b"), nothing)
    assert station.busy
    going.set()
    ended(station, "a")
    ended(station, "b")
    assert seen == [True]
    assert not station.busy


def test_marks_are_in_the_journal_and_are_no_documents(
    station: Station, tmp_path: Path
) -> None:
    def grips() -> Iterator[Msg]:
        yield from irrevocable("grip", nothing())

    station.begin(intend(station, "a"), grips)
    act = ended(station, "a")
    assert act.state is ActState.DONE
    folder = tmp_path / "journal"
    marks = read_marks(folder, act.run_uid)
    assert [(m.what, m.state) for m in marks] == [("grip", "begun"), ("grip", "over")]
    names = [name for name, _ in read_documents(folder, act.run_uid)]
    assert names == ["start", "stop"]
    assert run_of(folder, "a", act.sent or 0.0) == act.run_uid
    assert run_of(folder, "b", act.sent or 0.0) == ""


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (Rejected("no"), FaultClass.REJECTED),
        (LinkTimeout("silence"), FaultClass.LINK),
        (Fault("broken"), FaultClass.FAULT),
        (ValueError("a bug"), FaultClass.OTHER),
    ],
)
def test_an_act_that_fails_says_of_which_kind_and_what_became_of_the_sample(
    station: Station, error: Exception, fault: FaultClass
) -> None:
    def fails() -> Iterator[Msg]:
        yield from irrevocable("grip", nothing())
        raise error

    station.begin(intend(station, "a"), fails)
    act = ended(station, "a")
    assert (act.state, act.fault) == (ActState.FAILED, fault)
    assert str(error) in act.reason
    assert act.verdict is not None
    assert (act.verdict.outcome, act.verdict.at) == (Outcome.PARTLY, "gripper")


def test_after_a_fault_nothing_is_sent_until_a_person_puts_the_station_back(
    station: Station,
) -> None:
    def breaks() -> Any:
        yield Msg("null")
        raise Fault("broken")

    station.begin(intend(station, "a"), breaks)
    ended(station, "a")
    station.begin(intend(station, "b"), nothing)
    refused = ended(station, "b")
    assert (refused.state, refused.begun) == (ActState.FAILED, False)
    assert "until a person puts it back" in refused.reason
    station.put_back()
    station.begin(intend(station, "c"), nothing)
    assert ended(station, "c").state is ActState.DONE


def test_a_stop_while_a_station_is_prepared_is_no_fault(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare() -> None:
        station.halt("a test")
        raise Stopped("was stopped")

    monkeypatch.setattr(station, "_make_ready", prepare)
    station.begin(intend(station, "a"), nothing)
    act = ended(station, "a")
    assert (act.state, act.fault, act.begun) == (ActState.ABORTED, None, False)
    assert not station.faulty


def test_a_halted_plan_does_nothing_more_not_even_tidy_up(station: Station) -> None:
    inside, go_on = threading.Event(), threading.Event()
    done: list[str] = []

    def plan() -> Iterator[Msg]:
        try:
            yield Msg("null")
            inside.set()
            go_on.wait(10.0)
            yield Msg("null")
            done.append("went on")
        finally:
            yield Msg("null")
            done.append("tidied up")

    station.begin(intend(station, "a"), plan)
    station.begin(intend(station, "b"), nothing)
    assert inside.wait(10.0)
    halting = threading.Thread(target=station.halt, args=("a test",))
    halting.start()
    waiting = ended(station, "b")
    assert (waiting.state, waiting.begun) == (ActState.ABORTED, False)
    go_on.set()
    halting.join(10.0)
    act = ended(station, "a")
    assert (act.state, act.reason) == (ActState.ABORTED, "a test")
    assert done == []


def test_an_act_ledger_of_an_earlier_version_gets_its_new_columns(
    tmp_path: Path,
) -> None:
    import sqlite3

    ActLedger(tmp_path / "acts.db").close()
    old = sqlite3.connect(tmp_path / "acts.db")
    for column in ("verdict", "fault", "acknowledged"):
        old.execute(f"ALTER TABLE acts DROP COLUMN {column}")
    old.commit()
    old.close()
    acts = ActLedger(tmp_path / "acts.db")
    act = acts.intend(ActRecord("a", "me", "arm", "spin", "coat", "s", "t"))
    acts.update(act, fault=FaultClass.LINK)
    found = acts.find("a")
    acts.close()
    assert found is not None
    assert found.fault is FaultClass.LINK
