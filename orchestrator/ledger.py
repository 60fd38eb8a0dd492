"""The append-only record of campaigns; the state of a campaign is what it says.

One table, one row an event, never changed and never removed. SQLite in WAL mode with
full sync by default, any other SQLAlchemy URL (PostgreSQL) by the same code: an event
is on disk before `append` returns.

==================== =============================================================
kind                 data
==================== =============================================================
campaign.started     name, configuration as read, seed, bench held by others, space, objectives
candidate.proposed   candidate, id, card, seed, observed and pending trials
trial.started        sample, home (the rack slot it was born in); again after a discard
recipe.compiled      the whole recipe
step.intended        action, step, operation, station, slot, sample, parameters
step.done            action, step, station, run_uid, started, ended, lab_seconds
step.failed          action, step, station, reason
step.repeated        step, reason: measured again; doubted: false if it was only cut short
sample.found         sample, at: where a stopped transfer had left it
sample.discarded     sample, at, reason: its trial starts again on a new one
measurement          one measurement, sample
observation          candidate, estimates
trial.failed         reason
campaign.paused      reason
campaign.resumed     speed, bench
campaign.ended       reason, good (reached its end: true or false)
==================== =============================================================
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    select,
)
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DatabaseError
from sqlalchemy.schema import CreateIndex, CreateTable

from orchestrator.errors import Refused

_metadata = MetaData()
_events = Table(
    "events",
    _metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("campaign", String(64), nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("trial", String(16), nullable=False),
    Column("data", JSON, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: order, campaign, Unix time in s, kind, trial, facts."""

    seq: int
    campaign: str
    at: float
    kind: str
    trial: str
    data: Mapping[str, Any]


def durable_engine(url: str) -> Engine:
    """Return an engine whose commits survive a power cut (SQLite: WAL, full sync)."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _on_connect(connection: Any, _record: Any) -> None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute("PRAGMA busy_timeout=10000")
            cursor.close()

    return engine


def make_tables(engine: Engine, tables: MetaData) -> None:
    """Make the tables that are not there; another process may be doing the same."""
    with engine.begin() as connection:
        for table in tables.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                connection.execute(CreateIndex(index, if_not_exists=True))


class Ledger:
    """Append events and read them back in order; safe from several processes."""

    def __init__(self, url: str) -> None:
        self._engine = durable_engine(url)
        try:
            make_tables(self._engine, _metadata)
        except DatabaseError as error:
            raise Refused(f"{url}: cannot be used as a ledger: {error.orig}") from error

    @classmethod
    def at(cls, data: Path) -> Ledger:
        """Open the ledger of a data directory, making it when there is none."""
        try:
            data.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Refused(f"{data}: cannot be made: {error.strerror}") from error
        return cls(f"sqlite:///{data / 'ledger.db'}")

    @classmethod
    def of(cls, data: Path) -> Ledger:
        """Open the ledger that a data directory already has."""
        if not (data / "ledger.db").is_file():
            raise Refused(f"{data}: no ledger here; name the directory with --data")
        return cls.at(data)

    def append(
        self, campaign: str, kind: str, *, trial: str = "", data: Mapping[str, Any]
    ) -> Event:
        """Append one event; it is on disk when this returns."""
        row: dict[str, Any] = {
            "campaign": campaign,
            "at": time.time(),
            "kind": kind,
            "trial": trial,
            "data": dict(data),
        }
        with self._engine.begin() as connection:
            key = connection.execute(insert(_events).values(**row)).inserted_primary_key
        assert key is not None  # noqa: S101 - an insert into a table with a key has one
        return Event(seq=key[0], **row)

    def events(self, campaign: str, *, after: int = 0) -> list[Event]:
        """Return the events of a campaign in order, those after ``after`` only."""
        query = (
            select(_events)
            .where(_events.c.campaign == campaign, _events.c.seq > after)
            .order_by(_events.c.seq)
        )
        with self._engine.connect() as connection:
            return [Event(*row) for row in connection.execute(query)]

    def campaigns(self) -> list[str]:
        """Return the ids of all campaigns, the oldest first."""
        query = (
            select(_events.c.campaign)
            .where(_events.c.kind == "campaign.started")
            .order_by(_events.c.seq)
        )
        with self._engine.connect() as connection:
            return [row[0] for row in connection.execute(query)]

    def find(self, campaign: str | None) -> str:
        """Return a campaign's id: the one named, or the latest."""
        known = self.campaigns()
        if campaign is None and known:
            return known[-1]
        if campaign not in known:
            raise Refused(
                f"campaign {campaign}: not in this ledger, which holds "
                f"{', '.join(known) or 'none'}"
            )
        return campaign

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()
