"""What became of an act whose end nobody saw: judged from its marks and a survey.

A plan writes a *mark* before and after whatever cannot be taken back (`irrevocable` in
`rest`): gripping, letting go, delivering a liquid, a spin, a hold. After a crash, a lost
cable or a stop, the instruments of the station are *surveyed*: asked, not moved. The two
together say what happened to the sample; where they cannot, the verdict is `UNKNOWN`, and
a person is asked. Pure: marks and survey are plain values, in and out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

WINDOW = 5.0
"""K around its set point within which a plate has held its temperature."""
EMPTY = 0.5
"""uL in a syringe that count as nothing."""
STILL = 0.02
"""Turns that an encoder may differ by although nothing has turned."""
SAME_SPIN = 0.02
"""Part of its turns that a whole spin may lack: the encoder is read in passing."""

SAME_VOLUME = 0.02
"""Part of its volume that a whole infusion may lack: the pump counts in four digits."""


class Outcome(StrEnum):
    """What became of an act, as far as the sample is concerned."""

    HAPPENED = "happened"
    DID_NOT = "did not happen"
    PARTLY = "happened in part"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Mark:
    """A point of no return: ``state`` is begun or over, ``at`` in Unix seconds.

    ``number`` of ``count``: an act may have several of a kind. ``readings`` are what
    the devices of the station last told, by role and signal.
    """

    what: str
    state: str
    at: float
    number: int = 1
    count: int = 1
    readings: Mapping[str, Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Traces:
    """What an act left behind.

    Attributes
    ----------
    parameters:
        Of the step, in the units of its plan.
    marks:
        In the order in which they were written.
    survey:
        What the devices said when they were asked, by role; nothing where one was not
        reached.
    now:
        When they were asked, Unix seconds.
    speed:
        Lab seconds per real second.
    """

    parameters: Mapping[str, Any]
    marks: Sequence[Mark]
    survey: Mapping[str, Mapping[str, Any]]
    now: float
    speed: float = 1.0

    def begun(self, what: str) -> list[Mark]:
        """Return the marks of a kind that were begun."""
        return [m for m in self.marks if m.what == what and m.state == "begun"]

    def over(self, what: str) -> list[Mark]:
        """Return the marks of a kind that were over."""
        return [m for m in self.marks if m.what == what and m.state == "over"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an act, and why that is known.

    Attributes
    ----------
    at, otherwise:
        Of a transfer: where the sample is, ``source``, ``gripper`` or ``target``; where
        it is unknown, where it is if it happened, and if it did not.
    seconds:
        Of a timed act: how long it really lasted, in lab seconds.
    question:
        What to ask a person where it is unknown; the answers are "it happened", "it
        did not" and "discard the sample".
    """

    outcome: Outcome
    why: str
    at: str = ""
    otherwise: str = ""
    seconds: float | None = None
    question: str = ""


def looks(_traces: Traces) -> Verdict:
    """Judge an act that only looks at a sample, or only warms a plate: it is done again."""
    return Verdict(Outcome.DID_NOT, "it leaves the sample as it was")


def transfer(traces: Traces) -> Verdict:
    """Judge a transfer: the sample is in the source, the gripper or the target."""
    if traces.over("release"):
        return Verdict(Outcome.HAPPENED, "the gripper had let go", at="target")
    if traces.begun("release"):
        return _gripper(traces, "release", "target", "gripper")
    if traces.over("grip"):
        return Verdict(Outcome.PARTLY, "gripped, and not let go", at="gripper")
    if traces.begun("grip"):
        return _gripper(traces, "grip", "gripper", "source")
    return Verdict(Outcome.DID_NOT, "nothing was gripped", at="source")


def put_away(traces: Traces) -> Verdict:
    """Judge the end of a transfer: the sample is in the gripper or the target."""
    if traces.over("release"):
        return Verdict(Outcome.HAPPENED, "the gripper had let go", at="target")
    if traces.begun("release"):
        return _gripper(traces, "release", "target", "gripper")
    return Verdict(Outcome.DID_NOT, "the gripper had not let go", at="gripper")


def _gripper(traces: Traces, what: str, after: str, before: str) -> Verdict:
    """Judge a gripper that was told to close or open and not heard of again."""
    state = traces.survey.get("gantry", {}).get("gripper", "unknown")
    wanted = "closed" if what == "grip" else "open"
    if state in ("open", "closed") and state != wanted:
        outcome = Outcome.DID_NOT if before == "source" else Outcome.PARTLY
        if traces.parameters.get("source") is None:
            outcome = Outcome.DID_NOT
        return Verdict(outcome, f"the gripper says it is {state}", at=before)
    if state == wanted:
        outcome = Outcome.HAPPENED if after == "target" else Outcome.PARTLY
        return Verdict(outcome, f"the gripper says it is {state}", at=after)
    source, target = traces.parameters.get("source", ""), traces.parameters["target"]
    places = {"source": source, "target": target, "gripper": "the gripper"}
    question = (
        f"Where is the sample? It happened: it is in {places[after]}. "
        f"It did not: it is in {places[before]}. To discard it, take it out by hand."
    )
    why = f"the gripper was told to be {wanted}, and has no sensor that tells more"
    return Verdict(Outcome.UNKNOWN, why, at=after, otherwise=before, question=question)


def dispense(traces: Traces) -> Verdict:
    """Judge a dispense: every round delivered, none, or some."""
    begun, over = traces.begun("deliver"), traces.over("deliver")
    if not begun:
        return Verdict(Outcome.DID_NOT, "nothing had been delivered")
    last = begun[-1]
    if over and over[-1].number == last.count:
        return Verdict(Outcome.HAPPENED, "all of it had been delivered")
    if over and over[-1].number == last.number:
        return Verdict(
            Outcome.PARTLY, f"{last.number} of {last.count} rounds delivered"
        )
    pump = traces.survey.get("pump", {})
    volume = pump.get("plunger_uL")
    before = (last.readings or {}).get("pump", {}).get("plunger")
    if volume is None or before is None or pump.get("initialised") is False:
        question = (
            "Was the liquid delivered onto the sample? It happened: all of it. "
            "It did not: none of it."
        )
        why = "the pump cannot tell where its plunger was"
        return Verdict(Outcome.UNKNOWN, why, question=question)
    if volume <= EMPTY and last.number == last.count:
        return Verdict(Outcome.HAPPENED, "the plunger has reached its end")
    if abs(volume - before) <= EMPTY and last.number == 1:
        return Verdict(Outcome.DID_NOT, f"the plunger is still at {volume:.1f} uL")
    why = f"round {last.number} of {last.count}: the plunger is at {volume:.1f} uL"
    return Verdict(Outcome.PARTLY, why)


def infuse(traces: Traces) -> Verdict:
    """Judge an infusion by what the pump has counted since it was cleared for it."""
    if traces.over("infuse"):
        return Verdict(Outcome.HAPPENED, "all of it had been infused")
    if not traces.begun("infuse"):
        return Verdict(Outcome.DID_NOT, "nothing had been infused")
    poured = traces.survey.get("syringe_pump", {}).get("infused_uL")
    if poured is None:
        question = (
            "Was the liquid infused? It happened: all of it. It did not: nothing."
        )
        why = "the pump does not tell how much it has infused"
        return Verdict(Outcome.UNKNOWN, why, question=question)
    volume = float(traces.parameters["volume"])
    why = f"the pump has counted {poured:g} uL of {volume:g} uL"
    if poured <= 0.0:
        return Verdict(Outcome.DID_NOT, why)
    whole = poured >= volume * (1.0 - SAME_VOLUME)
    return Verdict(Outcome.HAPPENED if whole else Outcome.PARTLY, why)


def spin(traces: Traces) -> Verdict:
    """Judge a spin by the turns that the encoder has counted since its mark."""
    begun, over = traces.begun("spin"), traces.over("spin")
    speed = float(traces.parameters["speed"]) / 60.0
    rate = float(traces.parameters["acceleration"]) / 60.0
    duration = float(traces.parameters["duration"])
    if over:
        return Verdict(Outcome.HAPPENED, "the spin was over", seconds=duration)
    if not begun:
        return Verdict(Outcome.DID_NOT, "the chuck had not been told to spin")
    place = traces.survey.get("spin_coater", {}).get("place_turn")
    before = (begun[-1].readings or {}).get("spin_coater", {}).get("place")
    restarted = traces.survey.get("spin_coater", {}).get("calibrated") is False
    if place is None or before is None or restarted or place < before - STILL:
        question = "Was the sample spun? It happened: fully. It did not: not at all."
        why = "the encoder does not tell how far it has turned"
        return Verdict(Outcome.UNKNOWN, why, question=question)
    turns = place - before
    if turns <= STILL:
        return Verdict(Outcome.DID_NOT, "the chuck has not turned")
    ramps = speed**2 / rate
    seconds = max(turns - ramps, 0.0) / speed
    if seconds >= duration * (1.0 - SAME_SPIN):
        why = f"the encoder counted {turns:.0f} turns"
        return Verdict(Outcome.HAPPENED, why, seconds=max(seconds, duration))
    why = f"{turns:.0f} turns instead of {speed * duration + ramps:.0f}"
    return Verdict(Outcome.PARTLY, why, seconds=seconds)


def hold(traces: Traces) -> Verdict:
    """Judge a hold: how long the sample has really been at its temperature."""
    begun, over = traces.begun("hold"), traces.over("hold")
    if not begun:
        return Verdict(Outcome.PARTLY, "the plate was not yet held", seconds=0.0)
    if over:
        seconds = (over[-1].at - begun[-1].at) * traces.speed
        return Verdict(Outcome.HAPPENED, "the hold was over", seconds=seconds)
    shown = traces.survey.get("hotplate", {}).get("temperature_degC")
    wanted = float(traces.parameters["temperature"])
    seconds = (traces.now - begun[-1].at) * traces.speed
    if shown is None:
        return Verdict(Outcome.PARTLY, "the plate cannot be asked how hot it is")
    if abs(shown - wanted) > WINDOW:
        why = f"the plate is at {shown:.1f} degC, no longer at {wanted:.1f} degC"
        return Verdict(Outcome.PARTLY, why)
    why = f"the plate has held {wanted:.1f} degC all the time"
    return Verdict(Outcome.HAPPENED, why, seconds=seconds)
