"""What a cast film is made of: from weighings, and from what its stocks hold.

A balance says how much of each stock really was dispensed; the portions in the documents
of the dispense say what that much of it holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from orchestrator.analysis.readings import AnalysisError, finite, rows, run_uid
from orchestrator.records import Document, Measurement

SHARE = 0.5
"""Part of a portion by which what arrived may differ from what was asked for."""
DRY = 3.0
"""Percent of solvent, beside its uncertainty, from which on a film is not called dry."""

Runs = Mapping[str, list[Document]]
Of = Mapping[str, Measurement]


def mass_difference(runs: Runs, of: Of) -> Measurement:  # noqa: ARG001 - one shape for all
    """Return what a cup has gained between two weighings, in mg.

    Parameters
    ----------
    runs:
        ``before`` and ``after``: readings of the balance.
    of:
        Nothing.
    """
    before, after = (_mass(runs, role) for role in ("before", "after"))
    value = after[0] - before[0]
    std = math.hypot(after[1], before[1])
    doubts = () if value > -3.0 * std else (f"the cup has lost {-value:.2f} mg",)
    return Measurement(
        quantity="mass",
        value=value,
        std=std,
        unit="mg",
        method="difference of two weighings",
        runs=(run_uid(runs["before"]), run_uid(runs["after"])),
        believed=not doubts,
        doubts=doubts,
        details={"before_mg": before[0], "after_mg": after[0]},
    )


def molality(runs: Runs, of: Of) -> Measurement:
    r"""Return the salt per polymer as really dispensed, in mol/kg.

    .. math:: b = \frac{n_s\, w_s / m_s}{m_p'\, w_p / m_p}

    with the weighed portions :math:`w`, and mass :math:`m`, amount :math:`n` and solute
    :math:`m'` of the portions that were asked for.

    Parameters
    ----------
    runs:
        ``polymer`` and ``salt``: their dispenses.
    of:
        ``polymer`` and ``salt``: what was weighed of each, in mg.
    """
    return _per_polymer(runs, of, "salt", "amount", "molality", "mol/kg", 1e3)


def mass_ratio(runs: Runs, of: Of) -> Measurement:
    """Return the additive per polymer as really dispensed, in percent; see `molality`.

    Parameters
    ----------
    runs:
        ``polymer`` and ``additive``: their dispenses.
    of:
        ``polymer`` and ``additive``: what was weighed of each, in mg.
    """
    return _per_polymer(runs, of, "additive", "solute", "mass ratio", "percent", 1e2)


def residue(runs: Runs, of: Of) -> Measurement:
    """Return the solvent left in a dried film, in percent of its solids.

    Parameters
    ----------
    runs:
        ``polymer``, ``salt`` and ``additive``: their dispenses.
    of:
        The same, as weighed, and ``film``: what the dry cup has gained, all in mg.
    """
    parts = [
        _held(runs, of, role, "solute") for role in ("polymer", "salt", "additive")
    ]
    solids = math.fsum(value for value, _ in parts)
    if not solids > 0.0:
        raise AnalysisError(f"the portions hold {solids:g} mg of solids, not above 0")
    film = of["film"]
    value = 100.0 * (film.value / solids - 1.0)
    std = 100.0 / solids * math.hypot(film.std, *(std for _, std in parts))
    wet = value - 2.0 * std > DRY
    doubts = (f"{value:.1f} % of solvent is left, more than {DRY:g} %",) if wet else ()
    return Measurement(
        quantity="residue",
        value=value,
        std=std,
        unit="percent",
        method="film over solids, less 1",
        runs=film.runs,
        believed=not doubts,
        doubts=doubts,
        details={"solids_mg": solids, "film_mg": film.value},
    )


def _per_polymer(
    runs: Runs, of: Of, role: str, what: str, name: str, unit: str, factor: float
) -> Measurement:
    """Return what is dissolved of one portion per mass of polymer."""
    polymer, part = (
        _held(runs, of, "polymer", "solute"),
        _held(runs, of, role, what),
    )
    if not polymer[0] > 0.0:
        raise AnalysisError(f"{polymer[0]:g} mg of polymer: must be above 0")
    value = factor * part[0] / polymer[0]
    std = abs(value) * math.hypot(
        polymer[1] / polymer[0], part[1] / part[0] if part[0] else 0.0
    )
    doubts = []
    for one in ("polymer", role):
        asked, weighed = _asked(runs, one)["mass"], of[one].value
        if abs(weighed - asked) > SHARE * asked + 3.0 * of[one].std:
            doubts.append(
                f"{one}: {weighed:.2f} mg was dispensed, and {asked:.2f} mg asked for"
            )
    return Measurement(
        quantity=name,
        value=value,
        std=std,
        unit=unit,
        method="weighed portions of stock solutions",
        runs=(*of["polymer"].runs, *of[role].runs),
        believed=not doubts,
        doubts=tuple(doubts),
    )


def _held(runs: Runs, of: Of, role: str, what: str) -> tuple[float, float]:
    """Return what a weighed portion holds, with its standard uncertainty."""
    asked, weighed = _asked(runs, role), of[role]
    if weighed.unit != "mg":
        raise AnalysisError(f"{role} is in {weighed.unit}; mg is needed")
    if what not in asked or "mass" not in asked:
        raise AnalysisError(
            f"run {run_uid(runs[role])}: what the portion of {role} holds is not known: "
            "the lab must state density, and content or concentration"
        )
    part = asked[what] / asked["mass"]
    return part * weighed.value, part * weighed.std


def _asked(runs: Runs, role: str) -> Mapping[str, float]:
    """Return the one portion of a dispense, as it was asked for."""
    if role not in runs:
        raise AnalysisError(f"no run named {role}; there are {sorted(runs) or 'none'}")
    start: dict[str, Any] = next(b for n, b in runs[role] if n == "start")
    portions: Sequence[Mapping[str, Any]] = start["parameters"]["portions"]
    if len(portions) != 1:
        raise AnalysisError(
            f"run {run_uid(runs[role])}: {len(portions)} portions; one is needed"
        )
    return portions[0]


def _mass(runs: Runs, role: str) -> tuple[float, float]:
    """Return the mean of the weights, and what it is uncertain by, in mg."""
    if role not in runs:
        raise AnalysisError(f"no run named {role}; there are {sorted(runs) or 'none'}")
    table = rows(runs[role], {"weight": "g", "uncertainty": "g"})
    weights = [1e3 * float(one["weight"]) for one in table]
    if not all(finite(one) for one in weights):
        raise AnalysisError(f"run {run_uid(runs[role])}: a reading is no number")
    scatter = stdev(weights) if len(weights) > 1 else 0.0
    stated = 1e3 * max(float(one["uncertainty"]) for one in table)
    return fmean(weights), max(scatter, stated)
