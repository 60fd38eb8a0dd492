"""Sheet resistance from four-wire readings around the edge of a film.

Four contacts, numbered along the edge. R12,43 is the voltage from contact 4 to contact
3 over the current from 1 to 2. Eight readings, both directions of the current in each
of four configurations, give two resistances and what the checks need; a second set at
a third of the current shows whether the film is linear.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from orchestrator.analysis import quality
from orchestrator.analysis.readings import AnalysisError, finite, rows, run_uid
from orchestrator.records import Document, Measurement

FIELDS = {"configuration": "", "voltage": "V", "current": "A", "compliance": ""}
PAIR_A = ("R12,43", "R34,21")
PAIR_B = ("R23,14", "R41,32")
GAIN = 5e-4
"""Relative standard uncertainty common to all readings of one source-meter: volt range
0.012 %, current range 0.034 % (2400 data sheet, one year), the contacts' size besides."""
AREA = 1.0
"""cm2 that are sure to share the heat; the substrates are larger."""
SAME_LEVEL = 0.6
"""Readings below this part of the largest current belong to the linearity check."""


def sheet_resistance(r_a: float, r_b: float) -> float:
    r"""Return the sheet resistance of a film from its two van der Pauw resistances.

    Solves [1]_

    .. math:: e^{-\pi R_A / R_s} + e^{-\pi R_B / R_s} = 1

    by Newton's method on :math:`z = 1/R_s`, from
    :math:`z_0 = 2 \ln 2 / \pi (R_A + R_B)`. The left side is convex and falls with z,
    and is 1 or more at the start, so that the iterates rise to the root and never
    pass it.

    Parameters
    ----------
    r_a, r_b:
        Four-wire resistances along the two sides, in ohm.

    Returns
    -------
    :
        Sheet resistance, in ohm (per square).

    Raises
    ------
    ValueError
        If a resistance is not a finite number above 0.

    References
    ----------
    .. [1] L. J. van der Pauw, Philips Res. Rep. 13, 1-9 (1958).

    Examples
    --------
    >>> round(sheet_resistance(100.0, 100.0), 1)
    453.2
    """
    if not (finite(r_a) and finite(r_b) and r_a > 0.0 and r_b > 0.0):
        raise ValueError(f"resistances {r_a:g} and {r_b:g} ohm: both must be above 0")
    scale = max(r_a, r_b)
    a, b = math.pi * (r_a / scale), math.pi * (r_b / scale)
    z = 2.0 * math.log(2.0) / (a + b)
    for _ in range(800):  # one per factor of e in the ratio, and a few
        w_a, w_b = math.exp(-z * a), math.exp(-z * b)
        # expm1 keeps the digits that 1 - exp loses when one side is nearly shorted.
        excess = w_a + math.expm1(-z * b) if a > b else w_b + math.expm1(-z * a)
        step = excess / (a * w_a + b * w_b)
        z += step
        if step <= 1e-15 * z:
            break
    return scale / z


def sensitivities(r_a: float, r_b: float) -> tuple[float, float]:
    r"""Return how sheet resistance changes with each resistance.

    From the van der Pauw equation, with :math:`w_i = e^{-\pi R_i / R_s}`,

    .. math:: \frac{\partial R_s}{\partial R_i} = \frac{R_s w_i}{R_A w_A + R_B w_B}

    Parameters
    ----------
    r_a, r_b:
        Four-wire resistances along the two sides, in ohm.

    Returns
    -------
    :
        The two derivatives, without unit.

    Examples
    --------
    >>> [round(one, 4) for one in sensitivities(1.0, 1.0)]  # pi / (2 ln 2) each
    [2.2662, 2.2662]
    """
    r_s = sheet_resistance(r_a, r_b)
    w_a, w_b = math.exp(-math.pi * r_a / r_s), math.exp(-math.pi * r_b / r_s)
    share = r_s / (r_a * w_a + r_b * w_b)
    return share * w_a, share * w_b


@dataclass(frozen=True, slots=True)
class Pair:
    """Both directions of current in one configuration.

    ``resistance`` in ohm; ``signal`` and ``offset`` in volt: what follows the current,
    and what does not.
    """

    resistance: float
    signal: float
    offset: float


@dataclass(frozen=True, slots=True)
class Square:
    """One set of eight readings: resistances in ohm, by configuration, and their mean."""

    pairs: Mapping[str, Pair]
    current: float

    @property
    def r_a(self) -> float:
        """R12,43 and its reciprocal, averaged, in ohm."""
        return fmean(self.pairs[one].resistance for one in PAIR_A)

    @property
    def r_b(self) -> float:
        """R23,14 and its reciprocal, averaged, in ohm."""
        return fmean(self.pairs[one].resistance for one in PAIR_B)

    def reciprocity(self, pair: tuple[str, str]) -> float:
        """Return the difference of two reciprocal resistances over their mean."""
        one, other = (self.pairs[name].resistance for name in pair)
        mean = abs(one + other) / 2.0
        return abs(one - other) / mean if mean else math.inf


def square(readings: Sequence[Mapping[str, Any]], uid: str) -> Square:
    """Return the resistances of one set of readings.

    The current is reversed, so that
    :math:`R = (V_+ - V_-) / (I_+ - I_-)` is free of constant voltages.
    """
    pairs = {}
    for name in (*PAIR_A, *PAIR_B):
        mine = [one for one in readings if one["configuration"] == name]
        up = [one for one in mine if one["current"] > 0.0]
        down = [one for one in mine if one["current"] < 0.0]
        if not (up and down):
            raise AnalysisError(
                f"run {uid}: {name} needs a finite reading in each direction of current; "
                f"there are {len(up)} and {len(down)}"
            )
        v_up, i_up = fmean(x["voltage"] for x in up), fmean(x["current"] for x in up)
        v_down = fmean(x["voltage"] for x in down)
        i_down = fmean(x["current"] for x in down)
        resistance = (v_up - v_down) / (i_up - i_down)
        # A line through both readings; where it crosses no current is the offset.
        pairs[name] = Pair(resistance, (v_up - v_down) / 2, v_up - resistance * i_up)
    return Square(pairs, max(abs(one["current"]) for one in readings))


def analyse(
    runs: Mapping[str, list[Document]],
    of: Mapping[str, Measurement],  # noqa: ARG001 - one shape for all
) -> Measurement:
    r"""Return the sheet resistance of a film, in ohm, with its uncertainty and doubts.

    Parameters
    ----------
    runs:
        ``film``: the run with the readings.
    of:
        Nothing.

    Notes
    -----
    The uncertainty has two parts. What reciprocal pairs differ by is taken for scatter,
    pooled over both pairs, because two readings alone may agree by chance:
    :math:`u(R_i) = R_i \sqrt{(\delta_A^2 + \delta_B^2) / 2} / 2`. What all readings
    have in common, `GAIN`, is added to the outcome.
    """
    if "film" not in runs:
        raise AnalysisError("van_der_pauw: needs a run named film")
    uid = run_uid(runs["film"])
    readings = rows(runs["film"], FIELDS)
    good = [r for r in readings if finite(r["voltage"]) and finite(r["current"])]
    hits = sum(bool(one["compliance"]) for one in readings)
    doubts = [
        *quality.numbers(len(readings) - len(good), len(readings)),
        *quality.compliance(hits, len(readings)),
    ]
    if hits:
        return _at_least(good, uid, doubts)
    top = max((abs(one["current"]) for one in good), default=0.0)
    full = square([r for r in good if abs(r["current"]) >= SAME_LEVEL * top], uid)
    low = [r for r in good if abs(r["current"]) < SAME_LEVEL * top]
    third = square(low, uid) if low else None
    details: dict[str, Any] = {
        "current_A": full.current,
        "r_a_ohm": full.r_a,
        "r_b_ohm": full.r_b,
        "readings": len(readings),
    }
    if not (full.r_a > 0.0 and full.r_b > 0.0):
        doubts.append(
            f"resistances {full.r_a:.3g} and {full.r_b:.3g} ohm; both must be above 0"
        )
        guess = math.pi / math.log(2.0) * max(abs(full.r_a), abs(full.r_b))
        return _measurement(guess, guess, len(good), uid, doubts, details)
    value = sheet_resistance(full.r_a, full.r_b)
    doubts += _checks(full, third, value, details)
    std = _uncertainty(full, value)
    doubts += quality.uncertainty("sheet resistance", value, std, "ohm")
    return _measurement(value, std, len(good), uid, doubts, details)


def _at_least(
    good: Sequence[Mapping[str, Any]], uid: str, doubts: list[str]
) -> Measurement:
    """Return what a film that the source could not drive resists at least."""
    driven = [one for one in good if one["current"]]
    if not driven:
        raise AnalysisError(f"run {uid}: no current flowed in any reading")
    mean = fmean(abs(one["voltage"] / one["current"]) for one in driven)
    value = math.pi / math.log(2.0) * mean
    current = max(abs(one["current"]) for one in driven)
    details = {"current_A": current, "readings": len(good)}
    return _measurement(value, value, len(good), uid, doubts, details)


def _checks(
    full: Square, third: Square | None, value: float, details: dict[str, Any]
) -> list[str]:
    """Hold a set of readings against the rules, and note what was found."""
    doubts: list[str] = []
    polarities = []
    for name, pair in full.pairs.items():
        # The voltage without current is seen best where the current is small, and what
        # is left at the full current beside it belongs to the film or its contacts.
        constant = third.pairs[name].offset if third else 0.0
        allowed = 0.0 if third else quality.THERMOELECTRIC
        excess = max(abs(pair.offset - constant) - allowed, 0.0)
        residual = 2.0 * excess / abs(pair.signal) if pair.signal else math.inf
        polarities.append(residual)
        doubts += quality.polarity(residual, constant, name)
    reciprocal = {
        " and ".join(pair): full.reciprocity(pair) for pair in (PAIR_A, PAIR_B)
    }
    for names, residual in reciprocal.items():
        doubts += quality.reciprocity(residual, names)
    q = max(full.r_a, full.r_b) / min(full.r_a, full.r_b)
    doubts += quality.anisotropy(q)
    doubts += quality.heating(full.current**2 * value, AREA)
    details |= {
        "q": q,
        "polarity_residual": _plain(max(polarities)),
        "reciprocity_residual": _plain(max(reciprocal.values())),
        "offset_V": max((p.offset for p in full.pairs.values()), key=abs),
    }
    if third is None:
        doubts.append("no readings at a third of the current; linearity is not shown")
    elif third.r_a > 0.0 and third.r_b > 0.0:
        residual = abs(sheet_resistance(third.r_a, third.r_b) / value - 1.0)
        doubts += quality.linearity(residual, full.current, third.current)
        details["linearity_residual"] = residual
    else:
        doubts.append(
            f"at {third.current:.3g} A the resistances are {third.r_a:.3g} and "
            f"{third.r_b:.3g} ohm; both must be above 0"
        )
    return doubts


def _uncertainty(full: Square, value: float) -> float:
    """Return the standard uncertainty of sheet resistance, in ohm."""
    s_a, s_b = sensitivities(full.r_a, full.r_b)
    scatter = math.hypot(full.reciprocity(PAIR_A), full.reciprocity(PAIR_B))
    part = scatter / math.sqrt(2.0) / 2.0
    return math.hypot(s_a * full.r_a * part, s_b * full.r_b * part, GAIN * value)


def _measurement(
    value: float,
    std: float,
    readings: int,
    uid: str,
    doubts: list[str],
    details: dict[str, Any],
) -> Measurement:
    return Measurement(
        quantity="sheet_resistance",
        value=value,
        std=std,
        unit="ohm",
        method=(
            f"van der Pauw, exact equation, {readings} four-wire readings "
            f"at up to {details['current_A']:.3g} A"
        ),
        runs=(uid,),
        believed=not doubts,
        doubts=tuple(doubts),
        details=details,
    )


def _plain(number: float) -> float:
    """Return a number that JSON can say."""
    return number if math.isfinite(number) else 1e9
