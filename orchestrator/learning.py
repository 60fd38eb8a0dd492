"""What a step just done teaches: measurements, doubts, and in the end an observation.

Pure but for `documents`, which fetches the documents of a run. A measurement that is
not believed is made again once. Not believed twice, the trial has failed if an objective
or a limit needs it; else it stays in the ledger with its doubts, and the trial goes on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator import units
from orchestrator.analysis.evaluate import evaluate, observe
from orchestrator.campaign import Trial
from orchestrator.desirable import as_measurement, desirability_of
from orchestrator.errors import PolyloopError
from orchestrator.records import Document, Measurement, MeasurementRule
from planners.data import Candidate, Limit, Objective, Observation
from planners.desirability import quantities
from planners.space import Space

REPEATS = 1
"""How often a measurement that is not believed is made again."""


@dataclass(frozen=True, slots=True)
class Learned:
    """A measurement was worked out."""

    measurement: Measurement


@dataclass(frozen=True, slots=True)
class Repeated:
    """A step is to be done again: its measurement was not believed."""

    step: str
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The trial has failed."""

    reason: str


Lesson = Learned | Repeated | Failed | Observation


def learn(
    trial: Trial,
    step: str,
    objectives: Sequence[Objective],
    documents: Callable[[str], list[Document]],
    limits: Sequence[Limit] = (),
) -> Iterator[Lesson]:
    """Yield what follows from ``step``, the last that was done in ``trial``.

    Parameters
    ----------
    trial:
        The trial after that step.
    step:
        Its name.
    objectives:
        What the planner wants to know.
    documents:
        Returns the documents of a run by its uid.
    limits:
        What must keep within bounds.
    """
    if trial.recipe is None:
        return
    known = {one.quantity: one for one in trial.measurements if one.believed}
    told = {(one.quantity, one.runs) for one in trial.measurements if one.runs}
    fresh: set[str] = set()
    needed: list[Objective | Limit] = [*quantities(objectives), *limits]
    wanted = _needed(trial.recipe.measurements, needed)
    for rule in trial.recipe.measurements:
        concerned = step in rule.runs.values() or fresh & rule.after
        runs_there = all(name in trial.runs for name in rule.runs.values())
        if not (concerned and runs_there and rule.after <= known.keys()):
            continue
        runs = {name: documents(trial.runs[name]) for name in rule.runs.values()}
        try:
            measurement = evaluate(rule, runs, known)
        except PolyloopError as error:
            yield Failed(str(error))
            return
        # A kill may have come after this was written and before what follows from it.
        if (measurement.quantity, measurement.runs) not in told:
            yield Learned(measurement)
        if measurement.believed:
            known[rule.quantity] = measurement
            fresh.add(rule.quantity)
            continue
        reason = f"{rule.quantity} is not believed: {'; '.join(measurement.doubts)}"
        if rule.runs and trial.repeats.get(step, 0) < REPEATS:
            yield Repeated(step, reason)
            return
        if rule.quantity in wanted:
            yield Failed(reason)
            return
    if trial.next_step is None:
        try:
            seen = observe(trial.candidate, objectives, known, limits)
        except PolyloopError as error:
            yield Failed(str(error))
            return
        if whole := desirability_of(objectives):
            worth = as_measurement(whole, seen, known)
            if (worth.quantity, worth.runs) not in told:
                yield Learned(worth)
        yield seen


def _needed(
    rules: Sequence[MeasurementRule], wanted: Sequence[Objective | Limit]
) -> set[str]:
    """Return the quantities that are wanted, or that must be known for them."""
    names = {one.name for one in wanted}
    for rule in reversed(rules):  # what a rule starts from comes before it
        if rule.quantity in names:
            names |= rule.after
    return names


def as_made(trial: Trial, space: Space) -> Trial:
    """Return a trial whose candidate says what it really was, as far as that is known.

    That is how long its timed steps lasted, and what a believed measurement with the
    name of a parameter says. Kept within the bounds of the space, which a tolerance may
    leave by a little. A parameter that does not count stays as it is.
    """
    values = dict(trial.candidate.values)
    resting = space.resting(values)
    measured = {one.quantity: one for one in trial.measurements if one.believed}
    for real in space.reals:
        if real.name in resting:
            continue
        if real.name in measured:
            one = measured[real.name]
            value = units.convert(one.value, one.unit, real.unit)
            values[real.name] = min(max(value, real.low), real.high)
        if real.name in trial.made:
            seconds = units.convert(trial.made[real.name], "s", real.unit)
            values[real.name] = min(max(seconds, real.low), real.high)
    return dataclasses.replace(trial, candidate=Candidate(values))
