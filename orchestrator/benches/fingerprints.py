"""What each operation leaves in the journals of its instruments when it is carried out.

========================= =============================================================
operation                 fingerprint, in the journal of its instrument
========================= =============================================================
transfer                  the sample ``gripped`` at the source, ``released`` at the target
put_away                  the sample ``released`` at the target
dispense, rinse           ``poured`` on the sample, in as many rounds as it takes: the
                          volume asked for
spin                      ``spun``, the sample, at the speed and as long as asked for
heat, reach, hold         the heater on at the temperature, and the sample in the slot;
                          as long as asked for
impedance                 the heater on at the highest temperature, as long as its
                          equilibrium takes
polarise                  ``output on``, at the voltage asked for
van_der_pauw              ``output on`` and ``relays closed``
step_height               ``scan dropped``, the sample
light, weigh              none: a power meter and a balance write no reading down
========================= =============================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import StrEnum

from orchestrator.benches.story import Line, Told
from orchestrator.station.acts import ActState

VOLUME = 0.05
"""Share by which a poured volume may differ: the pump counts increments."""
SPEED = 0.05
"""Share by which the plateau of a spin may differ."""
TEMPERATURE = 0.06
"""degC by which a set temperature may differ: a hotplate takes tenths."""
TIME = 0.98
"""Share of a duration that counts as all of it."""

ONCE = ("dispense", "rinse", "spin", "heat", "hold")
"""Operations that must not be carried out twice for one step on one sample."""


class Trace(StrEnum):
    """How much of an act the journals show."""

    WHOLE = "whole"
    PART = "part"
    NONE = "none"


def trace(told: Told, everything: Sequence[Line], speed: float) -> Trace:
    """Return how much of an act was carried out, by the instruments' own account.

    Parameters
    ----------
    told:
        The act with its lines.
    everything:
        All lines, in order: how long a heater has been on is not in the act's own.
    speed:
        Lab seconds per second.
    """
    check = _CHECKS.get(told.act.operation)
    return Trace.WHOLE if check is None else check(told, everything, speed)


def _transfer(told: Told, _everything: Sequence[Line], _speed: float) -> Trace:
    wanted = told.act.parameters
    gripped = told.having("gripped", sample=told.sample, slot=wanted["source"])
    released = told.having("released", sample=told.sample, slot=wanted["target"])
    if gripped and released and released[-1].wall >= gripped[0].wall:
        return Trace.WHOLE
    return Trace.PART if gripped or released else Trace.NONE


def _put_away(told: Told, _everything: Sequence[Line], _speed: float) -> Trace:
    slot = told.act.parameters["target"]
    there = told.having("released", sample=told.sample, slot=slot)
    return Trace.WHOLE if there else Trace.NONE


def _pour(told: Told, _everything: Sequence[Line], _speed: float) -> Trace:
    wanted = sum(one["volume"] for one in told.act.parameters["portions"])
    poured = poured_volume(told)
    if math.isclose(poured, wanted, rel_tol=VOLUME):
        return Trace.WHOLE
    return Trace.PART if poured > 0.0 else Trace.NONE


def poured_volume(told: Told) -> float:
    """Return what was poured on the act's sample, uL."""
    there = told.having("poured", sample=told.sample)
    return sum(sum(line.facts["parts"].values()) for line in there)


def _spin(told: Told, _everything: Sequence[Line], _speed: float) -> Trace:
    wanted = told.act.parameters
    spun = told.having("spun", sample=told.sample)
    for line in spun:
        near = math.isclose(line.facts["rpm"], wanted["speed"], rel_tol=SPEED)
        if near and line.facts["seconds"] >= TIME * wanted["duration"]:
            return Trace.WHOLE
    return Trace.PART if spun or told.having("spinning") else Trace.NONE


def _heat(told: Told, everything: Sequence[Line], speed: float) -> Trace:
    return _held(told, everything, speed, told.act.parameters.get("duration", 0.0))


def _spectra(told: Told, everything: Sequence[Line], speed: float) -> Trace:
    return _held(told, everything, speed, told.act.parameters["equilibrium"])


def _held(
    told: Told, everything: Sequence[Line], speed: float, duration: float
) -> Trace:
    """Return whether the act's temperature was set for ``duration`` lab seconds."""
    wanted = told.act.parameters
    until = _until(told)
    began = told.act.sent or 0.0
    hot, since = 0.0, math.inf
    for line in everything:
        heater = line.event in ("heater on", "heater off")
        if line.wall > until or not heater or line.instrument not in told.instruments:
            continue
        set_to = line.facts.get("set_temperature", math.nan)
        if (
            line.event == "heater on"
            and abs(set_to - wanted["temperature"]) <= TEMPERATURE
        ):
            since = min(since, max(line.wall, began))
        elif since < math.inf:
            hot += max(line.wall - max(since, began), 0.0)
            since = math.inf
    if since < math.inf:
        hot += until - since
    if hot <= 0.0:
        return Trace.NONE
    return Trace.WHOLE if hot * speed >= TIME * duration else Trace.PART


def _until(told: Told) -> float:
    """Return when an act was over; one that was cut short may run on without us."""
    ended = told.act.ended if told.act.state is ActState.DONE else None
    return told.end if ended is None else ended


def _probe(told: Told, _everything: Sequence[Line], _speed: float) -> Trace:
    on, closed = told.having("output on"), told.having("relays closed")
    if on and closed:
        return Trace.WHOLE
    return Trace.PART if on or closed else Trace.NONE


def _polarise(told: Told, _everything: Sequence[Line], _speed: float) -> Trace:
    wanted = told.act.parameters["voltage"]
    on = told.having("output on", function="VOLT")
    near = any(math.isclose(line.facts["level"], wanted, rel_tol=0.01) for line in on)
    return Trace.WHOLE if near else Trace.NONE


def _scan(told: Told, everything: Sequence[Line], _speed: float) -> Trace:
    until = _until(told)
    there = any(
        line.event == "scan dropped"
        and line.facts["sample"] == told.sample
        and line.wall <= until
        for line in everything
    )
    return Trace.WHOLE if there else Trace.NONE


_CHECKS: dict[str, Callable[[Told, Sequence[Line], float], Trace]] = {
    "transfer": _transfer,
    "put_away": _put_away,
    "dispense": _pour,
    "rinse": _pour,
    "spin": _spin,
    "heat": _heat,
    "reach": _heat,
    "hold": _heat,
    "impedance": _spectra,
    "polarise": _polarise,
    "van_der_pauw": _probe,
    "step_height": _scan,
}
