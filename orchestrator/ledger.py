"""The append-only record of campaigns; the state of a campaign is what it says.

One table, one row an event, never changed and never removed, in SQLite or PostgreSQL
by the same code (`orchestrator.database`). An event is on disk before `append` returns,
and in the ledger once: its writer gives it a key, so that an append whose answer was
lost on the way is recognised when it is repeated. Numbers of events grow in the order
of their commits, whoever writes: a reader of those ``after`` a number misses none.

===================== =============================================================
kind                  data
===================== =============================================================
campaign.started      name, configuration as read, seed, versions, bench (held by others),
                      space, objectives, limits
candidate.suggested   suggestion (its id), candidate, id, who, via, note
suggestion.withdrawn  suggestion, who, via, note
candidate.proposed    candidate, id, card, and the question: number of the proposal, n
                      asked for, seed, observed, pending and failed trials; or, of a
                      person's candidate: by (person), suggestion, who, note
trial.started         sample, home (the rack slot it was born in); again after a discard
recipe.compiled       the whole recipe
step.intended         action, step, operation, station, slot, sample, parameters
step.done             action, step, station, run_uid, started, ended, lab_seconds; where
                      nobody saw its end: reconciled (why it is known), seconds (its true
                      duration, in lab seconds)
step.failed           action, step, station, reason, fault (class), verdict
step.ran_on           step, seconds: what a timed step really lasted, beyond its own end
question.asked        question, action, sample, station, text
question.answered     question, answer (happened, did-not, discard), who, via, note
control               verb (pause, drain, resume, in_service, discard, stop, estop, clear),
                      subject (campaign, station, sample, lab), name, who, via, note
alert                 alert (overrun, silence, person), text, action
step.repeated         step, reason: measured again; doubted: false if it was only cut short
sample.found          sample, at: where a stopped transfer had left it
sample.discarded      sample, at, reason: its trial starts again on a new one
measurement           one measurement, sample
observation           candidate, estimates
trial.failed          reason
campaign.paused       reason
campaign.resumed      speed, versions, bench
campaign.ended        reason, good (reached its end: true or false)
===================== =============================================================
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    literal_column,
    select,
)
from sqlalchemy.engine import URL, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeDecorator

from orchestrator.database import (
    PATIENCE,
    durable_engine,
    ledger_url,
    make_tables,
    patiently,
    reason,
    shown,
    writing,
)
from orchestrator.errors import Refused

PAGE = 1000
"""Events read at a time; no transaction stays open between two pages."""


class _Json(TypeDecorator[Any]):
    """JSON as Python writes it: PostgreSQL's own type has no NaN."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return json.dumps(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return json.loads(value)


_metadata = MetaData()
_events = Table(
    "events",
    _metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("campaign", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("kind", String, nullable=False),
    Column("trial", String, nullable=False),
    Column("data", _Json, nullable=False),
    Column("key", String),  # none in ledgers that were begun before there were keys
)
# A literal: a partial index is found only by a query that says the same.
_started = _events.c.kind == literal_column("'campaign.started'")
Index("ix_events_of_campaign", _events.c.campaign, _events.c.seq)
Index("ix_events_key", _events.c.key, unique=True)
Index(
    "ix_events_started",
    _events.c.seq,
    sqlite_where=_started,
    postgresql_where=_started,
)
_facts = select(*(one for one in _events.c if one.name != "key"))


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: order, campaign, Unix time in s, kind, trial, facts."""

    seq: int
    campaign: str
    at: float
    kind: str
    trial: str
    data: Mapping[str, Any]


class Ledger:
    """Append events and read them back in order; safe from several processes.

    Parameters
    ----------
    url:
        Of the database.
    patience:
        Seconds for which a database that went away is asked again.
    """

    def __init__(self, url: str | URL, *, patience: float = PATIENCE) -> None:
        self.patience = patience
        try:
            self._engine = durable_engine(url)
        except ModuleNotFoundError as error:
            raise Refused(
                f"PostgreSQL needs {error.name}: pip install 'polyloop[postgres]'"
            ) from error
        try:
            make_tables(self._engine, _metadata)
        except DBAPIError as error:
            raise Refused(
                f"{shown(self._engine.url)}: cannot be used as a ledger: "
                f"{reason(error)}"
            ) from error

    @classmethod
    def at(cls, data: Path) -> Ledger:
        """Open the ledger of a data directory, making it when there is none."""
        try:
            data.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Refused(f"{data}: cannot be made: {error.strerror}") from error
        return cls(ledger_url(data, make=True))

    @classmethod
    def of(cls, data: Path, *, patience: float = PATIENCE) -> Ledger:
        """Open the ledger that a data directory already has."""
        return cls(ledger_url(data, make=False), patience=patience)

    def append(
        self, campaign: str, kind: str, *, trial: str = "", data: Mapping[str, Any]
    ) -> Event:
        """Append one event; it is on disk when this returns.

        Raises
        ------
        LedgerGone
            When the database stayed away; the event may be in the ledger or not.
        """
        row: dict[str, Any] = {
            "campaign": campaign,
            "at": time.time(),
            "kind": kind,
            "trial": trial,
            "data": dict(data),
        }
        key = uuid.uuid4().hex
        # Whoever repeats this waits for the first try to end, well or badly.
        known = select(_events.c.seq).where(_events.c.key == key)
        new = insert(_events).values(**row, key=key)

        def once() -> int:
            with writing(self._engine, f"ledger of {campaign}") as connection:
                seq: int | None = connection.execute(known).scalar()
                if seq is None:
                    (seq,) = connection.execute(new).inserted_primary_key or (0,)
            return seq

        return Event(seq=patiently(self._engine, once, self.patience), **row)

    def stream(
        self, campaign: str, *, after: int = 0, patience: float | None = None
    ) -> Iterator[Event]:
        """Yield the events of a campaign in order, those after ``after`` only."""
        page = (
            _facts.where(_events.c.campaign == campaign)
            .order_by(_events.c.seq)
            .limit(PAGE)
        )
        patience = self.patience if patience is None else patience
        while True:
            query = page.where(_events.c.seq > after)

            def read(query: Any = query) -> list[Event]:
                with self._engine.connect() as connection:
                    return [Event(*row) for row in connection.execute(query)]

            events = patiently(self._engine, read, patience)
            yield from events
            if len(events) < PAGE:
                return
            after = events[-1].seq

    def events(
        self, campaign: str, *, after: int = 0, patience: float | None = None
    ) -> list[Event]:
        """Return the events of a campaign in order, those after ``after`` only."""
        return list(self.stream(campaign, after=after, patience=patience))

    def campaigns(self) -> list[str]:
        """Return the ids of all campaigns, the oldest first."""
        query = select(_events.c.campaign).where(_started).order_by(_events.c.seq)

        def read() -> list[str]:
            with self._engine.connect() as connection:
                return [row[0] for row in connection.execute(query)]

        return patiently(self._engine, read, self.patience)

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
