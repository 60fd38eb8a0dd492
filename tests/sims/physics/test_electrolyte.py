"""Electrolytes: the published anchors, mass that is kept, and casts that fail."""

from __future__ import annotations

from dataclasses import replace
from math import log10
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sims.physics.electrolyte import Electrolyte, ElectrolyteLaboratory
from sims.physics.ion_transport import Mixture

BENCH = Path(__file__).parents[3] / "lab_configs" / "ion_conductor" / "bench.yaml"
SPEC: dict[str, Any] = yaml.safe_load(BENCH.read_text(encoding="utf-8"))
LAB = ElectrolyteLaboratory.read(SPEC)
QUIET = replace(
    LAB, noise=replace(LAB.noise, pipette=0.0, pipette_volume=0.0, gradient=0.0)
)
PEO, TFSI = LAB.polymers["PEO"], LAB.salts["LiTFSI"]
molalities = st.floats(0.2, 2.5)


def cast(
    lab: ElectrolyteLaboratory, seed: int = 0, *, additive: float = 30.0
) -> Electrolyte:
    """Return a cup with 12 mg of PEO, about 1 mol/kg of LiTFSI and an additive, wet."""
    cup = lab.new_sample("rack.1", np.random.default_rng(seed))
    cup.pour({"PEO solution": 240.0}, 0.0)
    cup.pour({"LiTFSI solution": 24.0}, 60.0)
    cup.pour({"succinonitrile solution": additive}, 120.0)
    return cup


@pytest.mark.parametrize(("degc", "log"), [(25.0, -4.04), (60.0, -3.31), (80.0, -3.02)])
def test_amorphous_peo_with_litfsi_conducts_as_published(
    degc: float, log: float
) -> None:
    amorphous = replace(PEO, melting=None)
    sigma = Mixture(amorphous, TFSI, None, 0.9, 0.0).conductivity(degc)
    assert log10(sigma) == pytest.approx(log, abs=0.03)


def test_crystals_cost_peo_a_decade_below_their_melting_point_only() -> None:
    plain, amorphous = (
        Mixture(one, TFSI, None, 0.9, 0.0) for one in (PEO, replace(PEO, melting=None))
    )
    cold = log10(amorphous.conductivity(25.0) / plain.conductivity(25.0))
    warm = log10(amorphous.conductivity(80.0) / plain.conductivity(80.0))
    assert 0.9 < cold < 1.15
    assert warm < 0.05


# A single-ion conductor has its ions on the chain, and needs no salt.
SALTED = [name for name, one in LAB.polymers.items() if not one.bound]


@pytest.mark.parametrize("polymer", SALTED)
def test_no_polymer_conducts_best_with_the_least_or_the_most_salt(polymer: str) -> None:
    host = LAB.polymers[polymer]
    grid = np.geomspace(0.05, 5.0, 60)
    sigma = [Mixture(host, TFSI, None, m, 0.0).conductivity(60.0) for m in grid]
    assert 0 < int(np.argmax(sigma)) < len(grid) - 1


@given(molalities, st.floats(0.0, 60.0), st.floats(1.0, 20.0))
def test_warmer_is_never_worse(molality: float, degc: float, more: float) -> None:
    film = Mixture(PEO, TFSI, None, molality, 0.0)
    assert film.conductivity(degc + more) >= film.conductivity(degc)


@given(molalities)
def test_anions_that_hold_lithium_conduct_less(molality: float) -> None:
    order = [
        Mixture(PEO, LAB.salts[name], None, molality, 0.0).free
        for name in ("LiTFSI", "LiFSI", "LiTCM", "LiOTf")
    ]
    assert order == sorted(order, reverse=True)


def test_what_is_poured_is_weighed_and_only_solvent_leaves() -> None:
    cup = cast(QUIET)
    empty = cup.mass - cup.solids - cup.solvent
    poured = 240.0 * 0.80 + 24.0 * 0.87 + 30.0 * 0.80
    assert cup.mass - empty == pytest.approx(poured, abs=0.5)
    solids = cup.solids
    cup.advance(4000.0, 60.0)
    assert cup.mass - empty == pytest.approx(solids, rel=0.01)
    assert cup.mixture is not None
    assert cup.mixture.molality == pytest.approx(1.0, rel=0.01)
    assert cup.thickness * 1e-7 * QUIET.area * 1.1 == pytest.approx(
        solids * 1e-3, rel=0.2
    )


@given(st.lists(st.floats(1.0, 400.0), min_size=1, max_size=12))
def test_how_finely_time_is_cut_makes_no_difference(pieces: list[float]) -> None:
    one, other = cast(QUIET), cast(QUIET)
    at = 120.0
    for piece in pieces:
        at += piece
        one.advance(at, 45.0)
    other.advance(at, 45.0)
    assert one.solvent == pytest.approx(other.solvent, rel=1e-6)


def test_a_wet_film_on_a_hot_plate_bubbles_and_a_dry_one_does_not() -> None:
    hot = [cast(LAB, seed) for seed in range(40)]
    dry = [cast(LAB, seed) for seed in range(40)]
    for cup in hot:
        cup.advance(1000.0, 74.0)
    for cup in dry:
        cup.advance(2000.0, 50.0)
        cup.advance(3000.0, 74.0)
    assert sum("bubbles" in cup.flaws for cup in hot) > 30
    assert not any("bubbles" in cup.flaws for cup in dry)


def test_too_much_plasticiser_lets_the_electrodes_meet() -> None:
    firm = [cast(LAB, seed, additive=20.0) for seed in range(40)]
    soft = [cast(LAB, seed, additive=110.0) for seed in range(40)]
    for cup in (*firm, *soft):
        cup.advance(4000.0, 60.0)
    assert sum(cup.shorted for cup in firm) < 3
    assert sum(cup.shorted for cup in soft) > 25


def test_a_cell_is_the_film_between_lithium() -> None:
    cup = cast(QUIET)
    cup.advance(4000.0, 60.0)
    cell = cup.cell
    assert cell is not None
    wanted = cup.thickness * 1e-7 / (cup.conductivity(60.0) * 0.785)
    assert cell.bulk_resistance(60.0) == pytest.approx(wanted, rel=1e-6)
    before = cell.layer_resistance(60.0)
    cup.polarised()
    after = cup.cell
    assert after is not None
    assert after.layer_resistance(60.0) > before
