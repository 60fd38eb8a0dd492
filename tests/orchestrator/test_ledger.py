from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.errors import Refused
from orchestrator.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.at(tmp_path)


def test_events_come_back_in_order_with_what_was_said(ledger: Ledger) -> None:
    first = ledger.append("c", "campaign.started", data={"seed": 1})
    second = ledger.append("c", "trial.failed", trial="t001", data={"reason": "µ"})
    ledger.append("d", "campaign.started", data={})
    assert ledger.events("c") == [first, second]
    assert ledger.events("c", after=first.seq) == [second]
    assert ledger.campaigns() == ["c", "d"]
    assert ledger.find(None) == "d"


def test_a_ledger_is_durable_before_append_returns(tmp_path: Path) -> None:
    Ledger.at(tmp_path).append("c", "campaign.started", data={"x": 1.5})
    assert Ledger.of(tmp_path).events("c")[0].data == {"x": 1.5}


def test_two_processes_may_make_the_same_ledger_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        ledgers = list(pool.map(lambda _: Ledger.at(tmp_path), range(8)))
        list(
            pool.map(lambda one: one.append("c", "campaign.started", data={}), ledgers)
        )
    assert len(ledgers[0].events("c")) == 8


def test_an_unknown_campaign_and_a_missing_ledger_are_refused(
    ledger: Ledger, tmp_path: Path
) -> None:
    ledger.append("known", "campaign.started", data={})
    with pytest.raises(Refused, match="other: not in this ledger, which holds known"):
        ledger.find("other")
    with pytest.raises(Refused, match="no ledger here"):
        Ledger.of(tmp_path / "nowhere")


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("not a database, but long enough for a header")
    with pytest.raises(Refused, match="cannot be used as a ledger"):
        Ledger.of(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="cannot be made"):
        Ledger.at(tmp_path / "file" / "data")
