"""Spectra from files as labs have them; what is wrong names file, line, value and rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestrator.errors import Refused
from orchestrator.reading.spectrum_file import read_spectrum
from tests.orchestrator.analysis.cells import Cell, sweep

F = sweep(1e5, 10.0, 21)
Z = Cell(2e-6).impedance(F)

MPT_HEAD = """EC-Lab ASCII FILE
Nb header lines : 7

Potentio Electrochemical Impedance Spectroscopy
Electrode surface area : 0.785 cm\u00b2

freq/Hz\tRe(Z)/Ohm\t-Im(Z)/Ohm\t|Z|/Ohm\tPhase(Z)/deg\ttime/s\tcycle number\t
"""
Z_HEAD = """ZPLOT2 ASCII
  Measured Data, ZPlot:       3.2c
  Date:                       24-11-2026
  Freq(Hz)\tAmpl\tBias\tTime(Sec)\tZ'(a)\tZ''(b)\tGD\tErr\tRange
End Comments
"""
OLD_Z_HEAD = """"ZPlotW Data File: Version 3.2c"
"Raw Data"
0,3,0,1,100000,10
21
"  Freq(Hz)    Ampl     Bias   Time(Sec)   Z'(a)    Z''(b)    GD   Err   Range"
"""
DTA_HEAD = """EXPLAIN
TAG\tEISPOT
TITLE\tLABEL\tPotentiostatic EIS\tTest Identifier
OCVCURVE\tTABLE\t2
\tPt\tT\tVf
\t#\ts\tV
\t0\t0.25\t0.05
\t1\t0.5\t0.05
ZCURVE\tTABLE
\tPt\tTime\tFreq\tZreal\tZimag\tZsig\tZmod\tZphz\tIdc\tVdc\tIERange
\t#\ts\tHz\tohm\tohm\tV\tohm\t\u00b0\tA\tV\t#
"""


def mpt(comma: bool = False) -> str:
    rows = [
        f"{f:.7E}\t{z.real:.7E}\t{-z.imag:.7E}\t{abs(z):.7E}\t{np.degrees(np.angle(z)):.7E}\t{i}\t1.0E+000"
        for i, (f, z) in enumerate(zip(F, Z, strict=True))
    ]
    text = "\n".join(rows)
    return MPT_HEAD + (text.replace(".", ",") if comma else text)


def zplot(head: str = Z_HEAD, mark: str = "\t") -> str:
    rows = [
        mark.join(
            (
                f"{f:.6E}",
                "1.0E-02",
                "0.0E+00",
                str(i),
                f"{z.real:.6E}",
                f"{z.imag:.6E}",
                "0",
                "0",
                "3",
            )
        )
        for i, (f, z) in enumerate(zip(F, Z, strict=True))
    ]
    return head + "\n".join(rows) + "\n"


def gamry() -> str:
    rows = [
        f"\t{i}\t{i}\t{f:.5f}\t{z.real:.5f}\t{z.imag:.5f}\t1\t{abs(z):.5f}\t0\t0\t0\t9"
        for i, (f, z) in enumerate(zip(F, Z, strict=True))
    ]
    return (
        DTA_HEAD
        + "\n".join(rows)
        + "\nEXPERIMENTABORTED\tTOGGLE\tT\tExperiment Aborted\n"
    )


def columns(mark: str, head: str = "", minus: bool = False, comma: bool = False) -> str:
    rows = [
        mark.join(f"{one:.8g}" for one in (f, z.real, -z.imag if minus else z.imag))
        for f, z in zip(F, Z, strict=True)
    ]
    text = "\n".join(rows)
    return (
        (head + "\n" if head else "")
        + (text.replace(".", ",") if comma else text)
        + "\n"
    )


FILES = {
    "biologic.mpt": mpt(),
    "comma.mpt": mpt(comma=True),
    "new.z": zplot(),
    "old.z": zplot(OLD_Z_HEAD, ", "),
    "gamry.dta": gamry(),
    "UPPER.DTA": gamry().replace("\n", "\r\n"),
    "bare.csv": columns(","),
    "spaced.txt": columns("  "),
    "tabs.txt": columns(
        "\t", "Frequency (Hz)\tZ' (Ω)\t-Z'' (Ω)", minus=True, comma=True
    ),
    "autolab.csv": columns(";", "Frequency (Hz);Z' (Ω);-Z'' (Ω)", minus=True),
    "german.csv": columns(";", "f / Hz;Re / Ohm;-Im / Ohm", minus=True, comma=True),
    "named.csv": columns(",", "freq,z_real,z_imag"),
    "comment.csv": columns(",", "# frequency, real, imaginary"),
    "nameless_minus.csv": columns(",", minus=True),
}


def written(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_text(text, encoding=encoding, newline="")
    return path


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file_gives_the_same_spectrum(tmp_path: Path, name: str) -> None:
    found = read_spectrum(written(tmp_path, name, FILES[name]))
    assert found.spectrum.frequency == pytest.approx(F, rel=1e-5)
    assert found.spectrum.impedance == pytest.approx(Z, rel=1e-5, abs=2e-5)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8-sig", "utf-16"])
def test_encodings_of_windows_are_read(tmp_path: Path, encoding: str) -> None:
    found = read_spectrum(written(tmp_path, "a.mpt", mpt(), encoding))
    assert found.spectrum.impedance == pytest.approx(Z, rel=1e-5)


def test_units_in_names_are_followed(tmp_path: Path) -> None:
    rows = "\n".join(
        f"{f / 1e3},{z.real / 1e6},{-z.imag / 1e6}" for f, z in zip(F, Z, strict=True)
    )
    text = f"frequency (kHz),Re(Z) (MOhm),-Im(Z) (MOhm)\n{rows}\n"
    found = read_spectrum(written(tmp_path, "a.csv", text))
    assert found.spectrum.frequency == pytest.approx(F)
    assert found.spectrum.impedance == pytest.approx(Z)


@pytest.mark.parametrize(
    ("head", "minus", "said"),
    [
        ("f,re,-im", True, "the file holds -Im Z, as its column says"),
        ("f,re,im", False, "the file holds Im Z, as its column says"),
        ("f,re,im", True, "im is above 0 at low frequencies: taken as -Im Z"),
        ("f,re,-im", False, "taken as Im Z in spite of its name"),
    ],
)
def test_the_sign_is_found_and_said(
    tmp_path: Path, head: str, minus: bool, said: str
) -> None:
    found = read_spectrum(written(tmp_path, "a.csv", columns(",", head, minus)))
    assert said in found.notes[-1]
    assert (found.spectrum.impedance.imag < 0).mean() > 0.9


def test_a_file_with_two_sweeps_gives_either(tmp_path: Path) -> None:
    text = columns(",") + columns(",")
    path = written(tmp_path, "a.csv", text)
    first, second = read_spectrum(path), read_spectrum(path, sweep=2)
    assert first.sweeps == second.sweeps == 2
    assert "sweep 2 of 2 is analysed" in second.notes
    with pytest.raises(Refused, match="sweep 3: the file holds 2"):
        read_spectrum(path, sweep=3)


def test_the_first_frequency_again_is_not_a_second_sweep(tmp_path: Path) -> None:
    last = f"{F[0]:.8g},{Z[0].real * 1.1:.8g},{Z[0].imag * 1.1:.8g}\n"
    found = read_spectrum(written(tmp_path, "a.csv", columns(",") + last))
    assert found.sweeps == 1
    assert found.spectrum.drift == pytest.approx(0.1, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "no numbers here\n", "no line holds three numbers"),
        (
            "a.csv",
            columns(",").replace("\n", ",x\n", 1)[:-1] + "\n1,2\n",
            r"line 22: 2 values; column 3",
        ),
        ("a.csv", columns(",") + "10,abc,5\n", r"line 22: .*'abc': must be a number"),
        ("a.csv", columns(",") + "10,nan,5\n", r"line 22: .*'nan': must be a number"),
        (
            "a.csv",
            columns(",") + "-3,1,5\n",
            r"line 22: frequency -3 Hz: must be above 0",
        ),
        (
            "a.csv",
            columns(",", "freq,mod,phase"),
            "no column is named like a real part",
        ),
        (
            "a.csv",
            columns(",", "freq,Re (ohm cm2),Im (ohm cm2)"),
            "an impedance times an area",
        ),
        ("a.csv", "1000,1,2\n100,1,2\n", "2 points; at least 8"),
        (
            "a.mpt",
            MPT_HEAD.replace("lines : 7", "lines : 700"),
            "line 2: 700 header lines",
        ),
        ("a.dta", "EXPLAIN\nTAG\tCV\n", "no line begins with ZCURVE TABLE"),
        ("a.dta", DTA_HEAD, "the table ZCURVE is empty"),
        ("a.z", "ZPLOT2 ASCII\n1 2 3\n", "neither End Comments nor a line of names"),
        ("a.z", zplot() + "1\t2\n", r"line 27: 2 values; column 5"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    path = written(tmp_path, name, text)
    with pytest.raises(Refused, match=said) as error:
        read_spectrum(path)
    assert str(path) in str(error.value)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="No such file"):
        read_spectrum(tmp_path / "none.csv")
    (tmp_path / "a.mpr").write_bytes(b"BIO-LOGIC MODULAR FILE\x1a\0\0\0")
    with pytest.raises(Refused, match="is not text"):
        read_spectrum(tmp_path / "a.mpr")


@pytest.mark.parametrize("seed", range(60))
def test_a_broken_file_is_refused_and_never_a_traceback(
    tmp_path: Path, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    name = list(FILES)[seed % len(FILES)]
    raw = bytearray(FILES[name].encode())
    for _ in range(1 + seed % 7):
        at = int(rng.integers(len(raw)))
        if rng.random() < 0.3:
            del raw[at:]
            raw += b"\n"
        else:
            raw[at] = int(rng.choice(list(b'\t;,x-.\n"#0 e\xb5')))
    path = tmp_path / name
    path.write_bytes(raw)
    refused, found = "", None
    try:
        found = read_spectrum(path)
    except Refused as error:
        refused = str(error)
    assert str(path) in refused or (
        found is not None and np.isfinite(found.spectrum.impedance).all()
    )
