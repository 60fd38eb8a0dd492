"""``polyloop analyse FILE``: what is printed, written and refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from orchestrator import cli
from tests.orchestrator.analysis.cells import Cell, spectrum

SHAPE = ("--thickness", "100 um", "--area", "0.785 cm^2")
PNG = b"\x89PNG"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "cell.csv", Cell(2e-7))


def written(path: Path, cell: Cell) -> Path:
    one = spectrum(cell, np.random.default_rng(3))
    f = np.append(one.frequency, one.frequency[0])
    z = np.append(one.impedance, one.again)
    rows = [f"{a:.7g};{b.real:.7g};{-b.imag:.7g}" for a, b in zip(f, z, strict=True)]
    path.write_text("frequency (Hz);Re(Z) (ohm);-Im(Z) (ohm)\n" + "\n".join(rows))
    return path


def polyloop(*args: object) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(
        cli.app, ["analyse", *map(str, args)]
    )


def test_a_spectrum_becomes_a_table_and_a_plot(file: Path, tmp_path: Path) -> None:
    plot = tmp_path / "cell.png"
    result = polyloop(file, *SHAPE, "--thickness-std", "3 um", "--plot", plot)
    assert result.exit_code == 0, result.output
    for word in (
        "Kramers-Kronig",
        "arc + spike",
        "bulk resistance",
        "kΩ",
        "S/cm",
        "-Im Z",
    ):
        assert word in result.output
    assert plot.read_bytes().startswith(PNG)


def test_json_holds_the_same_numbers_with_their_units(file: Path) -> None:
    result = polyloop(file, *SHAPE, "--json")
    found = json.loads(result.output)
    assert found["believed"]
    assert found["conductivity_S_per_cm"] == pytest.approx(2e-7, rel=0.02)
    assert found["resistance_ohm"] == pytest.approx(Cell(2e-7).bulk, rel=0.02)
    assert found["conductivity_sign"] == "="
    assert found["kramers_kronig_residual"] < 0.02


def test_what_is_not_identifiable_is_said_with_a_bound(tmp_path: Path) -> None:
    path = written(tmp_path / "good.csv", Cell(1e-2))
    result = polyloop(path, *SHAPE)
    assert result.exit_code == 0, result.output
    assert "not identifiable: the intercept at high frequency" in result.output
    assert ">= " in result.output
    found = json.loads(polyloop(path, *SHAPE, "--json").output)
    assert found["resistance_ohm"] is None
    assert found["resistance_at_most_ohm"] > Cell(1e-2).bulk


def test_without_a_cell_there_is_a_resistance_and_no_conductivity(file: Path) -> None:
    result = polyloop(file)
    assert "bulk resistance" in result.output
    assert "S/cm" not in result.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--thickness", "100", "--area", "1 cm^2"),
            "--thickness: '100': write the unit",
        ),
        (("--thickness", "100 s", "--area", "1 cm^2"), "--thickness: '100 s'"),
        (("--thickness", "0 um", "--area", "1 cm^2"), "must be above 0"),
        (("--thickness", "100 um"), "a conductivity needs both"),
        (("--plot", "cell.xyz"), "must end in .png, .svg or .pdf"),
        (("--plot", "no/such/folder.png"), "there is no folder"),
        (("--sweep", "2"), "the file holds 1"),
        (("--short", "none.csv"), "none.csv: No such file"),
        (("--contact", "1 V"), "--contact: '1 V'"),
    ],
)
def test_what_is_refused_is_named_and_ends_with_2(
    file: Path, options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("sys.argv", ["polyloop", "analyse", str(file), *options])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
