"""Molecules as numbers: canonical SMILES and a few descriptors a chemist can read.

RDKit is imported where it is used, so that importing this module costs little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array

CORRELATED = 0.9
"""A descriptor is left out if one before it says the same, at this |r| or above."""

BITS = 2048
"""Columns of a fingerprint."""


class BadMolecule(ValueError):
    """A SMILES that RDKit cannot read; the text names it."""


@dataclass(frozen=True, slots=True)
class Descriptors:
    """Descriptors of a pool, in columns of zero mean and unit variance.

    ``table`` has one row per name; shape molecules x descriptors.
    """

    molecules: tuple[str, ...]
    names: tuple[str, ...]
    table: np.ndarray


def read(name: str, smiles: str) -> Any:
    """Return the RDKit molecule of a SMILES.

    Raises
    ------
    BadMolecule
        If there is no atom in it, or RDKit cannot read it.
    """
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    if molecule is None or molecule.GetNumAtoms() == 0:
        raise BadMolecule(f"{name}: {smiles!r} is not a SMILES that RDKit can read")
    return molecule


def canonical(name: str, smiles: str) -> str:
    """Return the canonical SMILES of a molecule.

    Examples
    --------
    >>> canonical("acetic acid", "OC(C)=O")
    'CC(=O)O'
    """
    from rdkit import Chem

    return str(Chem.MolToSmiles(read(name, smiles)))


def describe(molecule: Any) -> dict[str, float]:
    """Return the descriptors of one molecule, most telling first.

    The groups are those that give up a proton; ``acid_charge`` is the Gasteiger charge
    of the atom that the acid's oxygen (or nitrogen, or the halide) hangs on, a cheap
    stand-in for how readily it does.
    """
    from rdkit import Chem
    from rdkit.Chem import rdMolDescriptors

    def count(smarts: str) -> float:
        return float(len(molecule.GetSubstructMatches(Chem.MolFromSmarts(smarts))))

    hydrogens = Chem.AddHs(molecule)
    heavy = molecule.GetNumHeavyAtoms()
    return {
        "surface": rdMolDescriptors.CalcLabuteASA(molecule),  # angstrom^2: size
        "sulfonyl": count("S(=O)(=O)"),
        "carboxyl": count("C(=O)[OX2H1,OX1-]"),
        "log_p": rdMolDescriptors.CalcCrippenDescriptors(molecule)[0],
        "oxygens": count("[#8]") / heavy,
        "acid_charge": _acid_charge(hydrogens),
        "donors": float(rdMolDescriptors.CalcNumHBD(molecule)),
        "fluorines": count("F") / heavy,
        "aromatic": count("c") / heavy,
        "rings": float(rdMolDescriptors.CalcNumRings(molecule)),
        "polar_surface": rdMolDescriptors.CalcTPSA(molecule, includeSandP=True),
        "weight": rdMolDescriptors.CalcExactMolWt(molecule),
    }


def fingerprints(pool: Mapping[str, str]) -> csr_array:
    """Return how often each atom environment (Morgan, radius 2) is in each molecule.

    Returns
    -------
    :
        Counts, shape molecules x `BITS`; most are 0.
    """
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
    from scipy.sparse import csr_array

    generator = GetMorganGenerator(radius=2, fpSize=BITS)
    found = [
        generator.GetCountFingerprint(read(name, smiles)).GetNonzeroElements()
        for name, smiles in pool.items()
    ]
    counts = [count for one in found for count in one.values()]
    columns = [column for one in found for column in one]
    ends = np.cumsum([0, *map(len, found)])
    return csr_array((np.array(counts, float), columns, ends), (len(found), BITS))


def tanimoto(a: csr_array, b: csr_array) -> np.ndarray:
    r"""Return the Tanimoto similarity of counts (m x bits) to others (n x bits).

    .. math:: T(a, b) = a \cdot b \, / \, (|a|^2 + |b|^2 - a \cdot b)
    """
    shared = (a @ b.T).toarray()
    norms = [np.asarray(one.multiply(one).sum(axis=1)).ravel() for one in (a, b)]
    similarity: np.ndarray = shared / (norms[0][:, None] + norms[1][None] - shared)
    return similarity


def _acid_charge(molecule: Any) -> float:
    """Return the highest charge found behind an acidic hydrogen, in e; 0 for none."""
    from rdkit.Chem import rdPartialCharges

    rdPartialCharges.ComputeGasteigerCharges(molecule)

    def charge(atom: Any) -> float:
        value = float(atom.GetProp("_GasteigerCharge"))
        return value if np.isfinite(value) else 0.0

    charges = []
    for atom in molecule.GetAtoms():
        neighbours = atom.GetNeighbors()
        if atom.GetAtomicNum() not in (1, 6) and any(
            near.GetAtomicNum() == 1 for near in neighbours
        ):
            behind = [near for near in neighbours if near.GetAtomicNum() != 1]
            charges += [charge(near) for near in behind or [atom]]
    return max(charges, default=0.0)


def descriptors(pool: Mapping[str, str]) -> Descriptors:
    """Describe a pool of molecules by few, standardised, decorrelated columns.

    Parameters
    ----------
    pool:
        SMILES by name.

    Returns
    -------
    :
        Columns that vary over the pool, none correlated with another by `CORRELATED`
        or more. No column is left if the pool has one molecule.
    """
    rows = [describe(read(name, smiles)) for name, smiles in pool.items()]
    raw = np.array([list(row.values()) for row in rows])
    # Gasteiger has no charge for some elements; the rest of the molecule still tells.
    raw = np.nan_to_num(raw, nan=0.0, posinf=0.0, neginf=0.0)
    kept: list[str] = []
    columns: list[np.ndarray] = []
    for name, column in zip(rows[0], raw.T, strict=True):
        if np.ptp(column) <= 1e-9 * (1 + np.abs(column).max()):
            continue
        column = (column - column.mean()) / column.std()
        if all(abs(np.mean(column * other)) < CORRELATED for other in columns):
            kept.append(name)
            columns.append(column)
    table = np.column_stack(columns) if columns else np.zeros((len(rows), 0))
    return Descriptors(tuple(pool), tuple(kept), table)
