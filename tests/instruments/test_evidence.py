from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from instruments.plans import evidence
from instruments.plans.evidence import Mark, Outcome, Traces

MOVE = {"source": "rack.1", "target": "chuck"}
SPIN = {"speed": 3000.0, "acceleration": 1000.0, "duration": 45.0}
HOLD = {"temperature": 120.0, "duration": 300.0}
WHOLE_SPIN = 50.0 * 45.0 + 50.0**2 / (1000.0 / 60.0)


def marks(*text: str, **readings: Mapping[str, Any]) -> list[Mark]:
    """Return marks from "grip begun", "deliver over 1/2"."""
    made = []
    for at, one in enumerate(text):
        what, state, *counted = one.split()
        number, count = (int(n) for n in (counted[0] if counted else "1/1").split("/"))
        made.append(Mark(what, state, 100.0 + at, number, count, readings))
    return made


def traces(
    parameters: Mapping[str, Any],
    *text: str,
    survey: Mapping[str, Mapping[str, Any]] | None = None,
    now: float = 200.0,
    speed: float = 1.0,
    **readings: Mapping[str, Any],
) -> Traces:
    return Traces(parameters, marks(*text, **readings), survey or {}, now, speed)


@pytest.mark.parametrize(
    ("written", "outcome", "at"),
    [
        ((), Outcome.DID_NOT, "source"),
        (("grip begun",), Outcome.UNKNOWN, "gripper"),
        (("grip begun", "grip over"), Outcome.PARTLY, "gripper"),
        (("grip begun", "grip over", "release begun"), Outcome.UNKNOWN, "target"),
        (
            ("grip begun", "grip over", "release begun", "release over"),
            Outcome.HAPPENED,
            "target",
        ),
    ],
)
def test_a_transfer_came_as_far_as_its_marks(
    written: tuple[str, ...], outcome: Outcome, at: str
) -> None:
    verdict = evidence.transfer(traces(MOVE, *written))
    assert (verdict.outcome, verdict.at) == (outcome, at)
    assert bool(verdict.question) == (outcome is Outcome.UNKNOWN)


@pytest.mark.parametrize(
    ("written", "gripper", "outcome", "at"),
    [
        (("grip begun",), "closed", Outcome.PARTLY, "gripper"),
        (("grip begun",), "open", Outcome.DID_NOT, "source"),
        (("grip over", "release begun"), "open", Outcome.HAPPENED, "target"),
        (("grip over", "release begun"), "closed", Outcome.PARTLY, "gripper"),
    ],
)
def test_a_gripper_that_tells_its_state_leaves_no_question(
    written: tuple[str, ...], gripper: str, outcome: Outcome, at: str
) -> None:
    survey = {"gantry": {"gripper": gripper}}
    verdict = evidence.transfer(traces(MOVE, *written, survey=survey))
    assert (verdict.outcome, verdict.at) == (outcome, at)


@pytest.mark.parametrize(
    ("written", "volume", "outcome"),
    [
        ((), 0.0, Outcome.DID_NOT),
        (("deliver begun",), 0.0, Outcome.HAPPENED),
        (("deliver begun",), 160.0, Outcome.DID_NOT),
        (("deliver begun",), 80.0, Outcome.PARTLY),
        (("deliver begun",), None, Outcome.UNKNOWN),
        (("deliver begun", "deliver over"), None, Outcome.HAPPENED),
        (("deliver begun 1/2", "deliver over 1/2"), 0.0, Outcome.PARTLY),
        (("deliver over 1/2", "deliver begun 2/2"), 160.0, Outcome.PARTLY),
        (("deliver over 1/2", "deliver begun 2/2"), 0.0, Outcome.HAPPENED),
    ],
)
def test_the_plunger_tells_how_much_was_delivered(
    written: tuple[str, ...], volume: float | None, outcome: Outcome
) -> None:
    survey = {} if volume is None else {"pump": {"plunger_uL": volume}}
    before = {"plunger": 160.0}
    verdict = evidence.dispense(traces({}, *written, survey=survey, pump=before))
    assert verdict.outcome is outcome


@pytest.mark.parametrize(
    ("turned", "outcome"),
    [
        (0.0, Outcome.DID_NOT),
        (100.0, Outcome.PARTLY),
        (WHOLE_SPIN, Outcome.HAPPENED),
        (WHOLE_SPIN + 0.7, Outcome.HAPPENED),  # and turned on to its park angle
        (-5.0, Outcome.UNKNOWN),  # the encoder began anew
    ],
)
def test_the_encoder_tells_how_far_a_spin_came(turned: float, outcome: Outcome) -> None:
    survey = {"spin_coater": {"place_turn": 7.0 + turned}}
    before = {"place": 7.0}
    verdict = evidence.spin(
        traces(SPIN, "spin begun", survey=survey, spin_coater=before)
    )
    assert verdict.outcome is outcome


def test_a_spin_cut_short_says_how_long_it_lasted() -> None:
    survey = {"spin_coater": {"place_turn": 50.0 * 20.0 + 150.0}}
    verdict = evidence.spin(
        traces(SPIN, "spin begun", survey=survey, spin_coater={"place": 0.0})
    )
    assert verdict.seconds == pytest.approx(20.0)


def test_a_plate_still_hot_has_held_all_the_time() -> None:
    survey = {"hotplate": {"temperature_degC": 118.0}}
    verdict = evidence.hold(traces(HOLD, "hold begun", survey=survey, now=400.0))
    assert (verdict.outcome, verdict.seconds) == (Outcome.HAPPENED, 300.0)


@pytest.mark.parametrize("shown", [60.0, None])
def test_of_a_plate_that_cooled_nobody_knows_when(shown: float | None) -> None:
    survey = {} if shown is None else {"hotplate": {"temperature_degC": shown}}
    verdict = evidence.hold(traces(HOLD, "hold begun", survey=survey))
    assert (verdict.outcome, verdict.seconds) == (Outcome.PARTLY, None)


def test_lab_seconds_pass_faster_on_a_bench() -> None:
    verdict = evidence.hold(traces(HOLD, "hold begun", "hold over", speed=200.0))
    assert verdict.seconds == pytest.approx(200.0)
