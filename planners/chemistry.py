"""Molecules as numbers: canonical SMILES and a few descriptors a chemist can read.

RDKit is imported where it is used, so that importing this module costs little.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array

CORRELATED = 0.9
"""A descriptor is left out if one before it says the same, at this |r| or above."""

BITS = 2048
"""Columns of a fingerprint."""

BATCH = 1000
"""Molecules that are in memory at once, beside their SMILES."""


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


@cache
def _pattern(smarts: str) -> Any:
    from rdkit import Chem

    return Chem.MolFromSmarts(smarts)


def describe(molecule: Any) -> dict[str, float]:
    """Return the descriptors of one molecule, most telling first.

    The groups are those that give up a proton; ``acid_charge`` is the Gasteiger charge
    of the atom that the acid's oxygen (or nitrogen, or the halide) hangs on, a cheap
    stand-in for how readily it does.
    """
    from rdkit.Chem import rdMolDescriptors

    def count(smarts: str) -> float:
        return float(len(molecule.GetSubstructMatches(_pattern(smarts))))

    heavy = molecule.GetNumHeavyAtoms()
    return {
        "surface": rdMolDescriptors.CalcLabuteASA(molecule),  # angstrom^2: size
        "sulfonyl": count("S(=O)(=O)"),
        "carboxyl": count("C(=O)[OX2H1,OX1-]"),
        "log_p": rdMolDescriptors.CalcCrippenDescriptors(molecule)[0],
        "oxygens": count("[#8]") / heavy,
        "acid_charge": _acid_charge(molecule),
        "donors": float(rdMolDescriptors.CalcNumHBD(molecule)),
        "fluorines": count("F") / heavy,
        "aromatic": count("c") / heavy,
        "rings": float(rdMolDescriptors.CalcNumRings(molecule)),
        "polar_surface": rdMolDescriptors.CalcTPSA(molecule, includeSandP=True),
        "weight": rdMolDescriptors.CalcExactMolWt(molecule),
    }


def _acid_charge(molecule: Any) -> float:
    """Return the highest charge found behind an acidic hydrogen, in e; 0 for none."""
    from rdkit import Chem
    from rdkit.Chem import rdPartialCharges

    hydrogens = Chem.AddHs(molecule)
    acidic = {
        pair[0] for pair in hydrogens.GetSubstructMatches(_pattern("[!#1!#6]~[#1]"))
    }
    if not acidic:
        return 0.0
    rdPartialCharges.ComputeGasteigerCharges(hydrogens)
    charges = []
    for number in acidic:
        atom = hydrogens.GetAtomWithIdx(number)
        behind = [near for near in atom.GetNeighbors() if near.GetAtomicNum() != 1]
        charges += [one.GetDoubleProp("_GasteigerCharge") for one in behind or [atom]]
    return max(one if math.isfinite(one) else 0.0 for one in charges)


def described(pool: Mapping[str, str]) -> tuple[Descriptors, csr_array]:
    """Describe a pool of molecules, some at a time, so that their graphs take no room.

    Parameters
    ----------
    pool:
        SMILES by name.

    Returns
    -------
    :
        Descriptors, and how often each atom environment (Morgan, radius 2) is in each
        molecule: counts, shape molecules x `BITS`, most of them 0.
    """
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
    from scipy.sparse import csr_array

    generator = GetMorganGenerator(radius=2, fpSize=BITS)
    names, kinds = list(pool), list[str]()
    rows, counts, columns, lengths = [], [], [], [0]
    for start in range(0, len(names), BATCH):
        molecules = [read(name, pool[name]) for name in names[start : start + BATCH]]
        said = [describe(molecule) for molecule in molecules]
        kinds = list(said[0])
        rows.append(np.array([list(one.values()) for one in said]))
        found = [
            one.GetNonzeroElements()
            for one in generator.GetCountFingerprints(molecules)
        ]
        lengths += [len(one) for one in found]
        columns.append(np.array([c for one in found for c in one], np.int32))
        counts.append(np.array([n for one in found for n in one.values()], np.float32))
    table = decorrelated(names, kinds, np.concatenate(rows))
    ends = np.cumsum(lengths)
    if ends[-1] < 2**31:  # or the columns would take twice the room as well
        ends = ends.astype(np.int32)
    parts = np.concatenate(counts), np.concatenate(columns), ends
    return table, csr_array(parts, (len(names), BITS))


def tanimoto(a: csr_array, b: csr_array) -> np.ndarray:
    r"""Return the Tanimoto similarity of counts (m x bits) to others (n x bits).

    .. math:: T(a, b) = a \cdot b \, / \, (|a|^2 + |b|^2 - a \cdot b)
    """
    # Whole numbers, and not too large for single precision.
    shared = (a @ b.T).toarray().astype(float)
    norms = [np.asarray(one.multiply(one).sum(axis=1), float).ravel() for one in (a, b)]
    similarity: np.ndarray = shared / (norms[0][:, None] + norms[1][None] - shared)
    return similarity


def decorrelated(
    molecules: Sequence[str], names: Sequence[str], raw: np.ndarray
) -> Descriptors:
    """Return descriptors (molecules x names) as few, standardised columns.

    Returns
    -------
    :
        Columns that vary over the pool, none correlated with another by `CORRELATED`
        or more. No column is left if the pool has one molecule.
    """
    # Gasteiger has no charge for some elements; the rest of the molecule still tells.
    raw = np.nan_to_num(raw, nan=0.0, posinf=0.0, neginf=0.0)
    kept: list[str] = []
    columns: list[np.ndarray] = []
    for name, column in zip(names, raw.T, strict=True):
        if np.ptp(column) <= 1e-9 * (1 + np.abs(column).max()):
            continue
        column = (column - column.mean()) / column.std()
        if all(abs(np.mean(column * other)) < CORRELATED for other in columns):
            kept.append(name)
            columns.append(column)
    table = np.column_stack(columns) if columns else np.zeros((len(raw), 0))
    return Descriptors(tuple(molecules), tuple(kept), table)
