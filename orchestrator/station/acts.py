"""The act ledger of one station service: what was intended, sent, done or failed.

An act is written *before* the first byte goes out and again when it has ended, each
time with full sync, so that after any crash the service knows which acts may have
happened. An action id is answered once it is known, and never carried out twice.

::

    intended ─▶ sent ─▶ acknowledged ─▶ done        it reached its end
        │         │          │        ├▶ failed     an instrument, a cable or a limit said no
        │         └──────────┴────────┼▶ aborted    somebody stopped it
        └─────────────────────────────┴▶ lost       nobody saw its end: the service died

What became of the sample of an act that is not done is its *verdict*
(`instruments.plans.evidence`).
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

from instruments.plans.evidence import Outcome, Verdict
from orchestrator.database import durable_engine, make_tables

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
    Column("acknowledged", Float),
    Column("fault", String(16)),
    Column("verdict", JSON),
)


class ActState(StrEnum):
    """How far an act has come (see the module)."""

    INTENDED = "intended"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    DONE = "done"
    FAILED = "failed"
    ABORTED = "aborted"
    LOST = "lost"


UNDER_WAY = (ActState.INTENDED, ActState.SENT, ActState.ACKNOWLEDGED)


class FaultClass(StrEnum):
    """Why an act failed, by what is to be done about it.

    rejected: a bad recipe or a bug, the same would be refused again. link: the cable,
    what the instrument did is asked of it. fault: hardware in trouble, or an instrument
    that cannot be prepared: the station goes out of service. other: a bug.
    """

    REJECTED = "rejected"
    LINK = "link"
    FAULT = "fault"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ActRecord:
    """One act; times are Unix seconds, ``lab_seconds`` how long it took in the lab.

    ``events`` counts the readings its run recorded; ``fault`` says why it failed,
    ``verdict`` what became of its sample where it is not done.
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
    acknowledged: float | None = None
    fault: FaultClass | None = None
    verdict: Verdict | None = None

    @property
    def over(self) -> bool:
        """Whether the act has ended, well or badly."""
        return self.state not in UNDER_WAY

    @property
    def begun(self) -> bool:
        """Whether anything can have reached an instrument."""
        return self.sent is not None


class ActLedger:
    """The acts of one station service, durable before each answer."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = durable_engine(f"sqlite:///{path}")
        self._unsynced = durable_engine(f"sqlite:///{path}", sync="NORMAL")
        make_tables(self._engine, _metadata)

    def intend(self, act: ActRecord) -> ActRecord:
        """Write an act down before anything is done about it."""
        act = dataclasses.replace(act, intended=time.time())
        with self._engine.begin() as connection:
            connection.execute(insert(_acts).values(**dataclasses.asdict(act)))
        return act

    def update(self, act: ActRecord, **changes: Any) -> ActRecord:
        """Write down how an act went on."""
        plain = dict(changes)
        if isinstance(verdict := plain.get("verdict"), Verdict):
            plain["verdict"] = dataclasses.asdict(verdict)
        with self._engine.begin() as connection:
            connection.execute(
                sql_update(_acts).where(_acts.c.action == act.action).values(**plain)
            )
        return dataclasses.replace(act, **changes)

    def find(self, action: str) -> ActRecord | None:
        """Return the act of that id, or None when it was never intended."""
        query = select(_acts).where(_acts.c.action == action)
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else act_of(dict(row))

    def note(self, act: ActRecord, **changes: Any) -> ActRecord:
        """Write down what no resume depends on: safe against a crash, not a power cut.

        It saves the sync, which takes longer than the rest of a short act.
        """
        with self._unsynced.begin() as connection:
            connection.execute(
                sql_update(_acts).where(_acts.c.action == act.action).values(**changes)
            )
        return dataclasses.replace(act, **changes)

    def unfinished(self) -> list[ActRecord]:
        """Return the acts whose end is not recorded, in the order they were intended."""
        query = (
            select(_acts).where(_acts.c.state.in_(UNDER_WAY)).order_by(_acts.c.intended)
        )
        with self._engine.connect() as connection:
            return [act_of(dict(row)) for row in connection.execute(query).mappings()]

    def all(self) -> list[ActRecord]:
        """Return every act, in the order in which they were intended."""
        query = select(_acts).order_by(_acts.c.intended)
        with self._engine.connect() as connection:
            return [act_of(dict(row)) for row in connection.execute(query).mappings()]

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()
        self._unsynced.dispose()


def act_of(values: Mapping[str, Any]) -> ActRecord:
    """Return an act from the plain values in which it is stored and sent."""
    fault, verdict = values.get("fault"), values.get("verdict")
    if verdict is not None:
        verdict = Verdict(**{**verdict, "outcome": Outcome(verdict["outcome"])})
    return ActRecord(
        **{
            **values,
            "state": ActState(values["state"]),
            "events": int(values["events"]),
            "fault": None if fault is None else FaultClass(fault),
            "verdict": verdict,
        }
    )
