"""A campaign of one sample, with the journals of its instruments, written by hand.

Each helper writes what an honest act leaves: a record of the station service, two events
of the ledger and the lines of the instruments. A test then makes one thing wrong.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from orchestrator.benches.story import Evidence, Line
from orchestrator.ledger import Event
from orchestrator.station.acts import ActRecord, ActState

CAMPAIGN = "c"
STATIONS = {
    "gantry": "arm",
    "pump": "arm",
    "spin_coater": "coater",
    "anneal_plate": "anneal",
    "source_meter": "probe",
    "switch_matrix": "probe",
    "profilometer": "profilometer",
    "power_meter": "optics",
    "balance": "balance",
    "chamber": "cell",
    "cell_meter": "cell",
}
Said = tuple[str, str, dict[str, Any]]
"""Instrument, event, facts."""


class Book:
    """Evidence that grows; a second passes from thing to thing, at lab speed 10."""

    def __init__(self, *, budget: int = 1) -> None:
        self.now = 100.0
        self.events: list[Event] = []
        self.acts: list[ActRecord] = []
        self.lines: list[Line] = []
        self.kept: dict[str, Mapping[str, Any]] = {}
        self.runs: dict[str, str] = {}
        self.at = "rack.1"
        self.event("campaign.started", "", trials=budget)
        self.event("candidate.proposed", "t001", candidate={"x": 1.0})
        self.event("trial.started", "t001", sample="c/rack.1", home="rack.1")

    @property
    def evidence(self) -> Evidence:
        return Evidence(
            CAMPAIGN,
            tuple(self.events),
            tuple(self.acts),
            tuple(sorted(self.lines, key=lambda line: line.wall)),
            STATIONS,
            10.0,
            self.kept,
            self.runs,
        )

    def event(self, kind: str, trial: str = "t001", **data: Any) -> None:
        self.events.append(
            Event(len(self.events) + 1, CAMPAIGN, self.now, kind, trial, data)
        )

    def line(self, instrument: str, event: str, **facts: Any) -> None:
        number = 1 + sum(one.instrument == instrument for one in self.lines)
        self.lines.append(Line(instrument, number, self.now, event, facts))

    def act(
        self,
        operation: str,
        step: str,
        station: str,
        slot: str,
        parameters: dict[str, Any],
        *said: Said,
        state: ActState = ActState.DONE,
        ledger: str = "step.done",
        lasts: float = 3.0,
    ) -> ActRecord:
        """Carry out an act that leaves ``said``; ``lasts`` real seconds."""
        action = f"{CAMPAIGN}.t001.{len(self.acts) + 1:03d}"
        self.event(
            "step.intended",
            action=action,
            step=step,
            operation=operation,
            station=station,
            slot=slot,
            sample="c/rack.1",
            parameters=parameters,
        )
        self.now += 1.0
        sent = self.now
        for instrument, event, facts in said:
            self.now += 0.1
            self.line(instrument, event, **facts)
        self.now = sent + lasts
        over = state is not ActState.SENT
        record = ActRecord(
            action=action,
            owner="c/run",
            station=station,
            operation=operation,
            step=step,
            sample="c/rack.1",
            trial="t001",
            parameters=parameters,
            state=state,
            run_uid=f"u{len(self.acts) + 1}",
            intended=sent - 0.5,
            sent=sent,
            ended=self.now if over else None,
        )
        self.acts.append(record)
        if state is ActState.DONE:
            self.runs[action] = record.run_uid
        if ledger:
            reason = {} if ledger == "step.done" else {"reason": "cut short"}
            self.event(
                ledger, action=action, step=step, run_uid=record.run_uid, **reason
            )
        self.now += 1.0
        return record

    # -- honest acts -------------------------------------------------------------------

    def carry(self, target: str, **how: Any) -> ActRecord:
        source, self.at = self.at, target
        said = how.pop("said", None) or (
            ("gantry", "gripped", {"sample": "rack.1", "slot": source}),
            ("gantry", "moved", {}),
            ("gantry", "released", {"sample": "rack.1", "slot": target}),
        )
        places = {"source": source, "target": target}
        return self.act("transfer", "transfer", "arm", target, places, *said, **how)

    def ink(self, *rounds: float, **how: Any) -> ActRecord:
        said = [
            (
                "pump",
                "poured",
                {"sample": "rack.1", "slot": "chuck", "parts": {"ink": one}},
            )
            for one in rounds
        ]
        portions = [{"liquid": "ink", "source": "shelf.1", "volume": 150.0}]
        asked = {"target": "chuck", "portions": portions}
        return self.act("dispense", "ink", "arm", "chuck", asked, *said, **how)

    def spin(self, *seconds: float, **how: Any) -> ActRecord:
        said: list[Said] = []
        for one in seconds:
            facts = {"sample": "rack.1", "rpm": 2000.0, "seconds": one}
            said += [
                ("spin_coater", "spinning", {"rpm": 2000.0, "sample": "rack.1"}),
                ("spin_coater", "spun", facts),
            ]
        asked = {"speed": 2000.0, "acceleration": 1000.0, "duration": 20.0}
        return self.act("spin", "coat", "coater", "chuck", asked, *said, **how)

    def anneal(self, *, on: bool = True, step: str = "anneal", **how: Any) -> ActRecord:
        said = [("anneal_plate", "heater on", {"set_temperature": 120.0})] if on else []
        asked = {"temperature": 120.02, "duration": 50.0}
        how = {"lasts": 6.0, **how}
        return self.act("heat", step, "anneal", "anneal", asked, *said, **how)

    def weigh(self) -> ActRecord:
        return self.act("weigh", "empty", "balance", "pan", {})

    def spectra(self, *reached: float, **how: Any) -> ActRecord:
        said = [("chamber", "heater on", {"set_temperature": one}) for one in reached]
        asked = {"lowest": 30.0, "temperature": 60.0, "equilibrium": 10.0}
        return self.act("impedance", "spectra", "cell", "cell", asked, *said, **how)

    def polarise(self, *, volt: float = 0.01, **how: Any) -> ActRecord:
        said = [
            ("cell_meter", "output on", {"function": "VOLT", "level": volt}),
            ("cell_meter", "output off", {}),
        ]
        asked = {"temperature": 60.0, "voltage": 0.01, "duration": 1200.0}
        return self.act("polarise", "polarise", "cell", "cell", asked, *said, **how)

    def scan(self, **how: Any) -> ActRecord:
        self.line("profilometer", "scan started", sample="rack.1")
        self.line("profilometer", "scan dropped", sample="rack.1", file="scan_0001.csv")
        return self.act("step_height", "scan", "profilometer", "stylus", {}, **how)

    def learn(self, uid: str) -> None:
        self.event("measurement", quantity="thickness", runs=[uid], **VALUE)

    def observe(self, value: float = 1.0) -> None:
        estimates = {"conductivity": {"value": value, "std": 0.1}}
        self.event("observation", candidate={"x": 1.0}, estimates=estimates)

    def finish(self, *, good: bool = True) -> None:
        self.event("campaign.ended", "", reason="all 1 trials are made", good=good)


VALUE = {"value": 1.0, "std": 0.1, "unit": "nm", "method": "step_height"}


def honest() -> Book:
    """Return a campaign in which nothing is wrong."""
    book = Book()
    book.carry("chuck")
    book.ink(75.0, 75.0)
    book.spin(20.5)
    book.carry("anneal")
    book.anneal()
    book.carry("stylus")
    book.learn(book.scan().run_uid)
    book.observe()
    book.carry("rack.1")
    book.finish()
    return book


def electrolyte() -> Book:
    """Return a campaign of the other line in which nothing is wrong."""
    book = Book()
    book.carry("pan")
    book.learn(book.weigh().run_uid)
    book.carry("cell")
    book.learn(book.spectra(30.0, 45.0, 60.0).run_uid)
    book.learn(book.polarise().run_uid)
    book.learn(book.spectra().run_uid)  # it is at 60 degC already
    book.observe()
    book.carry("rack.1")
    book.finish()
    return book


def without(book: Book, event: str) -> Book:
    """Remove the first line of an event from the journals."""
    book.lines.remove(next(line for line in book.lines if line.event == event))
    return book


def unended(record: ActRecord) -> ActRecord:
    return dataclasses.replace(record, state=ActState.SENT, ended=None)
