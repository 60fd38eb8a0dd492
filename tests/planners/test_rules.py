"""Rules between parameters: whatever is proposed keeps them, and nothing is left out."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from planners.backtest import backtest
from planners.baseline import RandomPlanner
from planners.bayes.planner import BayesPlanner
from planners.data import Candidate, Estimate, Objective, Observation, Value
from planners.question import SpaceExhausted
from planners.rules import Forbidden, Linear, OnlyIf, Rule, Span
from planners.space import Caps, Choice, Real, Space, SpaceError
from tests.conformance import SPACE, check_planner

pytestmark = pytest.mark.timeout(300)

OBJECTIVE = Objective("height", "m")
PARTS = ("polymer", "filler", "salt")


def mixture(*parts: Real, total: float = 100.0) -> Linear:
    return Linear({one.name: 1.0 for one in parts}, "percent", total, total)


def part(name: str, low: float = 0.0, high: float = 100.0, steps: int = 0) -> Real:
    return Real(name, low, high, "percent", steps=steps)


def thirds(**more: Any) -> Space:
    parts = tuple(part(name, **more) for name in PARTS)
    return Space(parts, rules=(mixture(*parts),))


ALL_KINDS = Space(
    (
        *SPACE.parameters,
        Choice("dopant", ("none", "F4TCNQ", "FeCl3")),
        Real("level", 1.0, 5.0, "percent", "log"),
        part("polymer", 20.0, 90.0),
        part("filler", 0.0, 60.0),
        part("salt", 0.0, 20.0, steps=8),
    ),
    rules=(
        Linear(dict.fromkeys(PARTS, 1.0), "percent", 100.0, 100.0),
        Linear({"filler": 1.0, "salt": 2.0}, "percent", high=70.0),
        Forbidden({"acid": ("sulfuric",), "temperature": Span("degC", above=90.0)}),
        Forbidden({"acid": ("formic",), "rinse": ("methanol",)}),
        OnlyIf("level", {"dopant": ("F4TCNQ", "FeCl3")}, 0.0, "percent"),
    ),
)


# -- every candidate keeps the rules ---------------------------------------------------

whole = st.integers(0, 10).map(float)


@st.composite
def spaces(draw: Callable[..., Any], stepped: bool | None = None) -> Space:
    """Return a space with up to four rules, or none if nothing would keep them."""
    reals = []
    for name in "abcd"[: draw(st.integers(2, 4))]:
        low = draw(whole)
        high = low + draw(st.integers(1, 10))
        steps = draw(st.integers(1, 4)) if draw(st.booleans()) or stepped else 0
        reals.append(Real(name, low, high, "g", steps=steps))
    choices = [Choice("p", ("x", "y", "z")), Choice("q", ("x", "y"))]
    if draw(st.booleans()):
        highs = {o: reals[0].low + draw(st.integers(0, 10)) for o in choices[0].options}
        one = reals[0]
        reals[0] = Real(
            "a", one.low, one.high, "g", caps=Caps("p", highs), steps=one.steps
        )
    rules: list[Rule] = []
    for _ in range(draw(st.integers(1, 4))):
        some = draw(st.lists(st.sampled_from(reals), min_size=1, unique_by=id))
        options = tuple(draw(st.lists(st.sampled_from("xy"), min_size=1, unique=True)))
        match draw(st.integers(0, 3)):
            case 0:  # somewhere between the least and the most that it can be
                least, most = (
                    sum(getattr(one, end) for one in some) for end in ("low", "high")
                )
                total = draw(st.integers(int(least), int(most)))
                rules.append(Linear({one.name: 1.0 for one in some}, "g", total, total))
            case 1:
                terms = {
                    one.name: draw(st.sampled_from([-2.0, -1.0, 0.5, 1.0]))
                    for one in some
                }
                rules.append(Linear(terms, "g", high=draw(st.integers(-20, 30))))
            case 2:
                ranges = {one.name: Span("g", above=one.low + 0.5) for one in some}
                rules.append(
                    Forbidden({draw(st.sampled_from("pq")): options, **ranges})
                )
            case _:
                name = draw(st.sampled_from([*(one.name for one in some), "q"]))
                rest = "x" if name == "q" else draw(whole)
                rules.append(OnlyIf(name, {"p": options}, rest, "g"))
    try:
        return Space((*reals, *choices), rules=tuple(rules))
    except SpaceError:
        assume(False)
        raise


@settings(max_examples=60)
@given(spaces(), st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4), st.randoms())
def test_any_positions_lead_to_a_candidate_that_keeps_the_rules(
    space: Space, positions: list[float], chance: Any
) -> None:
    options = chance.choice(list(space.combinations()))
    placed = dict(zip((one.name for one in space.reals), positions, strict=False))
    candidate = space.candidate(placed, options)
    assert space.check(candidate) == []
    # What is there already is not moved but for rounding.
    again = space.candidate(space.positions(candidate), options)
    for name, value in candidate.values.items():
        assert again.values[name] == (
            value
            if isinstance(value, str)
            else pytest.approx(value, rel=1e-6, abs=1e-6)
        )


@settings(max_examples=10)  # a second each
@given(spaces(), st.integers(0, 5))
def test_random_and_initial_candidates_keep_the_rules(space: Space, seed: int) -> None:
    for kind in (RandomPlanner, BayesPlanner):
        planner = kind(space, [OBJECTIVE], seed, 5)
        try:
            candidates = planner.propose(5, observed=[]).candidates
        except SpaceExhausted:
            continue
        assert [space.check(one) for one in candidates] == [[]] * 5
        assert len({one.id for one in candidates}) == 5


@settings(max_examples=60)
@given(spaces(stepped=True))
def test_in_steps_exactly_what_keeps_the_rules_is_listed(space: Space) -> None:
    rests = {
        rule.parameter: rule.otherwise
        for rule in space.rules
        if isinstance(rule, OnlyIf)
    }
    found = set()
    for options in product("xyz", "xy"):
        chosen = dict(zip("pq", options, strict=True))
        grids: list[list[Value]] = [
            [*(one.value(k / one.steps, space.high(one.name, chosen)) for k in range(one.steps + 1)),
             *([rests[one.name]] if one.name in rests else [])]
            for one in space.reals
        ]  # fmt: skip
        for values in product(*grids):
            named = dict(zip((one.name for one in space.reals), values, strict=True))
            one = Candidate({**named, **chosen})
            if not space.check(one):
                found.add(one.id)
    assert {one.id for one in space.listed(10**6)} == found


@pytest.mark.slow
@settings(max_examples=8)
@given(spaces(stepped=False), st.integers(0, 5))
def test_what_the_surrogate_proposes_keeps_the_rules(space: Space, seed: int) -> None:
    planner = BayesPlanner(space, [OBJECTIVE], seed, 4)
    try:
        candidates = planner.propose(4, observed=[]).candidates
        observed = [
            Observation(one, {"height": Estimate(float(int(one.id[:3], 16)), 1.0)})
            for one in candidates
        ]
        proposal = planner.propose(3, observed=observed)
    except SpaceExhausted:
        return
    assert [space.check(one) for one in proposal.candidates] == [[]] * 3


@pytest.mark.slow
def test_planners_keep_their_promises_in_a_space_with_rules() -> None:
    for kind in (RandomPlanner, BayesPlanner):
        check_planner(
            lambda seed, kind=kind: kind(  # type: ignore[misc]
                ALL_KINDS,
                [Objective("conductivity", "S/cm", "maximise", "log")],
                seed,
                4,
            ),
            ALL_KINDS,
        )


# -- mixtures --------------------------------------------------------------------------


@given(st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3))
def test_a_mixture_is_whole_to_nine_digits(positions: list[float]) -> None:
    placed = dict(zip(PARTS, positions, strict=True))
    values = thirds().candidate(placed, {}).values
    assert sum(map(float, values.values())) == pytest.approx(100.0, abs=1e-7)


def test_the_widest_component_takes_up_the_remainder() -> None:
    parts = (part("base"), part("dye", 0.0, 1.0), part("salt", 0.0, 20.0))
    space = Space(parts, rules=(mixture(*parts),))
    at = {"base": 0.878, "dye": 0.12345678, "salt": 0.09}
    values = space.candidate(at, {}).values
    digits = {
        name: len(f"{value}".replace(".", "").strip("0"))
        for name, value in values.items()
    }
    assert digits["dye"] <= 4 < digits["base"]
    assert digits["salt"] <= 4
    assert math.fsum(map(float, values.values())) == pytest.approx(100.0, abs=1e-9)


def test_a_mixture_in_steps_of_five_percent() -> None:
    space = thirds(steps=20)
    listed = space.listed(30_000)
    assert len(listed) == 22 * 21 // 2  # 20 steps among three
    candidate = space.candidate(dict.fromkeys(PARTS, 1 / 3), {})
    assert sorted(map(float, candidate.values.values())) == [30.0, 35.0, 35.0]


def test_more_steps_than_can_be_listed_are_still_kept() -> None:
    names = "abcdef"
    parts = tuple(part(name, steps=1000) for name in names)
    space = Space(parts, rules=(mixture(*parts),))
    for candidate in (
        RandomPlanner(space, [OBJECTIVE], 0).propose(5, observed=[]).candidates
    ):
        assert space.check(candidate) == []


def test_random_mixtures_are_spread_evenly() -> None:
    """Of a triangle, a ninth is in each corner that reaches to two thirds."""
    (region,) = thirds().regions({})
    points = region.draw(np.random.default_rng(0), 4000)
    assert np.abs(points.sum(axis=1) - 1.0).max() < 1e-9
    assert (points > 2 / 3).mean(axis=0) == pytest.approx([1 / 9] * 3, abs=0.015)


def test_the_initial_design_fills_a_mixture() -> None:
    space = thirds()
    farthest = {}
    for kind in (RandomPlanner, BayesPlanner):
        made = kind(space, [OBJECTIVE], 1, 12).propose(12, observed=[]).candidates
        points = np.array([[float(v) for v in one.values.values()] for one in made])
        apart = np.linalg.norm(points[:, None] - points[None], axis=-1) + 1e9 * np.eye(
            12
        )
        farthest[kind] = apart.min()
    assert farthest[BayesPlanner] > 2.0 * farthest[RandomPlanner]


@pytest.mark.parametrize(
    "rules",
    [
        (Linear(dict.fromkeys(PARTS, 1.0), "percent", 60.0, 60.0),),  # all at their lows
        (Linear({"polymer": 1.0}, "percent", high=20.0),
         Linear({"filler": 1.0, "salt": 1.0}, "percent", low=200.0)),
        (Linear(dict.fromkeys(PARTS, 1.0), "percent", low=100.0),
         Linear(dict.fromkeys(PARTS, 1.0), "percent", high=100.0)),
        (Linear(dict.fromkeys(PARTS, 1.0), "percent", 100.0, 100.0),
         Linear(dict.fromkeys(PARTS, 2.0), "percent", 200.0, 200.0)),
    ],
)  # fmt: skip
def test_what_rules_leave_no_room_around_is_still_searched(
    rules: tuple[Rule, ...],
) -> None:
    parts = tuple(part(name, low=20.0) for name in PARTS)
    space = Space((*parts, Real("dwell", 0.0, 60.0, "s")), rules=rules)
    for kind in (RandomPlanner, BayesPlanner):
        made = kind(space, [OBJECTIVE], 0, 6).propose(6, observed=[]).candidates
        assert [space.check(one) for one in made] == [[]] * 6
        assert len({one.values["dwell"] for one in made}) == 6


def edge(candidate: Candidate) -> float:
    """Be best at 70, 30 and 0 percent: on an edge, at 0.98."""
    a, b, c = (float(candidate.values[name]) / 100.0 for name in PARTS)
    return 1.0 - (a - 0.7) ** 2 - (b - 0.3) ** 2 - 0.5 * (c + 0.2) ** 2


@pytest.mark.slow
def test_an_optimum_on_the_edge_of_a_mixture_is_found() -> None:
    space = thirds()
    best = {}
    for kind in (RandomPlanner, BayesPlanner):
        found = backtest(
            kind(space, [OBJECTIVE], 0, 5),
            lambda one: {"height": Estimate(edge(one), 0.001)},
            edge,
            OBJECTIVE,
            trials=15,
        )
        best[kind] = found.best_so_far[-1]
    assert best[BayesPlanner] == pytest.approx(0.98, abs=0.002)
    assert best[BayesPlanner] > best[RandomPlanner]


# -- what must not meet, and what does not count ---------------------------------------


def test_forbidden_options_are_never_combined() -> None:
    space = Space(
        (Choice("acid", ("nitric", "acetic")), Choice("rinse", ("water", "acetone"))),
        rules=(Forbidden({"acid": ("nitric",), "rinse": ("acetone",)}),),
    )
    for kind in (RandomPlanner, BayesPlanner):
        made = kind(space, [OBJECTIVE], 0, 3).propose(3, observed=[]).candidates
        assert {tuple(one.values.values()) for one in made} == {
            ("nitric", "water"),
            ("acetic", "water"),
            ("acetic", "acetone"),
        }
        with pytest.raises(SpaceExhausted):
            kind(space, [OBJECTIVE], 0, 3).propose(4, observed=[])


def test_two_ranges_that_must_not_meet_leave_both_sides_to_be_looked_at() -> None:
    """The best place is in the corner that is cut off; its neighbours are the best left."""
    hot, long = Real("hot", 0.0, 100.0, "degC"), Real("long", 1.0, 100.0, "s", "log")
    corner = Forbidden({"hot": Span("degC", above=90.0), "long": Span("s", above=10.0)})
    space = Space((hot, long), rules=(corner,))
    assert len(space.regions({})) == 2
    found = RandomPlanner(space, [OBJECTIVE], 0).propose(40, observed=[]).candidates
    assert any(float(one.values["hot"]) > 90.0 for one in found)
    assert any(float(one.values["long"]) > 10.0 for one in found)


def test_what_does_not_count_makes_no_other_candidate() -> None:
    at = {
        "concentration": 0.5,
        "temperature": 0.5,
        "polymer": 0.6,
        "filler": 0.5,
        "salt": 0.5,
    }
    options = {"acid": "acetic", "rinse": "water", "dopant": "none"}
    one, other = (ALL_KINDS.candidate({**at, "level": u}, options) for u in (0.1, 0.9))
    assert one == other
    assert one.values["level"] == 0.0
    assert ALL_KINDS.positions(one)["level"] == 0.0
    with_it = ALL_KINDS.candidate({**at, "level": 0.9}, {**options, "dopant": "FeCl3"})
    assert float(with_it.values["level"]) > 4.0


def test_a_choice_that_does_not_count_is_fixed_and_so_is_what_depends_on_it() -> None:
    space = Space(
        (
            Choice("coat", ("none", "spin", "dip")),
            Choice("solvent", ("water", "toluene")),
            Real("drying", 10.0, 60.0, "s"),
        ),
        rules=(
            OnlyIf("solvent", {"coat": ("spin", "dip")}, "water"),
            OnlyIf("drying", {"solvent": ("toluene",)}, 0.0, "s"),
        ),
    )
    assert len(list(space.combinations())) == 5
    chosen = {"coat": "none", "solvent": "toluene"}
    assert space.candidate({"drying": 0.5}, chosen).values == {
        "coat": "none", "solvent": "water", "drying": 0.0,
    }  # fmt: skip


# -- what is refused -------------------------------------------------------------------


def broken(rule: Rule, **values: Value) -> list[str]:
    reals = (part("a"), part("b"), Choice("p", ("x", "y")))
    return Space(reals, rules=(rule,)).check(
        Candidate({"a": 40.0, "b": 50.0, "p": "x", **values})
    )


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Linear({"a": 1.0, "b": 1.0}, "percent", 100.0, 100.0), "a + b: 90 percent is not 100 percent"),
        (Linear({"a": 1.0, "b": 2.0}, "percent", high=60.0), "a + 2 b: 140 percent is above 60 percent"),
        (Linear({"a": 1.0, "b": -1.0}, "percent", low=5.0), "a - b: -10 percent is below 5 percent"),
        (Forbidden({"p": ("x",), "a": Span("percent", above=30.0)}), "p x and a above 30 percent must not meet"),
        (OnlyIf("a", {"p": ("y",)}, 0.0, "percent"), "a: 40 percent is not 0 percent: a counts only if p is y"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_named_with_its_numbers(rule: Rule, message: str) -> None:
    assert broken(rule) == [message]


def test_a_third_written_with_four_digits_is_a_third() -> None:
    space = thirds()
    assert space.check(Candidate(dict.fromkeys(PARTS, 33.33))) == []
    assert space.check(Candidate(dict.fromkeys(PARTS, 33.3))) == [
        "polymer + filler + salt: 99.9 percent is not 100 percent"
    ]


def test_a_row_of_a_pool_that_breaks_a_rule_is_refused() -> None:
    space = thirds()
    rows = (
        Candidate({"polymer": 50.0, "filler": 25.0, "salt": 25.0}),
        Candidate({"polymer": 50.0, "filler": 25.0, "salt": 20.0}),
    )
    assert Space(space.parameters, rows[:1], space.rules).listed(10) == rows[:1]
    with pytest.raises(SpaceError, match=r"pool: row 2: polymer \+ filler \+ salt: 95"):
        Space(space.parameters, rows, space.rules)


P, Q = Choice("p", ("x", "y")), Choice("q", ("x", "y"))
A, B, LOG = part("a", 20.0), part("b", 30.0), Real("log", 1.0, 9.0, "percent", "log")


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([mixture(A, B, total=40.0)], r"a \+ b: is at least 50 percent, and must be 40 percent"),
        ([mixture(A, B, total=240.0)], r"a \+ b: is at most 200 percent, and must be 240 percent"),
        ([Linear({"a": 1.0}, "percent", high=10.0)], "is at least 20 percent, and must be at most 10"),
        ([Linear({"a": 1.0}, "percent", 30.0, 20.0)], "from 30 to 20 percent is empty"),
        ([Linear({"a": 1.0, "c": 1.0}, "percent", 3.0, 3.0)], "c is not a parameter of the space"),
        ([Linear({"a": 1.0, "p": 1.0}, "percent", 3.0, 3.0)], "p is not a number"),
        ([Linear({"a": 1.0, "log": 1.0}, "percent", 30.0)], "log has a log scale"),
        ([Linear({"a": 0.0}, "percent", 30.0)], "the coefficient of a is 0"),
        ([Linear({}, "percent", 30.0)], "it names no parameter"),
        ([Forbidden({"p": ("z",)})], "'z' is not among the options of p"),
        ([Forbidden({"a": ("x",)})], "a is a number, which has no option 'x'"),
        ([Forbidden({"a": Span("percent", 3.0, 2.0)})], "a is never above 3 and below 2"),
        ([Forbidden({"p": ("x", "y")})], "no candidate keeps all of them"),
        ([Forbidden({"p": ("x",)}), Forbidden({"p": ("y",), "a": Span("", above=10.0)})], "no candidate keeps"),
        ([mixture(A, B), Linear({"a": 1.0, "b": -1.0}, "percent", 60.0)], "no candidate keeps"),
        ([OnlyIf("a", {"a": ()}, 0.0)], "a cannot depend on itself"),
        ([OnlyIf("p", {"q": ("x",)}, "z")], "'z' is not among the options of p"),
        ([OnlyIf("a", {"q": ("x",)}, "z")], "'z' is no value of a"),
        ([OnlyIf("a", {"q": ("x",)}, 0.0)] * 2, "a has such a rule already"),
        ([OnlyIf("p", {"q": ("x",)}, "x"), OnlyIf("q", {"p": ("x",)}, "x")], "must stand before that of p"),
    ],
)  # fmt: skip
def test_rules_that_make_no_sense_are_refused(rules: list[Rule], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        Space((A, B, LOG, P, Q), rules=tuple(rules))


def test_steps_that_never_add_up_are_refused() -> None:
    parts = (part("a", steps=2), part("b", steps=2))
    with pytest.raises(SpaceError, match="no candidate keeps all of them"):
        Space(parts, rules=(mixture(*parts, total=75.0),))
