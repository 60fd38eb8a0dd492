"""The space, and its encoding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planners.bayes.encoding import Encoding
from planners.data import Candidate, Value
from planners.space import Caps, Choice, Molecule, Real, Space, SpaceError
from tests.conformance import SPACE

ENCODING = Encoding(SPACE)
positions = st.floats(0.0, 1.0)
options = st.sampled_from(list(SPACE.combinations()))


@given(positions, positions, options)
def test_every_point_of_the_cube_is_a_candidate_of_the_space(
    u: float, v: float, chosen: dict[str, str]
) -> None:
    assert SPACE.check(ENCODING.decode(np.array([u, v]), chosen)) == []


@given(positions, positions, options)
def test_encoding_a_decoded_point_gives_it_back_but_for_rounding(
    u: float, v: float, chosen: dict[str, str]
) -> None:
    candidate = ENCODING.decode(np.array([u, v]), chosen)
    point = ENCODING.encode([candidate])[0].numpy()
    # Four digits of 0.1 to 18.4 on a log scale; and formic acid has no room at all.
    room = chosen["acid"] != "formic"
    assert point[:2] == pytest.approx([u if room else 0.0, v], abs=1e-3)
    assert ENCODING.decode(point[:2], chosen) == candidate
    assert np.all((point[:2] >= 0) & (point[:2] <= 1))
    assert ENCODING.options(point[2:]) == chosen


def test_a_pool_must_be_of_the_space() -> None:
    real = Real("x", 0.0, 1.0, "m")
    rows = (Candidate({"x": 0.5}), Candidate({"x": 1.5}))
    with pytest.raises(SpaceError, match=r"space.pool: row 2: x: 1.5 m is outside"):
        Space((real,), rows)


def test_the_upper_bound_is_that_of_the_stock_to_its_last_digit() -> None:
    candidate = SPACE.candidate(
        {"concentration": 1.0, "temperature": 0.0}, {"acid": "acetic", "rinse": "water"}
    )
    assert candidate.values["concentration"] == 17.43
    near = Real("x", 0.10004, 0.20004, "m")
    assert near.value(0.0, 0.20006) == 0.10004
    assert near.value(1.0, 0.19996) == 0.19996


def test_what_is_outside_the_space_is_named_with_its_bounds() -> None:
    values: dict[str, Value] = {
        "acid": "acetic",
        "concentration": 18.0,
        "temperature": 20.0,
        "rinse": "water",
    }
    assert SPACE.check(Candidate(values)) == [
        "concentration: 18 mol/L is outside 0.1 to 17.4321 mol/L",
        "temperature: 20 degC is outside 25 to 62 degC",
    ]
    assert SPACE.check(Candidate({**values, "acid": "lime"})) == [
        "acid: 'lime' is not among its options"
    ]
    assert "dwell: not a parameter" in SPACE.check(Candidate({**values, "dwell": 1.0}))
    assert SPACE.check(Candidate({**values, "concentration": "much"})) == [
        "concentration: 'much' is not a number",
        "temperature: 20 degC is outside 25 to 62 degC",
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Space(()), "no parameter to vary"),
        (lambda: Real("dwell", 600.0, 30.0, "s"), "space.dwell: from 600 to 30 s is empty"),
        (lambda: Real("dwell", 0.0, 30.0, "s", "log"), "must begin above 0"),
        (lambda: Real("dwell", 0.0, float("nan"), "s"), "not finite"),
        (lambda: Molecule("acid", {}), "space.acid: no molecule"),
        (lambda: Choice("rinse", ()), "space.rinse: no option"),
        (lambda: Choice("rinse", ("a", "a")), "named twice"),
        (lambda: Space((Choice("x", ("a",)), Real("x", 0.0, 1.0, "m"))), "space.x: named twice"),
        (lambda: Real("c", 1.0, 2.0, "mol/L", caps=Caps("acid", {"lime": 0.5})), "0.5 mol/L is the most for 'lime'"),
        (lambda: Space((Real("c", 1.0, 2.0, "mol/L", caps=Caps("acid", {})),)), "depends on 'acid'"),
    ],
)  # fmt: skip
def test_a_space_that_makes_no_sense_is_refused(
    make: Callable[[], object], message: str
) -> None:
    with pytest.raises(SpaceError, match=message):
        make()


# -- steps and order -----------------------------------------------------------------

CYCLES = Real("cycles", 1.0, 8.0, "1", steps=7)
DILUTION = Real("dilution", 1e-3, 1.0, "1", "log", steps=3)


def test_seven_steps_from_one_to_eight_are_whole_numbers() -> None:
    assert [CYCLES.value(u, 8.0) for u in (0.0, 0.4, 0.5, 1.0)] == [1.0, 4.0, 5.0, 8.0]
    assert [DILUTION.value(k / 3, 1.0) for k in range(4)] == [1e-3, 1e-2, 1e-1, 1.0]
    large = Real("counts", 0.0, 123_456_789.0, "1", steps=123_456_789)
    assert large.value(0.5, large.high) == 61_728_394.0


@given(positions)
def test_what_lies_between_steps_is_none_of_them(u: float) -> None:
    value = CYCLES.value(u, 8.0)
    assert value == int(value)
    assert CYCLES.allows(value, 8.0)
    assert not CYCLES.allows(min(value, 7.0) + 0.5, 8.0)


def test_what_is_off_the_steps_is_outside_the_space() -> None:
    space = Space((CYCLES,))
    assert space.check(Candidate({"cycles": 2.5})) == [
        "cycles: 2.5 1 is none of the 7 steps from 1 to 8 1"
    ]
    with pytest.raises(SpaceError, match=r"-1 steps, which must not be below 0"):
        Real("x", 0.0, 1.0, "m", steps=-1)


def test_a_space_of_steps_is_listed_if_it_is_small() -> None:
    space = Space((CYCLES, DILUTION, Choice("rinse", ("water", "methanol"))))
    listed = space.listed(64)
    assert len({one.id for one in listed}) == 8 * 4 * 2
    assert all(space.check(one) == [] for one in listed)
    assert space.listed(63) == ()
    assert Space((*space.parameters, Real("x", 0.0, 1.0, "m"))).listed(10**9) == ()


def test_neighbours_of_an_ordered_choice_are_more_alike() -> None:
    grades = ("coarse", "medium", "fine")
    between = {}
    for ordered in (True, False):
        encoding = Encoding(Space((Choice("grade", grades, ordered),)))
        points = encoding.encode([Candidate({"grade": one}) for one in grades])
        between[ordered] = encoding.between(points, points)[0].tolist()
    assert between[True] == [[0.0, 0.25, 1.0], [0.25, 0.0, 0.25], [1.0, 0.25, 0.0]]
    assert between[False] == [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
