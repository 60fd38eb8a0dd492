"""How long a proposal takes at the size of a screen: `polyloop bench proposing`."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import numpy as np

from planners.bayes.planner import BayesPlanner
from planners.chemistry import canonical
from planners.data import Candidate, Estimate, Objective, Observation
from planners.space import Molecule, Real, Space

HEADS = (
    "C", "CC", "CCC", "CC(C)", "CC(C)(C)", "OC", "COC", "NC", "CNC", "FC", "FC(F)(F)",
    "ClC", "BrC", "N#CC", "CSC", "O=CC", "CC(=O)C", "COC(=O)C", "NC(=O)C", "C=CC", "C#CC",
    "c1ccccc1C", "c1ccncc1C", "c1ccsc1C", "C1CCCCC1C", "C1CCOC1C", "Fc1ccccc1C",
    "Cc1ccccc1C",
)  # fmt: skip
"""What the molecules of the bench begin with; each ends in a carbon."""

LINKS = (
    "", "C", "CC", "CCC", "CCCC", "CO", "CCO", "COC", "CN", "CCN", "CS", "CCS", "C(=O)",
    "CC(=O)", "C(=O)O", "C(=O)N", "c1ccc(cc1)", "c1cccc(c1)", "c1csc(c1)", "C1CCC(CC1)",
    "C=C", "C#C", "C(C)", "C(C)(C)", "C(F)(F)", "C(O)", "C(N)", "C(=O)C",
)  # fmt: skip
"""What joins them."""

TAILS = (
    "C(=O)O", "S(=O)(=O)O", "P(=O)(O)O", "OP(=O)(O)O", "OS(=O)(=O)O", "CC(=O)O",
    "C(F)(F)C(=O)O", "C(F)(F)S(=O)(=O)O", "c1ccc(cc1)C(=O)O", "c1ccc(cc1)S(=O)(=O)O",
    "C(O)C(=O)O", "C(N)C(=O)O", "NS(=O)(=O)O", "C(=O)NO", "B(O)O", "c1ccc(cc1)O",
    "C(Cl)C(=O)O", "C(C#N)C(=O)O", "CS(=O)(=O)O", "CP(=O)(O)O", "C=CC(=O)O",
    "c1ccc(s1)C(=O)O", "c1ccc(o1)C(=O)O", "c1cccc(c1)C(=O)O", "C(=O)C(=O)O",
    "CCC(=O)O", "CCS(=O)(=O)O", "c1ccc(cc1)P(=O)(O)O", "C(I)C(=O)O", "C(Br)C(=O)O",
    "C(S)C(=O)O", "C(OC)C(=O)O",
)  # fmt: skip
"""The acids they are."""

OBSERVED, PENDING, BATCH = 80, 4, 4


def acids(count: int) -> dict[str, str]:
    """Return as many different acids, by their canonical SMILES."""
    found: dict[str, str] = {}
    for link, tail, head in itertools.product(LINKS, TAILS, HEADS):
        smiles = canonical("acid", head + link + tail)
        found[smiles] = smiles
        if len(found) == count:
            break
    return found


def proposing(molecules: int, mixed: int) -> Iterator[tuple[str, float, float]]:
    """Yield what was asked, and processor seconds to prepare and for one answer.

    Batches of `BATCH` after `OBSERVED` invented observations: of a pool of molecules, and
    of molecules with four numbers while `PENDING` are made.
    """
    pool = acids(max(molecules, mixed))
    numbers = tuple(Real(name, 0.0, 1.0, "m") for name in "abcd")
    listed = dict(itertools.islice(pool.items(), molecules))
    few = dict(itertools.islice(pool.items(), mixed))
    yield _timed(f"{len(listed)} molecules", Space((Molecule("acid", listed),)), 0)
    space = Space((Molecule("acid", few), *numbers))
    yield _timed(f"{len(few)} molecules and four numbers", space, PENDING)


def _timed(name: str, space: Space, pending: int) -> tuple[str, float, float]:
    rng = np.random.default_rng(0)
    objective = Objective("conductivity", "S/cm")
    names = list(space.choices[0].options)
    made = [
        space.candidate(
            {real.name: float(rng.random()) for real in space.reals},
            {"acid": names[int(row)]},
        )
        for row in rng.choice(len(names), OBSERVED + pending, replace=False)
    ]
    observed = [
        Observation(one, {objective.name: Estimate(_value(one), 0.0)})
        for one in made[:OBSERVED]
    ]
    began = time.process_time()
    planner = BayesPlanner(space, [objective], 0, 0)
    ready = time.process_time()
    planner.propose(BATCH, observed=observed, pending=made[OBSERVED:])
    return name, ready - began, time.process_time() - ready


def _value(candidate: Candidate) -> float:
    """Return an invented measurement: of the molecule's letters and the numbers."""
    smiles = str(candidate.values["acid"])
    numbers = [one for one in candidate.values.values() if isinstance(one, float)]
    letters = 2.0 * smiles.count("S") + smiles.count("O") - 0.05 * len(smiles)
    return 10.0 + letters - sum((one - 0.3) ** 2 for one in numbers)
