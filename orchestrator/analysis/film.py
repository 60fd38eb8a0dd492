"""What a film is: how much light it lets through, how thick it is, how well it conducts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from orchestrator.analysis import quality
from orchestrator.analysis.readings import AnalysisError, finite, rows, run_uid
from orchestrator.records import Document, Measurement

LINEARITY = 0.005
"""Relative standard uncertainty of a power ratio: linearity of a photodiode head."""
DARKEST = 1e-6
"""Watt of the reference below which the lamp is off or the beam is blocked."""
CLEAREST = 1.02
"""Transmittance above which the reference and the sample were seen by another light."""

Runs = Mapping[str, list[Document]]
Of = Mapping[str, Measurement]


def transmittance(runs: Runs, of: Of) -> Measurement:  # noqa: ARG001 - one shape for all
    r"""Return how much of the light passes film and substrate, absolute, without unit.

    .. math:: T = \bar P_\mathrm{sample} / \bar P_\mathrm{reference}

    The power meter has already taken its stored zero off both. The uncertainty is that
    of two means, and of the head's linearity.

    Parameters
    ----------
    runs:
        ``reference``: readings with nothing in the beam; ``sample``: with the sample.
    of:
        Nothing.
    """
    without, with_it = _powers(runs, "reference"), _powers(runs, "sample")
    reference, sample = fmean(without), fmean(with_it)
    doubts = [
        *quality.steadiness("reference", reference, _scatter(without)),
        *quality.steadiness("sample", reference, _scatter(with_it)),
    ]
    if reference < DARKEST:
        raise AnalysisError(
            f"run {run_uid(runs['reference'])}: the reference is {reference:.3g} W, "
            f"under {DARKEST:g} W: the lamp is off or the beam is blocked"
        )
    value = sample / reference
    std = math.hypot(
        _scatter(with_it) / math.sqrt(len(with_it)) / reference,
        _scatter(without) / math.sqrt(len(without)) / reference * value,
        LINEARITY * value,
    )
    if value > CLEAREST:
        doubts.append(f"transmittance is {value:.3f}, more than {CLEAREST:g}")
    if value <= 0.0:
        doubts.append(f"transmittance is {value:.3g}, not above 0")
    return Measurement(
        quantity="transmittance",
        value=value,
        std=std,
        unit="1",
        method="power with over power without the sample, stored zero taken off",
        runs=(run_uid(runs["reference"]), run_uid(runs["sample"])),
        believed=not doubts,
        doubts=tuple(doubts),
        details={"reference_W": reference, "sample_W": sample},
    )


def step_height(runs: Runs, of: Of) -> Measurement:  # noqa: ARG001 - one shape for all
    """Return the thickness of a film, in nm, as the profile across a scratch gives it.

    Parameters
    ----------
    runs:
        ``profile``: the run in which the profilometer's file was read.
    of:
        Nothing.
    """
    documents = _run(runs, "profile")
    fields = {"thickness": "nm", "uncertainty": "nm", "file": ""}
    row = rows(documents, fields)[-1]
    value, std = float(row["thickness"]), float(row["uncertainty"])
    if not (finite(value) and finite(std)):
        raise AnalysisError(
            f"run {run_uid(documents)}: thickness {value:g} ± {std:g} nm of "
            f"{row['file']} is no number"
        )
    doubts = quality.uncertainty("thickness", value, std, "nm")
    return Measurement(
        quantity="thickness",
        value=value,
        std=std,
        unit="nm",
        method="step height across a scratch, stylus profile levelled by the film",
        runs=(run_uid(documents),),
        believed=not doubts,
        doubts=doubts,
        details={"file": str(row["file"])},
    )


def conductivity(runs: Runs, of: Of) -> Measurement:  # noqa: ARG001 - one shape for all
    r"""Return the conductivity of a film, in S/cm.

    .. math:: \sigma = \frac{10^7}{R_s\,t}, \qquad
        \frac{u(\sigma)}{\sigma} = \sqrt{\frac{u(R_s)^2}{R_s^2} + \frac{u(t)^2}{t^2}}

    with sheet resistance in ohm and thickness in nm. Believed only if both are.

    Parameters
    ----------
    runs:
        Nothing.
    of:
        ``sheet_resistance`` in ohm, ``thickness`` in nm.
    """
    resistance = _input(of, "sheet_resistance", "ohm")
    thickness = _input(of, "thickness", "nm")
    doubts = [
        f"{one.quantity}: {doubt}"
        for one in (resistance, thickness)
        for doubt in one.doubts or (() if one.believed else ("is not believed",))
    ]
    # A film thinner than nothing is not believed; its conductivity is "at least".
    t = max(thickness.value, thickness.std)
    if not (resistance.value > 0.0 and t > 0.0):
        raise AnalysisError(
            f"sheet resistance {resistance.value:g} ohm and thickness {t:g} nm: "
            f"both must be above 0"
        )
    value = 1e7 / (resistance.value * t)
    parts = (resistance.std / resistance.value, thickness.std / t)
    return Measurement(
        quantity="conductivity",
        value=value,
        std=value * math.hypot(*parts),
        unit="S/cm",
        method="1 / (sheet resistance x thickness)",
        runs=(*resistance.runs, *thickness.runs),
        believed=not doubts,
        doubts=tuple(doubts),
        details={
            "sheet_resistance_ohm": resistance.value,
            "sheet_resistance_part": parts[0],
            "thickness_nm": thickness.value,
            "thickness_part": parts[1],
        },
    )


def _run(runs: Runs, role: str) -> list[Document]:
    if role not in runs:
        raise AnalysisError(f"no run named {role}; there are {sorted(runs) or 'none'}")
    return runs[role]


def _input(of: Of, role: str, unit: str) -> Measurement:
    if role not in of:
        raise AnalysisError(f"no measurement named {role}; there are {sorted(of)}")
    if of[role].unit != unit:
        raise AnalysisError(f"{role} is in {of[role].unit}; {unit} is needed")
    return of[role]


def _powers(runs: Runs, role: str) -> list[float]:
    """Return the powers of a run, in watt."""
    documents = _run(runs, role)
    table: list[dict[str, Any]] = rows(documents, {"power": "W"})
    powers = [float(one["power"]) for one in table]
    bad = [one for one in powers if not finite(one)]
    if bad:
        raise AnalysisError(
            f"run {run_uid(documents)}: {len(bad)} of {len(powers)} readings are no "
            f"numbers ({bad[0]:g} W); all must be"
        )
    return powers


def _scatter(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0
