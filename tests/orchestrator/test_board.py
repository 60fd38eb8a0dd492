"""What the board shows is bounded, whatever the number of trials."""

from __future__ import annotations

from orchestrator.campaign import fold
from orchestrator.flows.artifacts import ROWS, drawings
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
