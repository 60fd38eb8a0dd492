"""The report: true to the ledger, complete in itself, and readable whatever happened."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import Refused
from orchestrator.reporting.history import read_history
from orchestrator.reporting.report import (
    best_so_far_pngs,
    report_html,
    trials_markdown,
    write_report,
)
from orchestrator.reporting.surrogates import last_learned
from tests.orchestrator.fake_campaign import FakeCampaign, fake_campaign

FATES = {3: "failed", 5: "doubted", 7: "nan", 12: "in flight"}
VOID = {"meta", "link", "br", "img", "hr"}


class Reader(HTMLParser):
    """Check that tags nest, and collect what a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "data", "action") and value:
                self.fetched.append(value)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    return reader


@pytest.mark.parametrize("trials", [0, 1, 2])
def test_a_report_can_be_made_at_any_moment_of_a_campaign(trials: int) -> None:
    whole = fake_campaign(trials, fates={2: "failed"})
    for end in range(1, len(whole) + 1, 9):
        read(report_html(whole[:end]))


@pytest.mark.parametrize("fate", ["failed", "doubted", "nan", "in flight"])
def test_a_campaign_without_a_value_says_so(fate: str) -> None:
    html = report_html(fake_campaign(1, fates={1: fate}))
    assert "No film measured yet" in html
    assert "flatters" not in html


def test_nothing_is_fetched_from_elsewhere() -> None:
    html = report_html(fake_campaign(12, fates=FATES))
    assert all(one.startswith(("#", "data:")) for one in read(html).fetched)
    assert not re.search(r"@import|url\(\s*['\"]?\s*(?!#)[a-z]", html)
    assert "<script" not in html


def test_the_headline_is_the_best_measured_value_and_not_a_prediction() -> None:
    events = fake_campaign(24)
    history = read_history(events)
    best = max(
        one.observation.estimates["conductivity"].value
        for one in history.trials
        if one.observation
    )
    top = history.ranked()[0]
    estimate = history.estimate(top)
    assert estimate is not None
    assert estimate.value == best
    html = report_html(events)
    assert f"in trial {top.id}" in html
    assert "Predictions are not results" in html


def test_every_trial_is_in_the_table_with_the_reason_of_its_failure() -> None:
    html = report_html(fake_campaign(12, fates=FATES))
    for number in range(1, 13):
        assert f"<td>t{number:03d}</td>" in html
    assert "axis error 0x40" in html
    assert "differ by 8 %" in html


def test_text_from_a_ledger_cannot_become_markup() -> None:
    campaign = FakeCampaign()
    campaign.trial(1, "failed")
    campaign.add("trial.failed", "t001", reason="<script>alert(1)</script> | a\nb")
    html = report_html(campaign.events)
    assert "<script" not in html
    table = (
        trials_markdown(read_history(campaign.events)).replace("\\|", "").splitlines()
    )
    assert len({line.count(" | ") for line in table}) == 1


def test_a_value_at_a_bound_is_said_to_be_at_the_edge() -> None:
    campaign = FakeCampaign()
    campaign.trial(1)
    values = campaign.events[1].data["candidate"]
    values["dwell"] = 600.0
    assert read_history(campaign.events).at_edge(
        read_history(campaign.events).trials[0]
    ) == ["dwell"]
    assert "extrapolation" in report_html(campaign.events)


def test_the_same_ledger_gives_the_same_report() -> None:
    events = fake_campaign(10, fates=FATES)
    assert report_html(events) == report_html(events)


def test_the_newest_trial_is_on_top_of_the_markdown_table() -> None:
    lines = trials_markdown(read_history(fake_campaign(3))).splitlines()
    assert lines[0].startswith(
        "| trial | status | transmittance | sheet resistance (Ω)"
    )
    assert [line[2:6] for line in lines[2:]] == ["t003", "t002", "t001"]


@pytest.mark.parametrize("trials", [0, 1, 40])
def test_the_best_so_far_plot_is_a_png(trials: int) -> None:
    (png,) = best_so_far_pngs(read_history(fake_campaign(trials, fates={1: "failed"})))
    assert png.startswith(b"\x89PNG\r\n")


def test_a_ledger_without_a_campaign_is_refused() -> None:
    with pytest.raises(Refused, match="no campaign"):
        report_html([])


def test_the_report_is_written_below_reports(tmp_path: Path) -> None:
    events = fake_campaign(0)
    path = write_report(events, tmp_path)
    assert path == tmp_path / "reports" / f"{events[0].campaign}.html"
    assert path.read_text().startswith("<!DOCTYPE html>")


TWO = [
    {"name": "conductivity", "unit": "S/cm", "direction": "maximise", "scale": "log"},
    {"name": "transmittance", "unit": "1", "direction": "maximise", "scale": "linear"},
]
CLEAR = [{"name": "transmittance", "unit": "1", "at_least": 0.87, "at_most": None}]


@pytest.mark.parametrize("trials", [0, 1, 2])
@pytest.mark.parametrize("wanted", [{"objectives": TWO}, {"limits": CLEAR}])
def test_a_report_of_fronts_and_limits_can_be_made_at_any_moment(
    trials: int, wanted: dict[str, Any]
) -> None:
    whole = fake_campaign(trials, fates={2: "failed"}, **wanted)
    for end in range(1, len(whole) + 1, 9):
        read(report_html(whole[:end]))


def test_with_two_objectives_the_front_is_the_headline_and_is_drawn() -> None:
    events = fake_campaign(12, fates=FATES, objectives=TWO)
    html = report_html(events)
    read(html)
    front = read_history(events).front()
    assert len(front) > 1
    count = f"{len(front)} films that no other beats in conductivity and transmittance"
    assert count in html
    marked = re.findall(r'<tr class="top"><td>(t\d+)', html)
    assert sorted(marked) == sorted(one.id for one in front)
    assert "<h2>Conductivity and transmittance</h2>" in html
    assert "The hypervolume" in html
    assert len(best_so_far_pngs(read_history(events))) == 2


def test_the_best_is_the_best_within_the_limits() -> None:
    events = fake_campaign(24, limits=CLEAR)
    history = read_history(events)
    top = history.ranked()[0]
    assert f"with transmittance at least 0.87, in trial {top.id}" in report_html(events)
    beyond = [one for one in history.trials if not history.within(one)]
    values = [history.estimate(one) for one in [top, *beyond]]
    assert len(values) == sum(one is not None for one in values)
    best, *others = (one.value for one in values if one)
    # Some film beyond the limit is better, or this shows nothing.
    assert max(others) > min(
        v.value for v in map(history.estimate, history.ranked()) if v
    )
    assert all(
        one.value <= best for one in map(history.estimate, history.ranked()) if one
    )


def test_without_a_film_within_the_limits_the_report_says_so() -> None:
    nothing = [{**CLEAR[0], "at_least": 0.99}]
    html = report_html(fake_campaign(3, limits=nothing))
    assert "No film within the limits yet" in html
    assert "None of the observed films has transmittance at least 0.99" in html


def test_what_is_left_to_be_gained_is_said_and_why_a_campaign_stopped() -> None:
    campaign = FakeCampaign()
    for number in range(1, 10):
        campaign.trial(number)
    for event in campaign.events:
        if event.kind == "candidate.proposed":
            event.data["card"]["regret_bound"] = 0.0212
    campaign.end("stopped: no more than 5 % to be gained (95 %)")
    html = report_html(campaign.events)
    read(html)
    assert "there is no more than 5 % to be gained (95 %)" in html
    assert "ended: no more than 5 % to be gained (95 %)" in html


def test_who_suggested_a_trial_and_why_stands_beside_it() -> None:
    campaign = FakeCampaign()
    campaign.trial(1)
    values = {**campaign.events[1].data["candidate"], "dwell": 77.0}
    who = {"who": "ada", "note": "<as in the paper>", "suggestion": "s1"}
    campaign.add("candidate.suggested", candidate=values, **who)
    campaign.add("candidate.proposed", "t002", candidate=values, by="person", **who)
    html = report_html(campaign.events)
    read(html)
    assert "by ada" in html
    assert "ada: &lt;as in the paper&gt;" in html
    lines = trials_markdown(read_history(campaign.events)).splitlines()
    assert lines[0].startswith("| trial | by | status |")
    assert [line.split(" | ")[1] for line in lines[2:]] == ["ada", "planner"]


def test_what_was_predicted_of_several_objectives_is_drawn_for_each() -> None:
    campaign = FakeCampaign(objectives=TWO)
    for number in range(1, 12):
        campaign.trial(number)
    for event in campaign.events:
        card = event.data.get("card", {})
        for one in card.get("candidates", ()):
            if "predicted" in one:
                clear = {"predicted": 0.87, "predicted_std": 0.01}
                one["others"] = {"transmittance": clear}
                card["others"] = {"transmittance": card["surrogate"]}
    html = report_html(campaign.events)
    assert html.count("Each film as it was predicted before it was made") == 2
    assert re.search(r"<td>t0\d\d conductivity</td>", html)
    assert re.search(r"<td>t0\d\d transmittance</td>", html)


def test_what_matters_to_the_surrogate_and_earlier_campaigns_gave_is_said() -> None:
    campaign = FakeCampaign()
    for number in range(1, 11):
        campaign.trial(number)
    said = {
        "importance": {"dwell": 0.22, "acid: logP": 0.78},
        "slope": {"dwell": -0.4},
    }
    for event in campaign.events:
        if card := event.data.get("card"):
            card["earlier campaigns"] = {"a: <b>: conductivity": "7 observations"}
            card["regret_bound"] = 0.0212
            if "surrogate" in card:
                card["surrogate"] |= said
            if event.trial == "t010":
                card["candidates"][0]["reason"] = "replicate"
    html = report_html(campaign.events)
    read(html)
    assert "to the surrogate behind t010" in html
    rows = re.findall(
        r"<tr><td>(.*?)</td><td class=.number.>(.*?)</td><td class=.number.>(.*?)</td></tr>",
        html,
    )
    assert rows == [("acid: logP", "78 %", "—"), ("dwell", "22 %", "−0.40")]
    assert "<td>a: &lt;b&gt;</td><td>conductivity</td><td>7 observations</td>" in html
    assert "<td>t010<br><span" in html
    assert html.count("no more than 5 % to be gained") == 2
    assert '<span class="faint">replicate</span>' in html
    lines = trials_markdown(read_history(campaign.events)).splitlines()
    assert [line.split(" | ")[1] for line in lines[2:4]] == ["replicate", "planner"]


def test_several_objectives_have_their_columns_of_what_matters() -> None:
    campaign = FakeCampaign(objectives=TWO)
    for number in range(1, 11):
        campaign.trial(number)
    for event in campaign.events:
        card = event.data.get("card", {})
        if "surrogate" in card:
            first = {"importance": {"dwell": 1.0}, "slope": {"dwell": 1.25}}
            other = {
                "importance": {"acid": 0.6, "dwell": 0.4},
                "slope": {"dwell": -1.0},
            }
            card["others"] = {"transmittance": card["surrogate"] | other}
            card["surrogate"] |= first
    learned = last_learned(read_history(campaign.events))
    assert learned is not None
    assert learned["objectives"] == ["conductivity", "transmittance"]
    assert learned["rows"] == [
        ("dwell", [("100 %", "+1.25"), ("40 %", "−1.00")]),
        ("acid", [("—", "—"), ("60 %", "—")]),
    ]
    read(report_html(campaign.events))
