"""A desirability as a measurement of a trial, and for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator import units
from orchestrator.campaign import Trial
from orchestrator.records import Measurement
from planners.data import Objective, Observation
from planners.desirability import Desirability, Desire

METHOD = "weighted geometric mean of desirabilities"


@dataclass(frozen=True, slots=True)
class Part:
    """One quantity of a desirability as one trial has it, as text; its share from 0 to 1."""

    name: str
    value: str
    wanted: str
    weight: str
    share: float


def desirability_of(objectives: Sequence[Objective]) -> Desirability | None:
    """Return the desirability that is the objective, if it is one."""
    return next((one for one in objectives if isinstance(one, Desirability)), None)


def as_measurement(
    whole: Desirability, seen: Observation, known: Mapping[str, Measurement]
) -> Measurement:
    """Return what several measurements of a sample are worth together.

    ``known`` are the measurements of its quantities.
    """
    one = seen.estimates[whole.name]
    runs = (run for desire in whole.desires for run in known[desire.name].runs)
    return Measurement(
        quantity=whole.name,
        value=one.value,
        std=one.std,
        unit=whole.unit,
        method=METHOD,
        runs=tuple(dict.fromkeys(runs)),
        details={
            f"{name}_share": share
            for name, share in whole.shares(seen.estimates).items()
        },
    )


def parts(whole: Desirability, trial: Trial) -> list[Part]:
    """Return each quantity of a trial's desirability; none if it was not observed."""
    if trial.observation is None:
        return []
    estimates = trial.observation.estimates
    shares = whole.shares(estimates)
    return [
        Part(
            one.name,
            units.show(estimates[one.name].value, one.unit, estimates[one.name].std),
            wanted_text(one),
            f"{one.weight:g}",
            shares[one.name],
        )
        for one in whole.desires
    ]


def wanted_text(desire: Desire) -> str:
    """Return for people what is wanted of a quantity.

    Examples
    --------
    >>> wanted_text(Desire("sheet_resistance", "ohm", ((500.0, 5.0),), "log"))
    'ideal up to 5 Ω, useless from 500 Ω on (log)'
    >>> wanted_text(Desire("thickness", "nm", ((50.0, 90.0), (150.0, 110.0))))
    'ideal at 90 nm to 110 nm, useless beyond 50 nm to 150 nm'
    """
    useless, ideal = (
        [units.show(ramp[end], desire.unit) for ramp in desire.ramps] for end in (0, 1)
    )
    if len(desire.ramps) > 1:
        there = " to ".join(dict.fromkeys(ideal))
        text = f"ideal at {there}, useless beyond {' to '.join(useless)}"
    elif desire.quantity.direction == "minimise":
        text = f"ideal up to {ideal[0]}, useless from {useless[0]} on"
    else:
        text = f"useless up to {useless[0]}, ideal from {ideal[0]} on"
    more = ["log"] if desire.scale == "log" else []
    if desire.exponent != 1.0:
        more.append(f"exponent {desire.exponent:g}")
    return f"{text} ({', '.join(more)})" if more else text
