"""What the board shows is bounded, whatever the number of trials."""

from __future__ import annotations

from orchestrator.flows.artifacts import ROWS, drawings, kept
from orchestrator.fold import fold
from tests.orchestrator.fake_campaign import fake_campaign


def test_the_table_of_a_long_campaign_holds_its_newest_trials_only() -> None:
    events = fake_campaign(ROWS + 50)
    shown = {
        key: text for key, _, text in drawings("c1", events, fold(events), final=True)
    }
    rows = [line for line in shown["trials"].splitlines() if line.startswith("| t")]
    assert len(rows) - 1 == ROWS  # the header begins so, too
    assert "50 earlier" in shown["trials"]
    assert shown["report"].startswith("# c1")
    assert set(shown) == {"progress", "trials", "best", "report"}


def test_what_the_board_does_not_keep_changes_nothing_that_it_shows() -> None:
    events = fake_campaign(12, fates={3: "failed", 12: "in flight"})
    few = kept(events)
    assert len(few) < len(events) / 2
    assert not any("observed" in one.data for one in few)
    progress = fold(events)
    assert list(drawings("c1", few, progress, final=True)) == list(
        drawings("c1", events, progress, final=True)
    )
