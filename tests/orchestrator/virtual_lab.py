"""A campaign without a lab: every act ends when the test says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from orchestrator.campaign import Progress
from orchestrator.dispatch import Floor, Ready, ready
from orchestrator.fold import fold
from orchestrator.ledger import Event
from orchestrator.records import MeasurementRule, Recipe, Step

ARM = "arm"
FLOOR = Floor(ARM)


def step(name: str, station: str, slot: str, operation: str = "", **facts: Any) -> Step:
    return Step(name, operation or name, station, slot, {}, 10.0, **facts)


RECIPE = Recipe(
    name="film",
    candidate={"x": 1.0},
    steps=(
        step("ink", ARM, "chuck"),
        step("coat", "coater", "chuck", at_once=True),
        step("anneal", "anneal", "anneal"),
        step("warm", "treat", "treat"),
        step("acid", ARM, "treat"),
        step("dwell", "treat", "treat", at_once=True),
        step("rinse", ARM, "rinse", at_once=True),
        step("dry", "anneal", "anneal"),
        step("lamp", "optics", "optics", empty=True),
        step("light", "optics", "optics"),
        step("probe", "probe", "probe", "van_der_pauw"),
    ),
    measurements=(MeasurementRule("rs", "van_der_pauw", runs={"film": "probe"}),),
)


class VirtualLab:
    """Events in memory; `begin` and `end` are what the flow would write."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.progress = Progress()

    def write(self, kind: str, trial: str = "", **data: Any) -> None:
        event = Event(len(self.events) + 1, "c", 0.0, kind, trial, data)
        self.events.append(event)
        self.progress = fold([event], self.progress)

    def start(self, trial: str, home: str, recipe: Recipe = RECIPE) -> None:
        self.write("candidate.proposed", trial, candidate={"x": 1.0})
        self.write("trial.started", trial, sample=f"c/{home}", home=home)
        self.write("recipe.compiled", trial, recipe=asdict(recipe))

    def begin(self, one: Ready) -> str:
        trial = self.progress.trials[one.trial]
        action = f"c.{one.trial}.{trial.acts + 1}"
        self.write(
            "step.intended",
            one.trial,
            action=action,
            step=one.step.name,
            operation=one.step.operation,
            station=one.step.station,
            sample=one.sample,
            parameters=dict(one.step.parameters),
        )
        return action

    def end(self, action: str, *, good: bool = True) -> None:
        act = self.progress.acting[action]
        facts: Mapping[str, Any] = {"run_uid": f"uid-{action}", "reason": "broken"}
        kind = "step.done" if good else "step.failed"
        self.write(kind, act.trial, action=action, **facts)

    def ready(self) -> list[Ready]:
        return ready(self.progress, FLOOR)
