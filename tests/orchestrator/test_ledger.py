from __future__ import annotations

import math
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import text

from orchestrator import ledger as ledger_module
from orchestrator.database import LedgerGone, writing
from orchestrator.errors import PolyloopError, Refused
from orchestrator.ledger import Ledger
from tests.postgres import PostgreSql, postgresql

SERVER = [pytest.mark.slow, pytest.mark.timeout(300)]
ON_EACH = ["sqlite", pytest.param("postgresql", marks=SERVER)]
HOUSE = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSql]:
    with postgresql() as running:
        yield running


@pytest.fixture(params=ON_EACH)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    server: PostgreSql = request.getfixturevalue("server")
    server.sql("DROP TABLE IF EXISTS events")
    return server.url


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    ledger = Ledger(url)
    yield ledger
    ledger.close()


def test_events_come_back_in_order_with_what_was_said(ledger: Ledger) -> None:
    first = ledger.append("c", "campaign.started", data={"seed": 1})
    second = ledger.append("c", "trial.failed", trial="t001", data={"reason": "µ\0"})
    ledger.append("d" * 100, "campaign.started", data={})
    assert ledger.events("c") == [first, second]
    assert ledger.events("c", after=first.seq) == [second]
    assert ledger.campaigns() == ["c", "d" * 100]
    assert ledger.find(None) == "d" * 100


def test_a_value_that_is_no_number_comes_back(ledger: Ledger) -> None:
    ledger.append("c", "observation", data={"value": math.nan, "std": math.inf})
    (event,) = ledger.events("c")
    assert math.isnan(event.data["value"])
    assert event.data["std"] == math.inf


def test_a_long_ledger_is_read_page_by_page(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "PAGE", 3)
    for length in (3, 4):
        while len(written := ledger.events("c")) < length:
            ledger.append("c", "measurement", data={"n": len(written)})
        assert [one.data["n"] for one in ledger.stream("c")] == list(range(length))
        after = list(ledger.stream("c", after=written[0].seq))
        assert [one.data["n"] for one in after] == list(range(1, length))


def test_a_writer_waits_until_the_event_before_can_be_read(ledger: Ledger) -> None:
    insert = "INSERT INTO events (campaign, at, kind, trial, data) VALUES "
    with ThreadPoolExecutor(1) as pool:
        with writing(ledger._engine, "ledger of c") as connection:
            connection.execute(text(insert + "('c', 0, 'first', '', '{}')"))
            later = pool.submit(ledger.append, "c", "second", data={})
            threading.Event().wait(0.3)
            assert not later.done()
            assert ledger.events("c") == []
        later.result()
    assert [event.kind for event in ledger.events("c")] == ["first", "second"]


WRITER = """
import sys, time
from orchestrator.ledger import Ledger
ledger = Ledger(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for n in range(int(sys.argv[3])):
    ledger.append("c", "measurement", data={"writer": sys.argv[2], "n": n})
    time.sleep(0.001)  # SQLite gives nobody a turn whom its user leaves none
"""


def start_writers(url: str, names: str, count: int) -> list[subprocess.Popen[str]]:
    """Start processes that append; none begins before all are ready."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, url, name, str(count)],
            cwd=HOUSE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    for pipe in [writer.stdout for writer in writers]:
        assert pipe is not None
        assert pipe.readline() == "ready\n"
        pipe.close()
    for pipe in [writer.stdin for writer in writers]:
        assert pipe is not None
        pipe.write("go\n")
        pipe.close()
    return writers


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_reader_misses_no_event_of_two_writers(url: str, ledger: Ledger) -> None:
    count = 500
    writers = start_writers(url, "ab", count)
    seen: list[Any] = []
    over = False
    while not over:
        over = all(writer.poll() is not None for writer in writers)
        seen += ledger.events("c", after=seen[-1].seq if seen else 0)
    assert [writer.wait() for writer in writers] == [0, 0]
    assert seen == ledger.events("c")
    for name in "ab":
        told = [event.data["n"] for event in seen if event.data["writer"] == name]
        assert told == list(range(count))
    names = [event.data["writer"] for event in seen]
    assert sum(a != b for a, b in pairwise(names)) > 2  # they did take turns


def test_an_append_whose_answer_was_lost_is_in_the_ledger_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialect = ledger._engine.dialect
    commit, lost = dialect.do_commit, [True, True, False]

    def committed_and_lost(connection: Any) -> None:
        commit(connection)
        if lost.pop(0):
            assert dialect.loaded_dbapi is not None
            raise dialect.loaded_dbapi.OperationalError("the connection was lost")

    monkeypatch.setattr(dialect, "do_commit", committed_and_lost)
    event = ledger.append("c", "campaign.started", data={"seed": 1})
    assert lost == []
    assert ledger.events("c") == [event]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_server_that_crashes_in_mid_append_loses_and_doubles_nothing(
    server: PostgreSql,
) -> None:
    server.sql("DROP TABLE IF EXISTS events")
    ledger = Ledger(server.url)
    count = 600
    (writer,) = start_writers(server.url, "a", count)
    for part in range(1, 4):
        while len(ledger.events("c")) < part * count // 5:
            assert writer.poll() in (None, 0)
        server.stop()
        server.start()
    assert writer.wait() == 0
    events = ledger.events("c")
    assert [event.data["n"] for event in events] == list(range(count))
    ledger.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_server_that_stays_away_is_a_message(server: PostgreSql) -> None:
    url = server.url.replace("polyloop@", "polyloop:secret@")
    ledger = Ledger(url, patience=0.3)
    event = ledger.append("stays", "campaign.started", data={})
    server.stop()
    try:
        with pytest.raises(LedgerGone) as gone:
            ledger.append("stays", "campaign.paused", data={})
        with pytest.raises(LedgerGone):
            ledger.events("stays")
        with pytest.raises(Refused, match="cannot be used as a ledger"):
            Ledger(url)
    finally:
        server.start()
    message = str(gone.value)
    assert f"polyloop@127.0.0.1:{server.port}/postgres: the ledger" in message
    assert "has not answered for 0.3 s" in message
    assert "secret" not in message
    assert ledger.events("stays") == [event]
    ledger.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_commit_of_postgresql_is_on_disk(server: PostgreSql) -> None:
    server.sql("ALTER DATABASE postgres SET synchronous_commit = off")
    ledger = Ledger(server.url)
    with ledger._engine.connect() as connection:
        found = connection.execute(text("SHOW synchronous_commit")).scalar()
    ledger.close()
    server.sql("ALTER DATABASE postgres RESET synchronous_commit")
    assert found == "on"
    server.stop()
    server.start("fsync=off")
    try:
        with pytest.raises(Refused, match="fsync is off"):
            Ledger(server.url)
    finally:
        server.stop()
        server.start()


def test_a_ledger_that_is_broken_is_a_message(ledger: Ledger) -> None:
    with ledger._engine.begin() as connection:
        connection.execute(text("ALTER TABLE events RENAME COLUMN at TO moment"))
    try:
        with pytest.raises(PolyloopError, match=r"ledger (fails|has not answered)"):
            ledger.events("c", patience=0.0)
    finally:
        with ledger._engine.begin() as connection:
            connection.execute(text("DROP TABLE events"))


def test_what_is_asked_often_is_found_by_an_index(tmp_path: Path) -> None:
    ledger = Ledger.at(tmp_path)
    asked: list[tuple[str, Any]] = []
    with sqlite3.connect(tmp_path / "ledger.db") as plain:
        sqlalchemy_event.listen(
            ledger._engine,
            "before_cursor_execute",
            lambda _c, _cursor, query, values, *_rest: asked.append((query, values)),
        )
        ledger.campaigns()
        ledger.events("c", after=7)
        plans = [
            str(plain.execute(f"EXPLAIN QUERY PLAN {query}", values).fetchall())
            for query, values in asked
        ]
    plain.close()
    assert "ix_events_started" in plans[0]
    assert "ix_events_of_campaign (campaign=? AND seq>?)" in plans[1]
    assert "TEMP B-TREE" not in "".join(plans)


def test_a_ledger_of_the_version_before_goes_on(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "ledger.db") as old:
        old.executescript(
            """
            CREATE TABLE events (seq INTEGER NOT NULL, campaign VARCHAR(64) NOT NULL,
              at FLOAT NOT NULL, kind VARCHAR(32) NOT NULL, trial VARCHAR(16) NOT NULL,
              data JSON NOT NULL, PRIMARY KEY (seq));
            CREATE INDEX ix_events_campaign ON events (campaign);
            INSERT INTO events VALUES (1, 'c', 0.5, 'campaign.started', '', '{"a": 1}');
            INSERT INTO events VALUES (2, 'c', 0.5, 'campaign.paused', '', '{}');
            """
        )
    old.close()
    with ThreadPoolExecutor(4) as pool:
        ledgers = list(pool.map(lambda _: Ledger.of(tmp_path), range(4)))
    new = ledgers[0].append("c", "campaign.resumed", data={})
    assert [event.seq for event in ledgers[1].events("c")] == [1, 2, new.seq]
    assert ledgers[2].events("c")[0].data == {"a": 1}
    assert ledgers[3].campaigns() == ["c"]


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
