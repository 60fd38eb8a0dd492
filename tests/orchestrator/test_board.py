"""What the board shows is bounded, whatever the number of trials."""

from __future__ import annotations

from orchestrator.flows.artifacts import ROWS, drawings
from orchestrator.fold import fold
from orchestrator.reporting.history import outline, read_history
from tests.orchestrator.fake_campaign import FakeCampaign, fake_campaign


def test_the_table_of_a_long_campaign_holds_its_newest_trials_only() -> None:
    events = fake_campaign(ROWS + 50)
    history = read_history(events)
    shown = {key: text for key, _, text in drawings(history, final=True)}
    rows = [line for line in shown["trials"].splitlines() if line.startswith("| t")]
    assert len(rows) - 1 == ROWS  # the header begins so, too
    assert "50 earlier" in shown["trials"]
    assert shown["report"].startswith(f"# {events[0].campaign}")
    assert set(shown) == {"progress", "trials", "best", "report"}


def test_the_state_of_the_loop_is_all_that_is_drawn() -> None:
    events = fake_campaign(12, fates={3: "failed", 12: "in flight"})
    state = outline(events[0], fold(events))
    assert list(drawings(state, final=True)) == list(
        drawings(read_history(events), final=True)
    )


def test_a_trial_of_the_initial_design_stays_one_to_its_end() -> None:
    campaign = FakeCampaign()
    campaign.trial(1)
    card = campaign.events[1].data["card"]
    trial = fold(campaign.events).trials["t001"]
    reasons = {one["reason"] for one in card["candidates"]}
    assert trial.initial == ("initial design" in reasons)
    assert trial.initial


def test_with_two_objectives_the_volume_and_the_front_are_drawn() -> None:
    goals = [
        {"name": "conductivity", "unit": "S/cm", "scale": "log"},
        {"name": "transmittance", "unit": "1"},
    ]
    history = read_history(fake_campaign(6, objectives=goals))
    shown = {key: text for key, _, text in drawings(history, final=True)}
    assert shown["best"].count("data:image/png;base64,") == 2
    assert shown["best"] in shown["report"]
