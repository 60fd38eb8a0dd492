"""The act ledger of one station service: what was intended, sent, done or failed.

An act is written *before* the first byte goes out and again when it has ended, each
time with full sync, so that after any crash the service knows which acts may have
happened. An action id is answered once it is known, and never carried out twice.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Column, Float, MetaData, String, Table, insert, select
from sqlalchemy import update as sql_update

from orchestrator.ledger import durable_engine, make_tables

_metadata = MetaData()
_acts = Table(
    "acts",
    _metadata,
    Column("action", String(96), primary_key=True),
    Column("owner", String(64), nullable=False, index=True),
    Column("station", String(64), nullable=False),
    Column("operation", String(64), nullable=False),
    Column("step", String(64), nullable=False),
    Column("sample", String(64), nullable=False),
    Column("trial", String(16), nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("run_uid", String(64), nullable=False),
    Column("reason", String, nullable=False),
    Column("events", Float, nullable=False),
    Column("lab_seconds", Float, nullable=False),
    Column("intended", Float, nullable=False),
    Column("sent", Float),
    Column("ended", Float),
)


class ActState(StrEnum):
    """How far an act has come; aborted: somebody stopped it, nothing was wrong."""

    INTENDED = "intended"
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class ActRecord:
    """One act; times are Unix seconds, ``lab_seconds`` how long it took in the lab.

    ``events`` counts the readings its run recorded: for an act that was interrupted,
    how far it had come.
    """

    action: str
    owner: str
    station: str
    operation: str
    step: str
    sample: str
    trial: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    state: ActState = ActState.INTENDED
    run_uid: str = ""
    reason: str = ""
    events: int = 0
    lab_seconds: float = 0.0
    intended: float = 0.0
    sent: float | None = None
    ended: float | None = None

    @property
    def over(self) -> bool:
        """Whether the act has ended, well or badly."""
        return self.state not in (ActState.INTENDED, ActState.SENT)


class ActLedger:
    """The acts of one station service, durable before each answer."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = durable_engine(f"sqlite:///{path}")
        make_tables(self._engine, _metadata)

    def intend(self, act: ActRecord) -> ActRecord:
        """Write an act down before anything is done about it."""
        act = dataclasses.replace(act, intended=time.time())
        with self._engine.begin() as connection:
            connection.execute(insert(_acts).values(**dataclasses.asdict(act)))
        return act

    def update(self, act: ActRecord, **changes: Any) -> ActRecord:
        """Write down how an act went on."""
        with self._engine.begin() as connection:
            connection.execute(
                sql_update(_acts).where(_acts.c.action == act.action).values(**changes)
            )
        return dataclasses.replace(act, **changes)

    def find(self, action: str) -> ActRecord | None:
        """Return the act of that id, or None when it was never intended."""
        query = select(_acts).where(_acts.c.action == action)
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else _record(dict(row))

    def all(self) -> list[ActRecord]:
        """Return every act, in the order in which they were intended."""
        query = select(_acts).order_by(_acts.c.intended)
        with self._engine.connect() as connection:
            return [_record(dict(row)) for row in connection.execute(query).mappings()]

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


def _record(row: Mapping[str, Any]) -> ActRecord:
    values = {**row, "state": ActState(row["state"]), "events": int(row["events"])}
    return ActRecord(**values)
