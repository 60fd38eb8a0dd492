"""Descriptions of molecules, kept in a folder of yours from one process to the next.

To describe a million molecules takes minutes, and each `polyloop propose` is a process of
its own. The folder is named by the environment variable `FOLDER`; without it nothing is
kept. A file is for one list of SMILES, one RDKit and one text of `planners.chemistry`: if
any of these changes, so does its name. Files may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from planners import chemistry
from planners.chemistry import Descriptors

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FOLDER = "POLYLOOP_DESCRIPTIONS"
"""The environment variable that names the folder."""

UNREADABLE = (OSError, TypeError, ValueError, KeyError, EOFError, BadZipFile)
"""What reading a file raises that is cut short, or is none of ours."""


def described(pool: Mapping[str, str]) -> tuple[Descriptors, csr_array]:
    """Return what `planners.chemistry.described` does, from the folder if it is there."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return chemistry.described(pool)
    path = Path(folder) / f"{_key(pool)}.npz"
    try:
        return _read(path, pool)
    except UNREADABLE:
        found = chemistry.described(pool)
    _write(path, *found)
    return found


def _key(pool: Mapping[str, str]) -> str:
    """Return the name of a file: what is described, and by what."""
    from rdkit import rdBase

    key = hashlib.sha256(rdBase.rdkitVersion.encode())
    key.update(Path(chemistry.__file__).read_bytes())
    for smiles in pool.values():
        key.update(f"{smiles}\n".encode())
    return key.hexdigest()[:32]


def _read(path: Path, pool: Mapping[str, str]) -> tuple[Descriptors, csr_array]:
    from scipy.sparse import csr_array

    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        names, table = file["names"], file["table"]
        counts = csr_array(
            (file["counts"], file["columns"], file["ends"]),
            (len(pool), chemistry.BITS),
        )
    return Descriptors(tuple(pool), tuple(map(str, names)), table), counts


def _write(path: Path, descriptors: Descriptors, counts: csr_array) -> None:
    """Write a file that is whole or not there, whoever else writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        whole = Path(folder) / path.name
        with whole.open("wb") as file:
            np.savez(
                file,
                names=np.array(descriptors.names, dtype=str),
                table=descriptors.table,
                counts=counts.data,
                columns=counts.indices,
                ends=counts.indptr,
            )
        whole.replace(path)
