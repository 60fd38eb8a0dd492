"""Impedance spectra from files: CSV of any kind, and what three makers export as text.

``.mpt``  BioLogic EC-Lab: ``Nb header lines : N``, line N names the columns
          (``freq/Hz``, ``Re(Z)/Ohm``, ``-Im(Z)/Ohm``), tabs between them
``.z``    Scribner ZPlot and ZView: columns 1, 5 and 6 after ``End Comments``, or after
          the line of names in old versions
``.dta``  Gamry Framework: lines that begin with a tab after ``ZCURVE TABLE``, names
          (``Freq``, ``Zreal``, ``Zimag``) and units first
else      columns by name, or frequency, real, imaginary part in this order

Written from exported files of these makers, not from their documentation. Decimals may
have a comma in all. Spectra are plotted with -Im Z upwards, and many files hold -Im Z
without saying so: as a cell between electrodes is capacitive at low frequencies, the
sign is taken from the values, and what was done is said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orchestrator.analysis.readings import AnalysisError
from orchestrator.analysis.spectrum import SAME, Complexes, Reals, Spectrum
from orchestrator.errors import Refused
from orchestrator.reading.table import Table, lines_of, numbers, plain, rows_from

_FREQUENCY = re.compile(r"^(f|freq\w*)(?![a-z])", re.IGNORECASE)
_REAL = re.compile(
    r"^(re|real|resistance|r|z'|zre\w*|z_re\w*|rez)(?![\w'\"])", re.IGNORECASE
)
_IMAGINARY = re.compile(
    r"^[-−]?\s*(im|imag\w*|reactance|x|z''|z\"|zim\w*|z_im\w*|imz)(?![\w'])",
    re.IGNORECASE,
)
_MINUS = re.compile(r"^([-−]|minus|neg)")
_PREFIX = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "": 1.0}
_UNIT = re.compile(r"(?<![A-Za-z])([mkMG]?)(Hz|[Oo]hms?|Ω|Ω)(\s*[*·.]?\s*cm)?")


@dataclass(frozen=True, slots=True)
class SpectrumFile:
    """What a file holds: the spectrum, and what was decided on the way."""

    spectrum: Spectrum
    notes: tuple[str, ...]
    sweeps: int


@dataclass(frozen=True, slots=True)
class _Column:
    """Which column, by what name, and what turns it into Hz or ohm."""

    index: int
    name: str
    factor: float


def read_spectrum(path: Path, *, sweep: int = 1) -> SpectrumFile:
    """Read a spectrum from a file.

    Parameters
    ----------
    path:
        The file.
    sweep:
        Which one, counted from 1, where a file holds several.

    Raises
    ------
    Refused
        Naming file, line, value and rule.
    """
    lines = lines_of(path)
    kind, table, columns = _open(path, lines)
    f, re_z, im_z = (
        np.array(list(numbers(table, one.index, one.name))) * one.factor
        for one in columns
    )
    notes = [f"{kind}: {columns[0].name}, {columns[1].name}, {columns[2].name}"]
    if table.comma:
        notes.append("decimals are written with a comma")
    kept = f != 0.0  # EC-Lab writes 0 Hz for readings between sweeps
    if not kept.all():
        notes.append(f"{int((~kept).sum())} rows at 0 Hz are left out")
    _check_frequencies(table, f)
    if not kept.any():
        raise Refused(f"{path}: no row with a frequency above 0")
    parts = _parts(f[kept])
    if not 1 <= sweep <= len(parts):
        raise Refused(f"{path}: sweep {sweep}: the file holds {len(parts)}")
    if len(parts) > 1:
        notes.append(f"sweep {sweep} of {len(parts)} is analysed")
    here = parts[sweep - 1]
    z, said = _signed(
        f[kept][here], re_z[kept][here], im_z[kept][here], columns[2].name
    )
    try:
        made = Spectrum.measured(f[kept][here], z)
    except AnalysisError as error:
        raise Refused(f"{path}: {error}") from error
    return SpectrumFile(made, (*notes, said), len(parts))


def _open(path: Path, lines: Sequence[str]) -> tuple[str, Table, Sequence[_Column]]:
    """Return what kind of file it is, its table, and its three columns."""
    head = lines[0].strip().strip('"').upper()
    suffix = path.suffix.lower()
    if head.startswith("EC-LAB ASCII") or suffix == ".mpt":
        table = _eclab(path, lines)
        return "EC-Lab", table, _named(table)
    if head == "EXPLAIN" or suffix == ".dta":
        table = _gamry(path, lines)
        return "Gamry", table, _named(table)
    if suffix == ".z" or head.startswith(("ZPLOT", "ZVIEW")):
        return "ZPlot", _zplot(path, lines), _zplot_columns()
    table = plain(path, lines)
    return "columns", table, _named(table) if table.names else _first_three()


def _eclab(path: Path, lines: Sequence[str]) -> Table:
    heads = (re.match(r"\s*Nb header lines\s*:\s*(\d+)", one) for one in lines[:5])
    at, found = next(((i, one) for i, one in enumerate(heads, 1) if one), (0, None))
    if found is None:
        return plain(path, lines)  # exported without its header
    count = int(found[1])
    if not 1 < count < len(lines):
        raise Refused(
            f"{path}: line {at}: {count} header lines; the file has {len(lines)} lines"
        )
    names = tuple(one.strip() for one in lines[count - 1].split("\t"))
    rows, comma = rows_from(lines[count:], count + 1, "\t")
    return Table(path, names, rows, comma)


def _gamry(path: Path, lines: Sequence[str]) -> Table:
    tables = (i for i, one in enumerate(lines) if re.match(r"ZCURVE\w*\s+TABLE", one))
    at = next(tables, None)
    if at is None:
        raise Refused(
            f"{path}: no line begins with ZCURVE TABLE: not an impedance sweep"
        )
    body = []
    for line in lines[at + 1 :]:
        if not line.startswith("\t"):
            break
        body.append(line)
    if len(body) < 3:
        raise Refused(f"{path}: line {at + 1}: the table ZCURVE is empty")
    names, units = (one.split("\t") for one in body[:2])
    both = [
        f"{name.strip()} ({unit.strip()})"
        for name, unit in zip(names, units, strict=False)
    ]
    rows, comma = rows_from(body[2:], at + 4, "\t")
    return Table(path, tuple(both), rows, comma)


def _zplot(path: Path, lines: Sequence[str]) -> Table:
    """Return the table after End Comments, or after the line of names."""
    texts = [one.strip().strip('"').strip().lower() for one in lines]
    ends = [i for i, one in enumerate(texts) if one == "end comments"]
    ends += [i for i, one in enumerate(texts) if one.startswith("freq")]
    if not ends:
        raise Refused(
            f"{path}: neither End Comments nor a line of names (Freq...) is there"
        )
    rows, comma = rows_from(lines[ends[0] + 1 :], ends[0] + 2)
    return Table(path, (), rows, comma)


def _zplot_columns() -> Sequence[_Column]:
    return (
        _Column(0, "Freq(Hz)", 1.0),
        _Column(4, "Z'(a)", 1.0),
        _Column(5, "Z''(b)", 1.0),
    )


def _first_three() -> Sequence[_Column]:
    names = ("frequency (Hz)", "real part (ohm)", "imaginary part (ohm)")
    return [
        _Column(i, f"column {i + 1} as {name}", 1.0) for i, name in enumerate(names)
    ]


def _named(table: Table) -> Sequence[_Column]:
    """Return the columns that hold frequency, real and imaginary part, by their names."""
    found = []
    wanted = (
        ("frequency", _FREQUENCY),
        ("real part", _REAL),
        ("imaginary part", _IMAGINARY),
    )
    for what, pattern in wanted:
        fits = [i for i, name in enumerate(table.names) if pattern.match(name.strip())]
        if not fits:
            shown = ", ".join(name for name in table.names if name) or "none"
            raise Refused(
                f"{table.path}: no column is named like a {what} (e.g. "
                f"{_EXAMPLE[what]}); there are {shown}"
            )
        found.append(_Column(fits[0], table.names[fits[0]], _factor(table, fits[0])))
    return found


_EXAMPLE = {
    "frequency": "frequency (Hz)",
    "real part": "Re(Z)/Ohm",
    "imaginary part": "Im(Z)/Ohm or -Im(Z)/Ohm",
}


def _factor(table: Table, index: int) -> float:
    """Return what turns a column into Hz or ohm, as the unit in its name says."""
    name = table.names[index]
    unit = _UNIT.search(name)
    if unit is None:
        return 1.0
    if unit[3]:
        raise Refused(
            f"{table.path}: column {name!r}: is an impedance times an area; ohm are wanted"
        )
    return _PREFIX[unit[1]]


def _check_frequencies(table: Table, f: Reals) -> None:
    for row, one in zip(table.rows, f, strict=True):
        if one < 0.0:
            raise Refused(
                f"{table.path}: line {row.line}: frequency {one:g} Hz: must be above 0"
            )


def _parts(f: Reals) -> list[slice]:
    """Return where each sweep is: one begins where the first two frequencies recur."""
    again = [
        i
        for i in range(2, f.size - 1)
        if abs(f[i] / f[0] - 1.0) < SAME and abs(f[i + 1] / f[1] - 1.0) < SAME
    ]
    starts = [0, *again]
    ends = [*starts[1:], f.size]
    return [slice(a, b) for a, b in zip(starts, ends, strict=True)]


def _signed(f: Reals, re_z: Reals, im_z: Reals, name: str) -> tuple[Complexes, str]:
    """Return impedances with a capacitor's imaginary part below 0, and what was done."""
    named = bool(_MINUS.match(name.strip().lower()))
    slow = im_z[f <= np.median(f)]
    turned = bool((slow > 0).sum() * 2 > slow.size)
    if turned == named:
        said = f"the file holds {'-Im Z' if turned else 'Im Z'}, as its column says"
    elif turned:
        said = (
            f"{name} is above 0 at low frequencies: taken as -Im Z, because a cell is "
            f"capacitive there"
        )
    else:
        said = (
            f"{name} is below 0 at low frequencies: taken as Im Z in spite of its name, "
            f"because a cell is capacitive there"
        )
    z: Complexes = re_z - 1j * im_z if turned else re_z + 1j * im_z
    return z, said
