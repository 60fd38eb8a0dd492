"""How long a proposal takes at the size of a screen: `polyloop bench proposing`."""

from __future__ import annotations

import itertools
import resource
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from planners.bayes.planner import BayesPlanner
from planners.chemistry import canonical
from planners.data import Candidate, Estimate, Objective, Observation
from planners.space import Choice, Molecule, Real, Space

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

CHOICES = 4
"""Choices whose options are combined: two of molecules, two of names."""


@dataclass(frozen=True, slots=True)
class Timed:
    """What was asked, processor seconds to prepare and for one answer, and memory.

    ``peak`` is the most that the process has held so far, in megabytes.
    """

    name: str
    ready: float
    answered: float
    peak: float


def acids(count: int) -> dict[str, str]:
    """Return as many different acids, by their canonical SMILES."""
    found: dict[str, str] = {}
    chains = (itertools.product(LINKS, repeat=many) for many in itertools.count(1))
    links = map("".join, itertools.chain.from_iterable(chains))
    ends = list(itertools.product(TAILS, HEADS))
    for link, (tail, head) in ((link, end) for link in links for end in ends):
        smiles = canonical("acid", head + link + tail)
        found[smiles] = smiles
        if len(found) == count:
            break
    return found


def screened(molecules: int, mixed: int, how: Mapping[str, Any]) -> Iterator[Timed]:
    """Time pools of molecules: alone, and with four numbers while some are made.

    ``how`` are keywords of the planner: where it looks, and how precisely.
    """
    pool = acids(max(molecules, mixed))
    numbers = tuple(Real(name, 0.0, 1.0, "m") for name in "abcd")
    listed = dict(itertools.islice(pool.items(), molecules))
    few = dict(itertools.islice(pool.items(), mixed))
    name, space = f"{len(listed)} molecules", Space((Molecule("acid", listed),))
    yield _timed(name, space, 0, how)
    name = f"{len(few)} molecules and four numbers"
    yield _timed(name, Space((Molecule("acid", few), *numbers)), PENDING, how)


def combined(combinations: float, numbers: int, how: Mapping[str, Any]) -> Timed:
    """Time a space of `CHOICES` with about so many combinations of options."""
    each = round(combinations ** (1 / CHOICES))
    pool = acids(2 * each)
    halves = list(pool.items())[:each], list(pool.items())[each:]
    acid, salt = (
        Molecule(name, dict(half))
        for name, half in zip(("acid", "salt"), halves, strict=True)
    )
    named = [
        Choice(name, tuple(f"{name} {i}" for i in range(each)))
        for name in ("solvent", "additive")
    ]
    reals = [Real(name, 0.0, 1.0, "m") for name in "abcd"[:numbers]]
    space = Space((acid, salt, *named, *reals))
    name = f"{each**CHOICES:.3g} combinations and {numbers} numbers"
    return _timed(name, space, 0, how)


def listed(rows: int, how: Mapping[str, Any]) -> Timed:
    """Time a list of so many candidates: molecules, a name and two numbers each."""
    rng = np.random.default_rng(1)
    acid = Molecule("acid", acids(1000))
    solvent = Choice("solvent", tuple(f"solvent {i}" for i in range(50)))
    parameters = acid, solvent, Real("a", 0.0, 1.0, "m"), Real("b", 0.0, 1.0, "m")
    pool = tuple(_drawn(Space(parameters), rows, rng))
    return _timed(f"a list of {rows} candidates", Space(parameters, pool), 0, how)


def _drawn(space: Space, count: int, rng: np.random.Generator) -> Iterator[Candidate]:
    """Yield random candidates."""
    names = [(choice.name, list(choice.options)) for choice in space.choices]
    for _ in range(count):
        options = {name: some[int(rng.integers(len(some)))] for name, some in names}
        positions = {real.name: float(rng.random()) for real in space.reals}
        yield space.candidate(positions, options)


def _timed(name: str, space: Space, pending: int, how: Mapping[str, Any]) -> Timed:
    rng = np.random.default_rng(0)
    objective = Objective("conductivity", "S/cm")
    most = OBSERVED + pending
    if space.pool:
        places = rng.choice(len(space.pool), most, replace=False)
        made = [space.pool[int(row)] for row in places]
    else:
        made = list(_drawn(space, most, rng))
    observed = [
        Observation(one, {objective.name: Estimate(_value(one), 0.0)})
        for one in made[:OBSERVED]
    ]
    began = time.process_time()
    planner = BayesPlanner(space, [objective], 0, 0, **how)
    ready = time.process_time()
    planner.propose(BATCH, observed=observed, pending=made[OBSERVED:])
    answered = time.process_time() - ready
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    return Timed(name, ready - began, answered, peak)


def _value(candidate: Candidate) -> float:
    """Return an invented measurement: of the letters of each option and the numbers."""
    total = 10.0
    for one in candidate.values.values():
        if isinstance(one, float):
            total -= (one - 0.3) ** 2
        elif " " in one:  # a name, which says nothing by its letters
            total += zlib.crc32(one.encode()) % 1000 / 1000.0
        else:
            total += 2.0 * one.count("S") + one.count("O") - 0.05 * len(one)
    return total
