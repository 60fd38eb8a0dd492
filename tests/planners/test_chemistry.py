"""Molecules as numbers."""

from __future__ import annotations

import numpy as np
import pytest

from planners.bayes.encoding import Encoding
from planners.chemistry import (
    CORRELATED,
    BadMolecule,
    canonical,
    described,
    tanimoto,
)
from planners.data import Candidate
from planners.space import Molecule, Space, SpaceError

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
    table = described(POOL)[0].table
    assert np.isfinite(table).all()
    assert table.mean(axis=0) == pytest.approx(0.0, abs=1e-9)
    assert table.std(axis=0) == pytest.approx(1.0)
    correlation = np.corrcoef(table.T) - np.eye(table.shape[1])
    assert np.abs(correlation).max() < CORRELATED


def apart(pool: dict[str, str], view: str) -> np.ndarray:
    """Squared distances between all molecules of a pool in one view, and who they are."""
    encoding = Encoding(Space((Molecule("acid", pool),)))
    points = encoding.encode([Candidate({"acid": name}) for name in pool])
    every = encoding.between(points, points).numpy()
    total: np.ndarray = every[np.array(encoding.used(view))].sum(axis=0)
    return total


@pytest.mark.parametrize("view", ["descriptors", "fingerprint"])
def test_no_two_molecules_are_alike_to_the_surrogate(view: str) -> None:
    gaps = apart(POOL, view)
    assert gaps[~np.eye(len(gaps), dtype=bool)].min() >= 1.0
    assert gaps.diagonal() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("view", ["descriptors", "fingerprint"])
def test_molecules_of_a_kind_are_nearer_than_others(view: str) -> None:
    table, names = apart(POOL, view), list(POOL)

    def gap(a: str, b: str) -> float:
        return float(table[names.index(a), names.index(b)])

    tosylic = "p-toluenesulfonic acid"
    assert gap(tosylic, "benzenesulfonic acid") < gap(tosylic, "formic acid")
    # Two acids as small as these share too few environments for fingerprints to tell.
    if view == "descriptors":
        assert gap("acetic acid", "formic acid") < gap("acetic acid", "sulfuric acid")


def test_tanimoto_is_shared_counts_over_all_and_its_root_distance_a_metric() -> None:
    counts = described(POOL)[1]
    similarity = tanimoto(counts, counts)
    a, b = (counts[[i]].toarray()[0] for i in (3, 4))
    assert similarity[3, 4] == pytest.approx(a @ b / (a @ a + b @ b - a @ b))
    assert similarity.diagonal() == pytest.approx(1.0)
    # 1 - T is a squared Euclidean distance: centred, its Gram matrix has no negative
    # eigenvalue, which is what makes the kernel of the surrogate one.
    centre = np.eye(len(POOL)) - 1.0 / len(POOL)
    gram = -0.5 * centre @ (1.0 - similarity) @ centre
    assert np.linalg.eigvalsh(gram).min() > -1e-9


def test_numbers_of_your_own_are_one_more_view_and_every_molecule_has_them() -> None:
    own = {name: (float(len(name)), 1.0) for name in POOL}
    encoding = Encoding(Space((Molecule("acid", POOL, own),)))
    assert encoding.views == ["descriptors", "fingerprint", "own"]
    del own["formic acid"]
    with pytest.raises(SpaceError, match="no columns for 'formic acid'"):
        Molecule("acid", POOL, own)


def test_the_same_molecule_under_two_names_is_still_two_options() -> None:
    assert apart({"old": "CC(=O)O", "new": "OC(C)=O"}, "fingerprint")[0, 1] == 1.0


def test_a_single_molecule_needs_no_description() -> None:
    assert Encoding(Space((Molecule("acid", {"formic": "OC=O"}),))).views == []


@pytest.mark.parametrize("smiles", ["C(", "not a molecule", "", "C(C)(C)(C)(C)C"])
def test_a_smiles_that_cannot_be_read_is_named_without_noise(
    smiles: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadMolecule, match=r"lime: .* is not a SMILES"):
        canonical("lime", smiles)
    assert capfd.readouterr() == ("", "")
