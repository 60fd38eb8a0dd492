"""From the runs of a trial to what the planner learns from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from orchestrator.analysis.readings import AnalysisError
from orchestrator.errors import PolyloopError
from orchestrator.records import Document, Measurement, MeasurementRule
from orchestrator.units import UnitError, convert
from planners.data import Candidate, Estimate, Limit, Objective, Observation
from planners.desirability import quantities, worked_out

Analysis = Callable[
    [Mapping[str, list[Document]], Mapping[str, Measurement]], Measurement
]


T = TypeVar("T")


class NotBelieved(PolyloopError):
    """An objective was not measured, or not so that it is believed."""


def evaluate(
    rule: MeasurementRule,
    documents: Mapping[str, list[Document]],
    measured: Mapping[str, Measurement],
    build: Callable[[str], Analysis] | None = None,
) -> Measurement:
    """Work out one quantity of a sample.

    Parameters
    ----------
    rule:
        How.
    documents:
        The documents of each step's run, by the step's name.
    measured:
        The quantities that are known already, by name.
    build:
        Returns the analysis of a name; the lab's own ones when not given.

    Raises
    ------
    AnalysisError
        Naming the quantity, and what is missing.
    """
    if build is None:
        from orchestrator.lab import build_analysis

        build = build_analysis
    try:
        measurement = build(rule.analysis)(
            {
                role: _named(documents, step, "run of step")
                for role, step in rule.runs.items()
            },
            {
                role: _named(measured, name, "measurement")
                for role, name in rule.of.items()
            },
        )
    except AnalysisError as error:
        raise AnalysisError(f"{rule.quantity}: {error}") from error
    return replace(measurement, quantity=rule.quantity)


def observe(
    candidate: Candidate,
    objectives: Sequence[Objective],
    measurements: Mapping[str, Measurement],
    limits: Sequence[Limit] = (),
) -> Observation:
    """Return what the planner learns: an estimate for each objective and limit.

    Each is in the unit of its objective or limit; a desirability is worked out from those
    of its quantities.

    Parameters
    ----------
    candidate:
        The candidate as it was made.
    objectives:
        What the planner wants to know; each is measured under its own name.
    measurements:
        What was measured, by quantity.
    limits:
        What must keep within bounds; each is measured under its own name.

    Raises
    ------
    NotBelieved
        If an objective or a limited quantity was not measured, or its measurement is
        not believed.
    """
    wanted: list[Objective | Limit] = [*quantities(objectives), *limits]
    estimates = {one.name: _estimate(one, measurements.get(one.name)) for one in wanted}
    return Observation(candidate, worked_out(estimates, objectives))


def _estimate(wanted: Objective | Limit, measured: Measurement | None) -> Estimate:
    if measured is None:
        raise NotBelieved(f"{wanted.name}: was not measured")
    if not measured.believed:
        why = "; ".join(measured.doubts) or "no reason given"
        raise NotBelieved(f"{wanted.name}: is not believed: {why}")
    log = isinstance(wanted, Objective) and wanted.scale == "log"
    if log and not measured.value > 0.0:
        raise NotBelieved(
            f"{wanted.name}: {measured.value:g} {measured.unit} is not above 0, "
            f"and the objective is on a log scale"
        )
    try:
        value, above = (
            convert(one, measured.unit, wanted.unit)
            for one in (measured.value, measured.value + measured.std)
        )
    except UnitError as error:
        raise NotBelieved(f"{wanted.name}: {error}") from error
    std = measured.std if measured.unit == wanted.unit else abs(above - value)
    return Estimate(value, std)


def _named(given: Mapping[str, T], name: str, kind: str) -> T:
    if name not in given:
        raise AnalysisError(f"no {kind} {name}; there are {', '.join(given) or 'none'}")
    return given[name]
