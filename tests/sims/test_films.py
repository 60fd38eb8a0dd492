"""Films asked for over a pipe are those of the chemistry."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sims.films import answers
from tests.sims.physics.process import ideal

DONE = [
    ["pour", {"ink": 150.0}],
    ["spin", 2000.0, 45.0],
    ["wait", 300.0, 120.0],
    ["pour", {"sulfuric acid": 110.0, "water": 10.0}],
    ["wait", 600.0, 60.0],
    ["pour", {"water": 3000.0}],
    ["wait", 120.0, 120.0],
]


def test_a_film_is_what_is_done_to_it() -> None:
    (film,) = answers(ideal(), [json.dumps(DONE)])
    sample = ideal().new_sample("film", np.random.default_rng(0))
    sample.pour({"ink": 150.0}, 0.0)
    sample.spin(2000.0, 45.0, 45.0)
    sample.advance(345.0, 120.0)
    sample.pour({"sulfuric acid": 110.0, "water": 10.0}, 345.0)
    sample.advance(945.0, 60.0)
    sample.pour({"water": 3000.0}, 945.0)
    sample.advance(1065.0, 120.0)
    assert film["conductivity_S_cm"] == pytest.approx(sample.conductivity)
    assert film["conductivity_S_cm"] > 1000.0
    assert film["flaws"] == []
    json.dumps(film)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("no list", "JSONDecodeError"),
        ("[1]", "TypeError"),
        ('[["pour", {"vinegar": 1}]]', "KeyError: 'vinegar'"),
        ('[["spin", 2000]]', "spin [2000]: nothing that is done to a film"),
        ('[["paint", 1, 2]]', "paint [1, 2]: nothing that is done to a film"),
    ],
)
def test_what_cannot_be_done_is_an_error_and_the_next_film_is_made(
    line: str, why: str
) -> None:
    wrong, right = answers(ideal(), [line, json.dumps(DONE)])
    assert why in wrong["error"]
    assert right["conductivity_S_cm"] > 1000.0
