"""A forest gives a second opinion of the surrogate, the same for the same seed."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from planners.bayes.encoding import Encoding
from planners.bayes.forest import FEWEST, MOST, Forest, features, second_opinion
from planners.bayes.surrogate import fit
from planners.space import Choice, Molecule, Real, Space

SPACE = Space(
    (
        Real("x", 0.0, 2.0, "m"),
        Choice("gas", ("air", "argon", "nitrogen")),
        Molecule(
            "acid", {"acetic": "CC(=O)O", "formic": "OC=O", "oxalic": "OC(=O)C(=O)O"}
        ),
    )
)
RNG = np.random.default_rng(0)


def line(n: int) -> tuple[Encoding, torch.Tensor, np.ndarray]:
    encoding = Encoding(Space((Real("x", 0.0, 1.0, "m"),)))
    points = torch.from_numpy(RNG.random((n, 1)))
    return encoding, points, points[:, 0].numpy() + 0.1 * RNG.standard_normal(n)


def opinion(n: int) -> dict[str, float] | None:
    encoding, points, values = line(n)
    apart = encoding.between(points, points)
    surrogate = fit(apart, values, np.zeros(n), {"": [True]})
    return second_opinion(surrogate, encoding, points, values, 0)


def test_a_real_an_option_and_a_molecule_become_columns() -> None:
    encoding = Encoding(SPACE)
    made = [
        SPACE.candidate({"x": 0.5}, {"gas": gas, "acid": acid})
        for gas, acid in [("air", "formic"), ("argon", "formic"), ("argon", "oxalic")]
    ]
    columns = features(encoding, encoding.encode(made))
    assert columns[:, 0] == pytest.approx(0.5)
    assert columns[:, 1:4].tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]
    assert (columns[0, 4:] == columns[1, 4:]).all()
    assert (columns[1, 4:] != columns[2, 4:]).any()


def test_the_same_seed_grows_the_same_forest_and_leaves_global_numbers_alone() -> None:
    _, points, values = line(20)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, other = (Forest(points.numpy(), values, seed=3) for _ in range(2))
    assert (one.mean == other.mean).all()
    assert one.log_score == other.log_score
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    assert (Forest(points.numpy(), values, seed=4).mean != one.mean).any()


def test_scaling_the_target_moves_the_log_score_by_its_logarithm() -> None:
    _, points, values = line(20)
    one = Forest(points.numpy(), values, 0)
    other = Forest(points.numpy(), 8.0 * values, 0)
    assert other.log_score == pytest.approx(one.log_score - np.log(8.0))


def test_what_is_held_out_has_not_been_seen() -> None:
    columns = RNG.random((60, 1))
    noise = RNG.standard_normal(60)
    forest = Forest(columns, noise, 0)
    # Of pure noise nothing can be told; what trees have seen they repeat.
    assert abs(np.corrcoef(forest.mean, noise)[0, 1]) < 0.5
    assert np.corrcoef(forest.predict(columns)[0], noise)[0, 1] > 0.8
    assert forest.noise > 0.5


def test_both_see_the_same_line() -> None:
    found = opinion(40)
    assert found is not None
    assert found["agrees"] > 0.8
    assert found["process log_score"] > 0.0
    assert found["forest log_score"] == pytest.approx(
        found["process log_score"], abs=1.0
    )


@pytest.mark.parametrize("n", [FEWEST - 1, MOST + 1])
def test_of_few_and_of_very_many_there_is_no_second_opinion(n: int) -> None:
    assert opinion(n) is None


def test_targets_all_alike_have_no_second_opinion() -> None:
    encoding, points, _ = line(12)
    values = np.ones(12)
    apart = encoding.between(points, points)
    surrogate = fit(apart, values, np.zeros(12), {"": [True]})
    assert second_opinion(surrogate, encoding, points, values, 0) is None


@pytest.mark.slow
def test_importing_the_planner_does_not_import_a_forest() -> None:
    text = "import planners.bayes.forest, sys; print('sklearn.ensemble' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
