"""What a polymer electrolyte is: its conductivity at temperatures, and who carries it.

From documents:

*An impedance run* has one event per frequency, with signals ending in ``_frequency``
(Hz), ``_resistance`` and ``_reactance`` (ohm), ``_status`` (of the analyser: 0 is a
good reading) and ``_temperature`` (degC, of the cell). A new sweep begins where the
temperature changes by more than 2 K, or the frequency returns to the first and falls
again; a first frequency that comes back at the end shows the drift. Streams named
``short`` and ``open`` with the same signals but temperature are taken off where the run
has them. The step's parameter ``area`` (cm^2) in the start document is the electrodes'.

*A polarise run* has events in order with signals ending in ``_time`` (s, since the
voltage was applied), ``_current`` (A) and ``_voltage`` (V).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from orchestrator.analysis.impedance import (
    Bulk,
    Geometry,
    Ohms,
    bulk,
    conductivity,
)
from orchestrator.analysis.quality import UNCERTAIN, uncertainty
from orchestrator.analysis.readings import AnalysisError, finite, rows, run_uid
from orchestrator.analysis.spectrum import SAME, Spectrum
from orchestrator.analysis.temperature import NEAR, Estimate, Point, estimate, laws
from orchestrator.analysis.transference import decay, with_uncertainty
from orchestrator.records import Document, Measurement
from orchestrator.units import UnitError, convert

SWEEP = {"frequency": "Hz", "resistance": "ohm", "reactance": "ohm", "status": ""}
APART = 2.0
"""Kelvin between which two readings belong to different sweeps."""
AREA_PART = 0.02
"""Relative standard uncertainty of an electrode's area."""
VOLTAGE_PART = 0.002
"""Relative standard uncertainty of a source-meter's 10 mV."""

KEPT = 32
"""Fits that are remembered; one takes some tenths of a second."""
_FITS: dict[tuple[bytes | None, ...], Bulk] = {}

Runs = Mapping[str, list[Document]]
Of = Mapping[str, Measurement]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """A spectrum, and the mean temperature at which it was made, in degC."""

    temperature: float
    spectrum: Spectrum


def sweeps(documents: Sequence[Document]) -> tuple[list[Sweep], list[str]]:
    """Return the spectra of an impedance run in order, and what is wrong with others.

    Raises
    ------
    AnalysisError
        If the run lacks a signal, or no sweep can be used.
    """
    uid = run_uid(documents)
    found, faults = [], []
    for group in _groups(rows(documents, SWEEP | {"temperature": "degC"})):
        temperature = fmean(float(one["temperature"]) for one in group)
        try:
            found.append(Sweep(temperature, _spectrum(group)))
        except AnalysisError as error:
            faults.append(f"{temperature:.1f} degC: {error}")
    if not found:
        raise AnalysisError(f"run {uid}: no sweep can be used: {'; '.join(faults)}")
    return found, faults


def _groups(readings: Sequence[Row]) -> list[list[Row]]:
    """Return the readings of each sweep."""
    groups: list[list[Row]] = []
    for i, one in enumerate(readings):
        if not groups or _begins(groups[-1], one, readings[i + 1 : i + 2]):
            groups.append([])
        groups[-1].append(one)
    return groups


def _begins(group: Sequence[Row], one: Row, after: Sequence[Row]) -> bool:
    """Whether a reading begins a new sweep; the first frequency again only may."""
    if abs(float(one["temperature"]) - float(group[0]["temperature"])) > APART:
        return True
    if not _same(one, group[0]) or len(group) < 2:
        return False
    if _same(group[-1], group[0]):  # it has come back already
        return True
    last = not after or _same(after[0], one)
    return not (
        last or abs(float(after[0]["temperature"]) - float(one["temperature"])) > APART
    )


def _same(one: Row, other: Row) -> bool:
    return abs(float(one["frequency"]) / float(other["frequency"]) - 1.0) < SAME


def _spectrum(readings: Sequence[Row]) -> Spectrum:
    good = [
        one
        for one in readings
        if finite(float(one["resistance"]))
        and finite(float(one["reactance"]))
        and int(one["status"] or 0) == 0
    ]
    if len(good) < 0.8 * len(readings):
        raise AnalysisError(
            f"{len(readings) - len(good)} of {len(readings)} readings are none, or came "
            f"with a status other than 0; one in five may"
        )
    f = [float(one["frequency"]) for one in good]
    return Spectrum.measured(
        f, [complex(float(one["resistance"]), float(one["reactance"])) for one in good]
    )


def _leads(documents: Sequence[Document], stream: str) -> Spectrum | None:
    """Return the spectrum of a stream of its own, or None when the run has none."""
    there = any(
        name == "descriptor" and body.get("name") == stream for name, body in documents
    )
    return _spectrum(rows(documents, SWEEP, stream=stream)) if there else None


def bulks(documents: Sequence[Document]) -> tuple[list[tuple[float, Bulk]], list[str]]:
    """Return the temperature (degC) and the bulk of each sweep of a run, and faults."""
    short, opened = (_leads(documents, one) for one in ("short", "open"))
    found, faults = sweeps(documents)
    return [
        (one.temperature, _fitted(one.spectrum, short, opened)) for one in found
    ], faults


def _fitted(
    spectrum: Spectrum, short: Spectrum | None, opened: Spectrum | None
) -> Bulk:
    """Return the bulk of a spectrum: several quantities come from one run, fitted once."""
    key = tuple(
        None if one is None else one.content for one in (spectrum, short, opened)
    )
    if key not in _FITS:
        if len(_FITS) >= KEPT:
            _FITS.pop(next(iter(_FITS)))
        _FITS[key] = bulk(spectrum, short=short, opened=opened)
    return _FITS[key]


def geometry(documents: Sequence[Document], of: Of) -> Geometry:
    """Return the cell: thickness as measured, area as the step's parameter says."""
    if "thickness" not in of:
        raise AnalysisError(f"no measurement named thickness; there are {sorted(of)}")
    given = of["thickness"]
    start = next(body for name, body in documents if name == "start")
    area = (start.get("parameters") or {}).get("area")
    if not isinstance(area, int | float) or not area > 0.0:
        raise AnalysisError(
            f"run {start['uid']}: parameter area is {area!r}; the electrodes' area in "
            f"cm^2 is needed"
        )
    try:
        thick, std = (
            convert(one, given.unit, "cm") for one in (given.value, given.std)
        )
    except UnitError as error:
        raise AnalysisError(f"thickness: {error}") from error
    if not thick > 0.0:
        raise AnalysisError(f"thickness is {given.value:g} {given.unit}, not above 0")
    return Geometry(thick, float(area), std, AREA_PART * float(area))


def at_30_degc(runs: Runs, of: Of) -> Measurement:
    """Return the conductivity at 30 degC, in S/cm; see `at_temperature`."""
    return at_temperature(runs, of, 30.0)


def at_60_degc(runs: Runs, of: Of) -> Measurement:
    """Return the conductivity at 60 degC, in S/cm; see `at_temperature`."""
    return at_temperature(runs, of, 60.0)


def at_temperature(runs: Runs, of: Of, temperature: float) -> Measurement:
    """Return the conductivity at a temperature (degC), in S/cm.

    Each sweep gives a conductivity; a law of temperature through those that are
    believed gives the one that is asked for.

    Parameters
    ----------
    runs:
        ``spectra``: an impedance run, at one temperature or several.
    of:
        ``thickness``, a length.
    temperature:
        In degC; one outside the sweeps by more than 2 K is not believed.
    """
    documents = _run(runs, "spectra")
    cell = geometry(documents, of)
    found, faults = bulks(documents)
    points, table, doubts = [], [], []
    for degc, one in found:
        here = conductivity(one, cell)
        table.append(_row(degc, one, here.value, here.std, here.sign))
        if one.believed:
            points.append(Point(degc, here.value, here.std))
        else:
            why = "; ".join((*one.doubts, *([one.reason] if one.reason else ())))
            faults.append(f"{degc:.1f} degC: {why}")
    shape = math.hypot(cell.thickness_std / cell.thickness, AREA_PART)
    made = estimate([_without(one, shape) for one in points], temperature)
    if made is None:
        return _bounded(table, faults, documents, temperature)
    value = made.point.value
    std = value * math.hypot(made.point.std / value, shape)
    if made.outside > NEAR:
        doubts.append(
            f"{temperature:g} degC is {made.outside:.0f} K outside the temperatures that "
            f"were measured: an extrapolation"
        )
    doubts += uncertainty("conductivity", value, std, "S/cm")
    return Measurement(
        quantity="conductivity",
        value=value,
        std=std,
        unit="S/cm",
        method=_method(made, len(points), temperature),
        runs=(run_uid(documents),),
        believed=not doubts,
        doubts=tuple(doubts),
        details={"temperatures": table, "left_out": faults} | _law_details(points),
    )


def _without(one: Point, shape: float) -> Point:
    """Return a point without the doubt about the cell's shape, which all points share."""
    own = max(one.std**2 - (shape * one.value) ** 2, 0.0)
    return Point(one.temperature, one.value, math.sqrt(own))


def _method(made: Estimate, count: int, temperature: float) -> str:
    kind = "extrapolated" if made.outside > NEAR else "interpolated"
    how = made.how if made.how == "measured there" else f"{made.how}, {kind}"
    return f"impedance at {count} temperatures, {how} at {temperature:g} degC"


def _bounded(
    table: list[dict[str, Any]],
    faults: list[str],
    documents: Sequence[Document],
    temperature: float,
) -> Measurement:
    """Return the nearest bound, not believed, where no conductivity can be told."""
    if not table:
        raise AnalysisError(f"run {run_uid(documents)}: {'; '.join(faults)}")
    near = min(table, key=lambda row: abs(row["temperature_degC"] - temperature))
    value = near["conductivity_S_per_cm"]
    bound = f"conductivity {near['sign']} {value:.2g} S/cm" if value else "no bound"
    reasons = faults or [f"nothing was measured near {temperature:g} degC"]
    return Measurement(
        quantity="conductivity",
        value=value or 0.0,
        std=value or 0.0,
        unit="S/cm",
        method=f"impedance, {bound} at {near['temperature_degC']:.1f} degC",
        runs=(run_uid(documents),),
        believed=False,
        doubts=tuple(reasons),
        details={"temperatures": table, "left_out": faults},
    )


def _row(degc: float, one: Bulk, value: float, std: float, sign: str) -> dict[str, Any]:
    """Return what one sweep came to, as plain JSON."""
    known = one.resistance
    return {
        "temperature_degC": degc,
        "resistance_ohm": None if known is None else known.value,
        "resistance_std_ohm": None if known is None else known.std,
        "conductivity_S_per_cm": value if math.isfinite(value) else None,
        "conductivity_std_S_per_cm": std if math.isfinite(std) else None,
        "sign": sign,
        "circuit": one.fit.circuit.name,
        "kramers_kronig_residual": one.quality.residual,
        "drift": one.quality.drift,
        "warnings": list(one.warnings),
    }


def _law_details(points: Sequence[Point]) -> dict[str, Any]:
    ranked = laws(points)
    if not ranked:
        return {}
    return {
        "law": ranked[0].name,
        "law_residual_decades": ranked[0].residual,
        "law_parameters": {
            name: {"value": value, "std": std}
            for name, (value, std) in ranked[0].parameters.items()
        },
    }


def lithium(runs: Runs, of: Of) -> Measurement:  # noqa: ARG001 - one shape for all
    """Return the transference number of the cation, without unit.

    Parameters
    ----------
    runs:
        ``polarise``: the current under a small voltage; ``before`` and ``after``:
        impedance runs of the same cell, of which the sweep nearest in time is used.
    of:
        Nothing.
    """
    documents = _run(runs, "polarise")
    table = rows(documents, {"time": "s", "current": "A", "voltage": "V"})
    volts = [float(one["voltage"]) for one in table]
    current = decay(
        [float(one["time"]) for one in table], [float(one["current"]) for one in table]
    )
    voltage = float(np.mean(volts))
    noise = float(np.std(volts)) / math.sqrt(len(volts))
    ends, doubts = [], []
    for role, which in (("before", -1), ("after", 0)):
        one = bulks(_run(runs, role))[0][which][1]
        value, std = one.fit.resistance("interface")
        ends.append(Ohms(value, std))
        if one.doubts:
            doubts.append(f"{role}: {'; '.join(one.doubts)}")
        if not value:
            doubts.append(f"{role}: no arc of an interface shows in the spectrum")
        elif std > UNCERTAIN * value:
            doubts.append(f"{role}: the interface's arc is {value:.3g} ± {std:.2g} ohm")
    made = with_uncertainty(
        (voltage, math.hypot(noise, VOLTAGE_PART * voltage)),
        current,
        (ends[0].value, ends[0].std),
        (ends[1].value, ends[1].std),
    )
    doubts += made.doubts
    known = math.isfinite(made.value)
    return Measurement(
        quantity="transference_number",
        value=made.value if known else 0.0,
        std=made.std if known else 1.0,
        unit="1",
        method=f"Bruce-Vincent-Evans at {voltage * 1e3:.3g} mV",
        runs=tuple(run_uid(runs[role]) for role in ("polarise", "before", "after")),
        believed=not doubts,
        doubts=tuple(doubts),
        details={
            "initial_A": current.initial,
            "steady_A": current.steady,
            "tau_s": current.tau,
            "before_ohm": ends[0].value,
            "after_ohm": ends[1].value,
        },
    )


def _run(runs: Runs, role: str) -> list[Document]:
    if role not in runs:
        raise AnalysisError(f"no run named {role}; there are {sorted(runs) or 'none'}")
    return runs[role]
