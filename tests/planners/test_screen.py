"""The first look at a large space: exact, whatever the chunks, and within the rules."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import norm
from typer.testing import CliRunner

from orchestrator.cli import app
from planners import chemistry, kept
from planners.bayes import product as products
from planners.bayes.acquisition import in_chunks
from planners.bayes.encoding import Encoding
from planners.bayes.learned import Learned
from planners.bayes.planner import BayesPlanner
from planners.bayes.product import Product
from planners.bayes.screen import Screen, device
from planners.data import Candidate, Estimate, Limit, Objective, Observation
from planners.question import BadQuestion, call_seed
from planners.rules import Forbidden, Linear, OnlyIf, Span
from planners.space import Choice, Molecule, Real, Space

pytestmark = pytest.mark.timeout(300)

HEIGHT = Objective("height", "m")
ACIDS = {"formic": "OC=O", "acetic": "CC(=O)O", "nitric": "O[N+](=O)[O-]"}
ACID = Molecule("acid", ACIDS)
X, Y = Real("x", 0.0, 1.0, "m"), Real("y", 0.0, 1.0, "m")
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As the planner has it: two threads for small matrices take ten times as long."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def names(name: str, count: int, *, ordered: bool = False) -> Choice:
    return Choice(name, tuple(f"{name}{i}" for i in range(count)), ordered)


SMALL = Space((names("a", 3), ACID, names("b", 5, ordered=True), X, Y))


def made(space: Space, count: int) -> list[Candidate]:
    """Random candidates of a space."""
    rng = np.random.default_rng(3)
    found: list[Candidate] = []
    while len(found) < count:
        options = {c.name: str(rng.choice(list(c.options))) for c in space.choices}
        options = space.counted(options)
        if space.regions(options):
            positions = {real.name: float(rng.random()) for real in space.reals}
            found.append(space.candidate(positions, options))
    return found


def height(candidate: Candidate) -> float:
    """Higher with later options, and near a third in each number."""
    total = 0.0
    for one in candidate.values.values():
        if isinstance(one, float):
            total -= (one - 0.3) ** 2
        else:
            total += math.sin(0.1 * sum(map(ord, one)))
    return total


def told(candidates: list[Candidate]) -> list[Observation]:
    return [
        Observation(c, {"height": Estimate(height(c), 0.02), "load": Estimate(len(c.id + c.values["a"]) + height(c), 0.0)})
        for c in candidates
    ]  # fmt: skip


def learned(
    space: Space,
    count: int,
    pending: int = 0,
    failed: int = 0,
    limits: tuple[Limit, ...] = (),
    goals: int = 1,
) -> Learned:
    every = made(space, count + pending + failed)
    objectives = [HEIGHT, Objective("load", "kg", "minimise")][:goals]
    return Learned(
        Encoding(space), objectives, limits, told(every[:count]),
        every[count + pending :], every[count : count + pending],
    )  # fmt: skip


def all_points(space: Space) -> torch.Tensor:
    """Every combination at the middle of the numbers."""
    middle = {real.name: 0.5 for real in space.reals}
    each = [space.candidate(middle, options) for options in space.combinations()]
    return Encoding(space).encode(each)


@pytest.mark.slow
def test_the_promise_is_the_log_of_the_expected_improvement_and_pending_counts() -> (
    None
):
    one = learned(SMALL, 12, pending=2)
    points, own = all_points(SMALL), list(one.own)
    process, belief = one.objectives[0].process, one.objectives[0].belief
    everything = torch.cat([points, one.points])
    encoding, n = one.encoding, len(points)
    mean, covariance = process.joint(
        encoding.between(everything, everything),
        encoding.between(everything, one.points[own]),
    )
    total = np.zeros(n)
    for fit, share in enumerate(belief):
        waiting = [n + i for i in one.waiting]
        seen = covariance[fit][waiting][:, waiting].numpy()
        cross = covariance[fit][:, waiting].numpy()
        variance = covariance[fit].diagonal().numpy()
        variance = variance - (cross * np.linalg.solve(seen, cross.T).T).sum(axis=1)
        deviation, at = np.sqrt(variance[:n]), mean[fit].numpy()
        u = (at[:n] - at[n:].max()) / deviation
        total += share * deviation * (u * norm.cdf(u) + norm.pdf(u))
    order = np.argsort(-total, kind="stable")
    assert belief.min() > 0.05
    found = Screen(one, CPU, kept=n).rows(points)
    assert total[found] == pytest.approx(total[order], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("goals", [1, 2])
def test_neither_chunks_nor_the_way_of_adding_up_change_what_is_found(
    goals: int,
) -> None:
    one = learned(SMALL, 12, 1, 2, (Limit("load", "kg", at_most=12.0),), goals)
    product, known = Product(SMALL, 0), one.best(1)[:, :2]
    whole = Screen(one, CPU, kept=20).combinations(product, known, 0)
    for chunk in (1, 17):
        parts = Screen(one, CPU, kept=20, chunk=chunk).combinations(product, known, 0)
        assert parts.tolist() == whole.tolist()
    single = Screen(one, CPU, kept=20, single=True).combinations(product, known, 0)
    assert single.tolist() == whole.tolist()


def test_a_combination_is_one_of_the_product_and_each_comes_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(products, "TAIL", 8)
    space = Space((names("a", 3), names("b", 7), names("c", 2), names("d", 5)))
    product = Product(space, 0)
    assert product.tails == 6
    assert product.count == product.whole == 210
    labels = product.labels(np.arange(210))
    assert labels.max(axis=0).tolist() == [2, 6, 1, 4]
    assert len(np.unique(labels, axis=0)) == 210


@pytest.mark.slow
def test_of_too_many_combinations_some_are_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(products, "EVERY", 10**4)
    monkeypatch.setattr(products, "SOME", 4000)
    space = Space(tuple(names(name, 40) for name in "abcd"))
    product = Product(space, 0)
    assert product.whole == 40**4
    assert 3000 < product.count <= 4000
    found = Screen(learned(space, 8), CPU, kept=50).combinations(
        product, torch.zeros(1, 0), 0
    )
    assert len(np.unique(found, axis=0)) == 50


@pytest.mark.slow
def test_a_space_with_more_combinations_than_can_be_counted_is_proposed_from() -> None:
    space = Space(tuple(names(f"c{i}", 10) for i in range(20)))
    planner = BayesPlanner(space, [HEIGHT], 0, 4)
    first = planner.propose(4, observed=[]).candidates
    observed = [Observation(c, {"height": Estimate(height(c), 0.0)}) for c in first]
    proposal = planner.propose(1, observed=observed)
    assert space.check(proposal.candidates[0]) == []
    assert proposal.card["screened"]["of"] == 10**20
    assert proposal.card["fallback"] is None


RULES = {
    "options that must not meet": (
        Forbidden({"a": ("a0", "a1"), "b": ("b2",)}),
        Forbidden({"acid": ("nitric",), "a": ("a2",)}),
    ),
    "options that count only with others": (
        OnlyIf("b", {"a": ("a1",), "acid": ("formic", "acetic")}, "b3"),
    ),
    "numbers that depend on options": (
        OnlyIf("x", {"a": ("a0",)}, 0.0, "m"),
        Forbidden({"acid": ("nitric",), "y": Span("m", above=0.5)}),
        Forbidden({"b": ("b4",), "y": Span("m", above=-1.0, below=9.0)}),
    ),
    "a sum, and all of these": (
        Linear({"x": 1.0, "y": 1.0}, "m", 1.0, 1.0),
        Forbidden({"a": ("a0",), "b": ("b0",)}),
        OnlyIf("acid", {"a": ("a1", "a2")}, "nitric"),
        Forbidden({"acid": ("formic",), "x": Span("m", above=0.2)}),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_the_combinations_are_those_that_the_rules_allow(
    rules: tuple[Forbidden | OnlyIf | Linear, ...],
) -> None:
    space = Space(SMALL.parameters, rules=rules)
    one = learned(space, 8)
    screen = Screen(one, CPU, kept=10**4, chunk=7)
    known = one.best(2)[:, :2].clamp(0.0, 1.0)
    labels = screen.combinations(Product(space, 0), known, 0)
    found = [one.encoding.options(label) for label in labels.tolist()]
    allowed = list(space.combinations())
    assert len(found) == len(allowed) < 45
    assert all(options in found for options in allowed)


BIG = Space((names("a", 34), names("b", 33, ordered=True), names("c", 33)))


def gains(
    planner: BayesPlanner, space: Space, count: int, points: torch.Tensor
) -> torch.Tensor:
    """The gain of all points, as the planner works it out for the first of a batch."""
    seed = int(call_seed(planner.seed, count).generate_state(1)[0])
    return in_chunks(learned(space, count).gain([], seed), points)


@pytest.mark.slow
def test_the_best_of_all_combinations_is_proposed() -> None:
    planner = BayesPlanner(BIG, [HEIGHT], 0, 0)
    proposal = planner.propose(3, observed=told(made(BIG, 12)))
    sizes = [len(choice.options) for choice in BIG.choices]
    every = torch.from_numpy(np.indices(sizes).reshape(3, -1).T.astype(float))
    best = every[gains(planner, BIG, 12, every).argmax()].tolist()
    assert dict(proposal.candidates[0].values) == planner._encoding.options(best)
    assert proposal.card["screened"] == {
        "of": 37026, "looked at": 37026, "fully": 4096, "device": "cpu",
    }  # fmt: skip
    assert proposal.card["fallback"] is None
    same = BayesPlanner(BIG, [HEIGHT], 0, 0, single=True)
    assert (
        same.propose(3, observed=told(made(BIG, 12))).candidates == proposal.candidates
    )


@pytest.mark.slow
def test_the_best_of_a_long_list_is_proposed() -> None:
    parameters = (names("a", 40), X)
    free = Space(parameters)
    rng = np.random.default_rng(0)
    listed = {
        c.id: c
        for c in (
            free.candidate({"x": x}, {"a": f"a{a}"})
            for a, x in zip(
                rng.integers(40, size=33_000), rng.random(33_000), strict=True
            )
        )
    }
    pool = tuple(listed.values())
    assert len(pool) > 30_000
    space = Space(parameters, pool)
    planner = BayesPlanner(space, [HEIGHT], 0, 0)
    observed = told(list(pool[:12]))
    proposal = planner.propose(2, observed=observed)
    seed = int(call_seed(0, 12).generate_state(1)[0])
    one = Learned(Encoding(space), [HEIGHT], (), observed, [], [])
    gain = in_chunks(one.gain([], seed), one.encoding.encode(pool))
    assert proposal.candidates[0] == pool[int(gain.argmax())]
    assert proposal.card["screened"]["of"] == len(pool)


def test_a_small_space_is_not_screened() -> None:
    proposal = BayesPlanner(SMALL, [HEIGHT], 0, 0).propose(
        1, observed=told(made(SMALL, 5))
    )
    assert "screened" not in proposal.card


@pytest.mark.parametrize("name", ["tpu", "cuda:x", "cuda:", "", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(BadQuestion, match=f"^device '{name}': "):
        device(name)


@pytest.mark.slow
def test_the_command_line_refuses_a_device_and_takes_the_processor(
    tmp_path: Path,
) -> None:
    space = tmp_path / "space.yaml"
    space.write_text(
        "space:\n"
        + "".join(
            f"  {n}: {{choice: [{', '.join(f'{n}{i}' for i in range(32))}]}}\n"
            for n in "abc"
        )
        + "objectives:\n  height: {unit: m, direction: maximise}\n"
    )
    table = tmp_path / "observed.csv"
    table.write_text("a,b,c,height [m]\na1,b2,c3,1\na2,b2,c3,2\na2,b5,c9,1.5\n")
    ask = ["propose", str(space), str(table), "-n", "2"]
    plain = CliRunner().invoke(app, ask)
    assert plain.exit_code == 0, plain.output
    single = CliRunner().invoke(app, [*ask, "--device", "cpu", "--single"])
    assert single.stdout == plain.stdout
    for name in ("quantum", "cuda:99"):
        refused = CliRunner().invoke(app, [*ask, "--device", name])
        assert refused.exit_code != 0
        assert f"--device: device '{name}'" in refused.output + str(refused.exception)


def test_molecules_are_described_alike_in_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = {
        f"{a}{b}": f"{'C' * a}C(=O){'O' * (b % 2)}C{'S' * b}"
        for a in range(5)
        for b in range(3)
    }
    table, counts = chemistry.described(pool)
    monkeypatch.setattr(chemistry, "BATCH", 4)
    again, others = chemistry.described(pool)
    assert np.array_equal(table.table, again.table)
    assert (counts != others).nnz == 0
    assert counts.sum() > 0


@pytest.mark.slow
def test_the_bench_times_combinations_and_lists() -> None:
    asked = ["bench", "proposing", "--combinations", "4e4", "--rows", "120"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert "3.84e+04 combinations" in done.output
    assert "a list of 120 candidates" in done.output


def test_descriptions_are_kept_in_a_folder_and_read_again_unless_it_is_spoilt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, counts = kept.described(ACIDS)
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv(kept.FOLDER, str(tmp_path / "new"))
    kept.described(ACIDS)
    (file,) = (tmp_path / "new").iterdir()
    whole = file.read_bytes()
    for spoilt in (b"", b"not ours", whole[: len(whole) // 2]):
        file.write_bytes(spoilt)
        kept.described(ACIDS)
        assert file.stat().st_size == len(whole)
    monkeypatch.delattr(chemistry, "described")
    again, others = kept.described(ACIDS)
    assert again.names == first.names
    assert np.array_equal(again.table, first.table)
    assert (counts != others).nnz == 0
    with pytest.raises(AttributeError):  # other molecules are described anew
        kept.described({**ACIDS, "lauric": "CCCCCCCCCCCC(=O)O"})
