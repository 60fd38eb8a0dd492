from __future__ import annotations

import csv
import dataclasses
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from orchestrator.benches import cli, fault_table, faults
from orchestrator.benches.accounting import account
from orchestrator.benches.cells import (
    AWAY,
    COMMANDS,
    FOLDER,
    KINDS,
    WIRE,
    Cell,
    can_have,
    cells,
)
from orchestrator.benches.faults import Settings
from orchestrator.benches.judging import (
    TRACEBACK,
    End,
    Known,
    Outcome,
    fired,
    judge,
    samples_lost,
    told_of,
    tracebacks,
    unsafe,
)
from orchestrator.errors import CampaignFailed, PolyloopError, Refused
from sims import faults as sim_faults
from sims.bench import Bench
from tests.orchestrator.benches.journals import Book

ROOT = Path(__file__).parents[3]
CAMPAIGN = ROOT / "lab_configs" / "pedot_pss" / "campaign.yaml"
LABS = [ROOT / "lab_configs" / name for name in ("sim_bench", "ion_conductor")]
PUMP = Cell("cavro_pump", "pump", "drop", "reply", r"A\d+R", 2)
HUNG = dataclasses.replace(PUMP, kind="busy", side="")


def drivers(lab: Path) -> dict[str, str]:
    instruments = yaml.safe_load((lab / "lab.yaml").read_text())["instruments"]
    return {name: one["driver"] for name, one in instruments.items()}


@pytest.fixture(params=LABS, ids=lambda lab: lab.name)
def lab(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def bench(lab: Path, tmp_path: Path) -> Bench:
    return Bench(yaml.safe_load((lab / "bench.yaml").read_text()), tmp_path)


# -- the cells -----------------------------------------------------------------------


def test_a_driver_can_have_what_its_simulated_instrument_can(
    lab: Path, bench: Bench
) -> None:
    assert set(KINDS) == set(sim_faults.KINDS)
    assert set(WIRE) == sim_faults.SIDED
    assert set(AWAY) == sim_faults.TIMED
    for name, panel in bench.instruments.items():
        possible = {kind for kind in KINDS if can_have(drivers(lab)[name], kind)}
        sim = sim_faults.applicable(type(panel))
        if name == "pump":  # our driver speaks in frames without a checksum
            sim -= {"wrong_checksum"}
        assert possible == sim, name


def test_a_bench_accepts_the_rule_of_every_cell(lab: Path, bench: Bench) -> None:
    every = cells(drivers(lab), KINDS, 1, thorough=True)
    rules = sim_faults.read_rules([c.rule(400.0) for c in every], "", bench.instruments)
    assert [(r.instrument, r.kind, r.after) for r in rules] == [
        (c.instrument, c.kind, c.after) for c in every
    ]
    for cell, rule in zip(every, rules, strict=True):
        if cell.kind in AWAY and cell.driver != FOLDER:
            assert rule.seconds == AWAY[cell.kind] * 400.0


def test_every_driver_meets_every_kind_that_it_can(lab: Path) -> None:
    every = cells(drivers(lab), KINDS, 1)
    met = {(one.driver, one.kind) for one in every}
    assert met == {
        (driver, kind)
        for driver in drivers(lab).values()
        for kind in KINDS
        if can_have(driver, kind)
    }
    assert {one.side for one in every if one.kind == "drop"} == {"command", "reply", ""}
    assert len(cells(drivers(lab), KINDS, 1, thorough=True)) > len(every)
    assert cells(drivers(lab), KINDS, 1) == every


def test_a_command_is_one_that_the_driver_sends(lab: Path) -> None:
    wire = "\n".join(path.read_text() for path in (ROOT / "tests/wire").glob("*.txt"))
    said = re.findall(r"^> (.*?)(?:\\[rn].*)?$", wire, re.MULTILINE)
    blocks = (text.partition(" *")[0].rpartition("*")[0] or text for text in said)
    # What a message of a relay says is its channel and its state.
    frames = (
        bytes.fromhex(text.replace("\\x", "")) for text in said if text[:4] == "\\xa0"
    )
    texts = {*said, *blocks, *(frame[1:3].hex() for frame in frames)}
    sources = "\n".join(
        path.read_text() for path in (ROOT / "instruments").glob("*.py")
    )
    for driver in drivers(lab).values():
        for command in COMMANDS[driver]:
            found = any(re.fullmatch(command.pattern, text) for text in texts)
            word = re.split(r"[\\\[( .]", command.pattern.lstrip(":"))[0]
            assert found or word in sources, command.pattern


# -- what breaks the rule ------------------------------------------------------------


def known(cell: Cell = PUMP, **facts: object) -> Known:
    fine = Known(
        cell=cell, ended=True, stops=(), events=(), troubles=(), fired=True, seconds=1.0
    )
    return dataclasses.replace(fine, **facts)  # type: ignore[arg-type]


def lose(count: int) -> Book:
    book = Book()
    for number in range(1, count + 1):
        sample = f"c/rack.{number}"
        book.event("sample.discarded", sample=sample, at="chuck", reason="half poured")
        book.event("trial.started", sample=f"c/rack.{number + 1}", home="rack.2")
    return book


def test_a_cell_that_keeps_the_rule() -> None:
    assert judge(known()).end is End.FINISHED
    stopped = known(stops=("station arm is out of service: pump: no answer",))
    assert judge(stopped).end is End.RESUMED
    lasting = dataclasses.replace(stopped, cell=HUNG, ended=False)
    assert judge(lasting).end is End.STOPPED
    once = judge(known(events=lose(1).events))
    assert (once.end, once.lost, once.message) == (End.FINISHED, 1, "half poured")


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"fired": False}, "the fault never happened"),
        ({"ended": False}, "its trial did not end: no word"),
        ({"ended": False, "stops": ("pump: dead",)}, "its trial did not end: pump"),
        ({"stops": ("something is out",)}, "stopped without naming pump"),
        ({"events": lose(2).events}, "2 samples lost"),
        ({"troubles": ("hung: nothing happened for 120 s",)}, "hung"),
        ({"troubles": ("not safe: pump: heater on",)}, "not safe"),
    ],
)
def test_a_cell_that_breaks_it(facts: dict[str, object], text: str) -> None:
    outcome = judge(known(**facts))
    assert outcome.end is End.BROKEN
    (broken,) = outcome.broken
    assert broken.startswith(text)
    assert outcome.safe is ("safe" not in text)


def test_a_fault_that_a_bad_film_kept_from_happening_is_no_answer() -> None:
    assert judge(known(fired=False, events=lose(1).events)).unmet
    assert not judge(known(fired=False)).unmet
    assert not judge(known(events=lose(1).events)).unmet


def test_a_lasting_fault_must_still_say_what_stopped_the_campaign() -> None:
    assert judge(known(HUNG, ended=False)).end is End.BROKEN


def test_a_sample_that_is_discarded_and_fails_is_lost_once() -> None:
    book = Book()
    book.event("sample.discarded", sample="c/rack.1", at="chuck", reason="spilt")
    book.event("trial.failed", reason="spilt; the rack has no bare substrate left")
    assert samples_lost(book.events) == 1
    assert samples_lost(lose(2).events) == 2
    assert samples_lost(Book().events) == 0


@pytest.mark.parametrize(
    ("instrument", "begins", "ends", "text"),
    [
        ("anneal_plate", "heater on", "heater off", "anneal_plate: heater on"),
        ("spin_coater", "spinning", "rest", "spin_coater: chuck turns"),
        ("source_meter", "output on", "output off", "source_meter: output on"),
    ],
)
def test_what_goes_on_at_the_end_is_not_safe(
    instrument: str, begins: str, ends: str, text: str
) -> None:
    book = Book()
    book.line(instrument, begins)
    assert unsafe(book.evidence.lines) == [text]
    book.line(instrument, ends)
    assert unsafe(book.evidence.lines) == []


def test_a_fault_counts_for_the_cell_in_which_it_happened() -> None:
    book = Book()
    since = book.events[-1].seq
    book.line("pump", "fault", kind="drop", side="reply")
    book.now += 1.0
    book.event("trial.started", "t002", sample="c/rack.2", home="rack.2")
    until = book.events[-1].seq
    assert fired(book.evidence, since, until, PUMP)
    assert not fired(book.evidence, until, float("inf"), PUMP)
    assert not fired(book.evidence, since, until, HUNG)
    other = dataclasses.replace(PUMP, side="command")
    assert not fired(book.evidence, since, until, other)


def test_a_finding_is_told_of_its_own_trial() -> None:
    book = Book()
    book.event("trial.started", "t002", sample="c/rack.2", home="rack.2")
    book.line("gantry", "dropped", sample="rack.2", slot="chuck")
    found = account(book.evidence)
    assert any("dropped" in str(one) for one in found)
    told = told_of(found, "t002", book.evidence, first=False)
    assert any("dropped" in one for one in told)
    assert not any(
        "dropped" in one for one in told_of(found, "t001", book.evidence, first=True)
    )


def test_a_traceback_is_found_by_its_last_line() -> None:
    text = f"""before
{TRACEBACK}:
  File "x.py", line 1, in <module>
    1 / 0
ZeroDivisionError: division by zero
after
"""
    assert tracebacks(text) == ["ZeroDivisionError: division by zero"]
    assert tracebacks("all is well") == []


# -- campaigns that do not go through with it --------------------------------------


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., object]:
    """Return what tries two cells in campaigns that come so far, one after the other."""

    def tries(*comes_to: list[Outcome] | PolyloopError) -> list[Outcome]:
        left = list(comes_to)

        def campaign(*_: object) -> list[Outcome]:
            one = left.pop(0)
            if isinstance(one, PolyloopError):
                raise one
            return one

        monkeypatch.setattr(faults, "_campaign", campaign)
        settings = Settings(CAMPAIGN, (), 1, 400.0, 1, tmp_path)
        said: list[str] = []
        stop = threading.Event()
        found = faults._campaigns(settings, "pump", [HUNG, PUMP], "", stop, said.append)
        assert not left
        assert len(said) == len(found)
        return found

    return tries


def test_what_a_campaign_did_not_come_to_is_tried_in_another(
    attempts: Callable[..., list[Outcome]],
) -> None:
    quiet, dead, mended = (judge(known(one)) for one in (Cell(), PUMP, HUNG))
    assert attempts([quiet, dead], [quiet, mended]) == [dead, mended]
    assert attempts([quiet, dead, mended]) == [dead, mended]


@pytest.mark.parametrize(
    "trouble",
    [
        CampaignFailed("no power"),
        [judge(known(Cell(), troubles=("no power",)))],
    ],
)
def test_cells_that_no_campaign_comes_to_are_broken(
    attempts: Callable[..., list[Outcome]], trouble: object
) -> None:
    found = attempts(trouble)
    assert [one.cell for one in found] == [PUMP, HUNG]  # what lasts comes last
    assert all("no power" in one.message and one.broken for one in found)


# -- the table -----------------------------------------------------------------------


def outcome(end: End, *broken: str) -> Outcome:
    return Outcome(
        PUMP, end, 1, 0, safe=True, message="a | b", seconds=9.0, broken=broken
    )


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> Callable[[Outcome], list[Settings]]:
    """Return what makes the bench come to an outcome, and tells what it was asked for."""
    asked: list[Settings] = []

    def comes_to(one: Outcome) -> list[Settings]:
        def bench(settings: Settings, _say: object) -> list[Outcome]:
            asked.append(settings)
            return [one]

        monkeypatch.setattr("orchestrator.benches.faults.faults", bench)
        return asked

    return comes_to


def test_the_table_is_written_and_a_broken_cell_ends_with_1(
    tried: Callable[[Outcome], list[Settings]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = tmp_path / "table.csv"
    asked = tried(outcome(End.FINISHED))
    cli.faults(kinds="drop", instruments="pump", campaign=CAMPAIGN, to=table)
    assert {(c.instrument, c.kind) for c in asked[0].cells} == {("pump", "drop")}
    (row,) = csv.DictReader(table.read_text().splitlines())
    assert (row["kind"], row["campaign"], row["safe"]) == ("drop", "finished", "yes")
    tried(outcome(End.BROKEN, "2 samples lost"))
    table = tmp_path / "table.md"
    with pytest.raises(CampaignFailed, match="1 of 1 cells"):
        cli.faults(kinds="drop", instruments="pump", campaign=CAMPAIGN, to=table)
    assert "2 samples lost" in capsys.readouterr().out
    assert "| 2 samples lost |" in table.read_text()


def test_a_bar_in_a_message_does_not_end_a_column(tmp_path: Path) -> None:
    fault_table.write([outcome(End.FINISHED)], path := tmp_path / "table.md")
    assert path.read_text().splitlines()[-1].endswith(r"| a \| b |")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"kinds": "drop,crash"}, "--kinds: 'crash' is not one of drop, delay"),
        ({"instruments": "oven"}, "--instruments: 'oven' is not one of gantry"),
        ({"to": Path("table.pdf")}, "must end in .md or .csv"),
    ],
)
def test_what_there_is_not_is_refused(options: dict[str, object], text: str) -> None:
    with pytest.raises(Refused, match=re.escape(text)):
        cli.faults(campaign=CAMPAIGN, **options)  # type: ignore[arg-type]
