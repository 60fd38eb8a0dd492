"""What the terminal says of several objectives, limits and persons' candidates."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest
from rich.console import Console

from orchestrator.config.models import Campaign
from orchestrator.display import Screen, best_table, best_word, trials_table, waiting
from orchestrator.fold import fold
from orchestrator.launcher import View
from orchestrator.ledger import Event
from tests.orchestrator.fake_campaign import FakeCampaign
from tests.orchestrator.test_goals import two

GOALS: dict[str, list[dict[str, Any]]] = {
    "objectives": [
        {"name": "conductivity", "unit": "S/cm"},
        {"name": "sheet_resistance", "unit": "kiloohm", "direction": "minimise"},
    ],
    "limits": [{"name": "transmittance", "unit": "1", "at_least": 0.8}],
}


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Conductivity up, sheet resistance down, transmittance and thickness limited."""
    return two(tmp_path_factory.mktemp("files"))


def observed(*rows: tuple[float, float, float]) -> list[Event]:
    """Return trials with these conductivities, resistances and transmittances."""
    made = FakeCampaign(**GOALS)
    for number, (up, down, clear) in enumerate(rows, 1):
        trial = f"t{number:03d}"
        candidate = made.candidate(best_acids=True)
        who = {"suggestion": f"s{number}", "who": "ada", "note": "a hunch"}
        if number == 2:
            made.add("candidate.suggested", candidate=candidate, **who)
        origin = who if number == 2 else {"proposal": number}
        made.add("candidate.proposed", trial, candidate=candidate, **origin)
        named = {"conductivity": up, "sheet_resistance": down, "transmittance": clear}
        named["thickness"] = 50.0
        estimates = {name: {"value": v, "std": v / 100} for name, v in named.items()}
        made.add("observation", trial, candidate=candidate, estimates=estimates)
    return made.events


def printed(thing: Any) -> str:
    console = Console(file=io.StringIO(), width=300)
    console.print(thing)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


ROWS = ((900.0, 0.1, 0.9), (500.0, 0.05, 0.9), (400.0, 0.2, 0.9), (9000.0, 0.01, 0.7))


def test_the_table_of_trials_has_a_column_for_each_and_marks_the_best(
    campaign: Campaign,
) -> None:
    lines = printed(trials_table(fold(observed(*ROWS)), campaign)).splitlines()
    for name in ("conductivity", "sheet resistance", "transmittance", "thickness"):
        assert name in lines[0]
    marked = [line[:4] for line in lines[1:] if line[5:6] == "*"]
    assert marked == ["t001", "t002"]
    assert "by ada (a hunch): " in lines[2]
    assert "0.05000 ± 0.00050 kiloohm" in lines[2]


def test_the_best_are_named_and_listed_best_of_the_first_objective_first(
    campaign: Campaign,
) -> None:
    progress = fold(observed(*ROWS))
    word = "best within the limits, beaten by no other: t001, t002"
    assert best_word(progress, campaign) == word
    lines = printed(best_table(progress, campaign)).splitlines()
    assert lines[0] == word
    assert [line[:4] for line in lines[1:]] == ["t001", "t002"]
    assert "conductivity 900.0 ± 9.0 S/cm, sheet resistance 0.1" in lines[1]


@pytest.mark.parametrize(
    ("rows", "word"),
    [((), "best: none yet"), ((ROWS[3],), "best: none within the limits yet")],
)
def test_where_there_is_no_best_it_is_said_why(
    campaign: Campaign, rows: tuple[Any, ...], word: str
) -> None:
    progress = fold(observed(*rows))
    assert best_word(progress, campaign) == word
    assert printed(best_table(progress, campaign)).strip() == word


def test_a_candidate_that_waits_is_shown_with_who_suggested_it(
    campaign: Campaign,
) -> None:
    made = FakeCampaign(**GOALS)
    candidate = made.candidate(best_acids=True)
    made.add("candidate.suggested", suggestion="s", candidate=candidate, who="ada")
    (line,) = waiting(fold(made.events), "c", campaign.space)
    assert line.plain.startswith(f"to be made, by ada: {candidate['acid']}, ")
    assert "polyloop suggest c --withdraw s withdraws it" in line.plain


@pytest.mark.parametrize("terminal", [True, False])
def test_the_live_screen_shows_every_objective(
    campaign: Campaign, terminal: bool
) -> None:
    out = io.StringIO()
    console = Console(file=out, width=250, force_terminal=terminal)
    view = View(campaign, "c", 9, fold(observed(*ROWS)), "", time.time(), 400.0)
    with Screen(console) as screen:
        screen.show(view)
    text = out.getvalue()
    for trial in ("t001", "t002", "t003", "t004"):
        assert trial in text
    assert "900.0 ± 9.0 S/cm" in text
    assert ("best within the limits" in text) == terminal
