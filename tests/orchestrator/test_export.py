"""Exports: every number with its unit, nothing lost, nothing run as a formula."""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import Refused
from orchestrator.ledger import Event
from orchestrator.reporting.export import export
from orchestrator.reporting.history import read_history
from orchestrator.reporting.report import write_report
from tests.orchestrator.fake_campaign import FakeCampaign, fake_campaign

FATES = {2: "failed", 3: "nan"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def events(data: Path) -> Iterator[list[Event]]:
    return fake_campaign(4, fates=FATES, journal=data / "station" / "journal")


def test_every_number_in_the_csv_has_its_unit_in_the_header(
    events: list[Event], data: Path
) -> None:
    path = export(events, data, data / "out.csv")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == ["t001", "t002", "t003", "t004"]
    assert {"dwell [s]", "acid_concentration [mol/L]", "conductivity [S/cm]",
            "conductivity std [S/cm]", "sheet_resistance [ohm]"} <= set(rows[0])  # fmt: skip
    assert float(rows[0]["dwell [s]"]) == events[1].data["candidate"]["dwell"]
    assert rows[1]["status"] == "failed"
    assert "axis error" in rows[1]["reason of failure"]
    assert rows[2]["conductivity [S/cm]"] == ""


def test_the_workbook_has_a_sheet_for_each_kind_of_row(
    events: list[Event], data: Path
) -> None:
    from openpyxl import load_workbook

    path = export(events, data, data / "out.xlsx")
    with path.open("rb") as file:
        book = load_workbook(file)
    assert book.sheetnames == ["trials", "measurements", "readings", "steps", "about"]
    headers = [cell.value for cell in book["readings"][1]]
    first = dict(
        zip(headers, [cell.value for cell in book["readings"][2]], strict=True)
    )
    assert first["signal"] == "source_meter_voltage"
    assert first["value"] == 1.25e-3
    assert first["unit"] == "V"
    done = sum(event.kind == "step.done" for event in events)
    assert book["readings"].max_row == 1 + 6 * done
    assert book["steps"].max_row == 1 + done + 1  # and the one that failed


def test_a_text_that_looks_like_a_formula_stays_a_text(data: Path) -> None:
    from openpyxl import load_workbook

    campaign = FakeCampaign()
    campaign.trial(1, "in flight")
    campaign.add("trial.failed", "t001", reason="=1+1")
    campaign.events[:] = [one for one in campaign.events if "run_uid" not in one.data]
    path = export(campaign.events, data, data / "out.xlsx")
    with path.open("rb") as file:
        cells = {
            cell.value: cell.data_type for cell in load_workbook(file)["trials"][2]
        }
    assert cells["=1+1"] == "s"


def test_the_json_holds_every_event_and_no_nan(events: list[Event], data: Path) -> None:
    path = export(events, data, data / "out.json")

    def refuse(text: str) -> None:
        raise AssertionError(text)

    content = json.loads(path.read_text(), parse_constant=refuse)
    assert content["schema"] == "polyloop.campaign/1"
    assert [one["seq"] for one in content["events"]] == [one.seq for one in events]
    run = next(iter(content["runs"].values()))
    assert run["streams"]["primary"]["units"]["source_meter_voltage"] == "V"
    assert run["streams"]["primary"]["columns"]["source_meter_voltage"][2] is None


@pytest.mark.parametrize("extension", ["csv", "xlsx", "json"])
def test_a_campaign_that_has_just_begun_can_be_exported(
    data: Path, extension: str
) -> None:
    path = data / f"out.{extension}"
    path.write_text("what was there before")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert export(fake_campaign(0), data, path) == path
    assert path.read_bytes() != b"what was there before"
    assert [one.name for one in data.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["out.txt", "out", "nowhere/out.csv"])
def test_a_file_that_cannot_be_is_refused(data: Path, name: str) -> None:
    with pytest.raises(Refused, match="--to"):
        export(fake_campaign(0), data, data / name)
    assert list(data.iterdir()) == []


def test_a_report_shows_what_the_instruments_read_on_the_best_film(
    events: list[Event], data: Path
) -> None:
    html = write_report(events, data).read_text()
    assert "source_meter_voltage" in html
    assert "5 µV (-1.24 mV to 1.25 mV)" in html


def test_limits_the_best_and_who_suggested_a_trial_are_exported(data: Path) -> None:
    limits = [{"name": "transmittance", "unit": "1", "at_least": 0.87, "at_most": None}]
    campaign = FakeCampaign(limits=limits)
    for number in range(1, 7):
        campaign.trial(number)
    values = dict(campaign.events[1].data["candidate"])
    who = {"who": "ada", "note": "=again", "suggestion": "s1"}
    campaign.add("candidate.suggested", candidate=values, **who)
    campaign.add("candidate.proposed", "t007", candidate=values, by="person", **who)
    history = read_history(campaign.events)
    with export(campaign.events, data, data / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["by"] for row in rows] == ["planner"] * 6 + ["person"]
    assert (rows[6]["who"], rows[6]["note"]) == ("ada", "=again")
    (best,) = history.front()
    assert [row["trial"] for row in rows if row["best"] == "True"] == [best.id]
    kept = [row["within limits"] for row in rows]
    assert kept == [str(history.within(one)) for one in history.trials[:6]] + [""]
    assert {"True", "False"} <= set(kept)
    content = json.loads(export(campaign.events, data, data / "out.json").read_text())
    assert content["limits"] == limits
    assert content["about"]["limits"] == "transmittance >= 0.87 [1]"
