"""Molecules as numbers."""

from __future__ import annotations

import numpy as np
import pytest

from planners.bayes.encoding import components
from planners.chemistry import CORRELATED, BadMolecule, canonical, descriptors
from planners.space import Molecule

POOL = {
    "sulfuric acid": "OS(=O)(=O)O",
    "nitric acid": "O[N+](=O)[O-]",
    "hydrochloric acid": "Cl",
    "formic acid": "OC=O",
    "acetic acid": "CC(=O)O",
    "trifluoroacetic acid": "OC(=O)C(F)(F)F",
    "phosphoric acid": "OP(=O)(O)O",
    "methanesulfonic acid": "CS(=O)(=O)O",
    "benzenesulfonic acid": "OS(=O)(=O)c1ccccc1",
    "p-toluenesulfonic acid": "Cc1ccc(cc1)S(=O)(=O)O",
    "camphorsulfonic acid": "CC1(C)C2CCC1(CS(=O)(=O)O)C(=O)C2",
    "bistriflimidic acid": "O=S(=O)(NS(=O)(=O)C(F)(F)F)C(F)(F)F",
}


def test_one_molecule_written_two_ways_is_one_molecule() -> None:
    assert canonical("a", "OS(=O)(=O)c1ccccc1") == canonical(
        "b", "c1ccc(cc1)S(O)(=O)=O"
    )


def test_descriptors_are_standardised_and_say_different_things() -> None:
    table = descriptors(POOL).table
    assert np.isfinite(table).all()
    assert table.mean(axis=0) == pytest.approx(0.0, abs=1e-9)
    assert table.std(axis=0) == pytest.approx(1.0)
    correlation = np.corrcoef(table.T) - np.eye(table.shape[1])
    assert np.abs(correlation).max() < CORRELATED


def test_no_two_molecules_are_alike_to_the_surrogate() -> None:
    table = components(Molecule("acid", POOL))
    gaps = np.linalg.norm(table[:, None] - table[None], axis=-1)
    assert gaps[~np.eye(len(table), dtype=bool)].min() > 0.01


def test_molecules_of_a_kind_are_nearer_than_others() -> None:
    table = dict(zip(POOL, components(Molecule("acid", POOL)), strict=True))

    def gap(a: str, b: str) -> float:
        return float(np.linalg.norm(table[a] - table[b]))

    tosylic = "p-toluenesulfonic acid"
    assert gap(tosylic, "benzenesulfonic acid") < gap(tosylic, "formic acid")
    assert gap("acetic acid", "formic acid") < gap("acetic acid", "sulfuric acid")


def test_the_same_molecule_under_two_names_is_still_two_options() -> None:
    table = components(Molecule("acid", {"old": "CC(=O)O", "new": "OC(C)=O"}))
    assert np.linalg.norm(table[0] - table[1]) > 0.5


def test_a_single_molecule_needs_no_column_to_be_told_apart() -> None:
    assert np.isfinite(components(Molecule("acid", {"formic": "OC=O"}))).all()


@pytest.mark.parametrize("smiles", ["C(", "not a molecule", "", "C(C)(C)(C)(C)C"])
def test_a_smiles_that_cannot_be_read_is_named_without_noise(
    smiles: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadMolecule, match=r"lime: .* is not a SMILES"):
        canonical("lime", smiles)
    assert capfd.readouterr() == ("", "")
