"""What is promised at the necks, as functions that any implementation can be held to."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from planners.data import Candidate, Estimate, Objective, Observation
from planners.protocol import Planner
from planners.question import BadQuestion
from planners.space import Caps, Choice, Molecule, Real, Space

SPACE = Space(
    (
        Molecule("acid", {"sulfuric": "OS(=O)(=O)O", "acetic": "CC(=O)O", "formic": "OC=O"}),
        Real("concentration", 0.1, 18.4, "mol/L", "log",
             Caps("acid", {"sulfuric": 18.4, "acetic": 17.4321, "formic": 0.1})),
        Real("temperature", 25.0, 160.0, "degC", "linear",
             Caps("acid", {"sulfuric": 160.0, "acetic": 62.0, "formic": 38.0})),
        Choice("rinse", ("water", "methanol")),
    )
)  # fmt: skip
OBJECTIVES = (Objective("conductivity", "S/cm", "maximise", "log"),)

Make = Callable[[int], Planner]
"""Makes the planner for `SPACE` and `OBJECTIVES`, given a seed."""


def observations(candidates: Sequence[Candidate]) -> list[Observation]:
    """Invent an observation of each, different for each."""
    return [
        Observation(c, {"conductivity": Estimate(10.0 + int(c.id[:4], 16), 1.0)})
        for c in candidates
    ]


def history(make: Make, trials: int = 6) -> list[Observation]:
    """Run a short campaign."""
    observed: list[Observation] = []
    for _ in range(trials):
        observed += observations(make(0).propose(1, observed=observed).candidates)
    return observed


def check_planner(make: Make, space: Space = SPACE) -> None:
    """Hold a planner to `planners.protocol.Planner`. Fast part; see also `fresh`.

    ``space`` is the one that it is made for, if it is another.
    """
    observed = history(make)
    for told in (observed[:0], observed[:1], observed):
        for n in (1, 3):
            candidates = make(0).propose(n, observed=told).candidates
            assert len(candidates) == n
            assert len({c.id for c in candidates} | {o.candidate.id for o in told}) == (
                n + len(told)
            ), "a candidate was asked for twice"
            for candidate in candidates:
                assert space.check(candidate) == []
                assert {type(v) for v in candidate.values.values()} <= {float, str}

    same = make(0).propose(2, observed=observed)
    assert make(0).propose(2, observed=observed) == same
    # Once much is known, two seeds may agree.
    first, other = (make(seed).propose(2, observed=[]) for seed in (0, 1))
    assert first.candidates != other.candidates
    json.dumps(same.card, allow_nan=False)

    pending, failed = list(same.candidates[:1]), list(same.candidates[1:])
    before = copy.deepcopy((observed, pending, failed))
    planner = make(0)
    after = planner.propose(2, observed=observed, pending=pending, failed=failed)
    assert (observed, pending, failed) == before, "the arguments were changed"
    assert after.candidates != same.candidates, "what is pending changes nothing"
    assert not {c.id for c in after.candidates} & {c.id for c in same.candidates}
    again = planner.propose(2, observed=observed, pending=pending, failed=failed)
    assert again == after, "the planner remembers"

    with pytest.raises(BadQuestion, match="at least 1"):
        make(0).propose(0, observed=observed)
    for value in (float("nan"), float("inf"), 0.0):
        bad = Observation(observed[0].candidate, {"conductivity": Estimate(value, 1.0)})
        with pytest.raises(BadQuestion, match=observed[0].candidate.id):
            make(0).propose(1, observed=[bad])
    flat = [Observation(o.candidate, observed[0].estimates) for o in observed]
    assert len(make(0).propose(1, observed=flat + flat).candidates) == 1


def fresh(make: str, observed: Sequence[Observation]) -> list[dict[str, Any]]:
    """Return what a planner proposes in another process that did other things first.

    ``make`` is Python that binds ``planner``.
    """
    script = f"""
import json, sys
import numpy, random
from tests.conformance import OBJECTIVES, SPACE, Candidate, Estimate, Observation
random.seed(1); numpy.random.seed(2)
{make}
if "torch" in sys.modules:
    import torch
    torch.manual_seed(3); torch.set_num_threads(2)
observed = [Observation(Candidate(v), {{"conductivity": Estimate(e, 1.0)}})
            for v, e in json.loads(sys.argv[1])]
proposal = planner.propose(2, observed=observed)
print(json.dumps([c.values for c in proposal.candidates]))
"""
    told = [
        (dict(o.candidate.values), o.estimates["conductivity"].value) for o in observed
    ]
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(told)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: list[dict[str, Any]] = json.loads(done.stdout)
    return answer
